//! SOAP on many tiny networks: Adam in the eigenbasis of each layer's gradients.
//!
//! Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam" (arXiv 2409.11321). A layer's weights and biases
//! are one matrix `[inputs + 1, outputs]` with gradient G; `L` and `R` are running means of `G G'` and `G' G`, and
//! Adam's second moment is kept in the basis of their eigenvectors. For a large network the eigenvectors are what makes
//! it dear; for matrices of 15x14 all of it costs less than a tenth of a step on a partition of 32x32 samples, and it
//! needs half the steps (`docs/benchmarks.md`).
//!
//! The eigenvectors follow by one step of orthogonal iteration every few steps. Networks do not know of each other, so
//! threads share them out, with the same result for any number of threads.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};
use tessera_core::field;

use crate::vectorised::vectorised;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.95;
/// Of the running means of `G G'` and `G' G`.
const FACTOR_BETA: f32 = 0.95;
const EPSILON: f32 = 1e-10;
/// In rates. A basis that turns meets second moments of another direction, and where these are those of a direction
/// without gradient, the quotient knows no bounds; Adam's own stays near one.
const LARGEST_MOVE: f32 = 2.0;
/// Steps between two steps of orthogonal iteration.
const INTERVAL: u64 = 5;
/// Widest matrix that gets a basis: the work grows with the cube. Wider layers are moved by Adam alone.
const WIDEST: usize = 80;
/// Steps of orthogonal iteration at the start, from the axes.
const FIRST_ITERATIONS: usize = 8;

/// Rates of layers over that of the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of the last layer.
    pub last: f32,
    /// Of those that are too wide for a basis.
    pub wide: f32,
}

/// The optimiser of a group of networks.
#[derive(Debug, Clone, PartialEq)]
pub struct Soap {
    layers: Vec<Layer>,
    network: usize,
    rates: Rates,
    /// Floats of one network's state.
    stride: usize,
    state: Vec<f32>,
    steps: u64,
}

/// Where a layer's matrices lie: in the weights, and in the state of a network.
#[derive(Debug, Clone, PartialEq)]
struct Layer {
    rows: usize,
    columns: usize,
    weights: Range<usize>,
    /// Running mean of `G G'`, then its basis; the same for `G' G`; then both moments.
    state: Range<usize>,
}

impl Soap {
    /// What it remembers of one network.
    pub fn floats_per_network(layers: &[field::Layer]) -> usize {
        Self::new(layers, 0, Rates { last: 1.0, wide: 1.0 }).stride
    }

    /// For `networks` networks of these layers, before the first step.
    pub fn new(layers: &[field::Layer], networks: usize, rates: Rates) -> Self {
        let mut stride = 0;
        let layers: Vec<Layer> = layers
            .iter()
            .map(|layer| {
                let (rows, columns) = (layer.inputs + 1, layer.outputs);
                let start = stride;
                let bases = if rows.max(columns) > WIDEST { 0 } else { rows * rows + columns * columns };
                stride += 2 * (bases + rows * columns);
                Layer { rows, columns, weights: layer.weights.start..layer.biases.end, state: start..stride }
            })
            .collect();
        let network = layers.last().map_or(0, |layer| layer.weights.end);
        Self { layers, network, rates, stride, state: vec![0.0; stride * networks], steps: 0 }
    }

    /// Everything that it remembers.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// Goes on after `steps` steps; `None` where the state is that of other networks.
    #[must_use]
    pub fn restored(self, state: Vec<f32>, steps: u64) -> Option<Self> {
        (state.len() == self.state.len()).then_some(Self { state, steps, ..self })
    }

