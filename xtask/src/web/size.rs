//! The size of the page as served, against the budgets.
//!
//! Servers send brotli, so that is what counts. Node has it, and Node is needed for the page anyway.

use crate::process;
use crate::table::{Table, grouped};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Everything that is needed for the first picture, in bytes after brotli.
const FIRST_PICTURE: u64 = 500_000;
/// What is loaded behind it for WebGPU, in bytes after brotli.
const GPU: u64 = 1_300_000;

/// Prints a line for each path that it gets: bytes, and bytes after brotli at the level for static files.
const MEASURE: &str = "const { readFileSync } = require('node:fs'); const { brotliCompressSync, constants } = require('node:zlib');
const sizes = process.argv.slice(1).map((path) => { const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return { raw: bytes.length, brotli: brotliCompressSync(bytes, { params }).length }; });
console.log(JSON.stringify(sizes));";

#[derive(Debug, Clone, Copy, Deserialize)]
struct Size {
    raw: u64,
    brotli: u64,
}

/// When a file of the page is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    First,
    Gpu,
}

/// Prints the sizes. The outer result is whether they could be measured, the inner one whether the budgets are kept.
pub(super) fn report(workspace: &Workspace) -> Result<Result<()>> {
    let dist = workspace.path("www/dist");
    let mut files = Vec::new();
    collect(&dist, &mut files).with_context(|| format!("cannot list {}", workspace.short(&dist)))?;
    files.retain(|path| !path.starts_with(dist.join("samples")) && path.extension().is_none_or(|e| e != "map"));
    files.sort();
    let gpu = gpu_files(workspace, &files)?;
    let mut measure = workspace.program("node");
    let text = process::capture(measure.arg("-e").arg(MEASURE).args(&files), "needs Node 20.19 or newer")?;
    let sizes: Vec<Size> = serde_json::from_str(&text).context("cannot understand the sizes that Node printed")?;

    let mut table = Table::new(&["file", "part", "bytes", "brotli"]);
    let mut sums = [Size { raw: 0, brotli: 0 }; 2];
    for (path, size) in files.iter().zip(&sizes) {
        let part = if gpu.contains(path) { Part::Gpu } else { Part::First };
        let sum = &mut sums[usize::from(part == Part::Gpu)];
        sum.raw += size.raw;
        sum.brotli += size.brotli;
        let name = path.strip_prefix(&dist).unwrap_or(path).display().to_string();
        let word = if part == Part::Gpu { "WebGPU" } else { "first picture" };
        table.row([name, word.to_owned(), grouped(size.raw), grouped(size.brotli)]);
    }
    println!("\n{}", table.text());
    let mut over = Vec::new();
    for (what, sum, budget) in [("first picture", sums[0], FIRST_PICTURE), ("WebGPU module", sums[1], GPU)] {
        println!(
            "{what}: {} bytes, {} after brotli, budget {}",
            grouped(sum.raw),
            grouped(sum.brotli),
            grouped(budget)
        );
        if sum.brotli > budget {
            over.push(format!("{what} by {} bytes", grouped(sum.brotli - budget)));
        }
    }
    if over.is_empty() {
        return Ok(Ok(()));
    }
    Ok(Err(anyhow::anyhow!(
        "the page is over its budget: {}; find what grew, or argue for a new budget in xtask/src/web/size.rs",
        over.join(", ")
    )))
}

/// The files that are only loaded for WebGPU: the module, found by its content, and the script that calls into it and
/// not into the other, found by the names of the exported functions. What belongs to both counts for the first picture.
fn gpu_files(workspace: &Workspace, files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let module = |name: &str| {
        let built = std::fs::read(workspace.path(format!("www/src/wasm/{name}/tessera_web_bg.wasm")))?;
        let same = |path: &&PathBuf| {
            path.extension().is_some_and(|e| e == "wasm") && std::fs::read(path).is_ok_and(|bytes| bytes == built)
        };
        anyhow::Ok(files.iter().find(same).cloned())
    };
    let (Some(_), Some(gpu)) = (module("cpu")?, module("gpu")?) else {
        bail!("www/dist does not hold both modules: the page must load www/src/wasm/{{cpu,gpu}}/tessera_web_bg.wasm");
    };
    let script = |path: &&PathBuf| {
        path.extension().is_some_and(|e| e == "js")
            && std::fs::read_to_string(path)
                .is_ok_and(|text| text.contains("gpufield_") && !text.contains("tesserafile_"))
    };
    let mut found: Vec<PathBuf> = files.iter().filter(script).cloned().collect();
    found.push(gpu);
    Ok(found)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, into)? } else { into.push(path) }
    }
    Ok(())
}
