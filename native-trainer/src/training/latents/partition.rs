//! The latents of one partition in training, and the blocks of samples that they are trained by.

use std::ops::Range;

use tessera_core::eval::cpu::SYNTHESIS_BLOCK;
use tessera_core::field::latents::Taps;

use super::arithmetic::{hash, inverse, tanh};
use super::layout::{Layout, Nodes, Stretch, columns, row_taps};

const FIRST_BETA: f32 = 0.9;
const SECOND_BETA: f32 = 0.97;
const EPSILON: f32 = 1e-9;
/// Draws of a table of noise.
const DRAWS: usize = 1024;
/// Octaves by which rates rise with every level.
const RATE_RISE: f32 = 0.25;

/// How latents are made whole in a step.
#[derive(Debug, Clone)]
pub(super) enum Rounding {
    /// As C3 does it: pushed towards whole numbers by a soft step of this temperature, disturbed by noise of this table, and pushed
    /// once more.
    Soft { temperature: f32, noise: Box<[f32; DRAWS]> },
    /// Rounded; gradients pass through.
    Whole,
}

impl Rounding {
    /// Noise of Kumaraswamy's distribution with this first parameter, around 0: 1 is even over a unit, 2 gathers in the middle.
    pub(super) fn soft(temperature: f32, parameter: f32) -> Self {
        let second = (2.0_f32.powf(parameter) * (parameter - 1.0) + 1.0) / parameter;
        let mut places = 0_u16..;
        let noise = std::array::from_fn(|_| {
            let share = (f32::from(places.next().unwrap_or(0)) + 0.5) * inverse(DRAWS);
            (1.0 - (1.0 - share).powf(second.recip())).powf(parameter.recip()) - 0.5
        });
        Self::Soft { temperature, noise: Box::new(noise) }
    }
}

/// Latents of a partition, with margins, in steps of their quantisation.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) bounds: Vec<Range<u32>>,
    /// `[level][row]`.
    pub(super) rows: Vec<Vec<Taps>>,
    /// Columns of nodes, by level.
    pub(super) columns: Vec<usize>,
    /// What is trained.
    pub(super) latents: Vec<f32>,
    /// As the current step sees them.
    pub(super) numbers: Vec<f32>,
    /// Derivatives of `numbers` by `latents`; zero in margins.
    slopes: Vec<f32>,
    /// By `numbers`.
    pub(super) gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    /// Its blocks among all.
    pub(super) blocks: Vec<usize>,
}

impl Partition {
    pub(super) fn new(layout: &Layout, bounds: Vec<Range<u32>>) -> Self {
        let zeros = vec![0.0; layout.len()];
        Self {
            rows: row_taps(layout, &bounds),
            columns: columns(layout, &bounds),
            bounds,
            latents: zeros.clone(),
            numbers: zeros.clone(),
            slopes: zeros.clone(),
            gradient: zeros.clone(),
            first: zeros.clone(),
            second: zeros,
            blocks: Vec::new(),
        }
    }