    /// Moves `weights` by one step against `gradient`, both `[networks, weights of one]`.
    pub fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f64) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
        let rate = rate as f32;
        let step = Step {
            first: self.steps == 1,
            turns: self.steps.is_multiple_of(INTERVAL),
            wide: self.rates.wide,
            corrections: [1.0 - BETA_1.powi(power), 1.0 - BETA_2.powi(power)],
        };
        let (layers, rates) = (&self.layers, self.rates);
        weights
            .par_chunks_exact_mut(self.network)
            .zip(gradient.par_chunks_exact(self.network))
            .zip(self.state.par_chunks_exact_mut(self.stride))
            .for_each_init(Scratch::default, |scratch, ((weights, gradient), state)| {
                for (index, layer) in layers.iter().enumerate() {
                    let rate = if index + 1 == layers.len() { rates.last * rate } else { rate };
                    let (weights, gradient) = (&mut weights[layer.weights.clone()], &gradient[layer.weights.clone()]);
                    let state = &mut state[layer.state.clone()];
                    vectorised(
                        #[inline(always)]
                        || step.layer(layer, rate, weights, gradient, state, scratch),
                    );
                }
            });
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    rotated: Vec<f32>,
    half: Vec<f32>,
    moment: Vec<f32>,
}

/// What all layers of a step share.
struct Step {
    first: bool,
    turns: bool,
    wide: f32,
    corrections: [f32; 2],
}

impl Step {
    #[inline(always)]
    fn layer(
        &self,
        layer: &Layer,
        rate: f32,
        weights: &mut [f32],
        gradient: &[f32],
        state: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (rows, columns) = (layer.rows, layer.columns);
        if rows.max(columns) > WIDEST {
            let (first_moment, second_moment) = state.split_at_mut(rows * columns);
            let [first_correction, second_correction] = self.corrections;
            let moments = first_moment.iter_mut().zip(second_moment);
            for ((w, &g), (m, v)) in weights.iter_mut().zip(gradient).zip(moments) {
                *m = BETA_1 * *m + (1.0 - BETA_1) * g;
                *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
                let unbounded = *m / first_correction / ((*v / second_correction).sqrt() + EPSILON);
                *w -= self.wide * rate * unbounded.clamp(-LARGEST_MOVE, LARGEST_MOVE);
            }
            return;
        }
        let (left, state) = state.split_at_mut(rows * rows);
        let (left_basis, state) = state.split_at_mut(rows * rows);
        let (right, state) = state.split_at_mut(columns * columns);
        let (right_basis, state) = state.split_at_mut(columns * columns);
        let (first_moment, second_moment) = state.split_at_mut(rows * columns);
        let Scratch { rotated, half, moment } = scratch;
        let keep = if self.first { 0.0 } else { FACTOR_BETA };

        scale(left, keep);
        scale(right, keep);
        // G G' as products of columns of G, so that neighbours in memory are added to neighbours in memory.
        half.clear();
        half.extend((0..columns).flat_map(|c| gradient.chunks_exact(columns).map(move |row| row[c])));
        for column in half.chunks_exact(rows) {
            add_outer(left, column, column, 1.0 - keep);
        }
        for row in gradient.chunks_exact(columns) {
            add_outer(right, row, row, 1.0 - keep);
        }
        if self.first {
            for (basis, n) in [(&mut *left_basis, rows), (&mut *right_basis, columns)] {
                basis.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
            }
        }
        let iterations = if self.first { FIRST_ITERATIONS } else { usize::from(self.turns) };
        for _ in 0..iterations {
            iterate(left, left_basis, rows, half);
            iterate(right, right_basis, columns, half);
        }

        for (m, &g) in first_moment.iter_mut().zip(gradient) {
            *m = BETA_1 * *m + (1.0 - BETA_1) * g;
        }
        into_basis(gradient, left_basis, right_basis, half, rotated);
        into_basis(first_moment, left_basis, right_basis, half, moment);
        let [first_correction, second_correction] = self.corrections;
        for ((m, &g), v) in moment.iter_mut().zip(&*rotated).zip(second_moment) {
            *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
            let unbounded = *m / first_correction / ((*v / second_correction).sqrt() + EPSILON);
            *m = unbounded.clamp(-LARGEST_MOVE, LARGEST_MOVE);
        }
        out_of_basis(moment, left_basis, right_basis, half, rotated);
        for (w, d) in weights.iter_mut().zip(&*rotated) {
            *w -= rate * d;
        }
    }
}

#[inline(always)]
fn scale(values: &mut [f32], factor: f32) {
    values.iter_mut().for_each(|v| *v *= factor);
}

