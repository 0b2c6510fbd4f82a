//! Training of latent grids and their synthesis network for a file of a wanted size.
//!
//! Latents are trained for what they cost as well as for what they show (Kim and others, "C3", CVPR 2024): soft rounding with
//! noise while they move, straight-through rounding at the end, and a price of a bit that follows the wanted size. The
//! shared network is what learns slowest, so it moves many times, by a part of the samples each, while latents move once.
//! The constants were found by trials (`docs/benchmarks.md`).

mod arithmetic;
mod layout;
mod partition;
mod rate;
mod synthesis;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pulp::Arch;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use tessera_core::codec::contexts::Context;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::eval::cpu::{SYNTHESIS_BLOCK, Synthesis, SynthesisBlock};
use tessera_core::field::{Field, FieldSpec, StartRule, tensors};
use tessera_core::grid::Grid;

use self::arithmetic::hash;
use self::layout::Layout;
use self::partition::{Block, Partition, Rounding, exponent, scattered};
use self::rate::{Weights, rate};
use self::synthesis::Adam;
use super::plan::{Event, Outcome, Settings, StoppedBy};
use super::setup::{Snapshots, Workers};
use super::{DeviceChoice, OpenDevice, TrainingError};
use crate::samples::Samples;

/// Steps of the quantisation over the root of the price, at level 0, and octaves by which they fall with every level.
const STEP: f32 = 2.9;
const STEP_FALL: f32 = 0.75;
/// What the network sees over what a latent means in a picture from 0 to 1.
const CONTRAST: f32 = 3.0;
/// Temperatures of soft rounding, and parameters of its noise, at the beginning and at the end.
const TEMPERATURES: (f32, f32) = (0.4, 0.15);
const NOISES: (f32, f32) = (2.0, 1.0);
/// From which part of training on latents are whole numbers, and of that part from where on the network sees all samples.
const WHOLE: f64 = 0.95;
const ALL: f64 = 0.4;
/// Rates at the beginning, and what is left of them before latents are whole: of latents (in steps of the quantisation), of the
/// network, of contexts.
const LATENT_RATES: (f32, f32) = (0.15, 0.05);
const NETWORK_RATES: (f32, f32) = (0.015, 0.2);
const CONTEXT_RATE: f32 = 5e-3;
/// Rates while they are.
const WHOLE_LATENT_RATE: f32 = 1e-3;
const WHOLE_NETWORK_RATE: f32 = 3e-3;
const WHOLE_CONTEXT_RATE: f32 = 2e-3;
/// Samples by which the network moves at least, and how often while latents move once at most.
const BATCH: usize = 4096;
const BATCHES: usize = 64;
/// Blocks of a task; the same for any number of threads, as sums depend on it.
const TASK: usize = 16;
/// How fast the price of a bit follows the size, from which part of training on, and how far it may go.
const FOLLOWING: f64 = 0.08;
/// Steps for which that is enough; fewer follow faster, up to so many times.
const FOLLOWING_STEPS: f64 = 400.0;
const FASTEST: f64 = 5.0;
const FOLLOWS_FROM: f64 = 0.05;
const FARTHEST: f64 = 256.0;
/// Steps after which the size is known anew: latents are made whole for it, and now and then coded as well.
const WEIGHED_EVERY: u64 = 4;
const CODED_EVERY: u64 = 48;
/// Steps after which the quantisation's follow the price, and up to which part of training.
const SCALED_EVERY: u64 = 16;
const SCALED_UNTIL: f64 = 0.7;

/// What a field of latents is trained for.
#[derive(Debug, Clone, Copy)]
pub struct LatentTarget {
    /// What a bit costs at the beginning: mean squared error of values from 0 to 1, times samples.
    pub price: f64,
    /// Bits that the coded latents are to take; the price follows.
    pub bits: f64,
}

/// Trained latents.
#[derive(Debug, Clone)]
pub struct Latents {
    /// The field; its latents are whole steps.
    pub field: Field,
    /// Step of every level.
    pub steps: Vec<f32>,
    /// Context of every level.
    pub contexts: Vec<Context>,
    /// Bits that the latents take, about.
    pub bits: f64,
    /// What a bit cost in the end.
    pub price: f64,
    /// How training went.
    pub outcome: Outcome,
}

