//! Latent grids: what a partition learns in place of a network of its own.
//!
//! A partition is a pyramid of grids of numbers, its *latents*: level `k` has a node for every `2^k` samples along each axis, in
//! the middle of them. Each grid is the coefficients of a cubic B-spline. A sample sees the value of every level at its place, of the
//! finest levels also how it rises and bends along each axis, and one small *synthesis network*, shared by all partitions, turns
//! these into the sample's channels. Small files are mostly zeros in fine levels (Ladune and others, "COOL-CHIC", ICCV 2023; Kim and
//! others, "C3", CVPR 2024). Nodes belong to one partition, so that a crop copies them as it copies weights.
//!
//! Where those works filter by convolutions, which have no meaning between samples, a network here sees derivatives: what the
//! nodes around a place have to say, at any resolution (trials in `docs/benchmarks.md`).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_limit};
use crate::grid::Grid;
use crate::limits;

/// Axes of a signal at most.
const AXES: usize = 4;
/// Nodes along an axis that count at a position.
pub const TAPS: usize = 4;
/// Derivatives of a level that a network may see: its value, first and second.
pub const ORDERS: usize = 3;
/// Levels of which a network sees the derivatives, the finest ones.
const DETAILED: usize = 3;

/// The pyramid of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pyramid {
    /// Number of levels, 1 to 16.
    pub levels: u32,
    /// Level of the finest: its nodes stand for `2^finest` samples along each axis. 0 to 16.
    pub finest: u32,
    /// Samples along each axis of the largest partition; 1 beyond the axes of the signal.
    pub sizes: [u32; AXES],
}

/// One grid of a pyramid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// A node stands for `2^exponent` samples along each axis.
    pub exponent: u32,
    /// Nodes along each axis, in the largest partition.
    pub nodes: Vec<usize>,
    /// Where its latents lie among a partition's, row-major.
    pub latents: Range<usize>,
}

/// What the network sees of a level: its value, or a derivative along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Its place among the levels, coarsest first.
    pub level: usize,
    /// The axis of the derivative; 0 for the value.
    pub axis: usize,
    /// 0 for the value, 1 for how it rises, 2 for how it bends.
    pub order: usize,
}

impl Input {
    /// The derivative along `axis`.
    pub fn order_along(&self, axis: usize) -> usize {
        if axis == self.axis { self.order } else { 0 }
    }
}

/// What nodes count at a position along one axis, and by how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taps {
    /// The nodes; beyond the outermost of a partition these stand in.
    pub nodes: [usize; TAPS],
    /// Their shares of the value and of its derivatives by the distance between nodes.
    pub shares: [[f32; TAPS]; ORDERS],
}

impl Pyramid {
    /// A pyramid for the partitions of `grid`.
    ///
    /// # Errors
    /// As [`Pyramid::validate`].
    pub fn new(grid: &Grid, levels: u32, finest: u32) -> Result<Self, Error> {
        let pyramid = Self { levels, finest, sizes: sizes(grid) };
        pyramid.validate(u32::try_from(grid.axes()).unwrap_or(u32::MAX))?;
        Ok(pyramid)
    }

    /// Checks it for signals of `inputs` axes.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no level, no size, or a size along an axis that is not there; [`Error::Limit`] for too much.
    pub fn validate(&self, inputs: u32) -> Result<(), Error> {
        check_limit("levels of latents", self.levels.into(), limits::LATENT_LEVELS)?;
        check_limit("the finest level of latents", self.finest.into(), limits::LATENT_LEVELS)?;
        if self.levels == 0 {
            return Err(Error::parameter("a pyramid of latents needs at least 1 level"));
        }
        for (axis, &size) in self.sizes.iter().enumerate() {
            let is_axis = (axis as u64) < u64::from(inputs);
            if size == 0 || (!is_axis && size != 1) {
                return Err(Error::parameter(format!("a pyramid of latents for {size} samples along axis {axis}")));
            }
            check_limit("samples along an axis", size.into(), limits::AXIS_SAMPLES)?;
        }
        check_limit("latents of a partition", self.latents(inputs), limits::PARAMETERS)
    }

    /// Checks that it is made for the partitions of `grid`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is not.
    pub(super) fn validate_on(&self, grid: &Grid) -> Result<(), Error> {
        if self.sizes == sizes(grid) {
            return Ok(());
        }
        Err(Error::parameter("the pyramid of latents belongs to partitions of another size"))
    }

    /// Latents of one partition, as many in every one.
    pub fn latents(&self, inputs: u32) -> u64 {
        let of_level = |exponent: u32| {
            let along = self.sizes.iter().take(inputs as usize).map(|&size| nodes(size, exponent));
            along.fold(1_u64, u64::saturating_mul)
        };
        self.exponents().map(of_level).fold(0, u64::saturating_add)
    }

