//! GIF, APNG and animated WebP in, by the `image` crate; GIF and APNG out.
//!
//! These formats give every frame a time of its own, a field has one rate. A source is therefore looked through twice:
//! once for its times and for whether it needs colour and opacity, then for its frames.

use std::io::{BufRead, Seek, SeekFrom, Write};

use anyhow::{Context as _, Result};
use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder as _, Delay, Frame, ImageDecoder as _, ImageError, ImageFormat, ImageResult, RgbaImage};

use super::folder::{picture, samples};
use super::{FrameFormat, Frames, Rate};
use crate::errors::{Fault, input_fault, usage_fault};

/// Milliseconds that a frame without a time gets, as in browsers.
const NO_DELAY: u64 = 100;

/// Frames of an animated picture.
pub(super) struct AnimationFrames {
    frames: image::Frames<'static>,
    name: String,
    format: FrameFormat,
    rate: Rate,
    notes: Vec<String>,
    /// How often each frame is shown, at the clip's rate.
    shown: std::vec::IntoIter<u64>,
    current: Vec<u8>,
    left: u64,
    read: usize,
}

/// Whether this is an animated picture of more than one frame. Looks only as far as needed.
pub(super) fn is_animated(mut reader: impl BufRead + Seek) -> bool {
    let format = reader.fill_buf().ok().and_then(|head| image::guess_format(head).ok());
    let frames = format.and_then(|format| frames(reader, format).ok());
    frames.is_some_and(|mut frames| frames.nth(1).is_some_and(|frame| frame.is_ok()))
}

/// The frames, where the format has any.
fn frames<'a, R: BufRead + Seek + 'a>(reader: R, format: ImageFormat) -> ImageResult<image::Frames<'a>> {
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(1 << 30);
    match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(reader)?;
            decoder.set_limits(limits)?;
            Ok(decoder.into_frames())
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(reader, limits)?;
            if decoder.is_apng()? { Ok(decoder.apng()?.into_frames()) } else { Ok(nothing()) }
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(reader)?;
            if decoder.has_animation() { Ok(decoder.into_frames()) } else { Ok(nothing()) }
        }
        _ => Ok(nothing()),
    }
}

fn nothing<'a>() -> image::Frames<'a> {
    image::Frames::new(Box::new(std::iter::empty()))
}

impl AnimationFrames {
    /// Looks a source through and goes back to its start.
    ///
    /// # Errors
    /// [`Fault::Input`] where it is damaged or has no frame, [`Fault::Limit`] for frames of more than 1 GiB.
    pub(super) fn open<R: BufRead + Seek + 'static>(mut reader: R, format: ImageFormat, name: &str) -> Result<Self> {
        let (mut times, mut size, mut colour, mut alpha) = (Vec::new(), None, false, false);
        let mut notes = Vec::new();
        for frame in frames(&mut reader, format).map_err(|e| refused(name, 0, e))? {
            let frame = match frame {
                Ok(frame) => frame,
                // What came before the damage is a clip all the same.
                Err(error) if times.is_empty() => return Err(refused(name, 0, error)),
                Err(error) => {
                    notes.push(format!("it is damaged after frame {}: {error}", times.len()));
                    break;
                }
            };
            times.push(frame.delay());
            let pixels = frame.buffer();
            let own = (pixels.width(), pixels.height());
            if *size.get_or_insert(own) != own {
                return Err(input_fault(format!("{name} changes its size at frame {}", times.len())));
            }
            colour |= pixels.pixels().any(|p| p[0] != p[1] || p[1] != p[2]);
            alpha |= pixels.pixels().any(|p| p[3] != 255);
        }
        let Some((width, height)) = size else { return Err(input_fault(format!("{name} has no frame"))) };
        let (rate, shown) = constant_rate(&times, &mut notes);
        reader.seek(SeekFrom::Start(0)).with_context(|| format!("cannot read {name} a second time"))?;
        Ok(Self {
            frames: frames(reader, format).map_err(|e| refused(name, 0, e))?,
            name: name.to_owned(),
            format: FrameFormat { width, height, channels: if colour { 3 } else { 1 } + u32::from(alpha) },
            rate,
            notes,
            shown: shown.into_iter(),
            current: Vec::new(),
            left: 0,
            read: 0,
        })
    }
}

