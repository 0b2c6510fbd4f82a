//! `demo`: the whole path on the command line, from nothing, and where to look afterwards.

use crate::process;
use crate::table::{Table, grouped};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::time::Instant;

/// Training stops here at the latest; two cores then have had it all done within the minute and a half.
const ENCODE_AT_MOST: &str = "75s";
/// What the crop keeps: the lighthouse and the sun, on the borders of partitions.
const KEEP: &str = "320x192+64+128";

/// Encodes, crops, decodes, verifies and tells.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!(
        "This builds the command line program, encodes data/mosaic.png on the CPU, crops the file by copying bytes,"
    );
    println!("decodes both and verifies them. The first build takes a while: the training framework is large.\n");
    let start = Instant::now();
    let program = workspace.build_program()?;
    let out = workspace.path("out");
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let build = start.elapsed().as_secs_f64();

    let demo = Demo { workspace, program: &program };
    let encoded = demo.report(&format!(
        "encode data/mosaic.png --output out/mosaic.inr --force --model local-global --partitions 16x16 --weights f16 \
         --seed 0 --max-time {ENCODE_AT_MOST}"
    ))?;
    let cropped = demo.report(&format!("crop out/mosaic.inr --output out/mosaic-crop.inr --force --keep {KEEP}"))?;
    demo.report("decode out/mosaic.inr --output out/mosaic.png --force")?;
    demo.report("decode out/mosaic-crop.inr --output out/mosaic-crop.png --force")?;
    demo.report(&format!("decode out/mosaic.inr --output out/mosaic-crop-expected.png --force --region {KEEP}"))?;
    demo.report("verify out/mosaic.inr")?;
    demo.report("verify out/mosaic-crop.inr")?;
    same_picture(workspace)?;
    let compared = demo.report("compare out/mosaic.inr data/mosaic.png")?;

    let mut table = Table::new(&["", "whole", "crop"]);
    let size =
        |path: &str| std::fs::metadata(workspace.path(path)).map(|m| m.len()).context("a file of the demo is gone");
    let (whole, part) = (size("out/mosaic.inr")?, size("out/mosaic-crop.inr")?);
    let partitions = |value: &Value| value.get("kept_partitions").map_or_else(|| "-".to_owned(), counted);
    table.row(["PSNR (dB)".to_owned(), number(&compared, "psnr_db", 2)?]);
    table.row(["SSIM".to_owned(), number(&compared, "ssim", 4)?]);
    table.row(["parameters".to_owned(), grouped(integer(&encoded, "parameters")?)]);
    table.row(["steps".to_owned(), grouped(integer(&encoded, "steps")?)]);
    table.row(["partitions".to_owned(), "256".to_owned(), partitions(&cropped)]);
    table.row(["bytes".to_owned(), grouped(whole), grouped(part)]);
    table.row(["encoding (s)".to_owned(), number(&encoded, "seconds", 1)?]);
    println!("\n{}", table.text());
    println!("build {build:.0} s, everything {:.0} s\n", start.elapsed().as_secs_f64());
    println!("Both files verify, and the decoded crop equals the same region of the whole, sample for sample.");
    println!("To look at:");
    for path in ["data/mosaic.png", "out/mosaic.png", "out/mosaic-crop.png"] {
        println!("  {path}");
    }
    println!("In the browser: cargo xtask web, then {} view out/mosaic.inr", workspace.short(&program));
    Ok(())
}

struct Demo<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
}

impl Demo<'_> {
    /// Runs the program with `--json`, shows the line, and returns the object. No word of the line holds a space.
    fn report(&self, line: &str) -> Result<Value> {
        println!("$ tessera {line}");
        let mut command = self.workspace.program(self.program);
        command.args(line.split_whitespace()).arg("--json");
        let text = process::capture(&mut command, "its message above says what is wrong")?;
        serde_json::from_str(&text).with_context(|| format!("`tessera {line}` printed no JSON object: {text}"))
    }
}

/// The promise of the whole project, checked on the spot.
fn same_picture(workspace: &Workspace) -> Result<()> {
    let read = |name: &str| {
        let path = workspace.path("out").join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    if read("mosaic-crop.png")? != read("mosaic-crop-expected.png")? {
        bail!(
            "the decoded crop differs from the same region of the whole: compare out/mosaic-crop.png and out/mosaic-crop-expected.png"
        );
    }
    std::fs::remove_file(workspace.path("out/mosaic-crop-expected.png")).context("cannot remove a file of the demo")
}

fn counted(value: &Value) -> String {
    match value {
        Value::Array(list) => list.len().to_string(),
        other => other.to_string(),
    }
}

fn number(report: &Value, key: &str, digits: usize) -> Result<String> {
    let value = report
        .get(key)
        .and_then(Value::as_f64)
        .with_context(|| format!("the report has no number `{key}`: {report}"))?;
    Ok(format!("{value:.digits$}"))
}

fn integer(report: &Value, key: &str) -> Result<u64> {
    report.get(key).and_then(Value::as_u64).with_context(|| format!("the report has no count `{key}`: {report}"))
}
