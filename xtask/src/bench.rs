//! `bench`: our training step and decode beside PyTorch's, in the same run on the same machine.
//!
//! Machines are noisy and differ, so no absolute number is worth much: the two take turns, pair after pair, and what
//! is quoted is the ratio within a pair. The tables in docs/benchmarks.md are written by this and not by hand.

use crate::bench_audio;
use crate::bench_browser::{self, Gpu};
use crate::bench_kodak;
use crate::bench_playback;
use crate::bench_video;
use crate::process;
use crate::table::Table;
use crate::tools;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How `cargo xtask bench` measures.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Pairs of one run of ours and one of the peer
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: u32,
    /// Training steps in each run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(4..=10_000))]
    steps: u32,
    /// Threads for both [default: all of the machine's]
    #[arg(long)]
    threads: Option<usize>,
    /// Only these settings (picture-512-local-global, picture-512-per-partition, picture-512-siren, picture-768-compression,
    /// sound-local-global, video-local-global)
    #[arg(long, value_name = "NAME")]
    setting: Vec<String>,
    /// Also time burn's general tensor operations, the checker of the fused kernel: minutes for the wide networks
    #[arg(long)]
    general: bool,
    /// Decoding in the system's Chromium instead of training and decoding here
    #[arg(long)]
    browser: bool,
    /// Decoding of these files, here and in Chromium, beside how fast they play
    #[arg(long, value_name = "FILE", conflicts_with_all = ["browser", "table", "setting"])]
    file: Vec<PathBuf>,
    /// With --browser: on the machine's own WebGPU device instead of a software one
    #[arg(long, requires = "browser")]
    real_gpu: bool,
    /// A published table of PSNR instead of times: hours of training, which can be interrupted and go on
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "browser")]
    table: Option<PublishedTable>,
    /// With --table: how many seeds, from 0 on
    #[arg(long, default_value_t = 3, requires = "table", value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,
    /// With --table: only these methods (per-partition, local-global, siren, default; strumpler-32, -48, -64)
    #[arg(long, value_name = "NAME", requires = "table")]
    method: Vec<String>,
    /// With --table kodak: only these pictures (kodim03)
    #[arg(long, value_name = "NAME", requires = "table")]
    picture: Vec<String>,
    /// With --table kodak: all 25,000 steps for every row
    #[arg(long, requires = "table")]
    full: bool,
    /// With --table kodak: so many steps for every row, to try it out
    #[arg(long, value_name = "COUNT", requires = "table", conflicts_with = "full")]
    training_steps: Option<u64>,
    /// With --table: folder of the sample data
    #[arg(long, value_name = "DIR", env = "TESSERA_TEST_DATA", default_value = "../shared/data")]
    data: PathBuf,
}

/// The published tables that are measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PublishedTable {
    /// PSNR of two sounds by three methods
    Audio,
    /// Networks on a clip, as far as two cores train them in 20 minutes
    Video,
    /// The basic method of compression on six of Kodak's pictures
    Kodak,
}

/// Our name of a setting, and the peer's words for the same network on as many samples.
const SETTINGS: [(&str, &[&str]); 6] = [
    ("picture-512-local-global", &["image", "data/mosaic.png", "--model", "lg"]),
    ("picture-512-per-partition", &["image", "data/mosaic.png", "--model", "lc"]),
    ("picture-512-siren", &["image", "data/mosaic.png", "--model", "mlp"]),
    (
        "picture-768-compression",
        &["samples", "393216", "--model", "mlp", "--local", "32", "--frequencies", "16", "--partitions", "1"],
    ),
    (
        "sound-local-global",
        &[
            "samples",
            "262144",
            "--dims",
            "1",
            "--channels",
            "1",
            "--partitions",
            "32",
            "--local",
            "42",
            "--global-width",
            "72",
        ],
    ),
    (
        "video-local-global",
        &["samples", "262144", "--dims", "3", "--partitions", "5", "8", "8", "--local", "55", "--global-width", "180"],
    ),
];
/// Steps of the general operations: the first warms up, and one tells enough.
const GENERAL_STEPS: &str = "1";

