//! Comparing pictures.

use anyhow::Result;
use serde::Serialize;
use tessera_core::grid::SampleBox;
use tessera_core::metrics;

use super::{Input, Side, seam_text};
use crate::arguments::CompareArguments;
use crate::commands::describe::box_text;
use crate::errors::usage_fault;
use crate::quality;
use crate::report::{Facts, Reporter, decibels, finite};

/// What `--json` prints. `bytes` and `bits_per_sample` are those of the field (of A where both or neither are).
#[derive(Debug, Serialize)]
struct CompareReport {
    a: Side,
    b: Side,
    identical: bool,
    psnr_db: Option<f64>,
    ssim: Option<f64>,
    mse: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    paper_psnr_db: Option<f64>,
    bytes: u64,
    bits_per_sample: f64,
    compared_box: String,
    compared_samples: u64,
}

/// An input as unit values, not clamped, on a box of some canvas; NaN where it has nothing.
struct Loaded {
    side: Side,
    canvas: Vec<u32>,
    bounds: SampleBox,
    channels: usize,
    alpha: bool,
    values: Vec<f32>,
}

pub(super) fn run(arguments: &CompareArguments, a: Input, b: Input, reporter: &Reporter) -> Result<()> {
    let (mut a, mut b) = (loaded(a), loaded(b));
    align(&mut a, &mut b)?;
    let (channels, alpha) = (a.channels.max(b.channels), a.alpha || b.alpha);
    let channels = if alpha && channels == 3 { 4 } else { channels };
    promote(&mut a, channels, alpha);
    promote(&mut b, channels, alpha);
    let (rows, columns) = extent(&a.bounds);
    let quality = quality::compare(&a.values, &b.values, rows, columns, channels)?;
    let (prediction, truth) = if b.side.field && !a.side.field { (&b, &a) } else { (&a, &b) };
    let paper = arguments.paper_metric.then(|| stretched(&prediction.values, &truth.values)).transpose()?;
    let compared = a.values.iter().zip(&b.values).filter(|(x, y)| !(x.is_nan() || y.is_nan())).count() / channels;
    let report = CompareReport {
        identical: quality.psnr_db.is_infinite(),
        psnr_db: finite(quality.psnr_db),
        ssim: quality.ssim,
        mse: quality.mse,
        paper_psnr_db: paper.and_then(finite),
        bytes: prediction.side.bytes,
        bits_per_sample: prediction.side.bits_per_sample,
        compared_box: box_text(&a.bounds),
        compared_samples: compared as u64,
        a: a.side.clone(),
        b: b.side.clone(),
    };
    reporter.answer(&report, || {
        Facts::new()
            .with("a", &report.a)
            .with("b", &report.b)
            .with(
                "compared",
                format_args!("{} samples in {}", crate::report::grouped(report.compared_samples), report.compared_box),
            )
            .with("PSNR", decibels(quality.psnr_db))
            .with("SSIM", quality.ssim.map_or("not defined where samples are absent".to_owned(), |s| format!("{s:.4}")))
            .with_some("PSNR as published", paper.map(decibels))
            .with_some("seams", seam_text(&report.a, &report.b))
            .to_string()
    })
}

fn loaded(Input { side, info, bounds, mut values, .. }: Input) -> Loaded {
    values.iter_mut().for_each(|v| *v = *v * 0.5 + 0.5);
    Loaded { side, canvas: info.shape, bounds, channels: info.channels as usize, alpha: info.alpha, values }
}

fn extent(bounds: &SampleBox) -> (usize, usize) {
    let length = |axis: usize| (bounds[axis].end - bounds[axis].start) as usize;
    (length(0), length(1))
}

/// Brings both to one box: the common part where they share a canvas, the whole where only their sizes agree (a crop
/// and the picture decoded from it).
fn align(a: &mut Loaded, b: &mut Loaded) -> Result<()> {
    if a.canvas == b.canvas {
        let common = common_box(&a.bounds, &b.bounds).ok_or_else(|| {
            usage_fault(format!("{} and {} hold different parts of the picture", a.side.file, b.side.file))
        })?;
        cut(a, &common);
        cut(b, &common);
        return Ok(());
    }
    if extent(&a.bounds) != extent(&b.bounds) {
        let size = |l: &Loaded| format!("{} ({} wide, {} high)", l.side.file, extent(&l.bounds).1, extent(&l.bounds).0);
        return Err(usage_fault(format!("{} and {} differ in size", size(a), size(b))));
    }
    if b.side.field {
        a.bounds.clone_from(&b.bounds)
    } else {
        b.bounds.clone_from(&a.bounds)
    }
    Ok(())
}