fn refused(name: &str, frame: usize, error: ImageError) -> anyhow::Error {
    match error {
        ImageError::Limits(_) => Fault::Limit(format!("a frame of {name} needs more than 1 GiB")).into(),
        other => input_fault(format!("cannot read {name}, frame {frame}: {other}")),
    }
}

/// One rate for frames with these times, and how often each of them is shown at it.
///
/// Times that differ by less than a factor of two are rounding (a GIF counts hundredths of a second): their mean is
/// meant. Otherwise long frames are repeated, at the rate of the shortest.
fn constant_rate(delays: &[Delay], notes: &mut Vec<String>) -> (Rate, Vec<u64>) {
    let fractions: Vec<(u64, u64)> = delays
        .iter()
        .map(|delay| match delay.numer_denom_ms() {
            (0, _) => (NO_DELAY, 1),
            (milliseconds, parts) => (milliseconds.into(), parts.max(1).into()),
        })
        .collect();
    if let Some(&(milliseconds, parts)) = fractions.first().filter(|first| fractions.iter().all(|f| f == *first)) {
        return (Rate::new(parts * 1000, milliseconds).unwrap_or_default(), vec![1; delays.len()]);
    }
    let times: Vec<u64> = fractions.iter().map(|(milliseconds, parts)| (milliseconds * 1000 / parts).max(1)).collect();
    let (shortest, longest) = times.iter().fold((u64::MAX, 0), |(s, l), &t| (s.min(t), l.max(t)));
    if longest < 2 * shortest {
        notes.push("the times of its frames differ a little; their mean is kept".to_owned());
        let mean = Rate::new(times.len() as u64 * 1_000_000, times.iter().sum());
        return (mean.unwrap_or_default(), vec![1; times.len()]);
    }
    notes.push("the times of its frames differ; long ones are repeated".to_owned());
    let (mut time, mut begun) = (0, 0);
    let shown = times.iter().map(|&own| {
        time += own;
        let until = (time + shortest / 2) / shortest;
        let count = until - begun;
        begun = until;
        count
    });
    (Rate::new(1_000_000, shortest).unwrap_or_default(), shown.collect())
}

impl Frames for AnimationFrames {
    fn format(&self) -> FrameFormat {
        self.format
    }

