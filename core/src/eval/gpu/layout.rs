//! How a field and a view are laid out for the GPU: plain arrays, no framework, so that the ordinary test suite checks
//! them against the reference decoder without a GPU.
//!
//! **Everything is a multiple of four.** Widths are padded with zeros to blocks of four floats, so that the kernel
//! reads weights and features as vectors and needs no remainder loops: a padded output is sin(0) = 0 and its weights in
//! the next layer are zero. Sums keep the reference's order (bias first, then the inputs ascending).
//!
//! A packed layer with `n` input blocks and `m` output blocks is `m` runs of `4 n` vectors (the run of an output block
//! holds its four columns for every input row, contiguous in the order in which the kernel walks them), then `m`
//! vectors of biases. The four axes of a sample are right-aligned: a picture has two leading axes of one position.
//!
//! An invocation takes a *group* of up to [`lanes`] neighbours along the last axis that one partition owns, so that
//! it reads every weight once for all of them.

use std::ops::Range;

use crate::error::Error;
use crate::eval::View;
use crate::field::{Field, FieldSpec, Layer};
use crate::grid::Grid;
use crate::limits;

/// Floats in a block.
pub(crate) const BLOCK: usize = 4;
/// Axes of every decode, the limit of the format.
pub(crate) const AXES: usize = 4;
const _: () = assert!(AXES as u64 == limits::AXES);
/// Invocations of a workgroup: what every WebGPU device grants.
pub(crate) const GROUP: u32 = 256;
/// Widest local and global network together that the kernel takes, in floats. Its activations are two copies of both
/// for every lane, in function-local arrays, of which WGSL promises 8 KiB; half of that leaves the compiler its own.
pub(crate) const WIDTHS: usize = 512;
/// Most samples of one invocation.
const LANES: usize = 4;
/// Bytes of one weight buffer: the smallest limit of a storage binding that WebGPU allows.
pub(crate) const BUFFER_BYTES: u64 = 128 << 20;
/// In the slot table: this partition has no network.
pub(crate) const NO_SLOT: i32 = -1;
/// Written where the owning partition is absent. WGSL may assume that there are no NaNs; no field comes near this
/// number, since weights and widths are limited (see [`limits::WEIGHT`]).
pub(crate) const ABSENT_MARK: f32 = 1e38;
/// Most samples of one dispatch: 64 MiB of output for 16 channels, and at most 4,096 workgroups, far below the 65,535
/// of a dimension, so that no grid needs folding.
const DISPATCH_SAMPLES: u64 = 1 << 20;

/// A field, packed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    /// Blocks of the local width.
    pub(crate) local_blocks: usize,
    /// Blocks of the global width; 0 without a global network.
    pub(crate) global_blocks: usize,
    /// Vectors of one local network.
    pub(crate) local_stride: usize,
    /// Global layers, then the merge layer; one zero block where there is none, since a buffer cannot be empty.
    pub(crate) shared: Vec<f32>,
    /// The local networks in slot order, [`Packed::local_stride`] vectors each.
    pub(crate) local: Vec<f32>,
    /// Slot of every partition of the grid, or [`NO_SLOT`].
    pub(crate) slots: Vec<i32>,
}

/// A view, resolved for a grid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tables {
    /// Positions per axis, right-aligned; groups along the last one.
    pub(crate) extents: [u32; AXES],
    /// Positions along the last axis.
    pub(crate) columns: u32,
    /// Network inputs of all positions of all axes, one axis after the other.
    pub(crate) coordinates: Vec<f32>,
    /// For every position of the first three axes and every group of the last one, its owner along that axis times the
    /// stride of that axis (the sum over the axes is the partition); then the first column of every group; then the
    /// number of columns.
    pub(crate) places: Vec<i32>,
}

/// The share of one dispatch: consecutive groups, which hold consecutive samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Groups of the view, row-major.
    pub(crate) groups: Range<u32>,
    /// Samples of the view, row-major.
    pub(crate) samples: Range<u32>,
}

/// Vectors of a packed layer of `inputs` and `outputs` blocks.
pub(crate) const fn layer_vectors(inputs: usize, outputs: usize) -> usize {
    outputs * inputs * BLOCK + outputs
}

