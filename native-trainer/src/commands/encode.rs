//! `tessera encode`: read, plan, train, write, and measure what was written.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use tessera_core::field::recentred_for;
use tessera_core::format::{self, Document, TrainingRecord, WeightCoding};
use tessera_core::metrics;
use tessera_core::signal::SignalInfo;

use super::describe::{extents, signal_text};
use crate::arguments::values::{Count, DeviceName, Preset, RecipeName, Seconds, WeightsName};
use crate::arguments::{EncodeArguments, EncodeOptions};
use crate::errors::{Fault, usage_fault};
use crate::media::{Source, read_source};
use crate::output::{Destination, read_input, shown};
use crate::plan::{self, Network};
use crate::progress::Progress;
use crate::quality::{self, Quality};
use crate::report::{Facts, Reporter, bytes as human_bytes, decibels, duration, finite, grouped};
use crate::training::{
    Checkpoint, CheckpointSettings, DeviceChoice, EngineChoice, Outcome, Recipe, Settings, StoppedBy, TrainingPlan,
    train,
};
use crate::{config, decoding, signals};

/// What `--json` prints. The names are a contract.
#[derive(Debug, Serialize)]
struct EncodeReport<'a> {
    output: String,
    model: &'static str,
    psnr_db: Option<f64>,
    ssim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iou: Option<f64>,
    seconds: f64,
    steps: u64,
    best_step: u64,
    stopped_by: &'static str,
    parameters: u64,
    bytes: u64,
    bits_per_sample: f64,
    samples: u64,
    partitions: u32,
    kept_partitions: usize,
    empty_partitions: usize,
    factors: &'a [u32],
    local_width: u32,
    global_width: u32,
    hidden_layers: u32,
    macs_per_sample: u64,
    weights: &'static str,
    device: &'a str,
    engine: &'a str,
    seed: u64,
    notes: &'a [String],
}

pub(super) fn run(arguments: &EncodeArguments, reporter: &Reporter) -> Result<()> {
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    check_checkpoint(arguments)?;
    let asked = config::given(&arguments.options, arguments.config.as_deref())?;
    let Source { signal, notes } = source(arguments, &asked)?;
    let samples = signal.info.samples();
    let options = config::merged(&arguments.options, arguments.config.as_deref(), &signal.info)?;
    decoding::use_threads(options.threads)?;
    let network = plan::network_of(&options, &signal)?;
    let settings = settings(arguments, &options, &signal.info, &network)?;
    reporter.say(format_args!("{}: {}", shown(&arguments.input), signal_text(&signal.info)));
    notes.iter().for_each(|note| reporter.say(format_args!("  note: {note}")));
    reporter.say(network_text(&network));

    let stop = signals::watch()?;
    let plan =
        TrainingPlan { signal, grid: network.grid.clone(), spec: network.spec.clone(), settings: settings.clone() };
    let mut progress = Progress::new(arguments.progress, reporter.quiet(), settings.steps);
    let outcome = train(&plan, stop, &mut |event| progress.event(&event));
    progress.finish();
    let outcome = outcome?;

    let training = record(&options, &network, &settings, &outcome)?;
    let coding = coding(options.weights.unwrap_or(WeightsName::F32));
    let field = recentred_for(&outcome.field, coding)?;
    let document = Document { signal: plan.signal.info.clone(), field, training };
    let written = format::write(&document, coding)?;
    destination.write(&written)?;

    let quality = quality::of_written(&written, &plan.signal)?;
    let report = EncodeReport {
        output: destination.shown(),
        model: network.spec.model.name(),
        psnr_db: finite(quality.psnr_db),
        ssim: quality.ssim,
        iou: quality.iou,
        seconds: outcome.seconds,
        steps: outcome.steps,
        best_step: outcome.best_step,
        stopped_by: outcome.stopped_by.name(),
        parameters: outcome.field.parameters(),
        bytes: written.len() as u64,
        bits_per_sample: metrics::bits_per_sample(written.len() as u64, samples),
        samples,
        partitions: network.grid.partitions(),
        kept_partitions: outcome.field.present().len(),
        empty_partitions: outcome.field.empty().len(),
        factors: network.grid.factors(),
        local_width: network.spec.local_width,
        global_width: network.spec.global_width,
        hidden_layers: network.spec.hidden_layers,
        macs_per_sample: network.spec.multiply_adds_per_sample(),
        weights: coding.name(),
        device: &outcome.device,
        engine: &outcome.engine,
        seed: settings.seed,
        notes: &notes,
    };
    reporter.summary(&report, || summary(&report, &quality))?;
    verdict(&outcome, options.psnr, &quality, &destination)
}

