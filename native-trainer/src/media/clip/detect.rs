//! Which files are clips: by their first bytes where those say so, else by their extension.

use std::fs::File;
use std::io::{BufReader, Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::animation::is_animated;
use super::y4m;

/// Bytes that tell a clip.
const HEAD_BYTES: u64 = 4096;
/// Extensions of clips whose first bytes are not told apart here, or are those of a sound's container as well.
const EXTENSIONS: [&str; 24] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "flv", "ogv", "3gp", "y4m",
    "vob", "mxf", "ivf", "h264", "264", "hevc", "265", "f4v",
];
/// Kinds of ISO media files that are sounds or still pictures.
const NO_CLIPS: [&[u8]; 8] = [b"M4A ", b"M4B ", b"M4P ", b"avif", b"heic", b"heix", b"mif1", b"msf1"];

/// A clip that can be read again and again: a file, a folder, or what came on stdin, kept in a temporary file.
#[derive(Debug)]
pub struct ClipFile {
    path: PathBuf,
    kept: Option<NamedTempFile>,
    name: String,
    bytes: u64,
}

impl ClipFile {
    /// `path`, if it is a clip. What cannot be read is none; whoever reads it says why.
    pub fn find(path: &Path) -> Option<Self> {
        let name = path.display().to_string();
        if path.is_dir() {
            let sizes = std::fs::read_dir(path).into_iter().flatten().flatten().flat_map(|entry| entry.metadata());
            let bytes = sizes.filter(std::fs::Metadata::is_file).map(|m| m.len()).sum();
            return Some(Self { path: path.to_owned(), kept: None, name, bytes });
        }
        let file = File::open(path).ok().filter(|_| path.is_file())?;
        let bytes = file.metadata().ok()?.len();
        let mut head = Vec::new();
        (&file).take(HEAD_BYTES).read_to_end(&mut head).ok()?;
        let clip = looks_like_one(&head, path) || File::open(path).is_ok_and(|file| is_animated(BufReader::new(file)));
        (clip && !head.is_empty()).then(|| Self { path: path.to_owned(), kept: None, name, bytes })
    }

    /// What came on stdin, if it is a clip.
    ///
    /// # Errors
    /// Where there is no room for a temporary file.
    pub fn of_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        let head = &bytes[..bytes.len().min(usize::try_from(HEAD_BYTES).unwrap_or(usize::MAX))];
        if !looks_like_one(head, Path::new("-")) && !is_animated(Cursor::new(bytes)) {
            return Ok(None);
        }
        // From here on an interruption must leave time to remove the file.
        crate::signals::watch()?;
        let keep = || -> std::io::Result<NamedTempFile> {
            let mut file = NamedTempFile::new()?;
            file.write_all(bytes)?;
            Ok(file)
        };
        let kept = keep().context("cannot keep standard input in a temporary file")?;
        let (path, name) = (kept.path().to_owned(), "standard input".to_owned());
        Ok(Some(Self { path, kept: Some(kept), name, bytes: bytes.len() as u64 }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.kept.as_ref().map_or(&self.path, |kept| kept.path())
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size; of a folder that of its files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn looks_like_one(head: &[u8], path: &Path) -> bool {
    let at = |place: usize, text: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(text));
    // Our own files, pictures and sounds keep what their bytes say, whatever they are called.
    let other =
        at(0, &tessera_core::format::MAGIC) || image::guess_format(head).is_ok() || (at(0, b"RIFF") && at(8, b"WAVE"));
    if other {
        return false;
    }
    if at(4, b"ftyp") {
        return !NO_CLIPS.iter().any(|kind| at(8, kind));
    }
    let packets = |length: usize| (0..4).all(|i| head.get(i * length) == Some(&0x47));
    let signed = at(0, y4m::SIGNATURE)
        || at(0, b"\x1a\x45\xdf\xa3")
        || (at(0, b"RIFF") && at(8, b"AVI "))
        || at(0, b"FLV\x01")
        || at(0, b"DKIF")
        || at(0, b"\x00\x00\x01\xba")
        || packets(188);
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    signed || extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_before_names() {
        let clip = |head: &[u8], name: &str| looks_like_one(head, Path::new(name));
        assert!(clip(b"\0\0\0\x20ftypisom", "a"));
        assert!(!clip(b"\0\0\0\x20ftypM4A ", "a.mp4"));
        assert!(clip(b"RIFF\0\0\0\0AVI LIST", "a") && !clip(b"RIFF\0\0\0\0WAVEfmt ", "a.avi"));
        assert!(clip(b"YUV4MPEG2 W2", "-") && clip(b"\x1a\x45\xdf\xa3", "x.bin"));
        assert!(!clip(b"\x89PNG\r\n\x1a\n", "a.mp4"));
        // A sound may be in this container as well: here the name decides.
        assert!(clip(b"OggS", "a.ogv") && !clip(b"OggS", "a.ogg"));
        assert!(clip(b"damaged", "a.MP4") && !clip(b"damaged", "a.dat"));
    }

    #[test]
    fn what_came_on_stdin_is_kept_as_long_as_needed() {
        let clip = ClipFile::of_bytes(b"YUV4MPEG2 W2 H2 F25:1\n").unwrap().unwrap();
        let path = clip.path().to_owned();
        assert_eq!((clip.bytes(), path.exists()), (22, true));
        drop(clip);
        assert!(!path.exists());
        assert!(ClipFile::of_bytes(b"hello").unwrap().is_none());
        assert!(ClipFile::find(Path::new("/no/such/file.mp4")).is_none());
        let folder = tempfile::tempdir().unwrap();
        assert!(ClipFile::find(folder.path()).is_some());
    }
}
