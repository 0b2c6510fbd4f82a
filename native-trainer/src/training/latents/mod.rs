//! Training of latent grids and their synthesis network for a file of a wanted size.
//!
//! Latents are trained for what they cost as well as for what they show (Kim and others, "C3", CVPR 2024): soft rounding with
//! noise while they move, straight-through rounding at the end, and a price of a bit that follows the wanted size. The
//! shared network is what learns slowest, so it moves many times, by a part of the samples each, while latents move once.
//! The constants were found by trials (`docs/benchmarks.md`).

mod adam;
mod arithmetic;
mod layout;
mod partition;
mod price;
mod rate;
mod schedule;
mod synthesis;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use tessera_core::codec::contexts::Context;
use tessera_core::eval::cpu::{SYNTHESIS_BLOCK, Synthesis, SynthesisBlock};
use tessera_core::field::{Field, FieldSpec};
use tessera_core::grid::Grid;

use self::adam::Adam;
use self::arithmetic::hash;
use self::layout::{COARSEST, Layout, Nodes};
use self::partition::{Block, Partition, Rounding, exponent, scattered};
use self::price::Price;
use self::rate::{Weights, rate};
use self::schedule::{Schedule, is_whole};
use super::plan::{Event, Outcome, Settings, StoppedBy};
use super::setup::{Snapshots, Workers};
use super::soap::{Rates, Soap};
use super::{DeviceChoice, OpenDevice, TrainingError};
use crate::samples::Samples;
use crate::vectorised::vectorised;

/// Steps of the quantisation over the root of the price, at level 0, and octaves by which they fall with every level.
const STEP: f32 = 2.9;
const STEP_FALL: f32 = 0.75;
/// What the network sees over what a latent means in a picture from 0 to 1.
const CONTRAST: f32 = 3.0;
const ENGINE: &str = "latents";
/// Blocks of a task; the same for any number of threads, as sums depend on it.
const TASK: usize = 16;
/// Steps after which latents are made whole to be weighed.
const WEIGHED_EVERY: u64 = 4;
/// Rate of the contexts that they are weighed by then.
const WEIGHED_RATE: f32 = 0.02;
/// Steps after which the file is written to learn its size, and towards the end of training.
const WRITTEN_EVERY: u64 = 48;
const OFTEN_WRITTEN_EVERY: u64 = 8;
const OFTEN_FROM: f64 = 0.85;
/// Steps after which the quantisation's follow the price.
const SCALED_EVERY: u64 = 8;

/// What a field of latents is trained for.
#[derive(Clone, Copy)]
pub struct LatentTarget<'a> {
    /// What a bit costs at the beginning: mean squared error of values from 0 to 1, times samples. It follows the size.
    pub price: f64,
    /// What the price follows.
    pub aim: LatentAim,
    /// The file that latents make.
    pub written: &'a (dyn Fn(&Latents) -> Result<Measured, TrainingError> + Sync),
}

/// What is wanted of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LatentAim {
    /// So many bytes.
    Bytes(f64),
    /// This mean squared error of values from 0 to 1.
    Error(f64),
}

/// What a file came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its bytes.
    pub bytes: f64,
    /// Mean squared error of values from 0 to 1, where that is what is wanted.
    pub error: Option<f64>,
}

impl std::fmt::Debug for LatentTarget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LatentTarget").field("price", &self.price).field("aim", &self.aim).finish_non_exhaustive()
    }
}

/// Trained latents.
#[derive(Debug, Clone)]
pub struct Latents {
    /// Step of every level.
    pub steps: Vec<f32>,
    /// Context of every level.
    pub contexts: Vec<Context>,
    /// What a bit costs.
    pub price: f64,
    /// How training went, with the field: its latents are whole steps.
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
    target: LatentTarget<'a>,
    stop: &'a AtomicBool,
    layout: Layout,
    /// What the network sees for a step of a level.
    scales: Vec<f32>,
    partitions: Vec<Partition>,
    blocks: Vec<Block>,
    shared: Vec<f32>,
    soap: Soap,
    /// Contexts of what each step sees, and of whole latents, by which a file is written.
    contexts: Vec<Weights>,
    context_adam: Adam,
    whole_contexts: Vec<Weights>,
    whole_adam: Adam,
    price: Price,
    /// Bits of whole latents, when they were last weighed.
    weighed: f64,
    is_whole: bool,
}

