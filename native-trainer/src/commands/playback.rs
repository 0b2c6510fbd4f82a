//! `tessera bench --file`: how fast files decode, and how that compares with how fast they play.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::format::Reader;
use tessera_core::signal::SignalKind;

use crate::arguments::BenchArguments;
use crate::decoding;
use crate::output::{read_input, shown};
use crate::report::{Reporter, Table, duration, grouped};

/// One object of the `--json` list. The names are a contract.
#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    kind: SignalKind,
    threads: usize,
    bytes: u64,
    macs_per_sample: u64,
    /// Samples of a piece: a frame of a clip, a tenth of a second of a sound, all of a picture or a shape.
    samples: u64,
    pieces: u32,
    /// Fastest of the times that reading, checking and decoding all weights took, on one thread.
    weights_seconds: f64,
    parameters: u64,
    /// Median over the pieces.
    decode_seconds: f64,
    fastest_seconds: f64,
    pieces_per_second: f64,
    /// How many times as fast as it plays; of clips and sounds.
    real_time: Option<f64>,
}

pub(super) fn run(arguments: &BenchArguments, reporter: &Reporter) -> Result<()> {
    let measured = |path| measure(path, arguments.decodes).with_context(|| shown(path));
    let reports: Vec<FileReport> = arguments.file.iter().map(|path| measured(path)).collect::<Result<_>>()?;
    reporter.answer(&reports, || table(&reports))
}

/// Decodes `count` pieces (of a clip or a sound one after the other, from the start again where they end) after one to
/// warm up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates and lengths of files within limits")]
fn measure(path: &Path, count: u32) -> Result<FileReport> {
    let bytes = read_input(path)?;
    let mut weights_seconds = f64::INFINITY;
    for _ in 0..=count {
        let started = Instant::now();
        std::hint::black_box(Reader::open(&bytes)?.verified()?);
        weights_seconds = weights_seconds.min(started.elapsed().as_secs_f64());
    }
    let document = Reader::open(&bytes)?.document()?;
    let (info, field) = (&document.signal, &document.field);
    let length = info.shape[0];
    let piece = match (info.kind, info.rate_hz()) {
        (SignalKind::Video, _) => 1,
        (SignalKind::Sound, Some(rate)) => ((rate / 10.0).ceil() as u32).clamp(1, length),
        _ => length,
    };
    let pieces = length / piece;
    let view = |number: u32| {
        let start = number % pieces * piece;
        View::full(field.grid()).along(0, start as usize..(start + piece) as usize)
    };
    let mut times = Vec::new();
    for number in 0..=count {
        let view = view(number);
        let started = Instant::now();
        std::hint::black_box(decoding::decode(field, &view)?);
        times.push(started.elapsed().as_secs_f64());
    }
    times.remove(0);
    times.sort_by(f64::total_cmp);
    let decode_seconds = times[times.len() / 2];
    Ok(FileReport {
        file: shown(path),
        kind: info.kind,
        threads: rayon::current_num_threads(),
        bytes: bytes.len() as u64,
        macs_per_sample: field.spec().multiply_adds_per_sample(),
        samples: info.samples() / u64::from(length) * u64::from(piece),
        pieces: count,
        weights_seconds,
        parameters: field.parameters(),
        decode_seconds,
        fastest_seconds: times[0],
        pieces_per_second: 1.0 / decode_seconds,
        real_time: info.rate_hz().map(|rate| f64::from(piece) / rate / decode_seconds),
    })
}

fn table(reports: &[FileReport]) -> String {
    let mut table =
        Table::new(&["file", "multiply-adds per sample", "samples", "weights", "decode", "per second", "real time"]);
    for report in reports {
        let of = match report.kind {
            SignalKind::Video => "frame",
            SignalKind::Sound => "0.1 s",
            SignalKind::Picture | SignalKind::Shape => "whole",
        };
        table.row(vec![
            report.file.clone(),
            grouped(report.macs_per_sample),
            format!("{} ({of})", grouped(report.samples)),
            duration(report.weights_seconds),
            duration(report.decode_seconds),
            format!("{:.1}", report.pieces_per_second),
            report.real_time.map_or("–".to_owned(), |times| format!("{times:.1} times")),
        ]);
    }
    let threads = reports.first().map_or(0, |report| report.threads);
    format!("{table}\ndecoding on {threads} threads\n")
}
