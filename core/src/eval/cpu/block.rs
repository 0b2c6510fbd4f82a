//! Samples grouped by partition, and their division into blocks of padded segments.

use std::ops::Range;

use pulp::Simd;

use super::BLOCK;

/// Samples to evaluate, grouped by the place of their partition in the local weights.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    /// Coordinates per sample.
    pub(super) inputs: usize,
    /// `[samples, inputs]`.
    pub(super) coordinates: Vec<f32>,
    /// (slot, samples): contiguous, in order.
    pub(super) spans: Vec<(usize, Range<usize>)>,
    /// Where their coordinates are in the tables of an encoding, `[axis][sample]`; empty without one.
    pub(super) places: Vec<Vec<u32>>,
}

impl Samples {
    /// None yet; with `places` for an encoding.
    pub(super) fn new(inputs: usize, places: bool) -> Self {
        let places = if places { vec![Vec::new(); inputs] } else { Vec::new() };
        Self { inputs, coordinates: Vec::new(), spans: Vec::new(), places }
    }

    pub(super) fn len(&self) -> usize {
        self.coordinates.len() / self.inputs
    }
}

/// Samples of one partition inside a block.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Place of the partition in the local weights.
    pub(super) slot: usize,
    /// Vectors of the block that the segment fills; the last one may be padded.
    pub(super) vectors: Range<usize>,
    /// The samples, as many as fit into the vectors or fewer.
    pub(super) samples: Range<usize>,
}

/// Vectors per feature row of a block.
pub(super) const fn block_vectors<S: Simd>() -> usize {
    if S::F32_LANES >= BLOCK { 1 } else { BLOCK / S::F32_LANES }
}

/// Packs spans greedily into blocks; a segment never shares a vector with another one.
pub(super) fn blocks<S: Simd>(spans: &[(usize, Range<usize>)]) -> Vec<Vec<Segment>> {
    let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
    let mut blocks = Vec::new();
    let mut current: Vec<Segment> = Vec::new();
    let mut used = 0;
    for (slot, span) in spans {
        let mut start = span.start;
        while start < span.end {
            if used == width {
                blocks.push(std::mem::take(&mut current));
                used = 0;
            }
            let end = span.end.min(start + (width - used) * lanes);
            let vectors = used..used + (end - start).div_ceil(lanes);
            used = vectors.end;
            current.push(Segment { slot: *slot, vectors, samples: start..end });
            start = end;
        }
    }
    if !current.is_empty() {
        blocks.push(current);
    }
    blocks
}
