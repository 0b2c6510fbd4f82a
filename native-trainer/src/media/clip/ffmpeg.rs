//! The `ffmpeg` program: any video in, MP4, WebM and Matroska out, through pipes.
//!
//! It is started directly, never through a shell, and every path is given as `file:PATH`, so that no name can be taken
//! for an option, a protocol or a list of other files. What it decodes comes as PAM pictures, each of which says its
//! size: a phone's rotation and other surprises need no second opinion.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tessera_core::limits;

use super::{FrameFormat, Frames, Rate};
use crate::errors::{Fault, input_fault};

/// Names the program where it is not called `ffmpeg` on the PATH; `ffprobe` is looked for beside it.
const VARIABLE: &str = "TESSERA_FFMPEG";
/// Bytes of its messages that are shown.
const MESSAGE_BYTES: u64 = 600;

/// A program that answers.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    probe: PathBuf,
    version: String,
}

/// The first picture track of a file, as `ffprobe` describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Track {
    codec_name: String,
    pix_fmt: String,
    r_frame_rate: String,
    avg_frame_rate: String,
    sample_aspect_ratio: String,
    color_transfer: String,
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    alpha_mode: String,
}

#[derive(Debug, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Track>,
}

impl Ffmpeg {
    /// Finds the program and asks for its version. `purpose` says what for ("reading a.mp4").
    ///
    /// # Errors
    /// [`Fault::Input`] with how to install it where there is none.
    pub fn find(purpose: &str) -> Result<Self> {
        let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        let program = named.clone().unwrap_or_else(|| "ffmpeg".into());
        let probe = named.map_or_else(
            || "ffprobe".into(),
            |path| path.with_file_name(format!("ffprobe{}", std::env::consts::EXE_SUFFIX)),
        );
        let absent = |what: &Path| {
            input_fault(format!(
                "{purpose} needs the program ffmpeg, and {} was not found. Install it (Debian and Ubuntu: apt install \
                 ffmpeg; Fedora: dnf install ffmpeg-free; macOS: brew install ffmpeg; Windows: winget install ffmpeg) \
                 or name it in {VARIABLE}. Y4M, GIF, APNG and folders of pictures need no ffmpeg",
                what.display()
            ))
        };
        let answer =
            |path: &Path| Command::new(path).arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let output = answer(&program).map_err(|_| absent(&program))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.strip_prefix("ffmpeg version ").and_then(|rest| rest.split_whitespace().next());
        let Some(version) = version.filter(|_| output.status.success()) else {
            return Err(input_fault(format!("{} does not answer as ffmpeg: `-version` failed", program.display())));
        };
        let version = version.to_owned();
        answer(&probe).map_err(|_| absent(&probe))?;
        Ok(Self { program, probe, version })
    }

    /// Its version, as it says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The first picture track.
    fn track(&self, path: &Path, name: &str) -> Result<Track> {
        let output = Command::new(&self.probe)
            .args([
                "-v",
                "error",
                "-protocol_whitelist",
                "file",
                "-select_streams",
                "V:0",
                "-show_streams",
                "-of",
                "json",
            ])
            .arg(named(path))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.probe.display()))?;
        let probed: Option<Probed> = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
        let Some(probed) = probed else {
            let said = shortened(&String::from_utf8_lossy(&output.stderr), path);
            return Err(input_fault(format!("ffmpeg cannot read {name}: {said}")));
        };
        probed
            .streams
            .into_iter()
            .next()
            .ok_or_else(|| input_fault(format!("{name} has no moving picture in it; is it a sound?")))
    }

    /// The frames of a file's first picture track. `name` is for messages.
    ///
    /// # Errors
    /// [`Fault::Input`] for what ffmpeg cannot read and for files without a picture.
    pub(super) fn frames(&self, path: &Path, name: &str) -> Result<FfmpegFrames> {
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

    /// Starts to encode frames into `path`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub(super) fn encoder(
        &self,
        path: &Path,
        container: Container,
        format: FrameFormat,
        rate: Rate,
    ) -> Result<FfmpegWriter> {
        let mut messages = tempfile::tempfile().context("cannot make a temporary file")?;
        let stored = ["gray", "ya8", "rgb24", "rgba"][(format.channels as usize - 1).min(3)];
        let mut command = Command::new(&self.program);
        command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", stored]);
        command.args(["-s", &format!("{}x{}", format.width, format.height), "-r", &rate.to_string(), "-i", "pipe:0"]);
        command.args(container.options(format, &self.encoders()?));
        command.arg(named(path));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(messages.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let input = child.stdin.take().map(|stdin| BufWriter::with_capacity(1 << 16, stdin));
        messages.seek(SeekFrom::Start(0))?;
        Ok(FfmpegWriter { child, input, messages, path: path.to_owned() })
    }

    /// The names of its encoders.
    fn encoders(&self) -> Result<Vec<String>> {
        let output = Command::new(&self.program).args(["-v", "error", "-encoders"]).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
    }
}

