//! Which samples a step sees, grouped by partition.
//!
//! Full batches hold every sample once. Sampled ones draw, from every partition, its share of samples uniformly with
//! replacement, as the published trainer does (reference/local-global.md 3). The draw is a function of seed and step
//! alone, so a resumed run sees the samples that the interrupted one would have seen.

use tessera_core::eval::cpu::training::Batch;
use tessera_core::field::SplitMix64;
use tessera_core::grid::Grid;

use super::interpolation::Interpolation;

/// Makes batches from a signal. Holds one coordinate per row, column, ... and borrows the values, so that a large
/// picture costs no more than itself.
#[derive(Debug)]
pub struct Batches<'a> {
    grid: &'a Grid,
    values: &'a [f32],
    outputs: usize,
    fraction: f64,
    seed: u64,
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
    /// Batches of `fraction` (above 0, at most 1) of `values` `[samples * outputs]`, which cover `grid`.
    pub fn new(grid: &'a Grid, values: &'a [f32], outputs: usize, fraction: f64, seed: u64) -> Self {
        let axis = |(axis, &n): (usize, &u32)| (0..n).map(|i| grid.coordinate(axis, f64::from(i))).collect();
        let coordinates = grid.shape().iter().enumerate().map(axis).collect();
        Self { grid, values, outputs, fraction, seed, coordinates, partitions: (0..grid.partitions()).collect() }
    }

    /// Batches of some partitions only, which ascend.
    #[must_use]
    pub fn of_partitions(self, partitions: Vec<u32>) -> Self {
        Self { partitions, ..self }
    }

    /// Samples of all partitions together.
    pub fn samples(&self) -> u64 {
        self.partitions.iter().map(|&p| self.grid.partition_samples(p)).sum()
    }

    /// Whether every step sees every sample.
    pub fn is_full(&self) -> bool {
        self.fraction >= 1.0
    }

    /// Every sample once, row-major within its partition.
    pub fn full(&self) -> Batch {
        self.of(self.partitions.iter().copied())
    }

    /// Every sample of some partitions, in their order, row-major within each.
    pub fn of(&self, partitions: impl IntoIterator<Item = u32>) -> Batch {
        self.collect(partitions, |samples| 0..samples)
    }

    /// Share `part` of `parts` of the samples of some partitions: each partition's samples in an order drawn from the seed,
    /// dealt out one by one, so that the shares differ by one sample at most and together are everything.
    pub fn share_of(&self, partitions: impl IntoIterator<Item = u32>, part: usize, parts: usize) -> Batch {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(SHARE_STREAM).next_word());
        self.collect(partitions, |samples| {
            let mut random = SplitMix64(keys.next_word());
            let mut order: Vec<u64> = (0..samples).collect();
            for last in (1..order.len()).rev() {
                #[expect(clippy::cast_possible_truncation, reason = "below a length in memory")]
                order.swap(last, random.below(last as u64 + 1) as usize);
            }
            order.into_iter().skip(part).step_by(parts)
        })
    }

    /// Places between the samples of some partitions, one for every `parts`-th sample of each: somewhere in the cell of
    /// a sample drawn from the seed, with the value that [`Interpolation`] finds there.
    pub fn between_of(&self, partitions: impl IntoIterator<Item = u32>, parts: usize) -> Batch {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(BETWEEN_STREAM).next_word());
        let mut batch = self.share_of(partitions, 0, parts);
        let inputs = self.grid.axes();
        let mut random = SplitMix64(keys.next_word());
        let mut interpolation = Interpolation::new(self.grid, self.values, self.outputs);
        let mut place = vec![0.0_f64; inputs];
        let samples = batch.coordinates.chunks_exact_mut(inputs).zip(batch.targets.chunks_exact_mut(self.outputs));
        for (coordinates, target) in samples {
            for (axis, (position, coordinate)) in place.iter_mut().zip(coordinates).enumerate() {
                let last = f64::from(self.grid.shape()[axis] - 1);
                let [low, high] = self.grid.range().map(f64::from);
                let cell = ((f64::from(*coordinate) - low) / (high - low) * last).round();
                *position = (cell + f64::from(random.uniform(0.5))).clamp(0.0, last);
                *coordinate = self.grid.coordinate(axis, *position);
            }
            interpolation.at(&place, target);
        }
        batch
    }

    /// The samples of the step after `step` updates.
    pub fn sampled(&self, step: u64) -> Batch {
        self.drawn(step, |samples| share(samples, self.fraction))
    }

    /// A fixed draw that judges the weights where a step's loss is too noisy to: every sample where there are few,
    /// else about 65,536 spread evenly over the partitions.
    pub fn evaluation(&self) -> Batch {
        let samples = self.samples();
        if samples <= EVALUATION_SAMPLES {
            return self.full();
        }
        let fraction = EVALUATION_SAMPLES as f64 / samples as f64;
        self.drawn(EVALUATION_STREAM, |samples| share(samples, fraction))
    }

    fn drawn(&self, stream: u64, count: impl Fn(u64) -> u64) -> Batch {
        let mut keys = SplitMix64(SplitMix64(self.seed).next_word() ^ SplitMix64(stream).next_word());
        self.collect(self.partitions.iter().copied(), |samples| {
            let mut random = SplitMix64(keys.next_word());
            (0..count(samples)).map(move |_| random.below(samples))
        })
    }

    /// Gathers the samples that `pick` names per partition, as places in the partition's box, row-major.
    #[expect(clippy::cast_possible_truncation, reason = "the values are in memory, so their indices fit")]
    fn collect<I: Iterator<Item = u64>>(
        &self,
        partitions: impl IntoIterator<Item = u32>,
        mut pick: impl FnMut(u64) -> I,
    ) -> Batch {
        let inputs = self.grid.axes();
        let mut batch =
            Batch { inputs, outputs: self.outputs, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
        let mut place = vec![0_u32; inputs];
        let mut samples = 0;
        for partition in partitions {
            let bounds = self.grid.partition_box(partition);
            let start = samples;
            for chosen in pick(self.grid.partition_samples(partition)) {
                let mut rest = chosen;
                for (position, range) in place.iter_mut().zip(&bounds).rev() {
                    let length = u64::from(range.end - range.start);
                    *position = range.start + (rest % length) as u32;
                    rest /= length;
                }
                let mut index = 0_usize;
                for ((&position, &n), axis) in place.iter().zip(self.grid.shape()).zip(&self.coordinates) {
                    batch.coordinates.push(axis[position as usize]);
                    index = index * n as usize + position as usize;
                }
                batch.targets.extend_from_slice(&self.values[index * self.outputs..][..self.outputs]);
                samples += 1;
            }
            batch.spans.push(start..samples);
        }
        batch
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

    fn values(grid: &Grid, outputs: usize) -> Vec<f32> {
        (0..grid.samples() as usize * outputs).map(|i| i as f32).collect()
    }

    #[test]
    fn places_between_stay_in_the_cells_of_their_partition() {
        let grid = Grid::new(vec![9, 5], vec![2, 2], UNIT_RANGE).unwrap();
        // The value of a sample is its row, so the value of a place is its place along the first axis.
        let rows: Vec<f32> = (0..45_u8).map(|i| f32::from(i / 5)).collect();
        let batches = Batches::new(&grid, &rows, 1, 1.0, 3);
        let batch = batches.between_of(0..4, 2);
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
        assert_eq!(batches.between_of(0..4, 2).coordinates, batch.coordinates);
    }

    #[test]
    fn a_full_batch_holds_every_sample_at_its_coordinates() {
        let grid = Grid::new(vec![7, 5], vec![3, 2], UNIT_RANGE).unwrap();
        let values = values(&grid, 2);
        let batch = Batches::new(&grid, &values, 2, 1.0, 0).full();
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
        let values = values(&grid, 1);
        for fraction in [1.0, 0.1] {
            let all = Batches::new(&grid, &values, 1, fraction, 7);
            let some = Batches::new(&grid, &values, 1, fraction, 7).of_partitions(vec![1, 4]);
            let own = [1, 4].map(|p| grid.partition_sample_indices(p)).concat();
            assert_eq!((some.samples(), all.samples()), (own.len() as u64, 1200));
            for batch in [some.full(), some.sampled(2), some.evaluation()] {
                assert_eq!(batch.spans.len(), 2);
                assert!(batch.targets.iter().all(|&v| own.contains(&(v as u64))));
            }
            assert_eq!(some.full(), all.of([1, 4]));
        }
    }

    #[test]
    fn draws_depend_on_seed_and_step_alone_and_stay_in_their_partition() {
        let grid = Grid::new(vec![40, 30], vec![3, 2], UNIT_RANGE).unwrap();
        let values = values(&grid, 1);
        let batches = Batches::new(&grid, &values, 1, 0.1, 7);
        let batch = batches.sampled(3);
        assert_eq!(batch, Batches::new(&grid, &values, 1, 0.1, 7).sampled(3));
        assert_ne!(batch, batches.sampled(4));
        assert_ne!(batch, Batches::new(&grid, &values, 1, 0.1, 8).sampled(3));
        for (partition, span) in batch.spans.iter().enumerate() {
            let own = grid.partition_sample_indices(partition as u32);
            assert_eq!(span.len(), own.len() / 10);
            assert!(batch.targets[span.clone()].iter().all(|&v| own.contains(&(v as u64))));
        }
        let tiny = Batches::new(&grid, &values, 1, 1e-9, 7).sampled(0);
        assert!(tiny.spans.iter().all(|span| span.len() == 1));
    }

    #[test]
    fn shares_are_everything_once() {
        let grid = Grid::new(vec![9, 5], vec![2, 2], UNIT_RANGE).unwrap();
        let values = values(&grid, 1);
        let batches = Batches::new(&grid, &values, 1, 1.0, 7);
        let shares = [0, 1].map(|part| batches.share_of([1, 3], part, 2));
        assert_eq!(shares[0], batches.share_of([1, 3], 0, 2));
        assert_ne!(shares[0], Batches::new(&grid, &values, 1, 1.0, 8).share_of([1, 3], 0, 2));
        let whole = batches.of([1, 3]);
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
        let values = values(&grid, 1);
        let batches = Batches::new(&grid, &values, 1, 0.1, 7);
        let batch = batches.evaluation();
        assert_eq!(batch, batches.evaluation());
        assert!(batch.samples() <= 1 << 16 && batch.samples() > 60_000);
        assert_ne!(batch, batches.sampled(0));
    }
}
