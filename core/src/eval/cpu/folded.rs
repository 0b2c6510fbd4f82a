//! The first layer of an encoded network, folded into a sum of one part per axis.
//!
//! `e(x) W` is a sum over axes of `e_j(x_j) W_j`, and few coordinates differ: the parts are computed once per coordinate
//! and added per sample, which leaves 64 additions of the 2,112 multiply-adds of the published narrow network. On the way
//! back, deltas are summed per coordinate first and meet the encoded coordinates once.

use std::ops::Range;

use pulp::Simd;

use super::block::{Samples, Segment, block_vectors};
use super::dense::{Addend, Weights, dense, lanes_of, lanes_of_mut};
use super::encoded::{AxisTable, Tables};
use super::forward::Network;
use super::gradient::weight_gradient;

/// The first layers of the local networks of one task.
#[derive(Debug)]
pub(super) struct FirstLayer<'a, S: Simd> {
    tables: &'a [AxisTable],
    samples: &'a Samples,
    /// Of the slot that was evaluated last: `W_j` times the encoded coordinates.
    parts: Parts,
    /// Of the slot that was differentiated last: sums of deltas.
    deltas: Parts,
    /// A block of encoded coordinates, of deltas, and of deltas sample by sample.
    scratch: [Vec<S::f32s>; 3],
}

/// One number per output and coordinate, for the coordinates of one slot.
#[derive(Debug, Default)]
struct Parts {
    slot: Option<usize>,
    axes: Vec<AxisPart>,
}

#[derive(Debug)]
struct AxisPart {
    /// Which places of the axis it covers.
    places: Range<usize>,
    /// Floats per output: the places and padding.
    stride: usize,
    /// `[outputs, stride]`.
    values: Vec<f32>,
}

impl Parts {
    /// Where `place` is in the row of `output`.
    #[inline(always)]
    fn at(&self, axis: usize, output: usize, place: u32) -> usize {
        let part = &self.axes[axis];
        output * part.stride + place as usize - part.places.start
    }
}

impl<'a, S: Simd> FirstLayer<'a, S> {
    /// For samples whose encoding is a sum over axes; `None` for others.
    pub(super) fn of(simd: S, network: &Network<'_>, tables: Option<&'a Tables>, samples: &'a Samples) -> Option<Self> {
        match tables {
            Some(Tables::Sum(tables)) => Some(Self::new(simd, network, tables, samples)),
            Some(Tables::Waves(_)) | None => None,
        }
    }

    fn new(simd: S, network: &Network<'_>, tables: &'a [AxisTable], samples: &'a Samples) -> Self {
        let width = block_vectors::<S>();
        let rows = |count: usize| vec![simd.splat_f32s(0.0); count * width];
        let (inputs, outputs) = (tables.iter().map(|t| t.inputs.len()).max().unwrap_or(0), network.local_width());
        let turned = outputs.div_ceil(S::F32_LANES) * S::F32_LANES;
        let scratch = [rows(inputs), rows(outputs), rows(turned)];
        Self { tables, samples, parts: Parts::default(), deltas: Parts::default(), scratch }
    }

    /// Zeros for the coordinates that the samples of a segment's slot have.
    fn empty_parts(&self, segment: &Segment, outputs: usize) -> Parts {
        let spans = &self.samples.spans;
        let index = spans.partition_point(|(_, span)| span.end <= segment.samples.start);
        let span = spans.get(index).map_or(segment.samples.clone(), |(_, span)| span.clone());
        let part = |places: &Vec<u32>| {
            let places = &places[span.clone()];
            let first = places.iter().min().map_or(0, |&place| place as usize);
            let end = places.iter().max().map_or(0, |&place| place as usize + 1);
            let stride = (end - first).next_multiple_of(S::F32_LANES);
            AxisPart { places: first..end, stride, values: vec![0.0; outputs * stride] }
        };
        Parts { slot: Some(segment.slot), axes: self.samples.places.iter().map(part).collect() }
    }

    /// The layer before its activation, for the samples of a segment.
    #[inline(always)]
    pub(super) fn forward(&mut self, simd: S, network: &Network<'_>, segment: &Segment, output: &mut [S::f32s]) {
        let (layer, weights) = (&network.local_layers[0], network.local(segment.slot));
        if self.parts.slot != Some(segment.slot) {
            self.parts = self.empty_parts(segment, layer.outputs);
            for (table, part) in self.tables.iter().zip(&mut self.parts.axes) {
                let matrix = &weights[layer.weights.clone()];
                project(simd, table, matrix, layer.outputs, part);
            }
        }
        let columns = block_vectors::<S>() * S::F32_LANES;
        let (output, biases) = (lanes_of_mut::<S>(output), &weights[layer.biases.clone()]);
        let first_lane = segment.vectors.start * S::F32_LANES;
        let Some((along, others)) = self.samples.places.split_last() else { return };
        for run in runs(along, others, segment.samples.clone()) {
            let lane = first_lane + run.start - segment.samples.start;
            for (o, &bias) in biases.iter().enumerate() {
                let mut base = bias;
                for (axis, places) in others.iter().enumerate() {
                    base += self.parts.axes[axis].values[self.parts.at(axis, o, places[run.start])];
                }
                let start = self.parts.at(others.len(), o, along[run.start]);
                let part = &self.parts.axes[others.len()].values[start..start + run.len()];
                for (value, part) in output[o * columns + lane..][..run.len()].iter_mut().zip(part) {
                    *value = base + part;
                }
            }
        }
    }