fn cut(loaded: &mut Loaded, bounds: &SampleBox) {
    if *bounds == loaded.bounds {
        return;
    }
    let (_, columns) = extent(&loaded.bounds);
    let (rows, width) = extent(bounds);
    let (top, left) =
        ((bounds[0].start - loaded.bounds[0].start) as usize, (bounds[1].start - loaded.bounds[1].start) as usize);
    let row = |r: usize| ((top + r) * columns + left) * loaded.channels;
    loaded.values =
        (0..rows).flat_map(|r| loaded.values[row(r)..row(r) + width * loaded.channels].iter().copied()).collect();
    loaded.bounds.clone_from(bounds);
}

fn promote(loaded: &mut Loaded, channels: usize, alpha: bool) {
    let values = std::mem::take(&mut loaded.values);
    loaded.values = promoted(values, loaded.channels, loaded.alpha, channels, alpha);
    (loaded.channels, loaded.alpha) = (channels, alpha);
}

/// The part that two boxes of one canvas have in common, if any.
pub(super) fn common_box(a: &SampleBox, b: &SampleBox) -> Option<SampleBox> {
    let common: SampleBox = a.iter().zip(b).map(|(x, y)| x.start.max(y.start)..x.end.min(y.end)).collect();
    common.iter().all(|r| r.start < r.end).then_some(common)
}

/// Grey becomes RGB and a missing opacity 1 (in stored and in unit values), so that a PNG that an editor saved with other channels still
/// compares.
pub(super) fn promoted(values: Vec<f32>, own: usize, own_alpha: bool, channels: usize, alpha: bool) -> Vec<f32> {
    if own == channels {
        return values;
    }
    let colours = channels - usize::from(alpha);
    let own_colours = own - usize::from(own_alpha);
    let mut out = Vec::with_capacity(values.len() / own * channels);
    for v in values.chunks_exact(own) {
        out.extend((0..colours).map(|c| v[c.min(own_colours - 1)]));
        if alpha {
            out.push(match (own_alpha, v[0].is_nan()) {
                (true, _) => v[own - 1],
                (false, true) => f32::NAN,
                (false, false) => 1.0,
            });
        }
    }
    out
}

fn stretched(prediction: &[f32], truth: &[f32]) -> Result<f64> {
    let (p, t): (Vec<f32>, Vec<f32>) =
        prediction.iter().zip(truth).filter(|(p, t)| !(p.is_nan() || t.is_nan())).map(|(p, t)| (*p, *t)).unzip();
    Ok(metrics::stretched_psnr_db(&p, &t)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(channels: usize, alpha: bool, values: &[f32]) -> Loaded {
        let columns = u32::try_from(values.len() / channels).unwrap();
        Loaded {
            side: Side { file: "x".into(), field: false, bytes: 1, bits_per_sample: 1.0, seam: None },
            canvas: vec![1, columns],
            bounds: vec![0..1, 0..columns],
            channels,
            alpha,
            values: values.to_vec(),
        }
    }

    #[test]
    fn grey_and_opacity_are_promoted() {
        let mut grey = picture(1, false, &[0.25, 0.5]);
        promote(&mut grey, 4, true);
        assert_eq!(grey.values, [0.25, 0.25, 0.25, 1.0, 0.5, 0.5, 0.5, 1.0]);
        let mut grey_alpha = picture(2, true, &[0.25, 0.5]);
        promote(&mut grey_alpha, 4, true);
        assert_eq!(grey_alpha.values, [0.25, 0.25, 0.25, 0.5]);
    }

    #[test]
    fn the_common_part_is_cut_out() {
        let mut a = picture(1, false, &[0.0, 0.1, 0.2, 0.3]);
        let mut b = picture(1, false, &[0.2, 0.3]);
        (b.canvas, b.bounds) = (vec![1, 4], vec![0..1, 2..4]);
        align(&mut a, &mut b).unwrap();
        assert_eq!(a.values, [0.2, 0.3]);
        let mut c = picture(1, false, &[0.0; 3]);
        assert!(align(&mut a, &mut c).is_err());
    }
}
