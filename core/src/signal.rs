//! What is encoded: kind, shape, channels, and what a player needs to show it.

mod pixels;
mod shape;

pub use pixels::to_rgba8;
pub use shape::{Placement, ShapeValue};

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_limit};
use crate::grid::{SOUND_RANGE, UNIT_RANGE};
use crate::limits;

/// The kind of a signal. The numbers are those of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// Axes: row, column.
    Picture,
    /// Axis: time.
    Sound,
    /// Axes: frame, row, column.
    Video,
    /// Axes: three spatial directions, in array order.
    Shape,
}

impl SignalKind {
    /// Coordinates of the first and the last sample of every axis (reference/local-global.md 2.1).
    pub fn coordinate_range(self) -> [f32; 2] {
        if self == Self::Sound { SOUND_RANGE } else { UNIT_RANGE }
    }

    /// PSNR in dB of a mean squared error between stored values, as published for this kind: the peak is the range,
    /// 2, but 1 for sound (reference/local-global.md 7.1), and for shapes. Infinite for an error of zero.
    pub fn psnr_db(self, mse: f64) -> f64 {
        let peak: f64 = if matches!(self, Self::Sound | Self::Shape) { 1.0 } else { 2.0 };
        -10.0 * (mse / (peak * peak)).log10()
    }

    /// The word for messages, with its article.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Picture => "a picture",
            Self::Sound => "a sound",
            Self::Video => "a video",
            Self::Shape => "a shape",
        }
    }
}

/// The number type of the samples before encoding, and of the file that a decoder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleFormat {
    /// 8-bit integers.
    U8,
    /// 16-bit integers.
    U16,
    /// 32-bit floats.
    F32,
}

/// What the channel values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourSpace {
    /// Not a colour (sound, shapes).
    None,
    /// sRGB code values; the default of the web for pictures without a profile.
    Srgb,
    /// Code values of a profile that was embedded in the source and is not kept.
    Unknown,
    /// Linear light (high dynamic range sources).
    Linear,
    /// A distance to a surface ([`ShapeValue::Distance`]).
    Distance,
}

/// The description of a signal, without its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalInfo {
    /// What it is.
    pub kind: SignalKind,
    /// Samples along each axis, in array order: (row, column) for a picture.
    pub shape: Vec<u32>,
    /// Values per sample, interleaved.
    pub channels: u32,
    /// Number type of the source.
    pub format: SampleFormat,
    /// Meaning of the values.
    pub colour: ColourSpace,
    /// Whether the last channel is opacity (straight, not premultiplied).
    pub alpha: bool,
    /// Samples or frames per second as a fraction; 0/1 where time plays no part.
    pub rate: (u32, u32),
    /// A stored value of 1 stands for this amplitude in the source; 1 for pictures.
    pub amplitude: f32,
    /// Where the samples of a shape lie; `None` for other signals and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

impl SignalInfo {
    /// A picture of `rows` x `columns` with 1 to 4 channels: grey, grey + alpha, RGB, RGB + alpha.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty picture or another number of channels, [`Error::Limit`] beyond the format.
    pub fn picture(rows: u32, columns: u32, channels: u32, format: SampleFormat) -> Result<Self, Error> {
        let (kind, shape, colour) = (SignalKind::Picture, vec![rows, columns], ColourSpace::Srgb);
        let alpha = channels == 2 || channels == 4;
        Self { kind, shape, colour, alpha, ..Self::plain(channels, format) }.checked()
    }

    /// A sound of `samples` samples of each of `channels` channels, `rate` a second. A stored value of 1 stands for
    /// `amplitude` in the source, whose full scale is 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty sound, a rate of zero or an amplitude that is not positive, [`Error::Limit`]
    /// beyond the format.
    pub fn sound(samples: u32, channels: u32, format: SampleFormat, rate: u32, amplitude: f32) -> Result<Self, Error> {
        if rate == 0 {
            return Err(Error::parameter("a sound needs a sample rate"));
        }
        let (kind, shape) = (SignalKind::Sound, vec![samples]);
        Self { kind, shape, rate: (rate, 1), amplitude, ..Self::plain(channels, format) }.checked()
    }

    /// A video of `frames` x `rows` x `columns`, channels as those of a picture, `rate` frames a second as a fraction.
    ///
    /// # Errors
    /// As [`SignalInfo::picture`], and [`Error::Parameter`] for a rate of zero.
    pub fn video(
        [frames, rows, columns]: [u32; 3],
        channels: u32,
        format: SampleFormat,
        rate: (u32, u32),
    ) -> Result<Self, Error> {
        if rate.0 == 0 {
            return Err(Error::parameter("a video needs a frame rate"));
        }
        let (kind, shape, colour) = (SignalKind::Video, vec![frames, rows, columns], ColourSpace::Srgb);
        let alpha = channels == 2 || channels == 4;
        Self { kind, shape, colour, alpha, rate, ..Self::plain(channels, format) }.checked()
    }

    /// What has neither colour nor time; kind and shape follow.
    fn plain(channels: u32, format: SampleFormat) -> Self {
        let (kind, shape, colour) = (SignalKind::Shape, Vec::new(), ColourSpace::None);
        Self { kind, shape, channels, format, colour, alpha: false, rate: (0, 1), amplitude: 1.0, placement: None }
    }

    fn checked(self) -> Result<Self, Error> {
        self.validate()?;
        Ok(self)
    }

