//! Where latents lie in training: levels with margins of zeros, so that neighbours need no question of where a level ends.

use std::ops::Range;

use tessera_core::eval::cpu::SYNTHESIS_BLOCK;
use tessera_core::field::FieldSpec;
use tessera_core::field::latents::{Input, ORDERS, TAPS, Taps, shares, taps};

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
    /// What the network sees of it: (order across rows, [(order along the row, place among the inputs)]).
    pub(super) inputs: Vec<(usize, Vec<(usize, usize)>)>,
    /// Shares of nodes at the samples of a run.
    shares: Vec<[[f32; TAPS]; ORDERS]>,
    /// The same, `[order][tap][sample]`.
    turned: Vec<f32>,
}

impl Level {
    /// Place of the first node of a row; -2 to `rows` are there.
    #[inline(always)]
    pub(super) fn row(&self, row: isize) -> usize {
        self.span.start + row.saturating_add_unsigned(MARGIN).unsigned_abs() * self.stride + MARGIN
    }

    /// Nodes of a stretch, in whole vectors.
    #[inline(always)]
    pub(super) fn width(&self) -> usize {
        match self.exponent {
            0 => NODES,
            1 => 48,
            2 => 32,
            _ => 16,
        }
    }

    /// Shares of each tap at the samples of a run.
    #[inline(always)]
    fn turned<const SIDE: usize>(&self, order: usize) -> &[[f32; SIDE]] {
        &self.turned[order * TAPS * SIDE..].as_chunks::<SIDE>().0[..TAPS]
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
    /// What the network sees of a sample.
    pub(super) count: usize,
    /// Nodes along rows that it takes for that in a stretch.
    pub(super) nodes: usize,
}

/// Shares of nodes at the samples of a run: those that lie between the same two nodes.
fn shares_of_run(exponent: u32) -> Vec<[[f32; TAPS]; ORDERS]> {
    let of_part = |part: f32| std::array::from_fn(|order| shares(part, order));
    if exponent == 0 {
        return vec![of_part(0.0)];
    }
    let side = inverse(1 << exponent);
    (0..1_u16 << exponent).map(|place| of_part((f32::from(place) + 0.5) * side)).collect()
}

/// The inputs of one level by their derivative across rows.
fn inputs_of(level: usize, inputs: &[Input]) -> Vec<(usize, Vec<(usize, usize)>)> {
    let own = inputs.iter().enumerate().filter(|(_, input)| input.level == level);
    (0..ORDERS)
        .map(|order| {
            let of_order = own.clone().filter(|(_, input)| input.order_along(0) == order);
            (order, of_order.map(|(place, input)| (input.order_along(1), place)).collect::<Vec<_>>())
        })
        .filter(|(_, places)| !places.is_empty())
        .collect()
}

impl Layout {
    /// Of a field of pictures.
    pub(super) fn new(spec: &FieldSpec) -> Self {
        let mut start = 0;
        let (levels, inputs) = spec
            .pyramid()
            .map_or_else(Default::default, |pyramid| (pyramid.levels(spec.inputs), pyramid.inputs(spec.inputs)));
        let level = |(number, level): (usize, &tessera_core::field::latents::Level)| {
            let (rows, columns) = (level.nodes[0], level.nodes[1]);
            let stride = columns + 2 * MARGIN;
            let end = start + (rows + MARGIN + 1) * stride + MARGIN;
            let shares = shares_of_run(level.exponent);
            Level {
                exponent: level.exponent,
                rows,
                columns,
                stride,
                span: std::mem::replace(&mut start, end)..end,
                inputs: inputs_of(number, &inputs),
                turned: (0..ORDERS)
                    .flat_map(|order| (0..TAPS).map(move |tap| (order, tap)))
                    .flat_map(|(order, tap)| shares.iter().map(move |shares| shares[order][tap]))
                    .collect(),
                shares,
            }
        };
        let levels: Vec<Level> = levels.iter().enumerate().map(level).collect();
        Self { count: inputs.len(), nodes: levels.iter().map(|level| level.inputs.len() * level.width()).sum(), levels }
    }

