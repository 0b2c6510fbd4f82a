//! How a training step is laid out for the GPU: plain arrays, no framework, checked by the ordinary test suite.
//!
//! A batch is cut into *items*: consecutive samples of one partition, one workgroup each. A workgroup takes its item in
//! *tiles* of as many samples as its memory holds and adds the weights' gradients of all tiles to a part of the
//! workspace that is its own; a second kernel adds the parts up in the order of the items. Nothing depends on which
//! workgroup runs first, so one device gives the same bits every time.

use std::ops::Range;

use super::layout::{
    AXES, BLOCK, BUFFER_BYTES, WIDTHS, blocks, layer_vectors, local_vectors, pack_local, pack_shared, refuse_encoded,
    widths,
};
use crate::error::Error;
use crate::eval::cpu::training::Batch;
use crate::field::FieldSpec;

/// Invocations of a workgroup: what every WebGPU device grants.
pub(crate) const UNITS: usize = 256;
/// Bytes of workgroup memory that every WebGPU device grants.
pub(crate) const WORKGROUP_BYTES: usize = 16 << 10;
/// Items that a batch is cut into at least, where it has the samples: enough workgroups for a large GPU.
const ITEMS: usize = 1 << 10;
/// Fewest and most samples of an item. Each item leaves one gradient of all weights to be added up.
const ITEM_SAMPLES: [usize; 2] = [64, 1 << 10];
/// Most workgroups of one dispatch: the limit of a dimension in WebGPU.
const DISPATCH_ITEMS: usize = 65_535;
/// In the pack tables: this place is padding.
pub(crate) const PADDING: i32 = -1;
/// Words of an item in the table: the slot of its network, its first sample, the sample behind its last one.
pub(crate) const ITEM_WORDS: usize = 3;

/// What the compiled kernel is specialised for: sizes in blocks of four floats, and how many samples a tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub(crate) local: usize,
    pub(crate) global: usize,
    pub(crate) channels: usize,
    pub(crate) samples: usize,
}

impl Tile {
    /// The largest tile, a power of two up to 64 samples, whose features and deltas fit `workgroup_bytes`.
    ///
    /// # Errors
    /// [`Error::Device`] for networks that are too wide.
    pub(crate) fn new(spec: &FieldSpec, workgroup_bytes: usize) -> Result<Self, Error> {
        refuse_encoded(spec)?;
        let (local, global) = (blocks(spec.local_width), blocks(spec.global_width));
        let one = Self { local, global, channels: blocks(spec.outputs), samples: 1 };
        let fits = |samples: usize| Self { samples, ..one }.memory() * BLOCK * size_of::<f32>() <= workgroup_bytes;
        let width = widths(spec);
        if width > WIDTHS || !fits(1) {
            return Err(Error::Device(format!(
                "its training kernel holds networks of at most {WIDTHS} activations per layer in workgroup memory, \
                 this field has {width}"
            )));
        }
        let samples = [64, 32, 16, 8, 4, 2, 1].into_iter().find(|&samples| fits(samples)).unwrap_or(1);
        Ok(Self { samples, ..one })
    }

    /// Blocks of the joined features: local, then global.
    pub(crate) const fn joined(&self) -> usize {
        self.local + self.global
    }

    /// Blocks of the merged features; 0 without a merge.
    pub(crate) const fn merged(&self) -> usize {
        if self.global == 0 { 0 } else { self.local }
    }

    /// Samples of one invocation in a layer of `width` blocks, so that one round of the workgroup does it.
    pub(crate) const fn lanes(&self, width: usize) -> usize {
        let mut lanes = 1;
        while self.samples * width > lanes * UNITS {
            lanes *= 2;
        }
        lanes
    }

    /// Where the deltas of the joined features begin in workgroup memory; the features themselves begin at 0.
    pub(crate) const fn deltas(&self) -> usize {
        self.samples * self.joined()
    }

    /// Where the merged features begin.
    pub(crate) const fn merged_at(&self) -> usize {
        2 * self.samples * self.joined()
    }

    /// Where the deltas of the features that enter a local layer begin.
    pub(crate) const fn entering(&self) -> usize {
        self.merged_at() + self.samples * self.merged()
    }

