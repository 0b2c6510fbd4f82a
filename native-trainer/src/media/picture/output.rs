//! A view of a field to a picture file: the same channels and depth as the source, or a clear refusal.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, Result};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{ColorType, DynamicImage, ImageBuffer, ImageFormat};
use tessera_core::eval::{View, shows_absent};
use tessera_core::field::Field;
use tessera_core::signal::{SampleFormat, SignalInfo, SignalKind, to_code_value};

use crate::arguments::values::Colour;
use crate::decoding::{decode_into, target};
use crate::errors::usage_fault;

/// Quality of JPEG output: the losses shall be the field's, not the file's.
const JPEG_QUALITY: u8 = 95;

/// A picture format that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    /// Everything but floats; the default.
    Png,
    /// 8 bit without opacity, lossy.
    Jpeg,
    /// 8 bit, lossless.
    WebP,
    /// Everything but grey with opacity.
    Tiff,
    /// 8 bit.
    Bmp,
    /// 8-bit grey.
    Pgm,
    /// 8-bit RGB.
    Ppm,
    /// 8 and 16 bit, any channels.
    Pam,
    /// 8 bit.
    Tga,
    /// 8-bit colour.
    Qoi,
    /// Linear light.
    Hdr,
}

use PictureFormat::{Bmp, Hdr, Jpeg, Pam, Pgm, Png, Ppm, Qoi, Tga, Tiff, WebP};

impl PictureFormat {
    const ALL: [(Self, &'static [&'static str]); 11] = [
        (Png, &["png"]),
        (Jpeg, &["jpg", "jpeg"]),
        (WebP, &["webp"]),
        (Tiff, &["tif", "tiff"]),
        (Bmp, &["bmp"]),
        (Pgm, &["pgm"]),
        (Ppm, &["ppm"]),
        (Pam, &["pam", "pnm"]),
        (Tga, &["tga"]),
        (Qoi, &["qoi"]),
        (Hdr, &["hdr"]),
    ];

    /// The format of an output path: its extension's, PNG for stdout and for names without one.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Usage`] for an extension that we do not write.
    pub fn of(path: &Path) -> Result<Self> {
        let Some(extension) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else { return Ok(Png) };
        Self::ALL.iter().find(|(_, names)| names.contains(&extension.as_str())).map(|(format, _)| *format).ok_or_else(
            || {
                let known: Vec<&str> = Self::ALL.iter().map(|(_, names)| names[0]).collect();
                usage_fault(format!(
                    ".{extension} is not a picture format that tessera writes; use .{}",
                    known.join(", .")
                ))
            },
        )
    }

    fn name(self) -> String {
        Self::ALL.iter().find(|(f, _)| *f == self).map_or_else(String::new, |(_, names)| names[0].to_uppercase())
    }

    fn holds(self, colour: ColorType) -> bool {
        use ColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgb32F, Rgba8, Rgba16, Rgba32F};
        match self {
            Png | Pam => matches!(colour, L8 | La8 | Rgb8 | Rgba8 | L16 | La16 | Rgb16 | Rgba16),
            Jpeg => matches!(colour, L8 | Rgb8),
            WebP | Tga => matches!(colour, L8 | La8 | Rgb8 | Rgba8),
            Tiff => matches!(colour, L8 | Rgb8 | Rgba8 | L16 | Rgb16 | Rgba16 | Rgb32F | Rgba32F),
            Bmp => matches!(colour, L8 | Rgb8 | Rgba8),
            Pgm => colour == L8,
            Ppm => colour == Rgb8,
            Qoi => matches!(colour, Rgb8 | Rgba8),
            Hdr => colour == Rgb32F,
        }
    }
}

