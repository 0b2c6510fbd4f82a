//! Decoding with all cores in bounded memory: the view is cut into bands of rows, each band is decoded by one thread
//! and turned at once into what the caller keeps.
//!
//! The engine's kernel has no threads. Bands are independent, so the result does not depend on how many there are.

use rayon::prelude::*;
use tessera_core::error::{Error, LimitExceeded};
use tessera_core::eval::{self, View};
use tessera_core::field::Field;
use tessera_core::signal::SignalInfo;

/// Samples in a band: enough to amortise the set-up of a partition, small against a picture.
const BAND_SAMPLES: usize = 1 << 15;

/// Samples of a clip that are decoded at a time, unless a single frame has more.
const CHUNK_SAMPLES: usize = 1 << 18;

/// The axis along which a view is cut: the first with more than one place, lest a single frame keep one thread busy.
fn band_axis(shape: &[usize]) -> usize {
    shape.iter().position(|&n| n > 1).unwrap_or(0)
}

/// Rows (places along the axis that is cut) in one band.
fn band_rows(view: &View) -> usize {
    let shape = view.shape();
    let rows = shape.get(band_axis(&shape)).copied().unwrap_or(1).max(1);
    let row = (view.samples() / rows).max(1);
    // Four bands per thread even out rows of different cost; partitions are still crossed by few bands.
    (BAND_SAMPLES / row).clamp(1, rows.div_ceil(4 * rayon::current_num_threads()).max(1))
}

/// Decodes `view` into `target`, which holds `per_sample` numbers for each sample. `convert` gets the values of one
/// band (`[samples * channels]`, absent ones are NaN) and that band's part of the target.
///
/// # Errors
/// Those of the engine.
pub fn decode_into<T: Send>(
    field: &Field,
    view: &View,
    per_sample: usize,
    target: &mut [T],
    convert: impl Fn(&[f32], &mut [T]) + Sync,
) -> Result<(), Error> {
    let (rows, shape) = (band_rows(view), view.shape());
    let axis = band_axis(&shape);
    let length = shape.get(axis).copied().unwrap_or(0);
    let band = rows * (view.samples() / length.max(1)) * per_sample;
    target.par_chunks_mut(band.max(1)).enumerate().try_for_each(|(index, part)| {
        let own = view.along(axis, index * rows..((index + 1) * rows).min(length));
        let values = eval::cpu::decode(field, &own)?;
        convert(&values, part);
        Ok(())
    })
}

/// Memory for the decoded samples of one view: 4 GiB. A file of a few hundred bytes may declare a canvas of a
/// thousand million samples.
const TARGET_BYTES: u64 = 4 << 30;

/// `samples * per_sample` default values, where they fit the limit and the memory.
///
/// # Errors
/// [`Error::Limit`] where they do not.
pub fn target<T: Clone + Default>(samples: usize, per_sample: usize) -> Result<Vec<T>, Error> {
    let size = std::mem::size_of::<T>() as u64;
    let bytes = (samples as u64).saturating_mul(per_sample as u64).saturating_mul(size);
    let refused = |limit| LimitExceeded {
        quantity: "memory for the decoded samples in bytes (a --region or a smaller --scale needs less)".to_owned(),
        found: bytes,
        limit,
    };
    if bytes > TARGET_BYTES {
        return Err(refused(TARGET_BYTES).into());
    }
    let mut target = Vec::new();
    // The machine's own limit is not known; what it refuses is all that can be said.
    target.try_reserve_exact(samples * per_sample).map_err(|_| refused(bytes.saturating_sub(1)))?;
    target.resize(samples * per_sample, T::default());
    Ok(target)
}

/// All values of `view`: `[samples * channels]`, NaN where the partition is absent.
///
/// # Errors
/// Those of the engine.
pub fn decode(field: &Field, view: &View) -> Result<Vec<f32>, Error> {
    let channels = field.spec().outputs as usize;
    let mut values: Vec<f32> = target(view.samples(), channels)?;
    decode_into(field, view, channels, &mut values, |band, part| part.copy_from_slice(band))?;
    Ok(values)
}

/// Frames of a clip that are decoded at a time: enough work for all cores, and memory that does not grow with the clip.
pub fn frames_at_a_time(samples_per_frame: usize) -> usize {
    (CHUNK_SAMPLES / samples_per_frame.max(1)).max(1)
}

/// [`decode`] for a shape: partitions that never had a network are outside, NaN is what was cropped away.
///
/// # Errors
/// Those of the engine.
pub fn decode_shape(field: &Field, info: &SignalInfo, view: &View) -> Result<Vec<f32>, Error> {
    let mut values = decode(field, view)?;
    eval::fill_empty(field, view, info.shape_value().outside(), &mut values)?;
    Ok(values)
}

/// Sets the number of threads of everything that follows; does nothing for `None`.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for a number that makes no sense.
pub fn use_threads(threads: Option<usize>) -> anyhow::Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    if !(1..=1024).contains(&threads) {
        return Err(crate::errors::usage_fault(format!("--threads must lie in 1..=1024, not {threads}")));
    }
    // A pool that exists already was made by this function in the same process (tests): keep it.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::{FieldSpec, initialise};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    #[test]
    fn huge_canvases_are_refused() {
        assert!(matches!(target::<f32>(1 << 30, 4), Err(Error::Limit(_))));
        assert_eq!(target::<u8>(3, 2).unwrap().len(), 6);
    }

    #[test]
    fn bands_give_the_same_bits_as_one_piece() {
        let grid = Grid::new(vec![301, 211], vec![5, 4], UNIT_RANGE).unwrap();
        let field = initialise(&FieldSpec::local_global(2, 3, 5, 7), &grid, 3).unwrap();
        let field = field.restricted_to(&[0, 1, 2, 5, 6, 19]);
        let view = View::full(&grid);
        let whole = eval::cpu::decode(&field, &view).unwrap();
        let banded = decode(&field, &view).unwrap();
        assert!(whole.iter().zip(&banded).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
        assert_eq!(whole.len(), banded.len());
    }
}
