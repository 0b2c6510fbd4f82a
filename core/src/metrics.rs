//! How good and how large: PSNR, SSIM, rate, differences between rate-distortion curves.
//!
//! Samples are in [0, 1] unless said otherwise; clamp decoded values first with [`to_unit`].

mod bd_rate;

pub use bd_rate::{BdRate, RatePoint, bd_rate};

use crate::error::Error;
use crate::grid::{Grid, SampleBox};

/// Field values (-1..=1) to clamped unit values (0..=1).
pub fn to_unit(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| (v * 0.5 + 0.5).clamp(0.0, 1.0)).collect()
}

/// Mean of squared differences.
///
/// # Errors
/// [`Error::Parameter`] for empty signals or different lengths.
pub fn mse(a: &[f32], b: &[f32]) -> Result<f64, Error> {
    if a.len() != b.len() || a.is_empty() {
        return Err(Error::parameter(format!("cannot compare {} values with {}", a.len(), b.len())));
    }
    Ok(a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>() / a.len() as f64)
}

/// Peak signal-to-noise ratio in decibels for a peak of 1; infinite for equal signals.
///
/// # Errors
/// As [`mse`].
pub fn psnr_db(a: &[f32], b: &[f32]) -> Result<f64, Error> {
    Ok(psnr_of_mse(mse(a, b)?))
}

/// PSNR of a mean squared error on [0, 1] values.
pub fn psnr_of_mse(mse: f64) -> f64 {
    -10.0 * mse.log10()
}

/// The published definition for pictures: prediction and truth are *each* stretched to 0..=1 by their own extremes
/// before the comparison, so overshoots cost contrast; 1.7 to 3 dB below the standard one
/// (reference/local-global.md 7.1). `prediction` is not clamped.
///
/// # Errors
/// As [`mse`].
pub fn stretched_psnr_db(prediction: &[f32], truth: &[f32]) -> Result<f64, Error> {
    psnr_db(&stretch(prediction), &stretch(truth))
}

fn stretch(values: &[f32]) -> Vec<f32> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    values.iter().map(|v| (v - low) / span).collect()
}

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;

/// Structural similarity of two pictures in [0, 1], `[rows, columns, channels]` interleaved: Gaussian 11x11 window of
/// sigma 1.5, valid positions only, K = (0.01, 0.03), biased variance, mean over channels (reference/local-global.md
/// 7.1). Along an axis shorter than 11 samples the window shrinks to that length.
///
/// # Errors
/// [`Error::Parameter`] where the sizes do not fit.
pub fn ssim(a: &[f32], b: &[f32], rows: usize, columns: usize, channels: usize) -> Result<f64, Error> {
    let expected = rows.checked_mul(columns).and_then(|n| n.checked_mul(channels));
    if expected != Some(a.len()) || a.len() != b.len() || a.is_empty() {
        return Err(Error::parameter(format!(
            "a {rows}x{columns} picture of {channels} channels does not hold {} and {} values",
            a.len(),
            b.len()
        )));
    }
    let plane = |values: &[f32], channel: usize| -> Vec<f64> {
        values.iter().skip(channel).step_by(channels).map(|&v| f64::from(v)).collect()
    };
    let mut total = 0.0;
    for channel in 0..channels {
        total += ssim_plane(&plane(a, channel), &plane(b, channel), rows, columns);
    }
    Ok(total / channels as f64)
}

fn ssim_plane(a: &[f64], b: &[f64], rows: usize, columns: usize) -> f64 {
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let product = |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(p, q)| p * q).collect() };
    let blurred = |values: &[f64]| blur(values, rows, columns);
    let (mean_a, mean_b) = (blurred(a), blurred(b));
    let (aa, bb, ab) = (blurred(&product(a, a)), blurred(&product(b, b)), blurred(&product(a, b)));
    let mut sum = 0.0;
    for i in 0..mean_a.len() {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        sum += (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
    }
    sum / mean_a.len() as f64
}

