//! Start weights (reference/local-global.md 1.4, reference/inr-compression.md 3.2): uniform for sine layers, normal for ReLU
//! layers, biases as PyTorch's linear layers have them.

use super::arithmetic::Normals;
use super::{Activation, Field, FieldSpec, Layer};
use crate::codec::WeightCoding;
use crate::error::Error;
use crate::grid::Grid;

/// Which weights a network starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StartRule {
    /// All weights are zero. No training starts so; weights of unknown origin are told by themselves.
    #[default]
    Zero,
    /// As [`initialise`].
    Drawn,
    /// As [`initialise_centred`].
    Centred,
}

/// The start weights of a field, one network at a time.
///
/// The generator is SplitMix64, and draws go tensor by tensor in the layout order of [`Field`], the shared weights first,
/// so that any partition's place in the stream is known. Only single operations of IEEE 754 are used: the same seed gives
/// the same weights, to the bit, on every machine.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    spec: &'a FieldSpec,
    grid: &'a Grid,
    seed: u64,
    rule: StartRule,
    layers: Vec<Layer>,
}

impl<'a> Start<'a> {
    /// The start weights of `spec` on `grid`, which must suit each other.
    pub fn new(spec: &'a FieldSpec, grid: &'a Grid, seed: u64, rule: StartRule) -> Self {
        Self { spec, grid, seed, rule, layers: spec.local_layers() }
    }

    /// Weights of the global network and the merge layer.
    pub fn shared(&self) -> Vec<f32> {
        if self.rule == StartRule::Zero {
            return self.spec.shared_layers().last().map_or_else(Vec::new, |layer| vec![0.0; layer.biases.end]);
        }
        let mut random = SplitMix64(self.seed);
        let mut shared = Vec::new();
        for (index, layer) in self.spec.shared_layers().iter().enumerate() {
            draw(&mut random, self.spec, layer, index == 0, &mut shared);
        }
        if let (StartRule::Centred, Some(merge)) = (self.rule, self.spec.merge_layer()) {
            let width = merge.outputs;
            for (i, weight) in shared[merge.weights.start..][..width * width].iter_mut().enumerate() {
                *weight = if i % (width + 1) == 0 { 1.0 / self.spec.hidden_omega } else { 0.0 };
            }
            shared[merge.biases].fill(0.0);
        }
        shared
    }

    /// Weights of the local network of `partition`, which must be one of the grid.
    pub fn local(&self, partition: u32) -> Vec<f32> {
        let size = self.layers.last().map_or(0, |layer| layer.biases.end);
        if self.rule == StartRule::Zero || self.spec.pyramid().is_some() {
            return vec![0.0; size];
        }
        let before = self.spec.shared_parameters() + u64::from(partition) * size as u64;
        let mut random = SplitMix64(self.seed).skipped(before);
        let mut local = Vec::with_capacity(size);
        for (index, layer) in self.layers.iter().enumerate() {
            draw(&mut random, self.spec, layer, index == 0, &mut local);
        }
        // Without plain coordinates the first layer knows of no centre.
        if self.rule == StartRule::Centred && !self.spec.is_encoded() {
            self.centre(&mut local, partition);
        }
        local
    }