/// Evaluates a view of a picture's field in the source's channels and depth. Absent partitions get `fill`, or become
/// transparent, for which a channel is added where the source had none.
///
/// # Errors
/// The engine's errors; [`tessera_core::Error::Unsupported`] for a signal that is no picture.
pub fn render(field: &Field, info: &SignalInfo, view: &View, fill: Option<Colour>) -> Result<DynamicImage> {
    if info.kind != SignalKind::Picture {
        return Err(tessera_core::Error::Unsupported(tessera_core::error::Unsupported {
            feature: format!("decoding a {:?}", info.kind),
            advice: "this version writes pictures; get a newer Tessera".to_owned(),
        })
        .into());
    }
    let absent = shows_absent(field, view)?;
    let layout = Layout::of(info, absent, fill);
    let shape = view.shape();
    let size = (u32::try_from(shape[1])?, u32::try_from(shape[0])?);
    let lacking = || anyhow::anyhow!("the picture does not fit into memory");
    macro_rules! picture {
        ($kind:ty, $code:expr, $grey:ident, $grey_alpha:ident, $rgb:ident, $rgba:ident) => {{
            let data: Vec<$kind> = layout.samples(field, view, $code)?;
            match (layout.colours, layout.opacity) {
                (1, false) => ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::$grey),
                (1, true) => ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::$grey_alpha),
                (_, false) => ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::$rgb),
                (_, true) => ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::$rgba),
            }
            .ok_or_else(lacking)
        }};
    }
    match info.format {
        SampleFormat::U8 => {
            picture!(u8, byte, ImageLuma8, ImageLumaA8, ImageRgb8, ImageRgba8)
        }
        SampleFormat::U16 => {
            let code = |value: f32, _: bool| to_code_value(value, u16::MAX);
            picture!(u16, code, ImageLuma16, ImageLumaA16, ImageRgb16, ImageRgba16)
        }
        SampleFormat::F32 => {
            let amplitude = info.amplitude;
            let code = move |value: f32, opacity: bool| {
                let unit = value * 0.5 + 0.5;
                if opacity { unit.clamp(0.0, 1.0) } else { unit.max(0.0) * amplitude }
            };
            let data: Vec<f32> = layout.samples(field, view, code)?;
            if layout.opacity {
                ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::ImageRgba32F).ok_or_else(lacking)
            } else {
                ImageBuffer::from_raw(size.0, size.1, data).map(DynamicImage::ImageRgb32F).ok_or_else(lacking)
            }
        }
    }
}

fn byte(value: f32, _: bool) -> u8 {
    to_code_value(value, 255).to_le_bytes()[0]
}

/// How field values become the samples of a picture or of frames.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    channels: usize,
    alpha: bool,
    colours: usize,
    opacity: bool,
    fill: Colour,
}

impl Layout {
    /// The layout for a signal of which `absent` partitions are shown or not: as [`render`] does it.
    pub fn of(info: &SignalInfo, absent: bool, fill: Option<Colour>) -> Self {
        let fill = fill.unwrap_or(Colour([0.0; 4]));
        Self {
            channels: info.channels as usize,
            alpha: info.alpha,
            // Float pictures are RGB or RGBA in every format that holds them.
            colours: if info.channels >= 3 || info.format == SampleFormat::F32 { 3 } else { 1 },
            opacity: info.alpha || (absent && fill.0[3] < 1.0),
            fill,
        }
    }

    /// Channels of what is written.
    pub fn channels(&self) -> usize {
        self.colours + usize::from(self.opacity)
    }

    /// The samples of a view in 8 bits.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn bytes(&self, field: &Field, view: &View) -> Result<Vec<u8>> {
        self.samples(field, view, byte)
    }

    /// `code` turns a field value into a sample; its second argument says whether the channel is opacity.
    fn samples<T: Send + Clone + Default>(
        &self,
        field: &Field,
        view: &View,
        code: impl Fn(f32, bool) -> T + Sync,
    ) -> Result<Vec<T>> {
        let width = self.channels();
        let mut target = target(view.samples(), width)?;
        decode_into(field, view, width, &mut target, |values, part| {
            for (value, out) in values.chunks_exact(self.channels).zip(part.chunks_exact_mut(width)) {
                self.sample(value, out, &code);
            }
        })?;
        Ok(target)
    }

    fn sample<T>(&self, value: &[f32], out: &mut [T], code: impl Fn(f32, bool) -> T) {
        // The fill is in unit values, the field in [-1, 1].
        let fill = |v: f32, opacity: bool| code(v * 2.0 - 1.0, opacity);
        let absent = value[0].is_nan();
        let stored_colours = self.channels - usize::from(self.alpha);
        for (index, target) in out.iter_mut().enumerate() {
            let opacity = index == self.colours;
            *target = match (absent, opacity) {
                (true, true) => fill(self.fill.0[3], true),
                (true, false) if self.colours == 1 => fill(luminance(self.fill), false),
                (true, false) => fill(self.fill.0[index], false),
                (false, true) if self.alpha => code(value[self.channels - 1], true),
                (false, true) => code(1.0, true),
                (false, false) => code(value[index.min(stored_colours - 1)], false),
            };
        }
    }
}

