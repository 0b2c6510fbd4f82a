//! One input to one file: read, plan, train, write, and measure what was written.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use serde::Serialize;
use tessera_core::field::Model;
use tessera_core::format::{self, ChunkCoding, WeightCoding};
use tessera_core::metrics;

use super::super::describe::{encoding_text, extents, network_text, signal_text};
use super::watch::{SNAPSHOT_EVERY_SECONDS, Watch};
use crate::arguments::values::WeightsName;
use crate::arguments::{EncodeArguments, EncodeOptions};
use crate::compression::{Rated, encode_to_rate, fitted_to_rate};
use crate::errors::{Fault, usage_fault};
use crate::media::clip::{self, ClipFile};
use crate::media::{Source, read_source};
use crate::output::{Destination, folder_of, is_same, is_stream, read_input, shown};
use crate::plan::{self, Network, Rate};
use crate::progress::Progress;
use crate::quality::{self, Quality};
use crate::report::{Facts, Reporter, bytes as human_bytes, decibels, duration, finite, grouped};
use crate::samples::Samples;
use crate::training::{Checkpoint, CheckpointSettings, Event, Outcome, Settings, StoppedBy, TrainingPlan, train};
use crate::training_log::{PREVIEW_EVERY, TrainingLog};
use crate::{config, decoding, signals};

/// A file of a wanted quality is said to have missed it by more than this, in dB.
const MISSED_DB: f64 = 0.5;

/// What goes where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) input: PathBuf,
    pub(super) output: PathBuf,
    /// Where the file of an interrupted training goes instead, so that nobody takes it for a finished one.
    pub(super) unfinished: Option<PathBuf>,
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) log_dir: Option<PathBuf>,
}

/// What `--json` prints. The names are a contract.
#[derive(Debug, Serialize)]
pub(super) struct EncodeReport {
    input: String,
    pub(super) output: String,
    model: &'static str,
    pub(super) psnr_db: Option<f64>,
    ssim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iou: Option<f64>,
    pub(super) seconds: f64,
    steps: u64,
    best_step: u64,
    stopped_by: &'static str,
    parameters: u64,
    pub(super) bytes: u64,
    pub(super) bits_per_sample: f64,
    samples: u64,
    partitions: u32,
    kept_partitions: usize,
    empty_partitions: usize,
    factors: Vec<u32>,
    local_width: u32,
    global_width: u32,
    hidden_layers: u32,
    encoding: &'static str,
    encoded_inputs: u64,
    activation: &'static str,
    macs_per_sample: u64,
    weights: &'static str,
    device: String,
    engine: String,
    seed: u64,
    notes: Vec<String>,
}

impl EncodeReport {
    /// What its kind is judged by, in a word.
    pub(super) fn quality_text(&self) -> String {
        match (self.iou, self.psnr_db) {
            (Some(iou), _) => format!("IoU {iou:.4}"),
            (_, Some(psnr_db)) => decibels(psnr_db),
            _ => "identical".to_owned(),
        }
    }
}

/// A file that was written.
pub(super) struct Encoded {
    pub(super) report: EncodeReport,
    pub(super) quality: Quality,
    /// Whether it is what was asked for.
    pub(super) verdict: Result<()>,
    /// The page, which still serves.
    pub(super) watch: Option<Watch>,
}

