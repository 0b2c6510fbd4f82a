//! What a network sees of a coordinate: the coordinate itself, or sines and cosines of it at many frequencies.
//!
//! The encodings are those of the published compression pipeline (reference/inr-compression.md 3.1; Strümpler and
//! others, "Implicit Neural Representations for Image Compression", ECCV 2022). All of them are one thing here: maybe
//! the coordinates, and a list of [`Wave`]s, each a sine and a cosine of a linear function of the coordinates. Angles
//! are counted in turns and in f64, because the highest frequencies make 500 radians of a coordinate of 1, of which an
//! f32 keeps four digits.

use serde::{Deserialize, Serialize};

use super::arithmetic::{Normals, exp, ln, sine_cosine_of_turns};
use super::latents::Pyramid;
use crate::error::{Error, check_limit};
use crate::limits;

/// How coordinates become the inputs of the first layer. `n` is the number of coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As they are: `n` inputs.
    #[default]
    Mlp,
    /// The coordinates, then for every frequency and axis `sin(pi scale^i x)` and `cos(pi scale^i x)`: `n + 2 n
    /// frequencies` inputs, the frequency outermost.
    Nerf {
        /// Ratio of one frequency to the one before.
        scale: f32,
        /// Number of frequencies.
        frequencies: u32,
    },
    /// With `f = scale^(i / frequencies)`, all `sin(2 pi f x)` and then all `cos(2 pi f x)`: `2 n frequencies` inputs, in
    /// either half the frequency outermost.
    Positional {
        /// What the frequencies rise to, in turns per unit of the coordinate.
        scale: f32,
        /// Number of frequencies.
        frequencies: u32,
    },
    /// All `sin(2 pi b x)` and then all `cos(2 pi b x)` for `frequencies` random vectors `b` of `n` normal numbers of
    /// standard deviation `scale`: `2 frequencies` inputs. The vectors follow from the seed on every machine.
    Gauss {
        /// Standard deviation, in turns per unit of the coordinate.
        scale: f32,
        /// Number of vectors.
        frequencies: u32,
        /// What they are drawn from.
        seed: u64,
    },
    /// What a pyramid of latents has at them ([`Pyramid::inputs`]). Only the model of that name has it, and has no other.
    Latents(Pyramid),
}

/// The nonlinearity after every layer but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `sin(omega u)`.
    #[default]
    Sine,
    /// `max(u, 0)`; omega plays no part.
    Relu,
    /// `max(u, LEAK u)`: for latents, and only for them.
    LeakyRelu,
}

/// What is left of negative numbers behind [`Activation::LeakyRelu`].
pub const LEAK: f32 = 0.1;

impl Activation {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sine => "sine",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
        }
    }
}

/// A sine and a cosine of one linear function of the coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wave {
    /// Axes that play a part, and turns per unit of their coordinate.
    pub(crate) turns: Vec<(usize, f64)>,
    /// Place of the sine among the encoded inputs.
    pub(crate) sine: usize,
    /// Place of the cosine.
    pub(crate) cosine: usize,
}

