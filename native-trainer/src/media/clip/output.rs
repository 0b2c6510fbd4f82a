//! Frames to a file: which format an output's name means, and one writer for all of them.

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};

use super::animation::{ApngWriter, GIF_RATE, GifWriter};
use super::ffmpeg::{Container, FfmpegWriter};
use super::folder::{FolderWriter, is_frame};
use super::y4m::Y4mWriter;
use super::{Ffmpeg, FrameFormat, Rate};
use crate::errors::usage_fault;
use crate::output::{Destination, Staged, is_stream};

/// A clip format that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipFormat {
    /// YUV4MPEG2; also what stdout gets.
    Y4m,
    /// GIF.
    Gif,
    /// Animated PNG.
    Apng,
    /// H.264 in MP4, by ffmpeg.
    Mp4,
    /// VP9 in WebM, by ffmpeg.
    WebM,
    /// FFV1 in Matroska, by ffmpeg.
    Mkv,
    /// A folder of PNG files.
    Folder,
}

impl ClipFormat {
    /// The format of an output's name.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Usage`] for an extension that we do not write.
    pub fn of(path: &Path) -> Result<Self> {
        if is_stream(path) {
            return Ok(Self::Y4m);
        }
        let text = path.to_string_lossy();
        let Some(extension) = path.extension().filter(|_| !text.ends_with(['/', '\\'])) else {
            return Ok(Self::Folder);
        };
        match extension.to_string_lossy().to_lowercase().as_str() {
            "y4m" => Ok(Self::Y4m),
            "gif" => Ok(Self::Gif),
            "apng" => Ok(Self::Apng),
            "mp4" | "m4v" => Ok(Self::Mp4),
            "webm" => Ok(Self::WebM),
            "mkv" => Ok(Self::Mkv),
            "png" => Err(usage_fault(
                "a PNG holds one picture: write .apng for an animated one, or name a folder (OUT/) for one file a frame",
            )),
            other => Err(usage_fault(format!(
                ".{other} is not a clip format that tessera writes; use .mp4, .webm, .mkv, .y4m, .gif, .apng, or a folder"
            ))),
        }
    }

    /// Where a clip of this format goes.
    ///
    /// # Errors
    /// As [`Destination::new`] and [`Destination::folder`].
    pub fn destination(self, path: &Path, force: bool, json: bool) -> Result<Destination> {
        if self == Self::Folder {
            Destination::folder(path, force, is_frame)
        } else {
            Destination::new(path, force, json)
        }
    }

    /// What is left out of a clip of this rate, for the user.
    pub fn note(self, rate: Rate) -> Option<String> {
        (self == Self::Gif && rate.per_second() > GIF_RATE).then(|| {
            format!("a GIF shows at most {GIF_RATE} frames per second: the others are left out, and it plays as long")
        })
    }

    /// Refuses what the format cannot hold.
    fn check(self, format: FrameFormat) -> Result<()> {
        let opaque = matches!(self, Self::Y4m | Self::Mp4);
        if opaque && format.alpha() {
            return Err(usage_fault(format!(
                "{} cannot hold opacity: write .webm, .mkv, .apng or a folder; if only absent partitions are \
                 transparent, --fill COLOUR makes them opaque",
                if self == Self::Y4m { "Y4M" } else { "MP4" }
            )));
        }
        Ok(())
    }
}

/// Frames on their way into a file, which appears whole or not at all.
pub struct FrameWriter {
    target: Target,
    format: FrameFormat,
    output: Option<Output>,
    staged: Option<Staged>,
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter")
            .field("format", &self.format)
            .field("staged", &self.staged)
            .finish_non_exhaustive()
    }
}

enum Target {
    Y4m(Y4mWriter<Output>),
    Gif(GifWriter<Output>),
    Apng(ApngWriter<Output>),
    Ffmpeg(FfmpegWriter),
    Folder(FolderWriter),
}

