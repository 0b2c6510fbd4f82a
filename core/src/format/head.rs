//! Prelude, header and index together: all that is needed to plan a read.

use super::checksum::FileId;
use super::cursor::Cursor;
use super::index::{self, CHECKSUM_BYTES, Chunk};
use super::metadata::Metadata;
use super::prelude::{PRELUDE_BYTES, Prelude};
use crate::error::Error;
use crate::grid::Grid;
use crate::limits;
use crate::signal::SignalInfo;

/// The checked front of a file.
///
/// A program that fetches ranges asks [`Head::bytes_needed`] with the first [`PRELUDE_BYTES`], reads the head with
/// [`Head::parse`], asks [`Head::ranges`] which other bytes a region needs, and makes a file of them with [`Head::crop`].
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub(super) prelude: Prelude,
    pub(super) header: Vec<u8>,
    pub(super) metadata: Metadata,
    pub(super) shared: Chunk,
    pub(super) chunks: Vec<Chunk>,
}

impl Head {
    /// Bytes of prelude, header and index, from the first [`PRELUDE_BYTES`] bytes of a file (more do not matter).
    ///
    /// # Errors
    /// As [`super::Reader::open`] for a prelude that is damaged, unsupported or beyond the limits.
    pub fn bytes_needed(prelude: &[u8]) -> Result<u64, Error> {
        Prelude::parse(prelude).map(|prelude| prelude.head_bytes())
    }

    /// [`Head::bytes_needed`], and the bytes of the global chunk, which every region needs as well: where `first` reaches into
    /// the index, and the chunk is no longer than a head may be. Nothing of the index is checked yet, so this is only good
    /// for deciding how much to ask for.
    ///
    /// # Errors
    /// As [`Head::bytes_needed`].
    pub fn front_bytes(first: &[u8]) -> Result<u64, Error> {
        let prelude = Prelude::parse(first)?;
        let offset = PRELUDE_BYTES.saturating_add(prelude.header_bytes.into());
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let index = first.get(start..).unwrap_or_default();
        let payload = Cursor::new(index, "index", offset).varint().unwrap_or(0);
        let shared = if payload == 0 { 0 } else { payload.saturating_add(CHECKSUM_BYTES) };
        let more = if shared <= limits::HEAD_BYTES { shared } else { 0 };
        Ok(prelude.head_bytes().saturating_add(more))
    }

    /// Reads the front of a file of `file_bytes` bytes; `bytes` holds at least [`Head::bytes_needed`] of them. Where nobody
    /// tells how long the file is (`None`), its index does.
    ///
    /// # Errors
    /// As [`super::Reader::open`].
    pub fn parse(bytes: &[u8], file_bytes: Option<u64>) -> Result<Self, Error> {
        let prelude = Prelude::parse(bytes)?;
        let header = part(bytes, "header", PRELUDE_BYTES, prelude.header_bytes)?;
        let index_offset = PRELUDE_BYTES.saturating_add(prelude.header_bytes.into());
        let index = part(bytes, "index", index_offset, prelude.index_bytes)?;
        check(prelude.id, header, prelude.header_checksum, "header", PRELUDE_BYTES)?;
        check(prelude.id, index, prelude.index_checksum, "index", index_offset)?;
        let metadata = Metadata::parse(header, prelude.minor)?;
        let (shared, chunks) = index::parse(index, index_offset, file_bytes, &metadata.grid, &metadata.spec)?;
        if let Some(chunk) = chunks.iter().find(|chunk| metadata.empty.binary_search(&chunk.partition).is_ok()) {
            let reason = format!("partition {} is empty by the header, but has a chunk", chunk.partition);
            return Err(Error::malformed("index", index_offset, reason));
        }
        Ok(Self { header: header.to_vec(), prelude, metadata, shared, chunks })
    }

    /// What was encoded.
    pub fn signal(&self) -> &SignalInfo {
        &self.metadata.signal
    }

    /// Canvas, partitions and coordinates of the original, also of a cropped file.
    pub fn grid(&self) -> &Grid {
        &self.metadata.grid
    }

    /// Bytes of the whole file: its last chunk ends it.
    pub fn file_bytes(&self) -> u64 {
        let last = self.chunks.last().unwrap_or(&self.shared);
        last.offset.saturating_add(last.bytes())
    }

    /// All chunks in file order, the shared one first.
    pub(super) fn all_chunks(&self) -> impl Iterator<Item = &Chunk> {
        std::iter::once(&self.shared).chain(&self.chunks)
    }
}

fn part<'a>(bytes: &'a [u8], name: &str, offset: u64, length: u32) -> Result<&'a [u8], Error> {
    slice(bytes, offset, length.into()).ok_or_else(|| {
        Error::malformed(
            name,
            offset,
            format!("it should have {length} bytes, but the file ends at byte {}: it is cut short", bytes.len()),
        )
    })
}

fn check(id: FileId, bytes: &[u8], expected: u32, part: &str, offset: u64) -> Result<(), Error> {
    if id.checksum(bytes) == expected {
        Ok(())
    } else {
        Err(Error::malformed(part, offset, "its checksum does not match"))
    }
}

/// `length` bytes from `offset`; `None` beyond the end.
pub(super) fn slice(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(start..end)
}
