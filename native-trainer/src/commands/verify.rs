//! `tessera verify`: every check that the format promises, and a word on each.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::describe::open;
use crate::arguments::VerifyArguments;
use crate::output::{read_input, shown};
use crate::report::{Reporter, bytes as human_bytes};

/// What `--json` prints; a file that fails ends in an error instead.
#[derive(Debug, Serialize)]
struct VerifyReport {
    file: String,
    valid: bool,
    bytes: u64,
    chunks: usize,
    partitions: u32,
    kept_partitions: usize,
    parameters: u64,
    file_id: String,
}

pub(super) fn run(arguments: &VerifyArguments, reporter: &Reporter) -> Result<()> {
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    reader.verify().with_context(|| shown(&arguments.input))?;
    let report = VerifyReport {
        file: shown(&arguments.input),
        valid: true,
        bytes: reader.file_bytes(),
        chunks: reader.chunks().iter().filter(|chunk| chunk.bytes > 0).count(),
        partitions: reader.grid().partitions(),
        kept_partitions: reader.present().len(),
        parameters: reader.parameters(),
        file_id: reader.file_id().to_string(),
    };
    reporter.answer(&report, || {
        format!(
            "{}: sound ({}, {} chunks with matching checksums, {} of {} partitions)",
            report.file,
            human_bytes(report.bytes),
            report.chunks,
            report.kept_partitions,
            report.partitions
        )
    })
}
