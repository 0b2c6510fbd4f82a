//! The coarseness for a wanted size or a wanted loss.

use tessera_core::error::Error;
use tessera_core::field::Field;
use tessera_core::format::{Document, write_quantised};

use super::allocation::rounded;
use super::{Allocation, Probe};

/// Halvings of the interval: the size then changes by less than a thousandth.
const ROUNDS: usize = 20;
/// Beyond this coarseness a weight's error is larger than any signal.
const COARSEST: f64 = 10.0;
/// Partitions by which a loss is judged.
const PROBED: usize = 256;

/// The finest steps with which the file has at most `bytes` bytes; the coarsest of all where none do.
///
/// # Errors
/// Those of writing.
pub fn for_size(document: &Document, allocation: &Allocation, bytes: u64) -> Result<f32, Error> {
    bisect(allocation.finest(), |coarseness| {
        let quantisation = allocation.quantisation(&document.field, coarseness)?;
        Ok(write_quantised(document, &quantisation)?.len() as u64 > bytes)
    })
}

/// The coarsest steps that add a mean squared error of at most `error`, in field units.
///
/// # Errors
/// Those of decoding.
pub fn for_error(field: &Field, seed: u64, allocation: &Allocation, error: f64) -> Result<f32, Error> {
    let probe = Probe::new(field, PROBED)?;
    let found = bisect(allocation.finest(), |coarseness| {
        let quantisation = allocation.quantisation(field, coarseness)?;
        Ok(probe.difference(&rounded(field, seed, &quantisation)?)? <= error)
    })?;
    // The search ends on the other side of the limit, by less than this.
    Ok((found * 0.999).max(allocation.finest()))
}

/// The least coarseness for which `too_fine` does not hold.
fn bisect(finest: f32, mut too_fine: impl FnMut(f32) -> Result<bool, Error>) -> Result<f32, Error> {
    let (mut low, mut high) = (f64::from(finest).log2(), COARSEST.log2());
    for _ in 0..ROUNDS {
        let middle = f64::midpoint(low, high);
        #[expect(clippy::cast_possible_truncation, reason = "a factor")]
        if too_fine(middle.exp2() as f32)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a factor")]
    Ok(high.exp2() as f32)
}
