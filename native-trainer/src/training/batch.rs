//! Which samples a step sees, grouped by partition.
//!
//! Full batches hold every sample once. Sampled ones draw, from every partition, its share of samples uniformly with
//! replacement, as the published trainer does (reference/local-global.md 3). The draw is a function of seed and step
//! alone, so a resumed run sees the samples that the interrupted one would have seen.

use tessera_core::eval::cpu::training::Batch;
use tessera_core::field::SplitMix64;
use tessera_core::grid::{Grid, SampleBox};

use super::TrainingError;
use super::interpolation::Interpolation;
use crate::samples::Samples;

/// Makes batches from a signal. Holds one coordinate per row, column, ... and borrows the samples, so that a large
/// picture costs no more than itself, and a clip no more than its batches.
#[derive(Debug)]
pub struct Batches<'a> {
    grid: &'a Grid,
    samples: &'a Samples,
    fraction: f64,
    seed: u64,
    /// Samples beyond its borders that a partition is drawn from, per axis.
    overlap: Vec<u32>,
    coordinates: Vec<Vec<f32>>,
    /// Those that are trained.
    partitions: Vec<u32>,
}

/// Samples that judge the weights in sampled training, at most about this many.
const EVALUATION_SAMPLES: u64 = 1 << 16;
/// Separates the evaluation's draw from those of the steps.
const EVALUATION_STREAM: u64 = u64::MAX;
/// The same for the order of shares.
const SHARE_STREAM: u64 = u64::MAX - 1;
/// The same for places between the samples.
const BETWEEN_STREAM: u64 = u64::MAX - 2;

impl<'a> Batches<'a> {
    /// Batches of `fraction` (above 0, at most 1) of `samples`, which cover `grid`.
    pub fn new(grid: &'a Grid, samples: &'a Samples, fraction: f64, seed: u64) -> Self {
        let axis = |(axis, &n): (usize, &u32)| (0..n).map(|i| grid.coordinate(axis, f64::from(i))).collect();
        let coordinates = grid.shape().iter().enumerate().map(axis).collect();
        let partitions = (0..grid.partitions()).collect();
        Self { grid, samples, fraction, seed, overlap: Vec::new(), coordinates, partitions }
    }

    /// Batches of some partitions only, which ascend.
    #[must_use]
    pub fn of_partitions(self, partitions: Vec<u32>) -> Self {
        Self { partitions, ..self }
    }

    /// Samples of all these partitions together.
    pub fn sample_count(&self) -> u64 {
        self.partitions.iter().map(|&p| self.grid.partition_samples(p)).sum()
    }

    /// The same with sampled batches that draw from as many samples beyond the borders of each partition, one number per
    /// axis: neighbours then agree better where they meet.
    #[must_use]
    pub fn with_overlap(mut self, overlap: &[u32]) -> Self {
        self.overlap = overlap.to_vec();
        self
    }

    /// What a partition's sampled batches are drawn from: its box and the overlap. All such boxes have one size: at the
    /// canvas's border they are moved inwards and not cut (reference/local-global.md 2.4).
    fn pool(&self, partition: u32) -> SampleBox {
        let mut bounds = self.grid.partition_box(partition);
        for ((range, &n), &overlap) in bounds.iter_mut().zip(self.grid.shape()).zip(&self.overlap) {
            let length = (range.end - range.start).saturating_add(overlap.saturating_mul(2)).min(n);
            let start = range.start.saturating_sub(overlap).min(n - length);
            *range = start..start + length;
        }
        bounds
    }

    /// Whether every step sees every sample.
    pub fn is_full(&self) -> bool {
        self.fraction >= 1.0
    }