    /// What the network sees, in its order: the values of all levels, coarsest first, then of each of the three finest levels
    /// along every axis in turn how it rises and how it bends.
    pub fn inputs(&self, axes: u32) -> Vec<Input> {
        let (levels, axes) = (self.levels as usize, axes as usize);
        let values = (0..levels).map(|level| Input { level, axis: 0, order: 0 });
        let derivatives = (levels.saturating_sub(DETAILED)..levels).flat_map(move |level| {
            (0..axes).flat_map(move |axis| (1..ORDERS).map(move |order| Input { level, axis, order }))
        });
        values.chain(derivatives).collect()
    }

    /// How many these are.
    pub fn input_count(&self, axes: u32) -> u64 {
        let detailed = u64::from(self.levels).min(DETAILED as u64);
        u64::from(self.levels)
            .saturating_add(detailed.saturating_mul(u64::from(axes)).saturating_mul(ORDERS as u64 - 1))
    }

    fn exponents(&self) -> impl Iterator<Item = u32> {
        (self.finest..self.finest.saturating_add(self.levels)).rev()
    }

    /// The levels, coarsest first, as their latents lie in memory and in a file.
    pub fn levels(&self, inputs: u32) -> Vec<Level> {
        let mut start = 0;
        self.exponents()
            .map(|exponent| {
                let along = self.sizes.iter().take(inputs as usize);
                #[expect(clippy::cast_possible_truncation, reason = "within the limits, which fit")]
                let nodes: Vec<usize> = along.map(|&size| nodes(size, exponent) as usize).collect();
                let end = start + nodes.iter().product::<usize>();
                Level { exponent, nodes, latents: std::mem::replace(&mut start, end)..end }
            })
            .collect()
    }
}

/// Where `position` (in samples of the original) lies along an axis of a partition that owns `samples`, for a level of this exponent:
/// the node before it, -1 to the number of nodes, and the part of the way to the next.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the nodes before the cast")]
pub fn between(samples: &Range<u32>, exponent: u32, position: f64) -> (i32, f32) {
    let last = last_node(samples, exponent);
    let spacing = f64::from(exponent).exp2();
    // A distance beyond the outermost nodes nothing changes any more.
    let place = ((position - f64::from(samples.start) + 0.5) / spacing - 0.5).clamp(-1.0, f64::from(last) + 1.0);
    let first = place.floor();
    (first as i32, (place - first) as f32)
}

/// The nodes that count behind node `first`, of those up to `last`: beyond the outermost of a partition these stand in, as no
/// partition asks another.
#[inline(always)]
pub fn nodes_at(first: i32, last: u32) -> [usize; TAPS] {
    [-1, 0, 1, 2].map(|tap| first.saturating_add(tap).max(0).unsigned_abs().min(last) as usize)
}

/// The last node of a partition along an axis.
#[expect(clippy::cast_possible_truncation, reason = "at most the number of samples")]
pub fn last_node(samples: &Range<u32>, exponent: u32) -> u32 {
    nodes(samples.end.saturating_sub(samples.start), exponent).saturating_sub(1) as u32
}

/// What counts at `position`, as [`between`] says.
pub fn taps(samples: &Range<u32>, exponent: u32, position: f64) -> Taps {
    let (first, part) = between(samples, exponent, position);
    let nodes = nodes_at(first, last_node(samples, exponent));
    Taps { nodes, shares: std::array::from_fn(|order| shares(part, order)) }
}

/// Shares of four nodes where a position is `part` of the way from the second to the third: of a cubic B-spline (`order` 0), of how it
/// rises (1) and of how it bends (2), by the distance of nodes.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
pub fn shares(part: f32, order: usize) -> [f32; TAPS] {
    let t = f64::from(part);
    let u = 1.0 - t;
    let inner = |x: f64| (4.0 - 6.0 * x * x + 3.0 * x * x * x) / 6.0;
    match order {
        0 => [u * u * u / 6.0, inner(t), inner(u), t * t * t / 6.0],
        1 => [-0.5 * u * u, 1.5 * t * t - 2.0 * t, 2.0 * u - 1.5 * u * u, 0.5 * t * t],
        _ => [u, 3.0 * t - 2.0, 3.0 * u - 2.0, t],
    }
    .map(|share| share as f32)
}

impl Level {
    /// What the network sees of this level: one number at one sample. `taps` has one entry per axis, `latents` are all of a
    /// partition.
    pub fn at(&self, latents: &[f32], input: &Input, taps: &[Taps]) -> f32 {
        let own = &latents[self.latents.clone()];
        let combinations = TAPS.pow(u32::try_from(taps.len()).unwrap_or(u32::MAX));
        (0..combinations)
            .map(|combination| {
                let (mut rest, mut place, mut weight) = (combination, 0, 1.0);
                for (axis, (taps, &nodes)) in taps.iter().zip(&self.nodes).enumerate() {
                    let tap = rest % TAPS;
                    rest /= TAPS;
                    place = place * nodes + taps.nodes[tap];
                    weight *= taps.shares[input.order_along(axis)][tap];
                }
                weight * own[place]
            })
            .sum()
    }
}

