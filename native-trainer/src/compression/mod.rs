//! Choosing how the weights of a trained field are quantised, and training them to it.
//!
//! [`Allocation`] measures what rounding each tensor does to the decoded signal and turns one number, the *coarseness*, into
//! steps: all tensors and all partitions then lose the same for a bit, which is the least loss for the bits (reverse
//! water-filling). [`search`] finds the coarseness for a size or a loss. `bits` is the published quantiser
//! (reference/inr-compression.md section 6). [`Target`] is what a user asks for. [`AdaRound`] learns which weights are rounded up.
//! Retraining goes through [`crate::training`] with [`crate::training::RoundedTraining`].

mod adaround;
mod allocation;
mod bits;
mod latents;
mod probe;
mod published;
mod rated;
mod retrain;
pub mod search;
mod target;

pub use adaround::{AdaRound, LayerRounding, Learned};
pub use allocation::Allocation;
use bits::steps_for_bits;
pub use probe::Probe;
pub use published::PublishedRate;
pub use rated::{Rated, encode_to_rate, fitted_to_rate};
pub use retrain::{Pace, RateTerm, Retrained, Retraining};
pub use target::{Target, Wanted};
