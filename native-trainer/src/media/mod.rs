//! Files of every kind to signals and back: one folder per kind.

pub mod clip;
pub mod picture;
pub mod shape;
pub mod sound;

use std::path::Path;

use anyhow::Result;
use tessera_core::signal::{Signal, SignalKind};

use self::shape::Sampling;
use crate::errors::input_fault;

/// A file as a signal.
#[derive(Debug)]
pub struct Source {
    /// The samples.
    pub signal: Signal,
    /// What was done to the source on the way, for the user to know.
    pub notes: Vec<String>,
}

/// The kind of signal that a file holds: its first bytes decide, and its extension where they do not.
pub fn kind_of(bytes: &[u8], path: &Path) -> Option<SignalKind> {
    // A sound that is called x.png is a sound.
    let by = |path: &Path| {
        let picture = picture::is_picture(bytes, path).then_some(SignalKind::Picture);
        picture.or_else(|| sound::is_sound(bytes, path).then_some(SignalKind::Sound))
    };
    // Meshes have the weakest signatures, so they come last.
    by(Path::new("")).or_else(|| by(path)).or_else(|| shape::is_shape(bytes, path).then_some(SignalKind::Shape))
}

/// Reads a file of any kind. `path` is for messages, and for formats without a signature; `sampling` is for shapes.
///
/// # Errors
/// [`crate::errors::Fault::Input`] for what no reader knows or can read, [`crate::errors::Fault::Limit`] for what is
/// too large.
pub fn read_source(bytes: Vec<u8>, path: &Path, sampling: &Sampling) -> Result<Source> {
    let kind = if sampling.voxels.is_some() { Some(SignalKind::Shape) } else { kind_of(&bytes, path) };
    match kind {
        Some(SignalKind::Picture) => picture::read_picture(&bytes, path),
        Some(SignalKind::Sound) => sound::read_sound(bytes, path),
        Some(SignalKind::Shape) => {
            let (signal, notes) = shape::read_shape(&bytes, path, sampling)?;
            Ok(Source { signal, notes })
        }
        _ => Err(input_fault(format!(
            "cannot read {}: it is neither a picture nor a sound nor a shape of a known format",
            crate::output::shown(path)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_come_before_extensions() {
        let kind = |bytes: &[u8], path: &str| kind_of(bytes, Path::new(path));
        assert_eq!(kind(b"RIFF\0\0\0\0WAVEfmt ", "x.png"), Some(SignalKind::Sound));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n", "x.wav"), Some(SignalKind::Picture));
        assert_eq!(kind(b"plain", "x.tga"), Some(SignalKind::Picture));
        assert_eq!(kind(b"plain", "x.flac"), Some(SignalKind::Sound));
        assert_eq!(kind(b"ply\nformat ascii 1.0\n", "x.wav"), Some(SignalKind::Sound));
        assert_eq!(kind(b"ply\nformat ascii 1.0\n", "x"), Some(SignalKind::Shape));
        assert_eq!(kind(b"plain", "x.txt"), None);
    }
}
