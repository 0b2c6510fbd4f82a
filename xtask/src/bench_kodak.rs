//! `bench --table kodak`: the published basic method of compression (reference/inr-compression.md 4, 6 to 11) on six of
//! Kodak's pictures, as files that can be decoded.
//!
//! In full this is days on two cores. Two pictures at width 32 get all 25,000 steps, everything else a tenth, which the table
//! marks; `--full` does all in full. Every run is kept beside its record in the target folder and not made again.

use crate::process;
use crate::records::recorded;
use crate::table::{Table, grouped};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const PICTURES: [&str; 6] = ["kodim03", "kodim23", "kodim05", "kodim08", "kodim13", "kodim19"];
/// Width, and what is published as the mean over all 24 pictures: bits per pixel and PSNR in dB.
const PUBLISHED: [(u32, f64, f64); 3] = [(32, 0.0996, 25.637), (48, 0.1879, 27.147), (64, 0.2994, 28.414)];
const STEPS: u64 = 25_000;
/// Steps of retraining with rounded weights, as published.
const RETRAINING: &str = "300";
/// Pictures, the first ones, that get all steps at the first width.
const IN_FULL: usize = 2;
/// By how much a file may exceed what the published work counts for the same numbers.
const OVERHEAD_PERCENT: u64 = 2;

/// Which rows to measure.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// Folder with `kodak/kodim03.png` and so on.
    pub(crate) data: &'a Path,
    /// All steps for every row.
    pub(crate) full: bool,
    /// So many steps instead, to try the table out.
    pub(crate) steps: Option<u64>,
    /// Only these pictures; all where empty.
    pub(crate) pictures: &'a [String],
    /// Only these presets (strumpler-32 and so on); all where empty.
    pub(crate) methods: &'a [String],
}

/// What is read of `tessera encode --json`.
#[derive(Debug, Clone, Deserialize)]
struct Encoded {
    psnr_db: f64,
    seconds: f64,
    steps: u64,
}

/// What is read of `tessera compress --json`.
#[derive(Debug, Clone, Deserialize)]
struct Compressed {
    psnr_db: f64,
    bytes: u64,
    bits_per_sample: f64,
    published_accounting: Accounting,
    retrained_steps: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Accounting {
    bytes: u64,
}

/// A row as measured.
#[derive(Debug)]
pub(crate) struct Measured {
    picture: String,
    width: u32,
    encoded: Encoded,
    compressed: Compressed,
}

/// The table and what is to say below it.
pub(crate) struct Outcome {
    pub(crate) table: Table,
    pub(crate) notes: String,
    /// Whether all rows that the table has without options are in it.
    pub(crate) complete: bool,
}

/// Measures the rows that are not there yet.
pub(crate) fn measure(workspace: &Workspace, rows: &Rows<'_>) -> Result<Outcome> {
    let methods = PUBLISHED.map(|(width, ..)| format!("strumpler-{width}"));
    for (given, known) in [(rows.pictures, &PICTURES.map(str::to_owned)[..]), (rows.methods, &methods[..])] {
        if let Some(unknown) = given.iter().find(|name| !known.contains(name)) {
            bail!("there is no {unknown} in this table: it has {}", known.join(", "));
        }
    }
    let wanted = |given: &[String], name: &str| given.is_empty() || given.iter().any(|wanted| wanted == name);
    let program = workspace.build_program()?;
    let folder = workspace.target.join("table-kodak");
    std::fs::create_dir_all(&folder)?;
    let mut measured = Vec::new();
    for ((width, ..), method) in PUBLISHED.iter().zip(&methods) {
        for (index, picture) in PICTURES.iter().enumerate() {
            if !wanted(rows.methods, method) || !wanted(rows.pictures, picture) {
                continue;
            }
            let in_full = rows.full || (*width == PUBLISHED[0].0 && index < IN_FULL);
            let run = Run {
                workspace,
                program: &program,
                input: rows.data.join("kodak").join(format!("{picture}.png")),
                name: format!("{picture}-{method}"),
                steps: rows.steps.unwrap_or(if in_full { STEPS } else { STEPS / 10 }),
                folder: &folder,
            };
            let encoded = run.encode(method)?;
            let compressed = run.compress()?;
            measured.push(Measured { picture: (*picture).to_owned(), width: *width, encoded, compressed });
        }
    }
    let complete = rows.steps.is_none() && rows.pictures.is_empty() && rows.methods.is_empty();
    Ok(Outcome { table: table(&measured), notes: notes(&measured), complete })
}

struct Run<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    input: PathBuf,
    name: String,
    steps: u64,
    folder: &'a Path,
}

