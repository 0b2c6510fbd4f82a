//! Field values as what a canvas takes.

use super::to_code_value;

/// Field values `[samples * channels]` with 1 to 4 channels as straight RGBA code values `[samples * 4]`: grey spreads
/// over the colours, an absent sample (not a number) is transparent black. With `alpha` the last of two or four channels
/// is opacity. The GPU's kernel does the same by itself.
pub fn to_rgba8(values: &[f32], channels: usize, alpha: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / channels.max(1) * 4);
    for sample in values.chunks_exact(channels.max(1)) {
        if sample.iter().any(|v| v.is_nan()) {
            out.extend([0; 4]);
            continue;
        }
        let (colours, opacity) = match sample.split_last() {
            Some((last, rest)) if alpha && !rest.is_empty() => (rest, code(*last)),
            _ => (sample, u8::MAX),
        };
        // Two channels without opacity have no colour meaning; the first one is shown as grey.
        let colour = |i: usize| code(colours[if colours.len() < 3 { 0 } else { i }]);
        out.extend([colour(0), colour(1), colour(2), opacity]);
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "a code value of peak 255 fits a byte")]
fn code(value: f32) -> u8 {
    to_code_value(value, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{ABSENT, from_code_value};

    #[test]
    fn channels_become_rgba() {
        let v = |code: u16| from_code_value(code, 255);
        assert_eq!(to_rgba8(&[v(7)], 1, false), [7, 7, 7, 255]);
        assert_eq!(to_rgba8(&[v(7), v(9)], 2, true), [7, 7, 7, 9]);
        assert_eq!(to_rgba8(&[v(1), v(2), v(3)], 3, false), [1, 2, 3, 255]);
        assert_eq!(to_rgba8(&[v(1), v(2), v(3), v(4)], 4, true), [1, 2, 3, 4]);
        assert_eq!(to_rgba8(&[v(7), v(9)], 2, false), [7, 7, 7, 255]);
    }

    #[test]
    fn values_are_clamped_and_rounded_to_nearest() {
        assert_eq!(to_rgba8(&[-3.0, 0.001, 1.7], 3, false), [0, 128, 255, 255]);
    }

    #[test]
    fn absent_samples_are_transparent() {
        assert_eq!(to_rgba8(&[ABSENT, ABSENT, ABSENT, 1.0, 1.0, 1.0], 3, false), [0, 0, 0, 0, 255, 255, 255, 255]);
    }
}