/// Trains latents of a picture.
#[derive(Debug)]
pub struct LatentTraining<'a> {
    samples: u64,
    channels: usize,
    spec: FieldSpec,
    grid: Grid,
    settings: Settings,
    target: LatentTarget,
    stop: &'a AtomicBool,
    layout: Layout,
    /// What the network sees for a step of a level.
    scales: Vec<f32>,
    partitions: Vec<Partition>,
    blocks: Vec<Block>,
    shared: Vec<f32>,
    shared_adam: Adam,
    contexts: Vec<Weights>,
    context_adam: Adam,
    price: f64,
    /// Bits of whole latents, when they were last weighed.
    bits: f64,
    /// What coding takes of them.
    ratio: f64,
    is_whole: bool,
}

/// What a step found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Mean squared error of values from 0 to 1.
    error: f64,
    bits: f64,
}

#[derive(Debug, Clone, Copy)]
struct Rates {
    latents: f32,
    network: f32,
    contexts: f32,
    batches: usize,
}

impl<'a> LatentTraining<'a> {
    /// Before the first step.
    ///
    /// # Errors
    /// [`TrainingError::Settings`] for other signals than pictures, [`TrainingError::Samples`] where samples cannot be read.
    pub fn new(
        samples: &Samples,
        grid: &Grid,
        spec: &FieldSpec,
        settings: &Settings,
        target: LatentTarget,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainingError> {
        spec.validate()?;
        if grid.axes() != 2 || spec.pyramid().is_none() {
            return Err(TrainingError::Settings("latents are for pictures".to_owned()));
        }
        let layout = Layout::new(spec);
        let scales = scales(&layout, target.price);
        let channels = spec.outputs as usize;
        let (mut partitions, mut blocks) = (Vec::new(), Vec::new());
        for number in 0..grid.partitions() {
            let bounds = grid.partition_box(number);
            let values = samples.of_box(&bounds)?;
            let mut partition = Partition::new(&layout, bounds);
            let grey = values.chunks_exact(channels).map(|v| 0.5 * v.iter().sum::<f32>() / channels as f32).collect();
            let steps: Vec<f32> = scales.iter().map(|scale| scale / CONTRAST).collect();
            partition.begin(&layout, &steps, grey);
            let [rows, columns] = partition.sizes();
            let pieces = columns.div_ceil(SYNTHESIS_BLOCK);
            for row in 0..rows {
                for piece in 0..pieces {
                    let (first, end) = (piece * columns / pieces, (piece + 1) * columns / pieces);
                    let mut targets = vec![0.0; channels * SYNTHESIS_BLOCK];
                    for (lane, sample) in (first..end).enumerate() {
                        let values = &values[(row * columns + sample) * channels..][..channels];
                        for (channel, value) in values.iter().enumerate() {
                            targets[channel * SYNTHESIS_BLOCK + lane] = 0.5 * value + 0.5;
                        }
                    }
                    let inputs = vec![0.0; layout.levels.len() * SYNTHESIS_BLOCK];
                    blocks.push(Block {
                        partition: number as usize,
                        row,
                        first,
                        samples: end - first,
                        inputs,
                        targets,
                    });
                }
            }
            partitions.push(partition);
        }
        let blocks = scattered(blocks);
        for (place, block) in blocks.iter().enumerate() {
            partitions[block.partition].blocks.push(place);
        }
        let shared = synthesis::start(spec, settings.seed, CONTRAST);
        let contexts = vec![Weights::start(); layout.levels.len()];
        Ok(Self {
            samples: grid.samples(),
            channels,
            spec: spec.clone(),
            grid: grid.clone(),
            settings: settings.clone(),
            target,
            stop,
            scales,
            partitions,
            blocks,
            shared_adam: Adam::new(shared.len()),
            shared,
            context_adam: Adam::new(contexts.len() * Weights::COUNT),
            contexts,
            layout,
            price: target.price,
            bits: target.bits,
            ratio: 1.0,
            is_whole: false,
        })
    }

    /// Trains, by as many steps as the settings have.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`] where the error is no number, and those of threads.
    pub fn run(mut self, on_event: &mut dyn FnMut(Event)) -> Result<Latents, TrainingError> {
        let device = OpenDevice::open(DeviceChoice::Cpu)?;
        let workers = Workers::new(&self.settings, &device)?;
        let clock = Instant::now();
        let name = workers.describe(&device);
        on_event(Event::Started { device: name.clone(), engine: "latents".to_owned(), first_step: 0 });
        let mut snapshots = Snapshots::new(&self.settings);
        let steps = self.settings.steps.max(1);
        let mut best: Option<(f64, Kept)> = None;
        let (mut step, mut last) = (0, Found { error: f64::NAN, bits: 0.0 });
        let mut stopped_by = StoppedBy::Steps;
        let mut forced = 0;
        let mut price_of_bits = None;
        while step < steps {
            let seconds = clock.elapsed().as_secs_f64();
            let by_time = self.settings.max_seconds.map_or(0.0, |limit| seconds / limit.max(1e-9));
            let mut progress = (step as f64 / steps as f64).max(by_time);
            if self.stop.load(Ordering::Relaxed) || by_time >= 1.0 {
                stopped_by = if by_time >= 1.0 { StoppedBy::MaxTime } else { StoppedBy::Interrupted };
                if forced > 2 {
                    break;
                }
                // What is left is to be whole.
                forced += 1;
                progress = progress.clamp(0.99, 1.0);
            }
            let before = (progress >= WHOLE).then(|| Kept {
                latents: self.partitions.iter().map(|partition| partition.latents.clone()).collect(),
                shared: self.shared.clone(),
                contexts: self.contexts.clone(),
            });
            let found = workers.run(|| self.step(step, progress))?;
            if !found.error.is_finite() {
                let learning_rate = NETWORK_RATES.0.into();
                return Err(TrainingError::Diverged { step, loss: found.error, learning_rate });
            }
            last = found;
            step += 1;
            if let Some(before) = before {
                let over = (found.bits / self.target.bits - 1.0).max(0.0);
                // Beyond the size nothing counts but the size.
                let price = *price_of_bits.get_or_insert(self.price);
                let cost = found.error + price * found.bits / self.samples as f64 + 1e3 * over;
                if best.as_ref().is_none_or(|(least, _)| cost <= *least) {
                    best = Some((cost, before));
                }
            }
            on_event(Event::Step {
                step,
                steps,
                loss: 4.0 * found.error,
                psnr_db: -10.0 * found.error.log10(),
                learning_rate: self.rates(progress).latents.into(),
                seconds: clock.elapsed().as_secs_f64(),
                samples_per_second: step as f64 * self.samples as f64 / clock.elapsed().as_secs_f64().max(1e-9),
            });
            if snapshots.due() {
                on_event(Event::Snapshot { step, field: Box::new(self.field()?) });
                snapshots.taken();
            }
        }
        if let Some((_, kept)) = best {
            self.shared = kept.shared;
            self.contexts = kept.contexts;
            self.partitions.iter_mut().zip(kept.latents).for_each(|(partition, latents)| partition.latents = latents);
        }
        let outcome = Outcome {
            field: self.field()?,
            steps: step,
            seconds: clock.elapsed().as_secs_f64(),
            best_step: step,
            stopped_by,
            device: name,
            engine: "latents".to_owned(),
            psnr_db: -10.0 * last.error.log10(),
        };
        Ok(Latents {
            field: outcome.field.clone(),
            steps: self.scales.clone(),
            contexts: self.contexts.iter().map(Weights::context).collect(),
            bits: last.bits,
            price: self.price,
            outcome,
        })
    }

    fn rates(&self, progress: f64) -> Rates {
        let most = usize::try_from(self.samples).unwrap_or(usize::MAX) / BATCH;
        let most = most.clamp(1, BATCHES);
        if progress < WHOLE {
            let part = narrow(progress / WHOLE);
            let falling = 0.5 * (1.0 + (std::f32::consts::PI * part).cos());
            let of = |(first, last): (f32, f32)| first * (last + (1.0 - last) * falling);
            return Rates {
                latents: of(LATENT_RATES),
                network: of(NETWORK_RATES),
                contexts: CONTEXT_RATE,
                batches: most,
            };
        }
        let part = ((progress - WHOLE) / (1.0 - WHOLE)).min(1.0);
        let left = narrow(1.0 - part);
        Rates {
            latents: WHOLE_LATENT_RATE * left,
            network: WHOLE_NETWORK_RATE * left,
            contexts: WHOLE_CONTEXT_RATE,
            batches: if part > ALL { 1 } else { most },
        }
    }

    fn step(&mut self, step: u64, progress: f64) -> Result<Found, TrainingError> {
        let part = narrow(progress / WHOLE).min(1.0);
        let between = |(first, last): (f32, f32)| first + (last - first) * part;
        let rounding =
            if progress < WHOLE { Rounding::soft(between(TEMPERATURES), between(NOISES)) } else { Rounding::Whole };
        let rates = self.rates(progress);
        let seed = hash(low_bits(self.settings.seed) ^ hash(low_bits(step + 1)));
        let layout = &self.layout;
        self.partitions.par_iter_mut().enumerate().for_each(|(number, partition)| {
            partition.gradient.fill(0.0);
            let seed = hash(seed.wrapping_add(low_bits(number as u64)));
            Arch::new().dispatch(
                #[inline(always)]
                || partition.round(layout, &rounding, seed),
            );
        });
        let error = self.move_network(&rates, seed)?;
        // Of what a bit costs and what errors cost, both over all samples.
        let price = narrow(self.price * self.channels as f64);
        let contexts = &self.contexts;
        let (layout, blocks, scales) = (&self.layout, &self.blocks, &self.scales);
        let count = self.contexts.len();
        let of_partition = |partition: &mut Partition| {
            let mut by_weights = vec![[0.0; Weights::COUNT]; count];
            partition.collect(layout, blocks, scales);
            let Partition { numbers, gradient, .. } = partition;
            let bits = Arch::new().dispatch(
                #[inline(always)]
                || rate(layout, numbers, gradient, contexts, &mut by_weights, price),
            );
            (bits, by_weights)
        };
        let costs: Vec<_> = self.partitions.par_iter_mut().map(of_partition).collect();
        let number = i32::try_from(step + 1).unwrap_or(i32::MAX);
        self.partitions.par_iter_mut().for_each(|partition| {
            Arch::new().dispatch(
                #[inline(always)]
                || partition.step(layout, rates.latents, number),
            );
        });
        let mut bits: f64 = costs.iter().map(|(bits, _)| bits).sum();
        let mut by_weights = vec![0.0; count * Weights::COUNT];
        for (_, gradients) in &costs {
            by_weights.iter_mut().zip(gradients.iter().flatten()).for_each(|(sum, gradient)| *sum += gradient);
        }
        let mut weights: Vec<f32> = self.contexts.iter().flat_map(|weights| weights.to_array()).collect();
        self.context_adam.step(&mut weights, &by_weights, rates.contexts);
        let (arrays, _) = weights.as_chunks::<{ Weights::COUNT }>();
        self.contexts = arrays.iter().map(|array| Weights::from_array(*array)).collect();
        if progress < WHOLE {
            if step.is_multiple_of(WEIGHED_EVERY) {
                self.bits = self.weighed();
            }
            if step % CODED_EVERY == CODED_EVERY - 1 {
                self.ratio = self.coded()? / self.weighed().max(1.0);
            }
            bits = self.bits;
        } else if !self.is_whole {
            self.is_whole = true;
            self.ratio = self.coded()? / self.weighed().max(1.0);
        }
        bits *= self.ratio;
        if progress < SCALED_UNTIL && step.is_multiple_of(SCALED_EVERY) {
            self.rescale();
        }
        if progress >= FOLLOWS_FROM {
            let excess = (bits / self.target.bits - 1.0).clamp(-0.5, 0.5);
            let (least, most) = (self.target.price / FARTHEST, self.target.price * FARTHEST);
            let faster = (FOLLOWING_STEPS / self.settings.steps.max(1) as f64).clamp(1.0, FASTEST);
            self.price = (self.price * (FOLLOWING * faster * excess).exp()).clamp(least, most);
        }
        Ok(Found { error, bits })
    }

    /// Bits of latents that are whole.
    fn weighed(&mut self) -> f64 {
        let (layout, contexts) = (&self.layout, &self.contexts);
        let of_partition = |partition: &mut Partition| {
            partition.round(layout, &Rounding::Whole, 0);
            // Nothing asks for gradients between steps.
            let Partition { numbers, gradient, .. } = partition;
            let mut by_weights = vec![[0.0; Weights::COUNT]; contexts.len()];
            Arch::new().dispatch(
                #[inline(always)]
                || rate(layout, numbers, gradient, contexts, &mut by_weights, 0.0),
            )
        };
        let bits: Vec<f64> = self.partitions.par_iter_mut().map(of_partition).collect();
        bits.iter().sum()
    }

    /// Bits of the chunks of all partitions, as a file would have them.
    fn coded(&self) -> Result<f64, TrainingError> {
        let field = self.field()?;
        let shared = vec![1.0; tensors(&self.spec.shared_layers()).len()];
        let quantisation = Quantisation::new(&self.spec, StartRule::Zero, Coder::Static, &shared, &self.scales)?
            .with_contexts(&self.spec, self.contexts.iter().map(Weights::context).collect())?;
        let payloads = quantisation.code(&self.spec, &quantisation.numbers(&field, 0)?)?;
        Ok(payloads.local.iter().map(|payload| 8.0 * payload.len() as f64).sum())
    }

    /// Steps of the quantisation that suit the price; latents stay what they mean.
    fn rescale(&mut self) {
        let scales = scales(&self.layout, self.price);
        let ratios: Vec<f32> = self.scales.iter().zip(&scales).map(|(old, new)| old / new).collect();
        let layout = &self.layout;
        self.partitions.par_iter_mut().for_each(|partition| partition.rescale(layout, &ratios));
        self.scales = scales;
    }

    /// Moves the network by every batch in turn, and leaves the gradients by interpolated latents in the blocks.
    fn move_network(&mut self, rates: &Rates, seed: u32) -> Result<f64, TrainingError> {
        let Self { layout, partitions, blocks, scales, spec, shared, shared_adam, .. } = self;
        let length = blocks.len().div_ceil(rates.batches).next_multiple_of(TASK);
        // Batches begin elsewhere in every step.
        let first = if rates.batches > 1 { (seed as usize % length.div_ceil(TASK)) * TASK } else { 0 };
        let first = first.min(blocks.len());
        let (head, tail) = blocks.split_at_mut(first);
        let batches = std::iter::once(head).chain(tail.chunks_mut(length)).filter(|batch| !batch.is_empty());
        let mut error = 0.0;
        for batch in batches {
            let synthesis = Synthesis::new(spec, shared)?;
            let of_task = |task: &mut [Block]| {
                for block in &mut *task {
                    Arch::new().dispatch(
                        #[inline(always)]
                        || block.load(layout, partitions, scales),
                    );
                }
                let mut views: Vec<SynthesisBlock<'_>> = task.iter_mut().map(Block::view).collect();
                synthesis.gradients(&mut views)
            };
            let found: Vec<_> = batch.par_chunks_mut(TASK).map(of_task).collect();
            let mut gradient = vec![0.0; shared.len()];
            for found in &found {
                error += found.error;
                gradient.iter_mut().zip(&found.shared).for_each(|(sum, gradient)| *sum += gradient);
            }
            shared_adam.step(shared, &gradient, rates.network);
        }
        Ok(error / (self.samples * self.channels as u64) as f64)
    }

    /// What latents are now, made whole, with a network whose values go from -1 to 1.
    fn field(&self) -> Result<Field, TrainingError> {
        let packed = |partition: &Partition| {
            let mut local = self.layout.packed(&partition.latents);
            let mut start = 0;
            for (level, scale) in self.layout.levels.iter().zip(&self.scales) {
                let end = start + level.rows * level.columns;
                local[start..end].iter_mut().for_each(|latent| *latent = latent.round_ties_even() * scale);
                start = end;
            }
            local
        };
        let local: Vec<Vec<f32>> = self.partitions.par_iter().map(packed).collect();
        let present = (0..self.grid.partitions()).collect();
        let shared = synthesis::signed(&self.spec, &self.shared);
        Ok(Field::new(self.spec.clone(), self.grid.clone(), present, shared, local.concat())?)
    }
}

/// What the network sees for a step of each level: exact as the bfloat16 that a file has.
fn scales(layout: &Layout, price: f64) -> Vec<f32> {
    let scale = |level: &layout::Level| {
        let step = STEP * narrow(price.sqrt()) * (-STEP_FALL * exponent(level.exponent)).exp2();
        f32::from_bits((CONTRAST * step).to_bits() & 0xffff_0000)
    };
    layout.levels.iter().map(scale).collect()
}

/// What the best step had before it.
#[derive(Debug)]
struct Kept {
    latents: Vec<Vec<f32>>,
    shared: Vec<f32>,
    contexts: Vec<Weights>,
}

#[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[expect(clippy::cast_possible_truncation, reason = "the rest does not matter to a hash")]
fn low_bits(x: u64) -> u32 {
    x as u32
}
