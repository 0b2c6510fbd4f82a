//! Many inputs in one call: one after the other, a failure of one is no failure of the rest, and a table at the end.

use std::fs;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tessera_core::format::Reader;

use super::one::{self, EncodeReport, Job};
use crate::arguments::EncodeArguments;
use crate::errors::{Fault, exit_code, usage_fault};
use crate::output::read_input;
use crate::report::{Reporter, Table, bytes as human_bytes, duration};

/// What became of an input.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
enum Row {
    /// Written by this call.
    Encoded(Box<EncodeReport>),
    /// Complete before; `--resume` leaves it as it is.
    AlreadyThere { input: String, output: String },
    /// Not written, or not what was asked for.
    Failed { input: String, output: String, error: String },
    /// Not begun when the call was interrupted.
    NotBegun { input: String, output: String },
}

#[derive(Debug, Serialize)]
struct Report {
    files: Vec<Row>,
    encoded: usize,
    already_there: usize,
    failed: usize,
    not_begun: usize,
    seconds: f64,
}

pub(super) fn run(jobs: &[Job], arguments: &EncodeArguments, reporter: &Reporter) -> Result<()> {
    if !arguments.force && !arguments.resume {
        // Before hours are spent, and for all of them at once.
        let there: Vec<String> =
            jobs.iter().filter(|job| job.output.exists()).map(|job| job.output.display().to_string()).collect();
        if let Some(first) = there.first() {
            let others = if there.len() > 1 { format!(" and {} more", there.len() - 1) } else { String::new() };
            return Err(usage_fault(format!(
                "{first}{others} exist; --resume leaves what is complete and does the rest, --force overwrites"
            )));
        }
    }
    let started = Instant::now();
    let mut rows = Vec::with_capacity(jobs.len());
    let (mut first_fault, mut faults) = (None, 0);
    for (index, job) in jobs.iter().enumerate() {
        let (input, output) = (job.input.display().to_string(), job.output.display().to_string());
        if first_fault.as_ref().is_some_and(|fault| matches!(exit_code(fault), 130)) {
            rows.push(Row::NotBegun { input, output });
            continue;
        }
        reporter.say(format_args!("[{} of {}]", index + 1, jobs.len()));
        if arguments.resume && is_complete(job) {
            reporter.say(format_args!("{output} is there already"));
            rows.push(Row::AlreadyThere { input, output });
            continue;
        }
        let fault = match one::encode(job, arguments, reporter) {
            Ok(encoded) => {
                let report = encoded.report;
                reporter.say(format_args!("wrote {}, {}", report.output, report.quality_text()));
                match encoded.verdict {
                    Err(fault) if exit_code(&fault) == 130 => {
                        rows.push(Row::Failed { input, output, error: format!("{fault:#}") });
                        Some(fault)
                    }
                    verdict => {
                        // What an interrupted call left of it.
                        for left in job.checkpoint.iter().chain(&job.unfinished).filter(|path| path.exists()) {
                            forget(job, left);
                        }
                        rows.push(Row::Encoded(Box::new(report)));
                        verdict.err()
                    }
                }
            }
            Err(fault) => {
                rows.push(Row::Failed { input, output, error: format!("{fault:#}") });
                Some(fault)
            }
        };
        if let Some(fault) = fault {
            reporter.say(format_args!("error: {fault:#}"));
            faults += 1;
            let interrupted = exit_code(&fault) == 130;
            if first_fault.is_none() || interrupted {
                first_fault = Some(fault);
            }
        }
    }
    let count = |wanted: fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let report = Report {
        encoded: count(|row| matches!(row, Row::Encoded(_))),
        already_there: count(|row| matches!(row, Row::AlreadyThere { .. })),
        failed: count(|row| matches!(row, Row::Failed { .. })),
        not_begun: count(|row| matches!(row, Row::NotBegun { .. })),
        seconds: started.elapsed().as_secs_f64(),
        files: rows,
    };
    reporter.summary(&report, || table(&report))?;
    match first_fault {
        None => Ok(()),
        Some(fault) if exit_code(&fault) == 130 => Err(Fault::Interrupted(format!(
            "interrupted; the same command with --resume does the {} that are left",
            report.failed + report.not_begun
        ))
        .into()),
        Some(fault) => Err(fault.context(format!("{faults} of {} inputs", jobs.len()))),
    }
}

/// Whether the output is a whole file already, every checksum of it right.
fn is_complete(job: &Job) -> bool {
    job.output.is_file()
        && read_input(&job.output).is_ok_and(|bytes| Reader::open(&bytes).and_then(|r| r.verify()).is_ok())
}

/// Removes a file that must not be there for the next call.
fn forget(job: &Job, path: &std::path::Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!("{}: cannot remove {}: {error}", job.input.display(), path.display());
    }
}

fn table(report: &Report) -> String {
    let mut table = Table::new(&["file", "quality", "size", "bits per sample", "time"]);
    for row in &report.files {
        match row {
            Row::Encoded(one) => table.row(vec![
                one.output.clone(),
                one.quality_text(),
                human_bytes(one.bytes),
                format!("{:.2}", one.bits_per_sample),
                duration(one.seconds),
            ]),
            Row::AlreadyThere { output, .. } => table.row(vec![output.clone(), "there already".to_owned()]),
            Row::Failed { input, .. } => table.row(vec![input.clone(), "failed".to_owned()]),
            Row::NotBegun { input, .. } => table.row(vec![input.clone(), "not begun".to_owned()]),
        }
    }
    format!(
        "{table}\n{} encoded, {} there already, {} failed, {} not begun, in {}",
        report.encoded,
        report.already_there,
        report.failed,
        report.not_begun,
        duration(report.seconds)
    )
}
