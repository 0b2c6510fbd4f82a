//! `--preset paper`: the published setting of every kind (reference/local-global.md 1.5 and 3).

use tessera_core::field::PUBLISHED_OMEGA;
use tessera_core::signal::SignalKind;

use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, Extents, ModelName, Partitions, RecipeName};

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
        ModelName::Siren => (siren, None),
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
