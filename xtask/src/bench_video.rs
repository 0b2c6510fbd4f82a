//! `bench --table video`: the published comparison on a clip that two cores can train: Local-Global, SIREN-per-partition
//! and SIREN at equal parameters by the published recipe, and what `tessera encode` does without options.

use crate::process;
use crate::table::{Table, grouped};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The clip (Big Buck Bunny, CC BY 3.0, Blender Foundation) as published, and what is taken of it.
const CLIP: &str = "video/bigbuckbunny.mp4";
const PART: [&str; 4] = ["--resize", "128x72", "--frames", "40"];
/// The published recipe: rate, steps and share of the samples of a step (reference/local-global.md 3).
const RECIPE: [&str; 8] =
    ["--recipe", "published", "--learning-rate", "1e-4", "--steps", "5001", "--sample-fraction", "0.02"];

/// Name, options, and what is published of it for a clip of 300x512x512 at 3.2 million parameters (PSNR in dB, SSIM).
struct Row {
    name: &'static str,
    options: &'static [&'static str],
    published_recipe: bool,
    published: Option<(f64, f64)>,
}

const ROWS: [Row; 4] = [
    Row {
        name: "Local-Global",
        options: &["--partitions", "5x4x4", "--local-width", "14", "--global-width", "40"],
        published_recipe: true,
        published: Some((31.91, 0.888)),
    },
    Row {
        name: "SIREN-per-partition",
        options: &["--model", "per-partition", "--partitions", "5x4x4", "--local-width", "15"],
        published_recipe: true,
        published: Some((30.83, 0.854)),
    },
    Row {
        name: "SIREN",
        options: &["--model", "siren", "--local-width", "145"],
        published_recipe: true,
        // With a fifth of the samples a step; with as many nothing is published.
        published: Some((29.71, 0.815)),
    },
    Row {
        name: "Local-Global, default recipe",
        options: &["--partitions", "5x4x4", "--local-width", "14", "--global-width", "40", "--recipe", "held"],
        published_recipe: false,
        published: None,
    },
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
    published: Option<(f64, f64)>,
    #[serde(flatten)]
    encoded: Encoded,
}

/// Trains all rows and prints the table.
pub(crate) fn measure(workspace: &Workspace, threads: usize) -> Result<Vec<Measured>> {
    let clip = shared_data(workspace)?;
    let program = workspace.build_program()?;
    let folder = workspace.target.join("bench-video");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut measured = Vec::new();
    for row in &ROWS {
        println!("{} ...", row.name);
        let mut encode = workspace.program(&program);
        encode.arg("encode").arg(&clip).args(PART).args(row.options).args(["--seed", "0", "--json", "--force"]);
        encode.args(["--threads", &threads.to_string(), "--output"]).arg(folder.join("clip.inr"));
        if row.published_recipe {
            encode.args(RECIPE);
        }
        let text = process::capture(&mut encode, "its message above says what is wrong")?;
        let encoded = serde_json::from_str(&text).with_context(|| format!("cannot understand the report: {text}"))?;
        measured.push(Measured { name: row.name.to_owned(), published: row.published, encoded });
    }
    Ok(measured)
}

/// The table of what was measured.
pub(crate) fn table(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "model",
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
    for Measured { name, published, encoded } in rows {
        table.row([
            name.clone(),
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
         3.2 million parameters, 2 % of the samples a step; SIREN 0.38 %): their order is what can be compared.",
        PART.join(" ")
    )
}

/// The clip, which does not travel with the repository.
fn shared_data(workspace: &Workspace) -> Result<PathBuf> {
    let folder = std::env::var_os("TESSERA_TEST_DATA").map_or_else(|| workspace.path("../shared/data"), PathBuf::from);
    let clip = folder.join(Path::new(CLIP));
    if !clip.is_file() {
        bail!("there is no {}: TESSERA_TEST_DATA names the folder of the test data", clip.display());
    }
    Ok(clip)
}
