//! A picture as a croppable file of a wanted rate.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tessera_core::codec::Coder;
use tessera_core::format::{Document, TrainingRecord, write_quantised};

use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, Extents, ModelName, Partitions};
use crate::compression::Retraining;
use crate::config;
use crate::errors::Fault;
use crate::plan;
use crate::samples::Samples;
use crate::training::{Event, Recipe, Settings, TrainingPlan, train};

/// Pixels along each side of a partition: smaller ones are cropped more finely and cost more side information.
const PARTITION: u32 = 128;
/// Bits that a weight may take: the budget of parameters for a rate follows from it.
const BITS_PER_WEIGHT: f64 = 5.0;
/// What a file needs whatever the rate, in bytes: header, index, tables.
const FIXED_BYTES: f64 = 350.0;

/// How much work goes into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// Steps of training; `None` for what `tessera encode` does.
    pub steps: Option<u64>,
    /// Steps of training with rounded weights.
    pub retrain: u64,
    /// Determines the start weights.
    pub seed: u64,
    /// Threads on the CPU.
    pub threads: Option<usize>,
}

impl Effort {
    /// All that decides the result, for records.
    pub fn recipe(&self) -> String {
        let Self { steps, retrain, seed, threads: _ } = self;
        let steps = steps.map_or_else(|| "default".to_owned(), |steps| steps.to_string());
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "tessera {version}, per-partition {PARTITION}, {BITS_PER_WEIGHT} bits, steps {steps}+{retrain}, seed {seed}"
        )
    }
}

/// Encodes `samples` into a file of at most `bits_per_sample` and little less. `say` gets the PSNR in dB now and then.
///
/// # Errors
/// Those of training and writing; [`Fault::Interrupted`] where `stop` ended it.
pub fn encode_to_rate(
    samples: &Samples,
    bits_per_sample: f64,
    effort: &Effort,
    stop: &'static AtomicBool,
    say: &mut dyn FnMut(u64, f64),
) -> Result<Vec<u8>> {
    let info = samples.info().clone();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a size of a file"
    )]
    let (bytes, parameters) = {
        let bytes = bits_per_sample * info.samples() as f64 / 8.0;
        let weights = (bytes - FIXED_BYTES).max(bytes / 4.0) * 8.0 / BITS_PER_WEIGHT;
        (bytes.max(1.0) as u64, weights.max(1.0) as u64)
    };
    let factors = info.shape.iter().map(|&side| (side + PARTITION / 2) / PARTITION).map(|n| n.max(1)).collect();
    let options = EncodeOptions {
        model: Some(ModelName::PerPartition),
        partitions: Some(Partitions::Factors(Extents(factors))),
        parameters: Some(Count(parameters)),
        steps: effort.steps.map(Count),
        seed: Some(effort.seed),
        ..EncodeOptions::default()
    };
    let options = config::merged(&options, None, &info)?;
    let network = plan::network_of(&options, samples)?;
    let recipe = plan::recipe(&options, &info);
    let settings = Settings {
        steps: effort.steps.unwrap_or_else(|| plan::default_steps(recipe, &info)),
        learning_rate: plan::default_learning_rate(recipe, &info),
        recipe: Recipe::Held,
        shares: plan::default_shares(&info, &network.grid),
        seed: effort.seed,
        threads: effort.threads,
        ..Settings::default()
    };
    let training =
        TrainingPlan { samples: samples.clone(), grid: network.grid.clone(), spec: network.spec.clone(), settings };
    let outcome = train(&training, stop, &mut |event| {
        if let Event::Step { step, psnr_db, .. } = event {
            say(step, psnr_db);
        }
    })?;
    interrupted(stop)?;
    let record = TrainingRecord {
        program: concat!("tessera ", env!("CARGO_PKG_VERSION")).to_owned(),
        preset: String::new(),
        seed: effort.seed,
        steps: outcome.steps,
        learning_rate: training.settings.learning_rate,
        sample_fraction: training.settings.sample_fraction,
        psnr_db: Some(outcome.psnr_db).filter(|psnr| psnr.is_finite()),
        configuration: String::new(),
    };
    let document = Document { signal: info, field: outcome.field, training: record };
    // It halves its steps.
    let retraining = Retraining { samples, steps: effort.retrain.max(2), threads: effort.threads, stop };
    let (document, quantisation) = retraining.to_size(document, Coder::Static, bytes, say)?;
    interrupted(stop)?;
    Ok(write_quantised(&document, &quantisation)?)
}

fn interrupted(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(Fault::Interrupted("interrupted".to_owned()).into()) } else { Ok(()) }
}
