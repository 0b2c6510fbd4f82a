//! `tessera bench`: a training step, a decode and memory for the standard settings, beside the machine's own peak
//! measured in the same run, because a figure without it says more about the machine than about us.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::field::{Encoding, FieldSpec};
use tessera_core::grid::Grid;
use tessera_core::signal::{SampleFormat, Signal, SignalInfo};

use super::{peak, playback};
use crate::arguments::{BenchArguments, BenchSetting, EngineName};
use crate::decoding;
use crate::report::{Reporter, Table, bytes as human_bytes, duration, grouped};
use crate::training::{DeviceChoice, EngineChoice, Event, Outcome, Recipe, Settings, TrainingPlan, train};

/// One object of the `--json` list. The names are a contract.
#[derive(Debug, Serialize)]
struct BenchReport {
    setting: &'static str,
    device: String,
    engine: String,
    threads: usize,
    parameters: u64,
    macs_per_sample: u64,
    samples: u64,
    /// Median over the timed steps.
    train_step_seconds: f64,
    /// The same with the global network held still, where there is one and the device can.
    held_step_seconds: Option<f64>,
    /// Fastest of the timed decodes.
    decode_seconds: f64,
    /// Most memory held while training, the program itself included.
    peak_bytes: Option<u64>,
    /// Multiply-adds of a training step (three times a decode) against the measured peak; on a GPU nothing to compare.
    percent_of_peak: Option<f64>,
    decode_percent_of_peak: f64,
    peak_gigaflops: f64,
}

pub(super) fn run(arguments: &BenchArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    if !arguments.file.is_empty() {
        return playback::run(arguments, reporter);
    }
    let wanted = if arguments.setting.is_empty() { BenchSetting::value_variants() } else { &arguments.setting[..] };
    let mut reports = Vec::new();
    for &setting in wanted {
        let work = Work::of(setting)?;
        reporter.say(format_args!("measuring {} ...", work.name));
        reports.push(measure(arguments, work)?);
    }
    reporter.answer(&reports, || table(&reports))
}

/// A network and the signal it is trained on.
struct Work {
    name: &'static str,
    spec: FieldSpec,
    grid: Grid,
    signal: Signal,
}

impl Work {
    fn of(setting: BenchSetting) -> Result<Self> {
        let picture = |name, spec, factor| {
            Self::new(name, SignalInfo::picture(512, 512, 3, SampleFormat::U8)?, spec, vec![factor, factor])
        };
        match setting {
            BenchSetting::Picture512LocalGlobal => {
                picture("picture-512-local-global", FieldSpec::local_global(2, 3, 14, 84), 16)
            }
            BenchSetting::Picture512PerPartition => {
                picture("picture-512-per-partition", FieldSpec::per_partition(2, 3, 15), 16)
            }
            BenchSetting::Picture512Siren => picture("picture-512-siren", FieldSpec::siren(2, 3, 256), 1),
            BenchSetting::Picture768Compression => {
                let encoding = Encoding::Nerf { scale: 1.4, frequencies: 16 };
                let spec = FieldSpec { encoding, ..FieldSpec::siren(2, 3, 32) };
                let info = SignalInfo::picture(512, 768, 3, SampleFormat::U8)?;
                Self::new("picture-768-compression", info, spec, vec![1, 1])
            }
            BenchSetting::SoundLocalGlobal => {
                let spec = FieldSpec::local_global(1, 1, 42, 72);
                let info = SignalInfo::sound(1 << 18, 1, SampleFormat::U16, 44_100, 1.0)?;
                Self::new("sound-local-global", info, spec, vec![32])
            }
            BenchSetting::VideoLocalGlobal => {
                let spec = FieldSpec::local_global(3, 3, 55, 180);
                let info = SignalInfo::video([64; 3], 3, SampleFormat::U8, (25, 1))?;
                Self::new("video-local-global", info, spec, vec![5, 8, 8])
            }
        }
    }