/// What a step found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Mean squared error of values from 0 to 1.
    error: f64,
    /// Bits of the latents that it began with.
    bits: f64,
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
        target: LatentTarget<'a>,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainingError> {
        spec.validate()?;
        let Some(pyramid) = spec.pyramid().filter(|_| grid.axes() == 2) else {
            return Err(TrainingError::Settings("latents are for pictures".to_owned()));
        };
        if pyramid.finest + pyramid.levels > COARSEST + 1 {
            return Err(TrainingError::Settings(format!("latents are at most {SYNTHESIS_BLOCK} samples apart")));
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
                    let gradient = vec![0.0; layout.nodes];
                    blocks.push(Block {
                        partition: number as usize,
                        row,
                        first,
                        samples: end - first,
                        gradient,
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
            soap: Soap::new(&spec.shared_layers(), 1, Rates { last: 1.0, wide: 1.0 }),
            shared,
            context_adam: Adam::new(contexts.len() * Weights::COUNT),
            whole_adam: Adam::new(contexts.len() * Weights::COUNT),
            whole_contexts: contexts.clone(),
            contexts,
            layout,
            price: Price::new(target.price, target.aim),
            weighed: 0.0,
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
        on_event(Event::Started { device: name.clone(), engine: ENGINE.to_owned(), first_step: 0 });
        let mut snapshots = Snapshots::new(&self.settings);
        let steps = self.settings.steps.max(1);
        let mut best: Option<(f64, Kept)> = None;
        let (mut step, mut psnr_db) = (0, f64::NAN);
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
            if is_whole(progress) && !self.is_whole {
                self.is_whole = true;
                self.contexts.clone_from(&self.whole_contexts);
            }
            let before = self.is_whole.then(|| self.kept(step));
            let schedule = Schedule::at(progress, self.price.now, self.samples);
            let found = workers.run(|| self.step(step, progress, &schedule))?;
            if !found.error.is_finite() {
                let learning_rate = schedule.network.into();
                return Err(TrainingError::Diverged { step, loss: found.error, learning_rate });
            }
            psnr_db = -10.0 * found.error.log10();
            step += 1;
            if let Some(before) = before {
                let cost = match self.target.aim {
                    // Within the size nothing counts but the error, beyond it nothing but the size.
                    LatentAim::Bytes(_) => found.error + 1e3 * self.price.excess(found.bits, found.error).max(0.0),
                    LatentAim::Error(_) => {
                        let price = *price_of_bits.get_or_insert(self.price.now);
                        found.error + price * found.bits / self.samples as f64
                    }
                };
                if best.as_ref().is_none_or(|(least, _)| cost <= *least) {
                    best = Some((cost, Kept { psnr_db, ..before }));
                }
            }
            workers.run(|| self.follow(step, progress, &found))?;
            on_event(Event::Step {
                step,
                steps,
                loss: 4.0 * found.error,
                psnr_db,
                learning_rate: schedule.latents.into(),
                seconds: clock.elapsed().as_secs_f64(),
                samples_per_second: step as f64 * self.samples as f64 / clock.elapsed().as_secs_f64().max(1e-9),
            });
            if snapshots.due() {
                on_event(Event::Snapshot { step, field: Box::new(self.field()?) });
                snapshots.taken();
            }
        }
        if !self.is_whole {
            self.contexts.clone_from(&self.whole_contexts);
        }
        let mut best_step = step;
        if let Some((_, kept)) = best {
            self.shared = kept.shared;
            self.contexts = kept.contexts;
            self.partitions.iter_mut().zip(kept.latents).for_each(|(partition, latents)| partition.latents = latents);
            (best_step, psnr_db) = (kept.step, kept.psnr_db);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let latents = self.latents(&self.contexts, step)?;
        let outcome = Outcome { seconds, best_step, stopped_by, device: name, psnr_db, ..latents.outcome };
        Ok(Latents { outcome, ..latents })
    }

    fn kept(&self, step: u64) -> Kept {
        Kept {
            step,
            psnr_db: f64::NAN,
            latents: self.partitions.iter().map(|partition| partition.latents.clone()).collect(),
            shared: self.shared.clone(),
            contexts: self.contexts.clone(),
        }
    }

    /// What there is after `step` steps, to be written by these contexts.
    fn latents(&self, contexts: &[Weights], step: u64) -> Result<Latents, TrainingError> {
        Ok(Latents {
            steps: self.scales.clone(),
            contexts: contexts.iter().map(Weights::context).collect(),
            price: self.price.now,
            outcome: Outcome {
                field: self.field()?,
                steps: step,
                seconds: 0.0,
                best_step: step,
                stopped_by: StoppedBy::Steps,
                device: String::new(),
                engine: ENGINE.to_owned(),
                psnr_db: f64::NAN,
            },
        })
    }

    fn step(&mut self, step: u64, progress: f64, schedule: &Schedule) -> Result<Found, TrainingError> {
        let seed = hash(low_bits(self.settings.seed) ^ hash(low_bits(step + 1)));
        let layout = &self.layout;
        self.partitions.par_iter_mut().enumerate().for_each(|(number, partition)| {
            partition.gradient.fill(0.0);
            let seed = hash(seed.wrapping_add(low_bits(number as u64)));
            vectorised(
                #[inline(always)]
                || partition.round(layout, &schedule.rounding, seed),
            );
        });
        let error = self.move_network(schedule, seed)?;
        // Of what a bit costs and what errors cost, both over all samples.
        let price = narrow(self.price.now * self.channels as f64);
        let (layout, blocks, scales) = (&self.layout, &self.blocks, &self.scales);
        self.partitions.par_iter_mut().for_each(|partition| {
            vectorised(
                #[inline(always)]
                || partition.collect(layout, blocks, scales),
            );
        });
        let (bits, by_weights) = self.bits(&self.contexts.clone(), price);
        let number = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let layout = &self.layout;
        self.partitions.par_iter_mut().for_each(|partition| {
            vectorised(
                #[inline(always)]
                || partition.step(layout, schedule.latents, number),
            );
        });
        move_contexts(&mut self.contexts, &mut self.context_adam, &by_weights, schedule.contexts);
        if !is_whole(progress) && step.is_multiple_of(SCALED_EVERY) {
            self.rescale();
        }
        Ok(Found { error, bits })
    }

    /// Lets the price follow the size, after `step` steps.
    fn follow(&mut self, step: u64, progress: f64, found: &Found) -> Result<(), TrainingError> {
        if self.is_whole {
            self.weighed = found.bits;
        } else if step % WEIGHED_EVERY == 1 {
            self.weighed = self.weigh();
        }
        let every = if progress < OFTEN_FROM { WRITTEN_EVERY } else { OFTEN_WRITTEN_EVERY };
        if step.is_multiple_of(every) {
            if !self.is_whole {
                self.weighed = self.weigh();
            }
            let contexts = if self.is_whole { &self.contexts } else { &self.whole_contexts };
            let file = (self.target.written)(&self.latents(contexts, step)?)?;
            self.price.learn(self.weighed, found.error, file);
        }
        self.price.follow(self.price.excess(self.weighed, found.error), progress);
        Ok(())
    }

    /// Bits of the current numbers, and the gradients of them by contexts. Adds `price` times theirs to those of the numbers.
    fn bits(&mut self, contexts: &[Weights], price: f32) -> (f64, Vec<f32>) {
        let layout = &self.layout;
        let of_partition = |partition: &mut Partition| {
            let mut by_weights = vec![[0.0; Weights::COUNT]; contexts.len()];
            let Partition { numbers, gradient, .. } = partition;
            let bits = vectorised(
                #[inline(always)]
                || rate(layout, numbers, gradient, contexts, &mut by_weights, price),
            );
            (bits, by_weights)
        };
        let costs: Vec<_> = self.partitions.par_iter_mut().map(of_partition).collect();
        let mut by_weights = vec![0.0; contexts.len() * Weights::COUNT];
        for (_, gradients) in &costs {
            by_weights.iter_mut().zip(gradients.iter().flatten()).for_each(|(sum, gradient)| *sum += gradient);
        }
        (costs.iter().map(|(bits, _)| bits).sum(), by_weights)
    }

    /// Bits of latents made whole, by contexts that learn from it.
    fn weigh(&mut self) -> f64 {
        let layout = &self.layout;
        self.partitions.par_iter_mut().for_each(|partition| {
            vectorised(
                #[inline(always)]
                || partition.round(layout, &Rounding::Whole, 0),
            );
        });
        // Between steps nothing asks for gradients of numbers.
        let (bits, by_weights) = self.bits(&self.whole_contexts.clone(), 1.0);
        move_contexts(&mut self.whole_contexts, &mut self.whole_adam, &by_weights, WEIGHED_RATE);
        bits
    }

    /// Steps of the quantisation that suit the price; latents stay what they mean.
    fn rescale(&mut self) {
        let scales = scales(&self.layout, self.price.now);
        let ratios: Vec<f32> = self.scales.iter().zip(&scales).map(|(old, new)| old / new).collect();
        let layout = &self.layout;
        self.partitions.par_iter_mut().for_each(|partition| partition.rescale(layout, &ratios));
        self.scales = scales;
    }

    /// Moves the network by every batch in turn, and leaves the gradients by what it sees in the blocks.
    fn move_network(&mut self, schedule: &Schedule, seed: u32) -> Result<f64, TrainingError> {
        let Self { layout, partitions, blocks, scales, spec, shared, soap, .. } = self;
        let length = blocks.len().div_ceil(schedule.batches).next_multiple_of(TASK);
        // Batches begin elsewhere in every step.
        let first = if schedule.batches > 1 { (seed as usize % length.div_ceil(TASK)) * TASK } else { 0 };
        let first = first.min(blocks.len());
        let (head, tail) = blocks.split_at_mut(first);
        let batches = std::iter::once(head).chain(tail.chunks_mut(length)).filter(|batch| !batch.is_empty());
        let mut error = 0.0;
        for batch in batches {
            let synthesis = Synthesis::new(spec, shared)?;
            // Inputs are of a task alone: those of all blocks would go through the memory four times a step.
            let of_task = |(inputs, rows): &mut (Vec<f32>, Vec<Nodes>), task: &mut [Block]| {
                inputs.resize(TASK * layout.count * SYNTHESIS_BLOCK, 0.0);
                let mut own = inputs.chunks_exact_mut(layout.count * SYNTHESIS_BLOCK);
                for (block, inputs) in task.iter().zip(&mut own) {
                    vectorised(
                        #[inline(always)]
                        || block.load(layout, partitions, scales, rows, inputs),
                    );
                }
                let own = inputs.chunks_exact_mut(layout.count * SYNTHESIS_BLOCK);
                let view = |(block, inputs)| {
                    let Block { targets, samples, .. }: &Block = block;
                    SynthesisBlock { inputs, targets, samples: *samples }
                };
                let mut views: Vec<SynthesisBlock<'_>> = task.iter().zip(own).map(view).collect();
                let found = synthesis.gradients(&mut views);
                let own = inputs.chunks_exact(layout.count * SYNTHESIS_BLOCK);
                for (block, inputs) in task.iter_mut().zip(own) {
                    vectorised(
                        #[inline(always)]
                        || block.keep(layout, partitions, inputs),
                    );
                }
                found
            };
            let found: Vec<_> = batch.par_chunks_mut(TASK).map_init(Default::default, of_task).collect();
            let mut gradient = vec![0.0; shared.len()];
            for found in &found {
                error += found.error;
                gradient.iter_mut().zip(&found.shared).for_each(|(sum, gradient)| *sum += gradient);
            }
            soap.step(shared, &gradient, schedule.network.into());
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
    step: u64,
    psnr_db: f64,
    latents: Vec<Vec<f32>>,
    shared: Vec<f32>,
    contexts: Vec<Weights>,
}

/// Moves the contexts against their gradient.
fn move_contexts(contexts: &mut Vec<Weights>, adam: &mut Adam, gradient: &[f32], rate: f32) {
    let mut weights: Vec<f32> = contexts.iter().flat_map(|weights| weights.to_array()).collect();
    adam.step(&mut weights, gradient, rate);
    let (arrays, _) = weights.as_chunks::<{ Weights::COUNT }>();
    *contexts = arrays.iter().map(|array| Weights::from_array(*array)).collect();
}

#[expect(clippy::cast_possible_truncation, reason = "the rounding is the point")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[expect(clippy::cast_possible_truncation, reason = "the rest does not matter to a hash")]
fn low_bits(x: u64) -> u32 {
    x as u32
}
