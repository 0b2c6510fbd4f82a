//! Samples of a partition as blocks of rows, and what a layer does to them.

use tessera_core::eval::sine;
use tessera_core::field::{Activation, Field, FieldSpec, Layer, SplitMix64};

/// Samples of a block: a step of learning sees one, and its rows stay within the first-level cache.
pub(super) const BLOCK: usize = 256;
/// Samples that are drawn of a partition, at most. The weights of a unit are learned on their own, so these are eight samples
/// for each of the 256 unknowns in the widest published network.
const SAMPLES: u64 = 2048;
/// Sums that stay in registers.
const LANES: usize = 32;
/// Tells the drawing of samples from all others that a seed starts.
const STREAM: u64 = 0x726f_756e_6469_6e67;

/// One feature of the samples of a block.
pub(super) type Row = [f32; BLOCK];

/// Features of samples: block by block, in each `features` rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blocks {
    features: usize,
    rows: Vec<Row>,
}

/// What follows a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Curve {
    /// `sin(omega z)`.
    Sine(f32),
    /// `max(z, 0)`.
    Rectified,
    /// Nothing.
    Straight,
}

impl Curve {
    /// That of the layer at `depth` of `layers` local layers.
    pub(super) fn of(spec: &FieldSpec, depth: usize, layers: usize) -> Self {
        match spec.activation {
            _ if depth + 1 == layers => Self::Straight,
            Activation::Relu | Activation::LeakyRelu => Self::Rectified,
            Activation::Sine if depth == 0 => Self::Sine(spec.first_omega),
            Activation::Sine => Self::Sine(spec.hidden_omega),
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, rows: &mut [Row]) {
        let values = rows.as_flattened_mut();
        match self {
            Self::Sine(omega) => values.iter_mut().for_each(|z| *z = sine::sin(omega * *z)),
            Self::Rectified => values.iter_mut().for_each(|z| *z = z.max(0.0)),
            Self::Straight => (),
        }
    }

    /// As [`Curve::apply`], with the derivatives in `slopes`.
    #[inline(always)]
    pub(super) fn apply_with_slopes(self, rows: &mut [Row], slopes: &mut [Row]) {
        let (values, slopes) = (rows.as_flattened_mut(), slopes.as_flattened_mut());
        match self {
            Self::Sine(omega) => values.iter_mut().zip(slopes).for_each(|(z, slope)| {
                let (sine, cosine) = sine::sin_cos(omega * *z);
                (*z, *slope) = (sine, omega * cosine);
            }),
            Self::Rectified => values.iter_mut().zip(slopes).for_each(|(z, slope)| {
                *slope = if *z > 0.0 { 1.0 } else { 0.0 };
                *z = z.max(0.0);
            }),
            Self::Straight => slopes.fill(1.0),
        }
    }
}

impl Blocks {
    fn zeros(features: usize, blocks: usize) -> Self {
        Self { features, rows: vec![[0.0; BLOCK]; features * blocks] }
    }

    /// What the first layer of `partition`'s network gets, in an order drawn from `seed`: all samples where they are few,
    /// some of them again to fill the last block.
    pub(super) fn drawn(field: &Field, partition: u32, seed: u64) -> Self {
        let (spec, grid) = (field.spec(), field.grid());
        let bounds = grid.partition_box(partition);
        let places = places(grid.partition_samples(partition), partition, seed);
        #[expect(clippy::cast_possible_truncation, reason = "at most 4096 in a valid spec")]
        let features = spec.encoded_inputs() as usize;
        let mut drawn = Self::zeros(features, places.len() / BLOCK);
        for (sample, &place) in places.iter().enumerate() {
            let mut rest = place;
            let mut coordinates = vec![0.0; bounds.len()];
            for (axis, range) in bounds.iter().enumerate().rev() {
                let length = u64::from(range.end - range.start).max(1);
                #[expect(clippy::cast_precision_loss, reason = "a place within an axis has 24 bits")]
                let position = f64::from(range.start) + (rest % length) as f64;
                coordinates[axis] = grid.coordinate(axis, position);
                rest /= length;
            }
            let first = sample / BLOCK * features;
            for (row, value) in drawn.rows[first..].iter_mut().zip(spec.encoding.encode(&coordinates)) {
                row[sample % BLOCK] = value;
            }
        }
        drawn
    }

    pub(super) fn features(&self) -> usize {
        self.features
    }

    pub(super) fn count(&self) -> usize {
        self.rows.len() / self.features.max(1)
    }

    pub(super) fn block(&self, index: usize) -> &[Row] {
        &self.rows[index * self.features..][..self.features]
    }

    /// With `by` (one number per feature) subtracted.
    pub(super) fn shifted(mut self, by: &[f32]) -> Self {
        for rows in self.rows.chunks_exact_mut(self.features.max(1)) {
            for (row, by) in rows.iter_mut().zip(by) {
                row.iter_mut().for_each(|value| *value -= by);
            }
        }
        self
    }

    /// What `layer` of `network` makes of these.
    #[inline(always)]
    pub(super) fn through(&self, layer: &Layer, network: &[f32], curve: Curve) -> Self {
        let (weights, biases) = (&network[layer.weights.clone()], &network[layer.biases.clone()]);
        let mut out = Self::zeros(layer.outputs, self.count());
        for (index, rows) in out.rows.chunks_exact_mut(layer.outputs.max(1)).enumerate() {
            product(weights, biases, self.block(index), rows);
            curve.apply(rows);
        }
        out
    }

