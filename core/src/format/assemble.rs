//! Putting a file together from its parts: what the writer and the crop have in common.

use super::checksum::FileId;
use super::index::{self, Chunk};
use super::prelude::{PRELUDE_BYTES, Prelude};
use crate::error::{Error, check_limit};
use crate::limits;

/// Joins prelude, header, index and `stored` chunks (payload and checksum each, in the order of the index).
pub(super) fn assemble<'a>(
    minor: u16,
    id: FileId,
    header: &[u8],
    shared: &Chunk,
    chunks: &[Chunk],
    stored: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Error> {
    let index = index::to_bytes(shared, chunks);
    let head_bytes = PRELUDE_BYTES.saturating_add(header.len() as u64).saturating_add(index.len() as u64);
    check_limit("bytes of prelude, header and index", head_bytes, limits::HEAD_BYTES)?;
    let prelude = Prelude {
        minor,
        // Both are below the limit of the head, so the conversion cannot fail.
        header_bytes: u32::try_from(header.len()).unwrap_or(u32::MAX),
        index_bytes: u32::try_from(index.len()).unwrap_or(u32::MAX),
        id,
        header_checksum: id.checksum(header),
        index_checksum: id.checksum(&index),
    };
    let mut bytes = prelude.to_bytes();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&index);
    stored.for_each(|chunk| bytes.extend_from_slice(chunk));
    Ok(bytes)
}