impl Encoding {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Nerf { .. } => "nerf",
            Self::Positional { .. } => "positional",
            Self::Gauss { .. } => "gauss",
            Self::Latents(_) => "latents",
        }
    }

    /// Inputs of the first layer for `inputs` coordinates.
    pub fn size(&self, inputs: u32) -> u64 {
        let n = u64::from(inputs);
        match *self {
            Self::Mlp => n,
            Self::Nerf { frequencies, .. } => n + 2 * n * u64::from(frequencies),
            Self::Positional { frequencies, .. } => 2 * n * u64::from(frequencies),
            Self::Gauss { frequencies, .. } => 2 * u64::from(frequencies),
            Self::Latents(pyramid) => pyramid.input_count(inputs),
        }
    }

    /// Checks it against the limits of the format, before anything of its size is computed.
    pub(super) fn validate(&self, inputs: u32) -> Result<(), Error> {
        check_limit("encoded inputs", self.size(inputs), limits::ENCODED_INPUTS)?;
        let (scale, frequencies) = match *self {
            Self::Mlp => return Ok(()),
            Self::Latents(pyramid) => return pyramid.validate(inputs),
            Self::Nerf { scale, frequencies }
            | Self::Positional { scale, frequencies }
            | Self::Gauss { scale, frequencies, .. } => (scale, frequencies),
        };
        if frequencies == 0 {
            return Err(Error::parameter(format!("the encoding {} needs at least 1 frequency", self.name())));
        }
        if !(scale > 0.0 && scale <= limits::ENCODING_SCALE) {
            return Err(Error::parameter(format!(
                "the scale of an encoding must lie in (0, {}], not {scale}",
                limits::ENCODING_SCALE
            )));
        }
        // Powers of the scale are monotonous, so one of the ends is the highest.
        let highest = match *self {
            Self::Nerf { .. } => power(scale, frequencies - 1) / 2.0,
            _ => 0.0,
        };
        if highest > limits::ENCODING_TURNS {
            return Err(Error::parameter(format!(
                "the highest frequency of an encoding is at most {} turns per unit, not {highest:.0}",
                limits::ENCODING_TURNS
            )));
        }
        Ok(())
    }

    /// Whether the coordinates themselves are the first inputs.
    pub(crate) fn keeps_coordinates(&self) -> bool {
        matches!(self, Self::Mlp | Self::Nerf { .. })
    }

    /// The waves of `inputs` coordinates, in the order of their sines. The encoding is valid.
    pub(crate) fn waves(&self, inputs: usize) -> Vec<Wave> {
        match *self {
            Self::Mlp | Self::Latents(_) => Vec::new(),
            Self::Nerf { scale, frequencies } => {
                let mut turns = 0.5;
                let mut waves = Vec::new();
                for _ in 0..frequencies {
                    for axis in 0..inputs {
                        let sine = inputs + 2 * waves.len();
                        waves.push(Wave { turns: vec![(axis, turns)], sine, cosine: sine + 1 });
                    }
                    turns *= f64::from(scale);
                }
                waves
            }
            Self::Positional { scale, frequencies } => {
                let logarithm = ln(f64::from(scale)) / f64::from(frequencies);
                let all = frequencies as usize * inputs;
                (0..frequencies)
                    .map(|i| exp(logarithm * f64::from(i)))
                    .flat_map(|turns| (0..inputs).map(move |axis| vec![(axis, turns)]))
                    .enumerate()
                    .map(|(place, turns)| Wave { turns, sine: place, cosine: all + place })
                    .collect()
            }
            Self::Gauss { scale, frequencies, seed } => {
                let mut normals = Normals::new(seed);
                (0..frequencies as usize)
                    .map(|place| Wave {
                        turns: (0..inputs).map(|axis| (axis, f64::from(scale) * normals.next_number())).collect(),
                        sine: place,
                        cosine: frequencies as usize + place,
                    })
                    .collect()
            }
        }
    }

    /// The inputs of the first layer for the coordinates of one sample. Every number is within 1e-7 of its formula.
    pub fn encode(&self, coordinates: &[f32]) -> Vec<f32> {
        let inputs = coordinates.len();
        let mut encoded = if self.keeps_coordinates() { coordinates.to_vec() } else { Vec::new() };
        let waves = self.waves(inputs);
        encoded.resize(encoded.len() + 2 * waves.len(), 0.0);
        for wave in &waves {
            let turns = wave.turns.iter().map(|&(axis, turns)| turns * f64::from(coordinates[axis])).sum();
            (encoded[wave.sine], encoded[wave.cosine]) = rounded(sine_cosine_of_turns(turns));
        }
        encoded
    }
}

