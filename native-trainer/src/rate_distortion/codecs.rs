//! The other codecs: JPEG always, AVIF, JPEG XL and JPEG 2000 where a program for them is installed.
//!
//! Programs are looked for when they are needed and started without a shell. The codec's own program comes first, for that
//! is what people use; ffmpeg with the right library is the second way. AVIF and JPEG XL keep the colours' full resolution,
//! because PSNR over RGB counts them; JPEG halves it, as it almost always does.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use image::DynamicImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::media::clip::{Ffmpeg, named};

/// The codecs that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CodecName {
    /// Our fields
    Tessera,
    /// Progressive, which has optimised tables; halved colours
    Jpeg,
    /// By avifenc, or ffmpeg with libaom
    Avif,
    /// By cjxl, or ffmpeg with libjxl
    JpegXl,
    /// By opj_compress, or ffmpeg with libopenjpeg
    Jpeg2000,
}

/// Qualities from a tenth of a bit to two bits per pixel.
const JPEG: &[&str] = &["5", "10", "15", "25", "40", "55", "70", "80", "88", "94"];
const AVIF: &[&str] = &["61", "57", "52", "46", "39", "32", "25", "18", "11"];
const JPEG_XL: &[&str] = &["14", "10", "7", "5", "3.5", "2.5", "1.7", "1.1", "0.7"];
/// Bits per pixel.
const JPEG_2000: &[&str] = &["0.06", "0.1", "0.2", "0.3", "0.5", "0.8", "1.2", "1.8", "2.7"];

/// Conversions of ffmpeg between RGB and luma with colour that lose nothing but rounding.
const EXACT: &str = "accurate_rnd+full_chroma_int";

/// A codec that is there.
#[derive(Debug)]
pub struct Codec {
    /// Which.
    pub name: CodecName,
    /// The program with its version, and what it is told besides the setting.
    pub recipe: String,
    /// What it is asked for, from coarse to fine, in its own measure.
    pub settings: &'static [&'static str],
    how: How,
}

/// One that is not.
#[derive(Debug)]
pub struct Absent {
    /// Which.
    pub name: CodecName,
    /// What was looked for.
    pub reason: String,
}

#[derive(Debug)]
enum How {
    Jpeg,
    Avifenc,
    Cjxl,
    OpenJpeg,
    Ffmpeg(Ffmpeg),
}

impl CodecName {
    /// The other codecs.
    pub const OTHERS: [Self; 4] = [Self::Jpeg, Self::Avif, Self::JpegXl, Self::Jpeg2000];

    /// As in the points.
    pub fn text(self) -> &'static str {
        match self {
            Self::Tessera => super::OURS,
            Self::Jpeg => "jpeg",
            Self::Avif => "avif",
            Self::JpegXl => "jpeg-xl",
            Self::Jpeg2000 => "jpeg2000",
        }
    }
}

/// Looks for a codec other than our own.
///
/// # Errors
/// [`Absent`] where no program is there.
pub fn find(name: CodecName) -> Result<Codec, Absent> {
    let absent = |reason: &str| Absent { name, reason: reason.to_owned() };
    let ffmpeg = |encoder: &str| {
        let ffmpeg = Ffmpeg::find("comparing codecs").ok()?;
        ffmpeg.encoders().ok()?.iter().any(|e| e == encoder).then_some(ffmpeg)
    };
    let of = |program: Option<String>, how, encoder: &str, settings, missing: &str| {
        let (recipe, how) = match program {
            Some(version) => (version, how),
            None => {
                let ffmpeg = ffmpeg(encoder).ok_or_else(|| absent(missing))?;
                (format!("ffmpeg {} with {encoder}", ffmpeg.version()), How::Ffmpeg(ffmpeg))
            }
        };
        Ok(Codec { name, recipe, settings, how })
    };
    match name {
        CodecName::Jpeg => Ok(Codec {
            name,
            recipe: "jpeg-encoder 0.7, 4:2:0, progressive".to_owned(),
            settings: JPEG,
            how: How::Jpeg,
        }),
        CodecName::Avif => of(
            version("avifenc", "--version", "avifdec").map(|version| format!("avifenc {version}")),
            How::Avifenc,
            "libaom-av1",
            AVIF,
            "neither avifenc with avifdec nor ffmpeg with libaom-av1 is there",
        ),
        CodecName::JpegXl => of(
            version("cjxl", "--version", "djxl"),
            How::Cjxl,
            "libjxl",
            JPEG_XL,
            "neither cjxl with djxl nor ffmpeg with libjxl is there",
        ),
        CodecName::Jpeg2000 => of(
            version("opj_compress", "-h", "opj_decompress").map(|_| "opj_compress".to_owned()),
            How::OpenJpeg,
            "libopenjpeg",
            JPEG_2000,
            "neither opj_compress with opj_decompress nor ffmpeg with libopenjpeg is there",
        ),
        CodecName::Tessera => Err(absent("our own codec needs no program")),
    }
}

