//! Training weights that are rounded, from what they are.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::field::Field;
use tessera_core::format::{Document, write_numbers, write_quantised};

use super::allocation::rounded;
use super::{Allocation, Probe, search};
use crate::quality;
use crate::samples::Samples;
use crate::training::{
    DeviceChoice, Event, Outcome, Recipe, RoundedTraining, Settings, TrainingPlan, coded_bytes, train_from,
};

/// Bounds of the rate at which training begins: the finest steps are below what training can tell and the coarsest beyond what
/// it can follow.
const LEARNING_RATES: (f64, f64) = (2e-5, 5e-3);
/// What a bit counts at the beginning, as a share of the error that it saves where steps are chosen well.
const PRICE: f64 = 0.3;
/// The size before training, and the one that it aims at, as shares of the wanted one: training makes weights cheaper, and
/// finer steps leave it the choice where.
const BEFORE: f64 = 1.1;
const AIM: f64 = 0.99;
/// Where it ends above the wanted size all the same, or below this part of it: how often it goes on, with which share of the
/// steps, for how much less where it was above.
const LEAST: f64 = 0.975;
const MENDS: u32 = 3;
const MENDING: u64 = 10;
/// What limited time leaves to the first training, and to each that goes on.
const FIRST_SECONDS: f64 = 0.8;
const MENDING_SECONDS: f64 = 0.2 / MENDS as f64;
const LESS: f64 = 0.99;
/// Partitions by which the error of rounding is estimated.
const PROBED: usize = 64;

/// How far weights are to go, in steps of the quantisation (the geometric mean of those of hidden layers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// 1.5 steps with every update at the beginning: the field has yet to learn. (0.4 cost 0.7 dB.)
    Early,
    /// 0.3 steps: the field is trained, and rounding alone is to be mended.
    Trained,
    /// 0.4 steps by all updates together: rounding was learned as well ([`super::AdaRound`]). More makes most weights cross over at
    /// once, and the field never comes back to what it was.
    Learned,
}

/// What the rate has to say in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateTerm {
    /// Nothing: weights have the bits that they have.
    None,
    /// A bit has a price: what it saves in error where steps are chosen well.
    Fixed,
    /// The price goes up and down until the coded numbers take this share of the bytes that they take before.
    Share(f64),
}

/// How quantised weights are trained.
#[derive(Debug)]
pub struct Retraining<'a> {
    /// What the field was made from.
    pub samples: &'a Samples,
    /// Steps in all.
    pub steps: u64,
    /// How far weights are to go.
    pub pace: Pace,
    /// Shares of the samples that steps take in turn.
    pub shares: u32,
    /// Ends training after this time.
    pub max_seconds: Option<f64>,
    /// Seconds between two snapshots for who watches.
    pub snapshot_every_seconds: Option<f64>,
    /// Threads on the CPU.
    pub threads: Option<usize>,
    /// Ends training after the step in progress.
    pub stop: &'a AtomicBool,
}

/// A field that was trained for its quantisation.
#[derive(Debug)]
pub struct Retrained {
    /// The field with its weights between the steps; its record says the steps of training and the PSNR of rounded weights.
    pub document: Document,
    /// What rounds it.
    pub quantisation: Quantisation,
    /// How training went.
    pub outcome: Outcome,
}

