//! The fused decoder as a CubeCL kernel: one invocation evaluates all networks of one sample.
//!
//! Activations live in function-local arrays, weights are read as vectors that neighbouring invocations share. No
//! subgroup operations (browsers do not grant them), no workgroup memory, seven bindings with the scalars, so it runs
//! wherever WebGPU does. The scalar twin in `twin.rs` walks the same arrays in the same order.
//!
//! Only CubeCL's names here: the framework's clash with them.

use cubecl::prelude::*;

use super::layout::{ABSENT_MARK, BLOCK, NO_SLOT, layer_vectors};
use crate::eval::sine::{INVERSE_PI, PI_HIGH, PI_LOW, PI_MIDDLE, REMAINDER, SINE};

const SINE_1: f32 = SINE[1];
const SINE_2: f32 = SINE[2];
const SINE_3: f32 = SINE[3];
const SINE_4: f32 = SINE[4];

/// Four floats.
type Four = Vector<f32, Const<4>>;

/// Sizes that the compiled kernel is specialised for, in blocks of four (channels: single).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    pub(super) local: usize,
    pub(super) global: usize,
    pub(super) channels: usize,
}

/// Evaluates the samples `first..first + samples` of a view into `output` `[samples, channels]`.
///
/// `coordinates` and `owners` hold the tables of four axes of `extents` positions each, `slots` the slot of every
/// partition, `shared` and `local` packed layers (see `layout.rs`), `local_stride` the vectors of one local network.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "the arguments of a kernel are its bindings")]
pub(super) fn decode_samples(
    coordinates: &[f32],
    owners: &[i32],
    slots: &[i32],
    shared: &[Vector<f32, Const<4>>],
    local: &[Vector<f32, Const<4>>],
    output: &mut [f32],
    first: u32,
    samples: u32,
    extent0: u32,
    extent1: u32,
    extent2: u32,
    extent3: u32,
    local_stride: u32,
    hidden_layers: u32,
    first_omega: f32,
    hidden_omega: f32,
    #[comptime] sizes: Sizes,
) {
    let index = ABSOLUTE_POS as u32;
    if index >= samples {
        terminate!();
    }

    let mut rest = first + index;
    let place3 = rest % extent3;
    rest /= extent3;
    let place2 = rest % extent2;
    rest /= extent2;
    let place1 = rest % extent1;
    let place0 = rest / extent1;
    let at0 = place0 as usize;
    let at1 = (extent0 + place1) as usize;
    let at2 = (extent0 + extent1 + place2) as usize;
    let at3 = (extent0 + extent1 + extent2 + place3) as usize;

    let partition = owners[at0] + owners[at1] + owners[at2] + owners[at3];
    let slot = slots[partition as usize];
    let out = (index as usize) * sizes.channels;
    if slot == NO_SLOT {
        for channel in 0..sizes.channels {
            output[out + channel] = ABSENT_MARK;
        }
        terminate!();
    }

    let mut position = Four::new(0.0);
    position.insert(0usize, coordinates[at0]);
    position.insert(1usize, coordinates[at1]);
    position.insert(2usize, coordinates[at2]);
    position.insert(3usize, coordinates[at3]);

    let mut features = Array::<Four>::new(sizes.local);
    let mut next = Array::<Four>::new(sizes.local);
    features[0] = position;

    let mut at = (slot as u32 * local_stride) as usize;
    if comptime!(sizes.global == 0) {
        sine_layer(&features, 1usize, local, at, &mut next, sizes.local, first_omega);
        at += comptime!(layer_vectors(1, sizes.local));
        for block in 0..sizes.local {
            features[block] = next[block];
        }
        for _ in 0..hidden_layers {
            sine_layer(&features, sizes.local, local, at, &mut next, sizes.local, hidden_omega);
            at += comptime!(layer_vectors(sizes.local, sizes.local));
            for block in 0..sizes.local {
                features[block] = next[block];
            }
        }
    } else {
        let mut global = Array::<Four>::new(sizes.global);
        let mut next_global = Array::<Four>::new(sizes.global);
        global[0] = position;
        let mut shared_at = 0usize;
        let merge_at = comptime!(layer_vectors(1, sizes.global))
            + hidden_layers as usize * comptime!(layer_vectors(sizes.global, sizes.global));

        sine_layer(&features, 1usize, local, at, &mut next, sizes.local, first_omega);
        sine_layer(&global, 1usize, shared, shared_at, &mut next_global, sizes.global, first_omega);
        merge_layer(&next, &next_global, shared, merge_at, &mut features, sizes, hidden_omega);
        at += comptime!(layer_vectors(1, sizes.local));
        shared_at += comptime!(layer_vectors(1, sizes.global));
        for _ in 0..hidden_layers {
            for block in 0..sizes.global {
                global[block] = next_global[block];
            }
            sine_layer(&features, sizes.local, local, at, &mut next, sizes.local, hidden_omega);
            sine_layer(&global, sizes.global, shared, shared_at, &mut next_global, sizes.global, hidden_omega);
            merge_layer(&next, &next_global, shared, merge_at, &mut features, sizes, hidden_omega);
            at += comptime!(layer_vectors(sizes.local, sizes.local));
            shared_at += comptime!(layer_vectors(sizes.global, sizes.global));
        }
    }

    let channel_blocks = comptime!(sizes.channels.div_ceil(BLOCK));
    #[unroll]
    for block in 0..channel_blocks {
        let value = dense(&features, sizes.local, local, at, block, channel_blocks);
        #[unroll]
        for lane in 0..comptime!((sizes.channels - block * BLOCK).min(BLOCK)) {
            output[out + comptime!(block * BLOCK + lane)] = value.extract(lane);
        }
    }
}

