//! Loss and gradients as CubeCL kernels.
//!
//! **The floor.** A full step of the published picture setting is 43 GFLOP. General operations move 12 GB for it. Here a
//! workgroup walks a tile of samples of one partition through all layers and back, features and deltas in its memory,
//! so what leaves the chip is: weights (94 KB per tile, twice; the caches hold them), the angles of the sines (464
//! floats per sample, written and read once per way; the workspace of a workgroup is used again for every tile and stays
//! in the cache as well), and the tile's contribution to the gradients (94 KB, read and written). That is 0.4 MB per
//! tile of 16 samples between the cores and the second-level cache, 6 GB per step where WebGPU's 16 KiB limit a tile to
//! 16 samples, half of it with 32 samples in CUDA's 48 KiB, and about 0.2 GB of device memory. At a cache's usual
//! bytes per flop both ends are near each other, so arithmetic is the bound from a middling GPU on.
//!
//! The alternatives: keeping sines *and* cosines doubles the angles' bytes to save two polynomials per unit, where a unit
//! costs some 250 multiply-adds; a layer at a time over all samples (as matrix products do) moves 2.5 GB through the
//! device's memory; gradients in registers over all tiles need 92 floats per invocation, which spill in WGSL; adding them
//! with atomics would give other bits in every run.
//!
//! An invocation computes one block of four features for a few samples (`lanes`): four vectors of weights and one per
//! sample from workgroup memory for 16 multiply-adds per sample. Whatever an invocation reads back from the workspace
//! it wrote itself, so barriers guard workgroup memory alone. No subgroup operations, no atomics. Same sine as everywhere.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts on the device, of indices that the tables keep below 2^31 and above 0"
)]

use cubecl::prelude::*;

use super::gradient_forward::{joined_forward, merge_forward, output_error};
use super::gradient_layout::{ITEM_WORDS, PADDING, Tile};
use super::gradient_products::{sums_of, turned_products, weight_gradient};
use super::kernel::{cosine, sine};
use super::layout::{BLOCK, layer_vectors};

/// Four floats.
type Four = Vector<f32, Const<4>>;

/// `output[row, place] = input[row, table[place]]`, zero where the table says padding: weights as layers of blocks.
#[cube(launch_unchecked)]
pub(super) fn pack(input: &[f32], table: &[i32], output: &mut [f32], weights: u32, places: u32, count: u32) {
    let index = ABSOLUTE_POS as u32;
    if index >= count {
        terminate!();
    }
    let name = table[(index % places) as usize];
    let mut value = 0.0f32;
    if name != PADDING {
        value = input[(index / places * weights) as usize + name as usize];
    }
    output[index as usize] = value;
}

/// `totals[row, element] += ` the sum over the items of the row, as far as they are among `items` from `first_item` on,
/// of the float `gather[element]` behind the angles of the item's part of the workspace. `rows[row]..rows[row + 1]`
/// are the items of a row.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "the arguments of a kernel are its bindings")]
pub(super) fn add_items(
    workspace: &[f32],
    gather: &[i32],
    rows: &[i32],
    totals: &mut [f32],
    first_row: u32,
    elements: u32,
    count: u32,
    first_item: u32,
    items: u32,
    stride: u32,
    angles: u32,
) {
    let index = ABSOLUTE_POS as u32;
    if index >= count {
        terminate!();
    }
    let row = first_row + index / elements;
    let element = index % elements;
    let start = max(rows[row as usize] as u32, first_item);
    let end = min(rows[(row + 1) as usize] as u32, first_item + items);
    let place = angles as usize + gather[element as usize] as usize;
    let at = (row * elements + element) as usize;
    let mut sum = totals[at];
    for item in start..end {
        sum += workspace[(item - first_item) as usize * stride as usize + place];
    }
    totals[at] = sum;
}

