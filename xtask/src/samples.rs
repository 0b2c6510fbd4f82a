//! `samples`: makes the signals in `data/` anew and encodes them.
//!
//! Weights of what is seen go in as f16: half the bytes, and a loss below what the page could show. The settings are written here and
//! nowhere else, so that the committed files can be made again by anyone with some minutes of CPU time.

use crate::process;
use crate::workspace::Workspace;
use anyhow::Result;
use clap::Args;

/// What `cargo xtask samples` can leave out.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Make the signals, but leave the encoded files alone
    #[arg(long)]
    pub(crate) sources_only: bool,
    /// Encode only these samples (mosaic, chart, leaf, chime, knot, tide)
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
}

/// File and training settings of a sample. Partitions of 32 x 32 samples fit the mosaic's frame of two stones.
const RECIPES: [(&str, &[&str]); 6] = [
    ("mosaic.png", &["--partitions", "16x16"]),
    ("chart.png", &["--partitions", "8x12", "--parameters", "150k"]),
    ("leaf.png", &["--partitions", "8x8", "--steps", "800"]),
    ("chime.wav", &[]),
    ("knot.ply", &["--resolution", "96"]),
    ("tide.apng", &["--preset", "light", "--partitions", "6x6x8", "--parameters", "120k"]),
];

/// Makes and encodes.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut draw = workspace.cargo();
    draw.args(["run", "--quiet", "--release", "--package", "tessera-samples"]);
    process::run(&mut draw, "the compiler's messages above say what to mend")?;
    if options.sources_only {
        return Ok(());
    }
    let program = workspace.build_program()?;
    for (file, settings) in RECIPES {
        let name = file.split('.').next().unwrap_or(file);
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        // Half floats cost a sound 4 dB.
        let weights = if file.ends_with(".wav") { "f32" } else { "f16" };
        let mut encode = workspace.program(&program);
        encode
            .args(["encode", &format!("data/{file}"), "--output", &format!("data/{name}.inr"), "--force"])
            .args(["--weights", weights, "--seed", "0"])
            .args(settings);
        println!("{}", process::line(&encode));
        process::run(&mut encode, "its message above says what is wrong")?;
    }
    Ok(())
}
