//! The engine of Tessera: signals as neural fields that can be cropped by copying bytes.
//!
//! A *field* is a function from coordinates to values. Ours is many tiny sine networks, one per partition of the
//! signal, and one small network that they share (Local-Global INRs: Ashkenazi and Treister, "Towards Croppable
//! Implicit Neural Representations", NeurIPS 2024). Because the weights of a partition are its own, a region is cut
//! out by copying their bytes, and what stays decodes to the same bits. Small files of pictures have pyramids of latent numbers in
//! place of local networks.
//!
//! This crate does no I/O, reads no clock and starts no threads: front ends do.
//!
//! # Map
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`signal`] | what is encoded: kind, shape, channels, values |
//! | [`grid`] | partitions and coordinates of a canvas of any size |
//! | [`selection`] | the selector grammar: which partitions are meant |
//! | [`field`] | architectures, weights in plain arrays, start weights, automatic widths |
//! | [`eval`] | decoding: the scalar reference, the fused CPU kernel, the GPU kernel |
//! | [`mod@format`] | the `.inr` container: reader, writer, crop |
//! | [`codec`] | how a chunk stores its weights |
//! | [`metrics`] | PSNR, SSIM, IoU, rate |
//! | [`surface`] | triangles around a shape |
//! | [`limits`] | what a file may ask for |
//!
//! # Glossary
//!
//! - **signal**: a picture, sound, video or shape; **sample**: one of its points; **channel**: one value of a sample.
//! - **canvas**: all samples of the original signal. A cropped file keeps its canvas.
//! - **partition**: a box of samples with a local network of its own; **factors**: partitions per axis;
//!   **grid**: canvas, factors and coordinates.
//! - **local network**: the tiny network of one partition; **global network**: the one that all partitions share;
//!   **merge**: the one layer that joins local and global features, after every sine layer.
//! - **latents**: numbers on the grids of a partition, its local weights where it has no network; **level**: one of these grids;
//!   **pyramid**: all of them; **synthesis network**: the shared network that makes samples of latents.
//! - **shared weights**: global network and merge, or the synthesis network; **local weights**: those of all local networks.
//! - **present**: a partition whose local network is in the file; **absent**: one that was cropped away.
//! - **crop**: a file with fewer present partitions, made by copying bytes.
//! - **chunk**: the bytes of one partition's local weights, or of the shared weights.
//! - **view**: the positions at which a field is evaluated; **region**: a box of samples of the canvas.
//! - **multiply-adds**: the cost of evaluating one sample (MACs in reports).
//!
//! # Example
//!
//! ```
//! use tessera_core::{eval, field, format, grid::Grid, selection::{Selector, Snap}, signal};
//!
//! # fn main() -> Result<(), tessera_core::error::Error> {
//! // A field with start weights; `tessera encode` trains one.
//! let info = signal::SignalInfo::picture(24, 16, 3, signal::SampleFormat::U8)?;
//! let grid = Grid::new(vec![24, 16], vec![4, 2], tessera_core::grid::UNIT_RANGE)?;
//! let spec = field::FieldSpec::local_global(2, 3, 6, 10);
//! let document = format::Document {
//!     signal: info,
//!     field: field::initialise(&spec, &grid, 0)?,
//!     training: format::TrainingRecord::default(),
//! };
//! let bytes = format::write(&document, format::WeightCoding::F32)?;
//!
//! // Open it, and keep the upper half.
//! let reader = format::Reader::open(&bytes)?;
//! let upper: Selector = "16x12+0+0".parse()?;
//! let keep = upper.partitions(reader.signal(), reader.grid(), Snap::Outer)?;
//! let cropped = format::crop(&bytes, &keep)?;
//! assert_eq!(cropped.len() as u64, reader.cropped_bytes(&keep));
//!
//! // Decode a region of both: the same bits.
//! let region = eval::View::region(&vec![2..10, 0..16]);
//! let whole = eval::cpu::decode(&reader.document()?.field, &region)?;
//! let part = eval::cpu::decode(&format::Reader::open(&cropped)?.document()?.field, &region)?;
//! assert_eq!(whole, part);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers in tests are small")
)]

pub mod codec;
pub mod error;
pub mod eval;
pub mod field;
pub mod format;
pub mod grid;
pub mod limits;
pub mod metrics;
#[cfg(feature = "burn")]
pub mod module;
pub mod selection;
pub mod signal;
pub mod surface;

pub use error::Error;
