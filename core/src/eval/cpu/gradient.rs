//! A block backwards: gradients of weights and features.
//!
//! Weight gradients contract over samples, so their outputs are the vector lanes: the layer's delta is turned to
//! sample-major once per block, and rows of six inputs are accumulated in registers over all samples of a segment.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::block::{Segment, block_vectors};
use super::dense::{dense, lanes_of, lanes_of_mut};
use super::forward::{Activations, Network};
use crate::field::Layer;

/// Gradients of one weight array with rows padded to whole vectors: per layer `[inputs + 1, outputs]`, biases last.
#[derive(Debug)]
pub(super) struct Padded<S: Simd> {
    layers: Vec<Layer>,
    rows: Vec<Vec<S::f32s>>,
}

impl<S: Simd> Padded<S> {
    pub(super) fn new(simd: S, layers: Vec<Layer>) -> Self {
        let rows = layers
            .iter()
            .map(|l| vec![simd.splat_f32s(0.0); (l.inputs + 1) * l.outputs.div_ceil(S::F32_LANES)])
            .collect();
        Self { layers, rows }
    }

    /// Adds everything to a dense gradient in the layout of the weights, and starts again from zero.
    pub(super) fn drain_into(&mut self, simd: S, gradient: &mut [f32]) {
        for (layer, rows) in self.layers.iter().zip(&mut self.rows) {
            let stride = layer.outputs.div_ceil(S::F32_LANES);
            let (weights, biases) = gradient[layer.weights.start..layer.biases.end].split_at_mut(layer.weights.len());
            let targets = weights.chunks_exact_mut(layer.outputs).chain(std::iter::once(biases));
            for (row, target) in rows.chunks_exact(stride).zip(targets) {
                target.iter_mut().zip(lanes_of::<S>(row)).for_each(|(t, g)| *t += g);
            }
            rows.fill(simd.splat_f32s(0.0));
        }
    }
}

/// Deltas of one block, and the weights turned for the way back.
#[derive(Debug)]
pub(super) struct Deltas<S: Simd> {
    /// By the joined features of the current depth `[joined_width]`.
    joined: Vec<S::f32s>,
    /// By the global features, from the next deeper global layer `[global_width]`.
    global: Vec<S::f32s>,
    /// By the features that enter the current layer of the local path `[local_width]`.
    features: Vec<S::f32s>,
    /// By the output `[outputs]`.
    pub(super) output: Vec<S::f32s>,
    /// A delta, sample-major: `[BLOCK, outputs padded]`.
    turned: Vec<S::f32s>,
    /// Global layers and merge as `[outputs, inputs]`.
    shared_turned: Vec<Vec<f32>>,
    local_turned: Vec<f32>,
}

impl<S: Simd> Deltas<S> {
    pub(super) fn new(simd: S, network: &Network<'_>) -> Self {
        let width = block_vectors::<S>();
        let rows = |features: usize| vec![simd.splat_f32s(0.0); features * width];
        let widest = network.joined_width().max(network.spec.outputs as usize);
        let shared_turned = network
            .global_layers
            .iter()
            .chain(&network.merge)
            .map(|layer| turn_weights(layer, network.shared))
            .collect();
        Self {
            joined: rows(network.joined_width()),
            global: rows(network.spec.global_width as usize),
            features: rows(network.local_width()),
            output: rows(network.spec.outputs as usize),
            turned: vec![simd.splat_f32s(0.0); width * S::F32_LANES * widest.div_ceil(S::F32_LANES)],
            shared_turned,
            local_turned: Vec::new(),
        }
    }
}

fn turn_weights(layer: &Layer, weights: &[f32]) -> Vec<f32> {
    let weights = &weights[layer.weights.clone()];
    (0..layer.outputs).flat_map(|o| weights.iter().skip(o).step_by(layer.outputs).copied()).collect()
}

/// Everything that a backward pass adds to.
#[derive(Debug)]
pub(super) struct Gradients<'a, S: Simd> {
    /// Global layers, then the merge.
    pub(super) shared: &'a mut Padded<S>,
    /// The local network of `slot`.
    pub(super) local: &'a mut Padded<S>,
    /// Which slot `local` belongs to, and where it is drained to when the slot changes.
    pub(super) slot: &'a mut Option<usize>,
    pub(super) first_slot: usize,
    pub(super) dense_local: &'a mut [f32],
}

impl<S: Simd> Gradients<'_, S> {
    fn enter(&mut self, simd: S, slot: usize, size: usize) {
        if *self.slot != Some(slot) {
            self.leave(simd, size);
            *self.slot = Some(slot);
        }
    }

    /// Drains the current slot.
    pub(super) fn leave(&mut self, simd: S, size: usize) {
        if let Some(slot) = self.slot.take() {
            self.local.drain_into(simd, &mut self.dense_local[(slot - self.first_slot) * size..][..size]);
        }
    }
}

