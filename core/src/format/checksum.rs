//! Checksums, and the identity that seeds them.
//!
//! Offsets without identity corrupt silently: a byte range cached from yesterday's file still looks like weights.
//! Hence every checksum starts with the file id, and that of a chunk with its partition as well, so that neither a
//! chunk of another file nor one in the wrong place passes.

use sha2::{Digest, Sha256};

use super::index::Chunk;

/// Identity of the encoding that a file comes from: crops of one file share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub [u8; 16]);

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FileId {
    /// The id of a file with this header and all these chunks: the first 16 bytes of a SHA-256.
    pub(super) fn of<'a>(header: &[u8], chunks: impl Iterator<Item = (&'a Chunk, &'a [u8])>) -> Self {
        let mut hash = Sha256::new();
        hash.update(header);
        for (chunk, payload) in chunks {
            hash.update(chunk.partition.to_le_bytes());
            hash.update(chunk.coding.to_le_bytes());
            hash.update(chunk.payload.to_le_bytes());
            hash.update(payload);
        }
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self(id)
    }

    /// CRC-32C of the id followed by `bytes`.
    pub(super) fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.0), bytes)
    }

    /// CRC-32C of the id, the partition's number and the payload.
    pub(super) fn chunk_checksum(self, partition: u32, payload: &[u8]) -> u32 {
        crc32c::crc32c_append(self.checksum(&partition.to_le_bytes()), payload)
    }
}
