//! Functions of single numbers that a compiler turns into vector instructions, good to a few parts in a million.

/// `e^x`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Added to what is far smaller, it leaves the nearest whole number in the last bits.
    const ROUNDS: f32 = 12_582_912.0;
    let x = x.clamp(-80.0, 80.0) * std::f32::consts::LOG2_E;
    let rounded = x + ROUNDS;
    let rest = x - (rounded - ROUNDS);
    let tail = 0.009_618_129 + rest * 0.001_333_355_8;
    let power = 1.0 + rest * (std::f32::consts::LN_2 + rest * (0.240_226_5 + rest * (0.055_504_11 + rest * tail)));
    let exponent = rounded.to_bits().wrapping_add(127) << 23;
    f32::from_bits(exponent) * power
}

/// The natural logarithm of a positive number.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    let bits = x.to_bits().cast_signed();
    let exponent = (bits - 0x3f35_04f3) >> 23;
    let mantissa = f32::from_bits((bits - (exponent << 23)).cast_unsigned()) - 1.0;
    let s = mantissa / (2.0 + mantissa);
    let z = s * s;
    let series = 1.0 + z * (0.333_333_33 + z * (0.2 + z * (0.142_857_14 + z * 0.111_111)));
    #[expect(clippy::cast_precision_loss, reason = "an exponent")]
    let exponent = exponent as f32;
    2.0 * s * series + exponent * std::f32::consts::LN_2
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// One over a power of two.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a power of two")]
pub(super) fn inverse(power: usize) -> f32 {
    (power as f32).recip()
}

/// A hash of 32 bits.
#[inline(always)]
pub(super) fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_they_are_called() {
        for step in -700_i16..700 {
            let x = f32::from(step) / 50.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-5, "{x}");
            assert!((tanh(x) - x.tanh()).abs() < 1e-5, "{x}");
            assert!((ln(x.exp()) - x).abs() < 1e-5 * x.abs().max(1.0), "{x}");
        }
    }
}
