//! `tessera compress`: the same field in fewer bytes.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::format::{Document, Reader, write_numbers, write_quantised};
use tessera_core::metrics;

use super::describe::{LedgerPart, ledger, open, present_samples};
use crate::arguments::CompressArguments;
use crate::arguments::values::Count;
use crate::compression::{
    AdaRound, LayerRounding, Learned, Pace, Probe, PublishedRate, Retrained, Retraining, Target, Wanted,
};
use crate::errors::{Fault, usage_fault};
use crate::media::read_source;
use crate::media::shape::Sampling;
use crate::output::{Destination, read_input, shown};
use crate::quality::{self, Quality};
use crate::report::{Facts, Reporter, bytes as human_bytes, decibels, finite, grouped};
use crate::samples::Samples;
use crate::training::Event;
use crate::{decoding, plan, signals};

/// The loss where nothing else is asked for, in dB.
const LOSS_DB: f64 = 0.3;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct CompressReport {
    output: String,
    bytes: u64,
    bytes_before: u64,
    bits_per_sample: f64,
    parameters: u64,
    bits_per_parameter: f64,
    coder: &'static str,
    /// Against the original, where it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    psnr_db: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psnr_before_db: Option<f64>,
    /// Against the field before, on some of its partitions.
    psnr_against_field_db: Option<f64>,
    /// What learned rounding did to the local layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    adaround: Option<Vec<LayerRounding>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retrained_steps: Option<u64>,
    /// Sizes of the file with each coder.
    coders: Vec<CoderSize>,
    /// The same numbers by the published accounting, which counts less than a file needs.
    published_accounting: PublishedRate,
    ledger: Vec<LedgerPart>,
}

/// The file's size with a coder; with Brotli only to compare.
#[derive(Debug, Serialize)]
struct CoderSize {
    coder: &'static str,
    bytes: u64,
}

pub(super) fn run(arguments: &CompressArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let mut document = reader.document().with_context(|| shown(&arguments.input))?;
    if document.field.spec().pyramid().is_some() {
        return Err(usage_fault(format!(
            "{}: latents were trained for the size of their file; encode the original again for another one",
            shown(&arguments.input)
        )));
    }
    // 300 bytes that say how it was trained, a twentieth of the smallest files; preset, seed and steps stay.
    document.training.configuration.clear();
    let original = arguments.against.as_deref().map(|path| original(path, &document)).transpose()?;
    let before = original.as_ref().map(|samples| quality::of_written(&bytes, samples)).transpose()?;

    let field_before = document.field.clone();
    let stop = signals::watch()?;
    let learning = arguments.adaround.map(|iterations| AdaRound { iterations, stop });
    let target = target(arguments, &document, before.as_ref())?;
    let Rounded { mut document, quantisation, layers } = match (&original, arguments.retrain) {
        (Some(samples), Some(steps)) => {
            let pace = if learning.is_some() { Pace::Learned } else { Pace::Trained };
            let threads = arguments.threads;
            let retraining = Retraining {
                samples,
                steps,
                pace,
                shares: plan::default_shares(&document.signal, document.field.grid()),
                max_seconds: None,
                snapshot_every_seconds: None,
                threads,
                stop,
            };
            retrained(&target, document, learning, &retraining, reporter)?
        }
        _ => rounded(&target, document, learning, reporter)?,
    };
    let numbers = quantisation.numbers(&document.field, document.training.seed)?;
    let rounded = quantisation.field(&document.field, document.training.seed, &numbers)?;
    let difference = Probe::new(&field_before, usize::MAX)?.difference(&rounded)?;
    let mut written = write_numbers(&document, &quantisation, &numbers)?;
    let after = original.as_ref().map(|samples| quality::of_written(&written, samples)).transpose()?;
    if document.training.psnr_db.is_some() {
        // As long as before: a number is replaced.
        document.training.psnr_db =
            after.map_or_else(|| worse(&document, difference), |quality| finite(quality.psnr_db));
        written = write_numbers(&document, &quantisation, &numbers)?;
    }
    destination.write(&written)?;

    let reader = Reader::open(&written)?;
    let kept = present_samples(reader.grid(), reader.present());
    let ledger = ledger(&reader)?;
    let tensors = quantisation.shared_steps().len() + quantisation.steps_of_slot(0).len();
    let published = PublishedRate::of(&numbers, tensors, arguments.bits.filter(|_| arguments.uniform))?;
    let mut coders = Coder::ALL
        .into_iter()
        .map(|coder| {
            let written = write_numbers(&document, &quantisation.clone().with_coder(coder), &numbers)?;
            Ok(CoderSize { coder: coder.name(), bytes: written.len() as u64 })
        })
        .collect::<Result<Vec<_>>>()?;
    coders.push(CoderSize { coder: "brotli", bytes: with_brotli(&ledger, &published) });
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let report = CompressReport {
        output: destination.shown(),
        bytes: written.len() as u64,
        bytes_before: bytes.len() as u64,
        bits_per_sample: metrics::bits_per_sample(written.len() as u64, kept),
        parameters: reader.parameters(),
        bits_per_parameter: written.len() as f64 * 8.0 / reader.parameters() as f64,
        coder: Coder::from(arguments.coder).name(),
        psnr_db: after.and_then(|quality| finite(quality.psnr_db)),
        psnr_before_db: before.and_then(|quality| finite(quality.psnr_db)),
        psnr_against_field_db: finite(document.signal.kind.psnr_db(difference)),
        adaround: layers,
        retrained_steps: arguments.retrain,
        coders,
        published_accounting: published,
        ledger,
    };
    reporter.summary(&report, || summary(&report))?;
    if stop.load(Ordering::Relaxed) {
        let reason = format!("interrupted; {} holds the best weights until then", destination.shown());
        return Err(Fault::Interrupted(reason).into());
    }
    match target {
        Target::Bytes(_, wanted) if report.bytes > wanted => Err(Fault::TargetMissed(format!(
            "{wanted} bytes were asked for; {} is written all the same, with {}: this field takes no less",
            report.output, report.bytes
        ))
        .into()),
        _ => Ok(()),
    }
}

