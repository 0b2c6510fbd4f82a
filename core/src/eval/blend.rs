//! Blending: a field may ask ([`Field::blend`]) for the networks on both sides of a border to be mixed near it.
//!
//! Owners of positions are a product of axes, and so are the mixtures. Along an axis a position has its owner and, where
//! it lies within the blend of a border, the neighbour across it as a second one. Every choice of first and second owners
//! is one more view for the engines, of the positions near borders alone, and the sample is the mean of all choices by
//! the product of their weights. So no engine knows of blending, and samples away from all borders keep their bits.

use super::View;
use crate::error::Error;
use crate::field::Field;
use crate::grid::Grid;

/// One choice of owners: the positions that have it, where in the whole view they stand, and how much it counts.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) view: View,
    /// Places in the whole view and weights, per axis.
    axes: Vec<Vec<(usize, f32)>>,
}

/// The choices of owners for `view` under a blend of `blend` samples per axis (empty for none). The first part is all of
/// the view with its own owners; others are there only where some position has them.
///
/// # Errors
/// Those of [`View::resolve`].
pub(super) fn parts(grid: &Grid, blend: &[u32], view: &View) -> Result<Vec<Part>, Error> {
    let resolved = view.resolve(grid)?;
    let seconds: Vec<Vec<Option<(u32, f64)>>> = view
        .positions()
        .iter()
        .enumerate()
        .map(|(axis, positions)| {
            let blend = blend.get(axis).copied().unwrap_or(0);
            positions.iter().map(|&position| second(grid, axis, blend, position)).collect()
        })
        .collect();
    let mut parts = Vec::new();
    for choice in 0..1_usize << resolved.len() {
        let mut places = Vec::with_capacity(resolved.len());
        let mut owners = Vec::with_capacity(resolved.len());
        for (axis, (own, seconds)) in resolved.iter().zip(&seconds).enumerate() {
            let all = own.owners.iter().zip(seconds).enumerate();
            #[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1")]
            let (axis_places, axis_owners): (Vec<(usize, f32)>, Vec<u32>) = if (choice >> axis) & 1 == 0 {
                all.map(|(place, (&owner, second))| ((place, 1.0 - second.map_or(0.0, |s| s.1) as f32), owner)).unzip()
            } else {
                all.filter_map(|(place, (_, second))| second.map(|(owner, share)| ((place, share as f32), owner)))
                    .unzip()
            };
            places.push(axis_places);
            owners.push(axis_owners);
        }
        if choice == 0 || places.iter().all(|axis| !axis.is_empty()) {
            let chosen: Vec<Vec<usize>> =
                places.iter().map(|axis| axis.iter().map(|(place, _)| *place).collect()).collect();
            parts.push(Part { view: view.owned_by(&chosen, owners), axes: places });
        }
    }
    Ok(parts)
}

/// Decodes `view` with an engine that knows owners only.
///
/// # Errors
/// Those of [`View::resolve`] and of the engine.
pub(super) fn decode(
    field: &Field,
    view: &View,
    plain: impl Fn(&Field, &View) -> Result<Vec<f32>, Error>,
) -> Result<Vec<f32>, Error> {
    let parts = parts(field.grid(), field.blend(), view)?;
    let Some((first, others)) = parts.split_first() else { return Ok(Vec::new()) };
    let mut mixture = Mixture::new(first, field.spec().outputs as usize, plain(field, &first.view)?);
    for part in others {
        mixture.add(part, &plain(field, &part.view)?);
    }
    Ok(mixture.finish())
}

/// The neighbour whose border lies within `blend` samples of a position, and its share: a half on the border, falling
/// evenly to nothing.
fn second(grid: &Grid, axis: usize, blend: u32, position: f64) -> Option<(u32, f64)> {
    let owner = grid.axis_owner_at(axis, position);
    let range = grid.axis_range(axis, owner);
    let before = owner.checked_sub(1).map(|neighbour| (neighbour, position - (f64::from(range.start) - 0.5)));
    let after = (owner + 1 < grid.factors()[axis]).then(|| (owner + 1, f64::from(range.end) - 0.5 - position));
    let (neighbour, distance) = before.into_iter().chain(after).min_by(|a, b| a.1.total_cmp(&b.1))?;
    let blend = f64::from(blend);
    (distance < blend).then(|| (neighbour, 0.5 * (1.0 - distance / blend)))
}

