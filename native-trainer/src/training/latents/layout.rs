//! Where latents lie in training: levels with margins of zeros, so that neighbours need no question of where a level ends.

use std::ops::Range;

use tessera_core::field::FieldSpec;
use tessera_core::field::latents::{Between, between};

/// Rows above and columns on either side of a level that stay zero; a row below.
const MARGIN: usize = 2;

/// One level.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) exponent: u32,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
    /// All of it, margins included.
    pub(super) span: Range<usize>,
}

impl Level {
    /// Place of the first node of a row; -2 to `rows` are there.
    #[inline(always)]
    pub(super) fn row(&self, row: isize) -> usize {
        self.span.start + row.saturating_add_unsigned(MARGIN).unsigned_abs() * self.stride + MARGIN
    }

    /// The nodes of a row.
    pub(super) fn nodes(&self, row: usize) -> Range<usize> {
        let start = self.row(row.cast_signed());
        start..start + self.columns
    }
}

/// The levels of every partition, coarsest first.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) levels: Vec<Level>,
}

impl Layout {
    /// Of a field of pictures.
    pub(super) fn new(spec: &FieldSpec) -> Self {
        let mut start = 0;
        let levels = spec.pyramid().map_or_else(Vec::new, |pyramid| pyramid.levels(spec.inputs));
        let level = |level: &tessera_core::field::latents::Level| {
            let (rows, columns) = (level.nodes[0], level.nodes[1]);
            let stride = columns + 2 * MARGIN;
            let end = start + (rows + MARGIN + 1) * stride + MARGIN;
            Level { exponent: level.exponent, rows, columns, stride, span: std::mem::replace(&mut start, end)..end }
        };
        Self { levels: levels.iter().map(level).collect() }
    }

    /// Numbers of a partition with all margins.
    pub(super) fn len(&self) -> usize {
        self.levels.last().map_or(0, |level| level.span.end)
    }

    /// The latents as a field has them.
    pub(super) fn packed(&self, latents: &[f32]) -> Vec<f32> {
        let rows =
            |level: &Level| (0..level.rows).flat_map(|row| latents[level.nodes(row)].to_vec()).collect::<Vec<_>>();
        self.levels.iter().flat_map(rows).collect()
    }
}

/// Between which nodes the samples of a partition lie, by level: rows, and columns.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    pub(super) rows: Vec<Between>,
    pub(super) columns: Vec<Between>,
}

impl Taps {
    pub(super) fn of(layout: &Layout, bounds: &[Range<u32>]) -> Vec<Self> {
        let along = |axis: usize, exponent: u32| {
            let range = &bounds[axis];
            range.clone().map(|sample| between(range, exponent, sample.into())).collect()
        };
        let taps = |level: &Level| Self { rows: along(0, level.exponent), columns: along(1, level.exponent) };
        layout.levels.iter().map(taps).collect()
    }
}

/// Adds `scale` times what a level has at the samples of a row, from `first` on.
pub(super) fn interpolate(
    level: &Level,
    taps: &Taps,
    numbers: &[f32],
    row: usize,
    first: usize,
    scale: f32,
    into: &mut [f32],
) {
    let (above, below, share) = taps.rows[row];
    let (above, below) = (&numbers[level.nodes(above)], &numbers[level.nodes(below)]);
    for (sample, &(left, right, part)) in into.iter_mut().zip(&taps.columns[first..]) {
        let at = |node: usize| above[node] + share * (below[node] - above[node]);
        let (left, right) = (at(left), at(right));
        *sample += scale * (left + part * (right - left));
    }
}

/// The way back of [`interpolate`]: adds to the gradients of nodes.
pub(super) fn spread(
    level: &Level,
    taps: &Taps,
    gradient: &mut [f32],
    row: usize,
    first: usize,
    scale: f32,
    from: &[f32],
) {
    let (above, below, share) = taps.rows[row];
    let (above, below) = (level.nodes(above).start, level.nodes(below).start);
    for (sample, &(left, right, part)) in from.iter().zip(&taps.columns[first..]) {
        let sample = scale * sample;
        let (of_left, of_right) = (sample * (1.0 - part), sample * part);
        gradient[above + left] += of_left * (1.0 - share);
        gradient[above + right] += of_right * (1.0 - share);
        gradient[below + left] += of_left * share;
        gradient[below + right] += of_right * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::eval::{View, reference};
    use tessera_core::field::latents::Pyramid;
    use tessera_core::field::{Activation, Encoding, Field, Model, SplitMix64};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    #[test]
    fn interpolation_is_that_of_a_field_and_spreading_its_transpose() {
        let grid = Grid::new(vec![11, 17], vec![2, 2], UNIT_RANGE).unwrap();
        for partition in 0..4 {
            let spec = FieldSpec {
                model: Model::Latents,
                hidden_layers: 0,
                local_width: 1,
                global_width: 1,
                encoding: Encoding::Latents(Pyramid::new(&grid, 1, 1).unwrap()),
                activation: Activation::LeakyRelu,
                ..FieldSpec::siren(2, 1, 1)
            };
            let layout = Layout::new(&spec);
            let bounds = grid.partition_box(partition);
            let taps = Taps::of(&layout, &bounds);
            let level = &layout.levels[0];
            let mut random = SplitMix64(4);
            let mut numbers = vec![0.0; layout.len()];
            for row in 0..level.rows {
                numbers[level.nodes(row)].fill_with(|| random.uniform(1.0));
            }
            // A network that hands its input through.
            let field =
                Field::new(spec, grid.clone(), vec![partition], vec![0.0, 0.0, 1.0, 0.0, 0.0], layout.packed(&numbers))
                    .unwrap();
            let wanted = reference::decode(&field, &View::region(&bounds)).unwrap();
            let (rows, columns) = (bounds[0].len(), bounds[1].len());
            let mut gradient = vec![0.0; layout.len()];
            let (mut of_samples, mut of_nodes) = (0.0, 0.0);
            for row in 0..rows {
                let mut found = vec![0.0; columns - 2];
                interpolate(level, &taps[0], &numbers, row, 2, 1.0, &mut found);
                for (a, b) in found.iter().zip(&wanted[row * columns + 2..]) {
                    assert!((a - b).abs() < 1e-6, "{a} and {b}");
                }
                let factors: Vec<f32> = found.iter().map(|_| random.uniform(1.0)).collect();
                of_samples += found.iter().zip(&factors).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                spread(level, &taps[0], &mut gradient, row, 2, 1.0, &factors);
            }
            of_nodes += gradient.iter().zip(&numbers).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            assert!((of_samples - of_nodes).abs() < 1e-4, "{of_samples} and {of_nodes}");
        }
    }
}