    /// Rows and columns.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.bounds[axis].len())
    }

    /// Latents by which a linear network begins with about the picture's `grey` values, `[rows, columns]`: of every level what the
    /// coarser ones have left over.
    pub(super) fn begin(&mut self, layout: &Layout, steps: &[f32], mut grey: Vec<f32>) {
        let [rows, columns] = self.sizes();
        let mut line = vec![0.0; columns.next_multiple_of(SYNTHESIS_BLOCK)];
        let levels = layout.levels.iter().zip(&self.rows).zip(&self.columns);
        for (((level, taps), &nodes), step) in levels.zip(steps) {
            let side = 1 << level.exponent;
            for row in (0..rows).step_by(side) {
                let nodes = level.nodes(row / side);
                for (node, first) in nodes.zip((0..columns).step_by(side)) {
                    let (mut sum, mut count) = (0.0, 0.0);
                    for row in row..(row + side).min(rows) {
                        let cell = &grey[row * columns + first..row * columns + (first + side).min(columns)];
                        sum += cell.iter().sum::<f32>();
                        #[expect(clippy::cast_precision_loss, reason = "a cell's side")]
                        let length = cell.len() as f32;
                        count += length;
                    }
                    self.latents[node] = sum / count / step;
                }
            }
            for (grey, taps) in grey.chunks_exact_mut(columns).zip(taps) {
                for (piece, line) in line.chunks_mut(SYNTHESIS_BLOCK).enumerate() {
                    let first = piece * SYNTHESIS_BLOCK;
                    let stretch = Stretch::new(level, nodes, first, SYNTHESIS_BLOCK.min(columns - first));
                    stretch.along(&stretch.across(&self.latents, taps, 0, *step), 0, line);
                }
                grey.iter_mut().zip(&line).for_each(|(grey, known)| *grey -= known);
            }
        }
    }

    /// Makes the numbers of a step.
    #[inline(always)]
    pub(super) fn round(&mut self, layout: &Layout, rounding: &Rounding, seed: u32) {
        for level in &layout.levels {
            for row in 0..level.rows {
                let nodes = level.nodes(row);
                let latents = &self.latents[nodes.clone()];
                let numbers = &mut self.numbers[nodes.clone()];
                let slopes = &mut self.slopes[nodes.clone()];
                match rounding {
                    Rounding::Whole => {
                        numbers.iter_mut().zip(latents).for_each(|(number, latent)| *number = latent.round_ties_even());
                        slopes.fill(1.0);
                    }
                    Rounding::Soft { temperature, noise } => {
                        #[expect(clippy::cast_possible_truncation, reason = "mixed anyway")]
                        let of_row = hash(seed.wrapping_add(nodes.start as u32));
                        soft(*temperature, noise, of_row, latents, numbers, slopes);
                    }
                }
            }
        }
    }

    /// Moves the latents against their gradient, coarse ones faster.
    #[inline(always)]
    pub(super) fn step(&mut self, layout: &Layout, rate: f32, step: i32) {
        let (correction, root) = (1.0 - FIRST_BETA.powi(step), 1.0 / (1.0 - SECOND_BETA.powi(step)));
        for level in &layout.levels {
            let rate = rate * (RATE_RISE * exponent(level.exponent)).exp2() / correction;
            let span = level.span.clone();
            let moments = self.first[span.clone()].iter_mut().zip(&mut self.second[span.clone()]);
            let gradients = self.gradient[span.clone()].iter().zip(&self.slopes[span.clone()]);
            for ((latent, (gradient, slope)), (first, second)) in
                self.latents[span].iter_mut().zip(gradients).zip(moments)
            {
                let gradient = gradient * slope;
                *first += (gradient - *first) * (1.0 - FIRST_BETA);
                *second += (gradient * gradient - *second) * (1.0 - SECOND_BETA);
                *latent -= rate * *first / ((*second * root).sqrt() + EPSILON);
            }
        }
    }

    /// Other steps of the quantisation: latents are multiplied by the level's ratio.
    pub(super) fn rescale(&mut self, layout: &Layout, ratios: &[f32]) {
        for (level, ratio) in layout.levels.iter().zip(ratios) {
            let span = level.span.clone();
            self.latents[span.clone()].iter_mut().for_each(|latent| *latent *= ratio);
            self.first[span.clone()].iter_mut().for_each(|moment| *moment /= ratio);
            self.second[span].iter_mut().for_each(|moment| *moment /= ratio * ratio);
        }
    }

    /// Adds what the blocks of this partition found to the gradients of its numbers.
    #[inline(always)]
    pub(super) fn collect(&mut self, layout: &Layout, blocks: &[Block], scales: &[f32]) {
        for &block in &self.blocks {
            let block = &blocks[block];
            let mut nodes = &block.gradient[..];
            let levels = layout.levels.iter().zip(&self.rows).zip(&self.columns);
            for (((level, rows), &columns), scale) in levels.zip(scales) {
                let stretch = Stretch::new(level, columns, block.first, block.samples);
                for (across, _) in &level.inputs {
                    let (own, rest) = nodes.split_at(level.width());
                    stretch.back_across(own, &mut self.gradient, &rows[block.row], *across, *scale);
                    nodes = rest;
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 16")]
pub(super) fn exponent(exponent: u32) -> f32 {
    exponent as f32
}

#[inline(always)]
fn soft(temperature: f32, noise: &[f32; DRAWS], seed: u32, latents: &[f32], numbers: &mut [f32], slopes: &mut [f32]) {
    let inverse = temperature.recip();
    let norm = tanh(0.5 * inverse).recip();
    let pushed = |x: f32| {
        let below = x.floor();
        let step = tanh((x - below - 0.5) * inverse);
        (below + 0.5 + 0.5 * step * norm, 0.5 * (1.0 - step * step) * inverse * norm)
    };
    let mut place = seed;
    for ((&latent, number), slope) in latents.iter().zip(numbers).zip(slopes) {
        place = place.wrapping_add(1);
        let disturbance = noise[hash(place) as usize % DRAWS];
        let (once, first) = pushed(latent);
        let (twice, second) = pushed(once + disturbance);
        *number = twice;
        *slope = first * second;
    }
}

/// A stretch of samples in a row of a partition.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) partition: usize,
    pub(super) row: usize,
    pub(super) first: usize,
    pub(super) samples: usize,
    /// By the nodes along its row, of one level after the other.
    pub(super) gradient: Vec<f32>,
    /// `[channels, SYNTHESIS_BLOCK]`, from 0 to 1.
    pub(super) targets: Vec<f32>,
}

impl Block {
    /// What the network sees of the numbers of its partition: `inputs` is `[inputs, SYNTHESIS_BLOCK]`.
    #[inline(always)]
    pub(super) fn load(
        &self,
        layout: &Layout,
        partitions: &[Partition],
        scales: &[f32],
        rows_of_nodes: &mut Vec<Nodes>,
        inputs: &mut [f32],
    ) {
        let partition = &partitions[self.partition];
        // All across rows first, then all along: what has just been written is slow to read from another place.
        rows_of_nodes.clear();
        let levels = layout.levels.iter().zip(&partition.rows).zip(&partition.columns);
        for (((level, rows), &columns), scale) in levels.zip(scales) {
            let stretch = Stretch::new(level, columns, self.first, self.samples);
            for (across, _) in &level.inputs {
                rows_of_nodes.push(stretch.across(&partition.numbers, &rows[self.row], *across, *scale));
            }
        }
        let mut next = rows_of_nodes.iter();
        for (level, &columns) in layout.levels.iter().zip(&partition.columns) {
            let stretch = Stretch::new(level, columns, self.first, self.samples);
            for ((_, places), nodes) in level.inputs.iter().zip(&mut next) {
                for &(along, place) in places {
                    stretch.along(nodes, along, &mut inputs[place * SYNTHESIS_BLOCK..]);
                }
            }
        }
    }

    /// Keeps the gradients by its nodes, of which `inputs` has those by what the network sees.
    #[inline(always)]
    pub(super) fn keep(&mut self, layout: &Layout, partitions: &[Partition], inputs: &[f32]) {
        let columns = &partitions[self.partition].columns;
        let mut nodes = &mut self.gradient[..];
        for (level, &columns) in layout.levels.iter().zip(columns) {
            let stretch = Stretch::new(level, columns, self.first, self.samples);
            for (_, places) in &level.inputs {
                let (own, rest) = nodes.split_at_mut(level.width());
                let of = places.iter().map(|&(along, place)| (along, &inputs[place * SYNTHESIS_BLOCK..]));
                stretch.back_along(of, own);
                nodes = rest;
            }
        }
    }
}

/// Blocks in an order in which neighbours come from everywhere: strides of the golden section.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a stride")]
pub(super) fn scattered(blocks: Vec<Block>) -> Vec<Block> {
    let count = blocks.len().max(1);
    let mut stride = ((count as f64 * 0.618_033_988_7) as usize | 1).max(1);
    while greatest_divisor(stride, count) > 1 {
        stride += 2;
    }
    let mut blocks: Vec<Option<Block>> = blocks.into_iter().map(Some).collect();
    (0..blocks.len()).filter_map(|place| blocks[place * stride % count].take()).collect()
}

fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}
