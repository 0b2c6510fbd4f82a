//! Every chore of the project, as `cargo xtask CHORE`.
//!
//! A Rust program instead of scripts, so that a chore works the same on every system that builds the project, needs
//! no further tool, and can share what it knows (where the build goes, which browser there is, what was skipped).
//! One module is one chore; the others are what several chores share.

mod bench;
mod bench_audio;
mod bench_browser;
mod bench_kodak;
mod bench_playback;
mod bench_video;
mod check;
mod demo;
mod npm;
mod process;
mod records;
mod samples;
mod steps;
mod table;
mod tally;
mod test;
mod tools;
mod web;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The chores of the Tessera workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// From nothing to a cropped file: build, encode a sample on the CPU, crop, decode, verify, print a table
    Demo,
    /// Run every test: Rust, page, browser, second reader; ends with "N passed, N failed, N skipped"
    Test(test::Options),
    /// Formatting, lints on native and wasm32, documentation, features, dependency policy
    Check,
    /// Build the two wasm modules and the page into www/dist, and hold their sizes against the budgets
    Web(web::Options),
    /// Measure this machine beside the PyTorch peer, or a published table with --table, and rewrite the tables of docs/benchmarks.md
    Bench(bench::Options),
    /// Make the signals in data/ anew and encode them
    Samples(samples::Options),
}

fn main() -> ExitCode {
    let outcome = workspace::Workspace::find().and_then(|workspace| match Arguments::parse().chore {
        Chore::Demo => demo::run(&workspace),
        Chore::Test(options) => test::run(&workspace, &options),
        Chore::Check => check::run(&workspace),
        Chore::Web(options) => web::run(&workspace, &options),
        Chore::Bench(options) => bench::run(&workspace, &options),
        Chore::Samples(options) => samples::run(&workspace, &options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The chore has already said what failed, and its summary is to stay the last line.
        Err(error) if error.is::<steps::Failed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
