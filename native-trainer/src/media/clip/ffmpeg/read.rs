//! Frames that `ffmpeg` decodes, as PAM pictures out of a pipe.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use tessera_core::limits;

use super::super::{FrameFormat, Frames, Rate};
use super::{Ffmpeg, named, said};
use crate::errors::{Fault, input_fault};

impl Ffmpeg {
    /// The frames of a file's first picture track. `name` is for messages.
    ///
    /// # Errors
    /// [`Fault::Input`] for what ffmpeg cannot read and for files without a picture.
    pub(in crate::media::clip) fn frames(&self, path: &Path, name: &str) -> Result<FfmpegFrames> {
        let track = self.track(path, name)?;
        let rate = track.rate();
        let mut messages = tempfile::tempfile().context("cannot make a temporary file")?;
        let mut command = Command::new(&self.program);
        command.args(["-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"]);
        // Its own decoders of these ignore opacity, which lies in a second stream.
        if track.tags.alpha_mode == "1" {
            match track.codec_name.as_str() {
                "vp8" => drop(command.args(["-c:v", "libvpx"])),
                "vp9" => drop(command.args(["-c:v", "libvpx-vp9"])),
                _ => {}
            }
        }
        command.arg("-i").arg(named(path)).args([
            "-map",
            "0:V:0",
            "-sws_flags",
            "accurate_rnd+full_chroma_int+bicubic",
        ]);
        if let Some(rate) = rate {
            command.args(["-r", &rate.to_string()]);
        }
        command.args(["-f", "image2pipe", "-c:v", "pam", "-pix_fmt", track.samples(), "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(messages.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdout = child.stdout.take().context("ffmpeg has no output")?;
        let mut running = Running { child, output: BufReader::with_capacity(1 << 16, stdout) };
        let mut notes = vec![format!("read by ffmpeg {}", self.version)];
        notes.extend(track.notes());
        let Some((format, first)) = pam(&mut running.output, name)? else {
            let _ = running.child.wait();
            return Err(input_fault(format!("ffmpeg finds no frame in {name}: {}", said(&mut messages, path))));
        };
        Ok(FfmpegFrames {
            running,
            messages,
            path: path.to_owned(),
            name: name.to_owned(),
            format,
            rate,
            first: Some(first),
            notes,
            frames: 0,
        })
    }
}

/// A child that does not outlive us.
#[derive(Debug)]
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Frames that ffmpeg decodes.
#[derive(Debug)]
pub(in crate::media::clip) struct FfmpegFrames {
    running: Running,
    messages: File,
    path: PathBuf,
    name: String,
    format: FrameFormat,
    rate: Option<Rate>,
    first: Option<Vec<u8>>,
    notes: Vec<String>,
    frames: u64,
}

impl Frames for FfmpegFrames {
    fn format(&self) -> FrameFormat {
        self.format
    }

    fn rate(&self) -> Option<Rate> {
        self.rate
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let frame = match self.first.take() {
            Some(first) => Some((self.format, first)),
            None => pam(&mut self.running.output, &self.name)?,
        };
        let Some((format, frame)) = frame else {
            let status = self.running.child.wait()?;
            let length = self.messages.metadata().map_or(0, |m| m.len());
            if length > 0 || !status.success() {
                let message = said(&mut self.messages, &self.path);
                self.notes.push(format!("ffmpeg complains after {} frames: {message}", self.frames));
            }
            return Ok(None);
        };
        if format != self.format {
            return Err(input_fault(format!("{} changes its size at frame {}", self.name, self.frames)));
        }
        self.frames += 1;
        Ok(Some(frame))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// The next PAM picture of a stream; `None` at its end.
fn pam(stream: &mut impl BufRead, name: &str) -> Result<Option<(FrameFormat, Vec<u8>)>> {
    let broken = || input_fault(format!("cannot understand what ffmpeg makes of {name}"));
    let (mut width, mut height, mut channels) = (0, 0, 0);
    let mut line = String::new();
    for number in 0.. {
        line.clear();
        if stream.take(200).read_line(&mut line)? == 0 && number == 0 {
            return Ok(None);
        }
        match (number, line.trim_end().split_once(' ')) {
            (0, None) if line == "P7\n" => {}
            (1.., None) if line == "ENDHDR\n" => break,
            (1..20, Some((field, value))) => {
                let number = || value.parse::<u32>().map_err(|_| broken());
                match field {
                    "WIDTH" => width = number()?,
                    "HEIGHT" => height = number()?,
                    "DEPTH" => channels = number()?,
                    "MAXVAL" if value != "255" => return Err(broken()),
                    _ => {}
                }
            }
            _ => return Err(broken()),
        }
    }
    let side = |n: u32| (1..=limits::AXIS_SAMPLES).contains(&n.into());
    if !side(width) || !side(height) || !(1..=4).contains(&channels) {
        return Err(broken());
    }
    let format = FrameFormat { width, height, channels };
    if format.bytes() > 1 << 30 {
        return Err(Fault::Limit(format!("a frame of {name} needs more than 1 GiB")).into());
    }
    let mut samples = vec![0; format.bytes()];
    // An end within a frame: the program was killed, or gave up; what came before is whole.
    match stream.read_exact(&mut samples) {
        Ok(()) => Ok(Some((format, samples))),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_from_a_stream_one_by_one() {
        let one = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef";
        let mut stream: &[u8] = &[&one[..], &one[..], &one[..one.len() - 1]].concat();
        let format = FrameFormat { width: 2, height: 1, channels: 3 };
        for _ in 0..2 {
            assert_eq!(pam(&mut stream, "a").unwrap(), Some((format, b"abcdef".to_vec())));
        }
        assert_eq!(pam(&mut stream, "a").unwrap(), None);
        let huge = b"P7\nWIDTH 16000000\nHEIGHT 16000000\nDEPTH 4\nMAXVAL 255\nENDHDR\n";
        for wrong in [&b"P6 2 2 255"[..], b"P7\nWIDTH x\n", b"P7\nENDHDR\n", b"P7\nMAXVAL 65535\n", b"P7\n", huge] {
            assert!(pam(&mut &wrong[..], "a").is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