/// A line of `tessera bench --json`.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Ours {
    setting: String,
    engine: String,
    train_step_seconds: f64,
    held_step_seconds: Option<f64>,
    decode_seconds: f64,
    peak_bytes: Option<u64>,
    percent_of_peak: Option<f64>,
}

/// What the peer prints.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Peer {
    step_seconds: f64,
    decode_seconds: f64,
    parameters: u64,
    torch: String,
    threads: usize,
}

/// One pair of runs of one setting; the peer is missing where PyTorch is.
#[derive(Debug, Clone, Serialize)]
struct Pair {
    ours: Vec<Ours>,
    /// Our network in burn's general tensor operations, in the first pair where it was asked for.
    general: Vec<Ours>,
    /// PyTorch as a user gets it.
    peer: Option<Peer>,
    /// PyTorch with an allocator that keeps freed memory: the best it can do here.
    peer_keeping_memory: Option<Peer>,
}

/// All that was measured, as kept in `target/bench.json`.
#[derive(Debug, Serialize)]
struct Record {
    command: String,
    machine: String,
    commit: String,
    date: String,
    torch: Option<String>,
    settings: Vec<(String, Vec<Pair>)>,
}

/// Measures, prints, and rewrites the tables.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.browser {
        return browser(workspace, options);
    }
    if !options.file.is_empty() {
        return bench_playback::run(workspace, &options.file);
    }
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    match options.table {
        Some(PublishedTable::Audio) => return audio(workspace, options),
        Some(PublishedTable::Video) => return video(workspace, options, threads),
        Some(PublishedTable::Kodak) => return kodak(workspace, options),
        None => {}
    }
    let program = workspace.build_program()?;
    let python = tools::python_having("torch");
    if let Err(reason) = &python {
        println!("SKIPPED the PyTorch peer: {reason}");
    }
    let bench = Bench { workspace, program: &program, python: python.ok(), steps: options.steps, threads };
    let mut settings = Vec::new();
    for (name, peer) in SETTINGS {
        if !options.setting.is_empty() && !options.setting.iter().any(|wanted| wanted == name) {
            continue;
        }
        let mut pairs = Vec::new();
        for number in 1..=options.pairs {
            println!("{name}: pair {number} of {}", options.pairs);
            pairs.push(bench.pair(name, peer, options.general && number == 1)?);
        }
        settings.push((name.to_owned(), pairs));
    }
    let torch = settings.iter().flat_map(|s| &s.1).find_map(|pair| pair.peer.as_ref().map(|peer| peer.torch.clone()));
    let record = Record {
        command: format!("cargo xtask bench --pairs {} --steps {} --threads {threads}", options.pairs, options.steps),
        machine: machine(),
        commit: commit(workspace),
        date: today(),
        torch,
        settings,
    };
    let json = workspace.target.join("bench.json");
    std::fs::write(&json, serde_json::to_string_pretty(&record)?)
        .with_context(|| format!("cannot write {}", json.display()))?;
    println!("\n{}", table(&record).text());
    println!("ratio: PyTorch's time over ours in the same pair; above 1 ours is faster.");
    write_document(workspace, &record)?;
    println!("{} and docs/benchmarks.md are written", workspace.short(&json));
    Ok(())
}

/// Measures the published table of clips, prints, and rewrites its part of the document.
fn video(workspace: &Workspace, options: &Options, threads: usize) -> Result<()> {
    let rows = bench_video::measure(workspace, &options.data, threads)?;
    let json = workspace.target.join("bench-video.json");
    std::fs::write(&json, serde_json::to_string_pretty(&rows)?)
        .with_context(|| format!("cannot write {}", json.display()))?;
    let (table, notes) = (bench_video::table(&rows), bench_video::notes());
    println!("\n{}\n{notes}", table.text());
    let section = format!(
        "{VIDEO_BEGIN}\n\n{}\n{notes}\n\n- command: `cargo xtask bench --table video --threads {threads}`\n- machine: {}\n- commit: \
         {}\n- date: {}\n\n{VIDEO_END}",
        table.markdown(),
        machine(),
        commit(workspace),
        today()
    );
    rewrite(workspace, &section, VIDEO_BEGIN, VIDEO_END)?;
    println!("{} and docs/benchmarks.md are written", workspace.short(&json));
    Ok(())
}

