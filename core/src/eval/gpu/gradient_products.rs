//! The products of the training kernel: through a layer, back through it, and its gradient.

use cubecl::prelude::*;

use super::gradient_layout::{Tile, UNITS};
use super::kernel::block_product;
use super::layout::BLOCK;

/// Four floats.
type Four = Vector<f32, Const<4>>;

/// The gradient of a layer whose `inputs` blocks of features lie at `from` and whose `outputs` blocks of deltas lie at
/// `deltas`: into the packed layer at `workspace[at..]`, added to what is there where `add`.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
pub(super) fn weight_gradient(
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    #[comptime] from: usize,
    #[comptime] stride: usize,
    #[comptime] inputs: usize,
    #[comptime] deltas: usize,
    #[comptime] delta_stride: usize,
    #[comptime] outputs: usize,
    workspace: &mut [Vector<f32, Const<4>>],
    at: usize,
    add: bool,
    #[comptime] tile: Tile,
) {
    let parts = comptime!(outputs * (inputs + 1));
    #[unroll]
    for round in 0..comptime!(parts.div_ceil(UNITS)) {
        let part = comptime!(round * UNITS) + UNIT_POS as usize;
        if part < parts {
            let output = part / comptime!(inputs + 1);
            let input = part % comptime!(inputs + 1);
            if input < inputs {
                let place = at + output * comptime!(inputs * BLOCK) + input * BLOCK;
                let mut sums = Array::<Four>::new(BLOCK);
                #[unroll]
                for row in 0..BLOCK {
                    sums[row] = Four::new(0.0);
                    if add {
                        sums[row] = workspace[place + row];
                    }
                }
                for sample in 0..tile.samples {
                    let x = memory[from + sample * stride + input];
                    let delta = memory[deltas + sample * delta_stride + output];
                    #[unroll]
                    for row in 0..BLOCK {
                        sums[row] += Four::new(x.extract(row)) * delta;
                    }
                }
                #[unroll]
                for row in 0..BLOCK {
                    workspace[place + row] = sums[row];
                }
            } else {
                let place = at + comptime!(outputs * inputs * BLOCK) + output;
                let mut sum = Four::new(0.0);
                if add {
                    sum = workspace[place];
                }
                for sample in 0..tile.samples {
                    sum += memory[deltas + sample * delta_stride + output];
                }
                workspace[place] = sum;
            }
        }
    }
}

/// Adds to every lane's sum the products of its `inputs` blocks, from `memory[from..]` on, with their rows at
/// `weights[at..]`.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
pub(super) fn products(
    sums: &mut Array<Vector<f32, Const<4>>>,
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    #[comptime] from: usize,
    #[comptime] stride: usize,
    sample: usize,
    #[comptime] inputs: usize,
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
            let x = memory[from + (sample + lane) * stride + block];
            sums[lane] = block_product(sums[lane], x, w0, w1, w2, w3);
        }
    }
}

/// The way back through a layer of `inputs` and `outputs` blocks at `weights[at..]`: for every lane and every one of the
/// four inputs of `block` the products of its weights with the deltas from `memory[from..]` on, still one sum for each
/// place in a block of outputs; [`sums_of`] adds those.
#[cube]
#[expect(clippy::too_many_arguments, reason = "as above")]
pub(super) fn turned_products(
    sums: &mut Array<Vector<f32, Const<4>>>,
    memory: &mut Shared<[Vector<f32, Const<4>>]>,
    #[comptime] from: usize,
    #[comptime] stride: usize,
    sample: usize,
    #[comptime] outputs: usize,
    weights: &[Vector<f32, Const<4>>],
    at: usize,
    #[comptime] inputs: usize,
    block: usize,
    #[comptime] lanes: usize,
) {
    #[unroll]
    for sum in 0..comptime!(lanes * BLOCK) {
        sums[sum] = Four::new(0.0);
    }
    for output in 0..outputs {
        let row = at + output * comptime!(inputs * BLOCK) + block * BLOCK;
        let w0 = weights[row];
        let w1 = weights[row + 1];
        let w2 = weights[row + 2];
        let w3 = weights[row + 3];
        #[unroll]
        for lane in 0..lanes {
            let delta = memory[from + (sample + lane) * stride + output];
            sums[comptime!(lane * BLOCK)] += w0 * delta;
            sums[comptime!(lane * BLOCK + 1)] += w1 * delta;
            sums[comptime!(lane * BLOCK + 2)] += w2 * delta;
            sums[comptime!(lane * BLOCK + 3)] += w3 * delta;
        }
    }
}

/// The four inputs' sums of a lane.
#[cube]
pub(super) fn sums_of(sums: &Array<Vector<f32, Const<4>>>, #[comptime] lane: usize) -> Vector<f32, Const<4>> {
    let mut four = Four::new(0.0);
    #[unroll]
    for row in 0..BLOCK {
        four.insert(row, sum_of(sums[comptime!(lane * BLOCK + row)]));
    }
    four
}

#[cube]
pub(super) fn sum_of(four: Vector<f32, Const<4>>) -> f32 {
    (four.extract(0usize) + four.extract(1usize)) + (four.extract(2usize) + four.extract(3usize))
}
