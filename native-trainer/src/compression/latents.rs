//! Latent grids for a file of a wanted size.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::field::{Field, StartRule, tensors};
use tessera_core::format::{Document, write_quantised};

use super::rated::{of_all, part};
use super::{Probe, Rated};
use crate::arguments::EncodeOptions;
use crate::plan::{self, Network};
use crate::quality;
use crate::samples::Samples;
use crate::training::{Event, LatentTarget, LatentTraining, Latents, Outcome, Settings, StoppedBy};

/// A short training first tells what a bit is worth: its part of the steps, and how many at least.
const PILOT: f64 = 0.15;
const PILOT_STEPS: u64 = 30;
/// The price that it begins with, for a bit per sample, and how it falls with the rate.
const PRICE: f64 = 8e-4;
const PRICE_FALL: f64 = 1.6;
/// What a longer training needs of a shorter one's price.
const LATER: f64 = 0.8;
/// The size that training aims at, as a share of the wanted one.
const AIM: f64 = 0.99;
/// Below this part of it, another training gets what the rest of the file turned out to leave over.
const LEAST: f64 = 0.96;
const TRAININGS: u32 = 2;
/// What all but the latents takes in a small file, in bytes.
const BESIDE: f64 = 850.0;
/// Steps of shared weights that are tried: powers of two.
const EXPONENTS: std::ops::RangeInclusive<i32> = 3..=11;
/// Partitions by which they are judged.
const PROBED: usize = 16;

/// One training for a file of at most `bytes` bytes.
pub(super) fn to_size(
    samples: &Samples,
    options: &EncodeOptions,
    network: Network,
    settings: Settings,
    bytes: u64,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Rated> {
    #[expect(clippy::cast_precision_loss, reason = "sizes")]
    let (wanted, count) = (AIM * bytes as f64, network.grid.samples() as f64);
    let train = |steps: u64, seconds: Option<f64>, target: LatentTarget, on_event: &mut dyn FnMut(Event)| {
        let settings = Settings { steps, max_seconds: seconds, ..settings.clone() };
        LatentTraining::new(samples, &network.grid, &network.spec, &settings, target, stop)?.run(on_event)
    };
    let short = part(settings.steps, PILOT).max(PILOT_STEPS).min(settings.steps);
    let bits = (8.0 * (wanted - BESIDE)).max(2.0 * wanted);
    let price = PRICE * (bits / count).powf(-PRICE_FALL);
    let seconds = |share: f64| settings.max_seconds.map(|seconds| seconds * share);
    let all = short + settings.steps;
    let pilot =
        train(short, seconds(PILOT), LatentTarget { price, bits }, &mut |event| on_event(of_all(event, 0, all)))?;
    let (mut document, mut quantisation) = made(samples, options, &network, &settings, &pilot)?;
    let length = |document: &Document, quantisation: &Quantisation| -> Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        Ok(write_quantised(document, quantisation)?.len() as f64)
    };
    let mut outcome = pilot.outcome.clone();
    for _ in 0..TRAININGS {
        if !matches!(outcome.stopped_by, StoppedBy::Steps | StoppedBy::MaxTime) {
            break;
        }
        let coded = coded_bits(&document.field, &quantisation, document.training.seed)?;
        let beside = 8.0 * length(&document, &quantisation)? - coded;
        let target = LatentTarget { price: LATER * pilot.price, bits: (8.0 * wanted - beside).max(wanted) };
        let trained = train(settings.steps, seconds(1.0 - PILOT), target, &mut |event| match event {
            Event::Started { .. } => {}
            event => on_event(of_all(event, short, all)),
        })?;
        (document, quantisation) = made(samples, options, &network, &settings, &trained)?;
        outcome = Outcome { seconds: outcome.seconds + trained.outcome.seconds, ..trained.outcome };
        if length(&document, &quantisation)? >= LEAST * wanted || settings.max_seconds.is_some() {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let most = bytes as f64;
    document.field = thinned(&document, &quantisation, |document| Ok(length(document, &quantisation)? <= most))?;
    outcome.steps = document.training.steps;
    outcome.best_step = outcome.steps;
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

/// Bits of the chunks of all partitions.
fn coded_bits(field: &Field, quantisation: &Quantisation, seed: u64) -> Result<f64> {
    let payloads = quantisation.code(field.spec(), &quantisation.numbers(field, seed)?)?;
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    Ok(payloads.local.iter().map(|payload| 8.0 * payload.len() as f64).sum())
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
        // Spread over the picture.
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
