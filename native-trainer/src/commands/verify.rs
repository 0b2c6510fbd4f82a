//! `tessera verify`: every check that the format promises, and a word on each.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::describe::open;
use crate::arguments::VerifyArguments;
use crate::output::{read_input, shown};
use crate::report::{Reporter, bytes as human_bytes};

/// What `--json` prints for an intact file.
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
    /// CRC-32C of the decoded weights, in hexadecimal: the same on every machine.
    weights_checksum: String,
}

/// What `--json` prints for a file that fails; the error and the exit code say the same.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    valid: bool,
    reason: String,
}

pub(super) fn run(arguments: &VerifyArguments, reporter: &Reporter) -> Result<()> {
    let bytes = read_input(&arguments.input)?;
    let checked = open(&bytes, &arguments.input).and_then(|reader| {
        let document = reader.verified().with_context(|| shown(&arguments.input))?;
        Ok((reader, document.field.checksum()))
    });
    let (reader, weights) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            if reporter.json() {
                let finding =
                    Finding { file: shown(&arguments.input), valid: false, reason: error.root_cause().to_string() };
                reporter.answer(&finding, String::new)?;
            }
            return Err(error);
        }
    };
    let report = VerifyReport {
        file: shown(&arguments.input),
        valid: true,
        bytes: reader.file_bytes(),
        chunks: reader.chunks().iter().filter(|chunk| chunk.bytes > 0).count(),
        partitions: reader.grid().partitions(),
        kept_partitions: reader.present().len(),
        parameters: reader.parameters(),
        file_id: reader.file_id().to_string(),
        weights_checksum: format!("{weights:08x}"),
    };
    reporter.answer(&report, || {
        format!(
            "{}: intact ({}, {} chunks with matching checksums, {} of {} partitions)",
            report.file,
            human_bytes(report.bytes),
            report.chunks,
            report.kept_partitions,
            report.partitions
        )
    })
}
