//! A block backwards: gradients of weights and features.
//!
//! Weight gradients contract over samples, so their outputs are the vector lanes: the layer's delta is turned to
//! sample-major once per block, and tiles of inputs and outputs are accumulated in registers over all samples of a
//! segment. The alternative, samples as lanes and a horizontal sum at the end, costs more than the turning unless a
//! layer is narrow *and* a block deep.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::block::{Segment, block_vectors};
use super::dense::{Addend, Weights, dense, lanes_of, lanes_of_mut, pack, parts};
use super::folded::FirstLayer;
use super::forward::{Activations, Network};
use super::turn::{panels, turn};
use crate::field::Layer;

/// Gradients of one weight array with rows padded to whole vectors: per layer `[inputs + 1, outputs]`, biases last.
#[derive(Debug)]
pub(super) struct Padded<S: Simd> {
    layers: Vec<Layer>,
    pub(super) rows: Vec<Vec<S::f32s>>,
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
            for (row, gradients) in rows.chunks_exact(stride).enumerate() {
                let start =
                    if row < layer.inputs { layer.weights.start + row * layer.outputs } else { layer.biases.start };
                let target = &mut gradient[start..start + layer.outputs];
                target.iter_mut().zip(lanes_of::<S>(gradients)).for_each(|(t, g)| *t += g);
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
    /// A delta, sample-major: panels of [`turn`].
    turned: Vec<S::f32s>,
    /// Per local layer: the slot whose weights were turned last, and these as `[outputs, inputs]`.
    local_turned: Vec<(Option<usize>, Vec<f32>)>,
}

/// The shared layers of a network as `[outputs, inputs]`, packed: global ones, then the merge.
#[derive(Debug)]
pub(super) struct TurnedShared(Vec<Vec<f32>>);

impl TurnedShared {
    pub(super) fn new(network: &Network<'_>) -> Self {
        let turned = |layer: &Layer| {
            let mut rows = vec![0.0; layer.weights.len()];
            turn_weights(layer, network.shared, &mut rows);
            pack(&rows, layer.inputs)
        };
        Self(network.global_layers.iter().chain(&network.merge).map(turned).collect())
    }
}

impl<S: Simd> Deltas<S> {
    pub(super) fn new(simd: S, network: &Network<'_>) -> Self {
        let width = block_vectors::<S>();
        let rows = |features: usize| vec![simd.splat_f32s(0.0); features * width];
        let widest = network.joined_width().max(network.spec.outputs as usize);
        Self {
            joined: rows(network.joined_width()),
            global: rows(network.global_width()),
            features: rows(network.local_width()),
            output: rows(network.spec.outputs as usize),
            turned: vec![simd.splat_f32s(0.0); width * S::F32_LANES * widest.div_ceil(S::F32_LANES)],
            local_turned: network.local_layers.iter().map(|l| (None, vec![0.0; l.weights.len()])).collect(),
        }
    }
}

/// The weights of a layer as `[outputs, inputs]`.
pub(super) fn turn_weights(layer: &Layer, weights: &[f32], turned: &mut [f32]) {
    for (i, row) in weights[layer.weights.clone()].chunks_exact(layer.outputs).enumerate() {
        for (column, &weight) in turned.chunks_exact_mut(layer.inputs).zip(row) {
            column[i] = weight;
        }
    }
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
#[expect(clippy::too_many_arguments, reason = "buffers of one pass, borrowed apart")]
pub(super) fn backward<S: Simd>(
    simd: S,
    network: &Network<'_>,
    shared_turned: &TurnedShared,
    segments: &[Segment],
    mut first: Option<&mut FirstLayer<'_, S>>,
    a: &Activations<S>,
    deltas: &mut Deltas<S>,
    gradients: &mut Gradients<'_, S>,
) {
    let TurnedShared(shared_turned) = shared_turned;
    let width = block_vectors::<S>();
    let used = segments.last().map_or(0, |s| s.vectors.end);
    let split = network.local_width() * width;
    // A segment goes through all of its local layers before the next one, so that its gradient is drained once;
    // the shared layers in between want the whole block. So depth by depth, with the local parts of one segment each.
    let single = segments.len() == 1;
    let depths = network.depths();
    let Deltas { joined, global, features, output, turned, local_turned } = deltas;

    let last_input = a.merged.last().or(a.joined.last()).map_or(&a.inputs[..], |f| &f[..]);
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
            let weights = Weights::Tiles(&shared_turned[merge]);
            dense(simd, weights, Addend::Nothing, network.joined_width(), features, joined, width, 0..used);
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
            let input = if depth > 0 { &a.joined[depth - 1][split..] } else { &a.inputs[..] };
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
                let weights = Weights::Tiles(&shared_turned[depth]);
                dense(simd, weights, Addend::Nothing, layer.inputs, &joined[split..], global, width, 0..used);
            }
        }
        let input = match (depth, a.merged.is_empty()) {
            (0, _) => &a.inputs[..],
            (_, false) => &a.merged[depth - 1][..],
            (_, true) => &a.joined[depth - 1][..],
        };
        for segment in segments {
            if let (Some(first), 0) = (&mut first, depth) {
                first.backward(simd, network, segment, &joined[..split], gradients.first_slot, gradients.dense_local);
                continue;
            }
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
    local_turned: &mut [(Option<usize>, Vec<f32>)],
    gradients: &mut Gradients<'_, S>,
) {
    let span = segment.vectors.clone();
    weight_gradient(simd, input, delta, turned, layer.outputs, span.clone(), &mut gradients.local.rows[depth]);
    if depth > 0 {
        let (slot, weights) = &mut local_turned[depth];
        if *slot != Some(segment.slot) {
            turn_weights(layer, network.local(segment.slot), weights);
            *slot = Some(segment.slot);
        }
        let (weights, width) = (Weights::Rows(weights), block_vectors::<S>());
        dense(simd, weights, Addend::Nothing, layer.inputs, delta, features, width, span);
    }
}

#[inline(always)]
pub(super) fn multiply<S: Simd>(simd: S, values: &mut [S::f32s], factors: &[S::f32s]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value = simd.mul_f32s(*value, *factor);
    }
}

