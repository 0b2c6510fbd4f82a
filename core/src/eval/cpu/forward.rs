//! A block through all layers.

use pulp::{Simd, WithSimd};

use super::block::{Samples, Segment, block_vectors, blocks};
use super::dense::{
    Addend, Weights, dense, lanes_of, lanes_of_mut, pack, rectified, rectified_and_slopes, sines, sines_and_slopes,
};
use super::encoded::{Tables, load_waves};
use super::folded::FirstLayer;
use crate::field::{Activation, FieldSpec, LEAK, Layer};

/// A field's weights with its layer tables.
#[derive(Debug)]
pub(super) struct Network<'a> {
    pub(super) spec: &'a FieldSpec,
    pub(super) local_layers: Vec<Layer>,
    /// None where the global network is held.
    pub(super) global_layers: Vec<Layer>,
    /// Of the joined features; of the local ones alone where the global network is held.
    pub(super) merge: Option<Layer>,
    pub(super) shared: &'a [f32],
    /// Weights of the global layers, then of the merge, packed.
    packed: Vec<Vec<f32>>,
    local: &'a [f32],
    local_size: usize,
}

impl<'a> Network<'a> {
    pub(super) fn new(spec: &'a FieldSpec, shared: &'a [f32], local: &'a [f32]) -> Self {
        Self::with_shared_layers(spec, shared, local, spec.global_layers(), spec.merge_layer())
    }

    /// Without the global network, whose part of the merges is known ([`super::training::Held`]).
    pub(super) fn held(spec: &'a FieldSpec, shared: &'a [f32], local: &'a [f32]) -> Self {
        let width = spec.local_width as usize;
        let merge = spec.merge_layer().map(|merge| {
            let weights = merge.weights.start..merge.weights.start + width * merge.outputs;
            Layer { inputs: width, weights, ..merge }
        });
        Self::with_shared_layers(spec, shared, local, Vec::new(), merge)
    }

    fn with_shared_layers(
        spec: &'a FieldSpec,
        shared: &'a [f32],
        local: &'a [f32],
        global_layers: Vec<Layer>,
        merge: Option<Layer>,
    ) -> Self {
        let local_layers = spec.local_layers();
        let local_size = local_layers.last().map_or(0, |l| l.biases.end);
        let packed = global_layers.iter().chain(&merge).map(|l| pack(&shared[l.weights.clone()], l.outputs)).collect();
        Self { spec, local_layers, global_layers, merge, shared, packed, local, local_size }
    }

    /// Weights of the local network in place `slot`.
    pub(super) fn local(&self, slot: usize) -> &'a [f32] {
        &self.local[slot * self.local_size..][..self.local_size]
    }

    pub(super) fn local_size(&self) -> usize {
        self.local_size
    }

    pub(super) fn local_width(&self) -> usize {
        self.spec.local_width as usize
    }

    /// Width of the global features that are computed: 0 without a global network or with one that is held.
    pub(super) fn global_width(&self) -> usize {
        if self.global_layers.is_empty() { 0 } else { self.spec.global_width as usize }
    }

    /// Width of the merge's input: local features, then global ones.
    pub(super) fn joined_width(&self) -> usize {
        self.local_width() + self.global_width()
    }

    /// Packed weights of a shared layer: global ones, then the merge.
    pub(super) fn packed(&self, layer: usize) -> &[f32] {
        &self.packed[layer]
    }

    /// Number of sine layers of the local path, merges not counted.
    pub(super) fn depths(&self) -> usize {
        self.spec.hidden_layers as usize + 1
    }

    pub(super) fn omega(&self, depth: usize) -> f32 {
        if depth == 0 { self.spec.first_omega } else { self.spec.hidden_omega }
    }
}