/// The mean of all parts, taken in as they are decoded.
#[derive(Debug)]
pub(super) struct Mixture {
    shape: Vec<usize>,
    channels: usize,
    /// Sums of values by weight.
    values: Vec<f32>,
    /// Sums of weights, one per sample.
    weights: Vec<f32>,
}

impl Mixture {
    /// Begins with the first part and its values `[samples * channels]`.
    pub(super) fn new(part: &Part, channels: usize, mut values: Vec<f32>) -> Self {
        let shape = part.view.shape();
        let mut weights = vec![0.0; part.view.samples()];
        part.visit(&shape, |own, place, weight| {
            debug_assert_eq!(own, place, "the first part is the whole view");
            weights[place] = weight;
            values[own * channels..][..channels].iter_mut().for_each(|value| *value *= weight);
        });
        Self { shape, channels, values, weights }
    }

    /// Adds another part. Partitions that are not there have no weight; where the owner itself is not, nothing is shown.
    pub(super) fn add(&mut self, part: &Part, values: &[f32]) {
        let Self { shape, channels, values: sums, weights } = self;
        part.visit(shape, |own, place, weight| {
            let from = &values[own * *channels..][..*channels];
            if from.iter().any(|value| value.is_nan()) {
                return;
            }
            weights[place] += weight;
            for (sum, value) in sums[place * *channels..][..*channels].iter_mut().zip(from) {
                *sum += weight * value;
            }
        });
    }

    /// The samples, as the first part's.
    pub(super) fn finish(mut self) -> Vec<f32> {
        for (sample, weight) in self.values.chunks_exact_mut(self.channels).zip(&self.weights) {
            sample.iter_mut().for_each(|sum| *sum /= weight);
        }
        self.values
    }
}

