//! Cropping: kept chunks are copied, prelude and index rewritten, the header stays.

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
    let head = Head::parse(bytes, bytes.len() as u64)?;
    let kept = kept(&head, keep);
    if kept.is_empty() {
        return Err(Error::parameter("nothing would be kept: no partition of the selection is present in this file"));
    }
    let mut stored = Vec::with_capacity(kept.len());
    for chunk in std::iter::once(&head.shared).chain(&kept) {
        reader::checked_payload(bytes, head.prelude.id, chunk)?;
        stored.extend(super::head::slice(bytes, chunk.offset, chunk.bytes()));
    }
    assemble(head.prelude.minor, head.prelude.id, &head.header, &head.shared, &kept, stored.into_iter())
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

fn kept(head: &Head, keep: &[u32]) -> Vec<Chunk> {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    head.chunks.iter().filter(|chunk| keep.binary_search(&chunk.partition).is_ok()).cloned().collect()
}