/// The first line that `program` says about itself, where it and its partner can be started. Some end with a failure
/// after their help, so how they end does not matter.
fn version(program: &str, option: &str, partner: &str) -> Option<String> {
    let said = |name: &str| Command::new(name).arg(option).stdin(Stdio::null()).output().ok();
    said(partner)?;
    let text = said(program)?.stdout;
    Some(String::from_utf8_lossy(&text).lines().map(str::trim).find(|line| !line.is_empty())?.to_owned())
}

impl Codec {
    /// Of its files.
    pub fn extension(&self) -> &'static str {
        match self.name {
            CodecName::Tessera => "inr",
            CodecName::Jpeg => "jpg",
            CodecName::Avif => "avif",
            CodecName::JpegXl => "jxl",
            CodecName::Jpeg2000 => "jp2",
        }
    }

    /// Encodes `picture`, which lies as a PNG in `png` as well, into `file`.
    ///
    /// # Errors
    /// Where the program gives up, with what it says.
    pub fn encode(&self, picture: &DynamicImage, png: &Path, setting: &str, file: &Path) -> Result<()> {
        match &self.how {
            How::Jpeg => encode_jpeg(picture, setting, file),
            How::Avifenc => {
                let mut avifenc = Command::new("avifenc");
                avifenc.args(["--min", "0", "--max", "63", "-a", "end-usage=q", "-a", &format!("cq-level={setting}")]);
                avifenc.args(["--speed", "6", "--jobs", "all", "--yuv", yuv(picture)]).arg(png).arg(file);
                finish(avifenc)
            }
            How::Cjxl => {
                let mut cjxl = Command::new("cjxl");
                cjxl.arg(png).arg(file).args(["-d", setting, "-e", "7"]);
                finish(cjxl)
            }
            How::OpenJpeg => {
                // Releases in use read the colours of a PNG wrongly (2.5.0: 13 dB for any rate).
                let plain = png.with_extension("pnm");
                picture.save(&plain).context("cannot write a temporary file")?;
                let ratio = format!("{:.4}", ratio(picture, setting)?);
                let mut compress = Command::new("opj_compress");
                compress.arg("-i").arg(&plain).arg("-o").arg(file).args(["-r", &ratio, "-I"]);
                finish(compress)
            }
            How::Ffmpeg(ffmpeg) => {
                let mut command = ffmpeg.command();
                command.args(["-v", "error", "-y", "-i"]).arg(named(png)).args(["-frames:v", "1"]);
                command.args(self.ffmpeg_options(picture, setting)?).arg(named(file));
                finish(command)
            }
        }
    }

    fn ffmpeg_options(&self, picture: &DynamicImage, setting: &str) -> Result<Vec<String>> {
        let grey = picture.color().channel_count() == 1;
        let to_yuv = format!("scale=out_color_matrix=bt601:out_range=pc:flags={EXACT}");
        let planes = if grey { "gray" } else { "yuv444p" };
        let mut words = vec!["-vf", &to_yuv, "-pix_fmt", planes, "-color_range", "pc", "-colorspace", "smpte170m"];
        match self.name {
            CodecName::Avif => {
                words.extend([
                    "-c:v",
                    "libaom-av1",
                    "-still-picture",
                    "1",
                    "-cpu-used",
                    "6",
                    "-b:v",
                    "0",
                    "-crf",
                    setting,
                ]);
                words.extend(["-f", "avif"]);
            }
            CodecName::JpegXl => {
                words = vec!["-c:v", "libjxl", "-distance", setting, "-effort", "7", "-f", "image2"];
            }
            _ => {
                // It does not turn RGB into luma and colour by itself, which would cost 2 dB, and doubles the ratio.
                let ratio = format!("{:.0}", (ratio(picture, setting)? / 2.0).max(1.0));
                words.extend(["-c:v", "libopenjpeg", "-irreversible", "1", "-f", "image2", "-compression_level"]);
                return Ok(words.into_iter().chain([ratio.as_str()]).map(str::to_owned).collect());
            }
        }
        Ok(words.into_iter().map(str::to_owned).collect())
    }

    /// Decodes a file; `folder` is for what the program writes.
    ///
    /// # Errors
    /// As [`Codec::encode`].
    pub fn decode(&self, file: &Path, folder: &Path) -> Result<DynamicImage> {
        let png = folder.join("decoded.png");
        let command = match &self.how {
            How::Jpeg => return image::open(file).context("the JPEG cannot be read again"),
            How::Avifenc => decoder("avifdec", file, &png),
            How::Cjxl => decoder("djxl", file, &png),
            How::OpenJpeg => {
                let mut command = Command::new("opj_decompress");
                command.arg("-i").arg(file).arg("-o").arg(&png);
                command
            }
            How::Ffmpeg(ffmpeg) => {
                let mut command = ffmpeg.command();
                command.args(["-v", "error", "-y", "-i"]).arg(named(file));
                // A JPEG 2000 file of ours says neither its matrix nor its range.
                let of_jpeg_2000 =
                    if self.name == CodecName::Jpeg2000 { "in_color_matrix=bt601:in_range=pc:" } else { "" };
                command.args(["-frames:v", "1", "-vf", &format!("scale={of_jpeg_2000}flags={EXACT}+bicubic")]);
                command.args(["-pix_fmt", "rgb24", "-f", "image2"]).arg(named(&png));
                command
            }
        };
        finish(command)?;
        image::open(&png).with_context(|| format!("what was decoded of {} cannot be read", file.display()))
    }
}

