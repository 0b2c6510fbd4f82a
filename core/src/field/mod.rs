//! What network a field is, and its weights in plain arrays.

mod arithmetic;
mod automatic;
mod encoding;
mod initial;
pub mod latents;
mod spec;

pub use automatic::{AutomaticRequest, automatic};
pub use encoding::{Activation, Encoding, LEAK};
pub use initial::{SplitMix64, Start, StartRule, initialise, initialise_centred, recentred_for, with_last_biases};
pub use spec::{FieldSpec, Layer, Model, PUBLISHED_OMEGA, tensors};

pub(crate) use arithmetic::sine_cosine_of_turns;
pub(crate) use encoding::{Wave, rounded};

use crate::error::{Error, check_limit};
use crate::grid::Grid;
use crate::limits;

/// A field: the grid, the network, and the weights of the partitions that are present.
///
/// Partitions of a shape without any surface or inside never had a network: they are *empty*, and decode to a constant
/// ([`crate::signal::ShapeValue::outside`]). All others that are not present were cropped away.
///
/// Layouts: every layer is its weights `[inputs, outputs]` row-major, then its biases `[outputs]`.
/// - `shared`: global layers first to last, then the merge layer, whose inputs are the local features followed by the
///   global ones. Empty without a global network.
/// - `local`: one block of [`FieldSpec::local_parameters`] numbers per *present* partition, ascending: the first
///   layer, the hidden ones, the last one.
///
/// A field of latent grids has the layers of its synthesis network in `shared`, and the latents of every partition in `local`,
/// coarsest level first.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    spec: FieldSpec,
    grid: Grid,
    shared: Vec<f32>,
    present: Vec<u32>,
    empty: Vec<u32>,
    blend: Vec<u32>,
    local: Vec<f32>,
}

impl Field {
    /// Joins the parts of a field.
    ///
    /// # Errors
    /// [`Error::Parameter`] where sizes do not fit, `present` is not strictly ascending within the grid, or a weight
    /// is not finite; [`Error::Limit`] beyond the format.
    pub fn new(
        spec: FieldSpec,
        grid: Grid,
        present: Vec<u32>,
        shared: Vec<f32>,
        local: Vec<f32>,
    ) -> Result<Self, Error> {
        spec.validate_on(&grid)?;
        check_list("present", &present, &grid)?;
        let expected = present.len() as u64 * spec.local_parameters();
        check_limit("parameters", spec.shared_parameters().saturating_add(expected), limits::PARAMETERS)?;
        if shared.len() as u64 != spec.shared_parameters() || local.len() as u64 != expected {
            return Err(Error::parameter(format!(
                "the network needs {} shared and {expected} local weights, {} and {} were given",
                spec.shared_parameters(),
                shared.len(),
                local.len()
            )));
        }
        if let Some(w) = shared.iter().chain(&local).find(|w| w.is_nan() || w.abs() > limits::WEIGHT) {
            return Err(Error::parameter(format!(
                "a weight is {w}: weights are finite and at most {}",
                limits::WEIGHT
            )));
        }
        Ok(Self { spec, grid, shared, present, empty: Vec::new(), blend: Vec::new(), local })
    }

    /// The same field with a list of empty partitions.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the list is not strictly ascending within the grid or names a partition that is
    /// present.
    pub fn with_empty(self, empty: Vec<u32>) -> Result<Self, Error> {
        check_list("empty", &empty, &self.grid)?;
        if let Some(both) = empty.iter().find(|&p| self.present.binary_search(p).is_ok()) {
            return Err(Error::parameter(format!("partition {both} cannot be empty and have a network")));
        }
        Ok(Self { empty, ..self })
    }

    /// The same field, blended within so many samples of every border, one number per axis (at most half of the
    /// smallest partition along it, 0 along an axis of one partition); empty for none.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a list that is not like that, or of zeros alone.
    pub fn with_blend(self, blend: Vec<u32>) -> Result<Self, Error> {
        check_blend(&blend, &self.grid)?;
        Ok(Self { blend, ..self })
    }

    /// What network it is.
    pub fn spec(&self) -> &FieldSpec {
        &self.spec
    }

    /// Canvas and partitions.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Partitions that have a network, ascending.
    pub fn present(&self) -> &[u32] {
        &self.present
    }

    /// Partitions that never had a network, ascending.
    pub fn empty(&self) -> &[u32] {
        &self.empty
    }