impl Retraining<'_> {
    fn learning_rate(&self, field: &Field, quantisation: &Quantisation) -> f64 {
        let (least, most) = LEARNING_RATES;
        let Some(step) = hidden_step(field, quantisation) else { return least };
        match self.pace {
            Pace::Early => (1.5 * step).clamp(least, most),
            Pace::Trained => (0.3 * step).clamp(least, most),
            #[expect(clippy::cast_precision_loss, reason = "a count of steps")]
            Pace::Learned => 0.4 * step / self.steps.max(1) as f64,
        }
    }

    /// Trains `document`'s local weights as `quantisation` rounds them; never worse than it began. With a share of the bits,
    /// only what takes no more may be better.
    ///
    /// # Errors
    /// Those of training.
    pub fn run(
        &self,
        document: &Document,
        quantisation: &Quantisation,
        rate: RateTerm,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Retrained> {
        let (field, seed) = (&document.field, document.training.seed);
        let coarse = rounded(field, seed, quantisation)?;
        // Shared weights do not move any more, so they are what the file will hold.
        let start = field.with_weights(coarse.shared().to_vec(), field.local().to_vec())?;
        let error = Probe::new(field, PROBED)?.difference(&coarse)?;
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let samples_per_weight = field.grid().samples() as f64 / field.local().len().max(1) as f64;
        // The slope of the rate-distortion curve.
        let price = PRICE * 2.0 * std::f64::consts::LN_2 * error * samples_per_weight;
        let training = TrainingPlan {
            samples: self.samples.clone(),
            grid: field.grid().clone(),
            spec: field.spec().clone(),
            settings: Settings {
                steps: self.steps,
                max_seconds: self.max_seconds,
                snapshot_every_seconds: self.snapshot_every_seconds,
                learning_rate: self.learning_rate(field, quantisation),
                seed,
                recipe: Recipe::Held,
                shares: self.shares,
                device: DeviceChoice::Cpu,
                threads: self.threads,
                rounding: Some(RoundedTraining {
                    quantisation: quantisation.clone(),
                    rate_weight: if rate == RateTerm::None { 0.0 } else { price },
                    bytes_share: if let RateTerm::Share(share) = rate { Some(share) } else { None },
                }),
                ..Settings::default()
            },
        };
        let outcome = train_from(&training, &start, self.stop, on_event)?;
        let mut document = Document { field: outcome.field.clone(), ..document.clone() };
        document.training.steps = document.training.steps.saturating_add(outcome.steps);
        document.training.psnr_db = Some(outcome.psnr_db).filter(|psnr| psnr.is_finite());
        Ok(Retrained { document, quantisation: quantisation.clone(), outcome })
    }

    /// Trains to a file of at most `bytes` bytes and little less: by steps of the quantisation that are too fine for it, and a
    /// price of the rate that goes up and down until the weights fit. (Other steps after training would waste it.) Without a
    /// `coder`, by the one that takes the least.
    ///
    /// # Errors
    /// Those of training and writing.
    pub fn to_size(
        &self,
        document: Document,
        coder: Option<Coder>,
        bytes: u64,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Retrained> {
        let seed = document.training.seed;
        let allocation = Allocation::measure(&document.field, seed, coder.unwrap_or(Coder::Static))?;
        let sized = |document: &Document, wanted: f64| -> Result<Quantisation> {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            let coarseness = search::for_size(document, &allocation, wanted as u64)?;
            let quantisation = allocation.quantisation(&document.field, coarseness)?;
            if coder.is_some() { Ok(quantisation) } else { shortest(document, quantisation) }
        };
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let wanted = bytes as f64;
        let length = |document: &Document, quantisation: &Quantisation| -> Result<f64> {
            #[expect(clippy::cast_precision_loss, reason = "a size")]
            Ok(write_quantised(document, quantisation)?.len() as f64)
        };
        // What the numbers may take, so that the whole file takes `wanted`.
        let share = |document: &Document, quantisation: &Quantisation, wanted: f64| -> Result<f64> {
            let numbers = coded_bytes(quantisation, &document.field, seed)?;
            Ok((1.0 + (wanted - length(document, quantisation)?) / numbers).max(0.01))
        };
        let quantisation = sized(&document, BEFORE * wanted)?;
        let first = share(&document, &quantisation, AIM * wanted)?;
        let limited = |share: f64| self.max_seconds.map(|seconds| seconds * share);
        let training = Retraining { max_seconds: limited(FIRST_SECONDS), ..*self };
        let mut trained = training.run(&document, &quantisation, RateTerm::Share(first), on_event)?;
        let mending = Retraining {
            steps: self.steps / MENDING,
            max_seconds: limited(MENDING_SECONDS),
            pace: if self.pace == Pace::Early { Pace::Trained } else { self.pace },
            ..*self
        };
        let mut aim = AIM * wanted;
        for _ in 0..MENDS {
            let reached = length(&trained.document, &trained.quantisation)?;
            if (LEAST * wanted..=wanted).contains(&reached) || mending.steps == 0 {
                break;
            }
            aim *= if reached > wanted { LESS } else { 1.0 };
            let share = share(&trained.document, &quantisation, aim)?;
            let mended = mending.run(&trained.document, &quantisation, RateTerm::Share(share), &mut |_| {})?;
            if reached <= wanted && length(&mended.document, &mended.quantisation)? > wanted {
                break;
            }
            let before = (trained.outcome.steps, trained.outcome.seconds);
            trained = mended;
            trained.outcome.steps += before.0;
            trained.outcome.seconds += before.1;
        }
        if length(&trained.document, &trained.quantisation)? > wanted {
            // It was promised to fit, even if coarser steps waste some of the training.
            trained.quantisation = sized(&trained.document, wanted)?;
            trained.document.training.psnr_db = None;
        }
        if self.pace != Pace::Early {
            // A trained field whose steps are fine may lose more by training than rounding costs.
            let plain = sized(&document, wanted)?;
            let psnr = |document: &Document, quantisation: &Quantisation| -> Result<f64> {
                Ok(quality::of_written(&write_quantised(document, quantisation)?, self.samples)?.psnr_db)
            };
            if psnr(&document, &plain)? > psnr(&trained.document, &trained.quantisation)? {
                return Ok(Retrained { document, quantisation: plain, outcome: trained.outcome });
            }
        }
        Ok(trained)
    }
}

/// The same quantisation with the coder that takes the least.
fn shortest(document: &Document, quantisation: Quantisation) -> Result<Quantisation> {
    let numbers = quantisation.numbers(&document.field, document.training.seed)?;
    let mut shortest = None;
    for coder in Coder::ALL {
        let quantisation = quantisation.clone().with_coder(coder);
        let length = write_numbers(document, &quantisation, &numbers)?.len();
        if shortest.as_ref().is_none_or(|(least, _)| length < *least) {
            shortest = Some((length, quantisation));
        }
    }
    Ok(shortest.map_or(quantisation, |(_, quantisation)| quantisation))
}

/// The geometric mean of the steps of hidden layers; `None` without any.
fn hidden_step(field: &Field, quantisation: &Quantisation) -> Option<f64> {
    let slots = 0..field.present().len();
    let hidden = slots.flat_map(|slot| {
        let steps = quantisation.steps_of_slot(slot);
        steps.get(2..steps.len().saturating_sub(2)).unwrap_or_default()
    });
    let (sum, count) = hidden
        .filter(|step| **step > 0.0)
        .fold((0.0, 0_u32), |(sum, count), step| (sum + f64::from(*step).ln(), count + 1));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}
