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

use super::{index_of, length};

/// Bytes that take about as long to copy as a read of a few of them takes to begin.
const BYTES_PER_READ: usize = 1 << 12;
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

/// How a box lies in the file: rows of some planes (frames), which are read with what lies between them where that is
/// little.
#[derive(Debug, Clone, Copy)]
struct Planes {
    count: usize,
    rows: usize,
    /// Samples of the box in a row, and from one row to the next.
    width: usize,
    stride: usize,
    /// Samples from the first of a plane's first row to the last of its last.
    span: usize,
    at_once: bool,
}

impl Planes {
    fn new(bounds: &SampleBox, shape: &[u32]) -> Self {
        let (width, stride) = (bounds.last().map_or(1, |r| r.len()), shape.last().map_or(1, |&n| n as usize));
        let rows = if let [.., rows, _] = bounds.as_slice() { rows.len() } else { 1 };
        let span = rows.saturating_sub(1) * stride + width;
        let count = length(bounds).checked_div(rows * width).unwrap_or(0);
        Self { count, rows, width, stride, span, at_once: span <= rows * (width + BYTES_PER_READ / 4) }
    }

    /// The work of reading them, in reads.
    fn cost(self, channels: usize) -> usize {
        let (reads, samples) = if self.at_once { (1, self.span) } else { (self.rows, self.rows * self.width) };
        self.count * (reads + samples * channels / BYTES_PER_READ)
    }
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
        if places.len() < Planes::new(bounds, &self.info.shape).cost(channels) {
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
        let planes = Planes::new(bounds, &self.info.shape);
        let mut bytes = Vec::with_capacity(length(bounds) * channels);
        let mut read = vec![0; if planes.at_once { planes.span } else { planes.width } * channels];
        for plane in 0..planes.count {
            let first = index_of(bounds, &self.info.shape, (plane * planes.rows * planes.width) as u64);
            if planes.at_once {
                self.read_at(&mut read, first * channels)?;
                let rows = read.chunks(planes.stride * channels).take(planes.rows);
                rows.for_each(|row| bytes.extend_from_slice(&row[..planes.width * channels]));
            } else {
                for row in 0..planes.rows {
                    self.read_at(&mut read, (first + row * planes.stride) * channels)?;
                    bytes.extend_from_slice(&read);
                }
            }
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
