//! Dense layers and sines over a block, feature-major: `[features][vectors]`.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::eval::sine::{COSINE, INVERSE_PI, PI_HIGH, PI_LOW, PI_MIDDLE, REMAINDER, ROUNDER, SINE};

/// Most outputs that one pass over the inputs computes: with two vectors of samples, twelve sums, two inputs and a
/// weight fill the sixteen registers of AVX2.
const TILE: usize = 6;

/// `output[o][v] = biases[o] + sum over i of input[i][v] * weights[i][o]` for the vectors in `span`.
///
/// `weights` is `[inputs, outputs]` row-major; `input` and `output` have `width` vectors per feature.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a matrix product and where it lies")]
pub(super) fn dense<S: Simd>(
    simd: S,
    weights: &[f32],
    biases: Option<&[f32]>,
    outputs: usize,
    input: &[S::f32s],
    output: &mut [S::f32s],
    width: usize,
    span: Range<usize>,
) {
    let place = Place { weights, biases, outputs, first: 0, width };
    simd.vectorize(Dense { place, input: lanes_of::<S>(input), output: lanes_of_mut::<S>(output), span });
}

/// A call of [`dense`] as a function of its own for each instruction set: inlined at its seven places, the tiles made
/// this crate take minutes to compile.
struct Dense<'a> {
    place: Place<'a>,
    input: &'a [f32],
    output: &'a mut [f32],
    span: Range<usize>,
}

impl WithSimd for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { mut place, input, output, span } = self;
        let (input, _) = S::as_simd_f32s(input);
        let (output, _) = S::as_mut_simd_f32s(output);
        // Tiles of equal size: 14 outputs as 5 + 5 + 4, since a tile of 2 would wait for its own sums.
        let tiles = place.outputs.div_ceil(TILE);
        for tile in 0..tiles {
            let size = place.outputs / tiles + usize::from(tile < place.outputs % tiles);
            match size {
                1 => columns::<S, 1>(simd, &place, input, output, span.clone()),
                2 => columns::<S, 2>(simd, &place, input, output, span.clone()),
                3 => columns::<S, 3>(simd, &place, input, output, span.clone()),
                4 => columns::<S, 4>(simd, &place, input, output, span.clone()),
                5 => columns::<S, 5>(simd, &place, input, output, span.clone()),
                _ => columns::<S, 6>(simd, &place, input, output, span.clone()),
            }
            place.first += size;
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

/// Where a tile of outputs lies.
struct Place<'a> {
    weights: &'a [f32],
    biases: Option<&'a [f32]>,
    outputs: usize,
    first: usize,
    width: usize,
}

#[inline(always)]
fn columns<S: Simd, const O: usize>(
    simd: S,
    place: &Place<'_>,
    input: &[S::f32s],
    output: &mut [S::f32s],
    span: Range<usize>,
) {
    let mut v = span.start;
    if S::F32_LANES == 16 {
        while v + 4 <= span.end {
            tile::<S, O, 4>(simd, place, input, output, v);
            v += 4;
        }
    }
    while v + 2 <= span.end {
        tile::<S, O, 2>(simd, place, input, output, v);
        v += 2;
    }
    while v < span.end {
        tile::<S, O, 1>(simd, place, input, output, v);
        v += 1;
    }
}

#[inline(always)]
fn tile<S: Simd, const O: usize, const C: usize>(
    simd: S,
    place: &Place<'_>,
    input: &[S::f32s],
    output: &mut [S::f32s],
    v: usize,
) {
    let mut sums = [[simd.splat_f32s(0.0); C]; O];
    for (row, weights) in input.chunks_exact(place.width).zip(place.weights.chunks_exact(place.outputs)) {
        let row: &[S::f32s; C] = row[v..v + C].try_into().expect("C vectors");
        let weights: &[f32; O] = weights[place.first..place.first + O].try_into().expect("O weights");
        for o in 0..O {
            let weight = simd.splat_f32s(weights[o]);
            for c in 0..C {
                sums[o][c] = simd.mul_add_e_f32s(row[c], weight, sums[o][c]);
            }
        }
    }
    if let Some(biases) = place.biases {
        // Last, and not where the sums start: sound has coordinates up to 100, and there a fused first product rounds
        // once where PyTorch rounds twice, which moves gradients by 1e-4.
        for (sum, &bias) in sums.iter_mut().zip(&biases[place.first..place.first + O]) {
            for lane in sum {
                *lane = simd.add_f32s(*lane, simd.splat_f32s(bias));
            }
        }
    }
    for (o, sum) in sums.iter().enumerate() {
        output[(place.first + o) * place.width + v..][..C].copy_from_slice(sum);
    }
}

/// `(sin u, cos u)` by the polynomials of [`crate::eval::sine`]; the cosine costs nothing where it is not used.
#[inline(always)]
pub(super) fn sine_cosine<S: Simd>(simd: S, u: S::f32s) -> (S::f32s, S::f32s) {
    let splat = |x: f32| simd.splat_f32s(x);
    let rounder = splat(ROUNDER);
    let q = simd.sub_f32s(simd.mul_add_e_f32s(u, splat(INVERSE_PI), rounder), rounder);
    let r = simd.mul_add_e_f32s(q, splat(-PI_HIGH), u);
    let r = simd.mul_add_e_f32s(q, splat(-PI_MIDDLE), r);
    let r = simd.mul_add_e_f32s(q, splat(-PI_LOW), r);
    let r = simd.min_f32s(simd.max_f32s(r, splat(-REMAINDER)), splat(REMAINDER));
    // q is even or odd: q - 2 round(q / 2) is 0 or +-1, so 1 - 2 odd^2 is the sign. No integer lanes needed.
    let half = simd.sub_f32s(simd.mul_add_e_f32s(q, splat(0.5), rounder), rounder);
    let odd = simd.mul_add_e_f32s(half, splat(-2.0), q);
    let sign = simd.mul_add_e_f32s(simd.mul_f32s(odd, odd), splat(-2.0), splat(1.0));
    let s = simd.mul_f32s(r, r);
    let unit = |x: S::f32s| simd.min_f32s(simd.max_f32s(x, splat(-1.0)), splat(1.0));
    let horner = |coefficients: &[f32]| {
        let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
        rest.iter().rev().fold(splat(*last), |sum, &c| simd.mul_add_e_f32s(sum, s, splat(c)))
    };
    let sine = simd.mul_f32s(r, horner(&SINE));
    let cosine = horner(&COSINE);
    (simd.mul_f32s(unit(sine), sign), simd.mul_f32s(unit(cosine), sign))
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