/// The way back of a block whose activations were computed with slopes and whose `deltas.output` is set (zero in
/// padding lanes).
#[inline(always)]
pub(super) fn backward<S: Simd>(
    simd: S,
    network: &Network<'_>,
    segments: &[Segment],
    a: &Activations<S>,
    deltas: &mut Deltas<S>,
    gradients: &mut Gradients<'_, S>,
) {
    let width = block_vectors::<S>();
    let used = segments.last().map_or(0, |s| s.vectors.end);
    let split = network.local_width() * width;
    // A segment goes through all of its local layers before the next one, so that its gradient is drained once;
    // the shared layers in between want the whole block. So depth by depth, with the local parts of one segment each.
    let single = segments.len() == 1;
    let depths = network.depths();
    let Deltas { joined, global, features, output, turned, shared_turned, local_turned } = deltas;

    let last_input = a.merged.last().or(a.joined.last()).map_or(&a.coordinates[..], |f| &f[..]);
    for segment in segments {
        gradients.enter(simd, segment.slot, network.local_size());
        let layer = &network.local_layers[depths];
        local_back(
            simd,
            layer,
            depths,
            network,
            segment,
            last_input,
            output,
            features,
            turned,
            local_turned,
            gradients,
        );
        if !single {
            gradients.leave(simd, network.local_size());
        }
    }
    global.fill(simd.splat_f32s(0.0));
    for depth in (0..depths).rev() {
        if network.merge.is_some() {
            multiply(simd, features, &a.merged_slopes[depth]);
            let merge = network.global_layers.len();
            weight_gradient(
                simd,
                &a.joined[depth],
                features,
                turned,
                network.local_width(),
                0..used,
                &mut gradients.shared.rows[merge],
            );
            dense(simd, &shared_turned[merge], None, network.joined_width(), features, joined, width, 0..used);
        } else {
            joined.copy_from_slice(features);
        }
        if depth + 1 < depths {
            for (delta, more) in joined[split..].iter_mut().zip(global.iter()) {
                *delta = simd.add_f32s(*delta, *more);
            }
        }
        multiply(simd, joined, &a.joined_slopes[depth]);
        if let Some(layer) = network.global_layers.get(depth) {
            let input = if depth > 0 { &a.joined[depth - 1][split..] } else { &a.coordinates[..] };
            weight_gradient(
                simd,
                input,
                &joined[split..],
                turned,
                layer.outputs,
                0..used,
                &mut gradients.shared.rows[depth],
            );
            if depth > 0 {
                dense(simd, &shared_turned[depth], None, layer.inputs, &joined[split..], global, width, 0..used);
            }
        }
        let input = match (depth, a.merged.is_empty()) {
            (0, _) => &a.coordinates[..],
            (_, false) => &a.merged[depth - 1][..],
            (_, true) => &a.joined[depth - 1][..],
        };
        for segment in segments {
            gradients.enter(simd, segment.slot, network.local_size());
            let layer = &network.local_layers[depth];
            local_back(
                simd,
                layer,
                depth,
                network,
                segment,
                input,
                &joined[..split],
                features,
                turned,
                local_turned,
                gradients,
            );
            if !single {
                gradients.leave(simd, network.local_size());
            }
        }
    }
}

/// One local layer of one segment: its weight gradient, and unless it is the first, the delta by its input.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "buffers of one pass, borrowed apart")]
fn local_back<S: Simd>(
    simd: S,
    layer: &Layer,
    depth: usize,
    network: &Network<'_>,
    segment: &Segment,
    input: &[S::f32s],
    delta: &[S::f32s],
    features: &mut [S::f32s],
    turned: &mut [S::f32s],
    local_turned: &mut Vec<f32>,
    gradients: &mut Gradients<'_, S>,
) {
    let span = segment.vectors.clone();
    weight_gradient(simd, input, delta, turned, layer.outputs, span.clone(), &mut gradients.local.rows[depth]);
    if depth > 0 {
        let weights = &network.local(segment.slot)[layer.weights.clone()];
        local_turned.clear();
        local_turned.extend((0..layer.outputs).flat_map(|o| weights.iter().skip(o).step_by(layer.outputs)));
        dense(simd, local_turned, None, layer.inputs, delta, features, block_vectors::<S>(), span);
    }
}

#[inline(always)]
fn multiply<S: Simd>(simd: S, values: &mut [S::f32s], factors: &[S::f32s]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value = simd.mul_f32s(*value, *factor);
    }
}

