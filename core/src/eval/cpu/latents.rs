//! Fields of latents: interpolation by rows, then the synthesis network over blocks.
//!
//! Along all axes but the last, interpolation is the same for a whole row of samples: a row of nodes is put together once for
//! each, and only the last axis is interpolated by sample. A sample's arithmetic depends on its own partition and place
//! alone.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::block::block_vectors;
use super::dense::{Addend, Weights, dense, lanes_of, lanes_of_mut, pack, rectified};
use crate::eval::{Axis, Run};
use crate::field::latents::{Between, Level, between};
use crate::field::{Field, LEAK, Layer};

/// Writes the samples of a view that have latents into `out`, `[samples * channels]`; others stay as they are.
pub(super) struct Decoding<'a> {
    pub(super) field: &'a Field,
    pub(super) axes: &'a [Axis],
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Decoding<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { field, axes, out } = self;
        let mut network = Network::<S>::new(simd, field);
        let levels = field.spec().pyramid().map_or_else(Vec::new, |pyramid| pyramid.levels(field.spec().inputs));
        let runs: Vec<Vec<Run>> = axes.iter().map(Axis::runs).collect();
        for chosen in product(&runs.iter().map(Vec::len).collect::<Vec<_>>()) {
            let chosen: Vec<&Run> = chosen.iter().zip(&runs).map(|(&run, runs)| &runs[run]).collect();
            let owner: Vec<u32> = chosen.iter().map(|run| run.owner).collect();
            let Some(latents) = field.grid().ravel(&owner).and_then(|partition| field.local_of(partition)) else {
                continue;
            };
            let part = Part::new(field, axes, &levels, &chosen, latents);
            part.rows(
                #[inline(always)]
                |place, nodes| network.run(simd, place, nodes, part.along_last(), out),
            );
            network.flush(simd, out);
        }
    }
}

/// Every combination of numbers below the lengths, the last one counting fastest.
fn product(lengths: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let count = lengths.iter().product();
    (0..count).map(move |number: usize| {
        let mut rest = number;
        let mut index = vec![0; lengths.len()];
        for (i, &n) in index.iter_mut().zip(lengths).rev() {
            *i = rest % n;
            rest /= n;
        }
        index
    })
}

/// The part of a view that lies in one partition.
struct Part<'a> {
    levels: &'a [Level],
    latents: &'a [f32],
    /// Places in the view, per axis.
    places: Vec<Range<usize>>,
    /// Sizes of the view.
    sizes: Vec<usize>,
    /// Between which nodes a position lies, `[level][axis][position]`.
    between: Vec<Vec<Vec<Between>>>,
}

impl<'a> Part<'a> {
    fn new(field: &Field, axes: &[Axis], levels: &'a [Level], chosen: &[&Run], latents: &'a [f32]) -> Self {
        let along = |level: &Level, axis: usize| {
            let samples = field.grid().axis_range(axis, chosen[axis].owner);
            let positions = &axes[axis].positions[chosen[axis].places.clone()];
            positions.iter().map(|&position| between(&samples, level.exponent, position)).collect()
        };
        Self {
            levels,
            latents,
            places: chosen.iter().map(|run| run.places.clone()).collect(),
            sizes: axes.iter().map(|axis| axis.positions.len()).collect(),
            between: levels.iter().map(|level| (0..axes.len()).map(|axis| along(level, axis)).collect()).collect(),
        }
    }

    /// By level, between which nodes the samples of a row lie.
    fn along_last(&self) -> impl Iterator<Item = &[Between]> + Clone {
        self.between.iter().map(|between| between.last().map_or(&[][..], Vec::as_slice))
    }

    /// Calls `run` for every row of samples, with the place of the first in the view and the row's nodes of every level.
    #[inline(always)]
    fn rows(&self, mut run: impl FnMut(usize, &[Vec<f32>])) {
        let Some((last, leading)) = self.places.split_last() else { return };
        let lengths: Vec<usize> = leading.iter().map(Range::len).collect();
        let mut nodes: Vec<Vec<f32>> =
            self.levels.iter().map(|level| vec![0.0; level.nodes.last().copied().unwrap_or(1)]).collect();
        for index in product(&lengths) {
            for ((level, between), row) in self.levels.iter().zip(&self.between).zip(&mut nodes) {
                self.row_of_nodes(level, &between[..leading.len()], &index, row);
            }
            let first =
                index.iter().zip(leading).zip(&self.sizes).fold(0, |sum, ((i, range), n)| sum * n + range.start + i);
            let start = first * self.sizes.last().copied().unwrap_or(1) + last.start;
            run(start, &nodes);
        }
    }