    /// Takes the layer's `delta` for the samples of a segment. `local` is the gradient of the slots from `first_slot` on; what
    /// belongs to a slot comes into it when the next one is entered, or by [`FirstLayer::leave`].
    #[inline(always)]
    pub(super) fn backward(
        &mut self,
        simd: S,
        network: &Network<'_>,
        segment: &Segment,
        delta: &[S::f32s],
        first_slot: usize,
        local: &mut [f32],
    ) {
        if self.deltas.slot != Some(segment.slot) {
            self.leave(simd, network, first_slot, local);
            self.deltas = self.empty_parts(segment, network.local_width());
        }
        let columns = block_vectors::<S>() * S::F32_LANES;
        let delta = lanes_of::<S>(delta);
        let first_lane = segment.vectors.start * S::F32_LANES;
        let Some((along, others)) = self.samples.places.split_last() else { return };
        for run in runs(along, others, segment.samples.clone()) {
            let lane = first_lane + run.start - segment.samples.start;
            for o in 0..network.local_width() {
                let delta = &delta[o * columns + lane..][..run.len()];
                let start = self.deltas.at(others.len(), o, along[run.start]);
                let sums = &mut self.deltas.axes[others.len()].values[start..start + run.len()];
                sums.iter_mut().zip(delta).for_each(|(sum, delta)| *sum += delta);
                if others.is_empty() {
                    continue;
                }
                let total = sum(delta);
                for (axis, places) in others.iter().enumerate() {
                    let place = self.deltas.at(axis, o, places[run.start]);
                    self.deltas.axes[axis].values[place] += total;
                }
            }
        }
    }

    /// Adds what was taken for the current slot to its gradient.
    pub(super) fn leave(&mut self, simd: S, network: &Network<'_>, first_slot: usize, local: &mut [f32]) {
        let Some(slot) = self.deltas.slot.take() else { return };
        let (layer, size) = (&network.local_layers[0], network.local_size());
        let gradient = &mut local[(slot - first_slot) * size..][..size];
        let columns = block_vectors::<S>() * S::F32_LANES;
        let stride = layer.outputs.div_ceil(S::F32_LANES);
        let [inputs, deltas, turned] = &mut self.scratch;
        for (axis, (table, part)) in self.tables.iter().zip(&self.deltas.axes).enumerate() {
            let mut rows = vec![simd.splat_f32s(0.0); (table.inputs.len() + 1) * stride];
            for start in (0..part.places.len()).step_by(columns) {
                let count = columns.min(part.places.len() - start);
                let place = part.places.start + start;
                copy_rows(&table.values, table.coordinates, place, count, lanes_of_mut::<S>(inputs), columns);
                copy_rows(&part.values, part.stride, start, count, lanes_of_mut::<S>(deltas), columns);
                let used = 0..count.div_ceil(S::F32_LANES);
                weight_gradient(simd, inputs, deltas, turned, layer.outputs, used, &mut rows);
            }
            let (weights, biases) = rows.split_at(table.inputs.len() * stride);
            for (&input, row) in table.inputs.iter().zip(weights.chunks_exact(stride)) {
                let target = &mut gradient[layer.weights.start + input * layer.outputs..][..layer.outputs];
                target.iter_mut().zip(lanes_of::<S>(row)).for_each(|(t, g)| *t += g);
            }
            if axis == 0 {
                // Every axis has all deltas in its sums.
                let target = &mut gradient[layer.biases.clone()];
                target.iter_mut().zip(lanes_of::<S>(biases)).for_each(|(t, g)| *t += g);
            }
        }
    }
}

/// The part of the first layer that belongs to one axis, for each of its coordinates.
#[inline(always)]
fn project<S: Simd>(simd: S, table: &AxisTable, matrix: &[f32], outputs: usize, part: &mut AxisPart) {
    let width = part.stride / S::F32_LANES;
    let rows = |count: usize| vec![simd.splat_f32s(0.0); count * width];
    let (mut inputs, mut found) = (rows(table.inputs.len()), rows(outputs));
    let (start, count) = (part.places.start, part.places.len());
    copy_rows(&table.values, table.coordinates, start, count, lanes_of_mut::<S>(&mut inputs), part.stride);
    let weights: Vec<f32> = table.inputs.iter().flat_map(|i| &matrix[i * outputs..][..outputs]).copied().collect();
    dense(simd, Weights::Rows(&weights), Addend::Nothing, outputs, &inputs, &mut found, width, 0..width);
    part.values.copy_from_slice(lanes_of::<S>(&found));
}

/// `count` numbers from `start` on of every row of `from`, to the start of the rows of `into`; zeros behind them.
fn copy_rows(from: &[f32], from_stride: usize, start: usize, count: usize, into: &mut [f32], into_stride: usize) {
    for (from, into) in from.chunks_exact(from_stride).zip(into.chunks_exact_mut(into_stride)) {
        into[..count].copy_from_slice(&from[start..start + count]);
        into[count..].fill(0.0);
    }
}

/// Samples one after the other along the last axis.
fn runs<'p>(
    along: &'p [u32],
    others: &'p [Vec<u32>],
    samples: Range<usize>,
) -> impl Iterator<Item = Range<usize>> + 'p {
    let mut start = samples.start;
    std::iter::from_fn(move || {
        if start >= samples.end {
            return None;
        }
        let mut end = start + 1;
        while end < samples.end
            && along[end] == along[end - 1].wrapping_add(1)
            && others.iter().all(|places| places[end] == places[start])
        {
            end += 1;
        }
        Some(std::mem::replace(&mut start, end)..end)
    })
}

/// In eight sums, which the compiler makes one vector.
#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
