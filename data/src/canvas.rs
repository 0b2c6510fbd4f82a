//! Drawing by asking for the colour of points, and PNG out.
//!
//! Pictures are functions from a point to a colour, averaged over a grid of points in each pixel: edges come out
//! smooth without a rasteriser.

use anyhow::{Context, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use std::io::Write;

/// Points along each side of a pixel.
const SUBSAMPLES: u32 = 4;

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Pixels in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// 3 (RGB) or 4 (RGBA).
    pub(crate) channels: u8,
    /// Row by row, channels together, 8 bit.
    pub(crate) samples: Vec<u8>,
}

impl Picture {
    /// Draws an opaque picture. `colour` gets points in pixels, `(0, 0)` the upper left corner.
    pub(crate) fn opaque(width: u32, height: u32, colour: impl Fn(f64, f64) -> [f64; 3]) -> Self {
        let drawn = Self::transparent(width, height, |x, y| {
            let [red, green, blue] = colour(x, y);
            [red, green, blue, 1.0]
        });
        let samples = drawn.samples.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Self { width, height, channels: 3, samples }
    }

    /// Draws a picture with transparency; the fourth value of `colour` is its coverage, 0 to 1, not premultiplied.
    pub(crate) fn transparent(width: u32, height: u32, colour: impl Fn(f64, f64) -> [f64; 4]) -> Self {
        let mut samples = Vec::new();
        for row in 0..height {
            for column in 0..width {
                samples.extend(pixel(&colour, column, row).map(to_byte));
            }
        }
        Self { width, height, channels: 4, samples }
    }

    /// Writes the picture as PNG.
    pub(crate) fn write_png(&self, out: impl Write) -> Result<()> {
        let colour = if self.channels == 4 { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
        PngEncoder::new_with_quality(out, CompressionType::Best, FilterType::Adaptive)
            .write_image(&self.samples, self.width, self.height, colour)
            .context("cannot write the picture as PNG")
    }
}

/// Writes pictures of one size as an animated PNG that repeats for ever, `rate` of them a second.
pub(crate) fn write_apng(frames: &[Picture], rate: u16, out: impl Write) -> Result<()> {
    let first = frames.first().context("an animation needs a frame")?;
    let mut encoder = png::Encoder::new(out, first.width, first.height);
    encoder.set_color(if first.channels == 4 { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_animated(u32::try_from(frames.len())?, 0)?;
    encoder.set_frame_delay(1, rate)?;
    let mut writer = encoder.write_header()?;
    for frame in frames {
        writer.write_image_data(&frame.samples)?;
    }
    writer.finish().context("cannot write the animation")
}

/// The mean of the points in one pixel, colours weighted by coverage.
fn pixel(colour: &impl Fn(f64, f64) -> [f64; 4], column: u32, row: u32) -> [f64; 4] {
    let mut sum = [0.0; 4];
    for i in 0..SUBSAMPLES * SUBSAMPLES {
        let offset = |k: u32| (f64::from(k) + 0.5) / f64::from(SUBSAMPLES);
        let at = colour(f64::from(column) + offset(i % SUBSAMPLES), f64::from(row) + offset(i / SUBSAMPLES));
        for channel in 0..3 {
            sum[channel] += at[channel].clamp(0.0, 1.0) * at[3];
        }
        sum[3] += at[3];
    }
    let opacity = sum[3].max(1e-9);
    [sum[0] / opacity, sum[1] / opacity, sum[2] / opacity, sum[3] / f64::from(SUBSAMPLES * SUBSAMPLES)]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of a byte")]
fn to_byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5).floor() as u8
}