    /// Every sample once, row-major within its partition.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn full(&self) -> Result<Batch, TrainingError> {
        self.of(self.partitions.iter().copied())
    }

    /// Every sample of some partitions, in their order, row-major within each.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn of(&self, partitions: impl IntoIterator<Item = u32>) -> Result<Batch, TrainingError> {
        self.collect(self.boxes(partitions), |_, samples| 0..samples)
    }

    /// The samples of some partitions in `parts` shares: each partition's samples in an order drawn from the seed, dealt out one
    /// by one, so that the shares differ by one sample at most and together are everything.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn shares_of(&self, partitions: &[u32], parts: usize) -> Result<Vec<Batch>, TrainingError> {
        let orders = self.orders(partitions);
        (0..parts).map(|part| self.dealt(partitions, &orders, part, parts)).collect()
    }

    fn orders(&self, partitions: &[u32]) -> Vec<Vec<u64>> {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(SHARE_STREAM).next_word());
        let order = |partition: &u32| {
            let mut random = SplitMix64(keys.next_word());
            let mut order: Vec<u64> = (0..self.grid.partition_samples(*partition)).collect();
            for last in (1..order.len()).rev() {
                #[expect(clippy::cast_possible_truncation, reason = "below a length in memory")]
                order.swap(last, random.below(last as u64 + 1) as usize);
            }
            order
        };
        partitions.iter().map(order).collect()
    }

    fn dealt(
        &self,
        partitions: &[u32],
        orders: &[Vec<u64>],
        part: usize,
        parts: usize,
    ) -> Result<Batch, TrainingError> {
        let mut orders = orders.iter();
        self.collect(self.boxes(partitions.iter().copied()), |_, _| {
            orders.next().into_iter().flatten().copied().skip(part).step_by(parts)
        })
    }

    /// Places between the samples of some partitions, one for every `parts`-th sample of each: somewhere in the cell of
    /// a sample drawn from the seed, with the value that `Interpolation` finds there.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn between_of(&self, partitions: &[u32], parts: usize) -> Result<Batch, TrainingError> {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(BETWEEN_STREAM).next_word());
        let mut batch = self.dealt(partitions, &self.orders(partitions), 0, parts)?;
        let (inputs, outputs) = (self.grid.axes(), batch.outputs);
        let mut random = SplitMix64(keys.next_word());
        let mut place = vec![0.0_f64; inputs];
        let mut samples = batch.coordinates.chunks_exact_mut(inputs).zip(batch.targets.chunks_exact_mut(outputs));
        for (&partition, span) in partitions.iter().zip(&batch.spans) {
            let window = Interpolation::window(self.grid, partition);
            let values = self.samples.of_box(&window)?;
            let mut interpolation = Interpolation::new(self.grid, &window, &values, outputs);
            for (coordinates, target) in samples.by_ref().take(span.len()) {
                for (axis, (position, coordinate)) in place.iter_mut().zip(coordinates).enumerate() {
                    let last = f64::from(self.grid.shape()[axis] - 1);
                    let [low, high] = self.grid.range().map(f64::from);
                    let cell = ((f64::from(*coordinate) - low) / (high - low) * last).round();
                    *position = (cell + f64::from(random.uniform(0.5))).clamp(0.0, last);
                    *coordinate = self.grid.coordinate(axis, *position);
                }
                interpolation.at(&place, target);
            }
        }
        Ok(batch)
    }

    /// The samples of the step after `step` updates.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn sampled(&self, step: u64) -> Result<Batch, TrainingError> {
        self.drawn(step, |partition| self.pool(partition), |samples| share(samples, self.fraction))
    }

    /// A fixed draw that judges the weights where a step's loss is too noisy to: every sample where there are few,
    /// else about 65,536 spread evenly over the partitions.
    ///
    /// # Errors
    /// [`TrainingError::Samples`] where they cannot be read.
    pub fn evaluation(&self) -> Result<Batch, TrainingError> {
        let samples = self.sample_count();
        if samples <= EVALUATION_SAMPLES {
            return self.full();
        }
        let fraction = EVALUATION_SAMPLES as f64 / samples as f64;
        self.drawn(EVALUATION_STREAM, |p| self.grid.partition_box(p), |samples| share(samples, fraction))
    }

    /// As many draws for each partition as `count` says for its own samples, from its `pool`.
    fn drawn(
        &self,
        stream: u64,
        pool: impl Fn(u32) -> SampleBox,
        count: impl Fn(u64) -> u64,
    ) -> Result<Batch, TrainingError> {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(stream).next_word());
        let pools = self.partitions.iter().map(|&p| (pool(p), self.grid.partition_samples(p)));
        self.collect(pools, |own, samples| {
            let mut random = SplitMix64(keys.next_word());
            (0..count(own)).map(move |_| random.below(samples))
        })
    }

    /// The boxes of partitions and the number of their samples.
    fn boxes(&self, partitions: impl IntoIterator<Item = u32>) -> impl Iterator<Item = (SampleBox, u64)> {
        partitions.into_iter().map(|p| (self.grid.partition_box(p), self.grid.partition_samples(p)))
    }

    /// Gathers, for each partition, the samples of a box that `pick` names as places in it, row-major. `pick` gets the
    /// number of samples that the partition has, and that the box has.
    #[expect(clippy::cast_possible_truncation, reason = "places in a box fit its sides")]
    fn collect<I: Iterator<Item = u64>>(
        &self,
        boxes: impl IntoIterator<Item = (SampleBox, u64)>,
        mut pick: impl FnMut(u64, u64) -> I,
    ) -> Result<Batch, TrainingError> {
        let (inputs, outputs) = (self.grid.axes(), self.samples.info().channels as usize);
        let mut batch = Batch { inputs, outputs, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
        let mut place = vec![0_u32; inputs];
        let mut samples = 0;
        for (bounds, own) in boxes {
            let within = bounds.iter().map(|range| u64::from(range.end - range.start)).product();
            let chosen: Vec<u64> = pick(own, within).collect();
            self.samples.pick(&bounds, &chosen, &mut batch.targets)?;
            for &number in &chosen {
                let mut rest = number;
                for (position, range) in place.iter_mut().zip(&bounds).rev() {
                    let length = u64::from(range.end - range.start);
                    *position = range.start + (rest % length) as u32;
                    rest /= length;
                }
                batch.coordinates.extend(place.iter().zip(&self.coordinates).map(|(&p, axis)| axis[p as usize]));
            }
            batch.spans.push(samples..samples + chosen.len());
            samples += chosen.len();
        }
        Ok(batch)
    }
}