/// A checkpoint replaces its file from the first step on, so what may be lost is looked at before.
fn check_checkpoint(arguments: &EncodeArguments) -> Result<()> {
    let Some(path) = &arguments.checkpoint else { return Ok(()) };
    let same = |other: &Path| match (path.canonicalize(), other.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => path == other,
    };
    for (other, role) in [(&arguments.input, "input"), (&arguments.output, "output")] {
        if same(other) {
            return Err(usage_fault(format!("--checkpoint {} is the {role}: name another file", path.display())));
        }
    }
    if !path.exists() {
        // The same checks as for an output: its folder exists and can be written.
        return Destination::new(path, false, false).map(|_| ());
    }
    if !arguments.resume && !arguments.force {
        return Err(usage_fault(format!(
            "{} exists; --resume goes on from it, --force starts again and replaces it",
            path.display()
        )));
    }
    // Never replace what is no checkpoint, not even by force.
    Checkpoint::load(path)?;
    Ok(())
}

fn source(arguments: &EncodeArguments, asked: &EncodeOptions) -> Result<Source> {
    let source = read_input(&arguments.input)?;
    if source.starts_with(&format::MAGIC) {
        return Err(Fault::Input(format!(
            "{} is a Tessera file already: decode it first, or crop it as it is",
            shown(&arguments.input)
        ))
        .into());
    }
    read_source(&source, &arguments.input, &asked.sampling())
}

fn settings(
    arguments: &EncodeArguments,
    options: &EncodeOptions,
    info: &SignalInfo,
    network: &Network,
) -> Result<Settings> {
    if options.psnr.is_some_and(|psnr| !(psnr > 0.0 && psnr < 200.0)) {
        return Err(usage_fault("--psnr must lie between 0 and 200 dB"));
    }
    let recipe = options.recipe.unwrap_or(RecipeName::Held);
    Ok(Settings {
        steps: options.steps.map_or_else(|| plan::default_steps(recipe, info), |Count(n)| n),
        psnr_db: options.psnr,
        max_seconds: options.max_time.map(|Seconds(s)| s),
        learning_rate: options.learning_rate.unwrap_or_else(|| plan::default_learning_rate(recipe)),
        recipe: match recipe {
            RecipeName::Held => Recipe::Held,
            RecipeName::Published => Recipe::Published,
        },
        shares: plan::default_shares(info, &network.grid),
        group_samples: None,
        sample_fraction: options.sample_fraction.unwrap_or_else(|| plan::default_sample_fraction(recipe, info)),
        seed: options.seed.unwrap_or(0),
        device: device(options.device.unwrap_or(DeviceName::Cpu)),
        threads: options.threads,
        checkpoint: arguments.checkpoint.as_ref().map(|path| CheckpointSettings {
            path: path.clone(),
            every_seconds: arguments.every.0,
            resume: arguments.resume,
        }),
        engine: EngineChoice::Auto,
    })
}

