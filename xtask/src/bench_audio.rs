//! `bench --table audio`: the published sound table (reference: Local-Global INRs, table 11), measured here.
//!
//! Every run is kept beside its record in the target folder and not made again, so that an hour of training can be
//! interrupted, and a row added later.

use crate::process;
use crate::records::recorded;
use crate::table::Table;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::Path;

/// A clip and the published PSNR of its methods, in their order.
struct Clip {
    name: &'static str,
    file: &'static str,
    published: [&'static str; 3],
}

const CLIPS: [Clip; 2] = [
    Clip { name: "Bach, 7 s", file: "gt_bach.wav", published: ["39.26 ± 0.30", "45.18 ± 0.99", "39.94 ± 0.75"] },
    Clip {
        name: "Counting, 12 s",
        file: "gt_counting.wav",
        published: ["31.24 ± 0.19", "33.18 ± 0.34", "32.07 ± 0.32"],
    },
];

/// Name, and what it adds to `tessera encode`; the published ones come first.
const METHODS: [(&str, &[&str]); 4] = [
    ("per-partition", &["--preset", "paper", "--model", "per-partition"]),
    ("local-global", &["--preset", "paper"]),
    ("siren", &["--preset", "paper", "--model", "siren"]),
    ("default", &[]),
];

/// What is read of `tessera encode --json`.
#[derive(Debug, Clone, Deserialize)]
struct Run {
    psnr_db: f64,
    seconds: f64,
    parameters: u64,
    bytes: u64,
    steps: u64,
}

/// Which rows to measure.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// Folder with `audio/gt_bach.wav` and `audio/gt_counting.wav`.
    pub(crate) data: &'a Path,
    /// Seeds 0 up to this number.
    pub(crate) seeds: u32,
    /// Only these methods; all where empty.
    pub(crate) methods: &'a [String],
}

/// Measures the rows that are not there yet, and returns the table.
pub(crate) fn measure(workspace: &Workspace, rows: &Rows<'_>) -> Result<Table> {
    if let Some(unknown) = rows.methods.iter().find(|name| METHODS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
        bail!("there is no method {unknown}: it is one of {}", known.join(", "));
    }
    let program = workspace.build_program()?;
    let folder = workspace.target.join("table-audio");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", workspace.short(&folder)))?;
    let mut table = Table::new(&[
        "clip",
        "method",
        "parameters",
        "file (KB)",
        "steps",
        "PSNR (dB)",
        "published (dB)",
        "training (s)",
        "seeds",
    ]);
    for clip in &CLIPS {
        for (index, (method, words)) in METHODS.iter().enumerate() {
            if !rows.methods.is_empty() && !rows.methods.iter().any(|wanted| wanted == method) {
                continue;
            }
            let mut runs = Vec::new();
            for seed in 0..rows.seeds {
                let input = rows.data.join("audio").join(clip.file);
                let record = folder.join(format!("{}-{method}-{seed}.json", clip.file.trim_end_matches(".wav")));
                runs.push(run(workspace, &program, &input, &record, seed, words)?);
            }
            let Some(last) = runs.last() else { continue };
            let (mean, deviation) = mean_and_deviation(runs.iter().map(|run| run.psnr_db));
            let (seconds, _) = mean_and_deviation(runs.iter().map(|run| run.seconds));
            table.row([
                clip.name.to_owned(),
                (*method).to_owned(),
                last.parameters.to_string(),
                (last.bytes / 1000).to_string(),
                last.steps.to_string(),
                format!("{mean:.2} ± {deviation:.2}"),
                clip.published.get(index).map_or_else(|| "-".to_owned(), |psnr| (*psnr).to_owned()),
                format!("{seconds:.0}"),
                runs.len().to_string(),
            ]);
        }
    }
    Ok(table)
}

/// One training run, or the record of an earlier one.
fn run(workspace: &Workspace, program: &Path, input: &Path, record: &Path, seed: u32, words: &[&str]) -> Result<Run> {
    recorded(workspace, record, || {
        let mut command = workspace.program(program);
        command.arg("encode").arg(input).arg("-o").arg(record.with_extension("inr"));
        command.arg("--checkpoint").arg(record.with_extension("ckpt")).arg("--resume");
        command.args(["--force", "--json", "--progress", "none", "--seed", &seed.to_string()]).args(words);
        process::capture(&mut command, "its message above says what is wrong")
    })
}

/// Mean and standard deviation of the sample; the latter is 0 for one value.
#[expect(clippy::cast_precision_loss, reason = "a handful of seeds")]
fn mean_and_deviation(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (squares / (values.len().max(2) - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_a_sample() {
        assert_eq!(mean_and_deviation([1.0, 2.0, 3.0].into_iter()), (2.0, 1.0));
        assert_eq!(mean_and_deviation([4.0].into_iter()), (4.0, 0.0));
    }
}
