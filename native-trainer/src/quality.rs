//! How near a decoded signal is to its source, by kind; for pictures PSNR and SSIM on all cores and in bounded memory.
//!
//! SSIM needs a neighbourhood of 11 rows, so a picture is cut into bands that overlap by 10: their means, weighted by
//! their valid positions, are the picture's mean, while the double-precision planes exist for one band per thread.

use anyhow::Result;
use rayon::prelude::*;
use tessera_core::error::Error;
use tessera_core::eval::View;
use tessera_core::field::Field;
use tessera_core::format::Reader;
use tessera_core::metrics;
use tessera_core::signal::{ShapeValue, SignalInfo, SignalKind};

use crate::decoding;
use crate::samples::Samples;

/// How near two signals are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Mean of squared differences over the samples that exist in both; of pictures between values in [0, 1].
    pub mse: f64,
    /// The same in decibels, as published for the kind of signal; infinite for identical signals.
    pub psnr_db: f64,
    /// Structural similarity of pictures; `None` where samples are absent, for it is defined on whole rectangles.
    pub ssim: Option<f64>,
    /// Intersection over union of the insides of shapes.
    pub iou: Option<f64>,
}

/// Decodes the bytes as they were written and compares them with the source: what users will see.
///
/// # Errors
/// Those of the format and of decoding, and where the source cannot be read.
pub fn of_written(written: &[u8], source: &Samples) -> Result<Quality> {
    let field = Reader::open(written)?.document()?.field;
    let (info, view) = (source.info(), View::full(field.grid()));
    if info.kind == SignalKind::Video {
        return of_clip(&field, source);
    }
    if info.kind == SignalKind::Shape {
        let decoded = decoding::decode_shape(&field, info, &view)?;
        return Ok(compare_shapes(&decoded, &source.all()?, info)?);
    }
    let decoded = decoding::decode(&field, &view)?;
    let source = source.all()?;
    match (info.kind, info.shape.as_slice()) {
        (SignalKind::Picture, &[rows, columns]) => {
            let unit = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| v * 0.5 + 0.5).collect() };
            let channels = info.channels as usize;
            Ok(compare(&unit(&decoded), &unit(&source), rows as usize, columns as usize, channels)?)
        }
        (kind, _) => {
            let clamped = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| v.clamp(-1.0, 1.0)).collect() };
            let mse = metrics::mse(&clamped(&decoded), &clamped(&source))?;
            Ok(Quality { mse, psnr_db: kind.psnr_db(mse), ssim: None, iou: None })
        }
    }
}

/// A clip's frames some at a time: decoded, read, compared, forgotten.
fn of_clip(field: &Field, source: &Samples) -> Result<Quality> {
    let (info, view) = (source.info(), View::full(field.grid()));
    let (frames, rows, columns) = (info.shape[0], info.shape[1] as usize, info.shape[2] as usize);
    let at_a_time = u32::try_from(decoding::frames_at_a_time(rows * columns))?;
    let mut quality = ClipQuality::default();
    for first in (0..frames).step_by(at_a_time as usize) {
        let chunk = first..(first + at_a_time).min(frames);
        let decoded = decoding::decode(field, &view.along(0, chunk.start as usize..chunk.end as usize))?;
        quality.add(&decoded, &source.of_rows(chunk)?, rows, columns, info.channels as usize)?;
    }
    Ok(quality.total()?)
}

/// How near two clips are, frame by frame.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClipQuality {
    squares: f64,
    values: u64,
    frames: u64,
    identical: u64,
    psnr_db: f64,
    ssim: f64,
    with_ssim: u64,
}