    /// Numbers of a partition with all margins, and what whole vectors of the last row may reach.
    pub(super) fn len(&self) -> usize {
        self.levels.last().map_or(0, |level| level.span.end) + NODES
    }

    /// The latents as a field has them.
    pub(super) fn packed(&self, latents: &[f32]) -> Vec<f32> {
        let rows =
            |level: &Level| (0..level.rows).flat_map(|row| latents[level.nodes(row)].to_vec()).collect::<Vec<_>>();
        self.levels.iter().flat_map(rows).collect()
    }
}

/// What counts at the rows of samples of a partition, by level.
pub(super) fn row_taps(layout: &Layout, bounds: &[Range<u32>]) -> Vec<Vec<Taps>> {
    let rows = &bounds[0];
    let of = |level: &Level| rows.clone().map(|row| taps(rows, level.exponent, row.into())).collect();
    layout.levels.iter().map(of).collect()
}

/// Columns of nodes of a partition, by level.
pub(super) fn columns(layout: &Layout, bounds: &[Range<u32>]) -> Vec<usize> {
    layout.levels.iter().map(|level| bounds[1].len().div_ceil(1 << level.exponent)).collect()
}

/// The coarsest level that training knows: a node for as many samples as a stretch has.
pub(super) const COARSEST: u32 = SYNTHESIS_BLOCK.ilog2();
/// Widths in this file are those of a stretch of 64 samples: at a node for every second sample 48 hold the 36 that count.
const _: () = assert!(SYNTHESIS_BLOCK == 64);
/// Nodes that count for a stretch: one for every sample of the finest level, and those around, in whole vectors.
const NODES: usize = SYNTHESIS_BLOCK + 16;
/// Samples of the runs that a stretch touches, at most.
const SAMPLES: usize = 2 * SYNTHESIS_BLOCK;

/// Nodes along a row that count for a stretch. Whole vectors of them lie in one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Nodes([f32; NODES]);

impl Default for Nodes {
    fn default() -> Self {
        Self([0.0; NODES])
    }
}

/// Samples of a row of a partition, at most [`SYNTHESIS_BLOCK`], as a level has them: in runs, those for which the same nodes count.
///
/// All loops have lengths that the compiler knows and work on whole vectors. What lies beyond the nodes of the stretch (other rows,
/// margins) is read with them and not used, and zeros are added to it on the way back.
#[derive(Debug, Clone)]
pub(super) struct Stretch<'a> {
    level: &'a Level,
    samples: usize,
    /// Samples of the first run that lie before the stretch.
    before: usize,
    /// Column of the first node that counts, 2 more; before the first column are copies of it.
    from: usize,
    /// Nodes of the stretch that are there, among those that count.
    places: Range<usize>,
    /// Nodes that count.
    count: usize,
}

impl<'a> Stretch<'a> {
    /// From sample `first` of a row on, in a partition that has so many `columns` of nodes: a narrow one may have fewer than the level.
    #[inline(always)]
    pub(super) fn new(level: &'a Level, columns: usize, first: usize, samples: usize) -> Self {
        let side = 1 << level.exponent;
        // The run whose second node is the first one is number 1.
        let shift = if side == 1 { 1 } else { side / 2 };
        let run = |sample: usize| (sample + shift) >> level.exponent;
        let (from, to) = (run(first), run(first + samples - 1));
        let count = to + TAPS - from;
        let start = 2_usize.saturating_sub(from);
        let end = count.min(columns + 2 - from);
        Self { level, samples, before: first + shift - from * side, from, places: start..end, count }
    }