    /// Where the deltas of the output begin.
    pub(crate) const fn output(&self) -> usize {
        self.entering() + self.samples * self.local
    }

    /// Where the coordinates begin.
    pub(crate) const fn coordinates(&self) -> usize {
        self.output() + self.samples * self.channels
    }

    /// Vectors of workgroup memory.
    pub(crate) const fn memory(&self) -> usize {
        self.coordinates() + self.samples
    }

    /// Vectors of the angles of one depth: those of the joined features, then those of the merged ones.
    pub(crate) const fn depth_angles(&self) -> usize {
        self.samples * (self.joined() + self.merged())
    }

    /// Vectors of global layers and merge; one without them.
    pub(crate) const fn shared_vectors(&self, hidden_layers: usize) -> usize {
        if self.global == 0 { 1 } else { self.merge_at(hidden_layers) + layer_vectors(self.joined(), self.local) }
    }

    /// Where the merge begins among the shared vectors.
    pub(crate) const fn merge_at(&self, hidden_layers: usize) -> usize {
        layer_vectors(1, self.global) + hidden_layers * layer_vectors(self.global, self.global)
    }
}

/// A network's training on the GPU: sizes and tables that do not depend on the batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) tile: Tile,
    pub(crate) hidden_layers: usize,
    /// Vectors of one packed local network.
    pub(crate) local_stride: usize,
    /// Vectors of the packed shared weights.
    pub(crate) shared_vectors: usize,
    /// For every float of the packed shared weights the weight that it holds, or [`PADDING`].
    pub(crate) pack_shared: Vec<i32>,
    /// The same for one local network.
    pub(crate) pack_local: Vec<i32>,
    /// For every shared weight, then for the loss of every invocation, the float in an item's part of the workspace,
    /// behind the angles, that holds its gradient.
    pub(crate) gather_shared: Vec<i32>,
    /// The same for the weights of the item's local network.
    pub(crate) gather_local: Vec<i32>,
}

impl Layout {
    /// The layout for a device with `workgroup_bytes` of workgroup memory.
    ///
    /// # Errors
    /// As [`Tile::new`].
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most 2^28 parameters")]
    pub(crate) fn new(spec: &FieldSpec, workgroup_bytes: usize) -> Result<Self, Error> {
        let tile = Tile::new(spec, workgroup_bytes)?;
        let hidden_layers = spec.hidden_layers as usize;
        let names = |count: u64| (0..count as i32).collect::<Vec<i32>>();
        let table = pack_shared(spec, &names(spec.shared_parameters()), PADDING);
        let mut local_table = Vec::new();
        pack_local(spec, &names(spec.local_parameters()), PADDING, &mut local_table);
        let (local_stride, shared_vectors) = (local_vectors(spec), tile.shared_vectors(hidden_layers));
        let mut gather_shared = inverse(&table, spec.shared_parameters() as usize, 0);
        let losses = (shared_vectors + local_stride) * BLOCK;
        gather_shared.extend((0..UNITS).map(|unit| (losses + unit * BLOCK) as i32));
        let gather_local = inverse(&local_table, spec.local_parameters() as usize, shared_vectors * BLOCK);
        Ok(Self {
            tile,
            hidden_layers,
            local_stride,
            shared_vectors,
            pack_shared: table,
            pack_local: local_table,
            gather_shared,
            gather_local,
        })
    }

    /// Vectors of the angles of a tile.
    pub(crate) fn angles(&self) -> usize {
        (self.hidden_layers + 1) * self.tile.depth_angles()
    }

    /// Vectors of an item's part of the workspace: angles, gradients of the shared weights and of one local network,
    /// the loss of every invocation.
    pub(crate) fn workspace_stride(&self) -> usize {
        self.angles() + self.shared_vectors + self.local_stride + UNITS
    }
}

/// For each of `count` weights the place in `table` that names it, plus `offset`.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "indices")]
fn inverse(table: &[i32], count: usize, offset: usize) -> Vec<i32> {
    let mut places = vec![0; count];
    for (place, &name) in table.iter().enumerate().filter(|(_, name)| **name != PADDING) {
        places[name as usize] = (offset + place) as i32;
    }
    places
}

