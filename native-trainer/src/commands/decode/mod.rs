//! `tessera decode`: a file to what it was made of. What all kinds share is here: the file, the region, the view.

mod picture;
mod shape;

use std::ops::Range;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::error::{Error, Unsupported};
use tessera_core::eval::{View, shows_absent};
use tessera_core::format::Document;
use tessera_core::grid::SampleBox;
use tessera_core::selection::Snap;
use tessera_core::signal::SignalKind;

use super::describe::{bounding_box, box_text, in_option, intersect, kept_box, open};
use crate::arguments::DecodeArguments;
use crate::decoding;
use crate::errors::usage_fault;
use crate::output::{Destination, read_input, shown};
use crate::report::Reporter;

/// What `--json` prints for every kind; each adds its own size.
#[derive(Debug, Serialize)]
struct DecodeReport<S> {
    output: String,
    region: String,
    #[serde(flatten)]
    size: S,
    samples: usize,
    kept_partitions: usize,
    absent_partitions_shown: bool,
    macs_per_sample: u64,
    seconds: f64,
    bytes: usize,
}

/// An opened file, and what of it is wanted where.
struct Request<'a> {
    arguments: &'a DecodeArguments,
    destination: Destination,
    document: Document,
    /// The region, in samples of the canvas.
    bounds: SampleBox,
}

pub(super) fn run(arguments: &DecodeArguments, reporter: &Reporter) -> Result<()> {
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    decoding::use_threads(arguments.threads)?;
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let kind = reader.signal().kind;
    let bounds: SampleBox = match &arguments.region {
        Some(selector) => in_option("--region", selector.bounds(reader.signal(), reader.grid()))?,
        None if arguments.canvas => reader.grid().canvas(),
        None => kept_box(&reader),
    };
    let document = reader.document().with_context(|| shown(&arguments.input))?;
    let request = Request { arguments, destination, document, bounds };
    request.refuse_empty()?;
    match kind {
        SignalKind::Picture => picture::run(&request, reporter),
        SignalKind::Shape => shape::run(&request, reporter),
        SignalKind::Sound | SignalKind::Video => Err(Error::Unsupported(Unsupported {
            feature: format!("decoding {}", kind.with_article()),
            advice: "get a newer Tessera".to_owned(),
        })
        .into()),
    }
}

impl Request<'_> {
    /// Refuses a region of which the file holds nothing.
    fn refuse_empty(&self) -> Result<()> {
        let Some(selector) = &self.arguments.region else { return Ok(()) };
        let field = &self.document.field;
        let touched = in_option("--region", selector.partitions(&self.document.signal, field.grid(), Snap::Outer))?;
        if intersect(&touched, field.present()).is_empty() {
            return Err(usage_fault(format!(
                "--region: nothing of {} is in this file; it holds {}",
                box_text(&self.bounds),
                box_text(&bounding_box(field.grid(), field.present()))
            )));
        }
        Ok(())
    }

    /// The region as a view, with `--scale` applied to the axes `scaled`.
    fn view(&self, scaled: Range<usize>) -> Result<View> {
        let DecodeArguments { scale, resolution, nearest, .. } = *self.arguments;
        let longest = self.bounds.iter().enumerate().filter(|(axis, _)| scaled.contains(axis));
        let longest = longest.map(|(_, r)| r.end - r.start).max().unwrap_or(1);
        let scale = resolution.map_or(scale, |n| f64::from(n) / f64::from(longest.max(1)));
        if !(scale.is_finite() && scale > 0.0) {
            return Err(usage_fault(format!("--scale must be a positive number, not {scale}")));
        }
        if (scale - 1.0).abs() < f64::EPSILON {
            return Ok(View::region(&self.bounds));
        }
        let edges: Vec<_> = self.bounds.iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
        let axis_scale = |axis: usize| if scaled.contains(&axis) { scale } else { 1.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate; the view has limits"
        )]
        let shape: Vec<u32> = edges
            .iter()
            .enumerate()
            .map(|(axis, r)| ((r.end - r.start) * axis_scale(axis)).round().max(1.0) as u32)
            .collect();
        let view = in_option("--scale", View::resampled(&edges, &shape))?;
        Ok(if nearest { view.nearest() } else { view })
    }

    /// Writes the finished output and reports it with the kind's own figures of its size.
    fn finish<S: Serialize>(&self, size: S, view: &View, seconds: f64, output: &[u8]) -> Result<DecodeReport<S>> {
        self.destination.write(output)?;
        let field = &self.document.field;
        Ok(DecodeReport {
            output: self.destination.shown(),
            region: box_text(&self.bounds),
            size,
            samples: view.samples(),
            kept_partitions: field.present().len(),
            absent_partitions_shown: shows_absent(field, view)?,
            macs_per_sample: field.spec().multiply_adds_per_sample(),
            seconds,
            bytes: output.len(),
        })
    }
}