    /// Place of the first node that counts in a row.
    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        self.level.row(row.cast_signed()) - MARGIN + self.from
    }

    /// `scale` times the nodes along the row, by what counts across it.
    #[inline(always)]
    pub(super) fn across(&self, numbers: &[f32], rows: &Taps, order: usize, scale: f32) -> Nodes {
        match self.level.exponent {
            0 => self.across_of::<NODES>(numbers, rows, order, scale),
            1 => self.across_of::<48>(numbers, rows, order, scale),
            2 => self.across_of::<32>(numbers, rows, order, scale),
            _ => self.across_of::<16>(numbers, rows, order, scale),
        }
    }

    #[inline(always)]
    fn across_of<const WIDTH: usize>(&self, numbers: &[f32], rows: &Taps, order: usize, scale: f32) -> Nodes {
        let Nodes(mut nodes) = Nodes::default();
        for (&row, share) in rows.nodes.iter().zip(rows.shares[order]) {
            let (row, share) = (&numbers[self.start(row)..][..WIDTH], scale * share);
            nodes[..WIDTH].iter_mut().zip(row).for_each(|(node, number)| *node += share * number);
        }
        let (first, last) = (nodes[self.places.start], nodes[self.places.end - 1]);
        nodes[..self.places.start].fill(first);
        nodes[self.places.end..self.count].fill(last);
        Nodes(nodes)
    }

    /// The way back of [`Stretch::across`]: adds to the gradients of numbers what [`Stretch::back_along`] left.
    #[inline(always)]
    pub(super) fn back_across(&self, nodes: &[f32], gradient: &mut [f32], rows: &Taps, order: usize, scale: f32) {
        for (&row, share) in rows.nodes.iter().zip(rows.shares[order]) {
            let (row, share) = (&mut gradient[self.start(row)..], scale * share);
            match self.level.exponent {
                0 => add::<NODES>(row, nodes, share),
                1 => add::<48>(row, nodes, share),
                2 => add::<32>(row, nodes, share),
                _ => add::<16>(row, nodes, share),
            }
        }
    }

    /// What nodes along the row are at its samples, and anything up to a whole row of a block.
    #[inline(always)]
    pub(super) fn along(&self, Nodes(nodes): &Nodes, order: usize, into: &mut [f32]) {
        let into = &mut into[..SYNTHESIS_BLOCK];
        match self.level.exponent {
            0 => {
                let [a, b, c, _] = self.level.shares[0][order];
                let near = nodes.iter().zip(&nodes[1..]).zip(&nodes[2..]);
                for (sample, ((before, at), behind)) in into.iter_mut().zip(near) {
                    *sample = a * before + b * at + c * behind;
                }
            }
            1 => self.interleaved::<2, 32>(nodes, order, into),
            2 => self.interleaved::<4, 16>(nodes, order, into),
            3 => self.expanded::<8>(nodes, order, into),
            4 => self.expanded::<16>(nodes, order, into),
            5 => self.expanded::<32>(nodes, order, into),
            _ => self.expanded::<64>(nodes, order, into),
        }
    }

    /// The way back of [`Stretch::along`], by the gradients of several of its results, each with its order: those of nodes along the row,
    /// [`Level::width`] of them.
    #[inline(always)]
    pub(super) fn back_along<'b>(&self, of: impl Iterator<Item = (usize, &'b [f32])>, into: &mut [f32]) {
        let Nodes(mut nodes) = Nodes::default();
        for (order, samples) in of {
            let mut own = [0.0; SAMPLES];
            let before = if self.level.exponent < 3 { 0 } else { self.before };
            own[before..][..SYNTHESIS_BLOCK].copy_from_slice(&samples[..SYNTHESIS_BLOCK]);
            own[before + self.samples..].fill(0.0);
            match self.level.exponent {
                0 => {
                    for (tap, share) in self.level.shares[0][order].into_iter().take(TAPS - 1).enumerate() {
                        let nodes = &mut nodes[tap..][..SYNTHESIS_BLOCK];
                        nodes.iter_mut().zip(&own).for_each(|(node, sample)| *node += share * sample);
                    }
                }
                1 => self.separated::<2, 32>(&mut nodes, order, &own),
                2 => self.separated::<4, 16>(&mut nodes, order, &own),
                3 => self.gathered::<8>(&mut nodes, order, &own),
                4 => self.gathered::<16>(&mut nodes, order, &own),
                5 => self.gathered::<32>(&mut nodes, order, &own),
                _ => self.gathered::<64>(&mut nodes, order, &own),
            }
        }
        let of_first: f32 = nodes[..self.places.start].iter().sum();
        let of_last: f32 = nodes[self.places.end..self.count].iter().sum();
        nodes[..self.places.start].fill(0.0);
        nodes[self.places.end..].fill(0.0);
        nodes[self.places.start] += of_first;
        nodes[self.places.end - 1] += of_last;
        into.copy_from_slice(&nodes[..into.len()]);
    }

    /// Runs shorter than a vector: every first of `SIDE` samples, then every second one. Nothing is moved by the part of a run that lies
    /// before the stretch, as what has just been written is slow to read from another place.
    #[inline(always)]
    fn interleaved<const SIDE: usize, const GROUPS: usize>(
        &self,
        nodes: &[f32; NODES],
        order: usize,
        into: &mut [f32],
    ) {
        let (groups, _) = into.as_chunks_mut::<SIDE>();
        let mut samples = [[0.0; GROUPS]; SIDE];
        for (number, samples) in samples.iter_mut().enumerate() {
            let (run, [a, b, c, d]) = self.of_group::<SIDE>(number, order);
            let near: &[f32] = &nodes[run..][..GROUPS + TAPS - 1];
            for place in 0..GROUPS {
                samples[place] = a * near[place] + b * near[place + 1] + c * near[place + 2] + d * near[place + 3];
            }
        }
        for (place, group) in groups.iter_mut().enumerate().take(GROUPS) {
            for number in 0..SIDE {
                group[number] = samples[number][place];
            }
        }
    }

    #[inline(always)]
    fn separated<const SIDE: usize, const GROUPS: usize>(
        &self,
        nodes: &mut [f32; NODES],
        order: usize,
        samples: &[f32; SAMPLES],
    ) {
        let (groups, _) = samples.as_chunks::<SIDE>();
        for number in 0..SIDE {
            let (run, shares) = self.of_group::<SIDE>(number, order);
            let mut of_number = [0.0; GROUPS];
            of_number.iter_mut().zip(groups).for_each(|(sample, group)| *sample = group[number]);
            for (tap, share) in shares.into_iter().enumerate() {
                let nodes = &mut nodes[run + tap..][..GROUPS];
                nodes.iter_mut().zip(&of_number).for_each(|(node, sample)| *node += share * sample);
            }
        }
    }

    /// The run of a sample of the first `SIDE`, and its shares.
    #[inline(always)]
    fn of_group<const SIDE: usize>(&self, number: usize, order: usize) -> (usize, [f32; TAPS]) {
        let place = number + self.before;
        (place / SIDE, self.level.shares[place % SIDE][order])
    }

    /// Runs of at least a vector, one by one.
    #[inline(always)]
    fn expanded<const SIDE: usize>(&self, nodes: &[f32; NODES], order: usize, into: &mut [f32]) {
        let shares = self.level.turned::<SIDE>(order);
        let mut samples = [0.0; SAMPLES];
        let (runs, _) = samples.as_chunks_mut::<SIDE>();
        for (run, near) in runs.iter_mut().zip(nodes.windows(TAPS)).take(self.count - TAPS + 1) {
            for place in 0..SIDE {
                run[place] = near[0] * shares[0][place]
                    + near[1] * shares[1][place]
                    + near[2] * shares[2][place]
                    + near[3] * shares[3][place];
            }
        }
        into.copy_from_slice(&samples[self.before..][..SYNTHESIS_BLOCK]);
    }

    #[inline(always)]
    fn gathered<const SIDE: usize>(&self, nodes: &mut [f32; NODES], order: usize, samples: &[f32; SAMPLES]) {
        let shares = self.level.turned::<SIDE>(order);
        let (runs, _) = samples.as_chunks::<SIDE>();
        for (number, run) in runs.iter().take(self.count - TAPS + 1).enumerate() {
            for (node, shares) in nodes[number..].iter_mut().zip(shares) {
                *node += dot(run, shares);
            }
        }
    }
}

