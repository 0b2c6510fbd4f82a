//! What latents cost: bits by a Laplace distribution whose scale and centre follow from neighbours, and their gradients.
//!
//! The same sums as [`tessera_core::codec::contexts`], of numbers that need not be whole.

use std::f32::consts::{LN_2, LOG2_E};

use tessera_core::codec::contexts::{CENTRES, Context, NEIGHBOURS};

use super::arithmetic::{exp, ln};
use super::layout::{Layout, Level};

/// Rows and columns to the neighbours, in the order of the contexts.
const OFFSETS: [(isize, isize); NEIGHBOURS] =
    [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2)];
/// From a parent to those around it.
const BESIDE: [(isize, isize); 4] = [(0, -1), (0, 1), (-1, 0), (1, 0)];
/// The least scale that is coded.
const LEAST: f32 = 0.05;
const LANES: usize = 16;

/// A context whose weights are trained.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Weights {
    pub(super) base: f32,
    pub(super) magnitudes: [f32; NEIGHBOURS],
    pub(super) parents: [f32; 2],
    pub(super) centres: [f32; CENTRES],
}

impl Weights {
    pub(super) const COUNT: usize = 1 + NEIGHBOURS + 2 + CENTRES;

    pub(super) fn start() -> Self {
        let magnitudes = [0.15, 0.15, 0.05, 0.05, 0.0, 0.0, 0.0, 0.0];
        Self { base: 0.2, magnitudes, parents: [0.05; 2], centres: [0.0; CENTRES] }
    }

    pub(super) fn to_array(self) -> [f32; Self::COUNT] {
        let mut all = std::iter::once(self.base).chain(self.magnitudes).chain(self.parents).chain(self.centres);
        std::array::from_fn(|_| all.next().unwrap_or(0.0))
    }

    /// Magnitudes never count against each other.
    pub(super) fn from_array(all: [f32; Self::COUNT]) -> Self {
        let at = |first: usize, place: usize| all[first + place];
        Self {
            base: all[0].max(0.01),
            magnitudes: std::array::from_fn(|place| at(1, place).max(0.0)),
            parents: std::array::from_fn(|place| at(1 + NEIGHBOURS, place).max(0.0)),
            centres: std::array::from_fn(|place| at(3 + NEIGHBOURS, place)),
        }
    }

    /// As a file has it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate, which is the limit")]
    pub(super) fn context(&self) -> Context {
        let weight = |weight: f32| (64.0 * weight).round() as u8;
        Context {
            base: weight(self.base),
            magnitudes: self.magnitudes.map(weight),
            parents: self.parents.map(weight),
            centres: self.centres.map(|centre| (64.0 * centre).round() as i8),
            ..Context::default()
        }
    }
}

/// Buffers of a row.
#[derive(Default)]
struct Row {
    scales: Vec<f32>,
    centres: Vec<f32>,
    by_scale: Vec<f32>,
    by_centre: Vec<f32>,
    nats: Vec<f32>,
    /// Magnitudes of the parents of a row, and means of those around them; their parts of the scales, and the gradients by these.
    nearest: Vec<f32>,
    around: Vec<f32>,
    parents: Vec<f32>,
    by_parent: Vec<f32>,
}

/// Bits of a partition's numbers. Adds `price` times their gradient to `gradient`, and to those of the weights.
#[inline(always)]
pub(super) fn rate(
    layout: &Layout,
    numbers: &[f32],
    gradient: &mut [f32],
    weights: &[Weights],
    by_weights: &mut [[f32; Weights::COUNT]],
    price: f32,
) -> f64 {
    let mut row = Row::default();
    let mut bits = 0.0;
    for (place, ((level, weights), by_weights)) in layout.levels.iter().zip(weights).zip(by_weights).enumerate() {
        let parent = place.checked_sub(1).map(|place| &layout.levels[place]);
        bits += of_level(level, parent, numbers, gradient, weights, by_weights, price * LOG2_E, &mut row);
    }
    bits * f64::from(LOG2_E)
}

#[inline(always)]
fn shifted(level: &Level, row: usize, (down, right): (isize, isize)) -> std::ops::Range<usize> {
    let start = level.row(row.cast_signed() + down).saturating_add_signed(right);
    start..start + level.columns
}

