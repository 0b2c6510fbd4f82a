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

/// How the names begin of scripts that only kinds other than pictures load: those of their stages, of what time lines
/// share, and of the player's audio thread.
const KINDS: [&str; 4] = ["stage-", "gestures-", "timeline-", "processor-"];

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
    /// Always.
    First,
    /// Before the first picture, one of the two.
    Simd128,
    RelaxedSimd,
    Gpu,
    /// With the first file of a kind other than pictures.
    Kinds,
    /// Only by the benchmark page.
    Bench,
}

impl Part {
    const ALL: [(Self, &str); 6] = [
        (Self::First, "first picture"),
        (Self::Simd128, "first picture, without relaxed SIMD"),
        (Self::RelaxedSimd, "first picture, with relaxed SIMD"),
        (Self::Gpu, "WebGPU"),
        (Self::Kinds, "sound, video, shapes"),
        (Self::Bench, "benchmark"),
    ];
}

/// Prints the sizes. The outer result is whether they could be measured, the inner one whether the budgets are kept.
pub(super) fn report(workspace: &Workspace) -> Result<Result<()>> {
    let dist = workspace.path("www/dist");
    let mut files = Vec::new();
    collect(&dist, &mut files).with_context(|| format!("cannot list {}", workspace.short(&dist)))?;
    files.retain(|path| !path.starts_with(dist.join("samples")) && path.extension().is_none_or(|e| e != "map"));
    files.sort();
    let parts = parts(workspace, &files)?;
    let mut measure = workspace.program("node");
    let text = process::capture(measure.arg("-e").arg(MEASURE).args(&files), "needs Node 20.19 or newer")?;
    let sizes: Vec<Size> = serde_json::from_str(&text).context("cannot understand the sizes that Node printed")?;

    let mut table = Table::new(&["file", "part", "bytes", "brotli"]);
    let mut sums = [Size { raw: 0, brotli: 0 }; Part::ALL.len()];
    for ((path, size), part) in files.iter().zip(&sizes).zip(parts) {
        let place = Part::ALL.iter().position(|(known, _)| *known == part).unwrap_or_default();
        sums[place].raw += size.raw;
        sums[place].brotli += size.brotli;
        let name = path.strip_prefix(&dist).unwrap_or(path).display().to_string();
        table.row([name, Part::ALL[place].1.to_owned(), grouped(size.raw), grouped(size.brotli)]);
    }
    println!("\n{}", table.text());
    let [always, simd128, relaxed, gpu, _, _] = sums;
    let one = if relaxed.brotli > simd128.brotli { relaxed } else { simd128 };
    let first = Size { raw: always.raw + one.raw, brotli: always.brotli + one.brotli };
    let mut over = Vec::new();
    for (what, sum, budget) in [("first picture", first, FIRST_PICTURE), ("WebGPU module", gpu, GPU)] {
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

/// When each file is loaded. Modules are found by their content; the scripts that call into them by the names of the
/// exported functions; the benchmark's own files by their names. What belongs to several counts for the first picture.
fn parts(workspace: &Workspace, files: &[PathBuf]) -> Result<Vec<Part>> {
    let modules =
        [("cpu", Part::Simd128), ("cpu-relaxed", Part::RelaxedSimd), ("gpu", Part::Gpu), ("bench", Part::Bench)];
    let mut built = Vec::new();
    for (name, part) in modules {
        let path = workspace.path(format!("www/src/wasm/{name}/tessera_web_bg.wasm"));
        built.push((std::fs::read(&path).with_context(|| format!("cannot read {}", workspace.short(&path)))?, part));
    }
    let mut parts = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", workspace.short(path)))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let calls = |function: &str| {
            path.extension().is_some_and(|e| e == "js") && String::from_utf8_lossy(&bytes).contains(function)
        };
        let module = built.iter().find(|(content, _)| *content == bytes).map(|(_, part)| *part);
        parts.push(match module {
            Some(part) => part,
            None if name.starts_with("bench") || name.starts_with("measure") || calls("generalfield_") => Part::Bench,
            None if calls("gpufield_") && !calls("tesserafile_") => Part::Gpu,
            // Stages are loaded on demand; what they share, and the audio thread's script, with them.
            None if KINDS.iter().any(|kind| name.starts_with(kind)) => Part::Kinds,
            None => Part::First,
        });
    }
    for (_, part) in built {
        if !parts.contains(&part) {
            bail!("www/dist does not hold every module: the page must load them from www/src/wasm");
        }
    }
    Ok(parts)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, into)? } else { into.push(path) }
    }
    Ok(())
}
