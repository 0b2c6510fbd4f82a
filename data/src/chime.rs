//! Chime: a phrase of plucked bells over a soft fifth, stereo.
//!
//! Sharp attacks, long quiet tails and slow swells are what a field of sound finds hard, easy and easy. The length is
//! no multiple of anything, as recordings are.

use crate::maths::{sine, smoothstep};

/// Samples a second.
pub(crate) const RATE: u32 = 22_050;
/// Samples of each of two channels: 3.7 s and a little.
const SAMPLES: u32 = 81_613;
/// The ratio of a semitone.
const SEMITONE: f64 = 1.059_463_094_359_295_3;
/// Where a phrase begins in time, how far above 220 Hz in semitones, and how far to the right.
const NOTES: [(f64, i32, f64); 12] = [
    (0.05, 12, 0.30),
    (0.30, 15, 0.70),
    (0.55, 19, 0.45),
    (0.80, 24, 0.60),
    (1.05, 22, 0.25),
    (1.30, 19, 0.75),
    (1.55, 15, 0.40),
    (1.80, 17, 0.60),
    (2.05, 20, 0.35),
    (2.30, 27, 0.65),
    (2.55, 24, 0.50),
    (2.80, 12, 0.50),
];
/// Partials of a bell: multiple of the note, strength, decay a second.
const PARTIALS: [(f64, f64, f64); 4] = [(1.0, 1.0, 3.0), (2.0, 0.35, 4.5), (2.76, 0.22, 8.0), (5.4, 0.10, 16.0)];
/// Echoes of every note: seconds later, strength, on the other side.
const ECHOES: [(f64, f64, bool); 3] = [(0.0, 1.0, false), (0.19, 0.30, true), (0.41, 0.13, false)];

/// The samples, left and right in turn.
pub(crate) fn play() -> Vec<i16> {
    let mixed: Vec<f64> = (0..SAMPLES).flat_map(|i| moment(f64::from(i) / f64::from(RATE))).collect();
    let peak = mixed.iter().fold(0.0_f64, |peak, value| peak.max(value.abs()));
    #[expect(clippy::cast_possible_truncation, reason = "scaled to nine tenths of the range")]
    let code = |value: f64| (value / peak * 0.9 * 32_767.0).round() as i16;
    mixed.into_iter().map(code).collect()
}

/// Left and right at a time in seconds.
fn moment(time: f64) -> [f64; 2] {
    let length = f64::from(SAMPLES) / f64::from(RATE);
    let mut sides = [0.0; 2];
    for (start, pitch, right) in NOTES {
        for (delay, strength, crossed) in ECHOES {
            let value = strength * bell(time - start - delay, frequency(pitch));
            let right = if crossed { 1.0 - right } else { right };
            sides[0] += value * (1.0 - right);
            sides[1] += value * right;
        }
    }
    let swell = 0.16 * smoothstep(0.0, 1.2, time) * smoothstep(length, length - 1.0, time);
    for (side, detune) in sides.iter_mut().zip([1.0, 1.004]) {
        let low = sine(frequency(-12) * time) + 0.8 * sine(frequency(-5) * detune * time);
        *side = (*side + swell * low) * smoothstep(length, length - 0.25, time);
    }
    sides
}

/// A struck bell, so many seconds after the stroke.
fn bell(age: f64, frequency: f64) -> f64 {
    if age <= 0.0 {
        return 0.0;
    }
    let partial = |&(multiple, strength, decay): &(f64, f64, f64)| {
        strength * fall(age * decay) * sine(frequency * multiple * age)
    };
    smoothstep(0.0, 0.004, age) * PARTIALS.iter().map(partial).sum::<f64>()
}

/// Falls nearly as the exponential does, by exact operations.
fn fall(x: f64) -> f64 {
    let base = 1.0 / (1.0 + x / 16.0);
    let square = base * base;
    let fourth = square * square;
    let eighth = fourth * fourth;
    eighth * eighth
}

/// The frequency so many semitones above 220 Hz.
fn frequency(semitones: i32) -> f64 {
    let up = (0..semitones.abs()).fold(1.0, |ratio, _| ratio * SEMITONE);
    if semitones < 0 { 220.0 / up } else { 220.0 * up }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octave_doubles_and_tails_fade() {
        assert!((frequency(12) - 440.0).abs() < 1e-9 && (frequency(-12) - 110.0).abs() < 1e-9);
        assert!(fall(1.0) < 0.4 && fall(8.0) < 0.002);
        let samples = play();
        assert_eq!(samples.len(), 2 * SAMPLES as usize);
        assert!(samples[samples.len() - 2..].iter().all(|v| v.abs() < 40));
    }
}