fn decoder(program: &str, file: &Path, png: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(file).arg(png);
    command
}

fn yuv(picture: &DynamicImage) -> &'static str {
    if picture.color().channel_count() == 1 { "400" } else { "444" }
}

/// What JPEG 2000 calls a rate: the size of the samples over that of the file.
fn ratio(picture: &DynamicImage, bits_per_pixel: &str) -> Result<f64> {
    let bits: f64 = bits_per_pixel.parse().context("a rate of JPEG 2000")?;
    Ok(f64::from(picture.color().channel_count()) * 8.0 / bits)
}

fn encode_jpeg(picture: &DynamicImage, setting: &str, file: &Path) -> Result<()> {
    let mut encoder = Encoder::new_file(file, setting.parse().context("a quality of JPEG")?)?;
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    // Progressive files have optimised tables. Sequential ones with such tables have a scan for each colour here, which the
    // decoder of the `image` crate reads wrongly (zune-jpeg 0.5.15, its issue 422; mended in 0.5.16).
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width()), u16::try_from(picture.height())) else {
        bail!("JPEG ends at 65,535 pixels along a side");
    };
    let colours = if picture.color().channel_count() == 1 { ColorType::Luma } else { ColorType::Rgb };
    Ok(encoder.encode(picture.as_bytes(), width, height, colours)?)
}

/// Runs a program to its end.
fn finish(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it does not say why");
    bail!("{program} gave up: {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every codec that is here: finer settings are better and larger, and what comes back is the picture.
    #[test]
    fn codecs_give_back_what_they_got() {
        let folder = tempfile::tempdir().unwrap();
        for grey in [false, true] {
            let colour =
                |x: u32, y: u32| [2 * x, 3 * y, 255 - x - y].map(|v| u8::try_from(v + 7 * (x * y % 3)).unwrap_or(255));
            let picture: DynamicImage = if grey {
                image::GrayImage::from_fn(72, 56, |x, y| image::Luma([colour(x, y)[0]])).into()
            } else {
                image::RgbImage::from_fn(72, 56, |x, y| image::Rgb(colour(x, y))).into()
            };
            let png = folder.path().join("source.png");
            picture.save(&png).unwrap();
            for codec in CodecName::OTHERS.into_iter().filter_map(|name| find(name).ok()) {
                let error = |setting: &str| -> (u64, f64) {
                    let file = folder.path().join(format!("a.{}", codec.extension()));
                    codec.encode(&picture, &png, setting, &file).unwrap();
                    let decoded = codec.decode(&file, folder.path()).unwrap().to_rgb8();
                    let pairs = picture.to_rgb8().into_raw().into_iter().zip(decoded.into_raw());
                    let squares: f64 = pairs.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
                    (std::fs::metadata(&file).unwrap().len(), (squares / (72.0 * 56.0 * 3.0)).sqrt())
                };
                let (coarse, fine) = (error(codec.settings[1]), error(codec.settings[codec.settings.len() - 1]));
                let said = format!("{} grey {grey}: {coarse:?} {fine:?}", codec.recipe);
                assert!(fine.1 < 6.0 && fine.1 < coarse.1 && fine.0 > coarse.0, "{said}");
            }
        }
    }
}
