//! Files of every kind to signals and back: one folder per kind.

pub mod clip;
pub mod picture;
pub mod sound;

use std::path::Path;

use anyhow::Result;
use tessera_core::signal::{Signal, SignalKind};

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
    if picture::is_picture(bytes, path) {
        Some(SignalKind::Picture)
    } else if sound::is_sound(bytes, path) {
        Some(SignalKind::Sound)
    } else {
        None
    }
}

/// Reads a file of any kind. `path` is for messages, and for formats without a signature.
///
/// # Errors
/// [`crate::errors::Fault::Input`] for what no reader knows or can read, [`crate::errors::Fault::Limit`] for what is
/// too large.
pub fn read_source(bytes: Vec<u8>, path: &Path) -> Result<Source> {
    match kind_of(&bytes, path) {
        Some(SignalKind::Picture) => picture::read_picture(&bytes, path),
        Some(SignalKind::Sound) => sound::read_sound(bytes, path),
        _ => Err(input_fault(format!(
            "cannot read {}: it is neither a picture nor a sound of a known format",
            crate::output::shown(path)
        ))),
    }
}
