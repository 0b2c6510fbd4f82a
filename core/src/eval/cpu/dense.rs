//! Dense layers and sines over a block, feature-major: `[features][vectors]`.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::eval::sine::{COSINE, INVERSE_PI, PI_HIGH, PI_LOW, PI_MIDDLE, REMAINDER, ROUNDER, SINE};

/// Most outputs that one pass over the inputs computes: with two vectors of samples, twelve sums, two inputs and a
/// weight fill the sixteen registers of AVX2; with four, AVX-512's thirty-two.
const TILE: usize = 6;
/// Most inputs that one pass visits: a block of so many features fits the first-level cache, and is read once per tile.
const DEPTH: usize = 128;

/// `total` cut into as few parts of at most `most` as possible, of sizes that differ by one at most.
pub(super) fn parts(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = total.div_ceil(most);
    let mut start = 0;
    (0..count).map(move |part| {
        let end = start + total / count + usize::from(part < total % count);
        std::mem::replace(&mut start, end)..end
    })
}

/// The weights of a product: `[inputs, outputs]`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weights<'a> {
    /// Row-major.
    Rows(&'a [f32]),
    /// Tile by tile, each `[inputs, outputs of the tile]`, as [`pack`] lays them out: the strides of a wide row would
    /// cost a cache line for every few weights.
    Tiles(&'a [f32]),
}

/// Lays row-major weights out as [`Weights::Tiles`].
pub(super) fn pack(weights: &[f32], outputs: usize) -> Vec<f32> {
    parts(outputs, TILE)
        .flat_map(|tile| weights.chunks_exact(outputs).flat_map(move |row| &row[tile.clone()]))
        .copied()
        .collect()
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addend<'a> {
    /// One number per output, added last: sound has coordinates up to 100, and there a fused first product rounds once
    /// where PyTorch rounds twice, which moves gradients by 1e-4.
    Biases(&'a [f32]),
    /// Nothing.
    Nothing,
    /// What `output` holds already, then one number per output.
    OutputAndBiases(&'a [f32]),
}

/// `output[o][v] = addend + sum over i of input[i][v] * weights[i][o]` for the vectors in `span`.
///
/// `input` and `output` have `width` vectors per feature.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a matrix product and where it lies")]
pub(super) fn dense<S: Simd>(
    simd: S,
    weights: Weights<'_>,
    addend: Addend<'_>,
    outputs: usize,
    input: &[S::f32s],
    output: &mut [S::f32s],
    width: usize,
    span: Range<usize>,
) {
    let (input, output) = (lanes_of::<S>(input), lanes_of_mut::<S>(output));
    simd.vectorize(Dense { weights, addend, outputs, input, output, width, span });
}

/// A call of [`dense`] as a function of its own for each instruction set: inlined at its places, the tiles made this
/// crate take minutes to compile.
struct Dense<'a> {
    weights: Weights<'a>,
    addend: Addend<'a>,
    outputs: usize,
    input: &'a [f32],
    output: &'a mut [f32],
    width: usize,
    span: Range<usize>,
}

impl WithSimd for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, addend, outputs, input, output, width, span } = self;
        let (input, _) = S::as_simd_f32s(input);
        let (output, _) = S::as_mut_simd_f32s(output);
        let inputs = match weights {
            Weights::Rows(w) | Weights::Tiles(w) => w.len() / outputs,
        };
        for depth in parts(inputs, DEPTH) {
            let biases = match addend {
                Addend::Biases(b) | Addend::OutputAndBiases(b) if depth.end == inputs => Some(b),
                _ => None,
            };
            let adds = depth.start > 0 || matches!(addend, Addend::OutputAndBiases(_));
            let input = &input[depth.start * width..depth.end * width];
            // Tiles of equal size: 14 outputs as 5 + 5 + 4, since a tile of 2 would wait for its own sums.
            for tile in parts(outputs, TILE) {
                let (weights, stride) = match weights {
                    Weights::Rows(w) => (&w[depth.start * outputs + tile.start..], outputs),
                    Weights::Tiles(w) => (&w[tile.start * inputs + depth.start * tile.len()..], tile.len()),
                };
                let biases = biases.map(|b| &b[tile.clone()]);
                let output = &mut output[tile.start * width..tile.end * width];
                let product = Product { weights, stride, biases, adds, width };
                match tile.len() {
                    1 => product.columns::<S, 1>(simd, input, output, span.clone()),
                    2 => product.columns::<S, 2>(simd, input, output, span.clone()),
                    3 => product.columns::<S, 3>(simd, input, output, span.clone()),
                    4 => product.columns::<S, 4>(simd, input, output, span.clone()),
                    5 => product.columns::<S, 5>(simd, input, output, span.clone()),
                    _ => product.columns::<S, 6>(simd, input, output, span.clone()),
                }
            }
        }
    }
}

