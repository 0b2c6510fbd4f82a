//! Which bytes of a file a region needs: what a program asks a server for instead of the whole file.

use std::ops::Range;

use super::crop;
use super::head::Head;
use super::index::Chunk;

/// Bytes between two ranges that are read through at most. A request takes about as long as these bytes on a slow line.
const GAP_BYTES: u64 = 16 << 10;
/// All bytes that are read through are at most this part of those that are needed.
const READ_THROUGH: u64 = 5;

impl Head {
    /// Bytes that nobody can do without who wants those partitions that are present and listed in `keep`: the head, the
    /// global chunk, and their chunks.
    pub fn needed_bytes(&self, keep: &[u32]) -> u64 {
        let kept = crop::kept(self, keep);
        let chunks = std::iter::once(&self.shared).chain(&kept).map(Chunk::bytes);
        chunks.fold(self.prelude.head_bytes(), u64::saturating_add)
    }

    /// What is missing for [`Head::crop`] with the same list, beside the first `have` bytes of the file: ascending ranges that
    /// neither touch nor overlap, and are none where nothing is kept.
    ///
    /// Neighbouring chunks share a range, and so do chunks with little between them. Together with the first bytes, which
    /// hold the head, the ranges are at most 1.2 times [`Head::needed_bytes`]; where the first bytes have more than that
    /// fifth too many, the ranges have none.
    ///
    /// # Examples
    /// ```
    /// use tessera_core::field::{FieldSpec, initialise};
    /// use tessera_core::format::{self, Document, Head, Piece, TrainingRecord, WeightCoding};
    /// use tessera_core::grid::{Grid, UNIT_RANGE};
    /// use tessera_core::signal::{SampleFormat, SignalInfo};
    ///
    /// let grid = Grid::new(vec![8, 8], vec![4, 4], UNIT_RANGE)?;
    /// let field = initialise(&FieldSpec::per_partition(2, 1, 6), &grid, 1)?;
    /// let signal = SignalInfo::picture(8, 8, 1, SampleFormat::U8)?;
    /// let far = format::write(&Document { signal, field, training: TrainingRecord::default() }, WeightCoding::F32)?;
    ///
    /// let front = &far[..Head::bytes_needed(&far)? as usize];
    /// let head = Head::parse(front, None)?;
    /// let ranges = head.ranges(&[5, 6], front.len() as u64);
    /// assert_eq!(ranges.len(), 1);
    /// let bytes = &far[ranges[0].start as usize..ranges[0].end as usize];
    /// let near = head.crop(&[5, 6], &[Piece { offset: ranges[0].start, bytes }])?;
    /// assert_eq!(near, format::crop(&far, &[5, 6])?);
    /// # Ok::<(), tessera_core::Error>(())
    /// ```
    pub fn ranges(&self, keep: &[u32], have: u64) -> Vec<Range<u64>> {
        let kept = crop::kept(self, keep);
        if kept.is_empty() {
            return Vec::new();
        }
        let head_bytes = self.prelude.head_bytes();
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let (mut needed, mut used) = (head_bytes, head_bytes.min(have));
        for chunk in std::iter::once(&self.shared).chain(&kept) {
            let (start, end) = (chunk.offset, chunk.offset.saturating_add(chunk.bytes()));
            needed = needed.saturating_add(chunk.bytes());
            used = used.saturating_add(end.min(have).saturating_sub(start));
            let start = start.max(have);
            match ranges.last_mut() {
                _ if start >= end => {}
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        let waste = have.saturating_sub(used);
        join(ranges, (needed / READ_THROUGH).saturating_sub(waste))
    }
}

/// Reads through the smallest gaps, of `budget` bytes together at most.
fn join(ranges: Vec<Range<u64>>, mut budget: u64) -> Vec<Range<u64>> {
    let gap = |pair: &[Range<u64>]| match pair {
        [a, b] => b.start.saturating_sub(a.end),
        _ => u64::MAX,
    };
    let mut gaps: Vec<(u64, usize)> = ranges.windows(2).map(gap).zip(1..).collect();
    gaps.sort_unstable();
    let mut joined = vec![false; ranges.len()];
    for (bytes, place) in gaps {
        if bytes > GAP_BYTES.min(budget) {
            break;
        }
        budget = budget.saturating_sub(bytes);
        if let Some(joined) = joined.get_mut(place) {
            *joined = true;
        }
    }
    let mut result: Vec<Range<u64>> = Vec::new();
    for (range, joined) in ranges.into_iter().zip(joined) {
        match result.last_mut() {
            Some(last) if joined => last.end = range.end,
            _ => result.push(range),
        }
    }
    result
}
