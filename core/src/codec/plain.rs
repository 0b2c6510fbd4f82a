//! The plain codings: every weight a number of fixed length.
//!
//! They keep the layout of [`crate::field::Field`] as it is, so that a reader needs nothing but a cast.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits;

/// A number format for weights. The numbers are the coding ids of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightCoding {
    /// IEEE 754 binary32, little-endian: nothing is lost.
    #[default]
    F32,
    /// IEEE 754 binary16, little-endian: 11 significant bits, magnitudes up to 65504.
    F16,
    /// The upper half of a binary32, little-endian: 8 significant bits, any magnitude that the format allows.
    Bf16,
}

impl WeightCoding {
    /// Every plain coding.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// The coding's number in a file.
    pub fn id(self) -> u16 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Bf16 => 2,
        }
    }

    /// The coding of a number; `None` where it is no plain one.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|coding| coding.id() == id)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Bytes of one weight.
    pub fn weight_bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Bytes of `weights` weights.
    pub fn payload_bytes(self, weights: u64) -> u64 {
        weights.saturating_mul(self.weight_bytes())
    }

    /// The number of this coding nearest to `weight`.
    pub fn rounded(self, weight: f32) -> f32 {
        match self {
            Self::F32 => weight,
            Self::F16 => f16::from_f32(weight).to_f32(),
            Self::Bf16 => bf16::from_f32(weight).to_f32(),
        }
    }

    /// Appends `weights` to `into`, each rounded to the nearest number of the coding (ties to even).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a weight that is not finite, is larger than [`limits::WEIGHT`], or rounds to infinity.
    pub fn encode(self, weights: &[f32], into: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(w) = weights.iter().find(|w| !allowed(**w)) {
            return Err(Error::parameter(format!(
                "a weight is {w}: weights are finite and at most {}",
                limits::WEIGHT
            )));
        }
        match self {
            Self::F32 => into.extend(weights.iter().flat_map(|w| w.to_le_bytes())),
            Self::F16 => {
                if let Some(w) = weights.iter().find(|w| f16::from_f32(**w).is_infinite()) {
                    return Err(Error::parameter(format!(
                        "the weight {w} is beyond the range of f16 (65504): choose f32 or bf16"
                    )));
                }
                into.extend(weights.iter().flat_map(|w| f16::from_f32(*w).to_le_bytes()));
            }
            Self::Bf16 => into.extend(weights.iter().flat_map(|w| bf16::from_f32(*w).to_le_bytes())),
        }
        Ok(())
    }

    /// Appends the weights of `payload` to `into`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a payload that is no whole number of weights, or that holds a weight which is not
    /// finite or larger than [`limits::WEIGHT`]. A reader turns it into [`Error::Malformed`], as it knows the chunk.
    pub fn decode(self, payload: &[u8], into: &mut Vec<f32>) -> Result<(), Error> {
        let before = into.len();
        let remainder = match self {
            Self::F32 => {
                let (weights, remainder) = payload.as_chunks::<4>();
                into.extend(weights.iter().map(|w| f32::from_le_bytes(*w)));
                remainder
            }
            Self::F16 => {
                let (weights, remainder) = payload.as_chunks::<2>();
                into.extend(weights.iter().map(|w| f16::from_le_bytes(*w).to_f32()));
                remainder
            }
            Self::Bf16 => {
                let (weights, remainder) = payload.as_chunks::<2>();
                into.extend(weights.iter().map(|w| bf16::from_le_bytes(*w).to_f32()));
                remainder
            }
        };
        let wrong = into.iter().skip(before).position(|w| !allowed(*w));
        if remainder.is_empty() && wrong.is_none() {
            return Ok(());
        }
        into.truncate(before);
        Err(Error::parameter(match wrong {
            Some(index) => format!("weight {index} is not finite or beyond {}", limits::WEIGHT),
            None => format!("{} bytes are no whole number of {} weights", payload.len(), self.name()),
        }))
    }
}

/// Whether a file may hold this weight.
pub(super) fn allowed(weight: f32) -> bool {
    weight.abs() <= limits::WEIGHT
}

impl std::str::FromStr for WeightCoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|coding| coding.name() == name)
            .ok_or_else(|| Error::parameter(format!("the weight coding {name:?} is unknown: use f32, f16 or bf16")))
    }
}

impl std::fmt::Display for WeightCoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(coding: WeightCoding, weights: &[f32]) -> Result<Vec<f32>, Error> {
        let (mut bytes, mut back) = (vec![], vec![]);
        coding.encode(weights, &mut bytes)?;
        assert_eq!(bytes.len() as u64, coding.payload_bytes(weights.len() as u64));
        coding.decode(&bytes, &mut back)?;
        Ok(back)
    }

    #[test]
    fn f32_is_exact_and_the_short_formats_round_to_nearest() {
        let weights = [0.0, -0.0, 1.0, -0.1, 3.0e-41, 1e6, -1e6];
        let back = through(WeightCoding::F32, &weights).unwrap();
        assert_eq!(weights.map(f32::to_bits).as_slice(), back.iter().map(|w| w.to_bits()).collect::<Vec<_>>());
        assert_eq!(through(WeightCoding::F16, &[1.0 + 1.0 / 2048.0, 0.1]).unwrap(), vec![1.0, 0.099_975_586]);
        assert_eq!(
            through(WeightCoding::Bf16, &[1.0 + 1.0 / 256.0, 0.1, 1e6]).unwrap(),
            vec![1.0, 0.100_097_656, 999_424.0]
        );
    }

    #[test]
    fn weights_outside_a_coding_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, 1.1e6] {
            for coding in WeightCoding::ALL {
                assert!(matches!(through(coding, &[0.0, bad]), Err(Error::Parameter(_))), "{coding} {bad}");
            }
        }
        assert!(through(WeightCoding::F16, &[65_519.0]).is_ok());
        assert!(through(WeightCoding::F16, &[65_520.0]).is_err());
        let mut into = vec![7.0];
        assert!(WeightCoding::F16.decode(&[0x00, 0x7c], &mut into).is_err(), "infinity");
        assert!(WeightCoding::Bf16.decode(&[0x00, 0x7f], &mut into).is_err(), "2^127");
        assert!(WeightCoding::F32.decode(&[0; 7], &mut into).is_err(), "not a whole number");
        assert_eq!(into, vec![7.0], "nothing is left behind by a failure");
    }

    #[test]
    fn ids_and_names_round_trip() {
        for coding in WeightCoding::ALL {
            assert_eq!(WeightCoding::from_id(coding.id()), Some(coding));
            assert_eq!(coding.name().parse(), Ok(coding));
        }
        assert_eq!(WeightCoding::from_id(3), None);
        assert!("f64".parse::<WeightCoding>().is_err());
    }
}