    /// Samples or frames a second; `None` where time plays no part.
    pub fn rate_hz(&self) -> Option<f64> {
        (self.rate.0 > 0 && self.rate.1 > 0).then(|| f64::from(self.rate.0) / f64::from(self.rate.1))
    }

    /// Number of axes.
    pub fn axes(&self) -> usize {
        self.shape.len()
    }

    /// Number of samples on the canvas.
    pub fn samples(&self) -> u64 {
        self.shape.iter().map(|&n| u64::from(n)).product()
    }

    /// Checks every field against the limits and against each other.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a contradiction, [`Error::Limit`] for an excess.
    pub fn validate(&self) -> Result<(), Error> {
        let axes = match self.kind {
            SignalKind::Picture => 2,
            SignalKind::Sound => 1,
            SignalKind::Video | SignalKind::Shape => 3,
        };
        if self.shape.len() != axes {
            return Err(Error::parameter(format!("a {:?} has {axes} axes, not {}", self.kind, self.shape.len())));
        }
        let mut samples = 1_u64;
        for &n in &self.shape {
            if n == 0 {
                return Err(Error::parameter("the signal is empty: an axis has no samples"));
            }
            check_limit("samples along an axis", n.into(), limits::AXIS_SAMPLES)?;
            samples = samples.saturating_mul(n.into());
        }
        check_limit("samples of the canvas", samples, limits::CANVAS_SAMPLES)?;
        if self.channels == 0 {
            return Err(Error::parameter("a signal needs at least one channel"));
        }
        check_limit("channels", self.channels.into(), limits::CHANNELS)?;
        let coloured = matches!(self.kind, SignalKind::Picture | SignalKind::Video);
        if coloured && self.channels > 4 {
            return Err(Error::parameter(format!("a picture has 1 to 4 channels, not {}", self.channels)));
        }
        if self.alpha && !(coloured && matches!(self.channels, 2 | 4)) {
            return Err(Error::parameter("opacity is the last of 2 or 4 channels of a picture or video"));
        }
        if !(self.amplitude.is_finite() && self.amplitude > 0.0) {
            return Err(Error::parameter(format!("the amplitude must be positive and finite, not {}", self.amplitude)));
        }
        if self.rate.1 == 0 {
            return Err(Error::parameter("the rate's denominator is zero"));
        }
        self.validate_shape()
    }
}

/// A signal with its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What it is.
    pub info: SignalInfo,
    /// Values in [-1, 1], row-major over the axes, channels innermost: `[samples * channels]`.
    pub values: Vec<f32>,
}

impl Signal {
    /// Joins a description and its values.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the number of values does not fit or one is not finite.
    pub fn new(info: SignalInfo, values: Vec<f32>) -> Result<Self, Error> {
        info.validate()?;
        let expected = info.samples().saturating_mul(info.channels.into());
        if values.len() as u64 != expected {
            return Err(Error::parameter(format!(
                "{:?} samples of {} channels need {expected} values, {} were given",
                info.shape,
                info.channels,
                values.len()
            )));
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::parameter(format!(
                "value {index} is {}, only finite values can be encoded",
                values[index]
            )));
        }
        Ok(Self { info, values })
    }
}

/// The value that stands for "no network here" in decoded samples. A field never produces it.
pub const ABSENT: f32 = f32::NAN;

/// Code value (0..=`peak`) to field value (-1..=1): `v / peak * 2 - 1` (reference/local-global.md 2.2).
pub fn from_code_value(value: u16, peak: u16) -> f32 {
    f32::from(value) / f32::from(peak) * 2.0 - 1.0
}

/// Field value to code value, clamped and rounded to nearest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=peak before the cast")]
pub fn to_code_value(value: f32, peak: u16) -> u16 {
    ((value * 0.5 + 0.5).clamp(0.0, 1.0) * f32::from(peak)).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_values_round_trip() {
        for peak in [255_u16, 65535] {
            for v in (0..=peak).step_by(if peak == 255 { 1 } else { 97 }) {
                assert_eq!(to_code_value(from_code_value(v, peak), peak), v);
            }
        }
    }

    #[test]
    fn the_peak_of_psnr_is_the_published_one() {
        assert!((SignalKind::Picture.psnr_db(0.04) - 20.0).abs() < 1e-9);
        assert!((SignalKind::Sound.psnr_db(0.01) - 20.0).abs() < 1e-9);
        assert_eq!(SignalKind::Sound.psnr_db(0.0), f64::INFINITY);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(SignalInfo::picture(0, 3, 3, SampleFormat::U8).is_err());
        assert!(SignalInfo::picture(3, 3, 5, SampleFormat::U8).is_err());
        assert!(SignalInfo::sound(8, 1, SampleFormat::U16, 0, 1.0).is_err());
        assert!(SignalInfo::sound(0, 1, SampleFormat::U16, 8_000, 1.0).is_err());
        assert!(SignalInfo::sound(8, 1, SampleFormat::U16, 8_000, 0.0).is_err());
        assert!(SignalInfo::video([1, 2, 3], 3, SampleFormat::U8, (0, 1)).is_err());
        assert!(SignalInfo::shape([1, 0, 3], ShapeValue::Occupancy).is_err());
        let info = SignalInfo::picture(1, 1, 1, SampleFormat::U8).unwrap();
        assert!(Signal::new(info.clone(), vec![f32::NAN]).is_err());
        assert!(Signal::new(info, vec![0.0, 0.0]).is_err());
    }
}
