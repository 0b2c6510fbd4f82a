//! What the samples of a shape mean, and where they lie.

use serde::{Deserialize, Serialize};

use super::{ColourSpace, SampleFormat, SignalInfo, SignalKind};
use crate::error::Error;

/// What the values of a shape are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShapeValue {
    /// 0 outside, 1 inside.
    Occupancy,
    /// The distance to the surface over `amplitude` (in units of the source), negative inside, cut off at -1 and 1.
    Distance {
        /// What a value of 1 stands for.
        amplitude: f32,
    },
}

impl ShapeValue {
    /// How far inside a value is: positive inside, zero at the surface, negative outside; NaN where there is none.
    pub fn depth(self, value: f32) -> f32 {
        match self {
            Self::Occupancy => value - 0.5,
            Self::Distance { .. } => -value,
        }
    }

    /// Whether a value means inside. What has no value is not.
    pub fn is_inside(self, value: f32) -> bool {
        self.depth(value) > 0.0
    }

    /// The value of everything that is far outside, to which partitions without a network decode.
    pub fn outside(self) -> f32 {
        match self {
            Self::Occupancy => 0.0,
            Self::Distance { .. } => 1.0,
        }
    }
}

/// Where the samples of a shape lie in the coordinates of its source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// The first sample, along the axes of the array.
    pub origin: [f64; 3],
    /// The distance between neighbouring samples along each axis; positive.
    pub spacing: f64,
}

impl Placement {
    /// From sample units (sample `i` of an axis lies at `i`) to the source.
    pub fn to_source(&self, samples: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|axis| self.origin[axis] + self.spacing * samples[axis])
    }

    /// From the source to sample units.
    pub fn to_samples(&self, source: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|axis| (source[axis] - self.origin[axis]) / self.spacing)
    }

    fn validate(&self) -> Result<(), Error> {
        let finite = self.origin.iter().all(|x| x.is_finite());
        if finite && self.spacing.is_finite() && self.spacing > 0.0 {
            return Ok(());
        }
        Err(Error::parameter(format!("samples cannot lie at {:?} with a spacing of {}", self.origin, self.spacing)))
    }
}

impl SignalInfo {
    /// A shape of one channel on a grid of `shape` samples.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty grid or an amplitude that is not positive, [`Error::Limit`] beyond the format.
    pub fn shape(shape: [u32; 3], value: ShapeValue) -> Result<Self, Error> {
        let (format, colour, amplitude) = match value {
            ShapeValue::Occupancy => (SampleFormat::U8, ColourSpace::None, 1.0),
            ShapeValue::Distance { amplitude } => (SampleFormat::F32, ColourSpace::Distance, amplitude),
        };
        Self { kind: SignalKind::Shape, shape: shape.to_vec(), colour, amplitude, ..Self::plain(1, format) }.checked()
    }

    /// The same shape at a place in the coordinates of its source.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a place that is none, or a signal that is no shape.
    pub fn placed(self, placement: Placement) -> Result<Self, Error> {
        Self { placement: Some(placement), ..self }.checked()
    }

    /// What the values of a shape are; of other signals as if they were occupancy.
    pub fn shape_value(&self) -> ShapeValue {
        match self.colour {
            ColourSpace::Distance => ShapeValue::Distance { amplitude: self.amplitude },
            _ => ShapeValue::Occupancy,
        }
    }

    pub(super) fn validate_shape(&self) -> Result<(), Error> {
        if self.colour == ColourSpace::Distance && (self.kind != SignalKind::Shape || self.channels != 1) {
            return Err(Error::parameter("a distance is the one channel of a shape"));
        }
        match self.placement {
            Some(_) if self.kind != SignalKind::Shape => {
                Err(Error::parameter(format!("{} has no place in space", self.kind.with_article())))
            }
            Some(placement) => placement.validate(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_values_are_checked() {
        let placement = Placement { origin: [1.0, -2.0, 3.0], spacing: 0.5 };
        assert_eq!(placement.to_samples(placement.to_source([4.0, 5.0, 6.0])), [4.0, 5.0, 6.0]);
        let info = SignalInfo::shape([2, 3, 4], ShapeValue::Occupancy).unwrap();
        assert_eq!(info.clone().placed(placement).unwrap().placement, Some(placement));
        for spacing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(info.clone().placed(Placement { spacing, ..placement }).is_err());
        }
        let picture = SignalInfo::picture(2, 3, 1, SampleFormat::U8).unwrap();
        assert!(picture.clone().placed(placement).is_err());
        assert!(SignalInfo { colour: ColourSpace::Distance, ..picture }.checked().is_err());
        assert!(SignalInfo::shape([1; 3], ShapeValue::Distance { amplitude: 0.0 }).is_err());
        let distance = SignalInfo::shape([1; 3], ShapeValue::Distance { amplitude: 0.25 }).unwrap();
        assert_eq!(distance.shape_value(), ShapeValue::Distance { amplitude: 0.25 });
        assert!(distance.shape_value().is_inside(-0.1) && !distance.shape_value().is_inside(f32::NAN));
        assert!(info.shape_value().is_inside(0.6) && !info.shape_value().is_inside(info.shape_value().outside()));
    }
}
