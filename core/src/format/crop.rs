//! Cropping: kept chunks are copied, prelude and index rewritten, the header stays.

use std::borrow::Cow;

use super::assemble::assemble;
use super::head::Head;
use super::index::{self, Chunk};
use super::prelude::PRELUDE_BYTES;
use super::reader;
use crate::error::Error;

/// The file `bytes` with only those partitions that are present in it *and* listed in `keep` (in any order, with any
/// repetition; numbers outside the grid are ignored).
///
/// Nothing is decoded, so the kept samples stay bit-identical, and codings of later versions can be cropped as well.
/// Keeping everything gives the identical bytes; a crop of a crop is the crop of the intersection.
///
/// # Errors
/// Those of [`super::Reader::open`] for a damaged file, [`Error::Malformed`] for a kept chunk with a wrong checksum,
/// [`Error::Parameter`] where nothing would be kept, [`Error::Limit`] where the crop is so scattered that its index
/// exceeds the format's limit.
///
/// # Examples
/// ```
/// use tessera_core::field::{FieldSpec, initialise};
/// use tessera_core::format::{self, Document, Reader, TrainingRecord, WeightCoding};
/// use tessera_core::grid::{Grid, UNIT_RANGE};
/// use tessera_core::signal::{SampleFormat, SignalInfo};
///
/// let grid = Grid::new(vec![8, 8], vec![2, 2], UNIT_RANGE)?;
/// let field = initialise(&FieldSpec::local_global(2, 3, 4, 6), &grid, 1)?;
/// let signal = SignalInfo::picture(8, 8, 3, SampleFormat::U8)?;
/// let whole = format::write(&Document { signal, field, training: TrainingRecord::default() }, WeightCoding::F16)?;
///
/// let cropped = format::crop(&whole, &[1, 3])?;
/// assert_eq!(Reader::open(&cropped)?.present(), [1, 3]);
/// assert_eq!(format::crop(&cropped, &[0, 3])?, format::crop(&whole, &[3])?);
/// # Ok::<(), tessera_core::Error>(())
/// ```
pub fn crop(bytes: &[u8], keep: &[u32]) -> Result<Vec<u8>, Error> {
    let head = Head::parse(bytes, Some(bytes.len() as u64))?;
    head.crop(keep, &[Piece { offset: 0, bytes }])
}

/// Some bytes of a file, and where they lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// Place of the first byte, from the start of the file.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Head {
    /// [`crop`] of a file of which only `pieces` are there, in ascending order and without overlaps: at least
    /// [`Head::ranges`]. The bytes are those that cropping the whole file gives.
    ///
    /// # Errors
    /// As [`crop`], and [`Error::Parameter`] where a kept chunk is not in the pieces.
    pub fn crop(&self, keep: &[u32], pieces: &[Piece<'_>]) -> Result<Vec<u8>, Error> {
        let kept = kept(self, keep);
        if kept.is_empty() {
            return Err(Error::parameter(
                "nothing would be kept: no partition of the selection is present in this file",
            ));
        }
        let mut stored = Vec::with_capacity(kept.len().saturating_add(1));
        for chunk in std::iter::once(&self.shared).chain(&kept) {
            let bytes = gathered(pieces, chunk.offset, chunk.bytes())
                .ok_or_else(|| Error::parameter(format!("the {} is not in the pieces of the file", chunk.name())))?;
            reader::checked(&bytes, self.prelude.id, chunk)?;
            stored.push(bytes);
        }
        let stored = stored.iter().map(AsRef::as_ref);
        assemble(self.prelude.minor, self.prelude.id, &self.header, &self.shared, &kept, stored)
    }
}

/// `length` bytes from `offset`, which may reach over several pieces.
fn gathered<'a>(pieces: &[Piece<'a>], offset: u64, length: u64) -> Option<Cow<'a, [u8]>> {
    let end = offset.checked_add(length)?;
    let first = pieces.partition_point(|piece| piece.offset <= offset).saturating_sub(1);
    let mut found = Cow::Borrowed(&[][..]);
    for piece in pieces.iter().skip(first) {
        let next = offset.saturating_add(found.len() as u64);
        if next == end {
            break;
        }
        let rest = piece.bytes.get(usize::try_from(next.checked_sub(piece.offset)?).ok()?..)?;
        let wanted = usize::try_from(end.saturating_sub(next)).unwrap_or(usize::MAX).min(rest.len());
        let part = rest.get(..wanted)?;
        if found.is_empty() {
            found = Cow::Borrowed(part);
        } else {
            found.to_mut().extend_from_slice(part);
        }
    }
    (found.len() as u64 == length).then_some(found)
}

/// Exact size of `crop(.., keep)`; 0 where nothing would be kept.
pub(super) fn cropped_bytes(head: &Head, keep: &[u32]) -> u64 {
    let kept = kept(head, keep);
    if kept.is_empty() {
        return 0;
    }
    kept.iter()
        .map(Chunk::bytes)
        .chain([
            PRELUDE_BYTES,
            head.header.len() as u64,
            index::to_bytes(&head.shared, &kept).len() as u64,
            head.shared.bytes(),
        ])
        .fold(0, u64::saturating_add)
}

/// The chunks of the partitions that are present and listed.
pub(super) fn kept(head: &Head, keep: &[u32]) -> Vec<Chunk> {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    head.chunks.iter().filter(|chunk| keep.binary_search(&chunk.partition).is_ok()).cloned().collect()
}