#[inline(always)]
fn add<const WIDTH: usize>(row: &mut [f32], nodes: &[f32], share: f32) {
    row[..WIDTH].iter_mut().zip(&nodes[..WIDTH]).for_each(|(gradient, node)| *gradient += share * node);
}

#[inline(always)]
fn dot<const SIDE: usize>(a: &[f32; SIDE], b: &[f32; SIDE]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::latents::Pyramid;
    use tessera_core::field::{Activation, Encoding, Model, SplitMix64};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    #[test]
    fn inputs_are_those_of_a_field_and_the_way_back_their_transpose() {
        // Of 65 and 64 columns: a node more at every level.
        let grids = [151, 129].map(|columns| Grid::new(vec![37, columns], vec![2, 2], UNIT_RANGE).unwrap());
        for (place, exponent) in (0..8).flat_map(|place| (0..=6).map(move |exponent| (place, exponent))) {
            let (grid, partition) = (&grids[place / 4], u32::try_from(place % 4).unwrap());
            let pyramid = Pyramid::new(grid, 1, exponent).unwrap();
            let spec = FieldSpec {
                model: Model::Latents,
                hidden_layers: 0,
                local_width: 1,
                global_width: 1,
                encoding: Encoding::Latents(pyramid),
                activation: Activation::LeakyRelu,
                ..FieldSpec::siren(2, 1, 1)
            };
            let layout = Layout::new(&spec);
            let bounds = grid.partition_box(partition);
            let (taps_of_rows, nodes) = (&row_taps(&layout, &bounds)[0], columns(&layout, &bounds)[0]);
            let level = &layout.levels[0];
            let mut random = SplitMix64(4);
            let mut numbers = vec![0.0; layout.len()];
            for row in 0..level.rows {
                numbers[level.nodes(row)].fill_with(|| random.uniform(1.0));
            }
            let latents = layout.packed(&numbers);
            let columns = bounds[1].len();
            let core_level = &pyramid.levels(2)[0];
            let column_taps: Vec<Taps> = bounds[1].clone().map(|x| taps(&bounds[1], exponent, x.into())).collect();
            let mut gradient = vec![0.0; layout.len()];
            let mut of_samples = 0.0;
            for (row, row_taps) in taps_of_rows.iter().enumerate() {
                // Stretches from every place on, to the end of the row and short of it.
                let first = row * 7 % columns;
                let length = SYNTHESIS_BLOCK.min(columns - first);
                let length = if row % 3 == 0 { length.div_ceil(2) } else { length };
                let stretch = Stretch::new(level, nodes, first, length);
                for (across, inputs) in &level.inputs {
                    let along_row = stretch.across(&numbers, row_taps, *across, 1.5);
                    let mut back = Vec::new();
                    for &(along, place) in inputs {
                        let input = &pyramid.inputs(2)[place];
                        let mut found = vec![0.0; SYNTHESIS_BLOCK];
                        stretch.along(&along_row, along, &mut found);
                        for (found, of_column) in found[..length].iter().zip(&column_taps[first..]) {
                            let wanted = core_level.at(&latents, input, &[*row_taps, *of_column]);
                            assert!((found - 1.5 * wanted).abs() < 4e-6, "{exponent}, {row}: {found} and {wanted}");
                        }
                        let factors: Vec<f32> = found.iter().map(|_| random.uniform(1.0)).collect();
                        of_samples += found[..length].iter().zip(&factors).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                        back.push((along, factors));
                    }
                    let mut of_nodes = vec![0.0; level.width()];
                    stretch.back_along(back.iter().map(|(order, of)| (*order, &of[..])), &mut of_nodes);
                    stretch.back_across(&of_nodes, &mut gradient, row_taps, *across, 1.5);
                }
            }
            let of_nodes: f64 = gradient.iter().zip(&numbers).map(|(a, b)| f64::from(a * b)).sum();
            assert!((of_samples - of_nodes).abs() < 1e-3, "{exponent}: {of_samples} and {of_nodes}");
        }
    }
}