/// Loss and gradients of a workgroup's item, in its part of `workspace`; see `gradient_layout.rs` for all arrays.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "the arguments of a kernel are its bindings")]
pub(super) fn item_gradients(
    samples: &[Vector<f32, Const<4>>],
    items: &[i32],
    shared: &[Vector<f32, Const<4>>],
    local: &[Vector<f32, Const<4>>],
    workspace: &mut [Vector<f32, Const<4>>],
    first_item: u32,
    tiles: u32,
    hidden_layers: u32,
    shared_vectors: u32,
    local_stride: u32,
    stride: u32,
    first_omega: f32,
    hidden_omega: f32,
    scale: f32,
    #[comptime] tile: Tile,
) {
    let unit = UNIT_POS as usize;
    let item = (first_item as usize + CUBE_POS) * comptime!(ITEM_WORDS);
    let own = items[item] as usize * local_stride as usize;
    let first = items[item + 1] as usize;
    let end = items[item + 2] as usize;
    let hidden = hidden_layers as usize;
    let angles = CUBE_POS * stride as usize;
    let shared_gradient = angles + (hidden + 1) * comptime!(tile.depth_angles());
    let local_gradient = shared_gradient + shared_vectors as usize;
    let merge_at =
        comptime!(layer_vectors(1, tile.global)) + hidden * comptime!(layer_vectors(tile.global, tile.global));
    let last_at = comptime!(layer_vectors(1, tile.local)) + hidden * comptime!(layer_vectors(tile.local, tile.local));
    let mut memory = Shared::<[Four]>::new_slice(comptime!(tile.memory()));
    let mut squared_error = 0.0f32;

    for number in 0..tiles as usize {
        let start = first + number * comptime!(tile.samples);
        let add = number > 0;
        if unit < comptime!(tile.samples) {
            let sample = min(start + unit, end - 1);
            memory[comptime!(tile.coordinates()) + unit] = samples[sample * comptime!(1 + tile.channels)];
        }
        sync_cube();

        joined_forward(&mut memory, shared, local, 0usize, own, workspace, angles, first_omega, tile, true);
        merge_forward(&mut memory, shared, merge_at, workspace, angles, hidden_omega, tile);
        let mut shared_at = comptime!(layer_vectors(1, tile.global)).runtime();
        let mut local_at = comptime!(layer_vectors(1, tile.local)).runtime();
        for depth in 0..hidden {
            let angles = angles + (depth + 1) * comptime!(tile.depth_angles());
            joined_forward(
                &mut memory,
                shared,
                local,
                shared_at,
                own + local_at,
                workspace,
                angles,
                hidden_omega,
                tile,
                false,
            );
            merge_forward(&mut memory, shared, merge_at, workspace, angles, hidden_omega, tile);
            shared_at += comptime!(layer_vectors(tile.global, tile.global));
            local_at += comptime!(layer_vectors(tile.local, tile.local));
        }

        squared_error += output_error(&mut memory, samples, start, end, local, own + last_at, scale, tile);
        sync_cube();
        let features = comptime!(if tile.global > 0 { tile.merged_at() } else { 0 });
        let feature_stride = comptime!(if tile.global > 0 { tile.merged() } else { tile.joined() });
        weight_gradient(
            &mut memory,
            features,
            feature_stride,
            tile.local,
            comptime!(tile.output()),
            tile.channels,
            tile.channels,
            workspace,
            local_gradient + last_at,
            add,
            tile,
        );
        entering_deltas(
            &mut memory,
            local,
            own + last_at,
            comptime!(tile.output()),
            tile.channels,
            tile.channels,
            tile,
        );
        sync_cube();

        for step in 0..hidden {
            let depth = hidden - step;
            shared_at -= comptime!(layer_vectors(tile.global, tile.global));
            local_at -= comptime!(layer_vectors(tile.local, tile.local));
            joined_deltas(
                &mut memory,
                shared,
                merge_at,
                workspace,
                angles + depth * comptime!(tile.depth_angles()),
                shared_gradient + merge_at,
                hidden_omega,
                hidden_omega,
                step > 0,
                add || step > 0,
                tile,
            );
            restore(&mut memory, workspace, angles + (depth - 1) * comptime!(tile.depth_angles()), tile);
            sync_cube();
            if comptime!(tile.global > 0) {
                weight_gradient(
                    &mut memory,
                    tile.local,
                    comptime!(tile.joined()),
                    tile.global,
                    comptime!(tile.deltas() + tile.local),
                    comptime!(tile.joined()),
                    tile.global,
                    workspace,
                    shared_gradient + shared_at,
                    add,
                    tile,
                );
            }
            weight_gradient(
                &mut memory,
                features,
                feature_stride,
                tile.local,
                comptime!(tile.deltas()),
                comptime!(tile.joined()),
                tile.local,
                workspace,
                local_gradient + local_at,
                add,
                tile,
            );
            entering_deltas(
                &mut memory,
                local,
                own + local_at,
                comptime!(tile.deltas()),
                comptime!(tile.joined()),
                tile.local,
                tile,
            );
            carry_deltas(&mut memory, shared, shared_at, tile);
            sync_cube();
        }
        joined_deltas(
            &mut memory,
            shared,
            merge_at,
            workspace,
            angles,
            shared_gradient + merge_at,
            first_omega,
            hidden_omega,
            hidden > 0,
            add || hidden > 0,
            tile,
        );
        if comptime!(tile.global > 0) {
            weight_gradient(
                &mut memory,
                comptime!(tile.coordinates()),
                1usize,
                1usize,
                comptime!(tile.deltas() + tile.local),
                comptime!(tile.joined()),
                tile.global,
                workspace,
                shared_gradient,
                add,
                tile,
            );
        }
        weight_gradient(
            &mut memory,
            comptime!(tile.coordinates()),
            1usize,
            1usize,
            comptime!(tile.deltas()),
            comptime!(tile.joined()),
            tile.local,
            workspace,
            local_gradient,
            add,
            tile,
        );
        sync_cube();
    }
    workspace[local_gradient + local_stride as usize + unit] = Four::new(squared_error);
}

