//! Values between the samples of a signal.

use tessera_core::grid::{Grid, SampleBox};

/// Catmull-Rom along every axis, held within what the nearest samples span, so
/// that edges do not overshoot.
#[derive(Debug)]
pub(super) struct Interpolation<'a> {
    grid: &'a Grid,
    window: &'a SampleBox,
    values: &'a [f32],
    outputs: usize,
    /// Linear index, weight, and whether the sample is one of the nearest.
    taps: Vec<(usize, f32, bool)>,
}

impl<'a> Interpolation<'a> {
    /// Between the samples of `window`, whose `values` are `[samples, outputs]`.
    pub(super) fn new(grid: &'a Grid, window: &'a SampleBox, values: &'a [f32], outputs: usize) -> Self {
        Self { grid, window, values, outputs, taps: Vec::new() }
    }

    /// The samples that places in the cells of a partition's samples need.
    pub(super) fn window(grid: &Grid, partition: u32) -> SampleBox {
        let wider = |(range, &n): (std::ops::Range<u32>, &u32)| range.start.saturating_sub(2)..(range.end + 2).min(n);
        grid.partition_box(partition).into_iter().zip(grid.shape()).map(wider).collect()
    }

    /// Writes the values at `place` (in sample units, within the canvas, its taps within the window) to `target`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places lie within the canvas")]
    pub(super) fn at(&mut self, place: &[f64], target: &mut [f32]) {
        self.taps.clear();
        self.taps.push((0, 1.0, true));
        for ((&position, &n), window) in place.iter().zip(self.grid.shape()).zip(self.window) {
            let before = position.floor();
            let t = (position - before) as f32;
            let last = n as usize - 1;
            let weights = [
                ((-0.5 * t + 1.0) * t - 0.5) * t,
                (1.5 * t - 2.5) * t * t + 1.0,
                ((-1.5 * t + 2.0) * t + 0.5) * t,
                (0.5 * t - 0.5) * t * t,
            ];
            let taps = std::mem::take(&mut self.taps);
            for (index, weight, near) in taps {
                for (tap, w) in weights.iter().enumerate() {
                    let sample = (before as usize + tap).saturating_sub(1).min(last) - window.start as usize;
                    self.taps.push((index * window.len() + sample, weight * w, near && (tap == 1 || tap == 2)));
                }
            }
        }
        for (output, target) in target.iter_mut().enumerate() {
            let value = |index: usize| self.values[index * self.outputs + output];
            let (mut sum, mut low, mut high) = (0.0, f32::INFINITY, f32::NEG_INFINITY);
            for &(index, weight, near) in &self.taps {
                let v = value(index);
                sum += weight * v;
                if near {
                    (low, high) = (low.min(v), high.max(v));
                }
            }
            *target = sum.clamp(low, high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::grid::UNIT_RANGE;

    fn at(shape: &[u32], values: &[f32], place: &[f64]) -> f32 {
        let grid = Grid::new(shape.to_vec(), vec![1; shape.len()], UNIT_RANGE).unwrap();
        let mut target = [0.0];
        Interpolation::new(&grid, &grid.canvas(), values, 1).at(place, &mut target);
        target[0]
    }

    #[test]
    fn samples_are_met_and_ramps_are_straight() {
        let values: Vec<f32> = (0..20_u8).map(|i| f32::from(i % 5) * 2.0 + f32::from(i / 5)).collect();
        assert_eq!(at(&[4, 5], &values, &[2.0, 3.0]), 8.0);
        assert!((at(&[4, 5], &values, &[1.25, 2.5]) - 6.25).abs() < 1e-5);
        assert_eq!(at(&[4, 5], &values, &[3.0, 4.0]), 11.0);
        assert_eq!(at(&[1], &[0.5], &[0.0]), 0.5);
    }

    #[test]
    fn edges_do_not_overshoot_and_curves_are_followed() {
        let step = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        for tenth in 0..=50_u8 {
            let value = at(&[6], &step, &[f64::from(tenth) / 10.0]);
            assert!((0.0..=1.0).contains(&value));
        }
        let square: Vec<f32> = (0..6_u8).map(|i| f32::from(i) * f32::from(i)).collect();
        assert!((at(&[6], &square, &[2.5]) - 6.25).abs() < 1e-5);
    }
}
