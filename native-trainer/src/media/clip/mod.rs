//! Clips to samples and back, frame by frame: at no time is more than a few frames in memory.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `detect` | which files are clips |
//! | `input` | any source as [`Frames`], the wanted part of it, and the spool that training reads |
//! | `output` | the formats that we write, by extension |
//! | `rate` | frame rates as fractions, and which frame is shown when |
//! | `ffmpeg` | everything that the `ffmpeg` program reads and writes |
//! | `y4m` | YUV4MPEG2, both ways |
//! | `animation` | GIF, APNG and WebP in, GIF and APNG out |
//! | `folder` | folders of pictures, both ways |
//!
//! A field stores 8 bits per channel of what is shown: RGB, grey where the source is grey, with opacity where it has
//! one. `ffmpeg` is a program that users install and not a library that we link: no licence, no headers, no major
//! version to follow; frames come and go through pipes. What it does not need to be there for (Y4M, GIF, APNG, folders)
//! we always read ourselves, so that results do not depend on what is installed.

mod animation;
mod detect;
mod ffmpeg;
mod folder;
mod input;
mod output;
mod rate;
mod y4m;

use anyhow::Result;

pub use self::detect::ClipFile;
pub use self::ffmpeg::{Ffmpeg, named};
pub use self::input::{ClipSelection, FrameRange, Resize, open, spool};
pub use self::output::{ClipFormat, FrameWriter};
pub use self::rate::Rate;

/// Rows, columns and channels of a frame of 8-bit samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFormat {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Grey, grey and opacity, RGB, RGB and opacity.
    pub channels: u32,
}

impl FrameFormat {
    /// Bytes of a frame.
    pub fn bytes(self) -> usize {
        self.width as usize * self.height as usize * self.channels as usize
    }

    /// Whether the last channel is opacity.
    pub fn alpha(self) -> bool {
        matches!(self.channels, 2 | 4)
    }
}

/// Frames one after the other, all of one format, at a constant rate.
pub trait Frames {
    /// What every frame is like.
    fn format(&self) -> FrameFormat;

    /// Frames per second, where the source knows.
    fn rate(&self) -> Option<Rate>;

    /// The next frame, row-major, channels innermost; `None` at the end.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Input`] where the source is damaged.
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>>;

    /// What the user should know about the source, complete at the end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
