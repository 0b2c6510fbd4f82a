//! A picture file to a signal.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tessera_core::limits;
use tessera_core::signal::{ColourSpace, SampleFormat, Signal, SignalInfo, from_code_value};

use crate::errors::{Fault, input_fault};
use crate::media::Source;

/// Bytes that decoding a picture may take.
const PICTURE_BYTES: u64 = 1 << 30;

/// Whether the bytes begin as a picture does, or the extension says so.
pub fn is_picture(bytes: &[u8], path: &Path) -> bool {
    image::guess_format(bytes).is_ok() || ImageFormat::from_path(path).is_ok()
}

/// Reads a picture of any format of the `image` crate. `path` is for messages, and for formats without a signature.
///
/// # Errors
/// [`Fault::Input`] for what is no readable picture, [`Fault::Limit`] for one that would take more than 1 GiB.
pub fn read_picture(bytes: &[u8], path: &Path) -> Result<Source> {
    let name = crate::output::shown(path);
    let refused = |e: ImageError| match e {
        ImageError::Limits(_) => too_large(&name),
        other => input_fault(format!("cannot read {name} as a picture: {other}")),
    };
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    if reader.format().is_none()
        && let Ok(format) = ImageFormat::from_path(path)
    {
        reader.set_format(format);
    }
    let mut allowed = Limits::default();
    allowed.max_image_width = u32::try_from(limits::AXIS_SAMPLES).ok();
    allowed.max_image_height = allowed.max_image_width;
    allowed.max_alloc = Some(PICTURE_BYTES);
    reader.limits(allowed);

    let mut notes = Vec::new();
    let mut decoder = reader.into_decoder().map_err(refused)?;
    if decoder.total_bytes() > PICTURE_BYTES {
        return Err(too_large(&name));
    }
    // Broken metadata must not hide a sound picture.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or(None).is_some();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if orientation != image::metadata::Orientation::NoTransforms {
        picture.apply_orientation(orientation);
        notes.push("turned upright as its EXIF orientation says".to_owned());
    }
    let signal = to_signal(picture, profile, &mut notes)?;
    if profile {
        notes.push("its colour profile is not kept: values stay as they are, their colour space is unknown".to_owned());
    }
    Ok(Source { signal, notes })
}

fn too_large(name: &str) -> anyhow::Error {
    Fault::Limit(format!("{name} needs more than 1 GiB as a picture")).into()
}

fn to_signal(picture: DynamicImage, profile: bool, notes: &mut Vec<String>) -> Result<Signal> {
    let (rows, columns) = (picture.height(), picture.width());
    if rows == 0 || columns == 0 {
        return Err(input_fault("the picture has no pixels"));
    }
    let channels = u32::from(picture.color().channel_count());
    let (format, mut values) = match picture {
        DynamicImage::ImageLuma8(p) => (SampleFormat::U8, from_bytes(&p)),
        DynamicImage::ImageLumaA8(p) => (SampleFormat::U8, from_bytes(&p)),
        DynamicImage::ImageRgb8(p) => (SampleFormat::U8, from_bytes(&p)),
        DynamicImage::ImageRgba8(p) => (SampleFormat::U8, from_bytes(&p)),
        DynamicImage::ImageLuma16(p) => (SampleFormat::U16, from_words(&p)),
        DynamicImage::ImageLumaA16(p) => (SampleFormat::U16, from_words(&p)),
        DynamicImage::ImageRgb16(p) => (SampleFormat::U16, from_words(&p)),
        DynamicImage::ImageRgba16(p) => (SampleFormat::U16, from_words(&p)),
        DynamicImage::ImageRgb32F(p) => (SampleFormat::F32, p.into_raw()),
        DynamicImage::ImageRgba32F(p) => (SampleFormat::F32, p.into_raw()),
        other => return Err(input_fault(format!("pictures of type {:?} are not supported", other.color()))),
    };
    let mut info = SignalInfo::picture(rows, columns, channels, format)?;
    if profile {
        info.colour = ColourSpace::Unknown;
    }
    if format == SampleFormat::F32 {
        info.colour = ColourSpace::Linear;
        info.amplitude = normalise_floats(&mut values, channels as usize, info.alpha, notes)?;
    }
    Ok(Signal::new(info, values)?)
}

fn from_bytes(values: &[u8]) -> Vec<f32> {
    let table: Vec<f32> = (0..=255).map(|v| from_code_value(v, 255)).collect();
    values.iter().map(|&v| table[usize::from(v)]).collect()
}

fn from_words(values: &[u16]) -> Vec<f32> {
    values.iter().map(|&v| from_code_value(v, u16::MAX)).collect()
}

/// Maps 0..=peak to [-1, 1] and returns the peak; opacity keeps its own scale.
fn normalise_floats(values: &mut [f32], channels: usize, alpha: bool, notes: &mut Vec<String>) -> Result<f32> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err(input_fault("the picture has values that are infinite or not a number"));
    }
    let is_alpha = |index: usize| alpha && index % channels == channels - 1;
    let peak = values.iter().enumerate().filter(|(i, _)| !is_alpha(*i)).fold(0.0_f32, |m, (_, &v)| m.max(v));
    let peak = if peak > 0.0 { peak } else { 1.0 };
    if values.iter().any(|&v| v < 0.0) {
        notes.push("its negative values are stored as 0".to_owned());
    }
    for (index, value) in values.iter_mut().enumerate() {
        let scale = if is_alpha(index) { 1.0 } else { peak };
        *value = (*value / scale).clamp(0.0, 1.0) * 2.0 - 1.0;
    }
    Ok(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn kinds_are_kept() {
        for (picture, channels, format) in [
            (DynamicImage::new_luma8(5, 3), 1, SampleFormat::U8),
            (DynamicImage::new_luma_a8(5, 3), 2, SampleFormat::U8),
            (DynamicImage::new_rgba8(5, 3), 4, SampleFormat::U8),
            (DynamicImage::new_rgb16(5, 3), 3, SampleFormat::U16),
        ] {
            let signal = read_picture(&png(&picture), Path::new("-")).unwrap().signal;
            assert_eq!((signal.info.channels, signal.info.format), (channels, format));
            assert_eq!(signal.info.shape, [3, 5]);
            assert_eq!(signal.info.alpha, channels % 2 == 0);
            assert!(signal.values.iter().all(|&v| v == -1.0));
        }
    }

    #[test]
    fn linear_light_keeps_its_peak() {
        let mut values = vec![0.0, 2.0, 8.0, 0.5];
        let mut notes = Vec::new();
        assert_eq!(normalise_floats(&mut values, 4, true, &mut notes).unwrap(), 8.0);
        assert_eq!(values, [-1.0, -0.5, 1.0, 0.0]);
        assert!(normalise_floats(&mut [f32::NAN], 1, false, &mut notes).is_err());
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in [&b"hello"[..], &png(&DynamicImage::new_rgb8(40, 40))[..60]] {
            let error = read_picture(bytes, Path::new("x.png")).unwrap_err();
            assert_eq!(crate::errors::exit_code(&error), 3, "{error:#}");
        }
    }
}
