//! Whole numbers by a Laplace distribution of one of 48 scales, around a centre in sixteenths.
//!
//! Scales go up by quarters of an octave from 0.05. Whether a number is the centre's nearest, above or below costs one symbol;
//! how far beyond, a decision for every step, as the tails are geometric. All frequencies follow from whole numbers, so that every
//! machine has the same.

use super::range::{Decoder, Encoder};
use super::symbols::MAGNITUDE;
use crate::error::Error;

/// Scales.
pub const SCALES: usize = 48;
/// Sixteenths between a whole number and the next.
const PARTS: i32 = 16;
const TOTAL_BITS: u32 = 15;
const TOTAL: u32 = 1 << TOTAL_BITS;
/// One in the tables below.
const ONE_BITS: u32 = 31;
/// `exp(-1 / (16 s))` for every scale `s = 0.05 * 2^(k / 4)`, in parts of 2^31.
const RATIOS: [u32; SCALES] = [
    615_264_366,
    750_644_012,
    887_287_062,
    1_021_265_264,
    1_149_465_165,
    1_269_643_942,
    1_380_374_753,
    1_480_928_916,
    1_571_132_600,
    1_651_223_669,
    1_721_723_616,
    1_783_331_330,
    1_836_840_104,
    1_883_076_161,
    1_922_855_510,
    1_956_955_510,
    1_986_097_703,
    2_010_938_901,
    2_032_068_100,
    2_050_007_307,
    2_065_214_841,
    2_078_090_086,
    2_088_978_941,
    2_098_179_489,
    2_105_947_554,
    2_112_501_948,
    2_118_029_300,
    2_122_688_424,
    2_126_614_195,
    2_129_920_982,
    2_132_705_626,
    2_135_050_041,
    2_137_023_446,
    2_138_684_287,
    2_140_081_881,
    2_141_257_820,
    2_142_247_163,
    2_143_079_451,
    2_143_779_570,
    2_144_368_475,
    2_144_863_807,
    2_145_280_419,
    2_145_630_810,
    2_145_925_496,
    2_146_173_328,
    2_146_381_751,
    2_146_557_029,
    2_146_704_431,
];
/// From which sum on, in 64ths of a whole number, a scale and not the one before is the nearest.
const FROM: [u32; SCALES - 1] = [
    4, 5, 5, 6, 7, 9, 10, 12, 14, 17, 20, 24, 28, 34, 40, 47, 56, 67, 79, 94, 112, 133, 158, 188, 224, 266, 316, 376,
    447, 532, 632, 752, 894, 1_063, 1_264, 1_503, 1_787, 2_125, 2_527, 3_005, 3_574, 4_250, 5_054, 6_010, 7_147, 8_499,
    10_108,
];
/// Decisions after which the rest is written as a number.
const DECISIONS: u32 = 20;
/// Octaves of a number beyond the decisions.
const OCTAVE_BITS: u32 = 4;

/// The scale for a sum in 64ths.
pub(super) fn scale_of(sum: u32) -> usize {
    FROM.partition_point(|&from| from <= sum)
}

/// Nearest whole number and what is left in sixteenths, -8 to 8, of a sum in 64ths.
pub(super) fn centre_of(sum: i32) -> (i32, i32) {
    let whole = sum.saturating_add(32) >> 6;
    let rest = sum.wrapping_sub(whole << 6);
    (whole, rest.saturating_add(2) >> 2)
}

/// Frequencies for every scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laplace {
    scales: Vec<Scale>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Scale {
    /// Frequencies of what is above and what is below the nearest number, by sixteenths of the centre.
    sides: Vec<(u32, u32)>,
    /// Frequency of going further.
    further: u32,
    /// Bits of a distance that are written as they are.
    plain: u32,
}

impl Default for Laplace {
    fn default() -> Self {
        Self { scales: RATIOS.iter().enumerate().map(|(number, &ratio)| Scale::new(number, ratio)).collect() }
    }
}