/// Deltas of the features that entered a local layer, from the layer's `outputs` blocks of deltas at `from`.
#[cube]
fn entering_deltas(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    local: &[Vector<f32, Const<4>>],
    at: usize,
    #[comptime] from: usize,
    #[comptime] stride: usize,
    #[comptime] outputs: usize,
    #[comptime] tile: Tile,
) {
    let lanes = comptime!(tile.lanes(tile.local));
    let groups = comptime!(tile.samples / lanes);
    let block = UNIT_POS as usize / groups;
    let sample = UNIT_POS as usize % groups * lanes;
    if block < tile.local {
        let mut sums = Array::<Four>::new(comptime!(lanes * BLOCK));
        turned_products(&mut sums, memory, from, stride, sample, outputs, local, at, tile.local, block, lanes);
        #[unroll]
        for lane in 0..lanes {
            memory[comptime!(tile.entering()) + (sample + lane) * tile.local + block] = sums_of(&sums, lane);
        }
    }
}

/// Deltas of the joined features of one depth, from those of the features that enter the next local layer and from the
/// global ones that [`carry_deltas`] left; and the merge's gradient.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
fn joined_deltas(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    shared: &[Vector<f32, Const<4>>],
    merge_at: usize,
    workspace: &mut [Vector<f32, Const<4>>],
    angles: usize,
    merge_gradient: usize,
    omega: f32,
    merge_omega: f32,
    carried: bool,
    add: bool,
    #[comptime] tile: Tile,
) {
    let unit = UNIT_POS as usize;
    if comptime!(tile.global > 0) {
        let lanes = comptime!(tile.lanes(tile.local));
        let groups = comptime!(tile.samples / lanes);
        let block = unit / groups;
        let sample = unit % groups * lanes;
        if block < tile.local {
            #[unroll]
            for lane in 0..lanes {
                let place = (sample + lane) * tile.local + block;
                let angle = workspace[angles + comptime!(tile.samples * tile.joined()) + place];
                let at = comptime!(tile.entering()) + place;
                memory[at] = memory[at] * cosine(angle) * Four::new(merge_omega);
            }
        }
        sync_cube();
        weight_gradient(
            memory,
            0usize,
            comptime!(tile.joined()),
            comptime!(tile.joined()),
            comptime!(tile.entering()),
            tile.local,
            tile.local,
            workspace,
            merge_gradient,
            add,
            tile,
        );
    }
    let lanes = comptime!(tile.lanes(tile.joined()));
    let groups = comptime!(tile.samples / lanes);
    let block = unit / groups;
    let sample = unit % groups * lanes;
    if block < comptime!(tile.joined()) {
        let mut sums = Array::<Four>::new(comptime!(lanes * BLOCK));
        if comptime!(tile.global > 0) {
            turned_products(
                &mut sums,
                memory,
                comptime!(tile.entering()),
                tile.local,
                sample,
                tile.local,
                shared,
                merge_at,
                comptime!(tile.joined()),
                block,
                lanes,
            );
        }
        #[unroll]
        for lane in 0..lanes {
            let place = (sample + lane) * comptime!(tile.joined()) + block;
            let at = comptime!(tile.deltas()) + place;
            let mut delta =
                memory[comptime!(tile.entering()) + (sample + lane) * tile.local + min(block, tile.local - 1)];
            if comptime!(tile.global > 0) {
                delta = sums_of(&sums, lane);
                if carried && block >= tile.local {
                    delta += memory[at];
                }
            }
            memory[at] = delta * cosine(workspace[angles + place]) * Four::new(omega);
        }
    }
    sync_cube();
}

