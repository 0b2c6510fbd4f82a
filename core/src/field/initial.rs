//! Start weights (reference/local-global.md 1.4): uniform, biases as PyTorch's linear layers have them.

use super::{Field, FieldSpec, Layer};
use crate::error::Error;
use crate::grid::Grid;

/// Draws a field's start weights from `seed`, all partitions present. The same seed gives the same weights on every
/// machine: the generator is SplitMix64, and draws go tensor by tensor in the layout order of [`Field`].
///
/// # Errors
/// As [`Field::new`].
pub fn initialise(spec: &FieldSpec, grid: &Grid, seed: u64) -> Result<Field, Error> {
    spec.validate_on(grid)?;
    let mut random = SplitMix64(seed);
    let mut shared = Vec::new();
    for (index, layer) in spec.global_layers().iter().enumerate() {
        draw(&mut random, layer, weight_bound(spec, layer, index == 0), &mut shared);
    }
    if let Some(layer) = spec.merge_layer() {
        draw(&mut random, &layer, weight_bound(spec, &layer, false), &mut shared);
    }
    let layers = spec.local_layers();
    let mut local = Vec::new();
    for _ in 0..grid.partitions() {
        for (index, layer) in layers.iter().enumerate() {
            draw(&mut random, layer, weight_bound(spec, layer, index == 0), &mut local);
        }
    }
    Field::new(spec.clone(), grid.clone(), (0..grid.partitions()).collect(), shared, local)
}

/// [`initialise`], with first local layers that see their partition as a plain SIREN sees its whole signal.
///
/// The published start weights see all coordinates, of which a partition is a small part: over it, each of its first
/// sines turns by a fraction of a radian. Here the first weights are larger by half the number of partitions along
/// their axis (never smaller), and the first biases keep the phase at the partition's centre. The field reaches the
/// same error in a tenth of the steps (`docs/benchmarks.md`).
///
/// # Errors
/// As [`Field::new`].
pub fn initialise_centred(spec: &FieldSpec, grid: &Grid, seed: u64) -> Result<Field, Error> {
    let field = initialise(spec, grid, seed)?;
    let layers = spec.local_layers();
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return Ok(field) };
    let (turn, size) = (std::f32::consts::TAU / spec.first_omega, last.biases.end);
    let mut local = field.local().to_vec();
    for (partition, network) in (0..grid.partitions()).zip(local.chunks_exact_mut(size)) {
        let bounds = grid.partition_box(partition);
        for (axis, (range, &factor)) in bounds.iter().zip(grid.factors()).enumerate() {
            let centre = grid.coordinate(axis, f64::from(range.start + range.end - 1) / 2.0);
            #[expect(clippy::cast_precision_loss, reason = "a scale needs no more digits")]
            let scale = (factor as f32 / 2.0).max(1.0);
            for unit in 0..first.outputs {
                let weight = &mut network[first.weights.start + axis * first.outputs + unit];
                let moved = *weight * (1.0 - scale) * centre;
                *weight *= scale;
                network[first.biases.start + unit] += moved;
            }
        }
        for bias in &mut network[first.biases.clone()] {
            *bias -= turn * (*bias / turn).round();
        }
    }
    field.with_weights(field.shared().to_vec(), local)
}

#[expect(clippy::cast_precision_loss, reason = "widths are at most 8192")]
fn weight_bound(spec: &FieldSpec, layer: &Layer, first: bool) -> f32 {
    let fan_in = layer.inputs as f32;
    if first { 1.0 / fan_in } else { (6.0 / fan_in).sqrt() / spec.hidden_omega }
}

#[expect(clippy::cast_precision_loss, reason = "widths are at most 8192")]
fn draw(random: &mut SplitMix64, layer: &Layer, bound: f32, into: &mut Vec<f32>) {
    into.extend(layer.weights.clone().map(|_| random.uniform(bound)));
    let bound = 1.0 / (layer.inputs as f32).sqrt();
    into.extend(layer.biases.clone().map(|_| random.uniform(bound)));
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, seedable from one word, passes the usual test batteries.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next 64 bits.
    pub fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on [-bound, bound).
    #[expect(clippy::cast_precision_loss, reason = "24 random bits fit an f32")]
    pub fn uniform(&mut self, bound: f32) -> f32 {
        let unit = (self.next_word() >> 40) as f32 / (1_u32 << 24) as f32;
        (unit * 2.0 - 1.0) * bound
    }

    /// Uniform on 0..n, for n well below 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_word()) * u128::from(n)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::UNIT_RANGE;

    #[test]
    fn bounds_are_kept_and_seeds_matter() {
        let spec = FieldSpec::local_global(2, 3, 6, 10);
        let grid = Grid::new(vec![24, 16], vec![4, 2], UNIT_RANGE).unwrap();
        let field = initialise(&spec, &grid, 7).unwrap();
        assert_eq!(field, initialise(&spec, &grid, 7).unwrap());
        assert_ne!(field, initialise(&spec, &grid, 8).unwrap());
        let hidden = &spec.local_layers()[1];
        let bound = (6.0_f32 / 6.0).sqrt() / 30.0;
        let weights = &field.local_of(3).unwrap()[hidden.weights.clone()];
        assert!(weights.iter().all(|w| w.abs() <= bound) && weights.iter().any(|w| w.abs() > bound / 2.0));
    }

    #[test]
    fn a_centred_start_keeps_the_phase_at_the_centre() {
        let spec = FieldSpec::local_global(2, 3, 6, 10);
        let grid = Grid::new(vec![48, 16], vec![12, 2], UNIT_RANGE).unwrap();
        let (plain, centred) = (initialise(&spec, &grid, 3).unwrap(), initialise_centred(&spec, &grid, 3).unwrap());
        assert_eq!(plain.shared(), centred.shared());
        let layer = &spec.local_layers()[0];
        for partition in 0..grid.partitions() {
            let bounds = grid.partition_box(partition);
            let centre =
                |axis: usize| grid.coordinate(axis, f64::from(bounds[axis].start + bounds[axis].end - 1) / 2.0);
            let phase = |weights: &[f32], unit: usize| {
                let sum = weights[unit] * centre(0) + weights[layer.outputs + unit] * centre(1);
                (spec.first_omega * (sum + weights[layer.biases.start + unit])).sin()
            };
            let (a, b) = (plain.local_of(partition).unwrap(), centred.local_of(partition).unwrap());
            for unit in 0..layer.outputs {
                assert!((phase(a, unit) - phase(b, unit)).abs() < 1e-4);
                assert_eq!(b[unit], 6.0 * a[unit]);
                assert_eq!(b[layer.outputs + unit], a[layer.outputs + unit]);
                assert!(b[layer.biases.start + unit].abs() <= std::f32::consts::PI / spec.first_omega * 1.000_001);
            }
            assert_eq!(a[layer.biases.end..], b[layer.biases.end..]);
        }
    }
}
