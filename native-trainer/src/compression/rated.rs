//! From a signal to a file of a wanted size: training that ends with weights rounded as the file holds them.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tessera_core::format::write_quantised;
use tessera_core::signal::SignalInfo;

use super::{Pace, Retrained, Retraining};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, ModelName};
use crate::plan::{self, Network};
use crate::quality::{self, Quality};
use crate::samples::Samples;
use crate::training::{Event, Outcome, Settings, TrainingPlan, train};

/// The part of steps and time before weights are rounded.
const WITHOUT_ROUNDING: f64 = 0.25;
/// The part over which the rate rises, and its steps at most: without it many shares and a high rate end in a field of one value.
const WARM_UP: f64 = 0.05;
const MOST_WARM_UP: u64 = 400;
/// What a PSNR may differ from the wanted one, in dB.
const NEAR_DB: f64 = 0.3;
/// Trainings for a wanted PSNR; the first is short, and tells how difficult the signal is.
const TRIALS: u32 = 4;
const SHORT: f64 = 0.15;
/// First guesses, which later trials correct: by how much a short training ends behind, in dB, what twice the bytes gain, and the
/// bits per sample at 32 dB.
const BEHIND_DB: f64 = 1.5;
const OCTAVE_DB: f64 = 3.7;
const GUESS: f64 = 0.4;
/// Bits per sample that are tried.
const RATES: (f64, f64) = (0.02, 24.0);

/// A file of a wanted size.
#[derive(Debug)]
pub struct Rated {
    /// What it holds.
    pub network: Network,
    /// How it was trained, rounding aside.
    pub settings: Settings,
    /// All of the training.
    pub outcome: Outcome,
    /// The file.
    pub bytes: Vec<u8>,
    /// Of what the file decodes to.
    pub quality: Quality,
}

/// Trains `samples` for a file by `options` that name a size ([`plan::rate`]); the same for the same options, whatever the
/// threads. `begin` sees the network and its training before each trial, with the number of the trial from 1 on.
///
/// # Errors
/// Those of planning, training and writing. What `stop` ends early is written all the same.
pub fn encode_to_rate(
    samples: &Samples,
    options: &EncodeOptions,
    rate: plan::Rate,
    stop: &AtomicBool,
    begin: &mut dyn FnMut(u32, &Network, &mut Settings),
    on_event: &mut dyn FnMut(Event),
) -> Result<Rated> {
    let fit = fitted_to_rate(options, samples.info(), rate)?;
    if fit.model == Some(ModelName::Latents) {
        // One training follows either.
        let (network, mut settings) = planned(samples, &fit)?;
        begin(1, &network, &mut settings);
        return super::latents::to_rate(samples, &fit, network, settings, rate, stop, on_event);
    }
    // Every trial makes the same kind of file.
    let options = &EncodeOptions { model: fit.model, ..options.clone() };
    let wanted = match rate {
        plan::Rate::Bytes(bytes) => {
            return to_size(samples, options, bytes, 1.0, stop, &mut |n, s| begin(1, n, s), on_event);
        }
        plan::Rate::Quality(psnr_db) => psnr_db,
    };
    let count = samples.info().samples();
    let mut logarithm = GUESS.log2() + (wanted - 32.0) / OCTAVE_DB;
    // Full trainings on either side of what is wanted: the logarithm of the rate, and the PSNR.
    let mut below: Option<(f64, f64)> = None;
    let mut above = below;
    let mut best: Option<Rated> = None;
    for trial in 1..=TRIALS {
        let bits = logarithm.exp2().clamp(RATES.0, RATES.1);
        let share = if trial == 1 { SHORT } else { 1.0 };
        let bytes = plan::bytes_of_rate(bits, count);
        let rated = to_size(samples, options, bytes, share, stop, &mut |n, s| begin(trial, n, s), on_event)?;
        let reached = rated.quality.psnr_db + if trial == 1 { BEHIND_DB } else { 0.0 };
        if stop.load(Ordering::Relaxed) {
            let stopped_by = rated.outcome.stopped_by;
            let mut kept = best.unwrap_or(rated);
            kept.outcome.stopped_by = stopped_by;
            return Ok(kept);
        }
        if trial > 1 {
            *(if reached < wanted { &mut below } else { &mut above }) = Some((bits.log2(), reached));
            if best.as_ref().is_none_or(|best| (reached - wanted).abs() < (best.quality.psnr_db - wanted).abs()) {
                best = Some(rated);
            }
            if (reached - wanted).abs() <= NEAR_DB {
                break;
            }
        }
        let next = match (below, above) {
            (Some(below), Some(above)) => {
                let part = ((wanted - below.1) / (above.1 - below.1)).clamp(0.2, 0.8);
                below.0 + part * (above.0 - below.0)
            }
            _ => bits.log2() + (wanted - reached) / OCTAVE_DB,
        };
        let next = next.clamp(RATES.0.log2(), RATES.1.log2());
        if trial > 1 && (next - bits.log2()).abs() < 0.01 {
            break;
        }
        logarithm = next;
    }
    best.ok_or_else(|| anyhow::anyhow!("no file was made"))
}

