//! Latent grids: what a partition learns in place of a network of its own.
//!
//! A partition is a pyramid of grids of numbers, its *latents*: level `k` has a node for every `2^k` samples along each axis, in
//! the middle of them. A sample sees one number per level, interpolated linearly between the nodes around it, and one small
//! *synthesis network*, shared by all partitions, turns these into the sample's channels. Small files are mostly zeros in
//! fine levels (Ladune and others, "COOL-CHIC", ICCV 2023; Kim and others, "C3", CVPR 2024). Nodes belong to one
//! partition, so that a crop copies them as it copies weights.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_limit};
use crate::grid::Grid;
use crate::limits;

/// Axes of a signal at most.
const AXES: usize = 4;

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

/// Nodes between which a position lies along one axis: the first, the second, and the share of the second.
pub type Between = (usize, usize, f32);

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

/// Nodes between which `position` lies (in samples of the original) along an axis of a partition that owns `samples`. Beyond
/// the outermost nodes of the partition the field is constant: no partition asks another.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the nodes before the cast")]
pub fn between(samples: &Range<u32>, exponent: u32, position: f64) -> Between {
    let last = nodes(samples.end.saturating_sub(samples.start), exponent).saturating_sub(1);
    let spacing = f64::from(exponent).exp2();
    let place = ((position - f64::from(samples.start) + 0.5) / spacing - 0.5).clamp(0.0, last as f64);
    let first = place.floor();
    let second = (first as u64 + 1).min(last);
    (first as usize, second as usize, (place - first) as f32)
}

impl Level {
    /// What this level has between nodes, one entry per axis: its number at one sample. `latents` are all of a partition.
    pub fn at(&self, latents: &[f32], between: &[Between]) -> f32 {
        let own = &latents[self.latents.clone()];
        let corners = 1_usize << between.len();
        (0..corners)
            .map(|corner| {
                let (mut place, mut weight) = (0, 1.0);
                for (axis, (&(first, second, share), &nodes)) in between.iter().zip(&self.nodes).enumerate() {
                    let upper = corner >> axis & 1 == 1;
                    place = place * nodes + if upper { second } else { first };
                    weight *= if upper { share } else { 1.0 - share };
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
    fn positions_lie_between_nodes_of_their_partition() {
        // Nodes of level 1 in samples 6..13 stand at 6.5, 8.5, 10.5 and 12.5.
        for (position, wanted) in
            [(6.5, (0, 1, 0.0)), (7.5, (0, 1, 0.5)), (12.0, (2, 3, 0.75)), (0.0, (0, 1, 0.0)), (99.0, (3, 3, 0.0))]
        {
            assert_eq!(between(&(6..13), 1, position), wanted, "{position}");
        }
        for position in 6..13 {
            assert_eq!(between(&(6..13), 0, f64::from(position)).0, position as usize - 6);
            assert_eq!(between(&(6..13), 0, f64::from(position)).2, 0.0);
        }
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