/// A row of vectors as its floats.
pub(super) fn lanes_of_mut<S: Simd>(vectors: &mut [S::f32s]) -> &mut [f32] {
    pulp::bytemuck::cast_slice_mut(vectors)
}

/// A row of vectors as its floats.
pub(super) fn lanes_of<S: Simd>(vectors: &[S::f32s]) -> &[f32] {
    pulp::bytemuck::cast_slice(vectors)
}

/// One tile of a product: weights from its first input and output on, `stride` floats per input.
struct Product<'a> {
    weights: &'a [f32],
    stride: usize,
    biases: Option<&'a [f32]>,
    adds: bool,
    width: usize,
}

impl Product<'_> {
    #[inline(always)]
    fn columns<S: Simd, const O: usize>(&self, simd: S, input: &[S::f32s], output: &mut [S::f32s], span: Range<usize>) {
        let mut v = span.start;
        if S::F32_LANES == 16 {
            while v + 4 <= span.end {
                self.tile::<S, O, 4>(simd, input, output, v);
                v += 4;
            }
        }
        while v + 2 <= span.end {
            self.tile::<S, O, 2>(simd, input, output, v);
            v += 2;
        }
        while v < span.end {
            self.tile::<S, O, 1>(simd, input, output, v);
            v += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const O: usize, const C: usize>(
        &self,
        simd: S,
        input: &[S::f32s],
        output: &mut [S::f32s],
        v: usize,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); C]; O];
        if self.adds {
            for (sum, row) in sums.iter_mut().zip(output.chunks_exact(self.width)) {
                sum.copy_from_slice(&row[v..v + C]);
            }
        }
        let rows = input[v..].chunks(self.width);
        if self.stride == O {
            // Packed: the compiler knows the stride, and in browsers a loop without that check is faster.
            let (weights, _) = self.weights.as_chunks::<O>();
            for (row, weights) in rows.zip(weights) {
                add_products(simd, &mut sums, row, weights);
            }
        } else {
            for (row, weights) in rows.zip(self.weights.chunks(self.stride)) {
                add_products(simd, &mut sums, row, weights[..O].try_into().expect("O weights"));
            }
        }
        if let Some(biases) = self.biases {
            for (sum, &bias) in sums.iter_mut().zip(biases) {
                for lane in sum {
                    *lane = simd.add_f32s(*lane, simd.splat_f32s(bias));
                }
            }
        }
        for (sum, row) in sums.iter().zip(output.chunks_exact_mut(self.width)) {
            row[v..v + C].copy_from_slice(sum);
        }
    }
}

/// `sums[o][c] += row[c] * weights[o]`.
#[inline(always)]
fn add_products<S: Simd, const O: usize, const C: usize>(
    simd: S,
    sums: &mut [[S::f32s; C]; O],
    row: &[S::f32s],
    weights: &[f32; O],
) {
    let row: &[S::f32s; C] = row[..C].try_into().expect("C vectors");
    for o in 0..O {
        let weight = simd.splat_f32s(weights[o]);
        for c in 0..C {
            sums[o][c] = simd.mul_add_e_f32s(row[c], weight, sums[o][c]);
        }
    }
}

