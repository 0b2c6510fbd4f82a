//! What `ffprobe` says about a file.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::super::Rate;
use super::{Ffmpeg, named, shortened};
use crate::errors::input_fault;

/// The first picture track of a file, as `ffprobe` describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Track {
    pub(super) codec_name: String,
    codec_type: String,
    disposition: Disposition,
    /// Sound tracks beside it.
    #[serde(skip)]
    sounds: usize,
    pix_fmt: String,
    r_frame_rate: String,
    avg_frame_rate: String,
    sample_aspect_ratio: String,
    color_transfer: String,
    pub(super) tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tags {
    pub(super) alpha_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    /// 1 for the cover of a record and the like.
    attached_pic: u8,
}

#[derive(Debug, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Track>,
}

impl Ffmpeg {
    /// The first picture track.
    pub(super) fn track(&self, path: &Path, name: &str) -> Result<Track> {
        let output = Command::new(&self.probe)
            .args(["-v", "error", "-protocol_whitelist", "file", "-show_streams", "-of", "json"])
            .arg(named(path))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.probe.display()))?;
        let probed: Option<Probed> = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
        let Some(probed) = probed else {
            let said = shortened(&String::from_utf8_lossy(&output.stderr), path);
            return Err(input_fault(format!("ffmpeg cannot read {name}: {said}")));
        };
        let sounds = probed.streams.iter().filter(|track| track.codec_type == "audio").count();
        let mut moving = probed.streams.into_iter().filter(Track::is_moving);
        match moving.next() {
            Some(track) => Ok(Track { sounds, ..track }),
            None if sounds > 0 => Err(input_fault(format!(
                "{name} has no moving picture in it, but sound, which is not read from such a file: \
                 `ffmpeg -i {name} -vn sound.wav` makes one that is"
            ))),
            None => Err(input_fault(format!("{name} has no moving picture in it"))),
        }
    }
}

impl Track {
    fn is_moving(&self) -> bool {
        self.codec_type == "video" && self.disposition.attached_pic == 0
    }

    /// The constant rate that frames come at. The average is exact to a few digits only; where the two nearly agree, the
    /// other is meant.
    pub(super) fn rate(&self) -> Option<Rate> {
        let (steady, average) = (self.r_frame_rate.parse::<Rate>().ok(), self.avg_frame_rate.parse::<Rate>().ok());
        match (steady, average) {
            (Some(steady), Some(average)) if (steady.per_second() / average.per_second() - 1.0).abs() > 0.01 => {
                Some(average)
            }
            (steady, average) => steady.or(average),
        }
    }

    /// The samples that we ask for.
    pub(super) fn samples(&self) -> &'static str {
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

    /// What the user should know about it.
    pub(super) fn notes(&self) -> Vec<String> {
        let deep = ["9", "10", "12", "14", "16", "32", "48", "64", "f32"];
        let depth = self.pix_fmt.trim_end_matches("le").trim_end_matches("be");
        let named = |ends: &[&str]| ends.iter().any(|end| depth.ends_with(end));
        let mut notes = Vec::new();
        if self.sounds > 0 {
            notes.push("its sound is left out: a clip has pictures alone".to_owned());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
