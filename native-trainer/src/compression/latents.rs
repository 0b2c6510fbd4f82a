//! Latent grids for a file of a wanted size.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::field::{Field, StartRule, tensors};
use tessera_core::format::{Document, write_quantised};

use super::{Probe, Rated};
use crate::arguments::EncodeOptions;
use crate::plan::{self, Network, Rate};
use crate::quality;
use crate::samples::Samples;
use crate::training::{Event, LatentAim, LatentTarget, LatentTraining, Latents, Measured, Settings, TrainingError};

/// The price that training begins with, for a bit per sample, and how it falls with the rate.
const PRICE: f64 = 8e-4;
const PRICE_FALL: f64 = 1.6;
/// The same for an error, of which the price is about this multiple.
const PRICE_OF_ERROR: f64 = 2.0;
/// The size that training aims at, as a share of the wanted one.
const AIM: f64 = 0.99;
/// Steps of shared weights that are tried: powers of two.
const EXPONENTS: std::ops::RangeInclusive<i32> = 3..=11;
/// Partitions by which they are judged.
const PROBED: usize = 16;

/// One training for a file of at most so many bytes, or of about such a PSNR.
pub(super) fn to_rate(
    samples: &Samples,
    options: &EncodeOptions,
    network: Network,
    settings: Settings,
    rate: Rate,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Rated> {
    #[expect(clippy::cast_precision_loss, reason = "sizes")]
    let (aim, price) = match rate {
        Rate::Bytes(bytes) => {
            let wanted = AIM * bytes as f64;
            let bits = 8.0 * wanted / network.grid.samples() as f64;
            (LatentAim::Bytes(wanted), PRICE * bits.powf(-PRICE_FALL))
        }
        Rate::Quality(psnr_db) => {
            let error = 10_f64.powf(-psnr_db / 10.0);
            (LatentAim::Error(error), PRICE_OF_ERROR * error)
        }
    };
    let measured = |latents: &Latents| -> Result<Measured> {
        let (document, quantisation) = made(samples, options, &network, &settings, latents)?;
        let bytes = write_quantised(&document, &quantisation)?;
        let error = match aim {
            LatentAim::Bytes(_) => None,
            LatentAim::Error(_) => Some(10_f64.powf(-quality::of_written(&bytes, samples)?.psnr_db / 10.0)),
        };
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        Ok(Measured { bytes: bytes.len() as f64, error })
    };
    let written = |latents: &Latents| measured(latents).map_err(|error| TrainingError::Settings(format!("{error:#}")));
    let target = LatentTarget { price, aim, written: &written };
    let training = LatentTraining::new(samples, &network.grid, &network.spec, &settings, target, stop)?;
    let latents = training.run(on_event)?;
    let (mut document, quantisation) = made(samples, options, &network, &settings, &latents)?;
    if let Rate::Bytes(bytes) = rate {
        document.field = thinned(&document, &quantisation, |document| {
            Ok(write_quantised(document, &quantisation)?.len() as u64 <= bytes)
        })?;
    }
    let mut outcome = latents.outcome;
    let numbers = quantisation.numbers(&document.field, document.training.seed)?;
    outcome.field = quantisation.field(&document.field, document.training.seed, &numbers)?;
    let bytes = write_quantised(&document, &quantisation)?;
    let quality = quality::of_written(&bytes, samples)?;
    Ok(Rated { network, settings, outcome, bytes, quality })
}

/// What was trained as a document, and what makes its numbers whole.
fn made(
    samples: &Samples,
    options: &EncodeOptions,
    network: &Network,
    settings: &Settings,
    latents: &Latents,
) -> Result<(Document, Quantisation)> {
    let document = plan::document(samples.info(), options, network, settings, &latents.outcome)?;
    let spec = document.field.spec();
    let steps = shared_steps(&document.field, latents)?;
    let quantisation = Quantisation::new(spec, StartRule::Zero, Coder::Static, &steps, &latents.steps)?
        .with_contexts(spec, latents.contexts.clone())?;
    Ok((document, quantisation))
}

/// Steps of the synthesis network's tensors: those by which error and bits together cost least.
fn shared_steps(field: &Field, latents: &Latents) -> Result<Vec<f32>> {
    let ranges = tensors(&field.spec().shared_layers());
    let probe = Probe::new(field, PROBED)?;
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let samples = field.grid().samples() as f64;
    let mut shared = field.shared().to_vec();
    let mut steps = Vec::new();
    for range in &ranges {
        let mut best: Option<(f64, f32, Vec<f32>)> = None;
        for exponent in EXPONENTS {
            let step = (-exponent as f32).exp2();
            let numbers: Vec<f32> =
                field.shared()[range.clone()].iter().map(|weight| (weight / step).round()).collect();
            let mut tried = shared.clone();
            tried[range.clone()].iter_mut().zip(&numbers).for_each(|(weight, number)| *weight = number * step);
            // Field units go from -1 to 1, and prices are for 0 to 1.
            let error = probe.difference(&field.with_weights(tried.clone(), field.local().to_vec())?)? / 4.0;
            let mean = numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>() / numbers.len().max(1) as f64;
            let bits = numbers.len() as f64 * (1.0 + 2.0 * std::f64::consts::E * mean).log2();
            let cost = error + latents.price * bits / samples;
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, step, tried));
            }
        }
        if let Some((_, step, tried)) = best {
            shared = tried;
            steps.push(step);
        }
    }
    Ok(steps)
}

/// The field with as many of the smallest latents of the finest levels made zero as it takes to fit.
fn thinned(
    document: &Document,
    quantisation: &Quantisation,
    fits: impl Fn(&Document) -> Result<bool>,
) -> Result<Field> {
    if fits(document)? {
        return Ok(document.field.clone());
    }
    let field = &document.field;
    let levels = field.spec().pyramid().map_or_else(Vec::new, |pyramid| pyramid.levels(field.spec().inputs));
    let size = levels.last().map_or(1, |level| level.latents.end);
    let mut candidates: Vec<(usize, u32, usize)> = Vec::new();
    for (slot, part) in field.local().chunks_exact(size).enumerate() {
        for (depth, (level, step)) in levels.iter().rev().zip(quantisation.steps_of_slot(0).iter().rev()).enumerate() {
            for place in level.latents.clone().filter(|&place| part[place] != 0.0) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a magnitude")]
                let magnitude = (part[place] / step).abs().round() as u32;
                candidates.push((depth, magnitude, slot * size + place));
            }
        }
    }
    candidates.sort_by_key(|&(depth, magnitude, place)| (magnitude.saturating_mul(1 << depth.min(20)), place));
    let without = |count: usize| -> Result<Document> {
        let mut local = field.local().to_vec();
        candidates[..count].iter().for_each(|&(.., place)| local[place] = 0.0);
        Ok(Document { field: field.with_weights(field.shared().to_vec(), local)?, ..document.clone() })
    };
    let (mut low, mut high) = (0, candidates.len());
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if fits(&without(middle)?)? { high = middle } else { low = middle }
    }
    Ok(without(high)?.field)
}
