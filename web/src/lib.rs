//! The bindings between the page and `tessera-core`: thin on purpose, they translate types and nothing else.
//!
//! The crate is built twice. The module with the feature `cpu` parses, verifies, crops and decodes without any
//! framework and is small enough to load before the first picture. The module with the feature `gpu` decodes through
//! WebGPU, costs a megabyte, and is fetched behind that picture. One large module was the alternative; it would have
//! delayed every first picture by the megabyte, also where WebGPU is absent.
//!
//! Both live in one Worker. Errors arrive as JavaScript `Error`s with a `kind` ([`failure`]).

#[cfg(feature = "bench")]
pub mod bench;
pub mod failure;
#[cfg(feature = "cpu")]
pub mod file;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod picture;
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
mod present;
#[cfg(feature = "bench")]
pub mod rehearsal;
#[cfg(feature = "cpu")]
pub mod remote;
#[cfg(feature = "cpu")]
pub mod surface;
pub mod values;

use wasm_bindgen::prelude::wasm_bindgen;

/// Runs once when the module is instantiated: a panic (which would be a bug of ours) names its place on the console
/// instead of ending in a bare `unreachable`.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}