impl ClipQuality {
    /// Adds some frames of both clips in stored values, `[frames, rows, columns, channels]`; NaN marks absent samples.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the sizes differ.
    pub fn add(&mut self, a: &[f32], b: &[f32], rows: usize, columns: usize, channels: usize) -> Result<(), Error> {
        let unit = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| v * 0.5 + 0.5).collect() };
        let length = rows * columns * channels;
        for (a, b) in a.chunks(length).zip(b.chunks(length)) {
            let present = a.iter().zip(b).filter(|(x, y)| !(x.is_nan() || y.is_nan())).count();
            if present == 0 && a.len() == b.len() {
                continue;
            }
            let frame = compare(&unit(a), &unit(b), rows, columns, channels)?;
            #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
            let squares = frame.mse * present as f64;
            self.squares += squares;
            self.values += present as u64;
            self.frames += 1;
            if frame.psnr_db.is_finite() {
                self.psnr_db += frame.psnr_db;
            } else {
                self.identical += 1;
            }
            if let Some(ssim) = frame.ssim {
                self.ssim += ssim;
                self.with_ssim += 1;
            }
        }
        Ok(())
    }

    /// Values that were compared.
    pub fn values(&self) -> u64 {
        self.values
    }

    /// Frames of which anything was compared.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The error over all frames, and the mean SSIM of frames that are whole in both.
    ///
    /// # Errors
    /// [`Error::Parameter`] where nothing was compared.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    pub fn total(&self) -> Result<Quality, Error> {
        if self.values == 0 {
            return Err(Error::parameter("no sample is present in both"));
        }
        let mse = self.squares / self.values as f64;
        let whole = self.with_ssim == self.frames;
        Ok(Quality {
            mse,
            psnr_db: metrics::psnr_of_mse(mse),
            ssim: whole.then(|| self.ssim / self.frames as f64),
            iou: None,
        })
    }

    /// Frames that are identical.
    pub fn identical_frames(&self) -> u64 {
        self.identical
    }

    /// The mean of the PSNR of each frame that is not identical, in dB; infinite where all are.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    pub fn mean_psnr_db(&self) -> f64 {
        match self.frames - self.identical {
            0 => f64::INFINITY,
            different => self.psnr_db / different as f64,
        }
    }
}

