//! Values with a notation of their own: `16x16`, `200k`, `90s`, colours. Each reads the same text on the command line,
//! in the environment and in a configuration file.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tessera_core::field::{Activation, Model};
use tessera_core::format::WeightCoding;

use crate::training::DeviceChoice;

/// A TOML scalar before it is read as one of the values below, so that both `parameters = 200000` and
/// `parameters = "200k"` are fine.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

/// Serde through the command line's notation.
macro_rules! same_text_everywhere {
    ($($name:ident),+) => {$(
        impl TryFrom<Scalar> for $name {
            type Error = String;
            fn try_from(scalar: Scalar) -> Result<Self, String> {
                scalar.to_string().parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )+};
}
same_text_everywhere!(Extents, SamplesPerAxis, Partitions, Seconds, QualityGoal);

impl TryFrom<Scalar> for Count {
    type Error = String;
    fn try_from(scalar: Scalar) -> Result<Self, String> {
        scalar.to_string().parse()
    }
}

impl From<Count> for u64 {
    fn from(count: Count) -> Self {
        count.0
    }
}

/// One number per axis in array order: `16x16` is 16 along the rows' axis and 16 along the columns'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Extents(pub Vec<u32>);

impl FromStr for Extents {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> =
            text.split(['x', '×', ',']).map(|part| part.trim().parse().ok().filter(|&n| n > 0)).collect();
        numbers
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a list of positive numbers like 16x16 (one for each axis)"))
    }
}

impl fmt::Display for Extents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("x"))
    }
}

/// One number per axis in array order, zero allowed: `1x2x2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct SamplesPerAxis(pub Vec<u32>);

impl FromStr for SamplesPerAxis {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split(['x', '×', ',']).map(|part| part.trim().parse().ok()).collect();
        numbers.map(Self).ok_or_else(|| format!("`{text}` is not a list of numbers like 1x2x2 (one for each axis)"))
    }
}

impl fmt::Display for SamplesPerAxis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Extents(self.0.clone()).fmt(f)
    }
}

/// Partition factors, or `auto`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum Partitions {
    /// From the partition size.
    Auto,
    /// As given.
    Factors(Extents),
}

impl FromStr for Partitions {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Factors).map_err(|e: String| format!("{e}, nor `auto`"))
    }
}

impl fmt::Display for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Factors(factors) => factors.fmt(f),
        }
    }
}

/// A wanted quality, as a PSNR in dB: `36.5dB`, or 0 to 100 for 22 to 42 dB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct QualityGoal(pub f64);

impl QualityGoal {
    /// PSNR in dB of quality 0, and what each of the hundred points adds.
    const SCALE: (f64, f64) = (22.0, 0.2);
    /// What a PSNR may be: less is no picture, more than what 16 bits distinguish.
    const DECIBELS: std::ops::RangeInclusive<f64> = 5.0..=100.0;
}

impl FromStr for QualityGoal {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (number, is_psnr) = match text.len().checked_sub(2).and_then(|at| text.split_at_checked(at)) {
            Some((number, unit)) if unit.eq_ignore_ascii_case("db") => (number.trim_end(), true),
            _ => (text, false),
        };
        let wrong = || format!("`{text}` must lie between 0 and 100, or be a PSNR like 36.5dB");
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (allowed, psnr_db) = if is_psnr {
            (Self::DECIBELS.contains(&number), number)
        } else {
            ((0.0..=100.0).contains(&number), Self::SCALE.0 + Self::SCALE.1 * number)
        };
        allowed.then_some(Self(psnr_db)).ok_or_else(wrong)
    }
}

impl fmt::Display for QualityGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}dB", self.0)
    }
}

/// A count, with `k` and `M` for thousands and millions: `200k`, `1.5M`, `206610`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "u64")]
pub struct Count(pub u64);

