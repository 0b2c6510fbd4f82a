//! A temporary file of 8-bit samples, in the order of the canvas.
//!
//! The file has no name where the operating system allows that (and is deleted on close elsewhere), so nothing of it
//! stays, however the program ends.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use tessera_core::grid::SampleBox;
use tessera_core::signal::{SignalInfo, from_code_value};

use super::{for_each_run, index_of, length};

/// Where fewer than one in so many samples of a box are wanted, they are read one by one.
const SPARSE: usize = 32;
/// Bytes that are read at a time where all are wanted.
const CHUNK_BYTES: usize = 1 << 16;

/// 8-bit samples in a temporary file. Clones read the same file.
#[derive(Debug, Clone)]
pub struct Spool {
    file: Arc<File>,
    info: SignalInfo,
    /// Field values of the code values.
    table: Arc<[f32]>,
}

/// Fills a [`Spool`].
#[derive(Debug)]
pub struct SpoolWriter {
    file: BufWriter<File>,
    bytes: u64,
}

impl SpoolWriter {
    /// An empty spool in `folder`, which should have room for a byte per sample and channel.
    ///
    /// # Errors
    /// Where no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(CHUNK_BYTES, tempfile::tempfile_in(folder)?), bytes: 0 })
    }

    /// Appends samples.
    ///
    /// # Errors
    /// Where the disk is full or fails.
    pub fn write(&mut self, samples: &[u8]) -> io::Result<()> {
        self.bytes += samples.len() as u64;
        self.file.write_all(samples)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The samples of `info`.
    ///
    /// # Errors
    /// Where their number is another, and as [`Self::write`].
    pub fn finish(self, info: SignalInfo) -> io::Result<Spool> {
        let expected = info.samples().saturating_mul(info.channels.into());
        if self.bytes != expected {
            return Err(io::Error::other(format!("{expected} samples were expected, {} came", self.bytes)));
        }
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let table = (0..=255).map(|value| from_code_value(value, 255)).collect();
        Ok(Spool { file: Arc::new(file), info, table })
    }
}

impl Spool {
    /// What the samples are of.
    pub fn info(&self) -> &SignalInfo {
        &self.info
    }

    /// See [`super::Samples::of_box`].
    pub(super) fn of_box(&self, bounds: &SampleBox) -> io::Result<Vec<f32>> {
        Ok(self.bytes_of_box(bounds)?.iter().map(|&byte| self.table[usize::from(byte)]).collect())
    }

    /// See [`super::Samples::pick`].
    pub(super) fn pick(&self, bounds: &SampleBox, places: &[u64], into: &mut Vec<f32>) -> io::Result<()> {
        let channels = self.info.channels as usize;
        let mut append = |sample: &[u8]| into.extend(sample.iter().map(|&byte| self.table[usize::from(byte)]));
        if places.len() < length(bounds) / SPARSE {
            let mut sample = vec![0; channels];
            for &place in places {
                self.read_at(&mut sample, index_of(bounds, &self.info.shape, place) * channels)?;
                append(&sample);
            }
        } else {
            let bytes = self.bytes_of_box(bounds)?;
            for &place in places {
                #[expect(clippy::cast_possible_truncation, reason = "below the length of `bytes`")]
                append(&bytes[place as usize * channels..][..channels]);
            }
        }
        Ok(())
    }

    /// Calls `visit` with all samples, some at a time.
    pub(super) fn for_each_chunk(&self, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
        let total = self.info.samples() * u64::from(self.info.channels);
        let (mut start, mut buffer) = (0, vec![0; CHUNK_BYTES]);
        while start < total {
            #[expect(clippy::cast_possible_truncation, reason = "at most the chunk's length; file offsets fit")]
            let (count, offset) = ((total - start).min(CHUNK_BYTES as u64) as usize, start as usize);
            self.read_at(&mut buffer[..count], offset)?;
            visit(&buffer[..count]);
            start += count as u64;
        }
        Ok(())
    }

    fn bytes_of_box(&self, bounds: &SampleBox) -> io::Result<Vec<u8>> {
        let channels = self.info.channels as usize;
        let mut bytes = vec![0; length(bounds) * channels];
        let (mut filled, mut pending) = (0, None::<(usize, usize)>);
        // Runs that follow each other (whole rows, whole frames) are read at once.
        for_each_run(bounds, &self.info.shape, |start, count| {
            pending = match pending {
                Some((first, so_far)) if first + so_far == start => Some((first, so_far + count)),
                Some((first, so_far)) => {
                    self.read_at(&mut bytes[filled..filled + so_far * channels], first * channels)?;
                    filled += so_far * channels;
                    Some((start, count))
                }
                None => Some((start, count)),
            };
            Ok(())
        })?;
        if let Some((first, count)) = pending {
            self.read_at(&mut bytes[filled..filled + count * channels], first * channels)?;
        }
        Ok(bytes)
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: usize) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, buffer, offset as u64)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: usize) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = (offset + filled) as u64;
            match std::os::windows::fs::FileExt::seek_read(&*self.file, &mut buffer[filled..], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    }
}
