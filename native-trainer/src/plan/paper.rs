//! Published settings: `--preset paper` for every kind (reference/local-global.md 1.5 and 3), `--preset strumpler-32` and the
//! like for pictures (reference/inr-compression.md 4 and 10).

use anyhow::Result;
use tessera_core::field::PUBLISHED_OMEGA;
use tessera_core::signal::SignalKind;

use crate::arguments::EncodeOptions;
use crate::arguments::values::{ActivationName, Count, EncodingName, Extents, ModelName, Partitions, RecipeName};
use crate::errors::usage_fault;

/// The published network and training of `model` for a kind of signal.
pub fn paper(kind: SignalKind, model: ModelName) -> EncodeOptions {
    // Partitions; local and global width; width of SIREN-per-partition and of SIREN.
    let (factors, (local, global), alone, siren) = match kind {
        SignalKind::Picture => (vec![16, 16], (14, 84), 15, 256),
        SignalKind::Sound => (vec![32], (42, 72), 45, 256),
        SignalKind::Video => (vec![5, 8, 8], (55, 180), 56, 1030),
        SignalKind::Shape => (vec![8, 8, 8], (17, 76), 18, 256),
    };
    let (local_width, global_width) = match model {
        ModelName::LocalGlobal => (local, Some(global)),
        ModelName::PerPartition => (alone, None),
        ModelName::Siren | ModelName::Latents => (siren, None),
    };
    let (steps, learning_rate, sample_fraction) = match kind {
        SignalKind::Picture => (1001, 5e-4, Some(1.0)),
        SignalKind::Sound => (1000, 1e-4, Some(1.0)),
        SignalKind::Video => (5001, 1e-4, Some(0.02)),
        // Published with about 100,000 points a step, which is close to the default.
        SignalKind::Shape => (20 * 1343, 1e-4, None),
    };
    EncodeOptions {
        model: Some(model),
        partitions: (model != ModelName::Siren).then_some(Partitions::Factors(Extents(factors))),
        local_width: Some(local_width),
        global_width,
        hidden_layers: Some(3),
        omega: Some(PUBLISHED_OMEGA),
        recipe: Some(RecipeName::Published),
        steps: Some(Count(steps)),
        learning_rate: Some(learning_rate),
        sample_fraction,
        ..EncodeOptions::default()
    }
}

/// The published network of `width` and its training for the compression of a picture.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for other signals.
pub fn compression(kind: SignalKind, width: u32) -> Result<EncodeOptions> {
    if kind != SignalKind::Picture {
        return Err(usage_fault(format!("--preset strumpler-{width}: this published setting is for pictures")));
    }
    Ok(EncodeOptions {
        model: Some(ModelName::Siren),
        local_width: Some(width),
        hidden_layers: Some(3),
        omega: Some(PUBLISHED_OMEGA),
        encoding: Some(EncodingName::Nerf),
        encoding_scale: Some(1.4),
        frequencies: Some(16),
        activation: Some(ActivationName::Sine),
        recipe: Some(RecipeName::Published),
        steps: Some(Count(25_000)),
        learning_rate: Some(5e-4),
        l1: Some(1e-5),
        patience: Some(Count(500)),
        early_stop: Some(Count(5_000)),
        sample_fraction: Some(1.0),
        ..EncodeOptions::default()
    })
}