/// `rows[i][o] += sum over samples of input[i][s] * delta[o][s]`, and the sum of `delta` into the row behind the
/// inputs.
#[inline(always)]
pub(super) fn weight_gradient<S: Simd>(
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
        turn::<S>(delta, turned, outputs, width * lanes, samples.clone());
        let (turned, _) = S::as_simd_f32s(turned);
        let (rows, _) = S::as_mut_simd_f32s(rows);
        let inputs = rows.len() / stride - 1;
        for panel in panels::<S>(stride) {
            let deltas = &turned[panel.start * samples.len()..panel.end * samples.len()];
            let tile =
                Outer { input, columns: width * lanes, first: samples.start, deltas, stride, panel: panel.clone() };
            match panel.len() {
                1 => tile.add_to::<S, 1>(simd, inputs, rows),
                2 => tile.add_to::<S, 2>(simd, inputs, rows),
                3 => tile.add_to::<S, 3>(simd, inputs, rows),
                _ => tile.add_to::<S, 4>(simd, inputs, rows),
            }
        }
    }
}

/// Sums of products of a panel of deltas with the inputs.
struct Outer<'a, V> {
    /// `[inputs, columns]`, of which the samples from `first` on count.
    input: &'a [f32],
    columns: usize,
    first: usize,
    /// `[samples, vectors of the panel]`.
    deltas: &'a [V],
    /// Vectors per row of the sums, and those of them that belong to the panel.
    stride: usize,
    panel: Range<usize>,
}

impl<V: Copy> Outer<'_, V> {
    #[inline(always)]
    fn add_to<S: Simd<f32s = V>, const C: usize>(&self, simd: S, inputs: usize, rows: &mut [V]) {
        self.biases::<S, C>(simd, &mut rows[inputs * self.stride + self.panel.start..][..C]);
        // A single vector needs many inputs to keep both arithmetic units busy; more vectors fill the registers sooner.
        let most = if C == 1 { 8 } else { 6 };
        for tile in parts(inputs, most) {
            let first = tile.start;
            match tile.len() {
                1 => self.tile::<S, 1, C>(simd, first, rows),
                2 => self.tile::<S, 2, C>(simd, first, rows),
                3 => self.tile::<S, 3, C>(simd, first, rows),
                4 => self.tile::<S, 4, C>(simd, first, rows),
                5 => self.tile::<S, 5, C>(simd, first, rows),
                6 => self.tile::<S, 6, C>(simd, first, rows),
                7 if C == 1 => self.tile::<S, 7, C>(simd, first, rows),
                8 if C == 1 => self.tile::<S, 8, C>(simd, first, rows),
                _ => {}
            }
        }
    }

    /// The sum of the deltas, in four sums, since each addition waits for the one before it.
    #[inline(always)]
    fn biases<S: Simd<f32s = V>, const C: usize>(&self, simd: S, sums: &mut [V]) {
        let mut fours = [[simd.splat_f32s(0.0); C]; 4];
        let mut groups = self.deltas.chunks_exact(4 * C);
        for group in &mut groups {
            for (sum, delta) in fours.iter_mut().zip(group.chunks_exact(C)) {
                sum.iter_mut().zip(delta).for_each(|(s, d)| *s = simd.add_f32s(*s, *d));
            }
        }
        for (sum, delta) in fours.iter_mut().zip(groups.remainder().chunks_exact(C)) {
            sum.iter_mut().zip(delta).for_each(|(s, d)| *s = simd.add_f32s(*s, *d));
        }
        for (c, sum) in sums.iter_mut().enumerate() {
            let pairs = [simd.add_f32s(fours[0][c], fours[1][c]), simd.add_f32s(fours[2][c], fours[3][c])];
            *sum = simd.add_f32s(*sum, simd.add_f32s(pairs[0], pairs[1]));
        }
    }

    #[inline(always)]
    fn tile<S: Simd<f32s = V>, const I: usize, const C: usize>(&self, simd: S, first: usize, rows: &mut [V]) {
        let samples = self.deltas.len() / C;
        let features: [&[f32]; I] =
            std::array::from_fn(|i| &self.input[(first + i) * self.columns + self.first..][..samples]);
        let place = |i: usize| (first + i) * self.stride + self.panel.start;
        let mut sums = [[simd.splat_f32s(0.0); C]; I];
        for (i, sum) in sums.iter_mut().enumerate() {
            sum.copy_from_slice(&rows[place(i)..][..C]);
        }
        for (s, delta) in self.deltas.chunks_exact(C).enumerate() {
            let delta: &[V; C] = delta.try_into().expect("C vectors");
            for i in 0..I {
                let x = simd.splat_f32s(features[i][s]);
                for c in 0..C {
                    sums[i][c] = simd.mul_add_e_f32s(x, delta[c], sums[i][c]);
                }
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            rows[place(i)..][..C].copy_from_slice(sum);
        }
    }
}
