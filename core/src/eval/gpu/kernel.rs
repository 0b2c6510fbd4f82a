//! The fused decoder as a CubeCL kernel: one invocation evaluates all networks of a few neighbouring samples.
//!
//! Activations live in function-local arrays. The samples of an invocation (its *lanes*) lie side by side in one
//! partition, so every weight is read once for all of them: on measured devices reading weights, not arithmetic, is
//! what takes the time. No subgroup operations (browsers do not grant them), no workgroup memory, seven bindings with
//! the scalars, so it runs wherever WebGPU does. The scalar twin in `twin.rs` walks the same arrays in the same order.
//!
//! Only CubeCL's names here: the framework's clash with them.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts on the device, of indices that the tables keep below 2^31 and above 0"
)]

use cubecl::prelude::*;

use super::layout::{ABSENT_MARK, BLOCK, NO_SLOT, layer_vectors};
use crate::eval::sine::{COSINE, INVERSE_PI, PI_HIGH, PI_LOW, PI_MIDDLE, REMAINDER, SINE};

const COSINE_1: f32 = COSINE[1];
const COSINE_2: f32 = COSINE[2];
const COSINE_3: f32 = COSINE[3];
const COSINE_4: f32 = COSINE[4];
const COSINE_5: f32 = COSINE[5];
const SINE_1: f32 = SINE[1];
const SINE_2: f32 = SINE[2];
const SINE_3: f32 = SINE[3];
const SINE_4: f32 = SINE[4];

/// Four floats.
type Four = Vector<f32, Const<4>>;

/// Sizes that the compiled kernel is specialised for, networks in blocks of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    pub(super) local: usize,
    pub(super) global: usize,
    pub(super) channels: usize,
    pub(super) lanes: usize,
    pub(super) form: Form,
}

/// What a decode writes, in words of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// The bits of the samples' floats `[samples, channels]`.
    Samples,
    /// A pixel of straight RGBA8 per sample, red in the lowest byte; for 1 to 4 channels, the last one of which is
    /// opacity where `alpha`.
    Pixels { alpha: bool },
}

impl Form {
    /// Words of a sample.
    pub(super) fn words(self, channels: usize) -> usize {
        if self == Self::Samples { channels } else { 1 }
    }
}