/// Activations of one block, feature-major.
#[derive(Debug)]
pub(super) struct Activations<S: Simd> {
    /// What the first layers get, `[encoded inputs]`: the coordinates where there is no encoding. Unused where
    /// [`FirstLayer`] computes them.
    pub(super) inputs: Vec<S::f32s>,
    /// Per depth: local features, then global ones, `[joined_width]`.
    pub(super) joined: Vec<Vec<S::f32s>>,
    /// Per depth: merged features `[local_width]`; empty without a merge.
    pub(super) merged: Vec<Vec<S::f32s>>,
    /// Derivatives of `joined` and `merged` by their arguments; empty where only the output is wanted.
    pub(super) joined_slopes: Vec<Vec<S::f32s>>,
    pub(super) merged_slopes: Vec<Vec<S::f32s>>,
    /// `[outputs]`.
    pub(super) output: Vec<S::f32s>,
}

impl<S: Simd> Activations<S> {
    /// Buffers for `network`; with `slopes` for a backward pass.
    pub(super) fn new(simd: S, network: &Network<'_>, slopes: bool) -> Self {
        let width = block_vectors::<S>();
        let rows = |features: usize| vec![simd.splat_f32s(0.0); features * width];
        let per_depth = |features: usize, wanted: bool| -> Vec<Vec<S::f32s>> {
            (0..if wanted { network.depths() } else { 0 }).map(|_| rows(features)).collect()
        };
        let merge = network.merge.is_some();
        Self {
            inputs: rows(network.local_layers.first().map_or(0, |layer| layer.inputs)),
            joined: per_depth(network.joined_width(), true),
            merged: per_depth(network.local_width(), merge),
            joined_slopes: per_depth(network.joined_width(), slopes),
            merged_slopes: per_depth(network.local_width(), slopes && merge),
            output: rows(network.spec.outputs as usize),
        }
    }

    /// Loads the inputs of a block's samples, by the `tables` of an encoding where there is one; padding repeats nothing
    /// and stays at zero.
    #[inline(always)]
    pub(super) fn load(&mut self, samples: &Samples, segments: &[Segment], tables: Option<&Tables>) {
        match tables {
            None => {}
            Some(Tables::Sum(_)) => return,
            Some(Tables::Waves(waves)) => return load_waves::<S>(waves, samples, segments, &mut self.inputs),
        }
        let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
        for (input, row) in self.inputs.chunks_exact_mut(width).enumerate() {
            let row: &mut [f32] = lanes_of_mut::<S>(row);
            row.fill(0.0);
            for segment in segments {
                let lane = segment.vectors.start * lanes;
                let coordinates = &samples.coordinates[segment.samples.start * samples.inputs..];
                for (place, sample) in
                    row[lane..lane + segment.samples.len()].iter_mut().zip(coordinates.chunks_exact(samples.inputs))
                {
                    *place = sample[input];
                }
            }
        }
    }
}

/// Runs a loaded block through the network (reference/local-global.md 1.3).
///
/// `held` is what a held global network adds to the merges of this block, `[depths, local_width, vectors]`; `first` computes
/// the first layers where an encoding allows it.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    network: &Network<'_>,
    segments: &[Segment],
    held: Option<&[f32]>,
    mut first: Option<&mut FirstLayer<'_, S>>,
    a: &mut Activations<S>,
) {
    let width = block_vectors::<S>();
    let used = segments.last().map_or(0, |s| s.vectors.end);
    let split = network.local_width() * width;
    for depth in 0..network.depths() {
        let (before, now) = a.joined.split_at_mut(depth);
        let joined = &mut now[0];
        let slopes = a.joined_slopes.get_mut(depth);
        if let Some(layer) = network.global_layers.get(depth) {
            let input = before.last().map_or(&a.inputs[..], |joined| &joined[split..]);
            let biases = Addend::Biases(&network.shared[layer.biases.clone()]);
            let weights = Weights::Tiles(&network.packed[depth]);
            dense(simd, weights, biases, layer.outputs, input, &mut joined[split..], width, 0..used);
        }
        let input = match (a.merged.get(depth.wrapping_sub(1)), before.last()) {
            (Some(merged), _) => &merged[..],
            (None, Some(joined)) => &joined[..],
            (None, None) => &a.inputs[..],
        };
        for segment in segments {
            match &mut first {
                Some(first) if depth == 0 => first.forward(simd, network, segment, &mut joined[..split]),
                _ => local_layer(simd, network, depth, segment, input, &mut joined[..split]),
            }
        }
        activate(simd, joined, slopes, network.spec.activation, network.omega(depth));
        if let Some(layer) = &network.merge {
            let merged = &mut a.merged[depth];
            let biases = &network.shared[layer.biases.clone()];
            let addend = match held {
                Some(held) => {
                    let floats = layer.outputs * width * S::F32_LANES;
                    lanes_of_mut::<S>(merged).copy_from_slice(&held[depth * floats..][..floats]);
                    Addend::OutputAndBiases(biases)
                }
                None => Addend::Biases(biases),
            };
            let weights = Weights::Tiles(&network.packed[network.global_layers.len()]);
            dense(simd, weights, addend, layer.outputs, joined, merged, width, 0..used);
            let (activation, omega) = (network.spec.activation, network.spec.hidden_omega);
            activate(simd, merged, a.merged_slopes.get_mut(depth), activation, omega);
        }
    }
    let features = a.merged.last().or(a.joined.last()).map_or(&a.inputs[..], |f| &f[..]);
    for segment in segments {
        local_layer(simd, network, network.depths(), segment, features, &mut a.output);
    }
}