#[inline(always)]
fn sign(x: f32) -> f32 {
    x / (x.abs() + 1e-3)
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one level of `rate`")]
fn of_level(
    level: &Level,
    parent: Option<&Level>,
    numbers: &[f32],
    gradient: &mut [f32],
    weights: &Weights,
    by_weights: &mut [f32; Weights::COUNT],
    price: f32,
    row: &mut Row,
) -> f64 {
    let columns = level.columns;
    let Row { scales, centres, by_scale, by_centre, nats, nearest, around, parents, by_parent } = row;
    for buffer in [&mut *scales, centres, by_scale, by_centre, nats] {
        buffer.clear();
        buffer.resize(columns, 0.0);
    }
    let mut total = 0.0;
    let (by_base, rest) = by_weights.split_at_mut(1);
    let (by_magnitudes, rest) = rest.split_at_mut(NEIGHBOURS);
    let (by_parents, by_centres) = rest.split_at_mut(2);
    for number in 0..level.rows {
        scales.fill(weights.base);
        centres.fill(0.0);
        for (place, (offset, &weight)) in OFFSETS.iter().zip(&weights.magnitudes).enumerate() {
            let values = &numbers[shifted(level, number, *offset)];
            scales.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value.abs());
            if let Some(&share) = weights.centres.get(place) {
                centres.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * value);
            }
        }
        if let Some(parent) = parent {
            // Two rows have the same parents.
            if number % 2 == 0 {
                for buffer in [&mut *nearest, around, parents, by_parent] {
                    buffer.clear();
                    buffer.resize(parent.columns, 0.0);
                }
                let [first, second] = weights.parents;
                let values = &numbers[shifted(parent, number / 2, (0, 0))];
                nearest.iter_mut().zip(values).for_each(|(magnitude, value)| *magnitude = value.abs());
                for beside in BESIDE {
                    let values = &numbers[shifted(parent, number / 2, beside)];
                    around.iter_mut().zip(values).for_each(|(sum, value)| *sum += 0.25 * value.abs());
                }
                let magnitudes = nearest.iter().zip(&*around);
                parents.iter_mut().zip(magnitudes).for_each(|(sum, (a, b))| *sum = first * a + second * b);
            }
            let (pairs, single) = scales.as_chunks_mut::<2>();
            let (of_pairs, of_single) = parents.split_at(pairs.len());
            for (pair, part) in pairs.iter_mut().zip(of_pairs) {
                pair[0] += part;
                pair[1] += part;
            }
            single.iter_mut().zip(of_single).for_each(|(sum, part)| *sum += part);
        }
        distribution(
            &numbers[level.nodes(number)],
            &mut gradient[level.nodes(number)],
            scales,
            centres,
            by_scale,
            by_centre,
            nats,
            price,
        );
        total += f64::from(sum(nats));
        by_base[0] += sum(by_scale);
        for (place, offset) in OFFSETS.iter().enumerate() {
            let span = shifted(level, number, *offset);
            let (values, gradient) = (&numbers[span.clone()], &mut gradient[span]);
            let weight = weights.magnitudes[place];
            let share = weights.centres.get(place).copied().unwrap_or(0.0);
            for (((gradient, &value), by_scale), by_centre) in
                gradient.iter_mut().zip(values).zip(&*by_scale).zip(&*by_centre)
            {
                *gradient += weight * by_scale * sign(value) + share * by_centre;
            }
            by_magnitudes[place] += products(by_scale, values, f32::abs);
            if let Some(sum) = by_centres.get_mut(place) {
                *sum += products(by_centre, values, |value| value);
            }
        }
        if let Some(parent) = parent {
            let (pairs, single) = by_scale.as_chunks::<2>();
            let (of_pairs, of_single) = by_parent.split_at_mut(pairs.len());
            of_pairs.iter_mut().zip(pairs).for_each(|(sum, [a, b])| *sum += a + b);
            of_single.iter_mut().zip(single).for_each(|(sum, delta)| *sum += delta);
            if number % 2 == 1 || number + 1 == level.rows {
                let [first, second] = weights.parents;
                by_parents[0] += products(by_parent, nearest, |value| value);
                by_parents[1] += products(by_parent, around, |value| value);
                let around = BESIDE.map(|beside| (beside, 0.25 * second));
                for (offset, weight) in std::iter::once(((0, 0), first)).chain(around) {
                    let span = shifted(parent, number / 2, offset);
                    let values = gradient[span.clone()].iter_mut().zip(&numbers[span]);
                    for ((gradient, &value), delta) in values.zip(&*by_parent) {
                        *gradient += weight * delta * sign(value);
                    }
                }
            }
        }
    }
    total
}

#[inline(always)]
fn products(factors: &[f32], values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (factors, factors_left) = factors.as_chunks::<LANES>();
    let (values, values_left) = values.as_chunks::<LANES>();
    for (factors, values) in factors.iter().zip(values) {
        for ((sum, factor), &value) in sums.iter_mut().zip(factors).zip(values) {
            *sum += factor * of(value);
        }
    }
    let left = factors_left.iter().zip(values_left).map(|(factor, &value)| factor * of(value));
    sums.iter().sum::<f32>() + left.sum::<f32>()
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    products(values, values, |_| 1.0)
}