/// `rows[i][o] += sum over samples of input[i][s] * delta[o][s]`, and the sum of `delta` into the row behind the
/// inputs.
#[inline(always)]
fn weight_gradient<S: Simd>(
    simd: S,
    input: &[S::f32s],
    delta: &[S::f32s],
    turned: &mut [S::f32s],
    outputs: usize,
    span: Range<usize>,
    rows: &mut [S::f32s],
) {
    simd.vectorize(WeightGradient {
        input: lanes_of::<S>(input),
        delta: lanes_of::<S>(delta),
        turned: lanes_of_mut::<S>(turned),
        outputs,
        span,
        rows: lanes_of_mut::<S>(rows),
    });
}

/// A call of [`weight_gradient`] as a function of its own for each instruction set, like [`super::dense::dense`].
struct WeightGradient<'a> {
    input: &'a [f32],
    delta: &'a [f32],
    turned: &'a mut [f32],
    outputs: usize,
    span: Range<usize>,
    rows: &'a mut [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { input, delta, turned, outputs, span, rows } = self;
        let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
        let stride = outputs.div_ceil(lanes);
        let samples = span.start * lanes..span.end * lanes;
        let turned = &mut turned[..samples.len() * stride * lanes];
        turn::<S>(delta, turned, outputs, span, stride);
        let (turned, _) = S::as_simd_f32s(turned);
        let (rows, _) = S::as_mut_simd_f32s(rows);
        let (weights, bias) = rows.split_at_mut(rows.len() - stride);
        for vector in turned.chunks_exact(stride) {
            bias.iter_mut().zip(vector).for_each(|(b, d)| *b = simd.add_f32s(*b, *d));
        }
        let inputs = weights.len() / stride;
        let columns = width * lanes;
        let mut first = 0;
        while first < inputs {
            let size = (inputs - first).min(6);
            let input = &input[first * columns + samples.start..];
            let rows = &mut weights[first * stride..(first + size) * stride];
            match size {
                1 => outer_rows::<S, 1>(simd, input, columns, turned, stride, rows),
                2 => outer_rows::<S, 2>(simd, input, columns, turned, stride, rows),
                3 => outer_rows::<S, 3>(simd, input, columns, turned, stride, rows),
                4 => outer_rows::<S, 4>(simd, input, columns, turned, stride, rows),
                5 => outer_rows::<S, 5>(simd, input, columns, turned, stride, rows),
                _ => outer_rows::<S, 6>(simd, input, columns, turned, stride, rows),
            }
            first += size;
        }
    }
}

#[inline(always)]
fn outer_rows<S: Simd, const I: usize>(
    simd: S,
    input: &[f32],
    columns: usize,
    turned: &[S::f32s],
    stride: usize,
    rows: &mut [S::f32s],
) {
    let mut v = 0;
    if S::F32_LANES == 16 {
        while v + 4 <= stride {
            outer::<S, I, 4>(simd, input, columns, turned, stride, v, rows);
            v += 4;
        }
    }
    while v + 2 <= stride {
        outer::<S, I, 2>(simd, input, columns, turned, stride, v, rows);
        v += 2;
    }
    if v < stride {
        outer::<S, I, 1>(simd, input, columns, turned, stride, v, rows);
    }
}

#[inline(always)]
fn outer<S: Simd, const I: usize, const C: usize>(
    simd: S,
    input: &[f32],
    columns: usize,
    turned: &[S::f32s],
    stride: usize,
    v: usize,
    rows: &mut [S::f32s],
) {
    let samples = turned.len() / stride;
    let features: [&[f32]; I] = std::array::from_fn(|i| &input[i * columns..][..samples]);
    let mut sums: [[S::f32s; C]; I] =
        std::array::from_fn(|i| rows[i * stride + v..][..C].try_into().expect("C vectors"));
    for (s, delta) in turned.chunks_exact(stride).enumerate() {
        let delta: &[S::f32s; C] = delta[v..v + C].try_into().expect("C vectors");
        for i in 0..I {
            let x = simd.splat_f32s(features[i][s]);
            for c in 0..C {
                sums[i][c] = simd.mul_add_e_f32s(x, delta[c], sums[i][c]);
            }
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        rows[i * stride + v..][..C].copy_from_slice(sum);
    }
}

/// Feature-major `delta` to sample-major `turned`, padded with zeros.
#[inline(always)]
fn turn<S: Simd>(delta: &[f32], turned: &mut [f32], outputs: usize, span: Range<usize>, stride: usize) {
    let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
    let row = stride * lanes;
    for row in turned.chunks_exact_mut(row) {
        row[outputs..].fill(0.0);
    }
    let first = span.start * lanes;
    let samples = span.len() * lanes;
    for block in (0..outputs).step_by(8) {
        let end = outputs.min(block + 8);
        for s in 0..samples {
            for (o, place) in (block..end).zip(&mut turned[s * row + block..s * row + end]) {
                *place = delta[o * width * lanes + first + s];
            }
        }
    }
}
