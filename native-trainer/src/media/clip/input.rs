//! Any clip as frames: by content, cut, timed and sized as the user wants, and into a spool.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat};
use tessera_core::signal::{SampleFormat, SignalInfo};

use super::animation::AnimationFrames;
use super::folder::{FolderFrames, picture, samples};
use super::y4m::{self, Y4mFrames};
use super::{ClipFile, Ffmpeg, FrameFormat, Frames, Rate};
use crate::errors::{Fault, input_fault, usage_fault};
use crate::samples::{Spool, SpoolWriter};

/// Which part of a clip is meant, and how large.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClipSelection {
    /// Frames of the source; all where `None`.
    pub frames: Option<FrameRange>,
    /// Frames per second; the source's where `None`.
    pub rate: Option<Rate>,
    /// Size; the source's where `None`.
    pub resize: Option<Resize>,
}

/// `33` (the first 33 frames), `10..43` (from frame 10 up to frame 42) or `10..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    first: u64,
    end: u64,
}

impl FromStr for FrameRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        let range = match text.split_once("..") {
            Some((first, "")) => number(first).map(|first| (first, u64::MAX)),
            Some((first, end)) => number(first).zip(number(end)),
            None => number(text).map(|count| (0, count)),
        };
        range
            .filter(|(first, end)| first < end)
            .map(|(first, end)| Self { first, end })
            .ok_or_else(|| format!("`{text}` is no range of frames: write 33, 10..43 or 10.."))
    }
}

/// `256x144`, or a percentage of both sides (`50%`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resize {
    /// Columns and rows.
    Size(u32, u32),
    /// Share of either side, in per cent.
    Percent(f64),
}

/// Longest side that frames are resized to.
const LONGEST_SIDE: u32 = 1 << 16;

impl FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<u32>().ok()).flatten().filter(|n| (1..=LONGEST_SIDE).contains(n))
        };
        let parsed = if let Some(share) = text.strip_suffix('%') {
            share.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 10_000.0).map(Self::Percent)
        } else {
            text.split_once('x').and_then(|(width, height)| Some(Self::Size(side(width)?, side(height)?)))
        };
        parsed.ok_or_else(|| format!("`{text}` is no size: write WIDTHxHEIGHT (256x144) or a percentage (50%)"))
    }
}

impl Resize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
    fn of(self, width: u32, height: u32) -> (u32, u32) {
        let part = |n: u32, share: f64| (f64::from(n) * share / 100.0).round().clamp(1.0, LONGEST_SIDE.into()) as u32;
        match self {
            Self::Size(width, height) => (width, height),
            Self::Percent(share) => (part(width, share), part(height, share)),
        }
    }
}

/// The frames of a file or folder, of the wanted part and size.
///
/// # Errors
/// [`Fault::Input`] for what is no clip and where ffmpeg is needed and not there.
pub fn open(clip: &ClipFile, selection: ClipSelection) -> Result<Box<dyn Frames>> {
    select(source(clip.path(), clip.name())?, selection)
}

fn source(path: &Path, name: &str) -> Result<Box<dyn Frames>> {
    if path.is_dir() {
        return Ok(Box::new(FolderFrames::open(path)?));
    }
    let unreadable = |e: std::io::Error| input_fault(format!("cannot read {name}: {e}"));
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut head)).map_err(unreadable)?;
    let reader = || File::open(path).map(BufReader::new).map_err(unreadable);
    if head.starts_with(y4m::SIGNATURE) {
        return Ok(Box::new(Y4mFrames::open(reader()?, name)?));
    }
    match image::guess_format(&head) {
        Ok(format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::WebP)) => {
            Ok(Box::new(AnimationFrames::open(reader()?, format, name)?))
        }
        _ => Ok(Box::new(Ffmpeg::find(&format!("reading {name}"))?.frames(path, name)?)),
    }
}

fn select(mut frames: Box<dyn Frames>, selection: ClipSelection) -> Result<Box<dyn Frames>> {
    if let Some(range) = selection.frames {
        frames = Box::new(Part { source: frames, range, next: 0 });
    }
    if let Some(rate) = selection.rate {
        frames = match frames.rate() {
            Some(own) if own != rate => Box::new(Timed { source: frames, own, rate, next: 0, read: 0, current: None }),
            _ => Box::new(Named { source: frames, rate }),
        };
    }
    if let Some(resize) = selection.resize {
        let own = frames.format();
        let (width, height) = resize.of(own.width, own.height);
        if (width, height) != (own.width, own.height) {
            frames = Box::new(Sized { source: frames, width, height });
        }
    }
    Ok(frames)
}