/// Nats of a row, and the gradients by numbers, scales and centres.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "rows of numbers")]
fn distribution(
    numbers: &[f32],
    gradient: &mut [f32],
    scales: &[f32],
    centres: &[f32],
    by_scale: &mut [f32],
    by_centre: &mut [f32],
    nats: &mut [f32],
    price: f32,
) {
    let count = numbers.len();
    let (gradient, scales, centres) = (&mut gradient[..count], &scales[..count], &centres[..count]);
    let (by_scale, by_centre, nats) = (&mut by_scale[..count], &mut by_centre[..count], &mut nats[..count]);
    for place in 0..count {
        let scale = scales[place].max(LEAST);
        let live = if scales[place] > LEAST { 1.0 } else { 0.0 };
        let off = numbers[place] - centres[place];
        let (far, side) = (off.abs(), if off >= 0.0 { 1.0_f32 } else { -1.0 });
        let inverse = 1.0 / scale;
        let beyond = far >= 0.5;
        let one = exp(-inverse);
        let within = 1.0 - one;
        let (low, high) = (exp(-(0.5 - far).abs() * inverse), exp(-(0.5 + far) * inverse));
        let near = (1.0 - 0.5 * (low + high)).max(1e-7);
        let logarithm = -ln(if beyond { within } else { near });
        nats[place] = if beyond { (far - 0.5) * inverse + logarithm + LN_2 } else { logarithm };
        let by_far = if beyond { inverse } else { 0.5 * (low - high) * inverse / near };
        let squared = inverse * inverse;
        let by_size = if beyond {
            -(far - 0.5) * squared + one * squared / within
        } else {
            0.5 * (low * (0.5 - far) + high * (0.5 + far)) * squared / near
        };
        let by_number = by_far * side * price;
        gradient[place] += by_number;
        by_centre[place] = -by_number;
        by_scale[place] = by_size * live * price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::latents::Pyramid;
    use tessera_core::field::{Activation, Encoding, FieldSpec, Model, SplitMix64};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    #[test]
    fn gradients_are_those_of_the_bits() {
        let grid = Grid::new(vec![13, 22], vec![1, 1], UNIT_RANGE).unwrap();
        let spec = FieldSpec {
            model: Model::Latents,
            local_width: 3,
            global_width: 4,
            encoding: Encoding::Latents(Pyramid::new(&grid, 3, 0).unwrap()),
            activation: Activation::LeakyRelu,
            ..FieldSpec::siren(2, 3, 1)
        };
        let layout = Layout::new(&spec);
        let mut random = SplitMix64(2);
        let mut numbers = vec![0.0; layout.len()];
        for level in &layout.levels {
            for row in 0..level.rows {
                // Away from 0, where magnitudes have a corner.
                numbers[level.nodes(row)].fill_with(|| 0.2_f32.copysign(random.uniform(1.0)) + random.uniform(0.1));
            }
        }
        let weights = vec![Weights { centres: [0.2, 0.1, -0.1, 0.05, 0.0, 0.1], ..Weights::start() }; 3];
        let bits = |numbers: &[f32], weights: &[Weights]| {
            let mut nowhere = vec![0.0; numbers.len()];
            rate(&layout, numbers, &mut nowhere, weights, &mut [[0.0; Weights::COUNT]; 3], 0.0)
        };
        let mut gradient = vec![0.0; numbers.len()];
        let mut by_weights = [[0.0; Weights::COUNT]; 3];
        rate(&layout, &numbers, &mut gradient, &weights, &mut by_weights, 1.0);
        const STEP: f32 = 4e-3;
        for level in &layout.levels {
            for row in 0..level.rows {
                for place in level.nodes(row).step_by(3) {
                    let moved = |by: f32| {
                        let mut numbers = numbers.clone();
                        numbers[place] += by;
                        bits(&numbers, &weights)
                    };
                    let wanted = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                    let found = f64::from(gradient[place]);
                    assert!((found - wanted).abs() < 0.03 * wanted.abs().max(1.0), "{place}: {found} and {wanted}");
                }
            }
        }
        for level in 0..3 {
            for place in 0..Weights::COUNT {
                let moved = |by: f32| {
                    let mut weights = weights.clone();
                    let mut all = weights[level].to_array();
                    all[place] += by;
                    weights[level] =
                        Weights { magnitudes: std::array::from_fn(|i| all[1 + i]), ..Weights::from_array(all) };
                    bits(&numbers, &weights)
                };
                let wanted = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                let found = f64::from(by_weights[level][place]);
                assert!(
                    (found - wanted).abs() < 0.03 * wanted.abs().max(1.0),
                    "{level}, {place}: {found} and {wanted}"
                );
            }
        }
    }
}
