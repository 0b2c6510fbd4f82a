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
/// How near a wanted size is near enough, and how often that is tried for.
const NEAR: f64 = 0.98;
const ROUNDS: u64 = 3;
/// Partitions by which the error of rounding is estimated.
const PROBED: usize = 64;

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
                    rate_weight: 2.0 * std::f64::consts::LN_2 * error * samples_per_weight,
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

    /// Trains to a file of at most `bytes` bytes and little less: training shrinks a file by a share that the first rounds
    /// show.
    ///
    /// # Errors
    /// Those of training and writing.
    pub fn to_size(
        &self,
        document: &Document,
        coder: Coder,
        bytes: u64,
        say: &mut dyn FnMut(u64, f64),
    ) -> Result<(Document, Quantisation)> {
        let seed = document.training.seed;
        let allocation = Allocation::measure(&document.field, seed, coder)?;
        let mut document = document.clone();
        let mut goal = bytes as f64;
        let mut left = self.steps;
        let mut round = 0;
        loop {
            round += 1;
            let steps = if round == ROUNDS { left } else { left.div_ceil(2) };
            left -= steps;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            let coarseness = search::for_size(&document, &allocation, goal as u64)?;
            let quantisation = allocation.quantisation(&document.field, coarseness)?;
            document = self.run(&document, &quantisation, steps, say)?;
            let size = write_quantised(&document, &quantisation)?.len() as f64;
            let near = size <= bytes as f64 && size >= NEAR * bytes as f64;
            if left == 0 || near && round == ROUNDS {
                return Ok((document, quantisation));
            }
            goal *= (0.5 * (1.0 + NEAR) * bytes as f64 / size).clamp(0.5, 2.0);
        }
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
