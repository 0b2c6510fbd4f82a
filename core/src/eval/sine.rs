//! The one sine of every engine.
//!
//! GPUs leave the accuracy of their own sine open outside [-pi, pi] and are off by 2e-4 inside it, which is the
//! largest difference between engines on sine networks. So all of them reduce the range and evaluate the same
//! polynomial: `q = round(x / pi)`, `r = x - q pi` with pi in three parts whose first two have so few bits that their
//! products with `q` are exact without a fused multiply-add, then an odd polynomial on [-pi/2, pi/2] and the sign of
//! `q`'s parity.
//!
//! Absolute error against f64 at most 2e-6 for |x| <= 1e4 (tested). Every finite argument gives a result in
//! [-1, 1], but for the last bit: the remainder is bounded, since far outside that range an f32 does not determine the
//! angle any more.

/// 1 / pi.
pub const INVERSE_PI: f32 = std::f32::consts::FRAC_1_PI;
/// First part of pi: 9 bits.
pub const PI_HIGH: f32 = 3.140_625;
/// Second part of pi: 11 bits.
pub const PI_MIDDLE: f32 = 9.670_257_6e-4;
/// What is left of pi.
pub const PI_LOW: f32 = 6.278_329_5e-7;
/// The remainder never exceeds this where `q` is exact.
pub const REMAINDER: f32 = 1.571_6;
/// Adding and subtracting this rounds an f32 below 2^22 to the nearest integer, and leaves its parity in the lowest bit.
pub const ROUNDER: f32 = 12_582_912.0;
/// Coefficients of r, r^3, ... r^9 of the sine on [-pi/2, pi/2]: minimax, error 3.4e-9 before rounding.
pub const SINE: [f32; 5] = [1.0, -0.166_666_48, 0.008_332_899, -0.000_198_008_19, 2.590_328e-6];
/// Coefficients of 1, r^2, ... r^10 of the cosine on [-pi/2, pi/2]: minimax, error 2.2e-10 before rounding.
pub const COSINE: [f32; 6] = [1.0, -0.5, 0.041_666_634, -0.001_388_836, 2.476_008e-5, -2.605_003e-7];

/// `(r, negative)` with `sin x = sin r`, negated where `negative`, and the same for the cosine.
#[inline]
fn reduce(x: f32) -> (f32, bool) {
    let shifted = x * INVERSE_PI + ROUNDER;
    let q = shifted - ROUNDER;
    let r = ((x - q * PI_HIGH) - q * PI_MIDDLE) - q * PI_LOW;
    (r.clamp(-REMAINDER, REMAINDER), shifted.to_bits() & 1 == 1)
}

/// Sine of any finite `x`, in radians.
#[inline]
pub fn sin(x: f32) -> f32 {
    let (r, negative) = reduce(x);
    let s = r * r;
    let value = r * SINE.iter().rev().fold(0.0, |sum, &c| sum * s + c);
    if negative { -value } else { value }
}

/// Sine and cosine of any finite `x`, in radians.
#[inline]
pub fn sin_cos(x: f32) -> (f32, f32) {
    let (r, negative) = reduce(x);
    let s = r * r;
    let cosine = COSINE.iter().rev().fold(0.0, |sum, &c| sum * s + c);
    (sin(x), if negative { -cosine } else { cosine })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_pi() {
        let sum = f64::from(PI_HIGH) + f64::from(PI_MIDDLE) + f64::from(PI_LOW);
        assert!((sum - std::f64::consts::PI).abs() < 1e-13, "{sum}");
        for (part, bits) in [(PI_HIGH, 10), (PI_MIDDLE, 12)] {
            assert!(part.to_bits().trailing_zeros() >= 24 - bits, "{part} has more than {bits} bits");
        }
    }

    #[test]
    fn error_is_at_most_two_millionths_up_to_ten_thousand() {
        let mut worst = 0.0_f64;
        for i in -4_000_000..=4_000_000_i32 {
            #[expect(clippy::cast_precision_loss, reason = "any nearby argument will do")]
            let x = i as f32 * 0.002_5;
            let (s, c) = sin_cos(x);
            worst = worst.max((f64::from(s) - f64::from(x).sin()).abs()).max((f64::from(c) - f64::from(x).cos()).abs());
        }
        assert!(worst <= 2e-6, "{worst:e}");
    }

    #[test]
    fn every_finite_argument_is_bounded() {
        for exponent in 0..=255_u32 {
            for mantissa in [0, 1, 0x2a_aaaa, 0x7f_ffff] {
                for sign in [0, 1_u32 << 31] {
                    let x = f32::from_bits(sign | exponent << 23 | mantissa);
                    if x.is_finite() {
                        let (s, c) = sin_cos(x);
                        assert!(
                            s.abs() <= 1.0 + 2.0 * f32::EPSILON && c.abs() <= 1.0 + 2.0 * f32::EPSILON,
                            "{x}: {s} {c}"
                        );
                    }
                }
            }
        }
    }
}