fn luminance(Colour([r, g, b, _]): Colour) -> f32 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// A picture as the bytes of a file.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] where the format cannot hold this kind of picture.
pub fn encode_picture(picture: &DynamicImage, format: PictureFormat) -> Result<Vec<u8>> {
    let colour = picture.color();
    if !format.holds(colour) {
        let able: Vec<String> =
            PictureFormat::ALL.iter().filter(|(f, _)| f.holds(colour)).map(|(f, _)| f.name()).collect();
        let hint = if colour.has_alpha() && matches!(format, Jpeg | Ppm | Pgm | Hdr) {
            "; if only absent partitions are transparent, --fill COLOUR makes them opaque"
        } else {
            ""
        };
        return Err(usage_fault(format!(
            "{} cannot hold {}: write {}{hint}",
            format.name(),
            described(colour),
            able.join(", ")
        )));
    }
    let mut bytes = Cursor::new(Vec::new());
    match format {
        Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)),
        // Without a subtype the encoder writes PAM whatever the extension says.
        Pgm => picture
            .write_with_encoder(PnmEncoder::new(&mut bytes).with_subtype(PnmSubtype::Graymap(SampleEncoding::Binary))),
        Ppm => picture
            .write_with_encoder(PnmEncoder::new(&mut bytes).with_subtype(PnmSubtype::Pixmap(SampleEncoding::Binary))),
        Pam => picture.write_with_encoder(PnmEncoder::new(&mut bytes).with_subtype(PnmSubtype::ArbitraryMap)),
        Png => picture.write_to(&mut bytes, ImageFormat::Png),
        WebP => picture.write_to(&mut bytes, ImageFormat::WebP),
        Tiff => picture.write_to(&mut bytes, ImageFormat::Tiff),
        Bmp => picture.write_to(&mut bytes, ImageFormat::Bmp),
        Tga => picture.write_to(&mut bytes, ImageFormat::Tga),
        Qoi => picture.write_to(&mut bytes, ImageFormat::Qoi),
        Hdr => picture.write_to(&mut bytes, ImageFormat::Hdr),
    }
    .with_context(|| format!("cannot write {}", format.name()))?;
    Ok(bytes.into_inner())
}

fn described(colour: ColorType) -> String {
    let depth = match colour.bytes_per_pixel() / colour.channel_count() {
        1 => "8-bit",
        2 => "16-bit",
        _ => "float",
    };
    let channels = match colour.channel_count() {
        1 => "grey",
        2 => "grey with opacity",
        3 => "RGB",
        _ => "RGB with opacity",
    };
    format!("{depth} {channels}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::{FieldSpec, initialise};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    fn field(channels: u32) -> Field {
        let grid = Grid::new(vec![6, 9], vec![2, 3], UNIT_RANGE).unwrap();
        initialise(&FieldSpec::per_partition(2, channels, 4), &grid, 1).unwrap()
    }

    #[test]
    fn what_a_format_holds_comes_back_the_same() {
        for channels in 1..=4 {
            for depth in [SampleFormat::U8, SampleFormat::U16, SampleFormat::F32] {
                let field = field(channels);
                let info = SignalInfo::picture(6, 9, channels, depth).unwrap();
                let picture = render(&field, &info, &View::full(field.grid()), None).unwrap();
                for (format, names) in PictureFormat::ALL {
                    let Ok(bytes) = encode_picture(&picture, format) else { continue };
                    if format == Jpeg || format == Hdr {
                        continue;
                    }
                    let decoded = image::ImageReader::with_format(
                        Cursor::new(&bytes),
                        match format {
                            Png => ImageFormat::Png,
                            WebP => ImageFormat::WebP,
                            Tiff => ImageFormat::Tiff,
                            Bmp => ImageFormat::Bmp,
                            Tga => ImageFormat::Tga,
                            Qoi => ImageFormat::Qoi,
                            _ => ImageFormat::Pnm,
                        },
                    )
                    .decode()
                    .unwrap();
                    assert_eq!(decoded.to_rgba16(), picture.to_rgba16(), "{} {:?}", names[0], picture.color());
                }
                assert!(PictureFormat::ALL.iter().any(|(f, _)| f.holds(picture.color())));
            }
        }
    }

    #[test]
    fn absent_partitions_are_transparent_or_filled() {
        let field = field(3).restricted_to(&[0, 5]);
        let info = SignalInfo::picture(6, 9, 3, SampleFormat::U8).unwrap();
        let view = View::full(field.grid());
        let picture = render(&field, &info, &view, None).unwrap().to_rgba8();
        assert_eq!((picture.get_pixel(0, 0)[3], picture.get_pixel(4, 0).0), (255, [0, 0, 0, 0]));
        let filled = render(&field, &info, &view, Some("#102030".parse().unwrap())).unwrap();
        assert_eq!(filled.color(), ColorType::Rgb8);
        assert_eq!(filled.to_rgb8().get_pixel(4, 0).0, [16, 32, 48]);
        assert!(encode_picture(&DynamicImage::ImageRgba8(picture), Jpeg).unwrap_err().to_string().contains("--fill"));
        let corner = View::region(&vec![0..3, 0..3]);
        assert_eq!(render(&field, &info, &corner, None).unwrap().color(), ColorType::Rgb8);
    }

    #[test]
    fn unknown_extensions_are_named() {
        assert!(PictureFormat::of(Path::new("a.xyz")).unwrap_err().to_string().contains("xyz"));
        assert_eq!(PictureFormat::of(Path::new("-")).unwrap(), Png);
    }
}
