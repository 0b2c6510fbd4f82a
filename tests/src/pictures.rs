//! Small pictures of every kind, drawn by formula: smooth areas, an edge and texture.

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

/// The kinds of pictures that PNG knows, as names.
pub const KINDS: [&str; 8] = ["l8", "la8", "rgb8", "rgba8", "l16", "la16", "rgb16", "rgba16"];

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "channels lie in 0..=1")]
fn to_u8(unit: f32) -> u8 {
    (unit * 255.0).round() as u8
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "channels lie in 0..=1")]
fn to_u16(unit: f32) -> u16 {
    (unit * 65535.0).round() as u16
}

/// A picture of `kind` (see [`KINDS`]).
///
/// # Panics
/// For a kind that does not exist.
pub fn picture(kind: &str, width: u32, height: u32) -> DynamicImage {
    let small = |x, y| channels(x, y, width, height).map(to_u8);
    let large = |x, y| channels(x, y, width, height).map(to_u16);
    match kind {
        "l8" => ImageBuffer::from_fn(width, height, |x, y| Luma([small(x, y)[0]])).into(),
        "la8" => ImageBuffer::from_fn(width, height, |x, y| LumaA([small(x, y)[0], small(x, y)[3]])).into(),
        "rgb8" => {
            ImageBuffer::from_fn(width, height, |x, y| Rgb([small(x, y)[0], small(x, y)[1], small(x, y)[2]])).into()
        }
        "rgba8" => ImageBuffer::from_fn(width, height, |x, y| Rgba(small(x, y))).into(),
        "l16" => ImageBuffer::from_fn(width, height, |x, y| Luma([large(x, y)[0]])).into(),
        "la16" => ImageBuffer::from_fn(width, height, |x, y| LumaA([large(x, y)[0], large(x, y)[3]])).into(),
        "rgb16" => {
            ImageBuffer::from_fn(width, height, |x, y| Rgb([large(x, y)[0], large(x, y)[1], large(x, y)[2]])).into()
        }
        "rgba16" => ImageBuffer::from_fn(width, height, |x, y| Rgba(large(x, y))).into(),
        _ => panic!("no such kind: {kind}"),
    }
}

/// Red, green, blue and opacity in 0..=1.
fn channels(x: u32, y: u32, width: u32, height: u32) -> [f32; 4] {
    let (u, v) = (x as f32 / width.max(2) as f32, y as f32 / height.max(2) as f32);
    let edge = if u + v > 1.1 { 0.35 } else { 0.0 };
    let texture = 0.1 * ((x * 7 + y * 13) as f32 * 0.9).sin();
    [0.5 * u + edge + 0.1, 0.4 + 0.3 * (5.0 * v).sin() + texture, 0.6 * (1.0 - v) + texture + 0.1, 0.4 + 0.5 * u]
        .map(|c| c.clamp(0.0, 1.0))
}
