//! Where latents lie in training: levels with margins of zeros, so that neighbours need no question of where a level ends.

use std::ops::Range;

use tessera_core::eval::cpu::SYNTHESIS_BLOCK;
use tessera_core::field::FieldSpec;
use tessera_core::field::latents::{Between, between};

use super::arithmetic::inverse;

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
    #[inline(always)]
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

/// Between which rows of nodes the rows of samples of a partition lie, by level.
pub(super) fn rows_between(layout: &Layout, bounds: &[Range<u32>]) -> Vec<Vec<Between>> {
    let rows = &bounds[0];
    let of = |level: &Level| rows.clone().map(|row| between(rows, level.exponent, row.into())).collect();
    layout.levels.iter().map(of).collect()
}

/// Columns of nodes of a partition, by level.
pub(super) fn columns(layout: &Layout, bounds: &[Range<u32>]) -> Vec<usize> {
    layout.levels.iter().map(|level| bounds[1].len().div_ceil(1 << level.exponent)).collect()
}

/// Sides up to which runs are done whole, into a buffer.
const SHORT: usize = 4;
/// Samples of a stretch, and those of its short runs that lie outside of it.
const EXTENDED: usize = SYNTHESIS_BLOCK + 2 * SHORT;
/// Nodes of a stretch with the copies beyond.
const NODES: usize = SYNTHESIS_BLOCK / 2 + 3;
/// Sums at a time.
const LANES: usize = 8;

/// A stretch of a row of samples as runs: those that lie between the same two nodes. Beyond the outermost nodes lie copies of them.
struct Runs {
    /// Samples of a run.
    side: usize,
    /// Of the first run, those that lie before the stretch.
    before: usize,
    /// The nodes without copies.
    nodes: Range<usize>,
    /// Whether there is a copy of the first before them, and of the last behind them.
    copies: (bool, bool),
}

impl Runs {
    #[inline(always)]
    fn of(level: &Level, columns: usize, first: usize, samples: usize) -> Self {
        let side = 1 << level.exponent;
        let run = |sample: usize| (sample + side / 2) >> level.exponent;
        let (from, to) = (run(first), run(first + samples - 1));
        Self {
            side,
            before: first + side / 2 - from * side,
            nodes: from.saturating_sub(1)..(to + 1).min(columns),
            copies: (from == 0, to >= columns),
        }
    }

    /// Where the nodes lie among those with copies, and how many these are.
    #[inline(always)]
    fn places(&self) -> (Range<usize>, usize) {
        let start = usize::from(self.copies.0);
        let end = start + self.nodes.len();
        (start..end, end + usize::from(self.copies.1))
    }

    /// The stretches of the runs in a stretch of `samples`: where each begins within its run, and its samples.
    #[inline(always)]
    fn stretches(&self, samples: usize) -> impl Iterator<Item = (u16, Range<usize>)> + use<> {
        let (side, mut before, mut done) = (self.side, self.before, 0);
        std::iter::from_fn(move || {
            let place = std::mem::take(&mut before);
            let range = done..samples.min(done + side - place);
            done = range.end;
            (!range.is_empty()).then(|| (u16::try_from(place).unwrap_or(u16::MAX), range))
        })
    }
}

/// Adds `scale` times what a level has at samples of a row, at most [`SYNTHESIS_BLOCK`] from `first` on, to `into`. The row lies `between`
/// rows of nodes, of which the partition has so many `columns`: a narrow one may have fewer than the level.
#[inline(always)]
pub(super) fn interpolate(
    level: &Level,
    between: &Between,
    columns: usize,
    numbers: &[f32],
    first: usize,
    scale: f32,
    into: &mut [f32],
) {
    let &(above, below, part) = between;
    let (above, below) = (&numbers[level.nodes(above)], &numbers[level.nodes(below)]);
    if level.exponent == 0 {
        into.iter_mut().zip(&above[first..]).for_each(|(sample, node)| *sample += scale * node);
        return;
    }
    let runs = Runs::of(level, columns, first, into.len());
    let (places, count) = runs.places();
    let mut nodes = [0.0; NODES];
    let rows = above[runs.nodes.clone()].iter().zip(&below[runs.nodes.clone()]);
    for (node, (above, below)) in nodes[places].iter_mut().zip(rows) {
        *node = scale * (above + part * (below - above));
    }
    if runs.copies.0 {
        nodes[0] = nodes[1];
    }
    if runs.copies.1 {
        nodes[count - 1] = nodes[count - 2];
    }
    let nodes = &nodes[..count];
    match level.exponent {
        1 => expanded::<2>(nodes, runs.before, into),
        2 => expanded::<4>(nodes, runs.before, into),
        _ => {
            let slope = inverse(runs.side);
            for ((place, range), pair) in runs.stretches(into.len()).zip(nodes.windows(2)) {
                let rise = slope * (pair[1] - pair[0]);
                for (place, sample) in (place..).zip(&mut into[range]) {
                    *sample += pair[0] + rise * (f32::from(place) + 0.5);
                }
            }
        }
    }
}

#[inline(always)]
fn expanded<const SIDE: usize>(nodes: &[f32], before: usize, into: &mut [f32]) {
    let mut samples = [0.0; EXTENDED];
    let (runs, _) = samples.as_chunks_mut::<SIDE>();
    let shares = shares::<SIDE>();
    for ((run, low), high) in runs.iter_mut().zip(nodes).zip(&nodes[1..]) {
        for (sample, share) in run.iter_mut().zip(shares) {
            *sample = low + share * (high - low);
        }
    }
    into.iter_mut().zip(&samples[before..]).for_each(|(into, sample)| *into += sample);
}

