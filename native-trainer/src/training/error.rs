//! What can go wrong while training, sorted by who can do something about it.

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// Everything that ends training without a field.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum TrainingError {
    /// The plan contradicts itself or exceeds a limit.
    #[error(transparent)]
    Core(#[from] tessera_core::Error),
    /// A setting is out of range.
    #[error("{0}")]
    Settings(String),
    /// This program was built without the device.
    #[error(
        "this build has no `{device}` device; build it with `cargo build --release --features {feature}`, \
         or choose one of: {available}"
    )]
    DeviceAbsent {
        /// The device that was asked for.
        device: &'static str,
        /// The cargo feature that adds it.
        feature: &'static str,
        /// What this build has.
        available: String,
    },
    /// The device is built in but does not answer.
    #[error("the `{device}` device cannot be used: {reason}; `--device cpu` always works")]
    Device {
        /// The device that was asked for.
        device: &'static str,
        /// What it said.
        reason: String,
    },
    /// The engine does not serve this device.
    #[error("{0}")]
    Engine(String),
    /// The loss became infinite or not a number.
    #[error(
        "training diverged: the loss is {loss} after {step} steps; lower the learning rate (it is {learning_rate})"
    )]
    Diverged {
        /// Updates before it happened.
        step: u64,
        /// The loss.
        loss: f64,
        /// The learning rate in use.
        learning_rate: f64,
    },
    /// The samples of the signal cannot be read any more.
    #[error("the temporary copy of the samples cannot be read: {0}")]
    Samples(#[from] std::io::Error),
    /// The checkpoint cannot be read or written, or is damaged.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The checkpoint belongs to another run.
    #[error(
        "checkpoint {path} belongs to another run: its {what} is {theirs}, here it is {ours}; \
         give the same options, or start over without resuming"
    )]
    CheckpointOfAnotherRun {
        /// The file.
        path: PathBuf,
        /// The setting that differs.
        what: String,
        /// Its value in the checkpoint.
        theirs: String,
        /// Its value in this run.
        ours: String,
    },
}
