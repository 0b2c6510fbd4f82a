//! `tessera bench`: a training step, a decode and memory for the standard settings, beside the machine's own peak
//! measured in the same run, because a figure without it says more about the machine than about us.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::field::FieldSpec;
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::signal::{SampleFormat, Signal, SignalInfo};

use super::peak;
use crate::arguments::{BenchArguments, BenchSetting};
use crate::decoding;
use crate::report::{Reporter, Table, bytes as human_bytes, duration, grouped};
use crate::training::{DeviceChoice, Event, Settings, TrainingPlan, train};

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
    /// Fastest of the timed decodes.
    decode_seconds: f64,
    /// Most memory held while training, the program itself included.
    peak_bytes: Option<u64>,
    /// Multiply-adds of a training step (three times a decode) against the measured peak; on a GPU nothing to compare.
    percent_of_peak: Option<f64>,
    decode_percent_of_peak: f64,
    peak_gigaflops: f64,
}

const SIDE: u32 = 512;

pub(super) fn run(arguments: &BenchArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    let all =
        [BenchSetting::Picture512LocalGlobal, BenchSetting::Picture512PerPartition, BenchSetting::Picture512Siren];
    let wanted = if arguments.setting.is_empty() { &all[..] } else { &arguments.setting[..] };
    let mut reports = Vec::new();
    for &setting in wanted {
        reporter.say(format_args!("measuring {} ...", network(setting).0));
        reports.push(measure(arguments, setting)?);
    }
    reporter.answer(&reports, || table(&reports))
}

fn network(setting: BenchSetting) -> (&'static str, FieldSpec, u32) {
    match setting {
        BenchSetting::Picture512LocalGlobal => ("picture-512-local-global", FieldSpec::local_global(2, 3, 14, 84), 16),
        BenchSetting::Picture512PerPartition => ("picture-512-per-partition", FieldSpec::per_partition(2, 3, 15), 16),
        BenchSetting::Picture512Siren => ("picture-512-siren", FieldSpec::siren(2, 3, 256), 1),
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn measure(arguments: &BenchArguments, setting: BenchSetting) -> Result<BenchReport> {
    let (name, spec, factor) = network(setting);
    let grid = Grid::new(vec![SIDE, SIDE], vec![factor, factor], UNIT_RANGE)?;
    let signal = picture()?;
    let samples = grid.samples();
    let operations = (spec.multiply_adds_per_sample() * samples * 2) as f64;
    let settings = Settings {
        // One step to warm up: the first touches all memory and builds the thread pool.
        steps: arguments.steps + 1,
        device: super::encode::device(arguments.device),
        threads: arguments.threads,
        ..Settings::default()
    };
    let on_cpu = matches!(settings.device, DeviceChoice::Cpu | DeviceChoice::Ndarray);
    let plan = TrainingPlan { signal, grid: grid.clone(), spec: spec.clone(), settings };

    let peak = peak::operations_per_second();
    peak::reset_peak_bytes();
    let mut ends = Vec::new();
    let mut started = Instant::now();
    let outcome = train(&plan, &AtomicBool::new(false), &mut |event| match event {
        Event::Started { .. } => started = Instant::now(),
        Event::Step { .. } => ends.push(started.elapsed().as_secs_f64()),
        _ => {}
    })?;
    let peak_bytes = peak::peak_bytes();
    let mut steps: Vec<f64> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let train_step_seconds = steps[steps.len() / 2];

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
        decode_seconds,
        peak_bytes,
        percent_of_peak: on_cpu.then(|| percent(3.0 * operations, train_step_seconds)),
        decode_percent_of_peak: percent(operations, decode_seconds),
        peak_gigaflops: peak / 1e9,
    })
}

/// A picture with smooth and busy places; what it shows does not matter for the time.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn picture() -> Result<Signal> {
    let value = |index: u32| {
        let (row, column, channel) = (index / 3 / SIDE, index / 3 % SIDE, index % 3);
        let (y, x) = (row as f32 / SIDE as f32, column as f32 / SIDE as f32);
        (6.0 * x + channel as f32).sin() * (40.0 * x * y).cos()
    };
    let info = SignalInfo::picture(SIDE, SIDE, 3, SampleFormat::U8)?;
    Ok(Signal::new(info, (0..SIDE * SIDE * 3).map(value).collect())?)
}

fn table(reports: &[BenchReport]) -> String {
    let mut table = Table::new(&["setting", "parameters", "training step", "of peak", "decode", "of peak", "memory"]);
    for r in reports {
        table.row(vec![
            r.setting.to_owned(),
            grouped(r.parameters),
            duration(r.train_step_seconds),
            r.percent_of_peak.map_or("–".to_owned(), |p| format!("{p:.1} %")),
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