/// A buffer that its encoder and we hold: encoders write their last bytes when they go and swallow the error, so that
/// only a flush of our own tells that the disk is full.
#[derive(Clone)]
struct Output(Rc<RefCell<BufWriter<Box<dyn Write>>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

impl FrameWriter {
    /// Begins a clip of `frames` frames.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Usage`] where the format cannot hold such frames, where ffmpeg is needed and not there, and
    /// I/O errors.
    pub fn new(
        destination: &Destination,
        kind: ClipFormat,
        format: FrameFormat,
        rate: Rate,
        frames: u64,
    ) -> Result<Self> {
        kind.check(format)?;
        let plain = matches!(kind, ClipFormat::Folder) || is_stream(destination.path());
        let staged = if plain { None } else { Some(destination.stage()?) };
        let own = matches!(kind, ClipFormat::Y4m | ClipFormat::Gif | ClipFormat::Apng);
        let output = own
            .then(|| -> Result<Output> {
                let writer: Box<dyn Write> = match &staged {
                    Some(staged) => Box::new(staged.file()?),
                    None => Box::new(io::stdout()),
                };
                Ok(Output(Rc::new(RefCell::new(BufWriter::with_capacity(1 << 16, writer)))))
            })
            .transpose()?;
        let writer = || output.clone().context("there is no file");
        let program = |container| -> Result<Target> {
            let staged = staged.as_ref().context("there is no file")?;
            let ffmpeg = Ffmpeg::find(&format!("writing {}", destination.shown()))?;
            Ok(Target::Ffmpeg(ffmpeg.encoder(staged.path(), container, format, rate)?))
        };
        let target = match kind {
            ClipFormat::Y4m => Target::Y4m(Y4mWriter::new(writer()?, format, rate)?),
            ClipFormat::Gif => Target::Gif(GifWriter::new(writer()?, format, rate)?),
            ClipFormat::Apng => Target::Apng(ApngWriter::new(writer()?, format, rate, frames)?),
            ClipFormat::Mp4 => program(Container::Mp4)?,
            ClipFormat::WebM => program(Container::WebM)?,
            ClipFormat::Mkv => program(Container::Matroska)?,
            ClipFormat::Folder => Target::Folder(FolderWriter::new(destination.path(), format, frames)?),
        };
        Ok(Self { target, format, output, staged })
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// For a frame of another size, I/O errors, and what ffmpeg says.
    pub fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        anyhow::ensure!(frame.len() == self.format.bytes(), "a frame of {} bytes does not fit", frame.len());
        match &mut self.target {
            Target::Y4m(writer) => writer.write_frame(frame),
            Target::Gif(writer) => writer.write_frame(frame),
            Target::Apng(writer) => writer.write_frame(frame),
            Target::Ffmpeg(writer) => writer.write_frame(frame),
            Target::Folder(writer) => writer.write_frame(frame),
        }
    }

    /// Completes the file and gives it its name; gives its size, where it has one.
    ///
    /// # Errors
    /// As [`Self::write_frame`].
    pub fn finish(self) -> Result<Option<u64>> {
        match self.target {
            Target::Y4m(writer) => drop(writer),
            Target::Gif(writer) => writer.finish()?,
            Target::Apng(writer) => writer.finish()?,
            Target::Ffmpeg(writer) => writer.finish()?,
            Target::Folder(writer) => return Ok(Some(writer.finish()?)),
        }
        if let Some(mut output) = self.output {
            output.flush().context("cannot write all of the clip")?;
        }
        self.staged.map(Staged::commit).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::clip::ClipFile;

    #[test]
    fn names_mean_formats() {
        let of = |name: &str| ClipFormat::of(Path::new(name));
        for (name, format) in [
            ("-", ClipFormat::Y4m),
            ("a.Y4M", ClipFormat::Y4m),
            ("a.mp4", ClipFormat::Mp4),
            ("frames/", ClipFormat::Folder),
            ("frames.d/", ClipFormat::Folder),
            ("frames", ClipFormat::Folder),
        ] {
            assert_eq!(of(name).unwrap(), format, "{name}");
        }
        assert!(of("a.png").unwrap_err().to_string().contains(".apng"));
        assert!(of("a.xyz").unwrap_err().to_string().contains("xyz"));
    }

    #[test]
    fn every_format_of_our_own_is_written_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let format = FrameFormat { width: 5, height: 3, channels: 3 };
        let frame: Vec<u8> = (0..45).map(|i| i * 5).collect();
        for name in ["a.y4m", "a.gif", "a.apng", "a"] {
            let path = place.path().join(name);
            let begin = || {
                let destination = Destination::new(&path, false, false).unwrap();
                FrameWriter::new(&destination, ClipFormat::of(&path).unwrap(), format, Rate::default(), 2).unwrap()
            };
            let mut given_up = begin();
            given_up.write_frame(&frame).unwrap();
            assert!(given_up.write_frame(&frame[1..]).is_err());
            drop(given_up);
            assert!(!path.exists(), "{name}");
            let mut writer = begin();
            (0..2).for_each(|_| writer.write_frame(&frame).unwrap());
            assert!(writer.finish().unwrap().unwrap() > 20);
            let mut back = super::super::open(&ClipFile::find(&path).unwrap(), Default::default()).unwrap();
            assert_eq!((back.format(), back.next_frame().unwrap().map(|f| f.len())), (format, Some(45)), "{name}");
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 4, "no temporary file stays");
        let destination = Destination::new(&place.path().join("b.mp4"), false, false).unwrap();
        let clear = FrameFormat { channels: 4, ..format };
        let refused = FrameWriter::new(&destination, ClipFormat::Mp4, clear, Rate::default(), 1).err().unwrap();
        assert!(refused.to_string().contains("--fill"), "{refused}");
    }
}
