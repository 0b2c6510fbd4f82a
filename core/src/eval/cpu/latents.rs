//! Fields of latents: splines by rows, then the synthesis network over blocks.
//!
//! Along all axes but the last, a spline is the same for a whole row of samples: a row of nodes is put together once for
//! each, and only along the last axis does each sample have its own. A sample's arithmetic depends on its own partition and place
//! alone.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::block::block_vectors;
use super::dense::{Addend, Weights, dense, lanes_of, lanes_of_mut, pack, rectified};
use crate::eval::{Axis, Run};
use crate::field::latents::{Input, Level, TAPS, between, last_node, nodes_at, shares};
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
        let Some(pyramid) = field.spec().pyramid() else { return };
        let (levels, inputs) = (pyramid.levels(field.spec().inputs), pyramid.inputs(field.spec().inputs));
        let runs: Vec<Vec<Run>> = axes.iter().map(Axis::runs).collect();
        for chosen in product(&runs.iter().map(Vec::len).collect::<Vec<_>>()) {
            let chosen: Vec<&Run> = chosen.iter().zip(&runs).map(|(&run, runs)| &runs[run]).collect();
            let owner: Vec<u32> = chosen.iter().map(|run| run.owner).collect();
            let Some(latents) = field.grid().ravel(&owner).and_then(|partition| field.local_of(partition)) else {
                continue;
            };
            let part = Part::new(field, axes, (&levels, &inputs), &chosen, latents);
            part.rows(
                #[inline(always)]
                |place, rows| network.run(simd, place, rows, &part, out),
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

/// Positions of a part along an axis, at one level.
struct Along {
    last: u32,
    /// The node before each, and the part of the way to the next: taps of all would be ten times as large.
    between: Vec<(i32, f32)>,
}

/// The part of a view that lies in one partition.
struct Part<'a> {
    levels: &'a [Level],
    latents: &'a [f32],
    /// Places in the view, per axis.
    places: Vec<Range<usize>>,
    /// Sizes of the view.
    sizes: Vec<usize>,
    /// The last node and where positions lie, `[level][axis]`.
    along: Vec<Vec<Along>>,
    /// The level of each row of nodes, and the axis and order of a derivative along another axis than the last.
    rows: Vec<Input>,
    /// Of each input its row of nodes and its order along the last axis.
    inputs: Vec<(usize, usize)>,
}

impl<'a> Part<'a> {
    fn new(
        field: &Field,
        axes: &[Axis],
        (levels, inputs): (&'a [Level], &[Input]),
        chosen: &[&Run],
        latents: &'a [f32],
    ) -> Self {
        let along = |level: &Level, axis: usize| {
            let samples = field.grid().axis_range(axis, chosen[axis].owner);
            let positions = &axes[axis].positions[chosen[axis].places.clone()];
            let between = positions.iter().map(|&position| between(&samples, level.exponent, position)).collect();
            Along { last: last_node(&samples, level.exponent), between }
        };
        let last = axes.len().saturating_sub(1);
        let mut rows: Vec<Input> = Vec::new();
        let mut row_of = |input: &Input| {
            let order_along_last = input.order_along(last);
            let row = if order_along_last > 0 { Input { axis: 0, order: 0, ..*input } } else { *input };
            let place = rows.iter().position(|known| *known == row).unwrap_or_else(|| {
                rows.push(row);
                rows.len() - 1
            });
            (place, order_along_last)
        };
        Self {
            inputs: inputs.iter().map(&mut row_of).collect(),
            rows,
            levels,
            latents,
            places: chosen.iter().map(|run| run.places.clone()).collect(),
            sizes: axes.iter().map(|axis| axis.positions.len()).collect(),
            along: levels.iter().map(|level| (0..axes.len()).map(|axis| along(level, axis)).collect()).collect(),
        }
    }

    /// Calls `run` for every row of samples, with the place of the first in the view and its rows of nodes.
    #[inline(always)]
    fn rows(&self, mut run: impl FnMut(usize, &[Vec<f32>])) {
        let Some((last, leading)) = self.places.split_last() else { return };
        let lengths: Vec<usize> = leading.iter().map(Range::len).collect();
        let columns = |row: &Input| self.levels[row.level].nodes.last().copied().unwrap_or(1);
        let mut nodes: Vec<Vec<f32>> = self.rows.iter().map(|row| vec![0.0; columns(row)]).collect();
        for index in product(&lengths) {
            for (row, nodes) in self.rows.iter().zip(&mut nodes) {
                self.row_of_nodes(row, &index, nodes);
            }
            let first =
                index.iter().zip(leading).zip(&self.sizes).fold(0, |sum, ((i, range), n)| sum * n + range.start + i);
            let start = first * self.sizes.last().copied().unwrap_or(1) + last.start;
            run(start, &nodes);
        }
    }

    /// A level's nodes along the last axis, by the taps of the others at `index`.
    #[inline(always)]
    fn row_of_nodes(&self, row: &Input, index: &[usize], nodes: &mut [f32]) {
        let level = &self.levels[row.level];
        let (own, columns) = (&self.latents[level.latents.clone()], nodes.len());
        nodes.fill(0.0);
        let leading = self.along[row.level].iter().zip(index).enumerate();
        let taps: Vec<_> = leading
            .map(|(axis, (along, &i))| {
                let (first, part) = along.between[i];
                (nodes_at(first, along.last), shares(part, row.order_along(axis)))
            })
            .collect();
        for combination in 0..TAPS.pow(u32::try_from(index.len()).unwrap_or(u32::MAX)) {
            let (mut rest, mut place, mut weight) = (combination, 0, 1.0);
            for ((taps, shares), &along) in taps.iter().zip(&level.nodes) {
                let tap = rest % TAPS;
                rest /= TAPS;
                place = place * along + taps[tap];
                weight *= shares[tap];
            }
            if weight == 0.0 {
                continue;
            }
            for (sum, latent) in nodes.iter_mut().zip(&own[place * columns..]) {
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
    /// What the network sees of the latents, then the last features: what the last layer sees.
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

    /// Takes a row of samples of `part` from `place` on, by these rows of nodes; `out` gets those that waited as soon as they are a
    /// block.
    #[inline(always)]
    fn run(&mut self, simd: S, place: usize, rows: &[Vec<f32>], part: &Part<'_>, out: &mut [f32]) {
        let columns = block_vectors::<S>() * S::F32_LANES;
        let samples = part.places.last().map_or(0, Range::len);
        let mut first = 0;
        while first < samples {
            let lane = self.places.len();
            let end = samples.min(first + columns - lane);
            let joined = lanes_of_mut::<S>(&mut self.joined).chunks_exact_mut(columns);
            for (into, &(row, order)) in joined.zip(&part.inputs) {
                let (nodes, level) = (&rows[row], part.rows[row].level);
                let Some(along) = part.along[level].last() else { continue };
                for (input, &(first, part)) in into[lane..].iter_mut().zip(&along.between[first..end]) {
                    let [a, b, c, d] = nodes_at(first, along.last).map(|node| nodes[node]);
                    let shares = shares(part, order);
                    *input = shares[0] * a + shares[1] * b + shares[2] * c + shares[3] * d;
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
