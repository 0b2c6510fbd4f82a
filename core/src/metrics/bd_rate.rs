//! Bjontegaard's rate difference: how many more bytes one codec takes than another for the same quality.
//!
//! The logarithm of the rate is interpolated over the PSNR by monotone piecewise cubics (Fritsch and Carlson 1980), which
//! do not swing between points as the single cubic of the first proposal does, and averaged over the range of PSNR that
//! both curves cover (reference/inr-compression.md 11).

use crate::error::Error;

/// A point of a rate-distortion curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// Above 0.
    pub bits_per_sample: f64,
    /// Finite.
    pub psnr_db: f64,
}

/// The rate of one curve against another's at the same PSNR.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BdRate {
    /// Mean difference; below 0 where the first curve needs less. Above -100.
    pub percent: f64,
    /// The range of PSNR in dB that both curves cover, over which the mean is taken.
    pub psnr_db: (f64, f64),
}

/// How much more rate `curve` needs than `against`. Points in any order; those which another point beats in rate and PSNR
/// are left out.
///
/// # Errors
/// [`Error::Parameter`] for a curve of fewer than two points, rates that are not above 0, values that are not finite, and
/// curves without a common range of PSNR.
pub fn bd_rate(curve: &[RatePoint], against: &[RatePoint]) -> Result<BdRate, Error> {
    let (a, b) = (Curve::new(curve)?, Curve::new(against)?);
    let (low, high) = (a.first().max(b.first()), a.last().min(b.last()));
    if low >= high {
        return Err(Error::parameter(format!(
            "curves from {:.2} to {:.2} dB and from {:.2} to {:.2} dB have no range in common",
            a.first(),
            a.last(),
            b.first(),
            b.last()
        )));
    }
    let mean = (a.integral(low, high) - b.integral(low, high)) / (high - low);
    Ok(BdRate { percent: mean.exp_m1() * 100.0, psnr_db: (low, high) })
}

/// The logarithm of the rate over the PSNR.
struct Curve {
    psnr: Vec<f64>,
    log_rate: Vec<f64>,
    slopes: Vec<f64>,
}

impl Curve {
    fn new(points: &[RatePoint]) -> Result<Self, Error> {
        if points.iter().any(|p| !(p.bits_per_sample > 0.0 && p.bits_per_sample.is_finite() && p.psnr_db.is_finite())) {
            return Err(Error::parameter("a rate is not above 0, or a PSNR is not finite"));
        }
        let mut sorted = points.to_vec();
        let order = |a: &RatePoint, b: &RatePoint| {
            a.bits_per_sample.total_cmp(&b.bits_per_sample).then(b.psnr_db.total_cmp(&a.psnr_db))
        };
        sorted.sort_by(order);
        let mut best = f64::NEG_INFINITY;
        sorted.retain(|point| {
            let better = point.psnr_db > best;
            best = best.max(point.psnr_db);
            better
        });
        if sorted.len() < 2 {
            return Err(Error::parameter("a rate-distortion curve needs two points at least"));
        }
        let psnr: Vec<f64> = sorted.iter().map(|point| point.psnr_db).collect();
        let log_rate: Vec<f64> = sorted.iter().map(|point| point.bits_per_sample.ln()).collect();
        let slopes = slopes(&psnr, &log_rate);
        Ok(Self { psnr, log_rate, slopes })
    }

    fn first(&self) -> f64 {
        self.psnr[0]
    }

    fn last(&self) -> f64 {
        self.psnr[self.psnr.len() - 1]
    }

    fn integral(&self, low: f64, high: f64) -> f64 {
        let mut sum = 0.0;
        for piece in 0..self.psnr.len() - 1 {
            let (from, to) = (low.max(self.psnr[piece]), high.min(self.psnr[piece + 1]));
            if from < to {
                // Simpson's rule is exact for cubics.
                let middle = 4.0 * self.at(piece, f64::midpoint(from, to));
                sum += (to - from) / 6.0 * (self.at(piece, from) + middle + self.at(piece, to));
            }
        }
        sum
    }

    fn at(&self, piece: usize, psnr: f64) -> f64 {
        let width = self.psnr[piece + 1] - self.psnr[piece];
        let t = (psnr - self.psnr[piece]) / width;
        let rest = 1.0 - t;
        let ends =
            self.log_rate[piece] * (1.0 + 2.0 * t) * rest * rest + self.log_rate[piece + 1] * (3.0 - 2.0 * t) * t * t;
        ends + width * t * rest * (self.slopes[piece] * rest - self.slopes[piece + 1] * t)
    }
}