impl Scale {
    fn new(number: usize, ratio: u32) -> Self {
        let product = |a: u64, b: u64| a.wrapping_mul(b).wrapping_add(1 << (ONE_BITS - 1)) >> ONE_BITS;
        let power = |exponent: i32| (0..exponent).fold(1_u64 << ONE_BITS, |power, _| product(power, ratio.into()));
        // Half of what is beyond so many sixteenths.
        let side = |distance: i32| frequency(power(distance) >> 1);
        let half = PARTS / 2;
        let sides = (half.wrapping_neg()..=half)
            .map(|rest| (side(half.wrapping_sub(rest)), side(half.wrapping_add(rest))))
            .collect();
        // Scales double every four; from 4 on, half of them is little.
        let octave = u32::try_from(number / 4).unwrap_or(0);
        let plain = octave.saturating_sub(6);
        let further = (0..plain).fold(power(PARTS), |power, _| product(power, power));
        Self { sides, further: frequency(further), plain }
    }
}

/// A share of 2^31 as a frequency, with room left for the alternatives.
fn frequency(share: u64) -> u32 {
    u32::try_from(share >> (ONE_BITS - TOTAL_BITS)).unwrap_or(TOTAL).clamp(1, TOTAL - 2)
}

/// Where a number lies: a scale, and the whole number and sixteenths of its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Around {
    pub(super) scale: usize,
    pub(super) whole: i32,
    pub(super) rest: i32,
}

impl Around {
    pub(super) fn zero(scale: usize) -> Self {
        Self { scale, whole: 0, rest: 0 }
    }
}

impl Laplace {
    fn scale(&self, around: Around) -> Option<(&Scale, u32, u32)> {
        let scale = self.scales.get(around.scale)?;
        let place = usize::try_from(around.rest.saturating_add(PARTS / 2)).ok()?;
        let &(above, below) = scale.sides.get(place)?;
        Some((scale, above, below))
    }

    /// Codes `number`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a magnitude beyond [`MAGNITUDE`].
    pub(super) fn write(&self, number: i32, around: Around, into: &mut Encoder) -> Result<(), Error> {
        if number.unsigned_abs() > MAGNITUDE.unsigned_abs() {
            return Err(beyond());
        }
        let Some((scale, above, below)) = self.scale(around) else { return Err(beyond()) };
        let from = number.saturating_sub(around.whole);
        let near = TOTAL.wrapping_sub(above).wrapping_sub(below);
        match from {
            0 => into.symbol(0, near, TOTAL),
            1.. => into.symbol(near, above, TOTAL),
            _ => into.symbol(near.wrapping_add(above), below, TOTAL),
        }
        let Some(rest) = from.unsigned_abs().checked_sub(1) else { return Ok(()) };
        let stay = TOTAL.wrapping_sub(scale.further);
        let steps = rest >> scale.plain;
        for _ in 0..steps.min(DECISIONS) {
            into.symbol(stay, scale.further, TOTAL);
        }
        if let Some(more) = steps.checked_sub(DECISIONS) {
            let more = more.saturating_add(1);
            let octave = more.ilog2();
            into.bits(octave, OCTAVE_BITS);
            into.bits(more & (1_u32 << octave).wrapping_sub(1), octave);
        } else {
            into.symbol(0, stay, TOTAL);
        }
        into.bits(rest & (1_u32 << scale.plain).wrapping_sub(1), scale.plain);
        Ok(())
    }

    /// The next number; `None` for one that no writer writes.
    pub(super) fn read(&self, around: Around, from: &mut Decoder<'_>) -> Option<i32> {
        let (scale, above, below) = self.scale(around)?;
        let near = TOTAL.wrapping_sub(above).wrapping_sub(below);
        let place = from.place_in_bits(TOTAL_BITS);
        if place < near {
            from.take(0, near);
            return allowed(around.whole);
        }
        let is_above = place < near.wrapping_add(above);
        if is_above {
            from.take(near, above);
        } else {
            from.take(near.wrapping_add(above), below);
        }
        let stay = TOTAL.wrapping_sub(scale.further);
        let mut steps = 0_u32;
        loop {
            if steps == DECISIONS {
                let octave = from.bits(OCTAVE_BITS);
                let more = (1_u32 << octave) | from.bits(octave);
                steps = steps.wrapping_add(more).wrapping_sub(1);
                break;
            }
            if from.place_in_bits(TOTAL_BITS) < stay {
                from.take(0, stay);
                break;
            }
            from.take(stay, scale.further);
            steps = steps.wrapping_add(1);
        }
        let rest = i32::try_from((steps << scale.plain) | from.bits(scale.plain)).ok()?.saturating_add(1);
        allowed(if is_above { around.whole.saturating_add(rest) } else { around.whole.saturating_sub(rest) })
    }