impl Packed {
    /// Packs the weights of `field`.
    ///
    /// # Errors
    /// [`Error::Device`] for networks that are too wide or too many for a GPU that grants what WebGPU guarantees.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "there are at most 2^20 partitions"
    )]
    pub(crate) fn new(field: &Field) -> Result<Self, Error> {
        let spec = field.spec();
        refuse_encoded(spec)?;
        let width = widths(spec);
        if width > WIDTHS {
            return Err(Error::Device(format!(
                "its kernel holds networks of at most {WIDTHS} activations per layer, this field has {width}"
            )));
        }
        let (local_blocks, global_blocks) = (blocks(spec.local_width), blocks(spec.global_width));
        let local_stride = local_vectors(spec);
        let bytes = (local_stride * BLOCK * size_of::<f32>()) as u64 * field.present().len() as u64;
        if bytes > BUFFER_BYTES {
            return Err(Error::Device(format!(
                "its buffers hold {BUFFER_BYTES} bytes, the local networks need {bytes}"
            )));
        }

        let mut local = Vec::with_capacity(local_stride * BLOCK * field.present().len());
        for slot in 0..field.present().len() {
            pack_local(spec, field.local_of_slot(slot), 0.0, &mut local);
        }
        let shared = pack_shared(spec, field.shared(), 0.0);
        let mut slots = vec![NO_SLOT; field.grid().partitions() as usize];
        for (slot, &partition) in field.present().iter().enumerate() {
            slots[partition as usize] = slot as i32;
        }
        // A buffer cannot be empty; without any network no slot points into it.
        if local.is_empty() {
            local.resize(BLOCK, 0.0);
        }
        Ok(Self { local_blocks, global_blocks, local_stride, shared, local, slots })
    }
}

/// Blocks that hold `width` floats.
pub(crate) fn blocks(width: u32) -> usize {
    (width as usize).div_ceil(BLOCK)
}

/// Vectors of one packed local network.
pub(crate) fn local_vectors(spec: &FieldSpec) -> usize {
    let width = blocks(spec.local_width);
    layer_vectors(1, width)
        + spec.hidden_layers as usize * layer_vectors(width, width)
        + layer_vectors(width, blocks(spec.outputs))
}

/// One local network, packed: `values` in the layout of [`Field`], `zero` in the padding.
pub(crate) fn pack_local<T: Copy>(spec: &FieldSpec, values: &[T], zero: T, into: &mut Vec<T>) {
    for (depth, layer) in spec.local_layers().iter().enumerate() {
        let rows = if depth == 0 { coordinate_rows(spec) } else { padded_rows(0, layer.inputs) };
        pack_layer(layer, values, &rows, zero, into);
    }
}

/// Global network and merge, packed like [`pack_local`]; one block of `zero` where there is none, since a buffer
/// cannot be empty.
pub(crate) fn pack_shared<T: Copy>(spec: &FieldSpec, values: &[T], zero: T) -> Vec<T> {
    let mut shared = Vec::new();
    for (depth, layer) in spec.global_layers().iter().enumerate() {
        let rows = if depth == 0 { coordinate_rows(spec) } else { padded_rows(0, layer.inputs) };
        pack_layer(layer, values, &rows, zero, &mut shared);
    }
    if let Some(merge) = spec.merge_layer() {
        let (w, g) = (spec.local_width as usize, spec.global_width as usize);
        pack_layer(&merge, values, &[padded_rows(0, w), padded_rows(w, g)].concat(), zero, &mut shared);
    }
    if shared.is_empty() {
        shared.resize(BLOCK, zero);
    }
    shared
}

/// Samples of one invocation: as many as its activations leave room for.
pub(crate) fn lanes(spec: &FieldSpec) -> usize {
    (WIDTHS / widths(spec).max(1).next_multiple_of(BLOCK)).clamp(1, LANES)
}

/// Refuses networks of other layers than the kernels are written for.
///
/// # Errors
/// [`Error::Device`] for an encoding of the coordinates, and for other layers than sine layers.
pub(crate) fn refuse_encoded(spec: &FieldSpec) -> Result<(), Error> {
    if !spec.is_encoded() {
        return Ok(());
    }
    Err(Error::Device(format!(
        "its kernels take sine layers on plain coordinates, this field has the encoding {} and the activation {}",
        spec.encoding.name(),
        spec.activation.name()
    )))
}

