//! `bench --file`: decoding of files by the program itself, beside what the browser takes for them.

use std::path::{Path, PathBuf};

use crate::process;
use crate::table::Table;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;

/// What `tessera bench --file --json` says of a file.
#[derive(Debug, Deserialize)]
struct Report {
    file: String,
    bytes: u64,
    macs_per_sample: u64,
    decode_seconds: f64,
    fastest_seconds: f64,
    real_time: Option<f64>,
}

/// How much faster than it plays the fastest piece was.
pub(crate) fn fastest(real_time: Option<f64>, median: f64, fastest: f64) -> String {
    real_time.map_or("-".to_owned(), |times| format!("{:.2}", times * median / fastest))
}

/// Adds a row for each file, decoded by `program` on so many threads.
pub(crate) fn native(
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
            format!("{:.2}", report.decode_seconds * 1e3),
            format!("{:.2}", report.fastest_seconds * 1e3),
            report.real_time.map_or("-".to_owned(), |times| format!("{times:.2}")),
            fastest(report.real_time, report.decode_seconds, report.fastest_seconds),
        ]);
    }
    Ok(())
}
