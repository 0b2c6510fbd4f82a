//! `test`: every test of every kind, in steps that are shown with their time; what cannot run here is skipped by name.
//!
//! The last line is always `N passed, N failed, N skipped`, counted in tests where a step counts its own.

use crate::process;
use crate::steps::{Outcome, Steps, counted};
use crate::tally::Tally;
use crate::workspace::{GROUPS, Workspace};
use crate::{check, npm, tools, web};
use anyhow::{Context, Result};
use clap::Args;

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;

/// How much `cargo xtask test` runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Add what takes long: every feature combination, and fuzzing for ten times as long
    #[arg(long)]
    full: bool,
    /// Only Rust tests: no page, no browser, no Python
    #[arg(long)]
    rust_only: bool,
}

/// Runs the tests.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    let program = steps.step("build the program", || workspace.build_program().map(|_| Outcome::Passed));
    for (name, packages) in GROUPS {
        steps.step(&format!("rust: {name}"), || rust(workspace, packages));
    }
    if !options.rust_only {
        let page = steps.step("web", || web::run(workspace, &web::Options::default()).map(|()| Outcome::Passed));
        steps.step("page: types", || page_types(workspace));
        steps.step("page: units", || page_units(workspace));
        steps.step("browser", || {
            if page && program {
                browser(workspace)
            } else {
                Ok(Outcome::Skipped("nothing to open: a build failed".to_owned()))
            }
        });
    }
    steps.step("fuzz", || fuzz(workspace, if options.full { 10 * FUZZ_SECONDS } else { FUZZ_SECONDS }));
    if options.full {
        check::features(workspace, &mut steps);
    }
    steps.finish()
}

fn rust(workspace: &Workspace, packages: &[&str]) -> Result<Outcome> {
    let mut cargo = workspace.cargo();
    // Documentation examples are tests as well, which is why this is not nextest.
    cargo.args(["test", "--release", "--no-fail-fast"]).args(packages);
    // For the file format's second reader; its tests skip themselves without it.
    match tools::python_with(workspace, "numpy") {
        Ok(python) => cargo.env("PYTHON", python),
        Err(reason) => {
            println!("the second reader will be skipped: {reason}");
            &mut cargo
        }
    };
    counted(&process::show(&mut cargo)?, Tally::of_cargo)
}

fn page_types(workspace: &Workspace) -> Result<Outcome> {
    npm::install(workspace, "www")?;
    process::run(npm::npm(workspace, "www").args(["run", "typecheck"]), "the messages above say what to mend")?;
    Ok(Outcome::Passed)
}

fn page_units(workspace: &Workspace) -> Result<Outcome> {
    npm::install(workspace, "www")?;
    counted(&process::show(npm::npm(workspace, "www").args(["run", "test"]))?, Tally::of_vitest)
}

fn browser(workspace: &Workspace) -> Result<Outcome> {
    let chromium = match tools::chromium() {
        Ok(path) => path,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    const FOLDER: &str = "tests/browser";
    npm::install(workspace, FOLDER)?;
    let folder = workspace.path(FOLDER);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.mjs"))
        .collect();
    files.sort();
    let mut node = workspace.program("node");
    // One file after the other: each starts browsers, and the software GPU takes every core.
    node.current_dir(&folder)
        .args(["--test", "--test-concurrency=1", "--test-timeout=900000", "--test-reporter=tap"])
        .args(files)
        .env("CHROMIUM", chromium)
        .env("TESSERA_BIN", workspace.target.join("release").join(format!("tessera{}", std::env::consts::EXE_SUFFIX)));
    counted(&process::show(&mut node)?, Tally::of_tap)
}

fn fuzz(workspace: &Workspace, seconds: u32) -> Result<Outcome> {
    let folder = workspace.path("core/fuzz");
    let nightly = |words: &[&str]| {
        let mut command = workspace.program("rustup");
        command.args(["run", "nightly", "cargo"]).args(words).current_dir(&folder);
        command
    };
    if !process::succeeds(&mut nightly(&["--version"])) {
        return Ok(Outcome::Skipped("no nightly compiler: rustup toolchain install nightly".to_owned()));
    }
    if !process::succeeds(&mut nightly(&["fuzz", "--version"])) {
        return Ok(Outcome::Skipped("no cargo-fuzz: cargo install cargo-fuzz".to_owned()));
    }
    let hint = "a crashing input is left under core/fuzz/artifacts";
    let targets = process::capture(&mut nightly(&["fuzz", "list"]), "core/fuzz/Cargo.toml should name the targets")?;
    let mut tally = Tally::default();
    for target in targets.split_whitespace() {
        println!("fuzzing {target} for {seconds} s");
        // What this machine finds stays in corpus/; the inputs to begin with are committed in seeds/.
        let (corpus, seeds) = (format!("corpus/{target}"), format!("seeds/{target}"));
        std::fs::create_dir_all(folder.join(&corpus)).with_context(|| format!("cannot make {corpus}"))?;
        let mut run = nightly(&["fuzz", "run", "--target-dir"]);
        run.arg(workspace.target.join("fuzz")).args([
            target,
            &corpus,
            &seeds,
            "--",
            &format!("-max_total_time={seconds}"),
            "-rss_limit_mb=2048",
        ]);
        process::run(&mut run, hint)?;
        tally.passed += 1;
    }
    Ok(Outcome::Ran(tally))
}
