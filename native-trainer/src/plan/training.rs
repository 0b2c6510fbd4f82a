//! Options as settings of training, and as the record that a file keeps of it.

use anyhow::Result;
use tessera_core::field::recentred_for;
use tessera_core::format::{Document, TrainingRecord, WeightCoding};
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::rated::{self, is_rated};
use super::{Network, carried_out, default_learning_rate, default_sample_fraction, default_shares, default_steps};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, DeviceName, Preset, RecipeName, SamplesPerAxis, Seconds, WeightsName};
use crate::errors::usage_fault;
use crate::training::{EngineChoice, Outcome, Recipe, Settings};

/// How to train a network on `grid`, by completed options; without checkpoint and snapshots.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for a PSNR that none can have.
pub fn settings(options: &EncodeOptions, info: &SignalInfo, grid: &Grid) -> Result<Settings> {
    if options.psnr.is_some_and(|psnr| !(psnr > 0.0 && psnr < 200.0)) {
        return Err(usage_fault("--psnr must lie between 0 and 200 dB"));
    }
    let recipe = options.recipe.unwrap_or(RecipeName::Held);
    let steps = options.steps.map_or_else(|| default_steps(recipe, info), |Count(n)| n);
    let shares = match info.kind {
        SignalKind::Picture if is_rated(options) => rated::shares(grid, steps),
        _ => default_shares(info, grid),
    };
    Ok(Settings {
        steps,
        psnr_db: options.psnr,
        max_seconds: options.max_time.map(|Seconds(s)| s),
        learning_rate: options.learning_rate.unwrap_or_else(|| default_learning_rate(recipe, info)),
        l1: options.l1.unwrap_or(0.0),
        patience: options.patience.map(|Count(n)| n),
        early_stop: options.early_stop.map(|Count(n)| n),
        recipe: match recipe {
            RecipeName::Held => Recipe::Held,
            RecipeName::Published => Recipe::Published,
        },
        shares,
        warm_up: 0,
        group_samples: None,
        sample_fraction: options.sample_fraction.unwrap_or_else(|| default_sample_fraction(recipe, info)),
        overlap: options.overlap.as_ref().map(|SamplesPerAxis(samples)| samples.clone()).unwrap_or_default(),
        seed: options.seed.unwrap_or(0),
        device: options.device.unwrap_or(DeviceName::Cpu).into(),
        threads: options.threads,
        checkpoint: None,
        engine: EngineChoice::Auto,
        rounding: None,
        snapshot_every_seconds: None,
    })
}

/// What was trained as a file says it: the field with its record.
///
/// # Errors
/// Those of a blend that does not suit the field.
pub fn document(
    info: &SignalInfo,
    options: &EncodeOptions,
    network: &Network,
    settings: &Settings,
    outcome: &Outcome,
) -> Result<Document> {
    let rated = is_rated(options);
    // In a file whose bytes were counted the network speaks for itself.
    let configuration = if rated {
        let EncodeOptions { bpp, target_size, quality, .. } = *options;
        EncodeOptions { bpp, target_size, quality, ..EncodeOptions::default() }
    } else {
        carried_out(options, network, settings)
    };
    let training = TrainingRecord {
        program: concat!("tessera ", env!("CARGO_PKG_VERSION")).to_owned(),
        preset: options.preset.unwrap_or(Preset::Fast).name(),
        seed: settings.seed,
        steps: outcome.steps,
        learning_rate: settings.learning_rate,
        sample_fraction: settings.sample_fraction,
        psnr_db: Some(outcome.psnr_db).filter(|psnr| !psnr.is_nan()),
        configuration: toml::to_string(&configuration)?,
    };
    let coding = if rated { WeightCoding::F32 } else { options.weights.unwrap_or(WeightsName::F32).into() };
    let field = recentred_for(&outcome.field, coding)?.with_blend(network.blend.clone())?;
    Ok(Document { signal: info.clone(), field, training })
}