    /// A signal with smooth and busy places; what it is does not matter for the time.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn new(name: &'static str, info: SignalInfo, spec: FieldSpec, factors: Vec<u32>) -> Result<Self> {
        let values = info.samples() * u64::from(info.channels);
        let value = |index: u64| (index as f32 * 1e-3).sin() * (index as f32 * 1.7e-5).cos();
        let grid = Grid::new(info.shape.clone(), factors, info.kind.coordinate_range())?;
        Ok(Self { name, spec, grid, signal: Signal::new(info, (0..values).map(value).collect())? })
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn measure(arguments: &BenchArguments, work: Work) -> Result<BenchReport> {
    let Work { name, spec, grid, signal } = work;
    let samples = grid.samples();
    let operations = (spec.multiply_adds_per_sample() * samples * 2) as f64;
    let settings = Settings {
        // One step to warm up: the first touches all memory and builds the thread pool.
        steps: arguments.steps + 1,
        device: arguments.device.into(),
        engine: match arguments.engine {
            EngineName::Auto => EngineChoice::Auto,
            EngineName::Fused => EngineChoice::Fused,
            EngineName::General => EngineChoice::General,
        },
        threads: arguments.threads,
        ..Settings::default()
    };
    let on_cpu = matches!(settings.device, DeviceChoice::Cpu | DeviceChoice::Ndarray);
    let can_hold = settings.device == DeviceChoice::Cpu && settings.engine != EngineChoice::General;
    let mut plan = TrainingPlan { samples: signal.into(), grid: grid.clone(), spec: spec.clone(), settings };

    let peak = peak::operations_per_second();
    peak::reset_peak_bytes();
    let (outcome, train_step_seconds) = timed(&plan)?;
    let peak_bytes = peak::peak_bytes();
    let mut held_step_seconds = None;
    if can_hold && spec.has_global() {
        // Of few steps, most would be judged, which is no part of a step.
        (plan.settings.recipe, plan.settings.steps) = (Recipe::Held, 8 * arguments.steps);
        held_step_seconds = Some(timed(&plan)?.1);
    }

    let view = View::full(&grid);
    let mut decode_seconds = f64::INFINITY;
    for _ in 0..arguments.decodes {
        let started = Instant::now();
        std::hint::black_box(decoding::decode(&outcome.field, &view)?);
        decode_seconds = decode_seconds.min(started.elapsed().as_secs_f64());
    }
    let percent = |operations: f64, seconds: f64| operations / seconds / peak * 100.0;
    Ok(BenchReport {
        setting: name,
        device: outcome.device,
        engine: outcome.engine,
        threads: rayon::current_num_threads(),
        parameters: spec.parameters(grid.partitions().into()),
        macs_per_sample: spec.multiply_adds_per_sample(),
        samples,
        train_step_seconds,
        held_step_seconds,
        decode_seconds,
        peak_bytes,
        percent_of_peak: on_cpu.then(|| percent(3.0 * operations, train_step_seconds)),
        decode_percent_of_peak: percent(operations, decode_seconds),
        peak_gigaflops: peak / 1e9,
    })
}

/// Trains, and gives the median time of the steps after the first.
fn timed(plan: &TrainingPlan) -> Result<(Outcome, f64)> {
    let mut ends = Vec::new();
    let mut started = Instant::now();
    let outcome = train(plan, &AtomicBool::new(false), &mut |event| match event {
        Event::Started { .. } => started = Instant::now(),
        Event::Step { .. } => ends.push(started.elapsed().as_secs_f64()),
        _ => {}
    })?;
    let mut steps: Vec<f64> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    Ok((outcome, steps[steps.len() / 2]))
}

fn table(reports: &[BenchReport]) -> String {
    let mut table =
        Table::new(&["setting", "parameters", "training step", "of peak", "held step", "decode", "of peak", "memory"]);
    for r in reports {
        table.row(vec![
            r.setting.to_owned(),
            grouped(r.parameters),
            duration(r.train_step_seconds),
            r.percent_of_peak.map_or("–".to_owned(), |p| format!("{p:.1} %")),
            r.held_step_seconds.map_or("–".to_owned(), duration),
            duration(r.decode_seconds),
            format!("{:.1} %", r.decode_percent_of_peak),
            r.peak_bytes.map_or("–".to_owned(), human_bytes),
        ]);
    }
    let machine = reports.first().map_or_else(String::new, |r| {
        format!(
            "\n{}, {}; decoding on {} threads; peak {:.0} GFLOP/s (f32)\n",
            r.device, r.engine, r.threads, r.peak_gigaflops
        )
    });
    table.to_string() + &machine
}
