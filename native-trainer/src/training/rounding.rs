//! Training with quantised weights: steps evaluate what a file would hold, and move what it is rounded from (the
//! straight-through estimator; reference/inr-compression.md section 8).

use std::collections::BTreeMap;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tessera_core::codec::Quantisation;
use tessera_core::codec::quantised::{Network, Numbers};
use tessera_core::error::Error;
use tessera_core::field::{Field, FieldSpec, Start, tensors};

/// How local weights are rounded while they are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundedTraining {
    /// The steps.
    pub quantisation: Quantisation,
    /// What a bit per sample costs, as mean squared error (field units); 0 leaves the rate alone.
    pub rate_weight: f64,
    /// The bytes that coded numbers and their tables are to take, as a share of what they take at the beginning. What a bit costs
    /// then goes up and down until they do.
    pub bytes_share: Option<f64>,
}

/// How fast the price of a bit follows the excess: what it settles at, by step, and at once.
const SETTLING: f64 = 0.3;
const PROMPT: f64 = 20.0;
/// Bounds of the price, as multiples of the first.
const PRICES: (f64, f64) = (1e-3, 1e6);
/// By how much more than they should numbers may take to count as what was wanted.
const TOLERANCE: f64 = 1.005;
/// Steps after which numbers are coded to know what they take; in between it is estimated by their frequencies.
const CODED_EVERY: u64 = 16;

/// The same, ready for the partitions of a run.
#[derive(Debug)]
pub(super) struct Rounding {
    training: RoundedTraining,
    spec: FieldSpec,
    shared: usize,
    networks: Vec<Network>,
    starts: Vec<Vec<f32>>,
    ranges: Vec<std::ops::Range<usize>>,
    /// What a bit counts now.
    price: f64,
    control: Option<Control>,
}

/// Keeps the numbers of a group at a size.
#[derive(Debug, Clone, Copy)]
struct Control {
    /// Bits.
    wanted: f64,
    /// What the price settles at.
    settled: f64,
    /// Bits of tables and of all else that frequencies do not tell, when numbers were last coded.
    beside: f64,
    steps: u64,
}

/// Bytes of all local numbers of `field` as a file has them, with steps and tables: what training keeps an eye on.
///
/// # Errors
/// Those of coding.
pub fn coded_bytes(quantisation: &Quantisation, field: &Field, seed: u64) -> Result<f64, Error> {
    let training = RoundedTraining { quantisation: quantisation.clone(), rate_weight: 0.0, bytes_share: None };
    let rounding = Rounding::new(&training, field, seed);
    #[expect(clippy::cast_possible_truncation, reason = "partitions have 32-bit numbers")]
    let all: Vec<u32> = (0..field.present().len() as u32).collect();
    Ok(rounding.coded_bits(&all, field.local())? / 8.0)
}

impl Rounding {
    pub(super) fn new(training: &RoundedTraining, field: &Field, seed: u64) -> Self {
        let (spec, grid) = (field.spec(), field.grid());
        let start = Start::new(spec, grid, seed, training.quantisation.start());
        Self {
            networks: field.present().iter().map(|&p| Network::new(spec, grid, p)).collect(),
            starts: field.present().iter().map(|&p| start.local(p)).collect(),
            ranges: tensors(&spec.local_layers()),
            price: training.rate_weight,
            control: None,
            spec: spec.clone(),
            shared: field.shared().len(),
            training: training.clone(),
        }
    }

    /// Begins with a group.
    ///
    /// # Errors
    /// Those of coding.
    pub(super) fn begin(&mut self, group: &[u32], local: &[f32]) -> Result<(), Error> {
        self.price = self.training.rate_weight;
        self.control = None;
        if let Some(share) = self.training.bytes_share {
            let wanted = share * self.coded_bits(group, local)?;
            self.control = Some(Control { wanted, settled: self.price, beside: 0.0, steps: 0 });
        }
        Ok(())
    }

