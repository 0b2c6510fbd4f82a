//! Functions of f64 that give the same bits on every machine: additions, multiplications, divisions and square roots
//! alone, which IEEE 754 fixes.
//!
//! A frozen random matrix is not in the file, only its seed, so every reader has to find the same one. The standard
//! library's logarithm and sine are the platform's and differ in their last digits; a library that fixes them would make
//! its version a part of the format.

use super::SplitMix64;

/// Natural logarithm of a positive, finite, normal `x`; relative error below 1e-15 away from 1.
pub(super) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "an exponent has eleven bits")]
    let mut exponent = ((bits >> 52) as i64 - 1023) as f64;
    let mut mantissa = f64::from_bits(bits & MANTISSA | 1.0_f64.to_bits());
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    // ln m = 2 artanh s, with s below 0.172.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..12).rev().fold(0.0, |sum, k| sum * s * s + 1.0 / f64::from(2 * k + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

/// `e^x` for magnitudes below 700; relative error below 1e-15.
pub(super) fn exp(x: f64) -> f64 {
    let exponent = (x / std::f64::consts::LN_2).round_ties_even();
    let r = x - exponent * std::f64::consts::LN_2;
    let series = (1..16).rev().fold(1.0, |sum, k| sum * r / f64::from(k) + 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between -1022 and 1022")]
    let scale = f64::from_bits(((exponent as i64 + 1023) as u64) << 52);
    series * scale
}

/// Sine and cosine of `2 pi turns`, within 2e-16 times the turns (and 1e-15).
pub(crate) fn sine_cosine_of_turns(turns: f64) -> (f64, f64) {
    let within = turns - turns.round_ties_even();
    let quarter = (4.0 * within).round_ties_even();
    let angle = (within - quarter / 4.0) * std::f64::consts::TAU;
    let square = angle * angle;
    let series = |first: i32| {
        (0..9).rev().fold(0.0, |sum, k| {
            let factor = (first + 2 * k + 1) * (first + 2 * k + 2);
            1.0 - square / f64::from(factor) * sum
        })
    };
    let (sine, cosine) = (angle * series(1), series(0));
    match quarter {
        1.0 => (cosine, -sine),
        -1.0 => (-cosine, sine),
        2.0 | -2.0 => (-sine, -cosine),
        _ => (sine, cosine),
    }
}

/// Numbers of the standard normal distribution, by Box and Muller's pairs.
#[derive(Debug, Clone)]
pub(super) struct Normals {
    random: SplitMix64,
    second: Option<f64>,
}

impl Normals {
    pub(super) fn new(seed: u64) -> Self {
        Self::of(SplitMix64(seed))
    }

    /// The numbers that `random` goes on to.
    pub(super) fn of(random: SplitMix64) -> Self {
        Self { random, second: None }
    }

    pub(super) fn next_number(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        // 53 bits, the first number above zero for its logarithm.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64")]
        let mut unit = |above: u64| ((self.random.next_word() >> 11) + above) as f64 / (1_u64 << 53) as f64;
        let (first, second) = (unit(1), unit(0));
        let radius = (-2.0 * ln(first)).max(0.0).sqrt();
        let (sine, cosine) = sine_cosine_of_turns(second);
        self.second = Some(radius * sine);
        radius * cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_standard_library() {
        let mut random = SplitMix64(1);
        for _ in 0..100_000 {
            let x = f64::from(random.uniform(1.0)) * 50.0;
            let (e, expected) = (exp(x), x.exp());
            assert!((e / expected - 1.0).abs() < 1e-14, "e^{x}: {e} and {expected}");
            assert!((ln(e) - x).abs() < 1e-13, "{x}");
            let (sine, cosine) = sine_cosine_of_turns(x);
            let (a, b) = ((x.fract() * std::f64::consts::TAU).sin(), (x.fract() * std::f64::consts::TAU).cos());
            assert!((sine - a).abs() < 2e-14 && (cosine - b).abs() < 2e-14, "{x}: {sine} {cosine}, {a} {b}");
        }
        for (turns, expected) in [(0.25, (1.0, 0.0)), (-0.25, (-1.0, 0.0)), (0.5, (0.0, -1.0)), (3.0, (0.0, 1.0))] {
            let (sine, cosine) = sine_cosine_of_turns(turns);
            assert_eq!((sine.abs(), cosine.abs()), (f64::abs(expected.0), f64::abs(expected.1)));
            assert_eq!((sine + cosine).signum(), (expected.0 + expected.1).signum());
        }
        assert_eq!((ln(1.0), exp(0.0)), (0.0, 1.0));
    }

    #[test]
    fn normal_numbers_are_normal_and_the_same_everywhere() {
        let mut normals = Normals::new(9);
        let numbers: Vec<f64> = (0..100_000).map(|_| normals.next_number()).collect();
        let moment = |power: i32| numbers.iter().map(|n| n.powi(power)).sum::<f64>() / 1e5;
        for (power, expected, within) in [(1, 0.0, 0.02), (2, 1.0, 0.02), (3, 0.0, 0.06), (4, 3.0, 0.1)] {
            assert!((moment(power) - expected).abs() < within, "moment {power}: {}", moment(power));
        }
        // What an independent evaluation of the same formulas gives (`tests/reader`).
        let mut normals = Normals::new(7);
        for expected in NORMALS_OF_SEED_7 {
            let found = normals.next_number();
            assert!((found - expected).abs() < 1e-14, "{found} and {expected}");
        }
    }

    const NORMALS_OF_SEED_7: [f64; 3] = [1.3649922974572282, 0.14452122126941494, -0.39652397525381783];
}