/// Evaluates `invocations` groups of samples, from group `first` of the view on, into `output`, which begins with sample
/// `first_sample` of the view and holds words of the form that `sizes` names.
///
/// `coordinates` and `places` are the tables of a view, whose axes have `extents` positions (the last one groups of
/// positions, `columns` positions in all), `slots` the slot of every partition, `shared` and `local` packed layers,
/// `local_stride` the vectors of one local network. See `layout.rs`.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "the arguments of a kernel are its bindings")]
pub(super) fn decode_samples(
    coordinates: &[f32],
    places: &[i32],
    slots: &[i32],
    shared: &[Vector<f32, Const<4>>],
    local: &[Vector<f32, Const<4>>],
    output: &mut [u32],
    first: u32,
    invocations: u32,
    first_sample: u32,
    extent0: u32,
    extent1: u32,
    extent2: u32,
    groups: u32,
    columns: u32,
    local_stride: u32,
    hidden_layers: u32,
    first_omega: f32,
    hidden_omega: f32,
    #[comptime] sizes: Sizes,
) {
    let lanes = comptime!(sizes.lanes);
    let index = ABSOLUTE_POS as u32;
    if index >= invocations {
        terminate!();
    }

    let group = (first + index) % groups;
    let row = (first + index) / groups;
    let place2 = row % extent2;
    let rest = row / extent2;
    let at0 = (rest / extent1) as usize;
    let at1 = (extent0 + rest % extent1) as usize;
    let at2 = (extent0 + extent1 + place2) as usize;
    let lead = extent0 + extent1 + extent2;
    let start = places[(lead + groups + group) as usize] as u32;
    let end = places[(lead + groups + group + 1) as usize] as u32;

    let partition = places[at0] + places[at1] + places[at2] + places[(lead + group) as usize];
    let slot = slots[partition as usize];
    let words = comptime!(sizes.form.words(sizes.channels));
    let out = (row * columns + start - first_sample) as usize * words;
    if slot == NO_SLOT {
        for value in 0..(end - start) as usize * words {
            output[out + value] = comptime!(if sizes.form == Form::Samples { ABSENT_MARK.to_bits() } else { 0 });
        }
        terminate!();
    }

    let mut features = Array::<Four>::new(comptime!(lanes * sizes.local));
    let mut next = Array::<Four>::new(comptime!(lanes * sizes.local));
    let mut sums = Array::<Four>::new(lanes);
    let mut at = (slot as u32 * local_stride) as usize;

    if comptime!(sizes.global == 0) {
        #[unroll]
        for lane in 0..lanes {
            let column = min(start + lane as u32, end - 1);
            features[comptime!(lane * sizes.local)] = position(coordinates, at0, at1, at2, (lead + column) as usize);
        }
        sine_layer(&features, 1usize, sizes.local, local, at, &mut sums, &mut next, sizes.local, first_omega, lanes);
        at += comptime!(layer_vectors(1, sizes.local));
        copy(&next, &mut features, comptime!(lanes * sizes.local));
        for _ in 0..hidden_layers {
            sine_layer(
                &features,
                sizes.local,
                sizes.local,
                local,
                at,
                &mut sums,
                &mut next,
                sizes.local,
                hidden_omega,
                lanes,
            );
            at += comptime!(layer_vectors(sizes.local, sizes.local));
            copy(&next, &mut features, comptime!(lanes * sizes.local));
        }
    } else {
        let mut global = Array::<Four>::new(comptime!(lanes * sizes.global));
        let mut next_global = Array::<Four>::new(comptime!(lanes * sizes.global));
        #[unroll]
        for lane in 0..lanes {
            let column = min(start + lane as u32, end - 1);
            let position = position(coordinates, at0, at1, at2, (lead + column) as usize);
            features[comptime!(lane * sizes.local)] = position;
            global[comptime!(lane * sizes.global)] = position;
        }
        let mut shared_at = 0usize;
        let merge_at = comptime!(layer_vectors(1, sizes.global))
            + hidden_layers as usize * comptime!(layer_vectors(sizes.global, sizes.global));

        sine_layer(&features, 1usize, sizes.local, local, at, &mut sums, &mut next, sizes.local, first_omega, lanes);
        sine_layer(
            &global,
            1usize,
            sizes.global,
            shared,
            shared_at,
            &mut sums,
            &mut next_global,
            sizes.global,
            first_omega,
            lanes,
        );
        merge_layer(&next, &next_global, shared, merge_at, &mut sums, &mut features, sizes, hidden_omega);
        at += comptime!(layer_vectors(1, sizes.local));
        shared_at += comptime!(layer_vectors(1, sizes.global));
        for _ in 0..hidden_layers {
            copy(&next_global, &mut global, comptime!(lanes * sizes.global));
            sine_layer(
                &features,
                sizes.local,
                sizes.local,
                local,
                at,
                &mut sums,
                &mut next,
                sizes.local,
                hidden_omega,
                lanes,
            );
            sine_layer(
                &global,
                sizes.global,
                sizes.global,
                shared,
                shared_at,
                &mut sums,
                &mut next_global,
                sizes.global,
                hidden_omega,
                lanes,
            );
            merge_layer(&next, &next_global, shared, merge_at, &mut sums, &mut features, sizes, hidden_omega);
            at += comptime!(layer_vectors(sizes.local, sizes.local));
            shared_at += comptime!(layer_vectors(sizes.global, sizes.global));
        }
    }

    let blocks = comptime!(sizes.channels.div_ceil(BLOCK));
    let run = comptime!(sizes.local * BLOCK);
    #[unroll]
    for block in 0..blocks {
        begin(&mut sums, local[at + comptime!(blocks * run + block)], lanes);
        products(&mut sums, &features, sizes.local, sizes.local, local, at + comptime!(block * run), lanes);
        #[unroll]
        for lane in 0..lanes {
            if start + (lane as u32) < end {
                let value = sums[lane];
                if comptime!(sizes.form == Form::Samples) {
                    #[unroll]
                    for part in 0..comptime!((sizes.channels - block * BLOCK).min(BLOCK)) {
                        output[out + comptime!(lane * sizes.channels + block * BLOCK + part)] =
                            u32::reinterpret(value.extract(part));
                    }
                } else if comptime!(block == 0) {
                    output[out + lane] = pixel(value, sizes);
                }
            }
        }
    }
}