/// `sums += factor * a b'`.
#[inline(always)]
fn add_outer(sums: &mut [f32], a: &[f32], b: &[f32], factor: f32) {
    for (row, &x) in sums.chunks_exact_mut(b.len()).zip(a) {
        let x = factor * x;
        row.iter_mut().zip(b).for_each(|(sum, &y)| *sum += x * y);
    }
}

/// `product = a b`, with `b` `[n, columns]`.
#[inline(always)]
fn multiply(a: &[f32], b: &[f32], columns: usize, product: &mut Vec<f32>) {
    let inner = b.len() / columns;
    product.clear();
    product.resize(a.len() / inner * columns, 0.0);
    for (row, weights) in product.chunks_exact_mut(columns).zip(a.chunks_exact(inner)) {
        for (&weight, b) in weights.iter().zip(b.chunks_exact(columns)) {
            row.iter_mut().zip(b).for_each(|(sum, &y)| *sum += weight * y);
        }
    }
}

/// `product = a' b`, with `a` `[n, rows]` and `b` `[n, columns]`.
#[inline(always)]
fn multiply_turned(a: &[f32], b: &[f32], rows: usize, columns: usize, product: &mut Vec<f32>) {
    product.clear();
    product.resize(rows * columns, 0.0);
    for (a, b) in a.chunks_exact(rows).zip(b.chunks_exact(columns)) {
        add_outer(product, a, b, 1.0);
    }
}

/// `A' X B`.
#[inline(always)]
fn into_basis(x: &[f32], left: &[f32], right: &[f32], half: &mut Vec<f32>, product: &mut Vec<f32>) {
    let (rows, columns) = (left.len().isqrt(), right.len().isqrt());
    multiply_turned(left, x, rows, columns, half);
    multiply(half, right, columns, product);
}

