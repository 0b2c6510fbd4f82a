//! `tessera decode`: a file to what it was made of. What all kinds share is here: the file, the region, the view.

mod clip;
mod picture;
mod shape;
mod sound;

use std::ops::Range;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::eval::{View, shows_absent};
use tessera_core::format::Document;
use tessera_core::grid::SampleBox;
use tessera_core::selection::Snap;
use tessera_core::signal::SignalKind;

use super::describe::{bounding_box, box_text, in_option, intersect, kept_box, open};
use crate::arguments::DecodeArguments;
use crate::decoding;
use crate::errors::usage_fault;
use crate::media::clip::ClipFormat;
use crate::output::{Destination, is_same, is_stream, read_input, shown};
use crate::report::Reporter;

/// What `--json` prints for every kind; each adds its own size.
#[derive(Debug, Serialize)]
struct DecodeReport<S> {
    output: String,
    region: String,
    #[serde(flatten)]
    size: S,
    samples: u64,
    kept_partitions: usize,
    absent_partitions_shown: bool,
    macs_per_sample: u64,
    seconds: f64,
    bytes: u64,
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
    decoding::use_threads(arguments.threads)?;
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let kind = reader.signal().kind;
    let (output, force, json) = (&arguments.output, arguments.force, reporter.json());
    if !is_stream(&arguments.input) && is_same(&arguments.input, output) {
        return Err(usage_fault(format!("-o {} is the input itself: name another file", output.display())));
    }
    let destination = match kind {
        SignalKind::Video => ClipFormat::of(output)?.destination(output, force, json)?,
        _ => Destination::new(output, force, json)?,
    };
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
        SignalKind::Sound => sound::run(&request, reporter),
        SignalKind::Video => clip::run(&request, reporter),
        SignalKind::Shape => shape::run(&request, reporter),
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

    /// How many times as densely as stored `--scale` or `--resolution` asks for samples.
    fn scale(&self) -> f64 {
        // Frames of a clip follow --frame-rate.
        let frames = usize::from(self.document.signal.kind == SignalKind::Video);
        let longest = self.bounds.iter().skip(frames).map(|r| r.end - r.start).max().unwrap_or(1);
        let DecodeArguments { scale, resolution, .. } = *self.arguments;
        resolution.map_or(scale, |n| f64::from(n) / f64::from(longest.max(1)))
    }

    /// Samples along each axis of the region at so many times its density.
    fn shape(&self, factors: &[f64]) -> Result<Vec<u32>> {
        let scale = self.scale();
        if !(scale.is_finite() && scale > 0.0) {
            return Err(usage_fault(format!("--scale must be a positive number, not {scale}")));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate; the view has limits"
        )]
        let scaled = |(range, factor): (&Range<u32>, &f64)| {
            (f64::from(range.end - range.start) * factor).round().max(1.0) as u32
        };
        Ok(self.bounds.iter().zip(factors).map(scaled).collect())
    }

    /// The region as a view, with `--scale` applied to the axes `scaled`.
    fn view(&self, scaled: Range<usize>) -> Result<View> {
        let (scale, nearest) = (self.scale(), self.arguments.nearest);
        let factor = |axis| if scaled.contains(&axis) { scale } else { 1.0 };
        let shape = self.shape(&(0..self.bounds.len()).map(factor).collect::<Vec<_>>())?;
        if (scale - 1.0).abs() < f64::EPSILON {
            return Ok(View::region(&self.bounds));
        }
        let edges: Vec<_> = self.bounds.iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
        let view = in_option("--scale", View::resampled(&edges, &shape))?;
        Ok(if nearest { view.nearest() } else { view })
    }

    /// Writes the finished output and reports it with the kind's own figures of its size.
    fn finish<S: Serialize>(&self, size: S, view: &View, seconds: f64, output: &[u8]) -> Result<DecodeReport<S>> {
        self.destination.write(output)?;
        let absent = shows_absent(&self.document.field, view)?;
        Ok(self.report(size, view.samples() as u64, absent, seconds, output.len() as u64))
    }

    /// Reports an output that is written.
    fn report<S: Serialize>(&self, size: S, samples: u64, absent: bool, seconds: f64, bytes: u64) -> DecodeReport<S> {
        let field = &self.document.field;
        DecodeReport {
            output: self.destination.shown(),
            region: box_text(&self.bounds),
            size,
            samples,
            kept_partitions: field.present().len(),
            absent_partitions_shown: absent,
            macs_per_sample: field.spec().multiply_adds_per_sample(),
            seconds,
            bytes,
        }
    }

    /// Whether the region shows a partition that is absent.
    fn shows_absent(&self) -> bool {
        let (grid, present) = (self.document.field.grid(), self.document.field.present());
        let touched = |partition: &u32| {
            let own = grid.partition_box(*partition);
            own.iter().zip(&self.bounds).all(|(a, b)| a.start < b.end && b.start < a.end)
        };
        (0..grid.partitions()).filter(|p| present.binary_search(p).is_err()).any(|p| touched(&p))
    }
}
