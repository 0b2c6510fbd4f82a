//! Training with quantised weights: steps evaluate what a file would hold, and move what it is rounded from (the
//! straight-through estimator; reference/inr-compression.md section 8).

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tessera_core::codec::Quantisation;
use tessera_core::codec::quantised::Network;
use tessera_core::field::{Field, Start, tensors};

/// How local weights are rounded while they are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedTraining {
    /// The steps.
    pub quantisation: Quantisation,
    /// What a bit per sample costs, as mean squared error (field units); 0 leaves the rate alone.
    pub rate_weight: f64,
}

/// The same, ready for the partitions of a run.
#[derive(Debug)]
pub(super) struct Rounding {
    training: RoundedTraining,
    networks: Vec<Network>,
    starts: Vec<Vec<f32>>,
    ranges: Vec<std::ops::Range<usize>>,
}

impl Rounding {
    pub(super) fn new(training: &RoundedTraining, field: &Field, seed: u64) -> Self {
        let (spec, grid) = (field.spec(), field.grid());
        let start = Start::new(spec, grid, seed, training.quantisation.start());
        Self {
            networks: field.present().iter().map(|&p| Network::new(spec, grid, p)).collect(),
            starts: field.present().iter().map(|&p| start.local(p)).collect(),
            ranges: tensors(&spec.local_layers()),
            training: training.clone(),
        }
    }

    fn size(&self) -> usize {
        self.ranges.last().map_or(1, |range| range.end)
    }

    /// The weights of a group as a file would hold them.
    pub(super) fn rounded(&self, group: &[u32], local: &[f32]) -> Vec<f32> {
        let networks: Vec<(u32, &[f32])> = group.iter().copied().zip(local.chunks_exact(self.size())).collect();
        let round = |&(slot, weights): &(u32, &[f32])| {
            let slot = slot as usize;
            let mut weights = weights.to_vec();
            self.training.quantisation.round_local(&self.networks[slot], &self.starts[slot], slot, &mut weights);
            weights
        };
        networks.par_iter().map(round).collect::<Vec<_>>().concat()
    }

    /// Adds the gradient of the rate to that of the error. The rate is that of a Laplace distribution of each tensor's numbers,
    /// which is what its table of frequencies comes to: a bit for every `1 / (mean ln 2)` steps from the start.
    #[expect(clippy::cast_possible_truncation, reason = "gradients are 32-bit floats")]
    pub(super) fn pull(&self, group: &[u32], samples: u64, local: &[f32], gradient: &mut [f32]) {
        if self.training.rate_weight == 0.0 {
            return;
        }
        let size = self.size();
        let mut sums = vec![0.0_f64; self.ranges.len()];
        let numbers = |slot: u32, tensor: usize, weights: &[f32]| {
            let range = self.ranges[tensor].clone();
            let step = self.training.quantisation.steps_of_slot(slot as usize)[tensor];
            let start = &self.starts[slot as usize][range.clone()];
            weights[range].iter().zip(start).map(|(w, s)| (w - s) / step).collect::<Vec<f32>>()
        };
        for (&slot, weights) in group.iter().zip(local.chunks_exact(size)) {
            for (tensor, sum) in sums.iter_mut().enumerate() {
                *sum += numbers(slot, tensor, weights).iter().map(|n| f64::from(n.abs())).sum::<f64>();
            }
        }
        let price = self.training.rate_weight / samples.max(1) as f64;
        for ((&slot, weights), gradient) in
            group.iter().zip(local.chunks_exact(size)).zip(gradient.chunks_exact_mut(size))
        {
            for (tensor, sum) in sums.iter().enumerate() {
                let step = f64::from(self.training.quantisation.steps_of_slot(slot as usize)[tensor]);
                let range = self.ranges[tensor].clone();
                let mean = (sum / (group.len() * range.len()) as f64).max(0.1);
                let bit = price / (mean * std::f64::consts::LN_2 * step);
                if !bit.is_finite() {
                    continue;
                }
                for (gradient, number) in gradient[range].iter_mut().zip(numbers(slot, tensor, weights)) {
                    // Without a jump at the start, where it would make weights tremble.
                    *gradient += (bit * f64::from(number / (number.abs() + 0.25))) as f32;
                }
            }
        }
    }
}