impl FromStr for Count {
    type Err = String;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, factor) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
            Some(b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        match number.trim().parse::<f64>() {
            Ok(value) if (1.0..=9e15).contains(&(value * factor)) => Ok(Self((value * factor).round() as u64)),
            _ => Err(format!("`{text}` is not a positive count like 206610, 200k or 1.5M")),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A duration in seconds: `90`, `90s`, `5m`, `1.5h`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Seconds(pub f64);

impl FromStr for Seconds {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, factor) = match text.as_bytes().last() {
            Some(b's') => (&text[..text.len() - 1], 1.0),
            Some(b'm') => (&text[..text.len() - 1], 60.0),
            Some(b'h') => (&text[..text.len() - 1], 3600.0),
            _ => (text, 1.0),
        };
        match number.trim().parse::<f64>() {
            Ok(value) if value > 0.0 && value * factor <= 1e9 => Ok(Self(value * factor)),
            _ => Err(format!("`{text}` is not a duration like 90s, 5m or 1.5h")),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// A colour with opacity, straight, each channel 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour(pub [f32; 4]);

impl FromStr for Colour {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let named = match text {
            "black" => Some([0.0, 0.0, 0.0, 1.0]),
            "white" => Some([1.0; 4]),
            "grey" | "gray" => Some([0.5, 0.5, 0.5, 1.0]),
            "transparent" => Some([0.0; 4]),
            _ => None,
        };
        named.or_else(|| hexadecimal(text)).map(Self).ok_or_else(|| {
            format!("`{text}` is not a colour: write black, white, grey, transparent, #rgb, #rrggbb or #rrggbbaa")
        })
    }
}

fn hexadecimal(text: &str) -> Option<[f32; 4]> {
    let digits: Vec<u8> = text
        .strip_prefix('#')
        .unwrap_or(text)
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let pair = |i: usize| f32::from(digits[2 * i] * 16 + digits[2 * i + 1]) / 255.0;
    match digits.len() {
        3 => Some([0, 1, 2, 3].map(|i| if i < 3 { f32::from(digits[i] * 17) / 255.0 } else { 1.0 })),
        6 => Some([pair(0), pair(1), pair(2), 1.0]),
        8 => Some([pair(0), pair(1), pair(2), pair(3)]),
        _ => None,
    }
}

/// The networks by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelName {
    /// Small local networks, one shared global network, one merge layer
    LocalGlobal,
    /// One network per partition, nothing shared
    PerPartition,
    /// One network for the whole signal; such a file cannot be cropped
    Siren,
    /// Latent grids per partition, one small shared network: pictures of a wanted size
    Latents,
}

impl From<ModelName> for Model {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::LocalGlobal => Self::LocalGlobal,
            ModelName::PerPartition => Self::PerPartition,
            ModelName::Siren => Self::Siren,
            ModelName::Latents => Self::Latents,
        }
    }
}

/// What the first layer sees of the coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingName {
    /// The coordinates
    Mlp,
    /// The coordinates, and sines and cosines whose frequencies grow by a factor
    Nerf,
    /// Sines and cosines of frequencies from 1 up to the scale
    Positional,
    /// Sines and cosines along random directions, drawn from the seed
    Gauss,
}

/// Nonlinearity of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationName {
    /// sin(omega u)
    Sine,
    /// max(u, 0)
    Relu,
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Self {
        match name {
            ActivationName::Sine => Self::Sine,
            ActivationName::Relu => Self::Relu,
        }
    }
}

/// Where training runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceName {
    /// A GPU where this program was built for one and finds it, else the CPU
    Auto,
    /// burn-flex on this computer's processors; the same seed gives the same file
    Cpu,
    /// NVIDIA GPUs (feature `cuda`)
    Cuda,
    /// Vulkan through wgpu (feature `vulkan`)
    Vulkan,
    /// Apple GPUs through wgpu (feature `metal`)
    Metal,
    /// WebGPU through wgpu (feature `webgpu`)
    Webgpu,
    /// burn-ndarray, burn's former CPU backend (feature `ndarray`)
    Ndarray,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => Self::Auto,
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
            DeviceName::Vulkan => Self::Vulkan,
            DeviceName::Metal => Self::Metal,
            DeviceName::Webgpu => Self::Webgpu,
            DeviceName::Ndarray => Self::Ndarray,
        }
    }
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsName {
    /// 32-bit floats: the trained weights, bit for bit
    F32,
    /// 16-bit floats: half the bytes, a small loss
    F16,
    /// bfloat16: half the bytes, f32's range, a larger loss
    Bf16,
}