impl Track {
    /// The constant rate that frames come at. The average is exact to a few digits only; where the two nearly agree, the
    /// other is meant.
    fn rate(&self) -> Option<Rate> {
        let (steady, average) = (self.r_frame_rate.parse::<Rate>().ok(), self.avg_frame_rate.parse::<Rate>().ok());
        match (steady, average) {
            (Some(steady), Some(average)) if (steady.per_second() / average.per_second() - 1.0).abs() > 0.01 => {
                Some(average)
            }
            (steady, average) => steady.or(average),
        }
    }

    /// The samples that we ask for.
    fn samples(&self) -> &'static str {
        let format = self.pix_fmt.as_str();
        let any = |starts: &[&str]| starts.iter().any(|start| format.starts_with(start));
        if any(&["ya8", "ya16", "yaf"]) {
            "ya8"
        } else if any(&["gray", "mono"]) {
            "gray"
        } else if self.tags.alpha_mode == "1" || any(&["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ayuv", "vuya"])
        {
            "rgba"
        } else {
            "rgb24"
        }
    }

    fn notes(&self) -> Vec<String> {
        let deep = ["9", "10", "12", "14", "16", "32", "48", "64", "f32"];
        let depth = self.pix_fmt.trim_end_matches("le").trim_end_matches("be");
        let named = |ends: &[&str]| ends.iter().any(|end| depth.ends_with(end));
        let mut notes = Vec::new();
        if named(&deep) && !named(&["nv12", "nv16", "rgb32"]) {
            notes.push("reduced to 8 bits per channel".to_owned());
        }
        if matches!(self.color_transfer.as_str(), "smpte2084" | "arib-std-b67") {
            notes.push("high dynamic range: its values are kept as they are, without tone mapping".to_owned());
        }
        if !matches!(self.sample_aspect_ratio.as_str(), "" | "0:1" | "1:1" | "N/A") {
            notes.push(format!("its pixels are not square ({}); they are kept as they are", self.sample_aspect_ratio));
        }
        notes
    }
}

/// A path that cannot be taken for anything else.
fn named(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// The end of what ffmpeg wrote into `messages`, in one line.
fn said(messages: &mut File, path: &Path) -> String {
    let mut text = Vec::new();
    let length = messages.seek(SeekFrom::End(0)).unwrap_or(0);
    let _ = messages.seek(SeekFrom::Start(length.saturating_sub(MESSAGE_BYTES)));
    let _ = messages.take(MESSAGE_BYTES).read_to_end(&mut text);
    shortened(&String::from_utf8_lossy(&text), path)
}

/// Messages in one line, without repetitions and without our way of naming the file.
fn shortened(text: &str, path: &Path) -> String {
    let named = format!("file:{}", path.display());
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(|line| line.replace(&named, "it").trim().to_owned()) {
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let from = lines.len().saturating_sub(3);
    if lines.is_empty() { "it does not say why".to_owned() } else { lines[from..].join("; ") }
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
pub(super) struct FfmpegFrames {
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

/// What ffmpeg writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
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
pub(super) struct FfmpegWriter {
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
    pub(super) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
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
    pub(super) fn finish(mut self) -> Result<()> {
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

    #[test]
    fn tracks_say_what_is_asked_for() {
        let track = |text: &str| serde_json::from_str::<Track>(text).unwrap();
        let samples = |format: &str| Track { pix_fmt: format.to_owned(), ..Track::default() }.samples();
        let pairs =
            [("yuv420p", "rgb24"), ("gray10le", "gray"), ("yuva444p", "rgba"), ("ya8", "ya8"), ("gbrp", "rgb24")];
        pairs.iter().for_each(|(format, expected)| assert_eq!(samples(format), *expected));
        assert_eq!(track(r#"{"pix_fmt":"yuv420p","tags":{"alpha_mode":"1","title":"x"}}"#).samples(), "rgba");
        let rate = |steady: &str, average: &str| {
            track(&format!(r#"{{"r_frame_rate":"{steady}","avg_frame_rate":"{average}"}}"#))
                .rate()
                .map(|r| r.to_string())
        };
        assert_eq!(rate("25/1", "25/1").as_deref(), Some("25"));
        assert_eq!(rate("30000/1001", "2997/100").as_deref(), Some("30000/1001"));
        assert_eq!(rate("90000/1", "24/1").as_deref(), Some("24"));
        assert_eq!((rate("0/0", "24/1").as_deref(), rate("0/0", "0/0")), (Some("24"), None));
        let deep = |format: &str| Track { pix_fmt: format.to_owned(), ..Track::default() }.notes().len();
        assert_eq!(["yuv420p10le", "gray16be", "yuv420p", "nv12", "rgb24"].map(deep), [1, 1, 0, 0, 0]);
    }

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