/// `A X B'`.
#[inline(always)]
fn out_of_basis(x: &[f32], left: &[f32], right: &[f32], half: &mut Vec<f32>, product: &mut Vec<f32>) {
    let columns = right.len().isqrt();
    multiply(left, x, columns, half);
    product.clear();
    for row in half.chunks_exact(columns) {
        product.extend(right.chunks_exact(columns).map(|axis| dot(row, axis)));
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Sixteen sums: a single one would be added one number at a time.
    let mut sums = [0.0_f32; 16];
    let (a16, a_rest) = a.as_chunks::<16>();
    let (b16, b_rest) = b.as_chunks::<16>();
    for (a, b) in a16.iter().zip(b16) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// One step of orthogonal iteration: the columns of `basis` become an orthonormal basis of `matrix * basis`.
///
/// A column that vanishes beside the others (a gradient of low rank) is left as the axis that is least spoken for.
#[inline(always)]
fn iterate(matrix: &[f32], basis: &mut [f32], n: usize, columns: &mut Vec<f32>) {
    // Row j of `columns` is column j of the product: the matrix is symmetric.
    multiply_turned(basis, matrix, n, n, columns);
    for j in 0..n {
        let (before, rest) = columns.split_at_mut(j * n);
        let column = &mut rest[..n];
        if !orthonormalise(before, column) {
            let spoken_for = |axis: usize| before.iter().skip(axis).step_by(n).map(|x| x * x).sum::<f32>();
            let axis = (0..n).min_by(|&a, &b| spoken_for(a).total_cmp(&spoken_for(b))).unwrap_or(0);
            column.fill(0.0);
            column[axis] = 1.0;
            orthonormalise(before, column);
        }
    }
    for (j, column) in columns.chunks_exact(n).enumerate() {
        for (i, &x) in column.iter().enumerate() {
            basis[i * n + j] = x;
        }
    }
}

/// Gram and Schmidt, three times over, which is what single precision needs; false where nothing is left.
#[inline(always)]
fn orthonormalise(before: &[f32], column: &mut [f32]) -> bool {
    let n = column.len();
    for pass in 0..3 {
        let norm = dot(column, column).sqrt();
        // After the first pass the column has length one, and what is left of a dependent one is rounding.
        let least = if pass == 0 { 1e-30 } else { 1e-4 };
        if norm.is_nan() || norm <= least || norm.is_infinite() {
            return false;
        }
        scale(column, 1.0 / norm);
        for other in before.chunks_exact(n) {
            let along = dot(other, column);
            column.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
        }
    }
    let norm = dot(column, column).sqrt();
    let whole = norm > 1e-4;
    if whole {
        scale(column, 1.0 / norm);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::{FieldSpec, SplitMix64};

    const RATES: Rates = Rates { last: 3.0, wide: 0.1 };

    #[test]
    fn bases_become_eigenvectors() {
        let n = 6;
        let mut random = SplitMix64(3);
        let mut matrix = vec![0.0; n * n];
        for scale in [9.0, 4.0, 1.0, 0.25] {
            let v: Vec<f32> = (0..n).map(|_| random.uniform(1.0)).collect();
            add_outer(&mut matrix, &v, &v, scale);
        }
        let mut basis: Vec<f32> = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
        let mut scratch = Vec::new();
        for _ in 0..200 {
            iterate(&matrix, &mut basis, n, &mut scratch);
        }
        let (mut half, mut rotated) = (Vec::new(), Vec::new());
        into_basis(&matrix, &basis, &basis, &mut half, &mut rotated);
        let trace: f32 = rotated.iter().step_by(n + 1).sum();
        for (i, &x) in rotated.iter().enumerate() {
            assert!(i % (n + 1) == 0 || x.abs() < 1e-3 * trace, "{i}: {x}");
        }
        // A rank of four: orthonormal all the same.
        multiply_turned(&basis, &basis, n, n, &mut rotated);
        for (i, &x) in rotated.iter().enumerate() {
            assert!((x - if i % (n + 1) == 0 { 1.0 } else { 0.0 }).abs() < 1e-5, "{i}: {x}");
        }
        out_of_basis(&matrix.clone(), &basis, &basis, &mut half, &mut rotated);
        let there = rotated.clone();
        into_basis(&there, &basis, &basis, &mut half, &mut rotated);
        assert!(rotated.iter().zip(&matrix).all(|(a, b)| (a - b).abs() < 1e-4 * trace));
    }

    /// A quadratic whose axes are not those of the weights: the rule must not care.
    #[test]
    fn a_tilted_valley_is_descended() {
        let spec = FieldSpec::per_partition(2, 1, 3);
        let size: usize = spec.local_layers().last().unwrap().biases.end;
        let mut random = SplitMix64(8);
        let directions: Vec<Vec<f32>> = (0..size).map(|_| (0..size).map(|_| random.uniform(1.0)).collect()).collect();
        let loss_and_gradient = |weights: &[f32]| {
            let mut gradient = vec![0.0; size];
            let mut loss = 0.0;
            for (i, direction) in directions.iter().enumerate() {
                let (along, strength) = (dot(direction, weights) - 0.1, if i % 2 == 0 { 1.0 } else { 0.03 });
                loss += 0.5 * strength * along * along;
                gradient.iter_mut().zip(direction).for_each(|(g, d)| *g += strength * along * d);
            }
            (loss, gradient)
        };
        let mut weights: Vec<f32> = (0..2 * size).map(|_| random.uniform(0.5)).collect();
        let before = loss_and_gradient(&weights[size..]).0;
        let mut soap = Soap::new(&spec.local_layers(), 2, RATES);
        for step in 0..400 {
            let gradient: Vec<f32> = weights.chunks_exact(size).flat_map(|w| loss_and_gradient(w).1).collect();
            soap.step(&mut weights, &gradient, 2e-2 * (1.0 - f64::from(step) / 400.0));
        }
        let after = loss_and_gradient(&weights[size..]).0;
        assert!(after < before / 100.0, "{before} to {after}");
        assert!(weights.iter().all(|w| w.is_finite()));
    }

    #[test]
    fn a_gradient_of_zero_moves_nothing() {
        let spec = FieldSpec::local_global(2, 3, 4, 5);
        let size: usize = spec.local_layers().last().unwrap().biases.end;
        let mut soap = Soap::new(&spec.local_layers(), 3, RATES);
        let mut weights = vec![0.5; 3 * size];
        for _ in 0..7 {
            soap.step(&mut weights, &vec![0.0; 3 * size], 1e-2);
        }
        assert!(weights.iter().all(|&w| w == 0.5));
        let state = soap.state().to_vec();
        assert!(Soap::new(&spec.local_layers(), 2, RATES).restored(state, 7).is_none());
    }
}