/// A document and what rounds its weights.
struct Rounded {
    document: Document,
    quantisation: Quantisation,
    /// What learned rounding did, where it was asked for.
    layers: Option<Vec<LayerRounding>>,
}

/// The document with steps for its weights, and weights that were moved for learned rounding.
fn rounded(
    target: &Target,
    document: Document,
    learning: Option<AdaRound<'_>>,
    reporter: &Reporter,
) -> Result<Rounded> {
    let Some(learning) = learning else {
        let quantisation = target.quantisation(&document)?;
        return Ok(Rounded { document, quantisation, layers: None });
    };
    let (networks, iterations) = (document.field.present().len(), learning.iterations);
    reporter.say(format_args!("learning the rounding of {networks} networks: {iterations} iterations for each layer"));
    let seed = document.training.seed;
    let (learned, quantisation) = match target {
        Target::Bytes(allocation, bytes) => learning.to_size(&document, allocation, *bytes)?,
        _ => {
            let quantisation = target.quantisation(&document)?;
            (Some(learning.learn(&document.field, seed, &quantisation)?), quantisation)
        }
    };
    let Some(Learned { field, layers }) = learned else {
        reporter.say("no learned rounding fits; the weights are rounded to nearest");
        return Ok(Rounded { document, quantisation, layers: Some(Vec::new()) });
    };
    Ok(Rounded { document: Document { field, ..document }, quantisation, layers: Some(layers) })
}

/// The document with weights that were trained for their quantisation.
fn retrained(
    target: &Target,
    document: Document,
    learning: Option<AdaRound<'_>>,
    retraining: &Retraining<'_>,
    reporter: &Reporter,
) -> Result<Rounded> {
    let mut on_event = |event: Event| {
        if let Event::Step { step, steps, psnr_db, .. } = event
            && step.is_multiple_of(50)
        {
            reporter.say(format_args!("retraining: {step} of {steps} steps, {}", decibels(psnr_db)));
        }
    };
    if let (Target::Bytes(allocation, bytes), None) = (target, learning) {
        let coder = Some(allocation.coder());
        let Retrained { document, quantisation, .. } = retraining.to_size(document, coder, *bytes, &mut on_event)?;
        return Ok(Rounded { document, quantisation, layers: None });
    }
    let rounded = rounded(target, document, learning, reporter)?;
    let trained = retraining.run(&rounded.document, &rounded.quantisation, target.rate_term(), &mut on_event)?;
    if let Some(bytes) = target.bytes()
        && write_quantised(&trained.document, &rounded.quantisation)?.len() as u64 > bytes
    {
        // It was promised to fit, and other steps would waste what was learned.
        reporter.say("what retraining found does not fit; the weights are those before it");
        return Ok(rounded);
    }
    Ok(Rounded { document: trained.document, ..rounded })
}

