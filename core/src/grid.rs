//! Sample coordinates and partitions.
//!
//! A canvas of `shape` samples is cut into `factors` partitions per axis. Where an axis does not divide, its first
//! `n mod factor` partitions hold one sample more than the rest, so sizes differ by one at most, none is empty, and
//! every sample has exactly one owner. (Blocks of equal size with a short last one were the alternative: 100 samples
//! in 16 blocks of 7 leave the last block without any sample.)

use std::ops::Range;

use crate::error::{Error, check_limit};
use crate::limits;

/// The canvas, its partitions and its coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    shape: Vec<u32>,
    factors: Vec<u32>,
    range: [f32; 2],
}

/// A box of samples: one half-open range per axis, in coordinates of the original canvas.
pub type SampleBox = Vec<Range<u32>>;

/// Coordinates of pictures, video and shapes.
pub const UNIT_RANGE: [f32; 2] = [-1.0, 1.0];
/// Coordinates of sound (reference/local-global.md 2.1).
pub const SOUND_RANGE: [f32; 2] = [-100.0, 100.0];

impl Grid {
    /// A grid of `factors` partitions over `shape` samples whose coordinates span `range`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for mismatched axes, a factor of zero or more partitions than samples along an axis;
    /// [`Error::Limit`] beyond the limits of the format.
    pub fn new(shape: Vec<u32>, factors: Vec<u32>, range: [f32; 2]) -> Result<Self, Error> {
        if shape.is_empty() || shape.len() != factors.len() {
            return Err(Error::parameter(format!(
                "{} partition factors were given for a signal of {} axes",
                factors.len(),
                shape.len()
            )));
        }
        check_limit("axes", shape.len() as u64, limits::AXES)?;
        let mut partitions = 1_u64;
        let mut samples = 1_u64;
        for (&n, &c) in shape.iter().zip(&factors) {
            check_limit("samples along an axis", n.into(), limits::AXIS_SAMPLES)?;
            if n == 0 || c == 0 || c > n {
                return Err(Error::parameter(format!("{n} samples cannot be cut into {c} partitions")));
            }
            partitions = partitions.saturating_mul(c.into());
            samples = samples.saturating_mul(n.into());
        }
        check_limit("partitions", partitions, limits::PARTITIONS)?;
        check_limit("samples of the canvas", samples, limits::CANVAS_SAMPLES)?;
        let sound = range.iter().all(|v| v.abs() <= limits::COORDINATE);
        if !(sound && range[0] < range[1]) {
            return Err(Error::parameter(format!(
                "the coordinate range {range:?} is not an increasing finite interval"
            )));
        }
        Ok(Self { shape, factors, range })
    }

    /// Samples along each axis.
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// Partitions along each axis.
    pub fn factors(&self) -> &[u32] {
        &self.factors
    }

    /// The coordinates of the first and the last sample of an axis.
    pub fn range(&self) -> [f32; 2] {
        self.range
    }

    /// Number of axes.
    pub fn axes(&self) -> usize {
        self.shape.len()
    }

    /// Number of partitions.
    #[expect(clippy::cast_possible_truncation, reason = "limited to 2^20 by the constructor")]
    pub fn partitions(&self) -> u32 {
        self.factors.iter().map(|&c| u64::from(c)).product::<u64>() as u32
    }

    /// Number of samples of the canvas.
    pub fn samples(&self) -> u64 {
        self.shape.iter().map(|&n| u64::from(n)).product()
    }

    /// The whole canvas as a box.
    pub fn canvas(&self) -> SampleBox {
        self.shape.iter().map(|&n| 0..n).collect()
    }

    /// The samples of partition `index` along `axis`.
    pub fn axis_range(&self, axis: usize, index: u32) -> Range<u32> {
        let (n, c) = (self.shape[axis], self.factors[axis]);
        let (size, larger) = (n / c, n % c);
        let start = index * size + index.min(larger);
        start..start + size + u32::from(index < larger)
    }

    /// The partition along `axis` that owns sample `sample`.
    pub fn axis_owner(&self, axis: usize, sample: u32) -> u32 {
        let (n, c) = (self.shape[axis], self.factors[axis]);
        let (size, larger) = (n / c, n % c);
        let border = larger * (size + 1);
        if sample < border { sample / (size + 1) } else { larger + (sample - border) / size }
    }

    /// The partition along `axis` that owns position `position`, in sample units: the nearest sample decides, a
    /// mid-point belongs to the later one, and positions outside belong to the border.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis before the cast")]
    pub fn axis_owner_at(&self, axis: usize, position: f64) -> u32 {
        let last = f64::from(self.shape[axis] - 1);
        self.axis_owner(axis, (position + 0.5).floor().clamp(0.0, last) as u32)
    }

    /// The coordinate of position `position` (in sample units) along `axis`: the first sample sits on the lower end
    /// of the range, the last on the upper; an axis of one sample sits on the lower end. Computed in f64 and rounded
    /// once, so that every engine feeds its networks the same numbers.
    #[expect(clippy::cast_possible_truncation, reason = "the rounding to f32 is the point")]
    pub fn coordinate(&self, axis: usize, position: f64) -> f32 {
        let [low, high] = self.range.map(f64::from);
        let n = self.shape[axis];
        let step = if n > 1 { (high - low) / f64::from(n - 1) } else { 0.0 };
        (position * step + low) as f32
    }