impl Part {
    /// Every sample: its number in the part, its number in the whole view of `shape`, and its weight.
    fn visit(&self, shape: &[usize], mut each: impl FnMut(usize, usize, f32)) {
        let Some((last, leading)) = self.axes.split_last() else { return };
        let rows: usize = leading.iter().map(Vec::len).product();
        for row in 0..rows {
            let (mut rest, mut place, mut stride, mut weight) = (row, 0, shape.last().copied().unwrap_or(1), 1.0);
            for (axis, &length) in leading.iter().zip(shape).rev() {
                let (at, share) = axis[rest % axis.len()];
                rest /= axis.len();
                place += at * stride;
                stride *= length;
                weight *= share;
            }
            for (index, (at, share)) in last.iter().enumerate() {
                each(row * last.len() + index, place + at, weight * share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{cpu, reference};
    use crate::field::{FieldSpec, initialise};
    use crate::grid::UNIT_RANGE;

    fn field(shape: &[u32], factors: &[u32], blend: &[u32]) -> Field {
        let grid = Grid::new(shape.to_vec(), factors.to_vec(), UNIT_RANGE).unwrap();
        let axes = u32::try_from(shape.len()).unwrap();
        let field = initialise(&FieldSpec::local_global(axes, 2, 4, 5), &grid, 5).unwrap();
        field.with_blend(blend.to_vec()).unwrap()
    }

    /// One sample from the definition: all partitions around, each by the product of its shares.
    fn expected(field: &Field, position: &[f64]) -> Option<Vec<f32>> {
        let (grid, axes) = (field.grid(), position.len());
        let owner: Vec<u32> = (0..axes).map(|axis| grid.axis_owner_at(axis, position[axis])).collect();
        field.local_of(grid.ravel(&owner).unwrap())?;
        let coordinates: Vec<f32> = (0..axes).map(|axis| grid.coordinate(axis, position[axis])).collect();
        let (mut sum, mut weights) = (vec![0.0; field.spec().outputs as usize], 0.0);
        for partition in 0..grid.partitions() {
            let index = grid.unravel(partition);
            let weight: f64 = (0..axes)
                .map(|axis| {
                    let (own, blend) = (owner[axis], f64::from(field.blend()[axis]));
                    let range = grid.axis_range(axis, own);
                    let share = |edge: u32| {
                        let distance = (position[axis] - (f64::from(edge) - 0.5)).abs();
                        if distance < blend { 0.5 - 0.5 * distance / blend } else { 0.0 }
                    };
                    let low = if own > 0 { share(range.start) } else { 0.0 };
                    let high = if own + 1 < grid.factors()[axis] { share(range.end) } else { 0.0 };
                    match index[axis] {
                        i if i == own => 1.0 - low.max(high),
                        i if i + 1 == own => low,
                        i if i == own + 1 => high,
                        _ => 0.0,
                    }
                })
                .product();
            if let (Some(local), true) = (field.local_of(partition), weight > 0.0) {
                let values = reference::evaluate(field.spec(), field.shared(), local, &coordinates);
                sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += weight * f64::from(*value));
                weights += weight;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "compared as f32")]
        Some(sum.iter().map(|sum| (sum / weights) as f32).collect())
    }

    #[test]
    fn every_sample_is_the_mean_of_the_partitions_around_it() {
        for (shape, factors, blend) in [
            (vec![19, 23], vec![2, 3], vec![2, 3]),
            (vec![19, 23], vec![2, 3], vec![0, 1]),
            (vec![40], vec![4], vec![5]),
            (vec![6, 9, 8], vec![1, 2, 2], vec![0, 2, 2]),
        ] {
            let whole = field(&shape, &factors, &blend);
            for field in [whole.restricted_to(&[0, 1, 3]), whole] {
                let edges: Vec<_> = shape.iter().map(|&n| 0.0..f64::from(n)).collect();
                let finer: Vec<u32> = shape.iter().map(|n| 2 * n + 1).collect();
                for view in [View::full(field.grid()), View::resampled(&edges, &finer).unwrap()] {
                    let values = cpu::decode(&field, &view).unwrap();
                    let slow = reference::decode(&field, &view).unwrap();
                    for (sample, (values, slow)) in values.chunks(2).zip(slow.chunks(2)).enumerate() {
                        let mut rest = sample;
                        let mut position: Vec<f64> = view
                            .positions()
                            .iter()
                            .rev()
                            .map(|axis| {
                                let at = axis[rest % axis.len()];
                                rest /= axis.len();
                                at
                            })
                            .collect();
                        position.reverse();
                        let Some(expected) = expected(&field, &position) else {
                            assert!(values.iter().chain(slow).all(|value| value.is_nan()));
                            continue;
                        };
                        for (value, expected) in values.iter().chain(slow).zip(expected.iter().cycle()) {
                            assert!((value - expected).abs() < 2e-5, "{position:?}: {value} instead of {expected}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn samples_away_from_borders_and_crops_keep_their_bits() {
        let blended = field(&[32, 32], &[2, 2], &[3, 3]);
        let plain = blended.clone().with_blend(Vec::new()).unwrap();
        let cropped = blended.restricted_to(&[0, 1]);
        let view = View::full(blended.grid());
        let [b, p, c] = [&blended, &plain, &cropped].map(|field| cpu::decode(field, &view).unwrap());
        let mut differing = 0;
        for sample in 0..32 * 32 {
            let (row, column) = (sample / 32, sample % 32);
            let near = |at: usize| (13..19).contains(&at);
            let [b, p, c] = [&b, &p, &c].map(|values| values[2 * sample].to_bits());
            if !near(row) && !near(column) {
                assert_eq!(b, p);
            }
            differing += usize::from(b != p);
            // What was dropped begins at row 16; only within the blend of it may bits differ.
            if row < 13 {
                assert_eq!(b, c);
            }
        }
        assert!(differing > 200, "{differing} samples were blended");
    }

    #[test]
    fn a_view_may_be_cut_anywhere() {
        let field = field(&[40, 12], &[4, 2], &[4, 2]);
        let view = View::full(field.grid());
        let whole = cpu::decode(&field, &view).unwrap();
        for cut in [1, 9, 10, 11, 39] {
            let mut joined = cpu::decode(&field, &view.along(0, 0..cut)).unwrap();
            joined.extend(cpu::decode(&field, &view.along(0, cut..40)).unwrap());
            assert!(whole.iter().zip(&joined).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