    fn rate(&self) -> Option<Rate> {
        Some(self.rate)
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        while self.left == 0 {
            let Some(count) = self.shown.next() else { return Ok(None) };
            self.read += 1;
            let frame = self.frames.next().transpose().map_err(|e| refused(&self.name, self.read, e))?;
            let Some(frame) = frame else { return Ok(None) };
            self.current = samples(frame.into_buffer().into(), self.format.channels);
            self.left = count;
        }
        self.left -= 1;
        Ok(Some(self.current.clone()))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// Writes a GIF: 256 colours a frame, fully transparent pixels or opaque ones.
pub(super) struct GifWriter<W: Write> {
    encoder: GifEncoder<W>,
    format: FrameFormat,
    rate: Rate,
    given: u64,
    /// The frame that is shown until the next one that is written, and since when, in hundredths of a second.
    shown: Option<(RgbaImage, u64)>,
}

/// Hundredths of a second that a frame of a GIF is shown at least: viewers show those of less for ten.
const LEAST_DELAY: u64 = 2;
/// Frames per second that a GIF shows at most; others are left out.
pub(super) const GIF_RATE: f64 = 50.0;

impl<W: Write> GifWriter<W> {
    /// Begins a GIF that repeats for ever.
    ///
    /// # Errors
    /// [`Fault::Usage`] for frames of more than 65,535 rows or columns, I/O errors.
    pub(super) fn new(writer: W, format: FrameFormat, rate: Rate) -> Result<Self> {
        if format.width.max(format.height) > u16::MAX.into() {
            return Err(usage_fault("a GIF has at most 65,535 rows and columns: write another format"));
        }
        let mut encoder = GifEncoder::new_with_speed(writer, 10);
        encoder.set_repeat(Repeat::Infinite)?;
        Ok(Self { encoder, format, rate, given: 0, shown: None })
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        let begins = self.begin_of(self.given);
        self.given += 1;
        if self.shown.as_ref().is_some_and(|&(_, since)| begins < since + LEAST_DELAY) {
            return Ok(());
        }
        let picture = picture(self.format, frame.to_vec()).context("a frame has another size")?.into_rgba8();
        let before = self.shown.replace((picture, begins));
        self.encode(before, begins)
    }

    /// Writes the last frame.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn finish(mut self) -> Result<()> {
        let (last, end) = (self.shown.take(), self.begin_of(self.given));
        self.encode(last, end)
    }

    /// Since the start, so that rounding does not add up.
    fn begin_of(&self, frame: u64) -> u64 {
        Rate::new(100, 1).unwrap_or_default().nearest_frame(frame, self.rate)
    }

    fn encode(&mut self, shown: Option<(RgbaImage, u64)>, until: u64) -> Result<()> {
        let Some((picture, since)) = shown else { return Ok(()) };
        let delay = u32::try_from((until - since).max(LEAST_DELAY)).unwrap_or(u32::MAX).min(u32::MAX / 10);
        self.encoder.encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(delay * 10, 1)))?;
        Ok(())
    }
}

/// Writes an APNG, without loss.
pub(super) struct ApngWriter<W: Write> {
    writer: png::Writer<W>,
}

impl<W: Write> ApngWriter<W> {
    /// Begins an APNG of `frames` frames that repeats for ever.
    ///
    /// # Errors
    /// [`Fault::Usage`] for more frames than the format counts, I/O errors.
    pub(super) fn new(writer: W, format: FrameFormat, rate: Rate, frames: u64) -> Result<Self> {
        let count = u32::try_from(frames).ok().filter(|&n| n <= u32::MAX >> 1);
        let count = count.ok_or_else(|| usage_fault(format!("{frames} frames are too many for an APNG")))?;
        let mut encoder = png::Encoder::new(writer, format.width, format.height);
        encoder.set_color(match format.channels {
            1 => png::ColorType::Grayscale,
            2 => png::ColorType::GrayscaleAlpha,
            3 => png::ColorType::Rgb,
            _ => png::ColorType::Rgba,
        });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_animated(count, 0)?;
        encoder.validate_sequence(true);
        let (mut per, mut seconds) = rate.fraction();
        while per > u16::MAX.into() || seconds > u16::MAX.into() {
            (per, seconds) = (per / 2, seconds.div_ceil(2));
        }
        encoder.set_frame_delay(u16::try_from(seconds)?, u16::try_from(per.max(1))?)?;
        Ok(Self { writer: encoder.write_header()? })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.writer.write_image_data(frame)?)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// I/O errors, and where fewer frames came than were announced.
    pub(super) fn finish(self) -> Result<()> {
        Ok(self.writer.finish()?)
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::type_complexity,
    reason = "small figures, and everything about an animation at once"
)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn all(bytes: Vec<u8>) -> Result<(FrameFormat, Rate, Vec<Vec<u8>>, Vec<String>)> {
        let format = image::guess_format(&bytes)?;
        let mut source = AnimationFrames::open(Cursor::new(bytes), format, "a")?;
        let mut frames = Vec::new();
        while let Some(frame) = source.next_frame()? {
            frames.push(frame);
        }
        Ok((source.format(), source.rate, frames, source.notes()))
    }

    /// Two colours, so that a palette holds them.
    fn frame(format: FrameFormat, i: usize) -> Vec<u8> {
        let sample = |p: usize, c: usize| if (p + i).is_multiple_of(3) { 40 + 50 * c as u8 } else { 200 };
        let mut out = Vec::new();
        for p in 0..(format.width * format.height) as usize {
            for c in 0..format.channels as usize {
                let opacity = format.alpha() && c + 1 == format.channels as usize;
                out.push(if opacity { if p % 2 == 0 { 255 } else { 100 } } else { sample(p, c) });
            }
        }
        out
    }