    /// Index triple (pair, ...) of a linear partition index, row-major.
    pub fn unravel(&self, partition: u32) -> Vec<u32> {
        let mut rest = partition;
        let mut index = vec![0; self.axes()];
        for (i, &c) in index.iter_mut().zip(&self.factors).rev() {
            *i = rest % c;
            rest /= c;
        }
        index
    }

    /// Linear index of a partition, row-major over the factors; `None` outside.
    pub fn ravel(&self, index: &[u32]) -> Option<u32> {
        if index.len() != self.axes() {
            return None;
        }
        let mut linear = 0;
        for (&i, &c) in index.iter().zip(&self.factors) {
            if i >= c {
                return None;
            }
            linear = linear * c + i;
        }
        Some(linear)
    }

    /// The samples that `partition` owns.
    pub fn partition_box(&self, partition: u32) -> SampleBox {
        self.unravel(partition).iter().enumerate().map(|(axis, &i)| self.axis_range(axis, i)).collect()
    }

    /// Number of samples that `partition` owns.
    pub fn partition_samples(&self, partition: u32) -> u64 {
        self.partition_box(partition).iter().map(|r| u64::from(r.end - r.start)).product()
    }

    /// The most samples that any partition owns: those of the first one.
    pub fn largest_partition_samples(&self) -> u64 {
        self.partition_samples(0)
    }

    /// Where the samples of `partition` lie in an array of all samples: one range for each of its rows along the last
    /// axis, in order.
    pub fn partition_rows(&self, partition: u32) -> impl Iterator<Item = Range<usize>> {
        let mut bounds = self.partition_box(partition);
        let last = bounds.pop().unwrap_or_default();
        let along = self.shape.last().map_or(1, |&n| n as usize);
        let mut starts = vec![0_usize];
        for (range, &n) in bounds.iter().zip(&self.shape) {
            starts = starts.iter().flat_map(|&s| range.clone().map(move |i| s * n as usize + i as usize)).collect();
        }
        let (first, end) = (last.start as usize, last.end as usize);
        starts.into_iter().map(move |start| start * along + first..start * along + end)
    }

    /// Linear sample indices of `partition`, row-major over its box.
    pub fn partition_sample_indices(&self, partition: u32) -> Vec<u64> {
        let bounds = self.partition_box(partition);
        let mut indices = vec![0_u64];
        for (range, &n) in bounds.iter().zip(&self.shape) {
            indices = indices
                .iter()
                .flat_map(|&base| range.clone().map(move |i| base * u64::from(n) + u64::from(i)))
                .collect();
        }
        indices
    }

    /// The smallest box around a set of partitions; `None` for an empty set.
    pub fn bounding_box(&self, partitions: impl IntoIterator<Item = u32>) -> Option<SampleBox> {
        let mut bounds: Option<SampleBox> = None;
        for partition in partitions {
            let own = self.partition_box(partition);
            bounds = Some(match bounds {
                None => own,
                Some(b) => b.iter().zip(&own).map(|(a, o)| a.start.min(o.start)..a.end.max(o.end)).collect(),
            });
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_divisible_axis_matches_the_published_blocks() {
        let grid = Grid::new(vec![512, 512], vec![16, 16], UNIT_RANGE).unwrap();
        assert_eq!(grid.partition_box(17), vec![32..64, 32..64]);
        assert_eq!(grid.coordinate(0, 0.0), -1.0);
        assert_eq!(grid.coordinate(1, 511.0), 1.0);
        assert_eq!(grid.unravel(37), vec![2, 5]);
        assert_eq!(grid.ravel(&[2, 5]), Some(37));
        assert_eq!(grid.ravel(&[2, 16]), None);
    }

    #[test]
    fn mid_points_decide_between_partitions() {
        let grid = Grid::new(vec![7], vec![2], UNIT_RANGE).unwrap();
        assert_eq!((grid.axis_range(0, 0), grid.axis_range(0, 1)), (0..4, 4..7));
        for (position, owner) in [(-9.0, 0), (3.49, 0), (3.5, 1), (4.0, 1), (99.0, 1)] {
            assert_eq!(grid.axis_owner_at(0, position), owner, "{position}");
        }
    }

    proptest! {
        #[test]
        fn every_sample_has_exactly_one_owner(n in 1_u32..300, c in 1_u32..40, m in 1_u32..9) {
            prop_assume!(c <= n);
            let grid = Grid::new(vec![n, m], vec![c, m.min(3)], UNIT_RANGE).unwrap();
            let mut seen = vec![0; grid.samples() as usize];
            for p in 0..grid.partitions() {
                let indices = grid.partition_sample_indices(p);
                prop_assert!(!indices.is_empty() && indices.len() as u64 <= grid.largest_partition_samples());
                for i in indices {
                    seen[i as usize] += 1;
                    let (row, column) = ((i / u64::from(m)) as u32, (i % u64::from(m)) as u32);
                    let owner = grid.ravel(&[grid.axis_owner(0, row), grid.axis_owner(1, column)]);
                    prop_assert_eq!(owner, Some(p));
                }
            }
            prop_assert!(seen.iter().all(|&s| s == 1));
        }
    }
}
