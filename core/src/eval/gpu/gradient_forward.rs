//! The way forward in the training kernel: features of a tile, their angles, and the error of the output.

use cubecl::prelude::*;

use super::gradient_layout::Tile;
use super::gradient_products::{products, sum_of};
use super::kernel::{begin, sine};
use super::layout::BLOCK;

/// Four floats.
type Four = Vector<f32, Const<4>>;

/// Joined features of one depth, in place, and their angles. An invocation has one block for `lanes` samples, the
/// samples of a block side by side, so that neighbours read the same weights.
#[cube]
#[expect(clippy::too_many_arguments, reason = "a kernel's functions are inlined, a struct would only be taken apart")]
pub(super) fn joined_forward(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    shared: &[Vector<f32, Const<4>>],
    local: &[Vector<f32, Const<4>>],
    shared_at: usize,
    local_at: usize,
    workspace: &mut [Vector<f32, Const<4>>],
    angles: usize,
    omega: f32,
    #[comptime] tile: Tile,
    #[comptime] first: bool,
) {
    let unit = UNIT_POS as usize;
    let lanes = comptime!(tile.lanes(tile.joined()));
    let groups = comptime!(tile.samples / lanes);
    let block = unit / groups;
    let sample = unit % groups * lanes;
    let mut sums = Array::<Four>::new(lanes);
    if block < tile.local {
        let inputs = comptime!(if first { 1 } else { tile.local });
        let from = comptime!(if first {
            tile.coordinates()
        } else if tile.global > 0 {
            tile.merged_at()
        } else {
            0
        });
        let stride = comptime!(if first {
            1
        } else if tile.global > 0 {
            tile.merged()
        } else {
            tile.joined()
        });
        begin(&mut sums, local[local_at + comptime!(tile.local * inputs * BLOCK) + block], lanes);
        let run = local_at + block * comptime!(inputs * BLOCK);
        products(&mut sums, memory, from, stride, sample, inputs, local, run, lanes);
    }
    if comptime!(tile.global > 0) {
        let inputs = comptime!(if first { 1 } else { tile.global });
        let from = comptime!(if first { tile.coordinates() } else { tile.local });
        let stride = comptime!(if first { 1 } else { tile.joined() });
        if block >= tile.local && block < comptime!(tile.joined()) {
            let block = block - tile.local;
            begin(&mut sums, shared[shared_at + comptime!(tile.global * inputs * BLOCK) + block], lanes);
            let run = shared_at + block * comptime!(inputs * BLOCK);
            products(&mut sums, memory, from, stride, sample, inputs, shared, run, lanes);
        }
    }
    sync_cube();
    if block < comptime!(tile.joined()) {
        #[unroll]
        for lane in 0..lanes {
            let angle = sums[lane] * Four::new(omega);
            let place = (sample + lane) * comptime!(tile.joined()) + block;
            workspace[angles + place] = angle;
            memory[place] = sine(angle);
        }
    }
    sync_cube();
}

/// Merged features of one depth, and their angles.
#[cube]
pub(super) fn merge_forward(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    shared: &[Vector<f32, Const<4>>],
    at: usize,
    workspace: &mut [Vector<f32, Const<4>>],
    angles: usize,
    omega: f32,
    #[comptime] tile: Tile,
) {
    if comptime!(tile.global > 0) {
        let lanes = comptime!(tile.lanes(tile.local));
        let groups = comptime!(tile.samples / lanes);
        let block = UNIT_POS as usize / groups;
        let sample = UNIT_POS as usize % groups * lanes;
        if block < tile.local {
            let mut sums = Array::<Four>::new(lanes);
            let inputs = comptime!(tile.joined());
            begin(&mut sums, shared[at + comptime!(tile.local * inputs * BLOCK) + block], lanes);
            let run = at + block * comptime!(inputs * BLOCK);
            products(&mut sums, memory, 0usize, inputs, sample, inputs, shared, run, lanes);
            #[unroll]
            for lane in 0..lanes {
                let angle = sums[lane] * Four::new(omega);
                let place = (sample + lane) * tile.local + block;
                workspace[angles + comptime!(tile.samples * tile.joined()) + place] = angle;
                memory[comptime!(tile.merged_at()) + place] = sine(angle);
            }
        }
        sync_cube();
    }
}

/// The deltas of the output into workgroup memory, zero behind the item's `end`; returns this invocation's share of the
/// squared error.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
pub(super) fn output_error(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    samples: &[Vector<f32, Const<4>>],
    start: usize,
    end: usize,
    local: &[Vector<f32, Const<4>>],
    at: usize,
    scale: f32,
    #[comptime] tile: Tile,
) -> f32 {
    let unit = UNIT_POS as usize;
    let mut squared = Four::new(0.0);
    if unit < comptime!(tile.samples * tile.channels) {
        let block = unit / tile.samples;
        let sample = unit % tile.samples;
        let from = comptime!(if tile.global > 0 { tile.merged_at() } else { 0 });
        let stride = comptime!(if tile.global > 0 { tile.merged() } else { tile.joined() });
        let mut sums = Array::<Four>::new(1usize);
        begin(&mut sums, local[at + comptime!(tile.channels * tile.local * BLOCK) + block], 1usize);
        let run = at + block * comptime!(tile.local * BLOCK);
        products(&mut sums, memory, from, stride, sample, tile.local, local, run, 1usize);
        let mut error = Four::new(0.0);
        if start + sample < end {
            error = sums[0] - samples[(start + sample) * comptime!(1 + tile.channels) + 1 + block];
        }
        squared = error * error;
        memory[comptime!(tile.output()) + sample * tile.channels + block] = error * Four::new(scale);
    }
    sum_of(squared)
}