/// Separable Gaussian over valid positions.
fn blur(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let (vertical, horizontal) = (gaussian(rows.min(WINDOW)), gaussian(columns.min(WINDOW)));
    let out_columns = columns - horizontal.len() + 1;
    let across: Vec<f64> = values
        .chunks_exact(columns)
        .flat_map(|row| row.windows(horizontal.len()).map(|w| w.iter().zip(&horizontal).map(|(v, g)| v * g).sum()))
        .collect();
    let out_rows = rows - vertical.len() + 1;
    let mut out = vec![0.0; out_rows * out_columns];
    for (row, out_row) in out.chunks_exact_mut(out_columns).enumerate() {
        for (offset, g) in vertical.iter().enumerate() {
            let source = &across[(row + offset) * out_columns..][..out_columns];
            out_row.iter_mut().zip(source).for_each(|(o, v)| *o += v * g);
        }
    }
    out
}

fn gaussian(length: usize) -> Vec<f64> {
    let centre = (length as f64 - 1.0) / 2.0;
    let weights: Vec<f64> = (0..length).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// How visible the borders of partitions are: the mean jump between neighbouring samples of different partitions over
/// the mean jump inside partitions. 1 where borders are like everything else; what the source itself has there is the
/// measure, since borders may lie on its edges.
///
/// `values` are `[samples, channels]` of the box `bounds` of the grid's canvas; pairs with a NaN do not count. `None`
/// where there is no border, nothing inside, or no jump anywhere.
///
/// # Errors
/// [`Error::Parameter`] where the values do not fill the box.
pub fn seam(values: &[f32], bounds: &SampleBox, channels: usize, grid: &Grid) -> Result<Option<f64>, Error> {
    let mut sums = SeamSums::default();
    sums.add(values, bounds, channels, grid)?;
    Ok(sums.ratio())
}

/// [`seam`] of samples that come in boxes, each of which goes on where the one before ended along the first axis.
#[derive(Debug, Clone, Default)]
pub struct SeamSums {
    /// Sum and number of jumps: inside, across.
    jumps: [(f64, u64); 2],
    /// The last place along the first axis of the box before.
    last: Vec<f32>,
}

impl SeamSums {
    /// Takes in the next box; arguments as of [`seam`].
    ///
    /// # Errors
    /// [`Error::Parameter`] where the values do not fill the box.
    pub fn add(&mut self, values: &[f32], bounds: &SampleBox, channels: usize, grid: &Grid) -> Result<(), Error> {
        let shape: Vec<usize> = bounds.iter().map(|r| r.end.saturating_sub(r.start) as usize).collect();
        if shape.len() != grid.axes() || values.len() != shape.iter().product::<usize>() * channels {
            return Err(Error::parameter(format!("{} values do not fill the box {bounds:?}", values.len())));
        }
        if values.is_empty() {
            return Ok(());
        }
        let mut stride = channels;
        for (axis, range) in bounds.iter().enumerate().rev() {
            let length = shape[axis];
            let owners: Vec<u32> = range.clone().map(|sample| grid.axis_owner(axis, sample)).collect();
            for block in values.chunks_exact(stride * length) {
                for (place, pair) in block.windows(2 * stride).step_by(stride).enumerate() {
                    self.jump(&pair[..stride], &pair[stride..], owners[place] != owners[place + 1]);
                }
            }
            stride *= length;
        }
        let place = values.len() / shape[0];
        let last = std::mem::replace(&mut self.last, values[values.len() - place..].to_vec());
        if last.len() == place && bounds[0].start > 0 {
            let start = bounds[0].start;
            self.jump(&last, &values[..place], grid.axis_owner(0, start - 1) != grid.axis_owner(0, start));
        }
        Ok(())
    }

    fn jump(&mut self, from: &[f32], to: &[f32], across: bool) {
        let (sum, count) = &mut self.jumps[usize::from(across)];
        for (a, b) in from.iter().zip(to) {
            if !(a.is_nan() || b.is_nan()) {
                *sum += f64::from((a - b).abs());
                *count += 1;
            }
        }
    }

    /// What [`seam`] gives.
    pub fn ratio(&self) -> Option<f64> {
        let [inside, across] = self.jumps.map(|(sum, count)| sum / count as f64);
        Some(across / inside).filter(|ratio| ratio.is_finite())
    }
}

/// Bits of a file per sample of its signal (per pixel for a picture).
pub fn bits_per_sample(bytes: u64, samples: u64) -> f64 {
    bytes as f64 * 8.0 / samples.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seams_are_jumps_at_borders_over_jumps_inside() {
        use crate::grid::UNIT_RANGE;
        let grid = Grid::new(vec![4, 6], vec![2, 2], UNIT_RANGE).unwrap();
        // A ramp along the columns with a step of 3 more between the partitions.
        let values: Vec<f32> = (0..24_u8).map(|i| f32::from(i % 6) + if i % 6 >= 3 { 3.0 } else { 0.0 }).collect();
        let whole = grid.canvas();
        // Across: 4 pairs of 4 (columns) and 6 of 0 (rows); inside: 16 of 1 and 12 of 0.
        let expected = (16.0 / 10.0) / (16.0 / 28.0);
        assert!((seam(&values, &whole, 1, &grid).unwrap().unwrap() - expected).abs() < 1e-12);
        let mut sums = SeamSums::default();
        for rows in [0..1, 1..3, 3..4_u32] {
            let part = &values[6 * rows.start as usize..6 * rows.end as usize];
            sums.add(part, &vec![rows, 0..6], 1, &grid).unwrap();
        }
        assert!((sums.ratio().unwrap() - expected).abs() < 1e-12, "in pieces");
        // One partition alone has no border, and a constant has no jump.
        let left: Vec<f32> = values.chunks(6).flat_map(|row| row[..3].to_vec()).collect();
        assert_eq!(
            seam(&left, &vec![0..4, 0..3], 1, &Grid::new(vec![4, 6], vec![1, 2], UNIT_RANGE).unwrap()).unwrap(),
            None
        );
        assert_eq!(seam(&[1.0; 24], &whole, 1, &grid).unwrap(), None);
        assert!(seam(&values, &vec![0..4, 0..5], 1, &grid).is_err());
    }

    #[test]
    fn psnr_of_a_known_error() {
        assert!((psnr_db(&[0.5; 10], &[0.6; 10]).unwrap() - 20.0).abs() < 1e-5);
        assert_eq!(psnr_db(&[0.5], &[0.5]).unwrap(), f64::INFINITY);
        assert!(psnr_db(&[], &[]).is_err());
    }

    #[test]
    fn stretching_hides_a_change_of_contrast() {
        let truth = [0.0, 0.25, 1.0];
        let prediction = [0.2, 0.35, 0.8];
        assert!(stretched_psnr_db(&prediction, &truth).unwrap() > 100.0);
    }

    #[test]
    fn ssim_falls_with_noise_and_works_on_one_pixel() {
        let a: Vec<f32> = (0..40 * 30 * 3).map(|i| ((i * 37) % 101) as f32 / 100.0).collect();
        let b: Vec<f32> = a.iter().enumerate().map(|(i, v)| v * 0.8 + ((i * 53) % 97) as f32 / 500.0).collect();
        assert!((ssim(&a, &a, 40, 30, 3).unwrap() - 1.0).abs() < 1e-12);
        let noisy = ssim(&a, &b, 40, 30, 3).unwrap();
        assert!(noisy < 0.999 && noisy > 0.3, "{noisy}");
        assert!((ssim(&[0.3], &[0.3], 1, 1, 1).unwrap() - 1.0).abs() < 1e-12);
    }
}