/// A sample of up to four channels as straight RGBA8: grey spreads over the colours.
#[cube]
fn pixel(value: Vector<f32, Const<4>>, #[comptime] sizes: Sizes) -> u32 {
    let channels = comptime!(sizes.channels);
    let opaque = comptime!(sizes.form != Form::Pixels { alpha: true } || channels == 1);
    let colours = comptime!(if opaque { channels } else { channels - 1 });
    let code = (clamp(value * Four::new(0.5) + Four::new(0.5), Four::new(0.0), Four::new(1.0)) * Four::new(255.0)
        + Four::new(0.5))
    .floor();
    let red = code_of(code, 0usize);
    let green = code_of(code, comptime!(if colours < 3 { 0usize } else { 1usize }));
    let blue = code_of(code, comptime!(if colours < 3 { 0usize } else { 2usize }));
    let mut opacity = 255u32;
    if comptime!(!opaque) {
        opacity = code_of(code, comptime!(channels - 1));
    }
    red | (green << 8) | (blue << 16) | (opacity << 24)
}

#[cube]
fn code_of(code: Vector<f32, Const<4>>, #[comptime] channel: usize) -> u32 {
    u32::cast_from(code.extract(channel))
}

/// The coordinates of one sample, whose places in the table are given.
#[cube]
fn position(coordinates: &[f32], at0: usize, at1: usize, at2: usize, at3: usize) -> Vector<f32, Const<4>> {
    let mut position = Four::new(0.0);
    position.insert(0usize, coordinates[at0]);
    position.insert(1usize, coordinates[at1]);
    position.insert(2usize, coordinates[at2]);
    position.insert(3usize, coordinates[at3]);
    position
}

#[cube]
fn copy(from: &Array<Vector<f32, Const<4>>>, to: &mut Array<Vector<f32, Const<4>>>, #[comptime] length: usize) {
    for index in 0..length {
        to[index] = from[index];
    }
}

/// `output = sin(omega (input W + b))` for the packed layer at `weights[at..]`; a lane of `input` is `stride` blocks.
#[cube]
#[expect(clippy::too_many_arguments, reason = "a kernel's functions are inlined, a struct would only be taken apart")]
fn sine_layer(
    input: &Array<Vector<f32, Const<4>>>,
    #[comptime] inputs: usize,
    #[comptime] stride: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    sums: &mut Array<Vector<f32, Const<4>>>,
    output: &mut Array<Vector<f32, Const<4>>>,
    #[comptime] outputs: usize,
    omega: f32,
    #[comptime] lanes: usize,
) {
    let run = comptime!(inputs * BLOCK);
    for block in 0..outputs {
        begin(sums, weights[at + comptime!(outputs * run) + block], lanes);
        products(sums, input, inputs, stride, weights, at + block * run, lanes);
        #[unroll]
        for lane in 0..lanes {
            output[comptime!(lane * outputs) + block] = sine(sums[lane] * Four::new(omega));
        }
    }
}

