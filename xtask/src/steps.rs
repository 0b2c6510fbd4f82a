//! A run of named steps: each is shown with its time, a failure does not stop the others, and the end says what was
//! passed, failed and skipped, and why it was skipped.

use crate::process::{self, Shown};
use crate::table::Table;
use crate::tally::Tally;
use anyhow::Result;
use std::process::Command;
use std::time::{Duration, Instant};

/// The error of a run whose summary has been printed already.
#[derive(Debug)]
pub(crate) struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("some steps failed")
    }
}

impl std::error::Error for Failed {}

/// How a step ended, other than by an error.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It ran; what it counted.
    Ran(Tally),
    /// It ran, and counts as one.
    Passed,
    /// It could not run here, and why.
    Skipped(String),
}

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Tally, Duration, String)>,
}

impl Steps {
    /// Runs a step and shows how it ended. Returns whether nothing failed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let (tally, note) = match work() {
            Ok(Outcome::Ran(tally)) => (tally, String::new()),
            Ok(Outcome::Passed) => (Tally { passed: 1, ..Tally::default() }, String::new()),
            Ok(Outcome::Skipped(reason)) => (Tally { skipped: 1, ..Tally::default() }, reason),
            Err(error) => (Tally { failed: 1, ..Tally::default() }, format!("{error:#}")),
        };
        let word = if tally.failed > 0 {
            "FAILED"
        } else if tally.passed == 0 && tally.skipped > 0 {
            "SKIPPED"
        } else {
            "ok"
        };
        let gap = if note.is_empty() { "" } else { ": " };
        println!("--- {name}: {word} in {:.1} s, {tally}{gap}{note}", start.elapsed().as_secs_f64());
        self.done.push((name.to_owned(), tally, start.elapsed(), note));
        tally.failed == 0
    }

    /// A step that is one command and passes when the command succeeds.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command, hint: &str) -> bool {
        println!("\n$ {}", process::line(command));
        self.step(name, || process::run(command, hint).map(|()| Outcome::Passed))
    }

    /// Prints the table and the totals, which are the last line; an error when anything failed.
    pub(crate) fn finish(self) -> Result<()> {
        let mut table = Table::new(&["step", "passed", "failed", "skipped", "seconds", "note"]);
        let mut total = Tally::default();
        for (name, tally, time, note) in &self.done {
            let counts = [tally.passed, tally.failed, tally.skipped].map(|n| n.to_string());
            let first = note.lines().next().unwrap_or_default().to_owned();
            table.row([vec![name.clone()], counts.into(), vec![format!("{:.1}", time.as_secs_f64()), first]].concat());
            total += *tally;
        }
        println!("\n{}\n{total}", table.text());
        if total.failed > 0 { Err(Failed.into()) } else { Ok(()) }
    }
}

/// The outcome of a test program: what it counted; an error where it failed without counting a failure, or counted
/// nothing at all.
pub(crate) fn counted(shown: &Shown, count: impl Fn(&str) -> Tally) -> Result<Outcome> {
    let tally = count(&shown.text);
    if !shown.success && tally.failed == 0 {
        anyhow::bail!("it ended with an error before or between its tests; its messages are above");
    }
    if tally == Tally::default() {
        anyhow::bail!("it ran no test at all");
    }
    Ok(Outcome::Ran(tally))
}
