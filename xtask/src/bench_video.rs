//! `bench --table video`: the published comparison on a clip that two cores can train: Local-Global, SIREN-per-partition
//! and SIREN at equal parameters by the published recipe, and what `tessera encode` does without options.

use crate::process;
use crate::table::{Table, grouped};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The clip (Big Buck Bunny, CC BY 3.0, Blender Foundation), and what is taken of it.
const CLIP: &str = "video/bigbuckbunny.mp4";
const PART: [&str; 4] = ["--resize", "256x128", "--frames", "33"];
/// The published recipe but for the share of the samples that a step sees (reference/local-global.md 3).
const RECIPE: [&str; 6] = ["--recipe", "published", "--learning-rate", "1e-4", "--steps", "5001"];
/// The published shares: the trainer's default, and the larger sample of table 2.
const SHARE: &str = "0.0038";
const LARGER_SHARE: &str = "0.02";

/// The networks, at equal parameters.
const LOCAL_GLOBAL: &[&str] = &["--partitions", "3x4x4", "--local-width", "18", "--global-width", "40"];
const PER_PARTITION: &[&str] = &["--model", "per-partition", "--partitions", "3x4x4", "--local-width", "19"];
const SIREN: &[&str] = &["--model", "siren", "--local-width", "141"];

/// Name, network, share of the samples of a step (none: the default recipe), and what is published for a clip of
/// 300x512x512 at 3.2 million parameters (PSNR in dB, SSIM).
struct Row {
    name: &'static str,
    network: &'static [&'static str],
    share: Option<&'static str>,
    published: Option<(f64, f64)>,
}

const ROWS: [Row; 6] = [
    Row { name: "SIREN-per-partition", network: PER_PARTITION, share: Some(SHARE), published: Some((29.58, 0.826)) },
    Row { name: "Local-Global", network: LOCAL_GLOBAL, share: Some(SHARE), published: Some((30.28, 0.854)) },
    Row { name: "SIREN", network: SIREN, share: Some(SHARE), published: Some((29.71, 0.815)) },
    Row {
        name: "SIREN-per-partition",
        network: PER_PARTITION,
        share: Some(LARGER_SHARE),
        published: Some((30.83, 0.854)),
    },
    Row { name: "Local-Global", network: LOCAL_GLOBAL, share: Some(LARGER_SHARE), published: Some((31.91, 0.888)) },
    Row { name: "Local-Global, default recipe", network: LOCAL_GLOBAL, share: None, published: None },
];

/// What `tessera encode --json` says.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Encoded {
    psnr_db: f64,
    ssim: f64,
    seconds: f64,
    steps: u64,
    parameters: u64,
    bytes: u64,
    macs_per_sample: u64,
}

/// A row as measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    name: String,
    share: Option<&'static str>,
    published: Option<(f64, f64)>,
    #[serde(flatten)]
    encoded: Encoded,
}

/// Trains all rows and prints the table.
pub(crate) fn measure(workspace: &Workspace, data: &Path, threads: usize) -> Result<Vec<Measured>> {
    let clip = data.join(CLIP);
    if !clip.is_file() {
        bail!("there is no {}: --data names the folder of the sample data", clip.display());
    }
    let program = workspace.build_program()?;
    let folder = workspace.target.join("bench-video");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut measured = Vec::new();
    for row in &ROWS {
        println!("{}, {} of the samples a step ...", row.name, row.share.unwrap_or("all"));
        let mut encode = workspace.program(&program);
        encode.arg("encode").arg(&clip).args(PART).args(row.network).args(["--seed", "0", "--json", "--force"]);
        encode.args(["--threads", &threads.to_string(), "--output"]).arg(folder.join("clip.inr"));
        match row.share {
            Some(share) => encode.args(RECIPE).args(["--sample-fraction", share]),
            None => encode.args(["--recipe", "held"]),
        };
        let text = process::capture(&mut encode, "its message above says what is wrong")?;
        let encoded = serde_json::from_str(&text).with_context(|| format!("cannot understand the report: {text}"))?;
        measured.push(Measured { name: row.name.to_owned(), share: row.share, published: row.published, encoded });
    }
    Ok(measured)
}

/// The table of what was measured.
pub(crate) fn table(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "model",
        "samples a step",
        "parameters",
        "multiply-adds per sample",
        "bytes",
        "steps",
        "training (s)",
        "PSNR (dB)",
        "SSIM",
        "published PSNR (dB)",
        "published SSIM",
    ]);
    for Measured { name, share, published, encoded } in rows {
        table.row([
            name.clone(),
            (*share).map_or_else(|| "all, in two halves".to_owned(), str::to_owned),
            grouped(encoded.parameters),
            grouped(encoded.macs_per_sample),
            grouped(encoded.bytes),
            encoded.steps.to_string(),
            format!("{:.0}", encoded.seconds),
            format!("{:.2}", encoded.psnr_db),
            format!("{:.3}", encoded.ssim),
            published.map_or_else(|| "-".to_owned(), |(psnr, _)| format!("{psnr:.2}")),
            published.map_or_else(|| "-".to_owned(), |(_, ssim)| format!("{ssim:.3}")),
        ]);
    }
    table
}

/// What the table shows, in words.
pub(crate) fn notes() -> String {
    format!(
        "Big Buck Bunny (© Blender Foundation, CC BY 3.0), {}. Published figures are those of another clip (a cat, 300x512x512,\n\
         3.2 million parameters): their order is what can be compared.",
        PART.join(" ")
    )
}