/// Some frames of a source.
struct Part {
    source: Box<dyn Frames>,
    range: FrameRange,
    next: u64,
}

impl Frames for Part {
    fn format(&self) -> FrameFormat {
        self.source.format()
    }

    fn rate(&self) -> Option<Rate> {
        self.source.rate()
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        while self.next < self.range.end {
            let Some(frame) = self.source.next_frame()? else {
                if self.next <= self.range.first {
                    return Err(usage_fault(format!(
                        "--frames: the clip has {} frames, none of them is from frame {} on",
                        self.next, self.range.first
                    )));
                }
                return Ok(None);
            };
            self.next += 1;
            if self.next > self.range.first {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }
}

/// A source at another rate: each frame is what was shown at its time.
struct Timed {
    source: Box<dyn Frames>,
    own: Rate,
    rate: Rate,
    next: u64,
    /// Frames read so far; `current` is the last of them.
    read: u64,
    current: Option<Vec<u8>>,
}

impl Frames for Timed {
    fn format(&self) -> FrameFormat {
        self.source.format()
    }

    fn rate(&self) -> Option<Rate> {
        Some(self.rate)
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let wanted = self.rate.source_frame(self.next, self.own);
        while self.read <= wanted {
            self.current = self.source.next_frame()?;
            if self.current.is_none() {
                return Ok(None);
            }
            self.read += 1;
        }
        self.next += 1;
        Ok(self.current.clone())
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }
}

/// A source without a rate, played at one.
struct Named {
    source: Box<dyn Frames>,
    rate: Rate,
}

impl Frames for Named {
    fn format(&self) -> FrameFormat {
        self.source.format()
    }

    fn rate(&self) -> Option<Rate> {
        Some(self.rate)
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        self.source.next_frame()
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }
}

/// A source of another size.
struct Sized {
    source: Box<dyn Frames>,
    width: u32,
    height: u32,
}

impl Frames for Sized {
    fn format(&self) -> FrameFormat {
        FrameFormat { width: self.width, height: self.height, ..self.source.format() }
    }

    fn rate(&self) -> Option<Rate> {
        self.source.rate()
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(frame) = self.source.next_frame()? else { return Ok(None) };
        let format = self.source.format();
        let frame = picture(format, frame).context("a frame has another size than its clip")?;
        Ok(Some(samples(resized(frame, self.width, self.height), format.channels)))
    }

    fn notes(&self) -> Vec<String> {
        let own = self.source.format();
        let mut notes = self.source.notes();
        notes.push(format!("resized from {}x{} to {}x{}", own.width, own.height, self.width, self.height));
        notes
    }
}

/// Each sample a mean of all that lie under it; straight lines between samples where the picture grows.
fn resized(frame: DynamicImage, width: u32, height: u32) -> DynamicImage {
    if !frame.color().has_alpha() {
        return frame.resize_exact(width, height, FilterType::Triangle);
    }
    // Colours count by their opacity, lest what cannot be seen shines through.
    let mut deep = frame.into_rgba16();
    let scaled = |value: u16, by: u16, over: u16| {
        let product = u64::from(value) * u64::from(by) / u64::from(over.max(1));
        u16::try_from(product).unwrap_or(u16::MAX)
    };
    for pixel in deep.pixels_mut() {
        let opacity = pixel[3];
        (0..3).for_each(|c| pixel[c] = scaled(pixel[c], opacity, u16::MAX));
    }
    let mut out = imageops::resize(&deep, width, height, FilterType::Triangle);
    for pixel in out.pixels_mut() {
        let opacity = pixel[3];
        (0..3).for_each(|c| pixel[c] = scaled(pixel[c], u16::MAX, opacity));
    }
    out.into()
}

/// Writes all frames into a spool in `folder`, once; `stop` ends it.
///
/// # Errors
/// [`Fault::Interrupted`] where `stop` was set, those of the source, and where the disk is full.
pub fn spool(
    mut frames: Box<dyn Frames>,
    name: &str,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<(Spool, Vec<String>)> {
    let format = frames.format();
    let full = |writer: u64| {
        format!("cannot keep the frames of {name} in {} while training ({writer} bytes so far)", folder.display())
    };
    let mut writer = SpoolWriter::new(folder).with_context(|| full(0))?;
    let mut count = 0_u64;
    loop {
        // An interruption reaches ffmpeg as well: its early end is no fault of the clip.
        let frame = frames.next_frame();
        if stop.load(Ordering::Relaxed) {
            return Err(Fault::Interrupted(format!("interrupted while reading {name}; nothing is written")).into());
        }
        let Some(frame) = frame? else { break };
        writer.write(&frame).with_context(|| full(writer.bytes()))?;
        count += 1;
    }
    if count == 0 {
        return Err(input_fault(format!("{name} has no frame")));
    }
    let rate = frames.rate().unwrap_or_default();
    let length = u32::try_from(count).context("the clip has too many frames")?;
    let shape = [length, format.height, format.width];
    let info = SignalInfo::video(shape, format.channels, SampleFormat::U8, rate.fraction())?;
    let spool = writer.finish(info).with_context(|| format!("cannot keep the frames of {name}"))?;
    Ok((spool, frames.notes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that are filled with their number.
    struct Numbered(u8, u8, Option<Rate>);

    impl Frames for Numbered {
        fn format(&self) -> FrameFormat {
            FrameFormat { width: 4, height: 2, channels: 3 }
        }

        fn rate(&self) -> Option<Rate> {
            self.2
        }

        fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
            self.0 += 1;
            Ok((self.0 <= self.1).then(|| vec![self.0 - 1; 24]))
        }
    }

    fn numbers(count: u8, selection: ClipSelection) -> Result<Vec<u8>> {
        let mut frames = select(Box::new(Numbered(0, count, Rate::new(25, 1))), selection)?;
        let mut out = Vec::new();
        while let Some(frame) = frames.next_frame()? {
            assert_eq!(frame.len(), frames.format().bytes());
            out.push(frame[0]);
        }
        Ok(out)
    }

    #[test]
    fn parts_rates_and_sizes() {
        let range = |text: &str| ClipSelection { frames: Some(text.parse().unwrap()), ..Default::default() };
        assert_eq!(numbers(6, ClipSelection::default()).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(numbers(6, range("2")).unwrap(), [0, 1]);
        assert_eq!(numbers(6, range("2..4")).unwrap(), [2, 3]);
        assert_eq!(numbers(6, range("4..")).unwrap(), [4, 5]);
        assert_eq!(numbers(6, range("5..90")).unwrap(), [5]);
        assert!(numbers(6, range("6..")).unwrap_err().to_string().contains("6 frames"));
        let rate = |text: &str| ClipSelection { rate: Some(text.parse().unwrap()), ..Default::default() };
        assert_eq!(numbers(6, rate("12.5")).unwrap(), [0, 2, 4]);
        assert_eq!(numbers(3, rate("50")).unwrap(), [0, 0, 1, 1, 2, 2]);
        assert_eq!(numbers(3, rate("25")).unwrap(), [0, 1, 2]);
        let half = ClipSelection { resize: Some("50%".parse().unwrap()), ..range("1..3") };
        assert_eq!(numbers(6, half).unwrap(), [1, 2]);
        let unnamed = select(Box::new(Numbered(0, 1, None)), rate("10")).unwrap();
        assert_eq!(unnamed.rate(), Rate::new(10, 1));
        for wrong in ["", "0", "3..3", "4..3", "-1", "1..x", ".."] {
            assert!(wrong.parse::<FrameRange>().is_err(), "{wrong}");
        }
        for wrong in ["", "0x4", "4", "4x", "-3x4", "0%", "x%", "99999999x1", "NaN%"] {
            assert!(wrong.parse::<Resize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_seen_does_not_shine_through() {
        // Opaque black beside transparent white: half opaque, still black.
        let frame = picture(FrameFormat { width: 2, height: 1, channels: 4 }, vec![0, 0, 0, 255, 255, 255, 255, 0]);
        let out = samples(resized(frame.unwrap(), 1, 1), 4);
        assert_eq!((&out[..3], out[3].abs_diff(128) <= 1), (&[0, 0, 0][..], true));
    }

    #[test]
    fn frames_are_spooled_in_order_until_they_end_or_stop() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let source = || Box::new(Numbered(0, 5, None));
        let (spool, _) = super::spool(source(), "a", folder.path(), &stop).unwrap();
        assert_eq!((spool.info().shape.clone(), spool.info().rate), (vec![5, 2, 4], (25, 1)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the spool has no name");
        let interrupted = super::spool(source(), "a", folder.path(), &AtomicBool::new(true)).unwrap_err();
        assert_eq!(crate::errors::exit_code(&interrupted), 130);
        let empty = super::spool(Box::new(Numbered(0, 0, None)), "a", folder.path(), &stop).unwrap_err();
        assert!(empty.to_string().contains("no frame"));
    }
}