    /// Samples on either side of a partition's borders, per axis, within which decoding blends it with its neighbours:
    /// evenly, from half and half on the border. A neighbour that is not there does not count. Empty: no blending.
    pub fn blend(&self) -> &[u32] {
        &self.blend
    }

    /// Whether no partition was cropped away.
    pub fn is_complete(&self) -> bool {
        (self.present.len() + self.empty.len()) as u64 == u64::from(self.grid.partitions())
    }

    /// Weights of the global network and the merge layer.
    pub fn shared(&self) -> &[f32] {
        &self.shared
    }

    /// Weights of all local networks, in the order of [`Field::present`].
    pub fn local(&self) -> &[f32] {
        &self.local
    }

    /// CRC-32C of all weights as little-endian binary32, the shared ones first. Two machines that decode the same file to the
    /// same bits have the same.
    pub fn checksum(&self) -> u32 {
        self.shared
            .chunks(1024)
            .chain(self.local.chunks(1024))
            .map(|weights| weights.iter().flat_map(|weight| weight.to_le_bytes()).collect::<Vec<u8>>())
            .fold(0, |checksum, bytes| crc32c::crc32c_append(checksum, &bytes))
    }

    /// Weights of the local network in place `slot` of [`Field::present`].
    pub fn local_of_slot(&self, slot: usize) -> &[f32] {
        let size = self.local.len() / self.present.len().max(1);
        &self.local[slot * size..(slot + 1) * size]
    }

    /// Weights of `partition`'s local network; `None` where it is absent.
    pub fn local_of(&self, partition: u32) -> Option<&[f32]> {
        self.present.binary_search(&partition).ok().map(|slot| self.local_of_slot(slot))
    }

    /// Number of weights and biases of all networks that are present.
    pub fn parameters(&self) -> u64 {
        (self.shared.len() + self.local.len()) as u64
    }

    /// The same field with only the partitions of `keep` (ascending or not, absent ones are ignored).
    pub fn restricted_to(&self, keep: &[u32]) -> Self {
        let mut keep = keep.to_vec();
        keep.sort_unstable();
        let slots: Vec<usize> =
            (0..self.present.len()).filter(|&s| keep.binary_search(&self.present[s]).is_ok()).collect();
        Self {
            spec: self.spec.clone(),
            grid: self.grid.clone(),
            shared: self.shared.clone(),
            present: slots.iter().map(|&s| self.present[s]).collect(),
            empty: self.empty.clone(),
            blend: self.blend.clone(),
            local: slots.iter().flat_map(|&s| self.local_of_slot(s).iter().copied()).collect(),
        }
    }

    /// The same field with other weights of the same sizes.
    ///
    /// # Errors
    /// As [`Field::new`].
    pub fn with_weights(&self, shared: Vec<f32>, local: Vec<f32>) -> Result<Self, Error> {
        let field = Self::new(self.spec.clone(), self.grid.clone(), self.present.clone(), shared, local)?;
        Ok(Self { empty: self.empty.clone(), blend: self.blend.clone(), ..field })
    }
}

/// Checks a blend, in samples per axis, against a grid: see [`Field::with_blend`].
///
/// # Errors
/// [`Error::Parameter`] for one that does not suit the grid.
pub fn check_blend(blend: &[u32], grid: &Grid) -> Result<(), Error> {
    if blend.is_empty() {
        return Ok(());
    }
    if blend.len() != grid.axes() || blend.iter().all(|&samples| samples == 0) {
        return Err(Error::parameter(format!("a blend of {blend:?} samples on {} axes", grid.axes())));
    }
    for (axis, &samples) in blend.iter().enumerate() {
        let factor = grid.factors()[axis];
        let most = if factor > 1 { grid.shape()[axis] / factor / 2 } else { 0 };
        if samples > most {
            return Err(Error::parameter(format!(
                "a blend of {samples} samples along axis {axis}: partitions there allow {most} at most, half of one"
            )));
        }
    }
    Ok(())
}

fn check_list(what: &str, partitions: &[u32], grid: &Grid) -> Result<(), Error> {
    if partitions.windows(2).any(|p| p[0] >= p[1]) || partitions.last().is_some_and(|&p| p >= grid.partitions()) {
        return Err(Error::parameter(format!("the list of {what} partitions must ascend and stay within the grid")));
    }
    Ok(())
}
