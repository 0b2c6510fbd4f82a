//! The event files of TensorBoard: records of a length, a checksum, bytes and another checksum, whose bytes are protocol
//! buffer messages of four kinds (`Event`, `Summary`, `Summary.Image`, `Summary.Audio`; TensorFlow's `event.proto` and
//! `summary.proto`).
//!
//! By hand, because the one crate that writes them (`tensorboard-rs`) has not been kept since 2021, and a protocol
//! buffer compiler for a dozen fields would be longer than the fields.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What one record shows under its tag.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// A number over the steps.
    Scalar(f32),
    /// A picture as the bytes of a PNG file.
    Picture {
        /// Pixels from top to bottom.
        rows: u32,
        /// Pixels from left to right.
        columns: u32,
        /// Values per pixel: 1 grey, 2 grey and opacity, 3 RGB, 4 RGBA.
        channels: u32,
        /// The file.
        png: &'a [u8],
    },
    /// A sound as the bytes of a WAV file.
    Sound {
        /// Frames per second.
        rate: f32,
        /// Values per frame.
        channels: u32,
        /// Frames.
        frames: u64,
        /// The file.
        wav: &'a [u8],
    },
}

/// An event file that is being written.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// Creates `folder` where it is not there, and an event file in it under a name of its own, so that runs into one
    /// folder show as one curve after the other.
    ///
    /// # Errors
    /// Where folder or file cannot be written.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let started = now();
        // TensorBoard finds files by `tfevents` in their names and reads them in the order of the names.
        let name = |attempt: u32| {
            format!("events.out.tfevents.{:010}.tessera.{}.{attempt}", whole_seconds(started), std::process::id())
        };
        let mut attempt = 0;
        let (path, file) = loop {
            let path = folder.join(name(attempt));
            match File::create_new(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => attempt += 1,
                Err(error) => return Err(error),
            }
        };
        let mut events = Self { path, file: BufWriter::new(file) };
        let mut event = Message::default();
        event.double(1, started);
        event.bytes(3, b"brain.Event:2");
        events.record(&event.0)?;
        Ok(events)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `value` under `tag` for `step`.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn add(&mut self, step: u64, tag: &str, value: &Value<'_>) -> io::Result<()> {
        let mut entry = Message::default();
        entry.bytes(1, tag.as_bytes());
        match value {
            Value::Scalar(number) => entry.float(2, *number),
            Value::Picture { rows, columns, channels, png } => {
                let mut picture = Message::default();
                picture.number(1, (*rows).into());
                picture.number(2, (*columns).into());
                picture.number(3, (*channels).into());
                picture.bytes(4, png);
                entry.bytes(4, &picture.0);
            }
            Value::Sound { rate, channels, frames, wav } => {
                let mut sound = Message::default();
                sound.float(1, *rate);
                sound.number(2, (*channels).into());
                sound.number(3, *frames);
                sound.bytes(4, wav);
                sound.bytes(5, b"audio/wav");
                entry.bytes(6, &sound.0);
            }
        }
        let mut summary = Message::default();
        summary.bytes(1, &entry.0);
        let mut event = Message::default();
        event.double(1, now());
        event.number(2, step);
        event.bytes(5, &summary.0);
        self.record(&event.0)
    }

    /// Hands everything to the system, so that a reader sees it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked(&length).to_le_bytes())?;
        self.file.write_all(bytes)?;
        self.file.write_all(&masked(bytes).to_le_bytes())
    }
}

/// CRC-32C, turned and shifted so that a checksum over checksums says something.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since 1970")]
fn whole_seconds(seconds: f64) -> u64 {
    seconds as u64
}

/// The bytes of a protocol buffer message.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a file, with every checksum looked at.
    fn records(bytes: &[u8]) -> Vec<&[u8]> {
        let mut rest = bytes;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
            assert_eq!(rest[8..12], masked(&rest[..8]).to_le_bytes());
            let record = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked(record).to_le_bytes());
            found.push(record);
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn records_are_framed_and_hold_what_was_added() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(&folder.path().join("a/b")).unwrap();
        events.add(300, "loss", &Value::Scalar(0.5)).unwrap();
        events.add(1, "seen", &Value::Picture { rows: 2, columns: 3, channels: 3, png: b"PNG" }).unwrap();
        events.flush().unwrap();
        let bytes = std::fs::read(events.path()).unwrap();
        let found = records(&bytes);
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        // Step 300 as a varint, then the summary with its tag and 0.5.
        assert!(found[1].ends_with(b"\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f"));
        assert!(found[2].ends_with(b"\x22\x0b\x08\x02\x10\x03\x18\x03\x22\x03PNG"));
    }

    #[test]
    fn two_runs_into_one_folder_keep_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (EventFile::create(folder.path()).unwrap(), EventFile::create(folder.path()).unwrap());
        assert_ne!(a.path(), b.path());
    }

    #[test]
    fn checksums_are_those_of_the_format() {
        // CRC-32C of "123456789" is 0xe3069283; turned by 15 bits and moved by the constant.
        assert_eq!(masked(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