    /// Follows the size after a step.
    ///
    /// # Errors
    /// Those of coding.
    pub(super) fn follow(&mut self, group: &[u32], local: &[f32]) -> Result<(), Error> {
        let Some(mut control) = self.control else { return Ok(()) };
        let bits = self.bits(group, local);
        if control.steps.is_multiple_of(CODED_EVERY) {
            control.beside = self.coded_bits(group, local)? - bits;
        }
        control.steps += 1;
        let excess = (bits + control.beside) / control.wanted - 1.0;
        let (least, most) = PRICES;
        let first = self.training.rate_weight;
        control.settled = (control.settled * (SETTLING * excess).exp()).clamp(least * first, most * first);
        self.price = (control.settled * (PROMPT * excess).exp()).clamp(least * first, most * first);
        self.control = Some(control);
        Ok(())
    }

    /// Whether the weights of a group are as small as they should be.
    ///
    /// # Errors
    /// Those of coding.
    pub(super) fn fits(&self, group: &[u32], local: &[f32]) -> Result<bool, Error> {
        let Some(control) = self.control else { return Ok(true) };
        Ok(self.coded_bits(group, local)? <= TOLERANCE * control.wanted)
    }

    /// Bits of a group's numbers as a file has them, with steps and tables; shared numbers count as none.
    fn coded_bits(&self, group: &[u32], local: &[f32]) -> Result<f64, Error> {
        let quantisation = &self.training.quantisation;
        let networks: Vec<(u32, &[f32])> = group.iter().copied().zip(local.chunks_exact(self.size())).collect();
        let numbers = |&(slot, weights): &(u32, &[f32])| {
            let slot = slot as usize;
            quantisation.local_numbers(&self.networks[slot], &self.starts[slot], slot, weights)
        };
        let local = networks.par_iter().map(numbers).collect::<Vec<_>>().concat();
        let numbers = Numbers { shared: vec![0; self.shared], local };
        let payloads = quantisation.of_slots(group).code(&self.spec, &numbers)?;
        let bytes = payloads.shared.0.len() + payloads.local.iter().map(Vec::len).sum::<usize>();
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        Ok(8.0 * bytes as f64)
    }

    /// Bits of a group's numbers by the frequencies of each tensor's.
    fn bits(&self, group: &[u32], local: &[f32]) -> f64 {
        let bits = |tensor: &usize| {
            // In an order of its own, so that sums come out the same every time.
            let mut counts: BTreeMap<i32, u32> = BTreeMap::new();
            for (&slot, weights) in group.iter().zip(local.chunks_exact(self.size())) {
                for number in self.numbers(slot, *tensor, weights) {
                    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                    let number = number.round() as i32;
                    *counts.entry(number).or_default() += 1;
                }
            }
            let total = f64::from(counts.values().sum::<u32>());
            counts.values().map(|&count| f64::from(count) * (total / f64::from(count)).log2()).sum::<f64>()
        };
        let tensors: Vec<usize> = (0..self.ranges.len()).collect();
        tensors.par_iter().map(bits).collect::<Vec<f64>>().iter().sum()
    }

    /// What the weights of a tensor are from their start, in steps.
    fn numbers<'a>(&'a self, slot: u32, tensor: usize, weights: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let range = self.ranges[tensor].clone();
        let step = self.training.quantisation.steps_of_slot(slot as usize)[tensor];
        // A step of 0 stands for weights that do not move.
        let inverse = if step > 0.0 { step.recip() } else { 0.0 };
        let start = &self.starts[slot as usize][range.clone()];
        weights[range].iter().zip(start).map(move |(w, s)| (w - s) * inverse)
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
        if self.price == 0.0 {
            return;
        }
        let size = self.size();
        let mut sums = vec![0.0_f64; self.ranges.len()];
        for (&slot, weights) in group.iter().zip(local.chunks_exact(size)) {
            for (tensor, sum) in sums.iter_mut().enumerate() {
                *sum += self.numbers(slot, tensor, weights).map(|n| f64::from(n.abs())).sum::<f64>();
            }
        }
        let price = self.price / samples.max(1) as f64;
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
                for (gradient, number) in gradient[range].iter_mut().zip(self.numbers(slot, tensor, weights)) {
                    // Without a jump at the start, where it would make weights tremble.
                    *gradient += (bit * f64::from(number / (number.abs() + 0.25))) as f32;
                }
            }
        }
    }
}