    /// A level's nodes along the last axis, interpolated along the others at `index`.
    fn row_of_nodes(&self, level: &Level, between: &[Vec<Between>], index: &[usize], row: &mut [f32]) {
        let own = &self.latents[level.latents.clone()];
        row.fill(0.0);
        for corner in 0..1_usize << between.len() {
            let (mut place, mut weight) = (0, 1.0);
            for (axis, ((between, &i), &nodes)) in between.iter().zip(index).zip(&level.nodes).enumerate() {
                let (first, second, share) = between[i];
                let upper = corner >> axis & 1 == 1;
                place = place * nodes + if upper { second } else { first };
                weight *= if upper { share } else { 1.0 - share };
            }
            if weight == 0.0 {
                continue;
            }
            let nodes = &own[place * row.len()..];
            for (sum, latent) in row.iter_mut().zip(nodes) {
                *sum += weight * latent;
            }
        }
    }
}

/// The synthesis network with the samples that wait for it.
struct Network<'a, S: Simd> {
    layers: Vec<(Layer, Vec<f32>, &'a [f32])>,
    inputs: usize,
    channels: usize,
    /// Interpolated latents, then the last features: what the last layer sees.
    joined: Vec<S::f32s>,
    features: [Vec<S::f32s>; 2],
    output: Vec<S::f32s>,
    /// Where the waiting samples go.
    places: Vec<usize>,
}

impl<'a, S: Simd> Network<'a, S> {
    fn new(simd: S, field: &'a Field) -> Self {
        let shared = field.shared();
        let layers: Vec<_> = field
            .spec()
            .shared_layers()
            .into_iter()
            .map(|l| (l.clone(), pack(&shared[l.weights.clone()], l.outputs), &shared[l.biases]))
            .collect();
        let rows = |features: usize| vec![simd.splat_f32s(0.0); features * block_vectors::<S>()];
        let (inputs, outputs) = layers.last().map_or((0, 0), |(last, ..)| (last.inputs, last.outputs));
        let width = field.spec().global_width as usize;
        Self {
            layers,
            inputs: inputs - width,
            channels: outputs,
            joined: rows(inputs),
            features: [rows(width), rows(width)],
            output: rows(outputs),
            places: Vec::new(),
        }
    }

    /// Takes a row of samples from `place` on, that lie `between` these nodes of every level; `out` gets those that waited as soon
    /// as they are a block.
    #[inline(always)]
    fn run<'b>(
        &mut self,
        simd: S,
        place: usize,
        nodes: &[Vec<f32>],
        between: impl Iterator<Item = &'b [Between]> + Clone,
        out: &mut [f32],
    ) {
        let columns = block_vectors::<S>() * S::F32_LANES;
        let samples = between.clone().next().map_or(0, <[Between]>::len);
        let mut first = 0;
        while first < samples {
            let lane = self.places.len();
            let end = samples.min(first + columns - lane);
            let rows = lanes_of_mut::<S>(&mut self.joined).chunks_exact_mut(columns);
            for ((row, nodes), between) in rows.zip(nodes).zip(between.clone()) {
                for (input, &(a, b, share)) in row[lane..].iter_mut().zip(&between[first..end]) {
                    *input = nodes[a] + share * (nodes[b] - nodes[a]);
                }
            }
            self.places.extend(place + first..place + end);
            if self.places.len() == columns {
                self.flush(simd, out);
            }
            first = end;
        }
    }

    #[inline(always)]
    fn flush(&mut self, simd: S, out: &mut [f32]) {
        let (width, lanes) = (block_vectors::<S>(), S::F32_LANES);
        let used = 0..self.places.len().div_ceil(lanes);
        let split = self.inputs * width;
        let Some((last, hidden)) = self.layers.split_last() else { return };
        for (depth, (layer, weights, biases)) in hidden.iter().enumerate() {
            let (latents, joined) = self.joined.split_at_mut(split);
            let (even, odd) = self.features.split_at_mut(1);
            let (from, into) = if depth % 2 == 0 { (&odd[0], &mut even[0]) } else { (&even[0], &mut odd[0]) };
            let input: &[S::f32s] = if depth == 0 { latents } else { from };
            let output: &mut [S::f32s] = if depth + 1 == hidden.len() { joined } else { into };
            let (weights, biases) = (Weights::Tiles(weights), Addend::Biases(biases));
            dense(simd, weights, biases, layer.outputs, input, output, width, used.clone());
            rectified(simd, output, LEAK);
        }
        let (layer, weights, biases) = last;
        let (weights, biases) = (Weights::Tiles(weights), Addend::Biases(biases));
        dense(simd, weights, biases, layer.outputs, &self.joined, &mut self.output, width, used);
        for (channel, row) in self.output.chunks_exact(width).enumerate() {
            for (place, &value) in self.places.iter().zip(lanes_of::<S>(row)) {
                out[place * self.channels + channel] = value;
            }
        }
        self.places.clear();
    }
}