/// One training for a file of at most `bytes` bytes, with this share of steps and time.
fn to_size(
    samples: &Samples,
    options: &EncodeOptions,
    bytes: u64,
    share: f64,
    stop: &AtomicBool,
    begin: &mut dyn FnMut(&Network, &mut Settings),
    on_event: &mut dyn FnMut(Event),
) -> Result<Rated> {
    let info = samples.info();
    let options = fitted(options, info, bytes)?;
    let (network, mut settings) = planned(samples, &options)?;
    settings.steps = part(settings.steps, share);
    settings.max_seconds = settings.max_seconds.map(|seconds| seconds * share);
    begin(&network, &mut settings);
    let plain = Settings {
        steps: part(settings.steps, WITHOUT_ROUNDING),
        warm_up: part(settings.steps, WARM_UP).min(MOST_WARM_UP),
        max_seconds: settings.max_seconds.map(|seconds| seconds * WITHOUT_ROUNDING),
        ..settings.clone()
    };
    let all = settings.steps;
    let training = TrainingPlan {
        samples: samples.clone(),
        grid: network.grid.clone(),
        spec: network.spec.clone(),
        settings: plain.clone(),
    };
    let mut at = 0;
    let outcome = train(&training, stop, &mut |event| {
        let event = of_all(event, 0, all);
        if let Event::Step { step, .. } = event {
            at = step;
        }
        on_event(event);
    })?;
    let document = plan::document(info, &options, &network, &settings, &outcome)?;
    let retraining = Retraining {
        samples,
        steps: settings.steps - plain.steps,
        pace: Pace::Early,
        shares: settings.shares,
        max_seconds: settings.max_seconds.map(|seconds| seconds * (1.0 - WITHOUT_ROUNDING)),
        snapshot_every_seconds: settings.snapshot_every_seconds,
        threads: settings.threads,
        stop,
    };
    let trained = retraining.to_size(document, None, bytes, &mut |event| match event {
        Event::Started { .. } => {}
        event => on_event(of_all(event, at, all)),
    })?;
    let Retrained { document, quantisation, outcome: rounded } = trained;
    let bytes = write_quantised(&document, &quantisation)?;
    let outcome = Outcome {
        field: super::allocation::rounded(&document.field, document.training.seed, &quantisation)?,
        steps: document.training.steps,
        best_step: outcome.steps + rounded.best_step,
        seconds: outcome.seconds + rounded.seconds,
        engine: outcome.engine,
        ..rounded
    };
    // Measured, as steps may have been chosen anew at the end.
    let quality = quality::of_written(&bytes, samples)?;
    Ok(Rated { network, settings, outcome, bytes, quality })
}

/// Options completed for a file of this rate. A quality is not known to take so many bytes, but what the file is to hold.
///
/// # Errors
/// Those of [`crate::config::completed`].
pub fn fitted_to_rate(options: &EncodeOptions, info: &SignalInfo, rate: plan::Rate) -> Result<EncodeOptions> {
    if let plan::Rate::Bytes(bytes) = rate {
        return fitted(options, info, bytes);
    }
    let fit = fitted(options, info, info.samples())?;
    if fit.model == Some(ModelName::Latents) {
        return Ok(fit);
    }
    let options = EncodeOptions { model: fit.model, ..options.clone() };
    fitted(&options, info, plan::bytes_of_rate(GUESS, info.samples()))
}

/// What fitted options come to.
fn planned(samples: &Samples, options: &EncodeOptions) -> Result<(Network, Settings)> {
    let network = plan::network_of(options, samples)?;
    let settings = plan::settings(options, samples.info(), &network.grid)?;
    Ok((network, settings))
}

/// Options for a file of so many bytes.
fn fitted(options: &EncodeOptions, info: &SignalInfo, bytes: u64) -> Result<EncodeOptions> {
    let sized = EncodeOptions { bpp: None, quality: None, target_size: Some(Count(bytes)), ..options.clone() };
    let completed = crate::config::completed(sized, info)?;
    // The file says what was asked for, not what came of it.
    let EncodeOptions { bpp, quality, target_size, .. } = options;
    Ok(EncodeOptions { bpp: *bpp, quality: *quality, target_size: *target_size, ..completed })
}

/// An event of one part of a training as one of the whole.
fn of_all(event: Event, before: u64, all: u64) -> Event {
    match event {
        Event::Step { step, loss, psnr_db, learning_rate, seconds, samples_per_second, .. } => {
            Event::Step { step: before + step, steps: all, loss, psnr_db, learning_rate, seconds, samples_per_second }
        }
        Event::Snapshot { step, field } => Event::Snapshot { step: before + step, field },
        other => other,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of a count"
)]
fn part(steps: u64, share: f64) -> u64 {
    ((steps as f64 * share).round() as u64).clamp(1, steps.max(1))
}
