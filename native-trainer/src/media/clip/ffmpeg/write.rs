//! Frames that `ffmpeg` encodes, as raw video into a pipe.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};

use super::super::{FrameFormat, Rate};
use super::{Ffmpeg, named, said};

impl Ffmpeg {
    /// Starts to encode frames into `path`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub(in crate::media::clip) fn encoder(
        &self,
        path: &Path,
        container: Container,
        format: FrameFormat,
        rate: Rate,
    ) -> Result<FfmpegWriter> {
        let mut messages = tempfile::tempfile().context("cannot make a temporary file")?;
        let stored = ["gray", "ya8", "rgb24", "rgba"][(format.channels as usize - 1).min(3)];
        let mut command = Command::new(&self.program);
        // Without `-xerror` a full disk is a success.
        command.args(["-v", "error", "-xerror", "-y", "-f", "rawvideo", "-pix_fmt", stored]);
        command.args(["-s", &format!("{}x{}", format.width, format.height), "-r", &rate.to_string(), "-i", "pipe:0"]);
        command.args(container.options(format, &self.encoders()?));
        command.arg(named(path));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(messages.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let input = child.stdin.take().map(|stdin| BufWriter::with_capacity(1 << 16, stdin));
        messages.seek(SeekFrom::Start(0))?;
        Ok(FfmpegWriter { child, input, messages, path: path.to_owned() })
    }
}

/// What ffmpeg writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media::clip) enum Container {
    /// H.264, which everything plays; no opacity.
    Mp4,
    /// VP9, with opacity.
    WebM,
    /// FFV1: without loss.
    Matroska,
}

impl Container {
    /// Everything between input and output. The first encoder that is there is taken; without any, ffmpeg's own choice.
    fn options(self, format: FrameFormat, encoders: &[String]) -> Vec<String> {
        let halves = format.width.is_multiple_of(2) && format.height.is_multiple_of(2);
        let first = |names: &[&'static str]| names.iter().copied().find(|name| encoders.iter().any(|e| e == name));
        // H.264 halves the resolution of colour only where it is even; sharp colour is the price of odd sizes.
        let (encoder, pixels, more): (_, _, &[&str]) = match self {
            Self::Mp4 => (
                first(&["libx264", "libopenh264", "h264_videotoolbox", "mpeg4"]),
                if halves { "yuv420p" } else { "yuv444p" },
                &["-movflags", "+faststart", "-f", "mp4"],
            ),
            Self::WebM => {
                (first(&["libvpx-vp9", "libvpx"]), if format.alpha() { "yuva420p" } else { "yuv420p" }, &["-f", "webm"])
            }
            Self::Matroska => (
                Some("ffv1"),
                ["gray", "bgra", "bgr0", "bgra"][(format.channels as usize - 1).min(3)],
                &["-f", "matroska"],
            ),
        };
        let quality: &[&str] = match encoder {
            Some("libx264") => &["-preset", "medium", "-crf", "16"],
            Some("libvpx-vp9") => &["-crf", "20", "-b:v", "0", "-row-mt", "1"],
            Some("libvpx") => &["-crf", "8", "-b:v", "8M"],
            Some("mpeg4") => &["-q:v", "2"],
            Some("ffv1") => &["-level", "3"],
            _ => &["-b:v", "8M"],
        };
        let mut options: Vec<&str> = Vec::new();
        if self != Self::Matroska {
            options.extend([
                "-vf",
                "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int+bicubic",
                "-colorspace",
                "bt709",
                "-color_primaries",
                "bt709",
                "-color_trc",
                "bt709",
                "-color_range",
                "tv",
            ]);
        }
        if let Some(encoder) = encoder {
            options.extend(["-c:v", encoder]);
        }
        options.extend(quality);
        options.extend(["-pix_fmt", pixels]);
        options.extend(more);
        options.into_iter().map(str::to_owned).collect()
    }
}

/// Frames on their way into a file.
#[derive(Debug)]
pub(in crate::media::clip) struct FfmpegWriter {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    messages: File,
    path: PathBuf,
}

impl FfmpegWriter {
    /// Hands over a frame.
    ///
    /// # Errors
    /// Where ffmpeg gave up, with what it says.
    pub(in crate::media::clip) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        let written = self.input.as_mut().map_or(Ok(()), |input| input.write_all(frame));
        if written.is_err() {
            self.input = None;
            self.child.wait()?;
            anyhow::bail!("ffmpeg gave up: {}", said(&mut self.messages, &self.path));
        }
        Ok(())
    }

    /// Waits until the file is complete.
    ///
    /// # Errors
    /// As [`Self::write_frame`].
    pub(in crate::media::clip) fn finish(mut self) -> Result<()> {
        let flushed = self.input.take().map_or(Ok(()), |mut input| input.flush());
        let status = self.child.wait()?;
        if flushed.is_err() || !status.success() {
            anyhow::bail!("ffmpeg gave up: {}", said(&mut self.messages, &self.path));
        }
        Ok(())
    }
}

impl Drop for FfmpegWriter {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoders_that_are_there_are_taken() {
        let even = FrameFormat { width: 4, height: 4, channels: 3 };
        let options = |container: Container, format, have: &[&str]| {
            container.options(format, &have.iter().map(|&e| e.to_owned()).collect::<Vec<_>>()).join(" ")
        };
        assert!(options(Container::Mp4, even, &["libx264", "mpeg4"]).contains("-c:v libx264 -preset"));
        assert!(options(Container::Mp4, even, &["mpeg4"]).contains("-c:v mpeg4 -q:v 2 -pix_fmt yuv420p"));
        let odd = FrameFormat { width: 5, height: 4, channels: 4 };
        assert!(options(Container::Mp4, odd, &["libx264"]).contains("yuv444p"));
        assert!(options(Container::WebM, odd, &["libvpx-vp9"]).contains("yuva420p"));
        assert!(!options(Container::WebM, odd, &[]).contains("-c:v"));
    }
}
