//! The `ffmpeg` program: any video in, MP4, WebM and Matroska out, through pipes.
//!
//! It is started directly, never through a shell, and every path is given as `file:PATH`, so that no name can be taken
//! for an option, a protocol or a list of other files. What it decodes comes as PAM pictures, each of which says its
//! size: a phone's rotation and other surprises need no second opinion.

mod read;
mod track;
mod write;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

pub(super) use self::write::{Container, FfmpegWriter};
use crate::errors::input_fault;

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

impl Ffmpeg {
    /// Finds the program and asks for its version. `purpose` says what for ("reading a.mp4").
    ///
    /// # Errors
    /// [`crate::errors::Fault::Input`] with how to install it where there is none.
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

    /// A call without arguments.
    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// The names of its encoders.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn encoders(&self) -> Result<Vec<String>> {
        let output = self.command().args(["-v", "error", "-encoders"]).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
    }

    /// Its version, as it says.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// A path that cannot be taken for anything else.
pub fn named(path: &Path) -> OsString {
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