    #[test]
    fn an_apng_comes_back_without_loss() {
        for channels in 1..=4 {
            let format = FrameFormat { width: 9, height: 4, channels };
            let rate = Rate::new(30_000, 1001).unwrap();
            let mut bytes = Vec::new();
            let mut writer = ApngWriter::new(&mut bytes, format, rate, 5).unwrap();
            (0..5).for_each(|i| writer.write_frame(&frame(format, i)).unwrap());
            writer.finish().unwrap();
            assert!(is_animated(Cursor::new(&bytes)));
            let (found, found_rate, frames, notes) = all(bytes.clone()).unwrap();
            assert_eq!((found, found_rate, frames.len(), notes.len()), (format, rate, 5, 0));
            (0..5).for_each(|i| assert_eq!(frames[i], frame(format, i)));
            // Damage in the middle leaves what came before.
            let (_, _, frames, notes) = all(bytes[..bytes.len() * 3 / 4].to_vec()).unwrap();
            assert!(frames.len() < 5 && notes[0].contains("damaged"), "{notes:?}");
        }
        let mut bytes = Vec::new();
        let one = FrameFormat { width: 1, height: 1, channels: 1 };
        let mut writer = ApngWriter::new(&mut bytes, one, Rate::default(), 2).unwrap();
        writer.write_frame(&[7]).unwrap();
        assert!(writer.finish().is_err());
    }

    #[test]
    fn a_gif_keeps_colours_and_time() {
        let format = FrameFormat { width: 9, height: 4, channels: 3 };
        let mut bytes = Vec::new();
        let mut writer = GifWriter::new(&mut bytes, format, Rate::new(30, 1).unwrap()).unwrap();
        (0..6).for_each(|i| writer.write_frame(&frame(format, i)).unwrap());
        writer.finish().unwrap();
        assert!(is_animated(Cursor::new(&bytes)));
        let (found, rate, frames, notes) = all(bytes).unwrap();
        assert_eq!((found, rate, frames.len()), (format, Rate::new(30, 1).unwrap(), 6));
        assert!(notes[0].contains("differ a little"));
        for (i, found) in frames.iter().enumerate() {
            assert!(found.iter().zip(frame(format, i)).all(|(a, b)| a.abs_diff(b) <= 3));
        }
    }

    #[test]
    fn long_frames_are_repeated() {
        let delays = [40, 40, 400, 40].map(|ms| Delay::from_numer_denom_ms(ms, 1));
        let mut notes = Vec::new();
        assert_eq!(constant_rate(&delays, &mut notes), (Rate::new(25, 1).unwrap(), vec![1, 1, 10, 1]));
        assert_eq!(notes.len(), 1);
        assert_eq!(constant_rate(&[Delay::from_numer_denom_ms(0, 1)], &mut notes).0, Rate::new(10, 1).unwrap());
    }

    #[test]
    fn still_pictures_and_nonsense_are_no_animations() {
        let mut png = Cursor::new(Vec::new());
        image::RgbaImage::new(3, 3).write_to(&mut png, ImageFormat::Png).unwrap();
        let mut gif = Vec::new();
        let one = FrameFormat { width: 2, height: 2, channels: 1 };
        let mut writer = GifWriter::new(&mut gif, one, Rate::default()).unwrap();
        writer.write_frame(&[1, 2, 3, 4]).unwrap();
        writer.finish().unwrap();
        assert!(
            [png.get_ref(), &gif, &b"GIF89a".to_vec(), &Vec::new()]
                .iter()
                .all(|bytes| !is_animated(Cursor::new(bytes)))
        );
        assert_eq!(all(gif).unwrap().2.len(), 1);
        assert!(all(b"GIF89a nonsense".to_vec()).is_err());
    }
}