/// Decodes of each view in a browser; the median needs some.
const BROWSER_REPETITIONS: u32 = 9;

/// Measures in a browser, prints, and rewrites the browser's part of the document.
fn browser(workspace: &Workspace, options: &Options) -> Result<()> {
    let gpu = if options.real_gpu { Gpu::Real } else { Gpu::Software };
    let reports = bench_browser::measure(workspace, BROWSER_REPETITIONS, gpu, &[])?;
    let report = reports.first().context("the benchmark page gave no report")?;
    let json = workspace.target.join("bench-browser.json");
    std::fs::write(&json, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("cannot write {}", json.display()))?;
    println!("\n{}\n{}", report.table().text(), report.notes());
    let real = if options.real_gpu { " --real-gpu" } else { "" };
    let section = format!(
        "{BROWSER_BEGIN}\n\n{}\nMedians after the first call, one thread for wasm. Rows with \"read-back\" copy the pixels to the CPU.\n\n\
         {}\n- command: `cargo xtask bench --browser{real}`\n- machine: {}\n- commit: {}\n- date: {}\n\n{BROWSER_END}",
        report.table().markdown(),
        report.notes(),
        machine(),
        commit(workspace),
        today()
    );
    rewrite(workspace, &section, BROWSER_BEGIN, BROWSER_END)?;
    println!("{} and docs/benchmarks.md are written", workspace.short(&json));
    Ok(())
}

/// Measures the published table of sounds, prints, and rewrites its part of the document.
fn audio(workspace: &Workspace, options: &Options) -> Result<()> {
    let (begin, end) = (AUDIO_BEGIN, AUDIO_END);
    let rows = bench_audio::Rows { data: &options.data, seeds: options.seeds, methods: &options.method };
    let table = bench_audio::measure(workspace, &rows)?;
    println!("\n{}", table.text());
    let section = format!(
        "{begin}\n\n{}\n- command: `cargo xtask bench --table audio --seeds {}`\n- machine: {}\n- commit: {}\n- date: {}\n\n{end}",
        table.markdown(),
        options.seeds,
        machine(),
        commit(workspace),
        today()
    );
    rewrite(workspace, &section, begin, end)?;
    println!("docs/benchmarks.md is written");
    Ok(())
}

/// Measures the published basic method of compression, prints, and rewrites its part of the document where all rows are there.
fn kodak(workspace: &Workspace, options: &Options) -> Result<()> {
    let rows = bench_kodak::Rows {
        data: &options.data,
        full: options.full,
        steps: options.training_steps,
        pictures: &options.picture,
        methods: &options.method,
    };
    let bench_kodak::Outcome { table, notes, complete } = bench_kodak::measure(workspace, &rows)?;
    println!("\n{}\n{notes}", table.text());
    if !complete {
        println!("a part of the table: docs/benchmarks.md stays as it is");
        return Ok(());
    }
    let section = format!(
        "{KODAK_BEGIN}\n\n{}\n{notes}\n- command: `cargo xtask bench --table kodak{}`\n- machine: {}\n- commit: {}\n- date: {}\n\n{KODAK_END}",
        table.markdown(),
        if options.full { " --full" } else { "" },
        machine(),
        commit(workspace),
        today()
    );
    rewrite(workspace, &section, KODAK_BEGIN, KODAK_END)?;
    println!("docs/benchmarks.md is written");
    Ok(())
}

struct Bench<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    python: Option<OsString>,
    steps: u32,
    threads: usize,
}