/// `(sin u, cos u)` by the polynomials of [`crate::eval::sine`]; the cosine costs nothing where it is not used.
#[inline(always)]
pub(super) fn sine_cosine<S: Simd>(simd: S, u: S::f32s) -> (S::f32s, S::f32s) {
    let splat = |x: f32| simd.splat_f32s(x);
    let rounder = splat(ROUNDER);
    let shifted = simd.mul_add_e_f32s(u, splat(INVERSE_PI), rounder);
    let q = simd.sub_f32s(shifted, rounder);
    let r = simd.mul_add_e_f32s(q, splat(-PI_HIGH), u);
    let r = simd.mul_add_e_f32s(q, splat(-PI_MIDDLE), r);
    let r = simd.mul_add_e_f32s(q, splat(-PI_LOW), r);
    // A comparison and not a clamp, since browsers spend four instructions on a minimum that agrees on NaN. Twenty times
    // the margin of the scalar sine: where it clamps, this still follows the curve, up to arguments of some millions.
    let near = simd.less_than_or_equal_f32s(simd.abs_f32s(r), splat(1.25 * REMAINDER));
    let r = simd.select_f32s(near, r, splat(0.0));
    // The parity of q is the lowest bit of `shifted`; as the highest one it is a float's sign.
    let sign = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(31));
    let signed = |x: S::f32s| simd.transmute_f32s_u32s(simd.xor_u32s(simd.transmute_u32s_f32s(x), sign));
    let s = simd.mul_f32s(r, r);
    let horner = |coefficients: &[f32]| {
        let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
        rest.iter().rev().fold(splat(*last), |sum, &c| simd.mul_add_e_f32s(sum, s, splat(c)))
    };
    (simd.mul_f32s(signed(r), horner(&SINE)), signed(horner(&COSINE)))
}

/// Replaces every `u` by `sin(omega u)`.
#[inline(always)]
pub(super) fn sines<S: Simd>(simd: S, values: &mut [S::f32s], omega: f32) {
    let omega = simd.splat_f32s(omega);
    for value in values {
        *value = sine_cosine(simd, simd.mul_f32s(omega, *value)).0;
    }
}

/// Replaces every `u` by `sin(omega u)` and writes the derivative, `omega cos(omega u)`, into `slopes`.
#[inline(always)]
pub(super) fn sines_and_slopes<S: Simd>(simd: S, values: &mut [S::f32s], slopes: &mut [S::f32s], omega: f32) {
    let omega = simd.splat_f32s(omega);
    for (value, slope) in values.iter_mut().zip(slopes) {
        let (sine, cosine) = sine_cosine(simd, simd.mul_f32s(omega, *value));
        *value = sine;
        *slope = simd.mul_f32s(omega, cosine);
    }
}

/// Replaces every `u` by `max(u, leak u)`.
#[inline(always)]
pub(super) fn rectified<S: Simd>(simd: S, values: &mut [S::f32s], leak: f32) {
    let leak = simd.splat_f32s(leak);
    for value in values {
        *value = simd.max_f32s(*value, simd.mul_f32s(leak, *value));
    }
}

/// Replaces every `u` by `max(u, leak u)` and writes the derivative, `leak` or 1, into `slopes`.
#[inline(always)]
pub(super) fn rectified_and_slopes<S: Simd>(simd: S, values: &mut [S::f32s], slopes: &mut [S::f32s], leak: f32) {
    let (zero, one, leak) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0), simd.splat_f32s(leak));
    for (value, slope) in values.iter_mut().zip(slopes) {
        *slope = simd.select_f32s(simd.greater_than_f32s(*value, zero), one, leak);
        *value = simd.max_f32s(*value, simd.mul_f32s(leak, *value));
    }
}