pub(super) fn encode(job: &Job, arguments: &EncodeArguments, reporter: &Reporter) -> Result<Encoded> {
    if !is_stream(&job.input) && is_same(&job.input, &job.output) {
        return Err(usage_fault(format!("-o {} is the input itself: name another file", job.output.display())));
    }
    let mut destination = Destination::new(&job.output, arguments.force, reporter.json())?;
    check_checkpoint(job, arguments)?;
    let opened = open(job, arguments)?;
    let stop = signals::watch()?;
    let asked = config::given(&arguments.options, arguments.config.as_deref())?;
    let (source, mut notes) = read(opened, job, arguments, &asked, stop)?;
    let info = source.info().clone();
    let samples = info.samples();
    decoding::use_threads(asked.threads)?;
    reporter.say(format_args!("{}: {}", shown(&job.input), signal_text(&info)));
    notes.iter().for_each(|note| reporter.say(format_args!("  note: {note}")));
    let rate = plan::rate(&asked, &info)?;
    // What cannot be planned is said before a log or a page is begun.
    let planned = Planned::new(&asked, rate, &source)?;
    check_rate(rate, planned.network.spec.model, job, arguments)?;

    let watch = arguments.watch.then(|| Watch::start(job, source.info(), arguments, stop, reporter)).transpose()?;
    let mut log = job.log_dir.as_deref().map(|folder| log(folder, &source)).transpose()?;
    if let Some(log) = &log {
        reporter.say(format_args!("logging to {}", log.path().display()));
    }
    let mut progress = Progress::new(arguments.progress, reporter.quiet(), planned.settings.steps);
    let end = watch.as_ref().map_or(stop, Watch::end);
    let mut on_event = |event: Event| {
        progress.event(&event);
        if let Some(watch) = &watch {
            watch.event(&event);
        }
        if let Some(log) = &mut log {
            log.event(&event);
        }
    };
    let trained = match rate {
        Some(rate) => rated(&source, &asked, rate, (job, arguments), end, reporter, &mut on_event),
        None => plain(&source, planned, (job, arguments), end, reporter, &mut on_event),
    };
    progress.finish();
    let Trained { network, settings, outcome, written, weights, quality } = trained?;
    if let (StoppedBy::Interrupted, Some(unfinished)) = (outcome.stopped_by, &job.unfinished) {
        destination = Destination::new(unfinished, true, reporter.json())?;
    }
    destination.write(&written)?;

    let quality = quality.map_or_else(|| quality::of_written(&written, &source), Ok)?;
    if let Some(note) = rate.and_then(|rate| missed(rate, quality.psnr_db, outcome.stopped_by)) {
        reporter.say(format_args!("note: {note}"));
        notes.push(note);
    }
    if let Some(log) = log
        && let Err(error) = log.finish(outcome.steps, &outcome.field, &quality, written.len() as u64)
    {
        reporter.say(format_args!("the log is not complete: {error}"));
    }
    if let Some(watch) = &watch {
        watch.finished(&written, destination.shown(), quality.psnr_db);
    }
    if let Some(Rate::Bytes(wanted)) = rate
        && written.len() as u64 > wanted
    {
        notes.push(format!("it takes more than the {wanted} bytes that were asked for"));
    }
    let report = EncodeReport {
        input: shown(&job.input),
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
        factors: network.grid.factors().to_vec(),
        local_width: network.spec.local_width,
        global_width: network.spec.global_width,
        hidden_layers: network.spec.hidden_layers,
        encoding: network.spec.encoding.name(),
        encoded_inputs: network.spec.encoded_inputs(),
        activation: network.spec.activation.name(),
        macs_per_sample: network.spec.multiply_adds_per_sample(),
        weights,
        device: outcome.device.clone(),
        engine: outcome.engine.clone(),
        seed: settings.seed,
        notes,
    };
    let verdict = if watch.as_ref().is_some_and(Watch::ended_by_page) {
        Ok(())
    } else {
        verdict(&outcome, asked.psnr, rate, &report, &quality, &destination)
    };
    Ok(Encoded { report, quality, verdict, watch })
}

fn log(folder: &Path, samples: &Samples) -> Result<TrainingLog> {
    let mut log = TrainingLog::create(folder, samples.info())?;
    log.original(|bounds| samples.of_box(bounds));
    Ok(log)
}