/// Nodes for `samples` samples.
fn nodes(samples: u32, exponent: u32) -> u64 {
    u64::from(samples).div_ceil(1 << exponent.min(32)).max(1)
}

fn sizes(grid: &Grid) -> [u32; AXES] {
    let largest = grid.partition_box(0);
    std::array::from_fn(|axis| largest.get(axis).map_or(1, |range| range.end - range.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::UNIT_RANGE;

    #[test]
    fn levels_cover_the_largest_partition() {
        let grid = Grid::new(vec![13, 9], vec![2, 2], UNIT_RANGE).unwrap();
        let pyramid = Pyramid::new(&grid, 3, 1).unwrap();
        assert_eq!(pyramid.sizes, [7, 5, 1, 1]);
        let levels = pyramid.levels(2);
        let shapes: Vec<&[usize]> = levels.iter().map(|level| &level.nodes[..]).collect();
        assert_eq!(shapes, [&[1, 1][..], &[2, 2], &[4, 3]]);
        assert_eq!(levels.last().unwrap().latents, 5..17);
        assert_eq!(pyramid.latents(2), 17);
        assert!(pyramid.validate_on(&grid).is_ok());
        assert!(pyramid.validate_on(&Grid::new(vec![13, 9], vec![1, 2], UNIT_RANGE).unwrap()).is_err());
    }

    #[test]
    fn positions_count_nodes_of_their_partition() {
        // Nodes of level 1 in samples 6..13 stand at 6.5, 8.5, 10.5 and 12.5.
        for (position, nodes, part) in [
            (6.5, [0, 0, 1, 2], 0.0),
            (7.5, [0, 0, 1, 2], 0.5),
            (12.0, [1, 2, 3, 3], 0.75),
            (6.0, [0, 0, 0, 1], 0.75),
            (0.0, [0, 0, 0, 1], 0.0),
            (99.0, [3, 3, 3, 3], 0.0),
        ] {
            let found = [0, 1, 2].map(|order| shares(part, order));
            assert_eq!(taps(&(6..13), 1, position), Taps { nodes, shares: found }, "{position}");
        }
        // At the nodes of the finest level themselves.
        assert_eq!([shares(0.0, 1), shares(0.0, 2)], [[-0.5, 0.0, 0.5, 0.0], [1.0, -2.0, 1.0, 0.0]]);
        assert_eq!(taps(&(6..13), 0, 8.0).nodes, [1, 2, 3, 4]);
    }

    #[test]
    fn shares_are_of_a_spline_and_its_derivatives() {
        const STEP: f32 = 1e-3;
        for part in [0.001, 0.2, 0.5, 0.9] {
            let [value, rise, bend] = [0, 1, 2].map(|order| shares(part, order));
            assert!((value.iter().sum::<f32>() - 1.0).abs() < 1e-6 && rise.iter().sum::<f32>().abs() < 1e-6);
            for tap in 0..TAPS {
                let slope = |order| (shares(part + STEP, order)[tap] - shares(part - STEP, order)[tap]) / (2.0 * STEP);
                assert!((slope(0) - rise[tap]).abs() < 1e-3 && (slope(1) - bend[tap]).abs() < 1e-3);
            }
            // Straight lines stay what they are.
            let line = |shares: &[f32; TAPS]| shares.iter().zip([-1.0, 0.0, 1.0, 2.0]).map(|(s, x)| s * x).sum::<f32>();
            assert!((line(&value) - part).abs() < 1e-6 && (line(&rise) - 1.0).abs() < 1e-6);
            assert!(line(&bend).abs() < 1e-6);
        }
    }

    #[test]
    fn inputs_are_values_and_derivatives_of_the_finest() {
        let pyramid = |levels| Pyramid { levels, finest: 0, sizes: [64, 64, 1, 1] };
        for (levels, count) in [(1, 5), (3, 15), (7, 19)] {
            assert_eq!(pyramid(levels).inputs(2).len(), count);
            assert_eq!(pyramid(levels).input_count(2), count as u64);
        }
        assert_eq!(
            pyramid(7).inputs(2)[7..10].iter().map(|i| (i.level, i.axis, i.order)).collect::<Vec<_>>(),
            [(4, 0, 1), (4, 0, 2), (4, 1, 1)]
        );
    }

    #[test]
    fn what_no_field_has_is_refused() {
        let sizes = [4, 4, 1, 1];
        assert!(Pyramid { levels: 2, finest: 0, sizes }.validate(2).is_ok());
        for pyramid in [
            Pyramid { levels: 0, finest: 0, sizes },
            Pyramid { levels: 17, finest: 0, sizes },
            Pyramid { levels: 2, finest: u32::MAX, sizes },
            Pyramid { levels: 2, finest: 0, sizes: [4, 0, 1, 1] },
            Pyramid { levels: 2, finest: 0, sizes: [4, 4, 4, 1] },
            Pyramid { levels: 2, finest: 0, sizes: [1 << 24, 1 << 24, 1, 1] },
        ] {
            assert!(pyramid.validate(2).is_err(), "{pyramid:?}");
        }
    }
}
