//! Quantised weights: whole numbers of steps away from the start weights. What reads them is in [`super::chunks`].
//!
//! A trained weight is mostly its start weight and a little more. The start comes from a seed in the header and costs
//! nothing; only the difference is coded, and what training never moved (all of a held global network) takes no byte. Every tensor
//! has its own step, and partitions fall into classes with steps of their own.
//!
//! Steps are stored as bfloat16, so that they cost two bytes; [`Quantisation::new`] rounds them.

use half::bf16;

use super::chunks::{chunk, least_bytes, weight_of, weights_of, written};
use super::codebook::{self, Codebook, Counts};
use super::contexts::{Context, Contexts};
use super::symbols::{self, MAGNITUDE};
use crate::error::Error;
use crate::field::{Field, FieldSpec, Start, StartRule, tensors};
use crate::grid::Grid;

/// The coding's number in a file.
pub const CODING: u16 = 3;
/// Classes of partitions at most.
pub const CLASSES_OF_PARTITIONS: usize = 16;

/// Where the range coder's frequencies come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Coder {
    /// One table for all tensors, as published (reference/inr-compression.md section 9).
    Pooled,
    /// A table for every tensor: the best for small chunks.
    #[default]
    Static,
    /// Counted anew in every chunk and tensor, without any table.
    Adaptive,
    /// By what nodes around let expect ([`super::contexts`]): for latents, and only for them.
    Contexts,
}

impl Coder {
    /// Every coder of networks.
    pub const ALL: [Self; 3] = [Self::Pooled, Self::Static, Self::Adaptive];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Static => "static",
            Self::Adaptive => "adaptive",
            Self::Contexts => "contexts",
        }
    }
}

/// How a field's weights become whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantisation {
    start: StartRule,
    coder: Coder,
    shared: Vec<f32>,
    classes: Vec<Vec<f32>>,
    class_of: Vec<u8>,
    magnitude: i32,
    /// One for each level of a pyramid of latents.
    contexts: Vec<Context>,
}

/// What rounding has to know of a partition's network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    tensors: Vec<std::ops::Range<usize>>,
    /// Coordinates of the partition's centre; empty behind an encoding.
    centre: Vec<f64>,
    /// The first bias that is a whole turn of its sine.
    turn: f64,
}

impl Network {
    /// That of `partition`, which must be one of the grid.
    pub fn new(spec: &FieldSpec, grid: &Grid, partition: u32) -> Self {
        let bounds = grid.partition_box(partition);
        let middle =
            |range: &std::ops::Range<u32>| f64::from(range.start.saturating_add(range.end).saturating_sub(1)) / 2.0;
        // Behind an encoding, first weights stay small and meet no coordinates.
        let bounds = if spec.is_encoded() { &[] } else { bounds.as_slice() };
        Self {
            tensors: tensors(&spec.local_layers()),
            centre: bounds
                .iter()
                .enumerate()
                .map(|(axis, range)| f64::from(grid.coordinate(axis, middle(range))))
                .collect(),
            turn: std::f64::consts::TAU / f64::from(spec.first_omega),
        }
    }

    /// Coordinates of the partition's centre, where first biases make up for what rounding does to first weights; empty behind
    /// an encoding.
    pub fn centre(&self) -> &[f64] {
        &self.centre
    }
}

/// A quantised field: whole numbers of steps, in the layouts of [`Field`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// Of the shared weights.
    pub shared: Vec<i32>,
    /// Of the local networks, in the order of the partitions that are present.
    pub local: Vec<i32>,
}

/// Payloads of a coded field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payloads {
    /// Of the global chunk, and how many bytes of it are steps and tables.
    pub shared: (Vec<u8>, usize),
    /// Of the partitions' chunks.
    pub local: Vec<Vec<u8>>,
}

impl Quantisation {
    /// One class of partitions: `shared` and `local` are steps by tensor (weights and biases of every layer in turn), rounded to
    /// bfloat16 here. A step of 0 leaves a tensor at its start.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of tensors or a step that is negative or not finite.
    pub fn new(spec: &FieldSpec, start: StartRule, coder: Coder, shared: &[f32], local: &[f32]) -> Result<Self, Error> {
        check_start(spec, start)?;
        let contexts = Vec::new();
        Self {
            start,
            coder,
            shared: Vec::new(),
            classes: Vec::new(),
            class_of: Vec::new(),
            magnitude: MAGNITUDE,
            contexts,
        }
        .with_shared(spec, shared)?
        .with_classes(spec, &[local.to_vec()], Vec::new())
    }

    fn with_shared(self, spec: &FieldSpec, steps: &[f32]) -> Result<Self, Error> {
        let shared = rounded_steps(steps, tensors(&spec.shared_layers()).len())?;
        Ok(Self { shared, ..self })
    }