/// Compares two shapes on one grid; NaN marks absent samples, which do not count.
///
/// # Errors
/// [`Error::Parameter`] where the sizes differ or nothing is present.
pub fn compare_shapes(a: &[f32], b: &[f32], info: &SignalInfo) -> Result<Quality, Error> {
    if a.len() != b.len() {
        return Err(Error::parameter(format!("cannot compare {} samples with {}", a.len(), b.len())));
    }
    let value = info.shape_value();
    let range = if value == ShapeValue::Occupancy { 0.0..=1.0 } else { -1.0..=1.0 };
    let clamped = |v: f32| f64::from(v.clamp(*range.start(), *range.end()));
    // Parts of a fixed size keep the sum's order, and with it the last digit, independent of the threads.
    let parts: Vec<(f64, [u64; 3])> = a
        .par_chunks(1 << 16)
        .zip(b.par_chunks(1 << 16))
        .map(|(a, b)| {
            let pairs = a.iter().zip(b).filter(|(x, y)| !(x.is_nan() || y.is_nan()));
            pairs.fold((0.0, [0; 3]), |(sum, [count, both, any]), (&x, &y)| {
                let (x_in, y_in) = (value.is_inside(x), value.is_inside(y));
                let sum = sum + (clamped(x) - clamped(y)).powi(2);
                (sum, [count + 1, both + u64::from(x_in && y_in), any + u64::from(x_in || y_in)])
            })
        })
        .collect();
    let (sum, [count, both, any]) =
        parts.iter().fold((0.0, [0; 3]), |(s, n), (t, m)| (s + t, [n[0] + m[0], n[1] + m[1], n[2] + m[2]]));
    if count == 0 {
        return Err(Error::parameter("no sample is present in both"));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    let (mse, iou) = (sum / count as f64, if any == 0 { 1.0 } else { both as f64 / any as f64 });
    Ok(Quality { mse, psnr_db: SignalKind::Shape.psnr_db(mse), ssim: None, iou: Some(iou) })
}

/// Rows and columns of SSIM's window.
const WINDOW: usize = 11;
/// Output rows in a band.
const BAND: usize = 64;

/// Compares two pictures in unit values, which are clamped, `[rows, columns, channels]`; NaN marks absent samples.
///
/// # Errors
/// [`Error::Parameter`] where the sizes differ or nothing is present.
pub fn compare(a: &[f32], b: &[f32], rows: usize, columns: usize, channels: usize) -> Result<Quality, Error> {
    if a.len() != b.len() || a.len() != rows * columns * channels || a.is_empty() {
        return Err(Error::parameter(format!("cannot compare {} values with {}", a.len(), b.len())));
    }
    let present = |(x, y): &(&f32, &f32)| !(x.is_nan() || y.is_nan());
    // Bands of a fixed size keep the sum's order, and with it the last digit, independent of the threads.
    let size = BAND * columns * channels;
    let bands: Vec<(f64, usize)> = a
        .par_chunks(size)
        .zip(b.par_chunks(size))
        .map(|(x, y)| {
            x.iter().zip(y).filter(present).fold((0.0, 0), |(sum, n), (x, y)| {
                let difference = f64::from(x.clamp(0.0, 1.0)) - f64::from(y.clamp(0.0, 1.0));
                (sum + difference * difference, n + 1)
            })
        })
        .collect();
    let (sum, count) = bands.iter().fold((0.0, 0_usize), |(s, n), (bs, bn)| (s + bs, n + bn));
    if count == 0 {
        return Err(Error::parameter("no sample is present in both"));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    let mse = sum / count as f64;
    let ssim = (count == a.len()).then(|| ssim(a, b, rows, columns, channels)).transpose()?;
    Ok(Quality { mse, psnr_db: metrics::psnr_of_mse(mse), ssim, iou: None })
}

#[expect(clippy::cast_precision_loss, reason = "row counts below 2^24")]
fn ssim(a: &[f32], b: &[f32], rows: usize, columns: usize, channels: usize) -> Result<f64, Error> {
    let clamped = |values: &[f32]| -> Vec<f32> { values.iter().map(|v| v.clamp(0.0, 1.0)).collect() };
    let valid = rows.saturating_sub(WINDOW) + 1;
    let overlap = WINDOW.min(rows) - 1;
    let starts: Vec<usize> = (0..valid).step_by(BAND).collect();
    let means: Vec<f64> = starts
        .par_iter()
        .map(|&start| {
            let count = BAND.min(valid - start);
            let part = start * columns * channels..(start + count + overlap) * columns * channels;
            let mean =
                metrics::ssim(&clamped(&a[part.clone()]), &clamped(&b[part]), count + overlap, columns, channels)?;
            Ok(mean * count as f64)
        })
        .collect::<Result<_, Error>>()?;
    Ok(means.iter().sum::<f64>() / valid as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_union_of_shapes_counts_what_either_has() {
        let info = SignalInfo::shape([1, 1, 6], ShapeValue::Occupancy).unwrap();
        let quality =
            compare_shapes(&[1.2, 0.9, 0.1, 0.0, 0.7, f32::NAN], &[1.0, 1.0, 1.0, 0.0, 0.0, 1.0], &info).unwrap();
        assert_eq!(quality.iou, Some(0.5));
        assert!((quality.mse - (0.01 + 0.81 + 0.49) / 5.0).abs() < 1e-6);
        assert_eq!(compare_shapes(&[0.0; 2], &[0.0; 2], &info).unwrap().iou, Some(1.0));
        assert!(compare_shapes(&[f32::NAN], &[0.0], &info).is_err() && compare_shapes(&[], &[0.0], &info).is_err());
    }

    fn pattern(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * step) % 251) as f32 / 250.0).collect()
    }

    #[test]
    fn bands_agree_with_the_whole_picture() {
        for (rows, columns) in [(1, 1), (5, 40), (11, 11), (74, 13), (75, 13), (200, 30)] {
            let a = pattern(rows * columns * 3, 37);
            let b = pattern(rows * columns * 3, 41);
            let quality = compare(&a, &b, rows, columns, 3).unwrap();
            assert!((quality.ssim.unwrap() - metrics::ssim(&a, &b, rows, columns, 3).unwrap()).abs() < 1e-12);
            assert!((quality.mse - metrics::mse(&a, &b).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn clips_add_up_frame_by_frame() {
        let (a, b) = ([0.0, 0.0, 0.5, 0.5, f32::NAN, f32::NAN], [0.2, 0.2, 0.5, 0.7, 0.1, 0.1]);
        let mut quality = ClipQuality::default();
        quality.add(&a[..4], &b[..4], 1, 2, 1).unwrap();
        quality.add(&a[4..], &b[4..], 1, 2, 1).unwrap();
        // Differences of 0.1, 0.1, 0 and 0.1 in unit values; a frame of which nothing is there does not count.
        let total = quality.total().unwrap();
        assert!((total.mse - 0.03 / 4.0).abs() < 1e-8 && total.ssim.is_some());
        assert_eq!((quality.values(), quality.frames()), (4, 2));
        let each = [0.01_f64, 0.005].map(|mse| -10.0 * mse.log10());
        assert!((quality.mean_psnr_db() - (each[0] + each[1]) / 2.0).abs() < 1e-4);
        assert!(ClipQuality::default().total().is_err());
        assert!(quality.add(&a[..2], &b[..1], 1, 2, 1).is_err());
    }

    #[test]
    fn absent_samples_do_not_count() {
        let quality = compare(&[0.5, f32::NAN, 0.25, 0.5], &[0.5, 0.1, 0.35, 0.5], 2, 2, 1).unwrap();
        assert!((quality.mse - 0.01 / 3.0).abs() < 1e-8);
        assert_eq!(quality.ssim, None);
        assert!(compare(&[f32::NAN], &[0.0], 1, 1, 1).is_err());
        assert_eq!(compare(&[2.0], &[1.0], 1, 1, 1).unwrap().psnr_db, f64::INFINITY);
    }
}