impl Bench<'_> {
    fn pair(&self, setting: &str, peer_words: &[&str], with_general: bool) -> Result<Pair> {
        let steps = self.steps.to_string();
        let threads = self.threads.to_string();
        let ours = |steps: &str, more: &[&str]| -> Result<Vec<Ours>> {
            let mut ours = self.workspace.program(self.program);
            ours.args(["bench", "--json", "--setting", setting, "--steps", steps, "--threads", &threads]).args(more);
            let text = process::capture(&mut ours, "its message above says what is wrong")?;
            serde_json::from_str(&text).with_context(|| format!("cannot understand `tessera bench --json`: {text}"))
        };
        let peer = |keep: &[&str]| -> Result<Option<Peer>> {
            let Some(python) = &self.python else { return Ok(None) };
            let mut command = self.workspace.program(python);
            command
                .arg("tests/peer/torch_peer.py")
                .args(peer_words)
                .args(["--steps", &steps, "--threads", &threads])
                .args(keep);
            let text = process::capture(&mut command, "the peer needs torch, numpy and pillow")?;
            Ok(Some(serde_json::from_str(&text).with_context(|| format!("cannot understand the peer: {text}"))?))
        };
        let general = |steps| ours(steps, &["--engine", "general", "--decodes", "1"]);
        Ok(Pair {
            ours: ours(&steps, &[])?,
            general: if with_general { general(GENERAL_STEPS)? } else { Vec::new() },
            peer: peer(&[])?,
            peer_keeping_memory: peer(&["--keep-memory"])?,
        })
    }
}

/// Median times and ratios, one row for each of our engines.
fn table(record: &Record) -> Table {
    let mut table = Table::new(&[
        "setting",
        "engine",
        "step (s)",
        "PyTorch step (s)",
        "ratio",
        "ratio, kept memory",
        "burn's general step (s)",
        "held step (s)",
        "decode (s)",
        "PyTorch decode (s)",
        "ratio",
        "peak MiB",
        "% of peak",
    ]);
    for (setting, pairs) in &record.settings {
        let engines: Vec<&str> =
            pairs.first().map_or_else(Vec::new, |pair| pair.ours.iter().map(|o| o.engine.as_str()).collect());
        for engine in engines {
            let of = |figure: fn(&Ours, &Pair) -> Option<f64>| {
                let each = |pair: &Pair| figure(pair.ours.iter().find(|ours| ours.engine == engine)?, pair);
                median(pairs.iter().filter_map(each).collect())
            };
            let show =
                |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
            #[expect(clippy::cast_precision_loss, reason = "shown in mebibytes")]
            let peak = of(|ours, _| Some(ours.peak_bytes? as f64 / 1_048_576.0));
            table.row([
                setting.clone(),
                engine.to_owned(),
                show(of(|ours, _| Some(ours.train_step_seconds)), 3),
                show(of(|_, pair| Some(pair.peer.as_ref()?.step_seconds)), 3),
                show(of(|ours, pair| Some(pair.peer.as_ref()?.step_seconds / ours.train_step_seconds)), 2),
                show(
                    of(|ours, pair| Some(pair.peer_keeping_memory.as_ref()?.step_seconds / ours.train_step_seconds)),
                    2,
                ),
                show(of(|_, pair| Some(pair.general.first()?.train_step_seconds)), 2),
                show(of(|ours, _| ours.held_step_seconds), 3),
                show(of(|ours, _| Some(ours.decode_seconds)), 3),
                show(of(|_, pair| Some(pair.peer.as_ref()?.decode_seconds)), 3),
                show(of(|ours, pair| Some(pair.peer.as_ref()?.decode_seconds / ours.decode_seconds)), 2),
                show(peak, 0),
                show(of(|ours, _| ours.percent_of_peak), 1),
            ]);
        }
    }
    table
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied()?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

const BEGIN: &str = "<!-- bench: written by cargo xtask bench -->";
const END: &str = "<!-- bench: end -->";
const VIDEO_BEGIN: &str = "<!-- video: written by cargo xtask bench --table video -->";
const VIDEO_END: &str = "<!-- video: end -->";
const BROWSER_BEGIN: &str = "<!-- browser: written by cargo xtask bench --browser -->";
const BROWSER_END: &str = "<!-- browser: end -->";
const AUDIO_BEGIN: &str = "<!-- audio: written by cargo xtask bench --table audio -->";
const AUDIO_END: &str = "<!-- audio: end -->";

const KODAK_BEGIN: &str = "<!-- kodak: written by cargo xtask bench --table kodak -->";
const KODAK_END: &str = "<!-- kodak: end -->";

/// Writes the tables into docs/benchmarks.md; makes the file, or the markers, where missing.
fn write_document(workspace: &Workspace, record: &Record) -> Result<()> {
    let mut section = format!("{BEGIN}\n\n{}\n", table(record).markdown());
    let peer =
        record.torch.as_ref().map_or_else(|| "not measured (no PyTorch here)".to_owned(), |v| format!("PyTorch {v}"));
    let _ = write!(
        section,
        "Medians over the pairs; a ratio is PyTorch's time over ours in the same pair, so above 1 ours is faster.\n\
         \"Kept memory\" is PyTorch with an allocator that keeps freed tensors, \"held step\" ours with the global network\n\
         held still. Within a run a step is a median of steps;\n\
         a decode is our fastest, and PyTorch's median.\n\n\
         - command: `{}`\n- machine: {}\n- peer: {peer}\n- commit: {}\n- date: {}\n\n{END}",
        record.command, record.machine, record.commit, record.date
    );
    rewrite(workspace, &section, BEGIN, END)
}

/// Puts `section` in the place of what stands between its markers.
pub(crate) fn rewrite(workspace: &Workspace, section: &str, begin: &str, end: &str) -> Result<()> {
    let path = workspace.path("docs/benchmarks.md");
    let old = std::fs::read_to_string(&path).unwrap_or_else(|_| "# Benchmarks\n".to_owned());
    let folder = path.parent().context("docs/benchmarks.md has a folder")?;
    std::fs::create_dir_all(folder).context("cannot create docs/")?;
    std::fs::write(&path, replace(&old, section, begin, end))
        .with_context(|| format!("cannot write {}", workspace.short(&path)))
}

fn replace(old: &str, section: &str, begin: &str, end: &str) -> String {
    match (old.split_once(begin), old.split_once(end)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{section}{after}"),
        _ => format!("{}\n\n{section}\n", old.trim_end()),
    }
}

pub(crate) fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find(|l| l.starts_with("model name"))?.split_once(": ").map(|l| l.1.to_owned()))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processor}, {cores} hardware threads, {}", std::env::consts::OS)
}