/// A checkpoint replaces its file from the first step on, so what may be lost is looked at before.
fn check_checkpoint(job: &Job, arguments: &EncodeArguments) -> Result<()> {
    let Some(path) = &job.checkpoint else { return Ok(()) };
    for (other, role) in [(&job.input, "input"), (&job.output, "output")] {
        if is_same(path, other) {
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

/// An input whose kind is known.
enum Opened {
    /// Its frames are read when they are needed.
    Clip(ClipFile),
    /// All bytes of anything else.
    Bytes(Vec<u8>),
}

fn open(job: &Job, arguments: &EncodeArguments) -> Result<Opened> {
    if let Some(clip) = ClipFile::find(&job.input) {
        return Ok(Opened::Clip(clip));
    }
    let source = read_input(&job.input)?;
    if source.starts_with(&format::MAGIC) {
        return Err(Fault::Input(format!(
            "{} is a Tessera file already: decode it first, or crop it as it is",
            shown(&job.input)
        ))
        .into());
    }
    if is_stream(&job.input)
        && let Some(clip) = ClipFile::of_bytes(&source)?
    {
        return Ok(Opened::Clip(clip));
    }
    if arguments.clip.any() {
        return Err(usage_fault(format!(
            "--frames, --frame-rate and --resize are for clips, and {} is none",
            shown(&job.input)
        )));
    }
    Ok(Opened::Bytes(source))
}

/// The samples, and what was done on the way to them. A clip's lie beside the output while it is trained.
fn read(
    opened: Opened,
    job: &Job,
    arguments: &EncodeArguments,
    asked: &EncodeOptions,
    stop: &AtomicBool,
) -> Result<(Samples, Vec<String>)> {
    match opened {
        Opened::Clip(file) => {
            let folder = if is_stream(&job.output) { std::env::temp_dir() } else { folder_of(&job.output) };
            let frames = clip::open(&file, arguments.clip.selection())?;
            let (spool, notes) = clip::spool(frames, file.name(), &folder, stop)?;
            Ok((Samples::Spooled(spool), notes))
        }
        Opened::Bytes(bytes) => {
            let Source { signal, notes } = read_source(bytes, &job.input, &asked.sampling())?;
            Ok((signal.into(), notes))
        }
    }
}

/// What training gave.
struct Trained {
    network: Network,
    settings: Settings,
    outcome: Outcome,
    written: Vec<u8>,
    weights: &'static str,
    /// Where it was looked at already.
    quality: Option<Quality>,
}

/// What completed options come to.
struct Planned {
    options: EncodeOptions,
    network: Network,
    settings: Settings,
}

impl Planned {
    fn new(asked: &EncodeOptions, rate: Option<Rate>, samples: &Samples) -> Result<Self> {
        let info = samples.info();
        let options = match rate {
            Some(rate) => fitted_to_rate(asked, info, rate)?,
            None => config::completed(asked.clone(), info)?,
        };
        let network = plan::network_of(&options, samples)?;
        let settings = plan::settings(&options, info, &network.grid)?;
        Ok(Self { options, network, settings })
    }
}

/// A file of the weights as they are.
fn plain(
    samples: &Samples,
    Planned { options, network, mut settings }: Planned,
    (job, arguments): (&Job, &EncodeArguments),
    stop: &AtomicBool,
    reporter: &Reporter,
    on_event: &mut dyn FnMut(Event),
) -> Result<Trained> {
    settings.checkpoint = job.checkpoint.as_ref().map(|path| CheckpointSettings {
        path: path.clone(),
        every_seconds: arguments.every.0,
        resume: arguments.resume,
    });
    settings.snapshot_every_seconds = snapshot_every(job, arguments);
    reporter.say(plan_text(&network));
    let training = TrainingPlan {
        samples: samples.clone(),
        grid: network.grid.clone(),
        spec: network.spec.clone(),
        settings: settings.clone(),
    };
    let outcome = train(&training, stop, on_event)?;
    let document = plan::document(samples.info(), &options, &network, &settings, &outcome)?;
    let coding = WeightCoding::from(options.weights.unwrap_or(WeightsName::F32));
    let written = format::write(&document, coding)?;
    Ok(Trained { network, settings, outcome, written, weights: coding.name(), quality: None })
}

/// A file of a wanted size or quality.
fn rated(
    samples: &Samples,
    asked: &EncodeOptions,
    rate: Rate,
    (job, arguments): (&Job, &EncodeArguments),
    stop: &AtomicBool,
    reporter: &Reporter,
    on_event: &mut dyn FnMut(Event),
) -> Result<Trained> {
    let mut begin = |trial: u32, network: &Network, settings: &mut Settings| {
        settings.snapshot_every_seconds = snapshot_every(job, arguments);
        if let Rate::Quality(psnr_db) = rate {
            let short = trial == 1 && network.spec.model != Model::Latents;
            let what = if short { "a short training first" } else { "a training" };
            reporter.say(format_args!("{what} for {psnr_db:.1} dB"));
        }
        reporter.say(plan_text(network));
    };
    let made = encode_to_rate(samples, asked, rate, stop, &mut begin, on_event)?;
    let Rated { network, settings, outcome, bytes: written, quality } = made;
    let weights = ChunkCoding::Quantised.name();
    Ok(Trained { network, settings, outcome, written, weights, quality: Some(quality) })
}

fn snapshot_every(job: &Job, arguments: &EncodeArguments) -> Option<f64> {
    if arguments.watch {
        return Some(SNAPSHOT_EVERY_SECONDS);
    }
    job.log_dir.as_ref().map(|_| PREVIEW_EVERY.as_secs_f64())
}

/// What a file of a wanted quality is not, if it is not.
fn missed(rate: Rate, psnr_db: f64, stopped_by: StoppedBy) -> Option<String> {
    let Rate::Quality(wanted) = rate else { return None };
    (psnr_db < wanted - MISSED_DB && stopped_by != StoppedBy::Interrupted).then(|| {
        format!(
            "{wanted:.1} dB were asked for, and this training came to {psnr_db:.1} dB: more --steps or time may come further"
        )
    })
}

/// What does not go with a wanted size.
fn check_rate(rate: Option<Rate>, model: Model, job: &Job, arguments: &EncodeArguments) -> Result<()> {
    if rate.is_some() && job.checkpoint.is_some() {
        return Err(usage_fault(
            "--checkpoint does not go with --bpp, --target-size and --quality yet: an interrupted training writes its file \
             all the same, but does not go on",
        ));
    }
    let trials = matches!(rate, Some(Rate::Quality(_))) && model != Model::Latents;
    if trials && (arguments.watch || job.log_dir.is_some()) {
        return Err(usage_fault(
            "--watch and --log-dir show one training, and --quality takes several of networks: name a size with --bpp or \
             --target-size",
        ));
    }
    Ok(())
}

fn plan_text(network: &Network) -> String {
    let (grid, spec) = (&network.grid, &network.spec);
    let filled = if network.networks == u64::from(grid.partitions()) {
        String::new()
    } else {
        format!(" ({} with a network)", network.networks)
    };
    let parameters = grouped(network.parameters());
    format!(
        "{}: {} partitions{filled}, {}{}, {parameters} parameters, {} multiply-adds per sample",
        spec.model.name(),
        extents(grid.factors()),
        encoding_text(spec).map_or_else(String::new, |text| format!("{text}, ")),
        network_text(spec),
        grouped(spec.multiply_adds_per_sample())
    )
}

pub(super) fn summary(report: &EncodeReport, quality: &Quality) -> String {
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
fn verdict(
    outcome: &Outcome,
    wanted: Option<f64>,
    rate: Option<Rate>,
    report: &EncodeReport,
    quality: &Quality,
    destination: &Destination,
) -> Result<()> {
    if outcome.stopped_by == StoppedBy::Interrupted {
        return Err(Fault::Interrupted(format!(
            "interrupted after {} steps; {} holds the best weights until then",
            outcome.steps,
            destination.shown()
        ))
        .into());
    }
    if let Some(Rate::Bytes(wanted)) = rate
        && report.bytes > wanted
    {
        return Err(Fault::TargetMissed(format!(
            "{} bytes were asked for; {} is written all the same, with {} (more --steps, or fewer or smaller networks and \
             partitions, take less)",
            grouped(wanted),
            destination.shown(),
            grouped(report.bytes)
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
