//! `tessera decode`: a file to a picture.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::grid::SampleBox;

use super::describe::{bounding_box, box_text, in_option, intersect, open};
use crate::arguments::DecodeArguments;
use crate::decoding;
use crate::errors::usage_fault;
use crate::media::{PictureFormat, encode_picture, has_absent, render};
use crate::output::{Destination, is_stream, read_input};
use crate::report::{Reporter, duration};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct DecodeReport {
    output: String,
    region: String,
    rows: usize,
    columns: usize,
    samples: usize,
    kept_partitions: usize,
    absent_partitions_shown: bool,
    macs_per_sample: u64,
    seconds: f64,
    bytes: usize,
}

pub(super) fn run(arguments: &DecodeArguments, reporter: &Reporter) -> Result<()> {
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    let format = if is_stream(&arguments.output) { PictureFormat::Png } else { PictureFormat::of(&arguments.output)? };
    decoding::use_threads(arguments.threads)?;
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let bounds: SampleBox = match &arguments.region {
        Some(selector) => in_option("--region", selector.bounds(reader.signal(), reader.grid()))?,
        None if arguments.canvas => reader.grid().canvas(),
        None => bounding_box(reader.grid(), reader.present()),
    };
    let view = view(arguments, &bounds)?;
    let document = anyhow::Context::with_context(reader.document(), || crate::output::shown(&arguments.input))?;
    let absent = has_absent(&document.field, &view)?;
    if absent && arguments.region.is_some() {
        let touched = arguments
            .region
            .as_ref()
            .map(|s| s.partitions(reader.signal(), reader.grid(), tessera_core::selection::Snap::Outer));
        if let Some(Ok(touched)) = touched
            && intersect(&touched, reader.present()).is_empty()
        {
            return Err(usage_fault(format!(
                "--region: nothing of {} is in this file; it holds {}",
                box_text(&bounds),
                box_text(&bounding_box(reader.grid(), reader.present()))
            )));
        }
    }
    let started = Instant::now();
    let picture = render(&document.field, &document.signal, &view, arguments.fill)?;
    let seconds = started.elapsed().as_secs_f64();
    let encoded = encode_picture(&picture, format)?;
    destination.write(&encoded)?;
    let report = DecodeReport {
        output: destination.shown(),
        region: box_text(&bounds),
        rows: view.shape()[0],
        columns: view.shape()[1],
        samples: view.samples(),
        kept_partitions: reader.present().len(),
        absent_partitions_shown: absent,
        macs_per_sample: reader.spec().multiply_adds_per_sample(),
        seconds,
        bytes: encoded.len(),
    };
    reporter.summary(&report, || {
        format!(
            "wrote {}: {} wide, {} high, decoded in {}{}",
            report.output,
            report.columns,
            report.rows,
            duration(report.seconds),
            match (absent, arguments.fill) {
                (true, None) => "; absent partitions are transparent",
                (true, Some(_)) => "; absent partitions are filled",
                _ => "",
            }
        )
    })
}

fn view(arguments: &DecodeArguments, bounds: &SampleBox) -> Result<View> {
    if !(arguments.scale.is_finite() && arguments.scale > 0.0) {
        return Err(usage_fault(format!("--scale must be a positive number, not {}", arguments.scale)));
    }
    if (arguments.scale - 1.0).abs() < f64::EPSILON {
        return Ok(View::region(bounds));
    }
    let edges: Vec<_> = bounds.iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate; the view has limits"
    )]
    let shape: Vec<u32> = edges.iter().map(|r| ((r.end - r.start) * arguments.scale).round().max(1.0) as u32).collect();
    let view = in_option("--scale", View::resampled(&edges, &shape))?;
    Ok(if arguments.nearest { view.nearest() } else { view })
}