pub(crate) fn commit(workspace: &Workspace) -> String {
    let git =
        |words: &[&str]| process::capture(workspace.program("git").args(words), "").map(|text| text.trim().to_owned());
    match (git(&["rev-parse", "--short=12", "HEAD"]), git(&["status", "--porcelain", "--untracked-files=no"])) {
        (Ok(hash), Ok(changes)) if changes.is_empty() => hash,
        (Ok(hash), _) => format!("{hash} with uncommitted changes"),
        _ => "unknown".to_owned(),
    }
}

/// Today's date, UTC.
pub(crate) fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400);
    date(days)
}

/// The date so many days after 1970-01-01, counted in years that begin in March, so that the leap day comes last.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let calendar_year = era * 400 + year + u64::from(calendar_month <= 2);
    format!("{calendar_year:04}-{calendar_month:02}-{:02}", day - (153 * month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!([0, 59, 11_016, 20_778].map(date), ["1970-01-01", "1970-03-01", "2000-02-29", "2026-11-21"]);
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn only_the_part_between_the_markers_changes() {
        let once = replace("# Benchmarks\n\nWords.\n", &format!("{BEGIN}\nold\n{END}"), BEGIN, END);
        assert_eq!(once, format!("# Benchmarks\n\nWords.\n\n{BEGIN}\nold\n{END}\n"));
        let again = replace(&(once + "\nMore.\n"), &format!("{BEGIN}\nnew\n{END}"), BEGIN, END);
        assert_eq!(again, format!("# Benchmarks\n\nWords.\n\n{BEGIN}\nnew\n{END}\n\nMore.\n"));
    }
}