/// The features of an earlier depth again, from their angles; each invocation those that it computed.
#[cube]
fn restore(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    workspace: &mut [Vector<f32, Const<4>>],
    angles: usize,
    #[comptime] tile: Tile,
) {
    let unit = UNIT_POS as usize;
    let lanes = comptime!(tile.lanes(tile.joined()));
    let groups = comptime!(tile.samples / lanes);
    let block = unit / groups;
    let sample = unit % groups * lanes;
    if block < comptime!(tile.joined()) {
        #[unroll]
        for lane in 0..lanes {
            let place = (sample + lane) * comptime!(tile.joined()) + block;
            memory[place] = sine(workspace[angles + place]);
        }
    }
    if comptime!(tile.global > 0) {
        let lanes = comptime!(tile.lanes(tile.local));
        let groups = comptime!(tile.samples / lanes);
        let block = unit / groups;
        let sample = unit % groups * lanes;
        if block < tile.local {
            #[unroll]
            for lane in 0..lanes {
                let place = (sample + lane) * tile.local + block;
                let angle = workspace[angles + comptime!(tile.samples * tile.joined()) + place];
                memory[comptime!(tile.merged_at()) + place] = sine(angle);
            }
        }
    }
}

/// The global deltas of the depth before, as far as they come through the global layer at `at`, in place.
#[cube]
fn carry_deltas(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    shared: &[Vector<f32, Const<4>>],
    at: usize,
    #[comptime] tile: Tile,
) {
    if comptime!(tile.global > 0) {
        let lanes = comptime!(tile.lanes(tile.joined()));
        let groups = comptime!(tile.samples / lanes);
        let block = UNIT_POS as usize / groups;
        let sample = UNIT_POS as usize % groups * lanes;
        let from = comptime!(tile.deltas() + tile.local);
        let mut sums = Array::<Four>::new(comptime!(lanes * BLOCK));
        if block < tile.global {
            turned_products(
                &mut sums,
                memory,
                from,
                comptime!(tile.joined()),
                sample,
                tile.global,
                shared,
                at,
                tile.global,
                block,
                lanes,
            );
        }
        sync_cube();
        if block < tile.global {
            #[unroll]
            for lane in 0..lanes {
                memory[from + (sample + lane) * comptime!(tile.joined()) + block] = sums_of(&sums, lane);
            }
        }
    }
}
