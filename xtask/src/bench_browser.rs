//! `bench --browser`: decoding in a browser, from the page's own benchmark, as ratios within one run.

use crate::table::Table;
use crate::workspace::Workspace;
use crate::{npm, process, tools};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The report of `bench.html`; see `www/src/bench/report.ts`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Report {
    file: File,
    machine: Machine,
    openings: Vec<Opening>,
    figures: Vec<Figure>,
    ratios: Ratios,
    skipped: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct File {
    name: String,
    rows: u32,
    columns: u32,
    macs_per_sample: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Machine {
    user_agent: String,
    adapter: Option<String>,
    fallback_adapter: Option<bool>,
    hardware_threads: u32,
    threads: u32,
    relaxed_simd: bool,
    presents: bool,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Opening {
    engine: String,
    parse_seconds: f64,
    coarse_seconds: f64,
    quarter_seconds: f64,
    complete_seconds: f64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Figure {
    view: String,
    engine: String,
    first_seconds: f64,
    median_seconds: f64,
    fastest_seconds: f64,
    frames_per_second: f64,
    samples: u64,
    repetitions: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Ratios {
    webgpu_over_general_operations: Option<f64>,
    webgpu_over_read_back: Option<f64>,
    relaxed_over_simd128: Option<f64>,
    webgpu_over_wasm: Option<f64>,
}

/// Builds the page and measures in the system's Chromium: on the machine's own device where `real`, else on a software
/// device, whose times say nothing but whose ratios do.
pub(crate) fn measure(workspace: &Workspace, repetitions: u32, real: bool) -> Result<Report> {
    let chromium = match tools::chromium() {
        Ok(path) => path,
        Err(reason) => bail!("{reason}"),
    };
    crate::web::run(workspace, &crate::web::Options::default())?;
    const FOLDER: &str = "tests/browser";
    npm::install(workspace, FOLDER)?;
    let mut node = workspace.program("node");
    node.current_dir(workspace.path(FOLDER)).args(["bench.mjs", &repetitions.to_string()]).env("CHROMIUM", chromium);
    if real {
        node.env("TESSERA_BROWSER_GPU", "real");
    }
    let text = process::capture(&mut node, "the browser's message above says what is wrong")?;
    serde_json::from_str(&text).with_context(|| format!("cannot understand the benchmark page: {text}"))
}

impl Report {
    /// Times, one row for each engine and view.
    pub(crate) fn table(&self) -> Table {
        let mut table =
            Table::new(&["engine", "view", "decode (s)", "fastest (s)", "first call (s)", "frames per second"]);
        for figure in &self.figures {
            table.row([
                figure.engine.clone(),
                figure.view.clone(),
                format!("{:.4}", figure.median_seconds),
                format!("{:.4}", figure.fastest_seconds),
                format!("{:.4}", figure.first_seconds),
                format!("{:.2}", figure.frames_per_second),
            ]);
        }
        table
    }

    /// Ratios, openings and the machine, as a list in Markdown.
    pub(crate) fn notes(&self) -> String {
        let ratios = &self.ratios;
        let mut lines: Vec<String> = [
            ("WebGPU, fused, over burn's general operations", ratios.webgpu_over_general_operations),
            ("WebGPU, kept on the device, over read back", ratios.webgpu_over_read_back),
            ("WebGPU over wasm", ratios.webgpu_over_wasm),
            ("wasm with relaxed SIMD over without", ratios.relaxed_over_simd128),
        ]
        .into_iter()
        .map(|(what, ratio)| match ratio {
            Some(ratio) => format!("- {what}: {ratio:.2} times"),
            None => format!("- {what}: not measured"),
        })
        .collect();
        lines.extend(self.openings.iter().map(|o| {
            format!(
                "- opening with {}: parsed after {:.3} s, coarse picture {:.3} s, quarter {:.3} s, complete {:.3} s",
                o.engine, o.parse_seconds, o.coarse_seconds, o.quarter_seconds, o.complete_seconds
            )
        }));
        lines.extend(self.skipped.iter().map(|reason| format!("- not measured: {reason}")));
        let (file, machine) = (&self.file, &self.machine);
        let software = if machine.fallback_adapter == Some(true) { ", a software device" } else { "" };
        lines.push(format!(
            "- file: {}, {} x {} samples, {} multiply-adds each",
            file.name, file.columns, file.rows, file.macs_per_sample
        ));
        lines.push(format!("- WebGPU adapter: {}{software}", machine.adapter.as_deref().unwrap_or("none")));
        lines.push(format!(
            "- browser: {}, {} of {} threads",
            machine.user_agent, machine.threads, machine.hardware_threads
        ));
        lines.join("\n")
    }
}
