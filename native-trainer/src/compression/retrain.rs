//! Training weights that are rounded, from what they are.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::field::Field;
use tessera_core::format::{Document, write_quantised};

use super::allocation::rounded;
use super::{Allocation, Probe, search};
use crate::plan;
use crate::samples::Samples;
use crate::training::{DeviceChoice, Event, Recipe, RoundedTraining, Settings, TrainingPlan, train_from};

/// The rate at which it begins, in steps of the quantisation: a weight then crosses a few of them in all. Between bounds, as
/// the finest steps are below what training can tell and the coarsest beyond what it can follow.
const STEPS_PER_UPDATE: f64 = 0.15;
const LEARNING_RATES: (f64, f64) = (2e-5, 2e-3);
/// The share of a wanted size that training is begun for; what it adds must fit into the rest.
const AIM: f64 = 0.985;
/// Partitions by which the error of rounding is estimated.
const PROBED: usize = 64;

/// Whether training looks at what the numbers will cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// A bit counts as much as the error that it saves: files shrink.
    Weighed,
    /// Only the error counts: files keep their size, almost.
    Ignored,
}

/// How quantised weights are trained.
#[derive(Debug)]
pub struct Retraining<'a> {
    /// What the field was made from.
    pub samples: &'a Samples,
    /// Steps in all.
    pub steps: u64,
    /// Threads on the CPU.
    pub threads: Option<usize>,
    /// Ends training after the step in progress.
    pub stop: &'static AtomicBool,
}

impl Retraining<'_> {
    /// Trains `document`'s local weights for `steps` steps as `quantisation` rounds them; never worse than it began. `say`
    /// gets the step and the PSNR in dB.
    ///
    /// # Errors
    /// Those of training.
    pub fn run(
        &self,
        document: &Document,
        quantisation: &Quantisation,
        steps: u64,
        rate: Rate,
        say: &mut dyn FnMut(u64, f64),
    ) -> Result<Document> {
        let (field, seed) = (&document.field, document.training.seed);
        let coarse = rounded(field, seed, quantisation)?;
        // Shared weights do not move any more, so they are what the file will hold.
        let start = field.with_weights(coarse.shared().to_vec(), field.local().to_vec())?;
        let error = Probe::new(field, PROBED)?.difference(&coarse)?;
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let samples_per_weight = field.grid().samples() as f64 / field.local().len().max(1) as f64;
        let training = TrainingPlan {
            samples: self.samples.clone(),
            grid: field.grid().clone(),
            spec: field.spec().clone(),
            settings: Settings {
                steps,
                learning_rate: learning_rate(field, quantisation),
                seed,
                recipe: Recipe::Held,
                shares: plan::default_shares(&document.signal, field.grid()),
                device: DeviceChoice::Cpu,
                threads: self.threads,
                rounding: Some(RoundedTraining {
                    quantisation: quantisation.clone(),
                    // What a bit saves in error where steps are chosen well: the slope of the rate-distortion curve.
                    rate_weight: match rate {
                        Rate::Weighed => 2.0 * std::f64::consts::LN_2 * error * samples_per_weight,
                        Rate::Ignored => 0.0,
                    },
                }),
                ..Settings::default()
            },
        };
        let outcome = train_from(&training, &start, self.stop, &mut |event| {
            if let Event::Step { step, psnr_db, .. } = event {
                say(step, psnr_db);
            }
        })?;
        Ok(Document { field: outcome.field, ..document.clone() })
    }

    /// Trains to a file of at most `bytes` bytes and little less. Half of the steps weigh the rate, so that the weights
    /// become cheap; steps of the quantisation are then chosen anew for the size, and the other half keeps it.
    ///
    /// # Errors
    /// Those of training and writing.
    pub fn to_size(
        &self,
        mut document: Document,
        coder: Coder,
        bytes: u64,
        say: &mut dyn FnMut(u64, f64),
    ) -> Result<(Document, Quantisation)> {
        let allocation = Allocation::measure(&document.field, document.training.seed, coder)?;
        let sized = |document: &Document, bytes: u64| -> Result<Quantisation> {
            let coarseness = search::for_size(document, &allocation, bytes)?;
            Ok(allocation.quantisation(&document.field, coarseness)?)
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a size"
        )]
        let aim = (AIM * bytes as f64) as u64;
        let half = self.steps / 2;
        document = self.run(&document, &sized(&document, bytes)?, half, Rate::Weighed, say)?;
        let mut quantisation = sized(&document, aim)?;
        let rest = self.steps - half;
        document =
            self.run(&document, &quantisation, rest, Rate::Ignored, &mut |step, psnr_db| say(half + step, psnr_db))?;
        if write_quantised(&document, &quantisation)?.len() as u64 > bytes {
            // It was promised to fit, even if coarser steps waste some of the training.
            quantisation = sized(&document, bytes)?;
        }
        Ok((document, quantisation))
    }
}

/// From the geometric mean of the steps of hidden layers.
fn learning_rate(field: &Field, quantisation: &Quantisation) -> f64 {
    let slots = 0..field.present().len();
    let hidden = slots.flat_map(|slot| {
        let steps = quantisation.steps_of_slot(slot);
        steps.get(2..steps.len().saturating_sub(2)).unwrap_or_default()
    });
    let (sum, count) = hidden
        .filter(|step| **step > 0.0)
        .fold((0.0, 0_u32), |(sum, count), step| (sum + f64::from(*step).ln(), count + 1));
    let (least, most) = LEARNING_RATES;
    if count == 0 { least } else { (STEPS_PER_UPDATE * (sum / f64::from(count)).exp()).clamp(least, most) }
}