/// The engine's word for a device of the command line.
pub(super) fn device(name: DeviceName) -> DeviceChoice {
    match name {
        DeviceName::Auto => DeviceChoice::Auto,
        DeviceName::Cpu => DeviceChoice::Cpu,
        DeviceName::Cuda => DeviceChoice::Cuda,
        DeviceName::Vulkan => DeviceChoice::Vulkan,
        DeviceName::Metal => DeviceChoice::Metal,
        DeviceName::Webgpu => DeviceChoice::Webgpu,
        DeviceName::Ndarray => DeviceChoice::Ndarray,
    }
}

/// The format's word for a weight type of the command line.
pub(super) fn coding(name: WeightsName) -> WeightCoding {
    match name {
        WeightsName::F32 => WeightCoding::F32,
        WeightsName::F16 => WeightCoding::F16,
        WeightsName::Bf16 => WeightCoding::Bf16,
    }
}

fn record(
    options: &EncodeOptions,
    network: &Network,
    settings: &Settings,
    outcome: &Outcome,
) -> Result<TrainingRecord> {
    let merged = plan::carried_out(options, network, settings);
    Ok(TrainingRecord {
        program: concat!("tessera ", env!("CARGO_PKG_VERSION")).to_owned(),
        preset: super::describe::name_of(&options.preset.unwrap_or(Preset::Fast)),
        seed: settings.seed,
        steps: outcome.steps,
        learning_rate: settings.learning_rate,
        sample_fraction: settings.sample_fraction,
        psnr_db: Some(outcome.psnr_db).filter(|psnr| !psnr.is_nan()),
        configuration: toml::to_string(&merged)?,
    })
}

fn network_text(network: &Network) -> String {
    let (grid, spec) = (&network.grid, &network.spec);
    let filled = if network.networks == u64::from(grid.partitions()) {
        String::new()
    } else {
        format!(" ({} with a network)", network.networks)
    };
    let parameters = grouped(network.parameters());
    let widths = if spec.has_global() {
        format!("local width {}, global width {}", spec.local_width, spec.global_width)
    } else {
        format!("width {}", spec.local_width)
    };
    format!(
        "{}: {} partitions{filled}, {widths}, {} hidden layers, {parameters} parameters, {} multiply-adds per sample",
        spec.model.name(),
        extents(grid.factors()),
        spec.hidden_layers,
        grouped(spec.multiply_adds_per_sample())
    )
}

fn summary(report: &EncodeReport<'_>, quality: &Quality) -> String {
    let ssim = quality.ssim.map_or_else(String::new, |s| format!(", SSIM {s:.4}"));
    let iou = quality.iou.map_or_else(String::new, |iou| format!("IoU {iou:.4}, "));
    let best =
        if report.best_step == report.steps { String::new() } else { format!(", best after {}", report.best_step) };
    Facts::new()
        .with("wrote", &report.output)
        .with("quality", format_args!("{iou}{}{ssim}", decibels(quality.psnr_db)))
        .with(
            "size",
            format_args!(
                "{} ({:.2} bits per sample, {} weights)",
                human_bytes(report.bytes),
                report.bits_per_sample,
                report.weights
            ),
        )
        .with(
            "training",
            format_args!(
                "{} steps{best}, {} on {}, {} engine",
                report.steps,
                duration(report.seconds),
                report.device,
                report.engine
            ),
        )
        .to_string()
}

/// The file is written in any case; the exit code says whether it is what was asked for.
fn verdict(outcome: &Outcome, wanted: Option<f64>, quality: &Quality, destination: &Destination) -> Result<()> {
    if outcome.stopped_by == StoppedBy::Interrupted {
        return Err(Fault::Interrupted(format!(
            "interrupted after {} steps; {} holds the best weights until then",
            outcome.steps,
            destination.shown()
        ))
        .into());
    }
    match wanted {
        Some(wanted) if quality.psnr_db < wanted => Err(Fault::TargetMissed(format!(
            "{:.2} dB were reached, {wanted} were asked for; {} is written all the same (more --steps, --max-time or \
             --parameters help)",
            quality.psnr_db,
            destination.shown()
        ))
        .into()),
        _ => Ok(()),
    }
}