    /// With several classes of partitions: the steps of each, and the class of every present partition.
    ///
    /// # Errors
    /// [`Error::Parameter`] as [`Quantisation::new`], for no class or more than [`CLASSES_OF_PARTITIONS`], and for a class that is
    /// not there.
    pub fn with_classes(self, spec: &FieldSpec, classes: &[Vec<f32>], class_of: Vec<u8>) -> Result<Self, Error> {
        let count = tensors(&spec.local_layers()).len();
        let classes = classes.iter().map(|steps| rounded_steps(steps, count)).collect::<Result<Vec<_>, _>>()?;
        if classes.is_empty() || classes.len() > CLASSES_OF_PARTITIONS {
            let count = classes.len();
            return Err(Error::parameter(format!("{count} classes of partitions, not 1 to {CLASSES_OF_PARTITIONS}")));
        }
        if class_of.iter().any(|&class| usize::from(class) >= classes.len()) {
            return Err(Error::parameter("a partition belongs to a class that is not there"));
        }
        Ok(Self { classes, class_of, ..self })
    }

    /// With numbers of at most `bits` bits each (2 to 16): larger ones become the largest.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other numbers of bits.
    pub fn with_bits(self, bits: u32) -> Result<Self, Error> {
        if !(2..=16).contains(&bits) {
            return Err(Error::parameter(format!("{bits} bits per weight, not 2 to 16")));
        }
        let magnitude = (1_i32 << bits.saturating_sub(1)).saturating_sub(1);
        Ok(Self { magnitude, ..self })
    }

    /// The same with another coder.
    #[must_use]
    pub fn with_coder(self, coder: Coder) -> Self {
        Self { coder, ..self }
    }

    /// Latents by these contexts, one for each level, coarsest first; their shifts follow from the numbers.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of contexts, or a field without latents.
    pub fn with_contexts(self, spec: &FieldSpec, contexts: Vec<Context>) -> Result<Self, Error> {
        let levels = spec.pyramid().map_or(0, |pyramid| pyramid.levels as usize);
        if levels == 0 || contexts.len() != levels || self.classes.len() != 1 {
            return Err(Error::parameter(format!("{} contexts for {levels} levels of latents", contexts.len())));
        }
        Ok(Self { coder: Coder::Contexts, contexts, ..self })
    }

    /// The largest magnitude of a number.
    pub fn magnitude(&self) -> i32 {
        self.magnitude
    }

    /// The rule of the start weights.
    pub fn start(&self) -> StartRule {
        self.start
    }

    /// The steps that a partition uses, by its place among those that are present.
    pub fn steps_of_slot(&self, slot: usize) -> &[f32] {
        let class = self.class_of.get(slot).copied().unwrap_or(0);
        self.classes.get(usize::from(class)).map_or(&[], Vec::as_slice)
    }

    /// The steps of the shared weights.
    pub fn shared_steps(&self) -> &[f32] {
        &self.shared
    }

    /// The same for these of the partitions that are present, by their places.
    #[must_use]
    pub fn of_slots(&self, slots: &[u32]) -> Self {
        let class = |&slot: &u32| self.class_of.get(slot as usize).copied().unwrap_or(0);
        Self { class_of: slots.iter().map(class).collect(), ..self.clone() }
    }

    /// The start rule from which the weights of `field` have moved least.
    pub fn nearest_start(field: &Field, seed: u64) -> StartRule {
        if field.spec().is_encoded() {
            return StartRule::Zero;
        }
        let shared = tensors(&field.spec().shared_layers());
        let local = tensors(&field.spec().local_layers());
        let cost = |rule: StartRule| {
            let start = Start::new(field.spec(), field.grid(), seed, rule);
            let mut sums = vec![(0.0_f64, 0_u64); shared.len().saturating_add(local.len())];
            let mut add = |first: usize, ranges: &[std::ops::Range<usize>], weights: &[f32], start: &[f32]| {
                for (sum, range) in sums.iter_mut().skip(first).zip(ranges) {
                    let (a, b) = (weights.get(range.clone()), start.get(range.clone()));
                    let moved =
                        a.unwrap_or_default().iter().zip(b.unwrap_or_default()).map(|(w, s)| f64::from((w - s).abs()));
                    *sum = (sum.0 + moved.sum::<f64>(), sum.1.saturating_add(range.len() as u64));
                }
            };
            add(0, &shared, field.shared(), &start.shared());
            // A few partitions tell as much as all.
            let stride = field.present().len().div_ceil(64).max(1);
            for (slot, &partition) in field.present().iter().enumerate().step_by(stride) {
                add(shared.len(), &local, field.local_of_slot(slot), &start.local(partition));
            }
            #[expect(clippy::cast_precision_loss, reason = "counts of weights")]
            sums.iter().map(|&(sum, count)| count as f64 * (sum / count.max(1) as f64 + 1e-9).log2()).sum::<f64>()
        };
        let rules = [StartRule::Zero, StartRule::Drawn, StartRule::Centred].map(|rule| (rule, cost(rule)));
        rules.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(StartRule::Zero, |(rule, _)| rule)
    }