/// `floor(fraction * samples)`, at least 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `samples`")]
fn share(samples: u64, fraction: f64) -> u64 {
    ((samples as f64 * fraction).floor() as u64).clamp(1, samples)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the figures of small tests fit")]
mod tests {
    use super::*;
    use tessera_core::grid::UNIT_RANGE;
    use tessera_core::signal::{SampleFormat, Signal, SignalInfo};

    /// Their own numbers as values.
    fn samples(grid: &Grid, outputs: u32) -> Samples {
        let mut info = SignalInfo::picture(1, 1, outputs, SampleFormat::U8).unwrap();
        info.shape = grid.shape().to_vec();
        Signal { values: (0..grid.samples() * u64::from(outputs)).map(|i| i as f32).collect(), info }.into()
    }

    #[test]
    fn places_between_stay_in_the_cells_of_their_partition() {
        let grid = Grid::new(vec![9, 5], vec![2, 2], UNIT_RANGE).unwrap();
        // The value of a sample is its row, so the value of a place is its place along the first axis.
        let Samples::Memory(mut signal) = samples(&grid, 1) else { panic!("made in memory") };
        signal.values = (0..45_u8).map(|i| f32::from(i / 5)).collect();
        let rows = signal.into();
        let batches = Batches::new(&grid, &rows, 1.0, 3);
        let batch = batches.between_of(&[0, 1, 2, 3], 2).unwrap();
        assert_eq!(batch.spans.len(), 4);
        let mut off_grid = 0;
        for (partition, span) in batch.spans.iter().enumerate() {
            let bounds = grid.partition_box(partition as u32);
            assert_eq!(span.len(), (grid.partition_samples(partition as u32) as usize).div_ceil(2));
            for sample in span.clone() {
                let place = |axis: usize| {
                    let last = f64::from(grid.shape()[axis] - 1);
                    (f64::from(batch.coordinates[sample * 2 + axis]) + 1.0) / 2.0 * last
                };
                for (axis, range) in bounds.iter().enumerate() {
                    let (low, high) = (f64::from(range.start) - 0.5, f64::from(range.end) - 0.5);
                    assert!((low - 1e-4..=high + 1e-4).contains(&place(axis)));
                    off_grid += usize::from((place(axis) - place(axis).round()).abs() > 0.01);
                }
                assert!((f64::from(batch.targets[sample]) - place(0)).abs() < 0.2);
            }
        }
        assert!(off_grid > 20);
        assert_eq!(batches.between_of(&[0, 1, 2, 3], 2).unwrap(), batch);
    }

    #[test]
    fn a_full_batch_holds_every_sample_at_its_coordinates() {
        let grid = Grid::new(vec![7, 5], vec![3, 2], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 2);
        let batch = Batches::new(&grid, &samples, 1.0, 0).full().unwrap();
        assert_eq!(batch.spans.len(), 6);
        assert_eq!((batch.samples(), batch.coordinates.len(), batch.targets.len()), (35, 70, 70));
        for (partition, span) in batch.spans.iter().enumerate() {
            let indices = grid.partition_sample_indices(partition as u32);
            assert_eq!(span.len(), indices.len());
            for (sample, index) in span.clone().zip(indices) {
                let (row, column) = (index / 5, index % 5);
                assert_eq!(batch.targets[sample * 2..][..2], [index as f32 * 2.0, index as f32 * 2.0 + 1.0]);
                let expected = [grid.coordinate(0, row as f64), grid.coordinate(1, column as f64)];
                assert_eq!(batch.coordinates[sample * 2..][..2], expected);
            }
        }
    }

    #[test]
    fn some_partitions_make_batches_of_their_own() {
        let grid = Grid::new(vec![40, 30], vec![3, 2], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 1);
        for fraction in [1.0, 0.1] {
            let all = Batches::new(&grid, &samples, fraction, 7);
            let some = Batches::new(&grid, &samples, fraction, 7).of_partitions(vec![1, 4]);
            let own = [1, 4].map(|p| grid.partition_sample_indices(p)).concat();
            assert_eq!((some.sample_count(), all.sample_count()), (own.len() as u64, 1200));
            for batch in [some.full(), some.sampled(2), some.evaluation()].map(Result::unwrap) {
                assert_eq!(batch.spans.len(), 2);
                assert!(batch.targets.iter().all(|&v| own.contains(&(v as u64))));
            }
            assert_eq!(some.full().unwrap(), all.of([1, 4]).unwrap());
        }
    }

    #[test]
    fn draws_depend_on_seed_and_step_alone_and_stay_in_their_partition() {
        let grid = Grid::new(vec![40, 30], vec![3, 2], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 1);
        let batches = Batches::new(&grid, &samples, 0.1, 7);
        let batch = batches.sampled(3).unwrap();
        assert_eq!(batch, Batches::new(&grid, &samples, 0.1, 7).sampled(3).unwrap());
        assert_ne!(batch, batches.sampled(4).unwrap());
        assert_ne!(batch, Batches::new(&grid, &samples, 0.1, 8).sampled(3).unwrap());
        for (partition, span) in batch.spans.iter().enumerate() {
            let own = grid.partition_sample_indices(partition as u32);
            assert_eq!(span.len(), own.len() / 10);
            assert!(batch.targets[span.clone()].iter().all(|&v| own.contains(&(v as u64))));
        }
        let tiny = Batches::new(&grid, &samples, 1e-9, 7).sampled(0).unwrap();
        assert!(tiny.spans.iter().all(|span| span.len() == 1));
    }

    /// Every pool has one size, holds its partition, and along an axis that one partition fills it is that partition.
    #[test]
    fn overlapping_draws_reach_over_borders_and_stay_on_the_canvas() {
        let grid = Grid::new(vec![12, 10], vec![3, 1], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 1);
        let batches = Batches::new(&grid, &samples, 0.9, 7).with_overlap(&[2, 3]);
        let pools: Vec<_> = (0..3).map(|partition| batches.pool(partition)).collect();
        assert_eq!(pools, [vec![0..8, 0..10], vec![2..10, 0..10], vec![4..12, 0..10]]);
        let batch = batches.sampled(1).unwrap();
        for (partition, span) in batch.spans.iter().enumerate() {
            assert_eq!(span.len(), 36);
            let rows: Vec<u32> = batch.targets[span.clone()].iter().map(|v| *v as u32 / 10).collect();
            assert!(rows.iter().all(|row| pools[partition][0].contains(row)), "{rows:?}");
            let own = grid.partition_box(partition as u32)[0].clone();
            assert!(rows.iter().any(|row| !own.contains(row)), "nothing is drawn from beyond the border");
        }
        assert_eq!(batches.evaluation().unwrap(), Batches::new(&grid, &samples, 0.9, 7).evaluation().unwrap());
    }

    #[test]
    fn shares_are_everything_once() {
        let grid = Grid::new(vec![9, 5], vec![2, 2], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 1);
        let batches = Batches::new(&grid, &samples, 1.0, 7);
        let shares = batches.shares_of(&[1, 3], 2).unwrap();
        assert_eq!(shares, batches.shares_of(&[1, 3], 2).unwrap());
        assert_ne!(shares, Batches::new(&grid, &samples, 1.0, 8).shares_of(&[1, 3], 2).unwrap());
        let whole = batches.of([1, 3]).unwrap();
        for (slot, span) in whole.spans.iter().enumerate() {
            let of = |share: &Batch| share.targets[share.spans[slot].clone()].to_vec();
            let mut dealt: Vec<f32> = shares.iter().flat_map(of).collect();
            assert!(shares[0].spans[slot].len() - shares[1].spans[slot].len() <= 1);
            dealt.sort_by(f32::total_cmp);
            assert_eq!(dealt, whole.targets[span.clone()]);
        }
    }

    #[test]
    fn the_evaluation_is_fixed_and_bounded() {
        let grid = Grid::new(vec![600, 400], vec![16, 16], UNIT_RANGE).unwrap();
        let samples = samples(&grid, 1);
        let batches = Batches::new(&grid, &samples, 0.1, 7);
        let batch = batches.evaluation().unwrap();
        assert_eq!(batch, batches.evaluation().unwrap());
        assert!(batch.samples() <= 1 << 16 && batch.samples() > 60_000);
        assert_ne!(batch, batches.sampled(0).unwrap());
    }
}