/// The merge layer: local features, then global ones, to local features.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
fn merge_layer(
    local: &Array<Vector<f32, Const<4>>>,
    global: &Array<Vector<f32, Const<4>>>,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    sums: &mut Array<Vector<f32, Const<4>>>,
    output: &mut Array<Vector<f32, Const<4>>>,
    #[comptime] sizes: Sizes,
    omega: f32,
) {
    let lanes = comptime!(sizes.lanes);
    let run = comptime!((sizes.local + sizes.global) * BLOCK);
    for block in 0..sizes.local {
        let start = at + block * run;
        begin(sums, weights[at + comptime!(sizes.local * run) + block], lanes);
        products(sums, local, sizes.local, sizes.local, weights, start, lanes);
        let start = start + comptime!(sizes.local * BLOCK);
        products(sums, global, sizes.global, sizes.global, weights, start, lanes);
        #[unroll]
        for lane in 0..lanes {
            output[comptime!(lane * sizes.local) + block] = sine(sums[lane] * Four::new(omega));
        }
    }
}

/// Every lane's sum is the bias.
#[cube]
pub(super) fn begin(sums: &mut Array<Vector<f32, Const<4>>>, bias: Vector<f32, Const<4>>, #[comptime] lanes: usize) {
    #[unroll]
    for lane in 0..lanes {
        sums[lane] = bias;
    }
}

/// Adds to every lane's sum the products of its `inputs` blocks with their rows at `weights[at..]`.
#[cube]
fn products(
    sums: &mut Array<Vector<f32, Const<4>>>,
    input: &Array<Vector<f32, Const<4>>>,
    #[comptime] inputs: usize,
    #[comptime] stride: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    #[comptime] lanes: usize,
) {
    for block in 0..inputs {
        let row = at + block * BLOCK;
        let w0 = weights[row];
        let w1 = weights[row + 1];
        let w2 = weights[row + 2];
        let w3 = weights[row + 3];
        #[unroll]
        for lane in 0..lanes {
            let x = input[comptime!(lane * stride) + block];
            sums[lane] = block_product(sums[lane], x, w0, w1, w2, w3);
        }
    }
}

/// `sum` and the products of a block's four values with their rows.
#[cube]
pub(super) fn block_product(
    sum: Vector<f32, Const<4>>,
    x: Vector<f32, Const<4>>,
    w0: Vector<f32, Const<4>>,
    w1: Vector<f32, Const<4>>,
    w2: Vector<f32, Const<4>>,
    w3: Vector<f32, Const<4>>,
) -> Vector<f32, Const<4>> {
    let sum = sum + Four::new(x.extract(0usize)) * w0;
    let sum = sum + Four::new(x.extract(1usize)) * w1;
    let sum = sum + Four::new(x.extract(2usize)) * w2;
    sum + Four::new(x.extract(3usize)) * w3
}

/// The sine of `eval::sine`. Rounds with the device's `round`, since shader compilers may cancel the addition and
/// subtraction of a large number that the CPU uses.
#[cube]
pub(super) fn sine(x: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
    let q = (x * Four::new(INVERSE_PI)).round();
    let r = remainder(x, q);
    let s = r * r;
    let series = ((Four::new(SINE_4) * s + Four::new(SINE_3)) * s + Four::new(SINE_2)) * s + Four::new(SINE_1);
    let value = clamp(r * (series * s + Four::new(1.0)), Four::new(-1.0), Four::new(1.0));
    value * sign(q)
}

/// The cosine of `eval::sine`.
#[cube]
pub(super) fn cosine(x: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
    let q = (x * Four::new(INVERSE_PI)).round();
    let r = remainder(x, q);
    let s = r * r;
    let series = ((Four::new(COSINE_5) * s + Four::new(COSINE_4)) * s + Four::new(COSINE_3)) * s + Four::new(COSINE_2);
    let value = clamp((series * s + Four::new(COSINE_1)) * s + Four::new(1.0), Four::new(-1.0), Four::new(1.0));
    value * sign(q)
}

#[cube]
fn remainder(x: Vector<f32, Const<4>>, q: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
    let r = ((x - q * Four::new(PI_HIGH)) - q * Four::new(PI_MIDDLE)) - q * Four::new(PI_LOW);
    clamp(r, Four::new(-REMAINDER), Four::new(REMAINDER))
}

/// 1 for an even q, -1 for an odd one.
#[cube]
fn sign(q: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
    let half = q * Four::new(0.5);
    Four::new(4.0) * (half.floor() - half) + Four::new(1.0)
}