    fn centre(&self, network: &mut [f32], partition: u32) {
        let Some(first) = self.layers.first() else { return };
        let turn = std::f32::consts::TAU / self.spec.first_omega;
        let bounds = self.grid.partition_box(partition);
        for (axis, (range, &factor)) in bounds.iter().zip(self.grid.factors()).enumerate() {
            let centre = self.grid.coordinate(axis, f64::from(range.start + range.end - 1) / 2.0);
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

    fn field(&self) -> Result<Field, Error> {
        self.spec.validate_on(self.grid)?;
        let present: Vec<u32> = (0..self.grid.partitions()).collect();
        let local = present.iter().flat_map(|&partition| self.local(partition)).collect();
        Field::new(self.spec.clone(), self.grid.clone(), present, self.shared(), local)
    }
}

/// Draws a field's start weights from `seed`, all partitions present. The same seed gives the same weights on every
/// machine.
///
/// # Errors
/// As [`Field::new`].
pub fn initialise(spec: &FieldSpec, grid: &Grid, seed: u64) -> Result<Field, Error> {
    Start::new(spec, grid, seed, StartRule::Drawn).field()
}

/// [`initialise`], with first local layers that see their partition as a plain SIREN sees its whole signal.
///
/// The published start weights see all coordinates, of which a partition is a small part: over it, each of its first
/// sines turns by a fraction of a radian. Here the first weights are larger by half the number of partitions along
/// their axis (never smaller), and the first biases keep the phase at the partition's centre. The merge begins by handing
/// local features through: its local part is the identity over omega, its biases are zero. The field reaches the same
/// error in a small part of the steps (`docs/benchmarks.md`).
///
/// # Errors
/// As [`Field::new`], and [`Error::Parameter`] for a network with an encoding or another activation than sine, whose first
/// layers it does not suit.
pub fn initialise_centred(spec: &FieldSpec, grid: &Grid, seed: u64) -> Result<Field, Error> {
    if spec.is_encoded() {
        return Err(Error::parameter("a centred start is for sine layers on plain coordinates"));
    }
    Start::new(spec, grid, seed, StartRule::Centred).field()
}

/// The same field with other last biases: `biases` is `[present partitions, channels]`.
///
/// With the mean of each partition's values, training does not spend its steps on carrying them there, and a partition
/// that is never trained shows its mean.
///
/// # Errors
/// [`Error::Parameter`] for another number of biases, or one that is not finite.
pub fn with_last_biases(field: &Field, biases: &[f32]) -> Result<Field, Error> {
    let channels = field.spec().outputs as usize;
    if biases.len() != field.present().len() * channels {
        return Err(Error::parameter(format!(
            "{} biases do not suit {} partitions of {channels} channels",
            biases.len(),
            field.present().len()
        )));
    }
    let layers = field.spec().local_layers();
    let Some(last) = layers.last() else { return Ok(field.clone()) };
    let mut local = field.local().to_vec();
    for (network, own) in local.chunks_exact_mut(last.biases.end).zip(biases.chunks_exact(channels)) {
        network[last.biases.clone()].copy_from_slice(own);
    }
    field.with_weights(field.shared().to_vec(), local)
}

/// The field with first local weights that `coding` holds exactly, and first biases that make up for the change at the
/// centre of each partition. A field with an encoding is left as it is: its first weights stay small.
///
/// First weights may be large (see [`initialise_centred`]), and a rounded one shifts the phase in proportion to the
/// distance from the origin: on large pictures by radians. What is left is in proportion to the distance from the
/// partition's centre, as small as on a small picture.
///
/// # Errors
/// [`Error::Parameter`] for weights that are not finite.
pub fn recentred_for(field: &Field, coding: WeightCoding) -> Result<Field, Error> {
    let (spec, grid) = (field.spec(), field.grid());
    let layers = spec.local_layers();
    let recentred = coding != WeightCoding::F32 && !spec.is_encoded();
    let (Some(first), Some(last), true) = (layers.first(), layers.last(), recentred) else {
        return Ok(field.clone());
    };
    let turn = std::f64::consts::TAU / f64::from(spec.first_omega);
    let mut local = field.local().to_vec();
    for (&partition, network) in field.present().iter().zip(local.chunks_exact_mut(last.biases.end)) {
        let bounds = grid.partition_box(partition);
        for unit in 0..first.outputs {
            let mut bias = f64::from(network[first.biases.start + unit]);
            for (axis, range) in bounds.iter().enumerate() {
                let centre = grid.coordinate(axis, f64::from(range.start + range.end - 1) / 2.0);
                let weight = &mut network[first.weights.start + axis * first.outputs + unit];
                let rounded = coding.rounded(*weight);
                bias += (f64::from(*weight) - f64::from(rounded)) * f64::from(centre);
                *weight = rounded;
            }
            #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
            let bias = (bias - turn * (bias / turn).round()) as f32;
            network[first.biases.start + unit] = bias;
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
fn draw(random: &mut SplitMix64, spec: &FieldSpec, layer: &Layer, first: bool, into: &mut Vec<f32>) {
    match spec.activation {
        Activation::Sine => {
            let bound = weight_bound(spec, layer, first);
            into.extend(layer.weights.clone().map(|_| random.uniform(bound)));
        }
        Activation::Relu | Activation::LeakyRelu => {
            let deviation = (2.0 / layer.inputs as f64).sqrt();
            let mut normals = Normals::of(random.clone());
            #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
            into.extend(layer.weights.clone().map(|_| (deviation * normals.next_number()) as f32));
            // As many words as numbers, also where a pair was cut: every network's place in the stream stays known.
            *random = random.clone().skipped(layer.weights.len() as u64);
        }
    }
    let bound = 1.0 / (layer.inputs as f32).sqrt();
    into.extend(layer.biases.clone().map(|_| random.uniform(bound)));
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, seedable from one word, passes the usual test batteries.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The generator after `count` more words.
    #[must_use]
    pub fn skipped(self, count: u64) -> Self {
        Self(self.0.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

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
    use crate::field::Encoding;
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

    /// reference/inr-compression.md 16: the first layer within 1/66, inner ones within 0.01443 at width 32, and for ReLU
    /// layers the deviation that keeps the signal's variance.
    #[test]
    fn encoded_fields_start_as_published() {
        let grid = Grid::new(vec![24, 16], vec![1, 1], UNIT_RANGE).unwrap();
        let encoding = Encoding::Nerf { scale: 1.4, frequencies: 16 };
        let sine = FieldSpec { encoding, ..FieldSpec::siren(2, 3, 32) };
        let field = initialise(&sine, &grid, 7).unwrap();
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (index, layer) in sine.local_layers().iter().enumerate() {
            let bound = if index == 0 { 1.0 / 66.0 } else { 0.014_434 };
            let found = largest(&field.local()[layer.weights.clone()]);
            assert!(found <= bound && found > 0.9 * bound, "layer {index}: {found}");
            let (bound, found) = (1.0 / (layer.inputs as f32).sqrt(), largest(&field.local()[layer.biases.clone()]));
            assert!(found <= bound && found > bound / 3.0, "layer {index}: {found}");
        }
        let relu = FieldSpec { activation: Activation::Relu, ..FieldSpec::siren(2, 3, 96) };
        let field = initialise(&relu, &grid, 7).unwrap();
        let weights = &field.local()[relu.local_layers()[2].weights.clone()];
        let variance = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
        assert!((variance * 48.0 - 1.0).abs() < 0.05, "{variance}");
        assert_eq!(field, initialise(&relu, &grid, 7).unwrap());
        assert!(initialise_centred(&relu, &grid, 7).is_err() && initialise_centred(&sine, &grid, 7).is_err());
    }

    /// A field as wide as a large picture: coded weights keep its values to what their own digits allow.
    #[test]
    fn coded_weights_do_not_drift_with_the_size_of_the_canvas() {
        let spec = FieldSpec::per_partition(2, 1, 6);
        let grid = Grid::new(vec![4, 4096], vec![1, 128], UNIT_RANGE).unwrap();
        let field = initialise_centred(&spec, &grid, 3).unwrap();
        assert_eq!(recentred_for(&field, WeightCoding::F32).unwrap(), field);
        let coded = |field: &Field, coding: WeightCoding| {
            let round = |weights: &[f32]| weights.iter().map(|&w| coding.rounded(w)).collect();
            field.with_weights(round(field.shared()), round(field.local())).unwrap()
        };
        let error = |other: &Field| {
            let view = crate::eval::View::full(&grid);
            let decoded = |field| crate::eval::reference::decode(field, &view).unwrap();
            let (a, b) = (decoded(&field), decoded(other));
            let squares: f32 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
            (squares / a.len() as f32).sqrt() / a.iter().fold(0.0_f32, |m, v| m.max(v.abs()))
        };
        let plain = error(&coded(&field, WeightCoding::Bf16));
        let recentred = error(&coded(&recentred_for(&field, WeightCoding::Bf16).unwrap(), WeightCoding::Bf16));
        assert!(recentred < 0.04 && plain > 3.0 * recentred, "{plain} and {recentred}");
    }

    #[test]
    fn last_biases_are_replaced_and_nothing_else() {
        let spec = FieldSpec::per_partition(2, 2, 4);
        let grid = Grid::new(vec![5, 4], vec![2, 1], UNIT_RANGE).unwrap();
        let field = initialise(&spec, &grid, 3).unwrap();
        let started = with_last_biases(&field, &[11.0, 12.0, 31.0, 32.0]).unwrap();
        let biases = spec.local_layers()[4].biases.clone();
        assert_eq!(started.local_of(0).unwrap()[biases.clone()], [11.0, 12.0]);
        assert_eq!(started.local_of(1).unwrap()[biases.clone()], [31.0, 32.0]);
        assert_eq!(started.local_of(1).unwrap()[..biases.start], field.local_of(1).unwrap()[..biases.start]);
        assert!(with_last_biases(&field, &[1.0; 3]).is_err());
    }

    #[test]
    fn a_centred_start_keeps_the_phase_at_the_centre() {
        let spec = FieldSpec::local_global(2, 3, 6, 10);
        let grid = Grid::new(vec![48, 16], vec![12, 2], UNIT_RANGE).unwrap();
        let (plain, centred) = (initialise(&spec, &grid, 3).unwrap(), initialise_centred(&spec, &grid, 3).unwrap());
        let merge = spec.merge_layer().unwrap();
        let kept = merge.weights.start + 36;
        assert_eq!(plain.shared()[..merge.weights.start], centred.shared()[..merge.weights.start]);
        assert_eq!(plain.shared()[kept..merge.weights.end], centred.shared()[kept..merge.weights.end]);
        assert_eq!(centred.shared()[merge.weights.start..kept].iter().sum::<f32>() * spec.hidden_omega, 6.0);
        assert!(centred.shared()[merge.biases].iter().all(|&bias| bias == 0.0));
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