/// Layer `depth` of a segment's own network, before its sine.
#[inline(always)]
fn local_layer<S: Simd>(
    simd: S,
    network: &Network<'_>,
    depth: usize,
    segment: &Segment,
    input: &[S::f32s],
    output: &mut [S::f32s],
) {
    let (layer, weights) = (&network.local_layers[depth], network.local(segment.slot));
    let biases = Addend::Biases(&weights[layer.biases.clone()]);
    let weights = Weights::Rows(&weights[layer.weights.clone()]);
    let span = segment.vectors.clone();
    dense(simd, weights, biases, layer.outputs, input, output, block_vectors::<S>(), span);
}

#[inline(always)]
fn activate<S: Simd>(
    simd: S,
    values: &mut [S::f32s],
    slopes: Option<&mut Vec<S::f32s>>,
    activation: Activation,
    omega: f32,
) {
    match (activation, slopes) {
        (Activation::Sine, Some(slopes)) => sines_and_slopes(simd, values, slopes, omega),
        (Activation::Sine, None) => sines(simd, values, omega),
        (Activation::Relu, Some(slopes)) => rectified_and_slopes(simd, values, slopes, 0.0),
        (Activation::Relu, None) => rectified(simd, values, 0.0),
        (Activation::LeakyRelu, Some(slopes)) => rectified_and_slopes(simd, values, slopes, LEAK),
        (Activation::LeakyRelu, None) => rectified(simd, values, LEAK),
    }
}

/// The outputs of grouped samples, `[samples * outputs]` in their order.
pub(super) struct Evaluate<'a> {
    pub(super) network: &'a Network<'a>,
    pub(super) samples: &'a Samples,
    /// Those of the encoding, where there is one.
    pub(super) tables: Option<&'a Tables>,
}

impl WithSimd for Evaluate<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { network, samples, tables } = self;
        let outputs = network.spec.outputs as usize;
        let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
        let mut values = vec![0.0; samples.len() * outputs];
        let mut activations = Activations::new(simd, network, false);
        let mut first = FirstLayer::of(simd, network, tables, samples);
        for segments in blocks::<S>(&samples.spans) {
            activations.load(samples, &segments, tables);
            forward(simd, network, &segments, None, first.as_mut(), &mut activations);
            for segment in &segments {
                let lane = segment.vectors.start * lanes;
                let out = &mut values[segment.samples.start * outputs..segment.samples.end * outputs];
                for (channel, row) in activations.output.chunks_exact(width).enumerate() {
                    let row = lanes_of::<S>(row);
                    for (value, &y) in out[channel..].iter_mut().step_by(outputs).zip(&row[lane..]) {
                        *value = y;
                    }
                }
            }
        }
        values
    }
}
