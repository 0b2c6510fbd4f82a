//! Comparing sounds.

use std::ops::Range;

use anyhow::Result;
use serde::Serialize;

use super::{Input, Side, seam_text};
use crate::arguments::CompareArguments;
use crate::commands::describe::seconds_text;
use crate::errors::usage_fault;
use crate::report::{Facts, Reporter, decibels, finite, grouped};

/// What `--json` prints. Figures are in units of the sound's peak, as published.
#[derive(Debug, Serialize)]
struct CompareReport {
    a: Side,
    b: Side,
    identical: bool,
    psnr_db: Option<f64>,
    /// Power of B, or of whichever is no field, over the power of the difference.
    snr_db: Option<f64>,
    mse: f64,
    max_difference: f64,
    bytes: u64,
    bits_per_sample: f64,
    compared_box: String,
    compared_samples: u64,
}

pub(super) fn run(arguments: &CompareArguments, a: Input, b: Input, reporter: &Reporter) -> Result<()> {
    if arguments.paper_metric {
        return Err(usage_fault("--paper-metric is for pictures; the PSNR of sounds is the published one anyway"));
    }
    let aligned = align(&a, &b)?;
    let mut sides = [(&a, &aligned.a), (&b, &aligned.b)];
    if b.side.field && !a.side.field {
        sides.reverse();
    }
    let [(prediction, p), (truth, t)] = sides;
    // The published scale is the whole sound's peak, which a part of it may not reach but a field remembers.
    let peak = f64::from(if prediction.side.field { prediction.info.amplitude } else { truth.info.amplitude });
    let scale = |input: &Input| f64::from(input.info.amplitude) / peak;
    let figures = Figures::of(part(prediction, p), scale(prediction), part(truth, t), scale(truth));
    let Some(figures) = figures else { return Err(usage_fault("no sample is present in both")) };
    let psnr_db = a.info.kind.psnr_db(figures.mse);
    let channels = a.info.channels as usize;
    let report = CompareReport {
        identical: figures.max_difference == 0.0,
        psnr_db: finite(psnr_db),
        snr_db: finite(figures.snr_db),
        mse: figures.mse,
        max_difference: figures.max_difference,
        bytes: prediction.side.bytes,
        bits_per_sample: prediction.side.bits_per_sample,
        compared_box: format!("{}..{}", aligned.shown.start, aligned.shown.end),
        compared_samples: (figures.values / channels) as u64,
        a: a.side.clone(),
        b: b.side.clone(),
    };
    reporter.answer(&report, || {
        let place = seconds_text(&aligned.named.info, &vec![aligned.shown.clone()]).unwrap_or_default();
        Facts::new()
            .with("a", &report.a)
            .with("b", &report.b)
            .with("compared", format_args!("{} samples, {place}", grouped(report.compared_samples)))
            .with("PSNR", decibels(psnr_db))
            .with(
                "SNR",
                if figures.snr_db == f64::NEG_INFINITY {
                    "not defined of silence".to_owned()
                } else {
                    decibels(figures.snr_db)
                },
            )
            .with("largest difference", format_args!("{:.5} of the peak", report.max_difference))
            .with_some("seams", seam_text(&report.a, &report.b))
            .to_string()
    })
}

/// The samples of both that belong together, within what was loaded of each, and where they lie.
struct Aligned<'a> {
    a: Range<usize>,
    b: Range<usize>,
    named: &'a Input,
    shown: Range<u32>,
}

/// The common part where both share a canvas, the whole where only their lengths agree (a crop and the file decoded
/// from it).
fn align<'a>(a: &'a Input, b: &'a Input) -> Result<Aligned<'a>> {
    if a.info.channels != b.info.channels || a.info.rate != b.info.rate {
        let described = |i: &Input| {
            format!("{} has {} channels at {} Hz", i.side.file, i.info.channels, i.info.rate_hz().unwrap_or(0.0))
        };
        return Err(usage_fault(format!("{}, {}: they cannot be compared", described(a), described(b))));
    }
    let (within_a, within_b) = (&a.bounds[0], &b.bounds[0]);
    if a.info.shape == b.info.shape {
        let shown = within_a.start.max(within_b.start)..within_a.end.min(within_b.end);
        if shown.start >= shown.end {
            return Err(usage_fault(format!("{} and {} hold different parts of the sound", a.side.file, b.side.file)));
        }
        let local = |own: &Range<u32>| (shown.start - own.start) as usize..(shown.end - own.start) as usize;
        return Ok(Aligned { a: local(within_a), b: local(within_b), named: a, shown });
    }
    if within_a.len() != within_b.len() {
        return Err(usage_fault(format!(
            "{} ({} samples) and {} ({} samples) differ in length",
            a.side.file,
            within_a.len(),
            b.side.file,
            within_b.len()
        )));
    }
    let named = if b.side.field { b } else { a };
    Ok(Aligned { a: 0..within_a.len(), b: 0..within_b.len(), named, shown: named.bounds[0].clone() })
}

fn part<'a>(input: &'a Input, samples: &Range<usize>) -> &'a [f32] {
    let channels = input.info.channels as usize;
    &input.values[samples.start * channels..samples.end * channels]
}

struct Figures {
    mse: f64,
    snr_db: f64,
    max_difference: f64,
    /// Values that are present in both.
    values: usize,
}

impl Figures {
    /// Stored values of both, which are clamped, in units of 1 over their scales; `None` where none is in both.
    fn of(prediction: &[f32], prediction_scale: f64, truth: &[f32], truth_scale: f64) -> Option<Self> {
        let (mut noise, mut power, mut largest, mut values) = (0.0, 0.0, 0.0_f64, 0_usize);
        for (p, t) in prediction.iter().zip(truth).filter(|(p, t)| !(p.is_nan() || t.is_nan())) {
            let truth = f64::from(t.clamp(-1.0, 1.0)) * truth_scale;
            let difference = f64::from(p.clamp(-1.0, 1.0)) * prediction_scale - truth;
            noise += difference * difference;
            power += truth * truth;
            largest = largest.max(difference.abs());
            values += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
        let mse = noise / values as f64;
        let snr_db = 10.0 * (power / noise).log10();
        (values > 0).then_some(Self { mse, snr_db, max_difference: largest, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_noise_has_known_figures() {
        let truth = [1.0, -1.0, 1.0, f32::NAN, 1.0];
        let prediction = [0.9, -0.9, 1.1, 0.0, f32::NAN];
        // 1.1 is clamped, as it is when it is written.
        let figures = Figures::of(&prediction, 1.0, &truth, 1.0).unwrap();
        assert_eq!(figures.values, 3);
        assert!((figures.mse - 0.02 / 3.0).abs() < 1e-8);
        assert!((figures.snr_db - 10.0 * 150.0_f64.log10()).abs() < 1e-5);
        assert!((figures.max_difference - 0.1).abs() < 1e-7);
        // Half as loud, twice the scale: the same.
        let halved: Vec<f32> = prediction.iter().map(|v| v / 2.0).collect();
        assert!((Figures::of(&halved[..2], 2.0, &truth[..2], 1.0).unwrap().mse - 0.01).abs() < 1e-8);
        assert!(Figures::of(&[f32::NAN], 1.0, &[0.0], 1.0).is_none());
    }
}