/// How far the samples of a run lie towards the next node.
#[inline(always)]
fn shares<const SIDE: usize>() -> [f32; SIDE] {
    let mut places = 0_u16..;
    std::array::from_fn(|_| (f32::from(places.next().unwrap_or(0)) + 0.5) * inverse(SIDE))
}

/// The way back of [`interpolate`]: adds to the gradients of nodes.
#[inline(always)]
pub(super) fn spread(
    level: &Level,
    between: &Between,
    columns: usize,
    gradient: &mut [f32],
    first: usize,
    scale: f32,
    from: &[f32],
) {
    let &(above, below, part) = between;
    if level.exponent == 0 {
        let nodes = &mut gradient[level.nodes(above)][first..];
        nodes.iter_mut().zip(from).for_each(|(node, sample)| *node += scale * sample);
        return;
    }
    let runs = Runs::of(level, columns, first, from.len());
    let (places, count) = runs.places();
    let mut nodes = [0.0; NODES];
    match level.exponent {
        1 => gathered::<2>(&mut nodes[..count], runs.before, from),
        2 => gathered::<4>(&mut nodes[..count], runs.before, from),
        _ => {
            let slope = inverse(runs.side);
            for (run, (place, range)) in runs.stretches(from.len()).enumerate() {
                let (all, rising) = sums(place, &from[range]);
                nodes[run] += all - slope * rising;
                nodes[run + 1] += slope * rising;
            }
        }
    }
    if runs.copies.0 {
        nodes[1] += nodes[0];
    }
    if runs.copies.1 {
        nodes[count - 2] += nodes[count - 1];
    }
    let nodes = &nodes[places];
    for (row, share) in [(above, 1.0 - part), (below, part)] {
        let factor = scale * share;
        let row = &mut gradient[level.nodes(row)][runs.nodes.clone()];
        row.iter_mut().zip(nodes).for_each(|(gradient, node)| *gradient += factor * node);
    }
}

#[inline(always)]
fn gathered<const SIDE: usize>(nodes: &mut [f32], before: usize, from: &[f32]) {
    let mut samples = [0.0; EXTENDED];
    samples[before..][..from.len()].copy_from_slice(from);
    let (runs, _) = samples.as_chunks::<SIDE>();
    let shares = shares::<SIDE>();
    let mut risen = 0.0;
    for (node, run) in nodes.iter_mut().zip(runs) {
        let all: f32 = run.iter().sum();
        let rising: f32 = run.iter().zip(shares).map(|(sample, share)| sample * share).sum();
        *node = all - rising + std::mem::replace(&mut risen, rising);
    }
}

/// The sum of samples, and that of each times its place, the first being `place` and a half.
#[inline(always)]
fn sums(place: u16, samples: &[f32]) -> (f32, f32) {
    let (mut all, mut rising) = ([0.0; LANES], [0.0; LANES]);
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut at: [f32; LANES] = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5].map(|lane| lane + f32::from(place));
    for chunk in chunks {
        for lane in 0..LANES {
            all[lane] += chunk[lane];
            rising[lane] += chunk[lane] * at[lane];
            at[lane] += 8.0;
        }
    }
    for (lane, sample) in rest.iter().enumerate() {
        all[lane] += sample;
        rising[lane] += sample * at[lane];
    }
    (all.iter().sum(), rising.iter().sum())
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
        // Of 65 and 64 columns: a node more at every level.
        let grids = [151, 129].map(|columns| Grid::new(vec![37, columns], vec![2, 2], UNIT_RANGE).unwrap());
        for (place, exponent) in (0..8).flat_map(|place| (0..=6).map(move |exponent| (place, exponent))) {
            let (grid, partition) = (&grids[place / 4], u32::try_from(place % 4).unwrap());
            let spec = FieldSpec {
                model: Model::Latents,
                hidden_layers: 0,
                local_width: 1,
                global_width: 1,
                encoding: Encoding::Latents(Pyramid::new(grid, 1, exponent).unwrap()),
                activation: Activation::LeakyRelu,
                ..FieldSpec::siren(2, 1, 1)
            };
            let layout = Layout::new(&spec);
            let bounds = grid.partition_box(partition);
            let (between, nodes) = (rows_between(&layout, &bounds), columns(&layout, &bounds)[0]);
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
            let mut of_samples = 0.0;
            for row in 0..rows {
                // Stretches from every place on, to the end of the row and short of it.
                let first = row * 7 % columns;
                let length = SYNTHESIS_BLOCK.min(columns - first);
                let mut found = vec![0.0; if row % 3 == 0 { length.div_ceil(2) } else { length }];
                interpolate(level, &between[0][row], nodes, &numbers, first, 1.5, &mut found);
                for (a, b) in found.iter().zip(&wanted[row * columns + first..]) {
                    assert!((a - 1.5 * b).abs() < 2e-6, "{exponent}, {row}: {a} and {b}");
                }
                let factors: Vec<f32> = found.iter().map(|_| random.uniform(1.0)).collect();
                of_samples += found.iter().zip(&factors).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                spread(level, &between[0][row], nodes, &mut gradient, first, 1.5, &factors);
            }
            let of_nodes: f64 = gradient.iter().zip(&numbers).map(|(a, b)| f64::from(a * b)).sum();
            assert!((of_samples - of_nodes).abs() < 1e-4, "{exponent}: {of_samples} and {of_nodes}");
        }
    }
}