    /// The numbers nearest to the weights of `field`, first biases making up for what rounding does to first weights at the
    /// centre of their partition.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the field is another than this was made for.
    pub fn numbers(&self, field: &Field, seed: u64) -> Result<Numbers, Error> {
        let start = Start::new(field.spec(), field.grid(), seed, self.start);
        let mut local = Vec::with_capacity(field.local().len());
        for (slot, &partition) in field.present().iter().enumerate() {
            let network = Network::new(field.spec(), field.grid(), partition);
            let from = start.local(partition);
            local.extend(self.local_numbers(&network, &from, slot, field.local_of_slot(slot)));
        }
        let mut shared = Vec::with_capacity(field.shared().len());
        let from = start.shared();
        for (range, &step) in tensors(&field.spec().shared_layers()).iter().zip(&self.shared) {
            let (w, s) = (field.shared().get(range.clone()), from.get(range.clone()));
            shared
                .extend(w.unwrap_or_default().iter().zip(s.unwrap_or_default()).map(|(w, s)| self.number(w - s, step)));
        }
        if shared.len() != field.shared().len() || local.len() != field.local().len() {
            return Err(Error::parameter("these steps belong to another network"));
        }
        Ok(Numbers { shared, local })
    }

    /// Replaces the local weights of one partition by those that a file would hold: what training with quantised weights
    /// evaluates. `start` are its start weights ([`Start::local`]), `slot` its place among those that are present.
    pub fn round_local(&self, network: &Network, start: &[f32], slot: usize, weights: &mut [f32]) {
        let numbers = self.local_numbers(network, start, slot, weights);
        let rounded = weights_of(start, &numbers, &network.tensors, self.steps_of_slot(slot));
        weights.iter_mut().zip(rounded).for_each(|(weight, rounded)| *weight = rounded);
    }

    /// The numbers of one partition's local weights, with the parameters of [`Quantisation::round_local`].
    pub fn local_numbers(&self, network: &Network, start: &[f32], slot: usize, weights: &[f32]) -> Vec<i32> {
        let steps = self.steps_of_slot(slot);
        let mut numbers = Vec::with_capacity(weights.len());
        // What rounding the first weights does to the phase at the centre of the partition.
        let mut shifts: Vec<f64> = Vec::new();
        for (place, (range, &step)) in network.tensors.iter().zip(steps).enumerate() {
            let (w, s) = (weights.get(range.clone()).unwrap_or_default(), start.get(range.clone()).unwrap_or_default());
            match place {
                0 if !network.centre.is_empty() => {
                    shifts = vec![0.0; range.len().checked_div(network.centre.len()).unwrap_or(0)];
                    let of_axes = w.chunks(shifts.len().max(1)).zip(s.chunks(shifts.len().max(1)));
                    for ((w, s), &centre) in of_axes.zip(&network.centre) {
                        for ((&w, &s), shift) in w.iter().zip(s).zip(&mut shifts) {
                            let number = self.number(w - s, step);
                            *shift += (f64::from(w) - f64::from(weight_of(s, number, step))) * centre;
                            numbers.push(number);
                        }
                    }
                }
                1 if !network.centre.is_empty() => {
                    numbers.extend(w.iter().zip(s).zip(&shifts).map(|((&w, &s), shift)| {
                        // The sine does not see whole turns of the phase, and the smallest number is the cheapest.
                        let moved = f64::from(w) + shift - f64::from(s);
                        #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
                        let moved = (moved - network.turn * (moved / network.turn).round()) as f32;
                        self.number(moved, step)
                    }))
                }
                _ => numbers.extend(w.iter().zip(s).map(|(w, s)| self.number(w - s, step))),
            }
        }
        numbers
    }

