//! Fused decoding and training on a GPU, through burn's CubeCL backend, so that one source serves WebGPU, Vulkan, Metal,
//! DirectX and CUDA. The decoder evaluates all networks of a few neighbouring samples in one invocation, training walks
//! a tile of samples of one partition through all layers and back in one workgroup.
//!
//! General tensor operations were the alternative: they write every activation to memory, need hundreds of kernels to
//! be compiled before the first picture, and burn's matrix product does not run in Chromium (gfx-rs/wgpu#10146).
//!
//! A decode is cut into dispatches of bounded work, so that a weak device stays responsive and drivers do not take it
//! for hung. The next dispatch is queued before the last one is read back.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `layout` | weights, tables and dispatches as plain arrays; tested everywhere |
//! | `kernel` | the decoder's kernel |
//! | `gradient_layout`, `gradient_kernel` | the same for loss and gradients, with the floor that shaped them |
//! | `gradient_forward`, `gradient_products` | its way forward and its products |
//! | `glue` | their registration with the framework |
//! | `decoder`, `trainer` | what front ends use |
//! | `twin`, `gradient_twin` | scalar walks over the same arrays, for tests |

#[cfg(feature = "gpu")]
mod decoder;
#[cfg(feature = "gpu")]
mod glue;
#[cfg(feature = "gpu")]
mod gradient_forward;
#[cfg(feature = "gpu")]
mod gradient_kernel;
mod gradient_layout;
#[cfg(feature = "gpu")]
mod gradient_products;
#[cfg(test)]
mod gradient_twin;
#[cfg(feature = "gpu")]
mod kernel;
mod layout;
#[cfg(feature = "gpu")]
mod trainer;
#[cfg(test)]
mod twin;

#[cfg(feature = "gpu")]
pub use decoder::{DEFAULT_MULTIPLY_ADDS, GpuDecoder, Pixels};
#[cfg(feature = "gpu")]
pub use trainer::{GpuGradients, GpuTrainer, TRAINING_MULTIPLY_ADDS};