/// The PSNR in dB after rounding has added `error` (mean square, field units) to what the file says. Both do not know of each
/// other, so their squares add up.
fn worse(document: &Document, error: f64) -> Option<f64> {
    let kind = document.signal.kind;
    let before = document.training.psnr_db?;
    let unit_db = kind.psnr_db(1.0);
    Some(kind.psnr_db(10_f64.powf((unit_db - before) / 10.0) + error)).filter(|psnr| psnr.is_finite())
}

/// The samples that the field was made from.
fn original(path: &std::path::Path, document: &Document) -> Result<Samples> {
    let source = read_source(read_input(path)?, path, &Sampling::default())?;
    let (own, other) = (&document.signal, &source.signal.info);
    if own.kind != other.kind || own.shape != other.shape || own.channels != other.channels {
        return Err(usage_fault(format!(
            "{} is not what the field was made from: {} against {}",
            shown(path),
            super::describe::signal_text(other),
            super::describe::signal_text(own)
        )));
    }
    Ok(source.signal.into())
}

/// What the options ask for, for this document.
fn target(arguments: &CompressArguments, document: &Document, before: Option<&Quality>) -> Result<Target> {
    let samples = present_samples(document.field.grid(), document.field.present());
    let wanted = match (arguments.target_size, arguments.bpp, arguments.bits) {
        (Some(Count(bytes)), ..) => Wanted::Bytes(bytes),
        (_, Some(bits), _) => Wanted::Bytes(plan::bytes_of_rate(bits, samples)),
        (.., Some(bits)) if arguments.uniform => Wanted::Uniform(bits),
        (.., Some(bits)) => Wanted::Bits(bits),
        _ => Wanted::Loss(arguments.loss.unwrap_or(LOSS_DB)),
    };
    let psnr = before.map(|quality| quality.psnr_db).or(document.training.psnr_db).filter(|psnr| psnr.is_finite());
    Target::new(document, wanted, arguments.coder.into(), psnr)?.ok_or_else(|| {
        usage_fault(
            "--loss needs a field whose PSNR is known: name the original with --against, or a size with --bpp or \
             --target-size",
        )
    })
}

/// The file's size if all numbers were one Brotli stream. No file is written so: it is larger, and one stream cannot be
/// cropped.
fn with_brotli(ledger: &[LedgerPart], published: &PublishedRate) -> u64 {
    let numbers = ["tables", "shared weights", "local weights"];
    let rest: u64 = ledger.iter().filter(|part| !numbers.contains(&part.part)).map(|part| part.bytes).sum();
    rest + published.brotli_bytes
}

fn summary(report: &CompressReport) -> String {
    let quality = match (report.psnr_before_db, report.psnr_db) {
        (Some(before), Some(after)) => Some(format!("{} of {}", decibels(after), decibels(before))),
        _ => None,
    };
    let coders: Vec<String> =
        report.coders.iter().map(|size| format!("{} {}", size.coder, grouped(size.bytes))).collect();
    let mut facts = Facts::new()
        .with("wrote", &report.output)
        .with(
            "size",
            format_args!(
                "{} of {} ({:.3} bits per sample, {:.2} bits per weight)",
                human_bytes(report.bytes),
                human_bytes(report.bytes_before),
                report.bits_per_sample,
                report.bits_per_parameter
            ),
        )
        .with_some("quality", quality)
        .with_some("against the field", report.psnr_against_field_db.map(decibels))
        .with("with each coder", format_args!("{} bytes", coders.join(", ")));
    for LayerRounding { layer, nearest_error, error, moved } in report.adaround.iter().flatten() {
        let text = format_args!("error {error:.2e}, {nearest_error:.2e} to nearest, {:.1} % moved", 100.0 * moved);
        facts = facts.with(&format!("{layer} layer"), text);
    }
    facts.to_string()
}