    fn number(&self, moved: f32, step: f32) -> i32 {
        if step <= 0.0 {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the clamp is narrower")]
        let number = (moved / step).round() as i32;
        number.clamp(self.magnitude.saturating_neg(), self.magnitude)
    }

    /// The field with the weights that these numbers stand for: what a reader of the file gets.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the numbers belong to another field, or a weight becomes too large.
    pub fn field(&self, field: &Field, seed: u64, numbers: &Numbers) -> Result<Field, Error> {
        let start = Start::new(field.spec(), field.grid(), seed, self.start);
        let own = tensors(&field.spec().local_layers());
        let size = own.last().map_or(0, |range| range.end);
        let shared =
            weights_of(&start.shared(), &numbers.shared, &tensors(&field.spec().shared_layers()), &self.shared);
        let mut local = Vec::with_capacity(numbers.local.len());
        for ((slot, &partition), numbers) in field.present().iter().enumerate().zip(numbers.local.chunks(size.max(1))) {
            local.extend(weights_of(&start.local(partition), numbers, &own, self.steps_of_slot(slot)));
        }
        field.with_weights(shared, local)
    }

    /// Codes the numbers. Tensors without a number other than 0 lose their step.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the numbers belong to another field.
    pub fn code(&self, spec: &FieldSpec, numbers: &Numbers) -> Result<Payloads, Error> {
        let (of_shared, own) = (tensors(&spec.shared_layers()), tensors(&spec.local_layers()));
        let size = own.last().map_or(0, |range| range.end).max(1);
        let mut counts: Vec<Counts> = vec![of_shared.iter().map(|range| count(&numbers.shared, range)).collect()];
        counts.extend(self.classes.iter().map(|_| vec![[0; symbols::CLASSES]; own.len()]));
        for (slot, numbers) in numbers.local.chunks(size).enumerate() {
            let class = usize::from(self.class_of.get(slot).copied().unwrap_or(0));
            let Some(sums) = counts.get_mut(class.saturating_add(1)) else { continue };
            for (sum, range) in sums.iter_mut().zip(&own) {
                sum.iter_mut().zip(count(numbers, range)).for_each(|(sum, more)| *sum = sum.saturating_add(more));
            }
        }
        let used = |steps: &[f32], counts: &Counts| -> Vec<f32> {
            let moved = |counts: &[u64; symbols::CLASSES]| counts.iter().skip(1).any(|&count| count > 0);
            steps.iter().zip(counts).map(|(&step, counts)| if moved(counts) { step } else { 0.0 }).collect()
        };
        let shared = counts.first().map_or_else(Vec::new, |counts| used(&self.shared, counts));
        let classes: Vec<Vec<f32>> = self.classes.iter().zip(counts.iter().skip(1)).map(|(s, c)| used(s, c)).collect();
        let mut payload = codebook::to_bytes(self.start, self.coder, &shared, &classes, &counts);
        if let (Coder::Contexts, Some(steps)) = (self.coder, classes.first()) {
            let parts: Vec<&[i32]> = numbers.local.chunks(size).collect();
            let used = steps.iter().map(|&step| step > 0.0);
            let contexts = self.contexts.iter().zip(used).map(|(context, used)| used.then_some(*context)).collect();
            let levels = spec.pyramid().map_or_else(Vec::new, |pyramid| pyramid.levels(spec.inputs));
            let contexts = Contexts::fitted(levels, contexts, &parts)?;
            codebook::add_contexts(&mut payload, &contexts, &shared, &numbers.shared, &of_shared)?;
        }
        let tables = payload.len();
        let (book, _) = Codebook::parse(&payload, spec)?;
        payload.extend(written(&numbers.shared, &of_shared, &book.shared)?);
        let least = least_bytes(numbers.shared.len() as u64, true);
        payload.resize(payload.len().max(usize::try_from(least).unwrap_or(0)), 0);
        let local = numbers
            .local
            .chunks(size)
            .enumerate()
            .map(|(slot, numbers)| chunk(&book, self.class_of.get(slot).copied().unwrap_or(0), numbers, &own))
            .collect::<Result<_, Error>>()?;
        Ok(Payloads { shared: (payload, tables), local })
    }
}

/// Networks behind an encoding are told from zero: the format does not say how their start weights are drawn.
pub(super) fn check_start(spec: &FieldSpec, start: StartRule) -> Result<(), Error> {
    if spec.is_encoded() && start != StartRule::Zero {
        return Err(Error::parameter("weights behind an encoding are steps away from 0, not from drawn ones"));
    }
    Ok(())
}

fn count(numbers: &[i32], range: &std::ops::Range<usize>) -> [u64; symbols::CLASSES] {
    symbols::counts(numbers.get(range.clone()).unwrap_or_default().iter().copied())
}

fn rounded_steps(steps: &[f32], expected: usize) -> Result<Vec<f32>, Error> {
    if steps.len() != expected {
        return Err(Error::parameter(format!("{} steps for {expected} tensors", steps.len())));
    }
    steps
        .iter()
        .map(|&step| {
            let stored = bf16::from_f32(step).to_f32();
            if step.is_sign_negative() || !stored.is_finite() {
                return Err(Error::parameter(format!("a step is {step}: steps are finite, and positive or 0")));
            }
            Ok(stored)
        })
        .collect()
}
