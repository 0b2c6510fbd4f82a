//! Partitions without a network: those that never had one have a value all the same.

use std::ops::Range;

use super::View;
use crate::error::Error;
use crate::field::Field;

/// Puts `value` where `values`, decoded from `view`, belong to empty partitions ([`Field::empty`]).
///
/// # Errors
/// Those of [`View::resolve`], and [`Error::Parameter`] for another number of values.
pub fn fill_empty(field: &Field, view: &View, value: f32, values: &mut [f32]) -> Result<(), Error> {
    let channels = field.spec().outputs as usize;
    if values.len() != view.samples() * channels {
        return Err(Error::parameter(format!("{} values are not those of {} samples", values.len(), view.samples())));
    }
    if field.empty().is_empty() {
        return Ok(());
    }
    let shape = view.shape();
    each_part(field, view, |partition, places| {
        if field.empty().binary_search(&partition).is_ok() {
            fill(values, &shape, &places, value);
        }
    })
}

/// Whether a view shows partitions that were cropped away.
///
/// # Errors
/// Those of [`View::resolve`].
pub fn shows_absent(field: &Field, view: &View) -> Result<bool, Error> {
    if field.is_complete() {
        return Ok(false);
    }
    let mut found = false;
    let there = |list: &[u32], partition: u32| list.binary_search(&partition).is_ok();
    each_part(field, view, |partition, _| {
        found |= !there(field.present(), partition) && !there(field.empty(), partition);
    })?;
    Ok(found)
}

/// Every partition that a view shows, and where.
fn each_part(field: &Field, view: &View, mut visit: impl FnMut(u32, Vec<Range<usize>>)) -> Result<(), Error> {
    let runs: Vec<_> = view.resolve(field.grid())?.iter().map(super::Axis::runs).collect();
    let parts: usize = runs.iter().map(Vec::len).product();
    for part in 0..parts {
        let mut rest = part;
        let mut chosen: Vec<_> = runs
            .iter()
            .rev()
            .map(|runs| {
                let run = &runs[rest % runs.len()];
                rest /= runs.len();
                run
            })
            .collect();
        chosen.reverse();
        let index: Vec<u32> = chosen.iter().map(|run| run.owner).collect();
        if let Some(partition) = field.grid().ravel(&index) {
            visit(partition, chosen.iter().map(|run| run.places.clone()).collect());
        }
    }
    Ok(())
}

fn fill(values: &mut [f32], shape: &[usize], places: &[Range<usize>], value: f32) {
    let (Some(own), [range, others @ ..]) = (shape.first(), places) else { return values.fill(value) };
    let stride = values.len() / (*own).max(1);
    for place in range.clone() {
        fill(&mut values[place * stride..][..stride], &shape[1..], others, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::reference;
    use crate::field::{FieldSpec, initialise};
    use crate::grid::{Grid, UNIT_RANGE};

    #[test]
    fn empty_partitions_get_their_value_and_cropped_ones_none() {
        let grid = Grid::new(vec![5, 4, 6], vec![2, 2, 3], UNIT_RANGE).unwrap();
        let field = initialise(&FieldSpec::per_partition(3, 1, 2), &grid, 1).unwrap();
        let field = field.restricted_to(&[1, 4, 5, 8]).with_empty(vec![0, 3, 11]).unwrap();
        assert!(!field.is_complete());
        let view = View::full(&grid);
        let mut values = reference::decode(&field, &view).unwrap();
        fill_empty(&field, &view, 7.0, &mut values).unwrap();
        for partition in 0..12 {
            for index in grid.partition_sample_indices(partition) {
                let value = values[index as usize];
                match partition {
                    0 | 3 | 11 => assert_eq!(value, 7.0),
                    1 | 4 | 5 | 8 => assert!(value.abs() < 7.0),
                    _ => assert!(value.is_nan()),
                }
            }
        }
        assert!(shows_absent(&field, &view).unwrap());
        let part = View::region(&vec![0..3, 0..2, 0..4]);
        assert!(!shows_absent(&field, &part).unwrap());
        assert!(fill_empty(&field, &part, 0.0, &mut values).is_err());
        assert!(field.clone().with_empty(vec![1]).is_err() && field.with_empty(vec![3, 2]).is_err());
    }
}
