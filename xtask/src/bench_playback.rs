//! `bench --file`: decoding of files by the program itself, beside what the browser takes for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::bench::{commit, machine, rewrite, today};
use crate::bench_browser::{Gpu, measure};
use crate::process;
use crate::table::Table;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;

const PLAYBACK_BEGIN: &str = "<!-- playback: written by cargo xtask bench --file -->";
const PLAYBACK_END: &str = "<!-- playback: end -->";

/// Pieces of each file that are decoded, here and in a browser.
const PLAYBACK_REPETITIONS: u32 = 60;

/// Measures how fast files decode, prints, and rewrites their part of the document.
pub(crate) fn run(workspace: &Workspace, files: &[PathBuf]) -> Result<()> {
    let program = workspace.build_program()?;
    let files: Vec<PathBuf> = files
        .iter()
        .map(|file| file.canonicalize().with_context(|| format!("cannot find {}", file.display())))
        .collect::<Result<_>>()?;
    let mut table = Table::new(&[
        "file",
        "bytes",
        "multiply-adds",
        "engine",
        "weights (ms)",
        "piece (ms)",
        "fastest (ms)",
        "times real time",
        "fastest",
    ]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in BTreeSet::from([1, threads]) {
        native(workspace, &program, &files, threads, PLAYBACK_REPETITIONS, &mut table)?;
    }
    for report in measure(workspace, PLAYBACK_REPETITIONS, Gpu::Absent, &files)? {
        report.playback(&mut table);
    }
    println!("\n{}", table.text());
    let section = format!(
        "{PLAYBACK_BEGIN}\n\n{}\nA piece is a frame of a clip, a tenth of a second of a sound, or all of a picture; medians of up to \
         {PLAYBACK_REPETITIONS},\neach the next piece, and the fastest, which a busy machine holds up least. Weights: reading, checking and \
         decoding all of them, the\nfastest of as many, always on one thread. The browser decodes on one thread of the CPU.\n\n- command: `cargo xtask bench --file FILE ...`\n- machine: {}\n- commit: {}\n- date: {}\n\n{PLAYBACK_END}",
        table.markdown(),
        machine(),
        commit(workspace),
        today()
    );
    rewrite(workspace, &section, PLAYBACK_BEGIN, PLAYBACK_END)?;
    println!("docs/benchmarks.md is written");
    Ok(())
}

/// What `tessera bench --file --json` says of a file.
#[derive(Debug, Deserialize)]
struct Report {
    file: String,
    bytes: u64,
    macs_per_sample: u64,
    weights_seconds: f64,
    decode_seconds: f64,
    fastest_seconds: f64,
    real_time: Option<f64>,
}

/// How much faster than it plays the fastest piece was.
pub(crate) fn fastest(real_time: Option<f64>, median: f64, fastest: f64) -> String {
    real_time.map_or("-".to_owned(), |times| format!("{:.2}", times * median / fastest))
}

/// Adds a row for each file, decoded by `program` on so many threads.
fn native(
    workspace: &Workspace,
    program: &Path,
    files: &[PathBuf],
    threads: usize,
    repetitions: u32,
    table: &mut Table,
) -> Result<()> {
    let mut bench = workspace.program(program);
    bench.args([
        "bench",
        "--json",
        "--quiet",
        "--decodes",
        &repetitions.to_string(),
        "--threads",
        &threads.to_string(),
    ]);
    for file in files {
        bench.arg("--file").arg(file);
    }
    let text = process::capture(&mut bench, "its message above says what is wrong")?;
    let reports: Vec<Report> = serde_json::from_str(&text).with_context(|| format!("cannot understand: {text}"))?;
    for report in reports {
        let name = Path::new(&report.file).file_name().map(|name| name.to_string_lossy().into_owned());
        table.row([
            name.unwrap_or(report.file),
            report.bytes.to_string(),
            report.macs_per_sample.to_string(),
            format!("native, {threads} {}", if threads == 1 { "thread" } else { "threads" }),
            format!("{:.2}", report.weights_seconds * 1e3),
            format!("{:.2}", report.decode_seconds * 1e3),
            format!("{:.2}", report.fastest_seconds * 1e3),
            report.real_time.map_or("-".to_owned(), |times| format!("{times:.2}")),
            fastest(report.real_time, report.decode_seconds, report.fastest_seconds),
        ]);
    }
    Ok(())
}