    /// About how many bits a number takes, in 2^-8 of one; for choosing.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of bits")]
    pub(super) fn cost(&self, number: i32, around: Around) -> u32 {
        let Some((scale, above, below)) = self.scale(around) else { return u32::MAX };
        let bits = |frequency: u32| f64::from(TOTAL_BITS) - f64::from(frequency.max(1)).log2();
        let from = number.saturating_sub(around.whole);
        let near = TOTAL.wrapping_sub(above).wrapping_sub(below);
        let rest = match from {
            0 => return (256.0 * bits(near)) as u32,
            _ => from.unsigned_abs().wrapping_sub(1),
        };
        let steps = rest >> scale.plain;
        let first = bits(if from > 0 { above } else { below });
        let stay = bits(TOTAL.wrapping_sub(scale.further));
        let decisions = f64::from(steps.min(DECISIONS)) * bits(scale.further);
        let end = match steps.checked_sub(DECISIONS) {
            Some(more) => f64::from(OCTAVE_BITS.wrapping_add(more.saturating_add(1).ilog2())),
            None => stay,
        };
        (256.0 * (first + decisions + end + f64::from(scale.plain))) as u32
    }
}

fn allowed(number: i32) -> Option<i32> {
    (number.unsigned_abs() <= MAGNITUDE.unsigned_abs()).then_some(number)
}

fn beyond() -> Error {
    Error::parameter(format!("a number is beyond {MAGNITUDE}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frequencies_are_those_of_the_distribution() {
        let laplace = Laplace::default();
        for (number, scale) in laplace.scales.iter().enumerate() {
            let s = 0.05 * 2_f64.powf(number as f64 / 4.0);
            for (rest, &(above, below)) in (-8..=8).zip(&scale.sides) {
                let beyond = |sixteenths: f64| 0.5 * (-sixteenths / 16.0 / s).exp() * f64::from(TOTAL);
                for (found, wanted) in [(above, beyond(8.0 - f64::from(rest))), (below, beyond(8.0 + f64::from(rest)))]
                {
                    assert!((f64::from(found) - wanted).abs() <= 1.5, "{s} {rest}: {found} {wanted}");
                }
            }
            assert_eq!(
                scale_of((64.0 * s).round() as u32),
                if number < 4 { scale_of((64.0 * s).round() as u32) } else { number }
            );
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((-32_767_i32..=32_767, 0_usize..SCALES, -300_i32..300), 1..60), small in any::<bool>()) {
            let laplace = Laplace::default();
            let mut encoder = Encoder::default();
            let around = |scale: usize, centre: i32| {
                let (whole, rest) = centre_of(centre);
                Around { scale, whole, rest }
            };
            let of = |number: i32| if small { number % 9 } else { number };
            for &(number, scale, centre) in &numbers {
                laplace.write(of(number), around(scale, centre), &mut encoder).unwrap();
            }
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            for &(number, scale, centre) in &numbers {
                prop_assert_eq!(laplace.read(around(scale, centre), &mut decoder), Some(of(number)));
            }
            prop_assert_eq!(decoder.written(), Some(bytes.len()));
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..40), scale in 0_usize..SCALES) {
            let laplace = Laplace::default();
            let mut decoder = Decoder::new(&bytes);
            for _ in 0..200 {
                let number = laplace.read(Around { scale, whole: 0, rest: 0 }, &mut decoder);
                prop_assert!(number.is_none_or(|n| n.abs() <= MAGNITUDE));
            }
        }
    }
}
