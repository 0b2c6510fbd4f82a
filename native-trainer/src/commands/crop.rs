//! `tessera crop`: copies the bytes of the partitions that stay, and says what was really kept.

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::error::Error;
use tessera_core::format::{self, Reader};
use tessera_core::selection::{Selector, Snap};

use super::describe::{bounding_box, box_text, intersect, open};
use crate::arguments::CropArguments;
use crate::errors::usage_fault;
use crate::output::{Destination, read_input, shown};
use crate::report::{Facts, Reporter, bytes as human_bytes, grouped};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct CropReport {
    output: String,
    kept_partitions: usize,
    partitions_before: usize,
    partitions: u32,
    kept: Vec<u32>,
    kept_box: String,
    snap: String,
    parameters: u64,
    parameters_before: u64,
    bytes: u64,
    bytes_before: u64,
}

pub(super) fn run(arguments: &CropArguments, reporter: &Reporter) -> Result<()> {
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let keeping = arguments.drop.is_empty();
    let snap = arguments.snap.map_or(if keeping { Snap::Outer } else { Snap::Inner }, Into::into);
    let keep = if keeping {
        intersect(&union(&arguments.keep, &reader, snap).context("--keep")?, reader.present())
    } else {
        let dropped = union(&arguments.drop, &reader, snap).context("--drop")?;
        reader.present().iter().copied().filter(|p| dropped.binary_search(p).is_err()).collect()
    };
    if keep.is_empty() {
        return Err(usage_fault(format!(
            "nothing would be kept: {} holds {} ({} of {} partitions), the selection with --snap {snap} leaves none of it",
            shown(&arguments.input),
            box_text(&bounding_box(reader.grid(), reader.present())),
            reader.present().len(),
            reader.grid().partitions()
        )));
    }
    let cropped = format::crop(&bytes, &keep).with_context(|| shown(&arguments.input))?;
    destination.write(&cropped)?;
    let report = CropReport {
        output: destination.shown(),
        kept_partitions: keep.len(),
        partitions_before: reader.present().len(),
        partitions: reader.grid().partitions(),
        kept_box: box_text(&bounding_box(reader.grid(), &keep)),
        snap: snap.to_string(),
        parameters: reader.spec().parameters(keep.len() as u64),
        parameters_before: reader.parameters(),
        bytes: cropped.len() as u64,
        bytes_before: reader.file_bytes(),
        kept: keep,
    };
    reporter.summary(&report, || summary(&report, &reader))
}

/// Partitions of any of the selectors, ascending.
fn union(selectors: &[Selector], reader: &Reader<'_>, snap: Snap) -> Result<Vec<u32>, Error> {
    let mut all = Vec::new();
    for selector in selectors {
        all.extend(selector.partitions(reader.signal(), reader.grid(), snap)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn summary(report: &CropReport, reader: &Reader<'_>) -> String {
    let share = report.bytes as f64 / report.bytes_before as f64 * 100.0;
    let boxed = bounding_box(reader.grid(), &report.kept);
    let solid = super::describe::present_samples(reader.grid(), &report.kept)
        == boxed.iter().map(|r| u64::from(r.end - r.start)).product::<u64>();
    let time = super::describe::seconds_text(reader.signal(), &boxed).map_or_else(String::new, |t| format!(", {t}"));
    let shape = if solid { "" } else { " (with gaps)" };
    Facts::new()
        .with("wrote", &report.output)
        .with(
            "kept",
            format_args!(
                "{} of {} partitions: {}{time}{shape}",
                report.kept_partitions, report.partitions_before, report.kept_box
            ),
        )
        .with(
            "size",
            format_args!("{} of {} ({share:.1} %)", human_bytes(report.bytes), human_bytes(report.bytes_before)),
        )
        .with("parameters", format_args!("{} of {}", grouped(report.parameters), grouped(report.parameters_before)))
        .to_string()
}
