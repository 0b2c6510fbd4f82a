//! Comparing clips frame by frame: neither is ever in memory as a whole.

use anyhow::Result;
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::field::Field;
use tessera_core::grid::{Grid, SampleBox};
use tessera_core::metrics::SeamSums;
use tessera_core::signal::SignalInfo;

use super::picture::{common_box, promoted};
use super::{Side, seam_text};
use crate::commands::describe::box_text;
use crate::decoding;
use crate::errors::usage_fault;
use crate::quality::ClipQuality;
use crate::report::{Facts, Reporter, decibels, finite, grouped};
use crate::samples::Samples;

/// What `--json` prints. `bytes` and `bits_per_sample` are those of the field (of A where both or neither are).
#[derive(Debug, Serialize)]
struct CompareReport {
    a: Side,
    b: Side,
    identical: bool,
    /// Over all frames, as published.
    psnr_db: Option<f64>,
    /// Mean over the frames that are not identical.
    frame_psnr_db: Option<f64>,
    identical_frames: u64,
    ssim: Option<f64>,
    mse: f64,
    bytes: u64,
    bits_per_sample: f64,
    compared_box: String,
    compared_frames: u64,
    compared_samples: u64,
}

/// One of the two, on a box of some canvas.
pub(super) struct ClipInput {
    pub(super) side: Side,
    pub(super) info: SignalInfo,
    pub(super) bounds: SampleBox,
    pub(super) content: Content,
}

/// Where frames come from.
pub(super) enum Content {
    Field(Field),
    Samples(Samples),
}

impl ClipInput {
    /// Where its partitions lie, if it has any.
    fn grid(&self) -> Option<&Grid> {
        match &self.content {
            Content::Field(field) => Some(field.grid()),
            Content::Samples(_) => None,
        }
    }

    /// The stored values of a box, in coordinates of the canvas; NaN where it has nothing.
    fn values(&self, bounds: &SampleBox) -> Result<Vec<f32>> {
        match &self.content {
            Content::Field(field) => Ok(decoding::decode(field, &View::region(bounds))?),
            Content::Samples(samples) => Ok(samples.of_box(bounds)?),
        }
    }
}

pub(super) fn run(a: &ClipInput, b: &ClipInput, reporter: &Reporter) -> Result<()> {
    let boxes = boxes(a, b)?;
    let channels = a.info.channels.max(b.info.channels);
    let alpha = a.info.alpha || b.info.alpha;
    let channels = if alpha && channels == 3 { 4 } else { channels } as usize;
    let length = |axis: usize| boxes[0][axis].end - boxes[0][axis].start;
    let (frames, rows, columns) = (length(0), length(1) as usize, length(2) as usize);
    let at_a_time = u32::try_from(decoding::frames_at_a_time(rows * columns))?;
    let mut sums = ClipQuality::default();
    let grid = a.grid().or(b.grid());
    let mut seams = [SeamSums::default(), SeamSums::default()];
    let [seam_a, seam_b] = &mut seams;
    for first in (0..frames).step_by(at_a_time as usize) {
        let part = |input: &ClipInput, bounds: &SampleBox, seams: &mut SeamSums| -> Result<Vec<f32>> {
            let mut own = bounds.clone();
            own[0] = bounds[0].start + first..bounds[0].start + first.saturating_add(at_a_time).min(frames);
            let values = input.values(&own)?;
            if let Some(grid) = grid.filter(|grid| grid.shape() == input.info.shape) {
                seams.add(&values, &own, input.info.channels as usize, grid)?;
            }
            Ok(promoted(values, input.info.channels as usize, input.info.alpha, channels, alpha))
        };
        sums.add(&part(a, &boxes[0], seam_a)?, &part(b, &boxes[1], seam_b)?, rows, columns, channels)?;
    }
    let quality = sums.total()?;
    let prediction = if b.side.field && !a.side.field { b } else { a };
    let report = CompareReport {
        identical: quality.psnr_db.is_infinite(),
        psnr_db: finite(quality.psnr_db),
        frame_psnr_db: finite(sums.mean_psnr_db()),
        identical_frames: sums.identical_frames(),
        ssim: quality.ssim,
        mse: quality.mse,
        bytes: prediction.side.bytes,
        bits_per_sample: prediction.side.bits_per_sample,
        compared_box: box_text(&boxes[0]),
        compared_frames: sums.frames(),
        compared_samples: sums.values() / channels as u64,
        a: Side { seam: seams[0].ratio(), ..a.side.clone() },
        b: Side { seam: seams[1].ratio(), ..b.side.clone() },
    };
    reporter.answer(&report, || {
        Facts::new()
            .with("a", &report.a)
            .with("b", &report.b)
            .with(
                "compared",
                format_args!(
                    "{} samples of {} frames in {}",
                    grouped(report.compared_samples),
                    report.compared_frames,
                    report.compared_box
                ),
            )
            .with("PSNR", format_args!("{} over all frames", decibels(quality.psnr_db)))
            .with(
                "PSNR by frame",
                format_args!("{} on average{}", decibels(sums.mean_psnr_db()), of_different(&report)),
            )
            .with(
                "SSIM",
                quality
                    .ssim
                    .map_or("not defined where samples are absent".to_owned(), |s| format!("{s:.4} on average")),
            )
            .with_some("seams", seam_text(&report.a, &report.b))
            .to_string()
    })
}

/// Frames that a mean leaves out.
fn of_different(report: &CompareReport) -> String {
    match report.identical_frames {
        0 => String::new(),
        all if all == report.compared_frames => String::new(),
        some => format!(" of those that differ, {some} are identical"),
    }
}

/// What is compared, in the coordinates of either: the common part where they share a canvas, the whole where only their
/// sizes agree (a crop and the clip decoded from it).
fn boxes(a: &ClipInput, b: &ClipInput) -> Result<[SampleBox; 2]> {
    if a.info.shape == b.info.shape {
        let common = common_box(&a.bounds, &b.bounds).ok_or_else(|| {
            usage_fault(format!("{} and {} hold different parts of the clip", a.side.file, b.side.file))
        })?;
        return Ok([common.clone(), common]);
    }
    let size = |bounds: &SampleBox| -> Vec<u32> { bounds.iter().map(|r| r.end - r.start).collect() };
    let (own, other) = (size(&a.bounds), size(&b.bounds));
    if own != other {
        let described =
            |side: &Side, s: &[u32]| format!("{} ({} frames, {} wide, {} high)", side.file, s[0], s[2], s[1]);
        return Err(usage_fault(format!(
            "{} and {} differ in size; --frames, --frame-rate and --resize choose a part of a clip",
            described(&a.side, &own),
            described(&b.side, &other)
        )));
    }
    Ok([a.bounds.clone(), b.bounds.clone()])
}
