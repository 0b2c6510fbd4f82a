//! Decoding: evaluating a field at the positions of a view.
//!
//! Three engines compute the same function: [`mod@reference`] (scalar and obvious, the truth that the others are tested
//! against), [`cpu`] (fused, SIMD) and `gpu` (fused, CubeCL, behind the feature `gpu`). All take the sine of [`sine`],
//! so that they agree.

mod blend;
pub mod cpu;
mod empty;
#[cfg(any(test, feature = "gpu"))]
pub mod gpu;
pub mod reference;
pub mod sine;
mod view;

pub use empty::{fill_empty, shows_absent};
pub use view::{Axis, Run, View};
