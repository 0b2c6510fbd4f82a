//! Where a field is evaluated: the cartesian product of one list of positions per axis.
//!
//! Everything that front ends ask for is such a product: the whole canvas, a region, another resolution, the visible
//! rectangle of a zoomed page. Coordinates and owners then cost one number per row and column instead of one per
//! sample, and a partition's samples form a box.

use std::ops::Range;

use crate::error::{Error, check_limit};
use crate::grid::{Grid, SampleBox};
use crate::limits;

/// Positions per axis, ascending, in sample units of the original canvas: sample `i` sits at `i`.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    axes: Vec<Vec<f64>>,
    /// Partition indices per axis that are asked instead of the positions' owners.
    owners: Option<Vec<Vec<u32>>>,
}

/// One axis of a view on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The positions, in samples of the original.
    pub positions: Vec<f64>,
    /// The network's input for each position.
    pub coordinates: Vec<f32>,
    /// The partition index along this axis that each position is asked of: its owner.
    pub owners: Vec<u32>,
}

/// Positions that share an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Partition index along the axis.
    pub owner: u32,
    /// Places in the view.
    pub places: Range<usize>,
}

impl View {
    fn of(axes: Vec<Vec<f64>>) -> Self {
        Self { axes, owners: None }
    }

    /// The positions at `places` of each axis, asked of `owners` (as many, partition indices along the axis).
    pub(super) fn owned_by(&self, places: &[Vec<usize>], owners: Vec<Vec<u32>>) -> Self {
        let chosen = |(axis, places): (&Vec<f64>, &Vec<usize>)| places.iter().map(|&place| axis[place]).collect();
        Self { axes: self.axes.iter().zip(places).map(chosen).collect(), owners: Some(owners) }
    }

    /// Every stored sample.
    pub fn full(grid: &Grid) -> Self {
        Self::region(&grid.canvas())
    }

    /// The stored samples of a box.
    pub fn region(bounds: &SampleBox) -> Self {
        Self::of(bounds.iter().map(|r| r.clone().map(f64::from).collect()).collect())
    }

    /// `shape` positions spread over `edges`, which are in sample-edge units: sample `i` covers `i..i + 1`, the whole
    /// axis `0..n`. Position `j` is the centre of the `j`-th of `shape` equal cells, so a scale of one gives exactly
    /// the stored samples.
    ///
    /// # Errors
    /// [`Error::Parameter`] for ranges that are empty or not finite, [`Error::Limit`] for too many samples.
    pub fn resampled(edges: &[Range<f64>], shape: &[u32]) -> Result<Self, Error> {
        if edges.len() != shape.len() {
            return Err(Error::parameter(format!("a view of {} axes got {} sizes", edges.len(), shape.len())));
        }
        let mut samples = 1_u64;
        for (range, &n) in edges.iter().zip(shape) {
            let length = range.end - range.start;
            if n == 0 || !(length > 0.0 && length.is_finite() && range.start.is_finite()) {
                return Err(Error::parameter(format!("a view needs a size, {range:?} at {n} samples has none")));
            }
            samples = samples.saturating_mul(n.into());
            check_limit("samples of a view", samples, limits::DECODE_SAMPLES)?;
        }
        let axes = edges
            .iter()
            .zip(shape)
            .map(|(range, &n)| {
                let cell = (range.end - range.start) / f64::from(n);
                (0..n).map(|j| range.start + (f64::from(j) + 0.5) * cell - 0.5).collect()
            })
            .collect();
        Ok(Self::of(axes))
    }

    /// The same view with every position moved to its nearest stored sample: blocks instead of a continuous field.
    pub fn nearest(mut self) -> Self {
        for position in self.axes.iter_mut().flatten() {
            *position = (*position + 0.5).floor();
        }
        self
    }

    /// The part of the view whose places along `axis` lie in `places`.
    pub fn along(&self, axis: usize, places: Range<usize>) -> Self {
        let mut part = self.clone();
        if let Some(positions) = part.axes.get_mut(axis) {
            *positions = positions.get(places.clone()).unwrap_or_default().to_vec();
        }
        if let Some(owners) = part.owners.as_mut().and_then(|owners| owners.get_mut(axis)) {
            *owners = owners.get(places).unwrap_or_default().to_vec();
        }
        part
    }

    /// The positions themselves, per axis.
    pub fn positions(&self) -> &[Vec<f64>] {
        &self.axes
    }

    /// Positions per axis.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(Vec::len).collect()
    }

    /// Number of positions in all.
    pub fn samples(&self) -> usize {
        self.axes.iter().map(Vec::len).product()
    }

    /// Coordinates and owners on `grid`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of axes, [`Error::Limit`] for more samples than a decoder writes.
    pub fn resolve(&self, grid: &Grid) -> Result<Vec<Axis>, Error> {
        if self.axes.len() != grid.axes() {
            return Err(Error::parameter(format!(
                "a view of {} axes cannot show a signal of {} axes",
                self.axes.len(),
                grid.axes()
            )));
        }
        let samples = self.axes.iter().fold(1_u64, |n, axis| n.saturating_mul(axis.len() as u64));
        check_limit("samples of a view", samples, limits::DECODE_SAMPLES)?;
        let axes = self.axes.iter().enumerate().map(|(axis, positions)| Axis {
            positions: positions.clone(),
            // Far outside the canvas the field means nothing; the clamp keeps the sine's argument in its range.
            coordinates: positions
                .iter()
                .map(|&p| grid.coordinate(axis, p).clamp(-2.0 * limits::COORDINATE, 2.0 * limits::COORDINATE))
                .collect(),
            owners: match self.owners.as_ref().and_then(|owners| owners.get(axis)) {
                Some(owners) => owners.clone(),
                None => positions.iter().map(|&p| grid.axis_owner_at(axis, p)).collect(),
            },
        });
        Ok(axes.collect())
    }
}

impl Axis {
    /// Maximal runs of one owner.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (place, &owner) in self.owners.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.owner == owner => run.places.end = place + 1,
                _ => runs.push(Run { owner, places: place..place + 1 }),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::UNIT_RANGE;

    #[test]
    fn a_scale_of_one_is_the_stored_samples() {
        let grid = Grid::new(vec![451, 300], vec![16, 16], UNIT_RANGE).unwrap();
        let view = View::resampled(&[0.0..451.0, 0.0..300.0], &[451, 300]).unwrap();
        assert_eq!(view, View::full(&grid));
        assert_eq!(view.clone().nearest(), view);
        assert_eq!(view.along(0, 10..12), View::region(&vec![10..12, 0..300]));
    }

    #[test]
    fn runs_follow_the_partitions() {
        let grid = Grid::new(vec![7], vec![2], UNIT_RANGE).unwrap();
        let view = View::resampled(&[0.0..7.0], &[14]).unwrap();
        let axis = &view.resolve(&grid).unwrap()[0];
        assert_eq!(axis.runs(), vec![Run { owner: 0, places: 0..8 }, Run { owner: 1, places: 8..14 }]);
    }

    #[test]
    fn senseless_views_are_refused() {
        let backwards = std::ops::Range { start: 1.0, end: 0.0 };
        assert!(View::resampled(&[backwards], &[3]).is_err());
        assert!(View::resampled(&[0.0..f64::NAN], &[3]).is_err());
        assert!(View::resampled(&[0.0..1.0, 0.0..1.0], &[1 << 31, 1 << 31]).is_err());
    }
}
