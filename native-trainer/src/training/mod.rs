//! Training: a signal in, a field out.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `plan` | what to train, and the events and the outcome that a front end sees |
//! | `setup` | what every loop checks and opens first |
//! | `run` | the published loop: every weight every step; stop conditions, best weights, checkpoints |
//! | `held` | the default loop: a still global network, groups of partitions one after the other |
//! | `groups` | its groups of partitions, and whose turn a step is |
//! | `engine` | what computes loss and gradients: |
//! | `general` | - burn's general operations |
//! | `fused` | - the fused CPU kernel of `tessera-core` |
//! | `kernel` | - its fused GPU kernel |
//! | `batch` | which samples a step sees |
//! | `optimiser` | burn's Adam on the two weight arrays |
//! | `plateau` | the learning rate that halves where the loss rests |
//! | `soap` | SOAP on many tiny networks, for the default loop |
//! | `rounding` | training with quantised weights |
//! | `checkpoint` | the file from which an interrupted run continues bit for bit |
//! | `device`, `cuda` | where tensors live |
//!
//! burn's `Learner` was the alternative to a loop of our own. It wants a data loader of independent items, while a
//! field has one item, its signal, and thousands of tiny networks that must be stepped as one tensor.

mod batch;
mod checkpoint;
#[cfg(any(feature = "cuda", test))]
mod cuda;
mod device;
mod engine;
mod error;
mod fused;
mod general;
mod groups;
mod held;
mod interpolation;
#[cfg(feature = "gpu")]
mod kernel;
mod latents;
mod optimiser;
mod plan;
mod plateau;
mod rounding;
mod run;
mod setup;
mod soap;

pub use batch::Batches;
pub use checkpoint::Checkpoint;
pub use device::{OpenDevice, devices_in_this_build};
pub use engine::{Engine, Gradients, engine_for};
pub use error::TrainingError;
pub use fused::Fused;
pub use general::General;
#[cfg(feature = "gpu")]
pub use kernel::Kernel;
pub use latents::{LatentAim, LatentTarget, LatentTraining, Latents, Measured};
pub use optimiser::{Adam, FusedAdam, Moments};
pub use plan::{
    CheckpointSettings, DeviceChoice, EngineChoice, Event, Outcome, Recipe, Settings, StoppedBy, TrainingPlan,
    filled_partitions,
};
pub use plateau::{Plateau, PlateauState};
pub use rounding::{RoundedTraining, coded_bytes};
pub use run::{train, train_from};
pub use soap::Soap;
pub use tessera_core::eval::cpu::training::Batch;