    /// With the features of `other` behind these.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let rows = (0..self.count()).flat_map(|block| [self.block(block), other.block(block)].concat()).collect();
        Self { features: self.features + other.features, rows }
    }

    /// Mean squared difference from `other`, by feature.
    pub(super) fn errors(&self, other: &Self) -> Vec<f64> {
        let mut sums = vec![0.0; self.features];
        for (index, (a, b)) in self.rows.iter().zip(&other.rows).enumerate() {
            let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
            sums[index % self.features] += squares.sum::<f64>();
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
        sums.iter().map(|sum| sum / (self.count() * BLOCK).max(1) as f64).collect()
    }
}

/// Places of samples within a partition of `samples`, a whole number of blocks.
fn places(samples: u64, partition: u32, seed: u64) -> Vec<u64> {
    let stream = SplitMix64(STREAM ^ u64::from(partition)).next_word();
    let mut random = SplitMix64(SplitMix64(seed).next_word() ^ stream);
    let full = samples.min(SAMPLES).next_multiple_of(BLOCK as u64);
    if samples > SAMPLES {
        return (0..full).map(|_| random.below(samples)).collect();
    }
    let mut places: Vec<u64> = (0..samples).collect();
    for last in (1..places.len()).rev() {
        #[expect(clippy::cast_possible_truncation, reason = "below the length of a list")]
        places.swap(last, random.below(last as u64 + 1) as usize);
    }
    (0..full).zip(places.iter().cycle()).map(|(_, &place)| place).collect()
}

/// `output[o] = biases[o] + sum over i of weights[i][o] input[i]`.
#[inline(always)]
pub(super) fn product(weights: &[f32], biases: &[f32], input: &[Row], output: &mut [Row]) {
    let outputs = biases.len();
    for lanes in 0..BLOCK / LANES {
        for (o, (row, &bias)) in output.iter_mut().zip(biases).enumerate() {
            let mut sums = [bias; LANES];
            for (x, weights) in input.iter().zip(weights.chunks_exact(outputs)) {
                let weight = weights[o];
                let x = &x.as_chunks::<LANES>().0[lanes];
                sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += weight * x);
            }
            row.as_chunks_mut::<LANES>().0[lanes] = sums;
        }
    }
}

/// `gradient[i][o] = sum over samples of input[i] deltas[o]`.
#[inline(always)]
pub(super) fn weight_gradient(input: &[Row], deltas: &[Row], gradient: &mut [f32]) {
    for (x, gradient) in input.iter().zip(gradient.chunks_exact_mut(deltas.len().max(1))) {
        for (delta, gradient) in deltas.iter().zip(gradient) {
            let mut sums = [0.0; LANES];
            for (x, d) in x.as_chunks::<LANES>().0.iter().zip(delta.as_chunks::<LANES>().0) {
                sums.iter_mut().zip(x).zip(d).for_each(|((sum, x), d)| *sum += x * d);
            }
            *gradient = sums.iter().sum();
        }
    }
}

#[cfg(test)]
impl Blocks {
    /// Made-up numbers on [-bound, bound).
    pub(super) fn noise(features: usize, blocks: usize, bound: f32, random: &mut SplitMix64) -> Self {
        let mut noise = Self::zeros(features, blocks);
        noise.rows.as_flattened_mut().iter_mut().for_each(|value| *value = random.uniform(bound));
        noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_of_a_small_partition_is_drawn_and_large_ones_are_thinned() {
        for (samples, drawn) in [(1, 256), (300, 512), (2048, 2048), (1 << 40, 2048)] {
            let places = places(samples, 3, 7);
            assert_eq!(places.len(), drawn);
            assert!(places.iter().all(|&place| place < samples));
            let mut seen = places.clone();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len() as u64, samples.min(2048), "of {samples}");
            assert_eq!(places, super::places(samples, 3, 7));
        }
        assert_ne!(places(2048, 3, 7), places(2048, 4, 7));
    }

    #[test]
    fn products_and_their_gradients_are_sums() {
        let mut random = SplitMix64(5);
        let (input, deltas) = (Blocks::noise(3, 1, 1.0, &mut random), Blocks::noise(2, 1, 1.0, &mut random));
        let weights: Vec<f32> = (0..6).map(|_| random.uniform(1.0)).collect();
        let mut output = vec![[0.0; BLOCK]; 2];
        product(&weights, &[0.5, -1.0], input.block(0), &mut output);
        let mut gradient = vec![0.0; 6];
        weight_gradient(input.block(0), deltas.block(0), &mut gradient);
        for s in [0, 31, 32, 255] {
            let expected = -1.0 + (0..3).map(|i| input.rows[i][s] * weights[2 * i + 1]).sum::<f32>();
            assert!((output[1][s] - expected).abs() < 1e-6);
        }
        let expected: f32 = (0..BLOCK).map(|s| input.rows[2][s] * deltas.rows[1][s]).sum();
        assert!((gradient[5] - expected).abs() < 1e-4, "{} {expected}", gradient[5]);
    }
}