/// Sine and cosine as a network gets them.
#[expect(clippy::cast_possible_truncation, reason = "the rounding to f32 is the point")]
pub(crate) fn rounded((sine, cosine): (f64, f64)) -> (f32, f32) {
    (sine as f32, cosine as f32)
}

fn power(base: f32, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * f64::from(base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{PI, TAU};

    const AT: [f32; 2] = [-0.375, 0.811_25];

    fn close(found: f32, expected: f64) {
        assert!((f64::from(found) - expected).abs() < 1e-7, "{found} and {expected}");
    }

    /// Row by row against the formulas of reference/inr-compression.md 3.1, with the standard library's sine.
    #[test]
    fn one_sample_of_every_encoding() {
        assert_eq!(Encoding::Mlp.encode(&AT), AT);
        let nerf = Encoding::Nerf { scale: 1.4, frequencies: 16 };
        let encoded = nerf.encode(&AT);
        assert_eq!((encoded.len() as u64, nerf.size(2)), (66, 66));
        assert_eq!(encoded[..2], AT);
        for i in 0..16 {
            for (axis, x) in AT.map(f64::from).into_iter().enumerate() {
                let angle = PI * f64::from(1.4_f32).powi(i) * x;
                let place = 2 + (i as usize * 2 + axis) * 2;
                close(encoded[place], angle.sin());
                close(encoded[place + 1], angle.cos());
            }
        }
        let positional = Encoding::Positional { scale: 6.0, frequencies: 16 };
        let encoded = positional.encode(&AT);
        assert_eq!((encoded.len() as u64, positional.size(2)), (64, 64));
        for i in 0..16 {
            for (axis, x) in AT.map(f64::from).into_iter().enumerate() {
                let angle = TAU * 6.0_f64.powf(f64::from(i) / 16.0) * x;
                close(encoded[i as usize * 2 + axis], angle.sin());
                close(encoded[32 + i as usize * 2 + axis], angle.cos());
            }
        }
        let gauss = Encoding::Gauss { scale: 6.0, frequencies: 16, seed: 5 };
        let encoded = gauss.encode(&AT);
        assert_eq!((encoded.len() as u64, gauss.size(2)), (32, 32));
        let mut normals = Normals::new(5);
        for k in 0..16 {
            let b = [normals.next_number(), normals.next_number()];
            let angle = TAU * 6.0 * (b[0] * f64::from(AT[0]) + b[1] * f64::from(AT[1]));
            close(encoded[k], angle.sin());
            close(encoded[16 + k], angle.cos());
        }
        assert_ne!(encoded, Encoding::Gauss { scale: 6.0, frequencies: 16, seed: 6 }.encode(&AT));
    }

    #[test]
    fn the_highest_published_angle_keeps_its_digits() {
        let encoded = Encoding::Nerf { scale: 1.4, frequencies: 16 }.encode(&[1.0, -0.999]);
        let angle = PI * f64::from(1.4_f32).powi(15);
        assert!((angle - 488.7).abs() < 0.1, "{angle}");
        close(encoded[62], angle.sin());
        close(encoded[65], (angle * f64::from(-0.999_f32)).cos());
    }

    #[test]
    fn senseless_encodings_are_refused() {
        for (encoding, word) in [
            (Encoding::Nerf { scale: 1.4, frequencies: 0 }, "at least 1"),
            (Encoding::Nerf { scale: 0.0, frequencies: 3 }, "scale"),
            (Encoding::Positional { scale: f32::NAN, frequencies: 3 }, "scale"),
            (Encoding::Gauss { scale: 1e9, frequencies: 3, seed: 0 }, "scale"),
            (Encoding::Nerf { scale: 2.0, frequencies: 30 }, "highest frequency"),
            (Encoding::Gauss { scale: 1.0, frequencies: u32::MAX, seed: 0 }, "encoded inputs"),
        ] {
            let error = encoding.validate(2).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(Encoding::Nerf { scale: 2.0, frequencies: 17 }.validate(4).is_ok());
    }
}
