//! The `.inr` container, version 1: reader, writer and crop. `docs/format.md` is the normative text.
//!
//! A file is a prelude of fixed size, a header (what it is), an index (which chunks follow), one chunk with the
//! weights that all partitions share, and one chunk per present partition. Everything needed to plan a read stands in
//! front, and offsets are implied by lengths, so there can be neither holes nor overlaps. A crop copies chunks and
//! rewrites prelude and index.
//!
//! Decisions: the framing is our own, because a general serialiser promises neither checksums nor one legal form per
//! content; bincode writes the header's fields and nothing else (`metadata` is its only user). A chunk carries its own
//! checksum behind its payload instead of having it in the index: the index of a million partitions would not fit
//! into its limit otherwise, and a chunk fetched alone can be checked alone.
//!
//! Bytes from outside are hostile here: no `unsafe`, no panics, limits before allocations. Apart from the text of the
//! header, what is allocated while opening is in proportion to the bytes that are really there.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable
    )
)]

mod assemble;
mod checksum;
mod crop;
mod cursor;
mod document;
mod head;
mod index;
mod ledger;
mod metadata;
mod prelude;
mod ranges;
mod reader;
mod writer;

pub use crate::codec::{ChunkCoding, WeightCoding};
pub use checksum::FileId;
pub use crop::{Piece, crop};
pub use document::{Document, TrainingRecord};
pub use head::Head;
pub use ledger::{Ledger, LedgerRow};
pub use prelude::{MAGIC, PRELUDE_BYTES, VERSION};
pub use reader::{ChunkInfo, Reader};
pub use writer::{write, write_numbers, write_quantised};

/// Media type of an `.inr` file.
pub const MEDIA_TYPE: &str = "application/vnd.tessera.inr";
/// Extension of an `.inr` file, without the dot.
pub const EXTENSION: &str = "inr";
