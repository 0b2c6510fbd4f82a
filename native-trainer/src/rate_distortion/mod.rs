//! A set of pictures through several codecs at several rates: points, mean curves, BD-rates and a plot.
//!
//! Rates are those of files on the disk, everything in them counted. PSNR is taken over all samples of a picture with values
//! clamped and, of fields, not rounded to 8 bits, then averaged over pictures (reference/inr-compression.md 2).

pub mod codecs;
pub mod comparison;
pub mod curves;
pub mod ours;
pub mod picture;
pub mod plot;
pub mod records;

use serde::{Deserialize, Serialize};
use tessera_core::metrics::RatePoint;

/// What our own points are called.
pub const OURS: &str = "tessera";

/// A picture encoded once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The picture's name without its extension.
    pub picture: String,
    /// The codec's name.
    pub codec: String,
    /// What the codec was asked for, in its own measure.
    pub setting: String,
    /// Bits of the file for every pixel.
    pub bpp: f64,
    /// PSNR in dB of clamped values, those of a field not rounded.
    pub psnr_db: f64,
    /// PSNR in dB after rounding to 8 bits.
    pub psnr_8bit_db: f64,
    /// The file's size.
    pub bytes: u64,
    /// What encoding took.
    pub seconds: f64,
}

impl Point {
    /// As a point of a curve.
    pub fn rate(&self) -> RatePoint {
        RatePoint { bits_per_sample: self.bpp, psnr_db: self.psnr_db }
    }
}
