//! `bench --browser`: decoding in a browser, from the page's own benchmark, as ratios within one run.

use crate::bench_playback::fastest;
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
    weights: Vec<Weights>,
    figures: Vec<Figure>,
    ratios: Ratios,
    skipped: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct File {
    name: String,
    kind: String,
    rows: u32,
    columns: u32,
    macs_per_sample: u64,
    bytes: u64,
    parameters: u64,
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
struct Weights {
    engine: String,
    median_seconds: f64,
    fastest_seconds: f64,
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
    real_time: Option<f64>,
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

/// Where WebGPU runs in the browser that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gpu {
    /// On a software device, whose times say nothing but whose ratios do.
    Software,
    /// On the machine's own device.
    Real,
    /// Nowhere.
    Absent,
}

/// Builds the page and measures in the system's Chromium. A report for each of `files`, or one for the page's sample.
pub(crate) fn measure(
    workspace: &Workspace,
    repetitions: u32,
    gpu: Gpu,
    files: &[std::path::PathBuf],
) -> Result<Vec<Report>> {
    let chromium = match tools::chromium() {
        Ok(path) => path,
        Err(reason) => bail!("{reason}"),
    };
    crate::web::run(workspace, &crate::web::Options::default())?;
    const FOLDER: &str = "tests/browser";
    npm::install(workspace, FOLDER)?;
    let sample = [None];
    let files: Vec<Option<&std::path::PathBuf>> =
        if files.is_empty() { sample.to_vec() } else { files.iter().map(Some).collect() };
    let report = |file: Option<&std::path::PathBuf>| -> Result<Report> {
        let mut node = workspace.program("node");
        node.current_dir(workspace.path(FOLDER)).args(["bench.mjs", &repetitions.to_string()]).args(file);
        node.env("CHROMIUM", &chromium);
        match gpu {
            Gpu::Software => {}
            Gpu::Real => drop(node.env("TESSERA_BROWSER_GPU", "real")),
            Gpu::Absent => drop(node.env("TESSERA_BROWSER_GPU", "absent")),
        }
        let text = process::capture(&mut node, "the browser's message above says what is wrong")?;
        let mut report: Report =
            serde_json::from_str(&text).with_context(|| format!("cannot understand the benchmark page: {text}"))?;
        if let Some(name) = file.and_then(|file| file.file_name()) {
            report.file.name = name.to_string_lossy().into_owned();
        }
        Ok(report)
    };
    files.into_iter().map(report).collect()
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

    /// A row for each engine that played it, as `bench --file` shows them.
    pub(crate) fn playback(&self, table: &mut Table) {
        for figure in self.figures.iter().filter(|figure| figure.view != "zoomed") {
            table.row([
                self.file.name.clone(),
                self.file.bytes.to_string(),
                self.file.macs_per_sample.to_string(),
                figure.engine.clone(),
                self.weights
                    .iter()
                    .find(|weights| weights.engine == figure.engine)
                    .map_or("-".to_owned(), |weights| format!("{:.2}", weights.fastest_seconds * 1e3)),
                format!("{:.2}", figure.median_seconds * 1e3),
                format!("{:.2}", figure.fastest_seconds * 1e3),
                figure.real_time.map_or("-".to_owned(), |times| format!("{times:.2}")),
                fastest(figure.real_time, figure.median_seconds, figure.fastest_seconds),
            ]);
        }
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
        lines.extend(self.weights.iter().map(|w| {
            format!(
                "- {} weights with {}: read, checked and decoded in {:.1} ms, the fastest in {:.1} ms",
                self.file.parameters,
                w.engine,
                w.median_seconds * 1e3,
                w.fastest_seconds * 1e3
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