/// Activations of a layer of both networks.
pub(crate) fn widths(spec: &FieldSpec) -> usize {
    spec.local_width as usize + spec.global_width as usize
}

impl Tables {
    /// Coordinates and owners of `view` on `grid` in groups of at most `lanes`. `None` for a view without samples.
    ///
    /// # Errors
    /// As [`View::resolve`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "limited to 2^30 samples, 2^20 partitions"
    )]
    pub(crate) fn new(grid: &Grid, view: &View, lanes: usize) -> Result<Option<Self>, Error> {
        let axes = view.resolve(grid)?;
        let Some((last, leading)) = axes.split_last() else { return Ok(None) };
        if view.samples() == 0 {
            return Ok(None);
        }
        let lead = AXES - axes.len();
        let mut extents = [1; AXES];
        let mut coordinates = vec![0.0; lead];
        let mut places = vec![0; lead];
        for (index, axis) in leading.iter().enumerate() {
            let stride: u32 = grid.factors()[index + 1..].iter().product();
            extents[lead + index] = axis.coordinates.len() as u32;
            coordinates.extend_from_slice(&axis.coordinates);
            places.extend(axis.owners.iter().map(|&owner| (owner * stride) as i32));
        }
        coordinates.extend_from_slice(&last.coordinates);
        let mut starts = Vec::new();
        for run in last.runs() {
            for start in run.places.step_by(lanes) {
                places.push(run.owner as i32);
                starts.push(start as i32);
            }
        }
        extents[AXES - 1] = starts.len() as u32;
        places.append(&mut starts);
        places.push(last.coordinates.len() as i32);
        Ok(Some(Self { extents, columns: last.coordinates.len() as u32, coordinates, places }))
    }

    /// Splits all groups into shares of one dispatch, each of which costs at most `multiply_adds` (but holds at least one
    /// workgroup).
    #[expect(clippy::cast_possible_truncation, reason = "a view has at most 2^30 samples, and no more groups")]
    pub(crate) fn shares(&self, spec: &FieldSpec, multiply_adds: u64) -> Vec<Share> {
        let lanes = lanes(spec) as u64;
        let most = multiply_adds / spec.multiply_adds_per_sample().max(1) / lanes;
        let most = most.clamp(GROUP.into(), DISPATCH_SAMPLES / lanes) as u32;
        let groups = self.extents.iter().product::<u32>();
        (0..groups)
            .step_by(most as usize)
            .map(|start| start..groups.min(start + most))
            .map(|groups| Share { samples: self.first_sample(groups.start)..self.first_sample(groups.end), groups })
            .collect()
    }

    /// The first sample of a group; the number of samples for the number of groups.
    #[expect(clippy::cast_sign_loss, reason = "starts are positions")]
    fn first_sample(&self, group: u32) -> u32 {
        let groups = self.extents[AXES - 1];
        let starts = &self.places[self.places.len() - groups as usize - 1..];
        group / groups * self.columns + starts[(group % groups) as usize] as u32
    }
}

/// Rows of a first layer: the coordinates, right-aligned in one block.
fn coordinate_rows(spec: &FieldSpec) -> Vec<Option<usize>> {
    let inputs = spec.inputs as usize;
    (0..AXES).map(|axis| (axis + inputs).checked_sub(AXES)).collect()
}

/// Rows `start..start + count` of a layer, then `None` up to the next whole block.
fn padded_rows(start: usize, count: usize) -> Vec<Option<usize>> {
    (0..count.next_multiple_of(BLOCK)).map(|row| (row < count).then_some(start + row)).collect()
}

/// Appends a layer in the order of the module's documentation; a row of `None` is `zero`.
fn pack_layer<T: Copy>(layer: &Layer, weights: &[T], rows: &[Option<usize>], zero: T, into: &mut Vec<T>) {
    let matrix = &weights[layer.weights.clone()];
    let biases = &weights[layer.biases.clone()];
    let columns = layer.outputs.next_multiple_of(BLOCK);
    for block in (0..columns).step_by(BLOCK) {
        for row in rows {
            into.extend((block..block + BLOCK).map(|column| match row {
                Some(row) if column < layer.outputs => matrix[row * layer.outputs + column],
                _ => zero,
            }));
        }
    }
    into.extend((0..columns).map(|column| biases.get(column).copied().unwrap_or(zero)));
}