/// `output = sin(omega (input W + b))` for the packed layer at `weights[at..]`.
#[cube]
fn sine_layer(
    input: &Array<Vector<f32, Const<4>>>,
    #[comptime] inputs: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    output: &mut Array<Vector<f32, Const<4>>>,
    #[comptime] outputs: usize,
    omega: f32,
) {
    for block in 0..outputs {
        output[block] = sine(dense(input, inputs, weights, at, block, outputs) * Four::new(omega));
    }
}

/// The merge layer: local features, then global ones, to local features.
#[cube]
fn merge_layer(
    local: &Array<Vector<f32, Const<4>>>,
    global: &Array<Vector<f32, Const<4>>>,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    output: &mut Array<Vector<f32, Const<4>>>,
    #[comptime] sizes: Sizes,
    omega: f32,
) {
    let run = comptime!((sizes.local + sizes.global) * BLOCK);
    for block in 0..sizes.local {
        let start = at + block * run;
        let bias = weights[at + comptime!(sizes.local * run) + block];
        let sum = products(bias, local, sizes.local, weights, start);
        let sum = products(sum, global, sizes.global, weights, start + comptime!(sizes.local * BLOCK));
        output[block] = sine(sum * Four::new(omega));
    }
}

/// One output block of a packed layer, without its sine.
#[cube]
fn dense(
    input: &Array<Vector<f32, Const<4>>>,
    #[comptime] inputs: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    block: usize,
    #[comptime] outputs: usize,
) -> Vector<f32, Const<4>> {
    let run = comptime!(inputs * BLOCK);
    let bias = weights[at + comptime!(outputs * run) + block];
    products(bias, input, inputs, weights, at + block * run)
}

/// `sum` plus the products of `inputs` blocks with their rows at `weights[at..]`.
#[cube]
fn products(
    sum: Vector<f32, Const<4>>,
    input: &Array<Vector<f32, Const<4>>>,
    #[comptime] inputs: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
) -> Vector<f32, Const<4>> {
    let mut total = sum;
    for block in 0..inputs {
        let x = input[block];
        let row = at + block * BLOCK;
        total += Four::new(x.extract(0usize)) * weights[row];
        total += Four::new(x.extract(1usize)) * weights[row + 1];
        total += Four::new(x.extract(2usize)) * weights[row + 2];
        total += Four::new(x.extract(3usize)) * weights[row + 3];
    }
    total
}

/// The sine of `eval::sine`. Rounds with the device's `round`, since shader compilers may cancel the addition and
/// subtraction of a large number that the CPU uses.
#[cube]
fn sine(x: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
    let q = (x * Four::new(INVERSE_PI)).round();
    let r = ((x - q * Four::new(PI_HIGH)) - q * Four::new(PI_MIDDLE)) - q * Four::new(PI_LOW);
    let r = clamp(r, Four::new(-REMAINDER), Four::new(REMAINDER));
    let s = r * r;
    let series = ((Four::new(SINE_4) * s + Four::new(SINE_3)) * s + Four::new(SINE_2)) * s + Four::new(SINE_1);
    let value = clamp(r * (series * s + Four::new(1.0)), Four::new(-1.0), Four::new(1.0));
    // 1 for an even q, -1 for an odd one.
    let half = q * Four::new(0.5);
    value * (Four::new(4.0) * (half.floor() - half) + Four::new(1.0))
}