impl Run<'_> {
    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}-{}.{extension}", self.name, self.steps))
    }

    fn encode(&self, preset: &str) -> Result<Encoded> {
        recorded(self.workspace, &self.file("json"), || {
            let mut command = self.workspace.program(self.program);
            command.arg("encode").arg(&self.input).arg("-o").arg(self.file("inr"));
            command.args(["--preset", preset, "--steps", &self.steps.to_string()]);
            command.arg("--checkpoint").arg(self.file("ckpt"));
            command.args(["--resume", "--force", "--json", "--progress", "none"]);
            process::capture(&mut command, "its message above says what is wrong")
        })
    }

    /// By AdaRound, and retrained, as published.
    fn compress(&self) -> Result<Compressed> {
        recorded(self.workspace, &self.file("compressed.json"), || {
            let mut command = self.workspace.program(self.program);
            command.arg("compress").arg(self.file("inr")).arg("-o").arg(self.file("compressed.inr"));
            command.args(["--bits", "8", "--uniform", "--adaround", "--retrain", RETRAINING]);
            command.args(["--force", "--json", "--against"]).arg(&self.input);
            process::capture(&mut command, "its message above says what is wrong")
        })
    }
}

impl Measured {
    /// How much larger the file is than what the published work counts, in percent.
    fn overhead_percent(&self) -> f64 {
        let Compressed { bytes, published_accounting, .. } = &self.compressed;
        #[expect(clippy::cast_precision_loss, reason = "sizes of small files")]
        let ratio = *bytes as f64 / published_accounting.bytes.max(1) as f64;
        (ratio - 1.0) * 100.0
    }
}

fn table(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "picture",
        "width",
        "steps",
        "PSNR, 32-bit weights (dB)",
        "PSNR of the file (dB)",
        "published mean (dB)",
        "file (bytes)",
        "bits per pixel",
        "published mean (bpp)",
        "retrained (steps)",
        "published count (bytes)",
        "file over count (%)",
        "training (s)",
    ]);
    for row in rows {
        let Measured { picture, width, encoded, compressed } = row;
        let published = PUBLISHED.iter().find(|(known, ..)| known == width);
        let mean = |of: fn(&(u32, f64, f64)) -> f64, digits: usize| {
            published.map_or_else(|| "-".to_owned(), |published| format!("{:.digits$}", of(published)))
        };
        table.row([
            picture.clone(),
            width.to_string(),
            if encoded.steps == STEPS {
                grouped(STEPS)
            } else {
                format!("{} of {}", grouped(encoded.steps), grouped(STEPS))
            },
            format!("{:.2}", encoded.psnr_db),
            format!("{:.2}", compressed.psnr_db),
            mean(|published| published.2, 2),
            grouped(compressed.bytes),
            format!("{:.4}", compressed.bits_per_sample),
            mean(|published| published.1, 4),
            compressed.retrained_steps.to_string(),
            grouped(compressed.published_accounting.bytes),
            format!("{:+.1}", row.overhead_percent()),
            format!("{:.0}", encoded.seconds),
        ]);
    }
    table
}

fn notes(rows: &[Measured]) -> String {
    let exceeds = |row: &&Measured| {
        let Compressed { bytes, published_accounting, .. } = &row.compressed;
        bytes * 100 > published_accounting.bytes * (100 + OVERHEAD_PERCENT)
    };
    let over = rows.iter().filter(exceeds).count();
    format!(
        "8 bits in every tensor, by AdaRound. Published means are over all 24 pictures. The count is what the published \
         work reports for the same numbers without writing a file: table, arithmetic code and steps, but no size, network or \
         checksum. {over} of {} files exceed it by more than {OVERHEAD_PERCENT} %.\n",
        rows.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: u64, steps: u64) -> Measured {
        Measured {
            picture: "kodim03".to_owned(),
            width: 32,
            encoded: Encoded { psnr_db: 28.0, seconds: 9.6, steps },
            compressed: Compressed {
                psnr_db: 27.9,
                bytes,
                bits_per_sample: 0.1,
                published_accounting: Accounting { bytes: 5_000 },
                retrained_steps: 300,
            },
        }
    }

    #[test]
    fn short_trainings_and_large_files_are_marked() {
        let rows = [row(5_100, STEPS), row(5_101, 2_500)];
        assert!((rows[1].overhead_percent() - 2.02).abs() < 1e-9);
        let text = table(&rows).text();
        assert!(text.contains("2,500 of 25,000") && text.contains("25.64") && text.contains("+2.0"), "{text}");
        assert!(notes(&rows).contains("1 of 2 files exceed it"));
    }
}
