//! From the page's numbers to a view of any signal, for what is not shown as pixels: sound and shapes. Shared by both
//! modules, so that the two engines can differ in the samples alone.

use tessera_core::Error;
use tessera_core::eval::View;

/// The view between `edges` (start and end along each axis, in sample-edge units: a whole axis is 0 to its samples) at
/// `shape` samples; with `nearest`, positions snap to stored samples.
///
/// # Errors
/// [`Error::Parameter`] where edges and shape do not match or the view is empty, [`Error::Limit`] for too many samples.
pub fn view(edges: &[f64], shape: &[u32], nearest: bool) -> Result<View, Error> {
    if edges.len() != 2 * shape.len() {
        return Err(Error::parameter(format!("{} axes need two edges each, not {} in all", shape.len(), edges.len())));
    }
    let ranges: Vec<_> = edges.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
    let view = View::resampled(&ranges, shape)?;
    Ok(if nearest { view.nearest() } else { view })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_come_in_pairs() {
        assert_eq!(view(&[2.0, 5.0, 0.0, 4.0], &[3, 4], false).unwrap(), View::region(&vec![2..5, 0..4]));
        assert_eq!(view(&[0.0, 2.0, 1.0, 2.0], &[2, 1], true).unwrap(), View::region(&vec![0..2, 1..2]));
        assert!(view(&[0.0, 2.0, 1.0], &[2, 1], false).is_err());
        assert!(view(&[2.0, 2.0], &[2], false).is_err());
    }
}