/// A batch, cut.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Items {
    /// [`ITEM_WORDS`] per item, in the order of the samples.
    pub(crate) table: Vec<i32>,
    /// The first item of every slot, then the number of items.
    pub(crate) first_of_slot: Vec<i32>,
    /// Tiles of the largest item.
    pub(crate) tiles: usize,
    /// Per sample a vector of coordinates, right-aligned, then its targets in vectors.
    pub(crate) samples: Vec<f32>,
}

impl Items {
    /// Cuts `batch` for a network of `spec`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where its sizes do not fit, [`Error::Device`] for more samples than a buffer holds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "checked against the buffer size")]
    pub(crate) fn new(batch: &Batch, spec: &FieldSpec, tile: &Tile) -> Result<Self, Error> {
        let total = batch.samples();
        let end =
            batch.spans.iter().try_fold(0, |end, span| (span.start == end && span.end >= end).then_some(span.end));
        let fits = batch.inputs == spec.inputs as usize
            && batch.outputs == spec.outputs as usize
            && batch.coordinates.len() == total * batch.inputs
            && batch.targets.len() == total * batch.outputs;
        if !fits || total == 0 || end != Some(total) {
            return Err(Error::parameter(format!(
                "a batch of {total} samples and {} partitions does not suit the network",
                batch.spans.len()
            )));
        }
        let width = (1 + tile.channels) * BLOCK;
        if (total * width * size_of::<f32>()) as u64 > BUFFER_BYTES {
            let most = BUFFER_BYTES as usize / (width * size_of::<f32>());
            return Err(Error::Device(format!("its buffers hold {most} samples, the batch has {total}")));
        }
        let size = (total / ITEMS).clamp(ITEM_SAMPLES[0], ITEM_SAMPLES[1]).next_multiple_of(tile.samples);
        let mut table = Vec::new();
        let mut first_of_slot = Vec::with_capacity(batch.spans.len() + 1);
        let mut largest = 0;
        for (slot, span) in batch.spans.iter().enumerate() {
            first_of_slot.push((table.len() / ITEM_WORDS) as i32);
            // Pieces of equal size, since all workgroups walk the tiles of the largest.
            let pieces = span.len().div_ceil(size);
            for piece in 0..pieces {
                let at = |piece: usize| span.start + span.len() * piece / pieces;
                let (start, end) = (at(piece), at(piece + 1));
                table.extend([slot as i32, start as i32, end as i32]);
                largest = largest.max(end - start);
            }
        }
        first_of_slot.push((table.len() / ITEM_WORDS) as i32);
        let mut samples = vec![0.0; total * width];
        for ((row, x), y) in samples
            .chunks_exact_mut(width)
            .zip(batch.coordinates.chunks_exact(batch.inputs))
            .zip(batch.targets.chunks_exact(batch.outputs))
        {
            row[AXES - batch.inputs..AXES].copy_from_slice(x);
            row[BLOCK..BLOCK + batch.outputs].copy_from_slice(y);
        }
        Ok(Self { table, first_of_slot, tiles: largest.div_ceil(tile.samples), samples })
    }

    /// Number of items.
    pub(crate) fn count(&self) -> usize {
        self.table.len() / ITEM_WORDS
    }

    /// The items of each dispatch: none costs more than `multiply_adds`, and its workspace fits one buffer, but each
    /// holds at least one item.
    pub(crate) fn dispatches(&self, spec: &FieldSpec, layout: &Layout, multiply_adds: u64) -> Vec<Range<usize>> {
        // Forward, and back to features and to weights.
        let item = 3 * spec.multiply_adds_per_sample() * (self.tiles * layout.tile.samples) as u64;
        let bytes = (layout.workspace_stride() * BLOCK * size_of::<f32>()) as u64;
        let most = (multiply_adds / item.max(1)).min(BUFFER_BYTES / bytes).clamp(1, DISPATCH_ITEMS as u64);
        let most = usize::try_from(most).unwrap_or(DISPATCH_ITEMS);
        (0..self.count()).step_by(most).map(|start| start..self.count().min(start + most)).collect()
    }
}