/// Slopes with which pieces between neighbouring points do not overshoot: weighted harmonic means of the secants inside,
/// three-point differences at the ends.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let widths: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let secants: Vec<f64> = y.windows(2).zip(&widths).map(|(w, width)| (w[1] - w[0]) / width).collect();
    if let [secant] = secants[..] {
        return vec![secant; 2];
    }
    let end = |h0: f64, h1: f64, d0: f64, d1: f64| {
        let slope = ((2.0 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
        if slope * d0 <= 0.0 {
            0.0
        } else if d0 * d1 <= 0.0 && slope.abs() > 3.0 * d0.abs() {
            3.0 * d0
        } else {
            slope
        }
    };
    let last = secants.len() - 1;
    let mut slopes = vec![end(widths[0], widths[1], secants[0], secants[1])];
    for i in 0..last {
        let (d0, d1, h0, h1) = (secants[i], secants[i + 1], widths[i], widths[i + 1]);
        let (w0, w1) = (2.0 * h1 + h0, h1 + 2.0 * h0);
        slopes.push(if d0 * d1 <= 0.0 { 0.0 } else { (w0 + w1) / (w0 / d0 + w1 / d1) });
    }
    slopes.push(end(widths[last], widths[last - 1], secants[last], secants[last - 1]));
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(f64, f64)]) -> Vec<RatePoint> {
        values.iter().map(|&(bits_per_sample, psnr_db)| RatePoint { bits_per_sample, psnr_db }).collect()
    }

    fn percent(curve: &[(f64, f64)], against: &[(f64, f64)]) -> f64 {
        bd_rate(&points(curve), &points(against)).unwrap().percent
    }

    /// Expected values from PchipInterpolator of SciPy 1.17, which takes the same slopes.
    #[test]
    fn agrees_with_another_implementation() {
        let smooth = [(0.1, 25.0), (0.2, 27.5), (0.45, 30.0), (0.9, 34.0)];
        let other = [(0.12, 25.5), (0.25, 28.0), (0.5, 31.5), (1.1, 35.0)];
        assert!((percent(&smooth, &other) - 7.574_877_360_669_774).abs() < 1e-9);
        let uneven = [(0.1, 25.0), (0.3, 27.5), (0.35, 28.0), (0.9, 34.0), (1.0, 34.1)];
        let steep = [(0.12, 24.5), (0.13, 28.0), (0.5, 31.5), (1.1, 36.0)];
        assert!((percent(&uneven, &steep) - 48.227_601_249_741_326).abs() < 1e-9);
        let straight = [(0.1, 25.0), (1.0, 35.0)];
        let three = [(0.12, 24.5), (0.5, 31.5), (1.1, 36.0)];
        assert!((percent(&straight, &three) + 14.090_916_311_218_148).abs() < 1e-9);
    }

    #[test]
    fn twice_the_rate_is_a_hundred_percent() {
        let curve = [(0.1, 25.0), (0.2, 27.5), (0.45, 30.0), (0.9, 34.0)];
        let twice = curve.map(|(rate, psnr)| (2.0 * rate, psnr));
        let found = bd_rate(&points(&twice), &points(&curve)).unwrap();
        assert!((found.percent - 100.0).abs() < 1e-9 && found.psnr_db == (25.0, 34.0));
        assert!((percent(&curve, &twice) + 50.0).abs() < 1e-9);
        let mut shuffled = [curve[2], curve[0], (0.5, 29.0), curve[3], curve[1], (0.2, 26.0)];
        assert!(percent(&shuffled, &curve).abs() < 1e-9, "beaten points do not count");
        shuffled.reverse();
        assert!(percent(&shuffled, &curve).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        let good = points(&[(0.1, 25.0), (0.2, 27.0)]);
        for wrong in [
            &[][..],
            &[(0.1, 25.0)],
            &[(0.1, 25.0), (0.2, 24.0)],
            &[(0.0, 25.0), (0.2, 27.0)],
            &[(0.1, f64::INFINITY), (0.2, 27.0)],
            &[(f64::NAN, 25.0), (0.2, 27.0)],
            &[(0.1, 27.0), (0.2, 29.0)],
        ] {
            assert!(bd_rate(&points(wrong), &good).is_err() && bd_rate(&good, &points(wrong)).is_err(), "{wrong:?}");
        }
    }
}