impl From<WeightsName> for WeightCoding {
    fn from(name: WeightsName) -> Self {
        match name {
            WeightsName::F32 => Self::F32,
            WeightsName::F16 => Self::F16,
            WeightsName::Bf16 => Self::Bf16,
        }
    }
}

/// How training goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeName {
    /// The global network keeps its start weights; partitions are trained in groups, with falling rates
    Held,
    /// Every weight in every step, one learning rate or one that halves (--patience)
    Published,
}

/// Training settings by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// What is used without options: the global network is held still, local networks are trained
    Fast,
    /// A quarter of the steps, for a first look
    Draft,
    /// Four times the steps
    Fine,
    /// Made for playback in a browser: little to compute per sample
    Light,
    /// As published: for pictures 16x16 partitions, local width 14, global width 84, 1001 full steps at 5e-4; for sounds 32 partitions, widths 42 and 72, 1000 full steps at 1e-4
    Paper,
    /// One picture as one small network, as published for compression (Strümpler and others 2022): width 32, nerf encoding, 25,000 full steps
    #[value(name = "strumpler-32")]
    #[serde(rename = "strumpler-32")]
    Strumpler32,
    /// The same of width 48
    #[value(name = "strumpler-48")]
    #[serde(rename = "strumpler-48")]
    Strumpler48,
    /// The same of width 64
    #[value(name = "strumpler-64")]
    #[serde(rename = "strumpler-64")]
    Strumpler64,
    /// The same of width 96
    #[value(name = "strumpler-96")]
    #[serde(rename = "strumpler-96")]
    Strumpler96,
    /// The same of width 128
    #[value(name = "strumpler-128")]
    #[serde(rename = "strumpler-128")]
    Strumpler128,
}

impl Preset {
    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_are_read() {
        assert_eq!("16x8".parse::<Extents>().unwrap().0, [16, 8]);
        assert!("16x0".parse::<Extents>().is_err() && "".parse::<Extents>().is_err());
        assert_eq!("auto".parse::<Partitions>().unwrap(), Partitions::Auto);
        assert_eq!("200k".parse::<Count>().unwrap(), Count(200_000));
        assert_eq!("1.5M".parse::<Count>().unwrap(), Count(1_500_000));
        assert!("0".parse::<Count>().is_err() && "NaN".parse::<Count>().is_err() && "k".parse::<Count>().is_err());
        assert_eq!("50".parse::<QualityGoal>().unwrap(), QualityGoal(32.0));
        assert_eq!("36.5 dB".parse::<QualityGoal>().unwrap(), QualityGoal(36.5));
        assert_eq!(QualityGoal(36.5).to_string().parse(), Ok(QualityGoal(36.5)));
        for text in ["101", "-1", "dB", "", "2dB", "infdB", "NaN", "ß"] {
            assert!(text.parse::<QualityGoal>().is_err(), "{text}");
        }
        assert_eq!("5m".parse::<Seconds>().unwrap(), Seconds(300.0));
        assert_eq!("90".parse::<Seconds>().unwrap(), Seconds(90.0));
        assert!("-1s".parse::<Seconds>().is_err() && "infh".parse::<Seconds>().is_err());
        assert_eq!("#f00".parse::<Colour>().unwrap(), Colour([1.0, 0.0, 0.0, 1.0]));
        assert_eq!("00ff0080".parse::<Colour>().unwrap(), Colour([0.0, 1.0, 0.0, 128.0 / 255.0]));
        assert!("#ff".parse::<Colour>().is_err() && "chartreuse-ish".parse::<Colour>().is_err());
    }

    #[test]
    fn notations_survive_their_own_text() {
        for text in ["16x8", "5"] {
            assert_eq!(text.parse::<Extents>().unwrap().to_string(), text);
        }
        let seconds: Seconds = "1.5h".parse().unwrap();
        assert_eq!(seconds.to_string().parse::<Seconds>().unwrap(), seconds);
    }
}
