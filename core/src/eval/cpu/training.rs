//! Loss and gradients of a batch, in tasks that any number of threads may run in any order.
//!
//! The loss is the mean over samples and channels of the squared error. Results do not depend on the threads: the
//! tasks are fixed by the batch, and their gradients are added in the order of the tasks.

use std::borrow::Cow;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::block::{Samples, block_vectors, blocks};
use super::dense::{lanes_of, lanes_of_mut};
pub use super::encoded::EncodedBatch;
use super::folded::FirstLayer;
use super::forward::{Activations, Network, forward};
use super::gradient::{Deltas, Gradients, Padded, TurnedShared, backward};
pub use super::held::{Held, Holding, held_bytes_per_sample};
use crate::error::Error;
use crate::field::{Encoding, FieldSpec};

/// Samples per task; more tasks would only add partial gradients to sum.
const TASK_SAMPLES: usize = 1 << 13;

/// Samples with targets, grouped by partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Coordinates per sample.
    pub inputs: usize,
    /// Channels per sample.
    pub outputs: usize,
    /// The samples of each local network, in the order of the local weights: contiguous, ascending, possibly empty.
    pub spans: Vec<Range<usize>>,
    /// `[samples, inputs]`.
    pub coordinates: Vec<f32>,
    /// `[samples, outputs]`.
    pub targets: Vec<f32>,
}

impl Batch {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.targets.len() / self.outputs.max(1)
    }

    /// Checks it against a network and, where they are known, the number of local weights.
    pub(super) fn validate(&self, network: &Network<'_>, local: Option<usize>) -> Result<(), Error> {
        let mut end = 0;
        for span in &self.spans {
            if span.start != end || span.end < span.start {
                return Err(Error::parameter("the spans of a batch must be contiguous"));
            }
            end = span.end;
        }
        let fits = self.inputs == network.spec.inputs as usize
            && self.outputs == network.spec.outputs as usize
            && self.coordinates.len() == end * self.inputs
            && self.targets.len() == end * self.outputs
            && local.is_none_or(|local| local == self.spans.len() * network.local_size())
            && network.shared.len() as u64 == network.spec.shared_parameters();
        if !fits || end == 0 {
            return Err(Error::parameter(format!(
                "a batch of {end} samples and {} partitions does not suit the network and its weights",
                self.spans.len()
            )));
        }
        Ok(())
    }

    /// The samples of a task, with spans that begin at zero, and their targets.
    pub(super) fn part(&self, spans: &[(usize, Range<usize>)], encoded: Option<&EncodedBatch>) -> (Samples, &[f32]) {
        let first = spans.first().map_or(0, |(_, s)| s.start);
        let end = spans.last().map_or(0, |(_, s)| s.end);
        let samples = Samples {
            inputs: self.inputs,
            coordinates: self.coordinates[first * self.inputs..end * self.inputs].to_vec(),
            spans: spans.iter().map(|(slot, s)| (*slot, s.start - first..s.end - first)).collect(),
            places: encoded.map_or_else(Vec::new, |e| e.places.iter().map(|axis| axis[first..end].to_vec()).collect()),
        };
        (samples, &self.targets[first * self.outputs..end * self.outputs])
    }
}

/// Loss and gradients by all weights.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAndGradients {
    /// Mean squared error over samples and channels.
    pub loss: f64,
    /// By the shared weights, in their layout.
    pub shared: Vec<f32>,
    /// By the local weights, in their layout.
    pub local: Vec<f32>,
}

/// A part of a step: computed by [`Step::run`], on any thread.
#[derive(Debug)]
pub struct TaskResult {
    squared_error: f64,
    shared: Vec<f32>,
    slots: Range<usize>,
    local: Vec<f32>,
}

/// One evaluation of loss and gradients, cut into tasks.
#[derive(Debug)]
pub struct Step<'a> {
    network: Network<'a>,
    shared_turned: TurnedShared,
    batch: &'a Batch,
    held: Option<&'a Held>,
    encoded: Option<Cow<'a, EncodedBatch>>,
    tasks: Vec<Vec<(usize, Range<usize>)>>,
    samples: usize,
}

impl<'a> Step<'a> {
    /// Plans the step of `batch` for a network with these weights (layouts of [`crate::field::Field`]).
    ///
    /// # Errors
    /// [`Error::Parameter`] where sizes do not fit.
    pub fn new(spec: &'a FieldSpec, shared: &'a [f32], local: &'a [f32], batch: &'a Batch) -> Result<Self, Error> {
        let encoded = EncodedBatch::new(spec, batch)?.map(Cow::Owned);
        Self::of_network(Network::new(spec, shared, local), local, batch, encoded, None)
    }

    /// The same for a batch whose coordinates were encoded before, by [`EncodedBatch::new`] for this encoding.
    ///
    /// # Errors
    /// [`Error::Parameter`] where sizes do not fit, or for coordinates of another encoding.
    pub fn with_encoded(
        spec: &'a FieldSpec,
        shared: &'a [f32],
        local: &'a [f32],
        batch: &'a Batch,
        encoded: Option<&'a EncodedBatch>,
    ) -> Result<Self, Error> {
        spec.validate()?;
        let suits = encoded.map_or(spec.encoding == Encoding::Mlp, |encoded| encoded.suits(&spec.encoding, batch));
        if !suits {
            return Err(Error::parameter("the encoded coordinates belong to another batch or another encoding"));
        }
        Self::of_network(Network::new(spec, shared, local), local, batch, encoded.map(Cow::Borrowed), None)
    }

    /// The same with a global network that is held: gradients by its weights and by its part of the merge are zero.
    ///
    /// `held` must come from these shared weights and this batch; the rest of the merge may have moved since.
    ///
    /// # Errors
    /// [`Error::Parameter`] where sizes do not fit.
    pub fn with_held(
        spec: &'a FieldSpec,
        shared: &'a [f32],
        local: &'a [f32],
        batch: &'a Batch,
        held: &'a Held,
    ) -> Result<Self, Error> {
        spec.validate()?;
        Self::of_network(Network::held(spec, shared, local), local, batch, None, Some(held))
    }

    fn of_network(
        network: Network<'a>,
        local: &[f32],
        batch: &'a Batch,
        encoded: Option<Cow<'a, EncodedBatch>>,
        held: Option<&'a Held>,
    ) -> Result<Self, Error> {
        batch.validate(&network, Some(local.len()))?;
        let tasks = tasks(&batch.spans);
        if let Some(held) = held {
            let numbers = network.depths() * network.local_width();
            let fits = |(held, spans): (&Vec<f32>, &Vec<(usize, Range<usize>)>)| {
                held.len() == numbers * Arch::new().dispatch(BlockLanes(spans))
            };
            if held.tasks.len() != tasks.len() || !held.tasks.iter().zip(&tasks).all(fits) {
                return Err(Error::parameter("what is held of the global network belongs to another batch"));
            }
        }
        let shared_turned = TurnedShared::new(&network);
        Ok(Self { network, shared_turned, batch, held, encoded, tasks, samples: batch.samples() })
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Runs task `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Step::tasks`].
    pub fn run(&self, index: usize) -> TaskResult {
        let held = self.held.map(|held| &held.tasks[index][..]);
        Arch::new().dispatch(Task { step: self, spans: &self.tasks[index], held })
    }

    /// Adds up all tasks; `results` in the order of their indices.
    pub fn finish(&self, results: impl IntoIterator<Item = TaskResult>) -> LossAndGradients {
        let size = self.network.local_size();
        let mut total = LossAndGradients {
            loss: 0.0,
            shared: vec![0.0; self.network.shared.len()],
            local: vec![0.0; self.batch.spans.len() * size],
        };
        for task in results {
            total.loss += task.squared_error;
            total.shared.iter_mut().zip(&task.shared).for_each(|(t, g)| *t += g);
            let local = &mut total.local[task.slots.start * size..task.slots.end * size];
            local.iter_mut().zip(&task.local).for_each(|(t, g)| *t += g);
        }
        total.loss /= (self.samples * self.batch.outputs) as f64;
        total
    }

    /// All tasks on this thread.
    pub fn run_all(&self) -> LossAndGradients {
        self.finish((0..self.tasks()).map(|index| self.run(index)))
    }
}

/// Consecutive spans of about [`TASK_SAMPLES`] samples; a larger span is split.
pub(super) fn tasks(spans: &[Range<usize>]) -> Vec<Vec<(usize, Range<usize>)>> {
    let mut tasks: Vec<Vec<(usize, Range<usize>)>> = Vec::new();
    let mut current = Vec::new();
    let mut filled = 0;
    for (slot, span) in spans.iter().enumerate() {
        let mut start = span.start;
        while start < span.end {
            let end = span.end.min(start + TASK_SAMPLES - filled);
            current.push((slot, start..end));
            filled += end - start;
            start = end;
            if filled == TASK_SAMPLES {
                tasks.push(std::mem::take(&mut current));
                filled = 0;
            }
        }
    }
    if !current.is_empty() {
        tasks.push(current);
    }
    tasks
}

/// Lanes of all blocks of a task, of which padding is a part.
struct BlockLanes<'a>(&'a [(usize, Range<usize>)]);

impl WithSimd for BlockLanes<'_> {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        blocks::<S>(self.0).len() * block_vectors::<S>() * S::F32_LANES
    }
}

struct Task<'a> {
    step: &'a Step<'a>,
    spans: &'a [(usize, Range<usize>)],
    held: Option<&'a [f32]>,
}

impl WithSimd for Task<'_> {
    type Output = TaskResult;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> TaskResult {
        let Self { step: Step { network, shared_turned, batch, samples, encoded, .. }, spans, held } = self;
        let encoded = encoded.as_deref();
        let (lanes, width) = (S::F32_LANES, block_vectors::<S>());
        let outputs = batch.outputs;
        let slots = spans.first().map_or(0, |(slot, _)| *slot)..spans.last().map_or(0, |(slot, _)| slot + 1);
        let (own, targets) = batch.part(spans, encoded);

        let shared_layers = network.global_layers.iter().chain(&network.merge).cloned().collect();
        let mut shared = Padded::new(simd, shared_layers);
        let mut local = Padded::new(simd, network.local_layers.clone());
        let mut dense_local = vec![0.0; slots.len() * network.local_size()];
        let mut slot = None;
        let mut activations = Activations::new(simd, network, true);
        let mut deltas = Deltas::new(simd, network);
        #[expect(clippy::cast_precision_loss, reason = "a gradient's scale needs no more digits")]
        let scale = 2.0 / (samples * outputs) as f32;
        let mut squared_error = 0.0;
        let mut gradients = Gradients {
            shared: &mut shared,
            local: &mut local,
            slot: &mut slot,
            first_slot: slots.start,
            dense_local: &mut dense_local,
        };
        let tables = encoded.map(|encoded| &encoded.tables);
        let mut first = FirstLayer::of(simd, network, tables, &own);
        let floats = network.depths() * network.local_width() * width * lanes;
        for (block, segments) in blocks::<S>(&own.spans).into_iter().enumerate() {
            activations.load(&own, &segments, tables);
            let held = held.map(|held| &held[block * floats..][..floats]);
            forward(simd, network, &segments, held, first.as_mut(), &mut activations);
            let rows = activations.output.chunks_exact(width).zip(deltas.output.chunks_exact_mut(width));
            for (channel, (row, delta)) in rows.enumerate() {
                let (row, delta) = (lanes_of::<S>(row), lanes_of_mut::<S>(delta));
                delta.fill(0.0);
                for segment in &segments {
                    let lane = segment.vectors.start * lanes;
                    let wanted = &targets[segment.samples.start * outputs..segment.samples.end * outputs];
                    let wanted = wanted[channel..].iter().step_by(outputs);
                    for ((d, &y), &t) in delta[lane..].iter_mut().zip(&row[lane..]).zip(wanted) {
                        let error = y - t;
                        squared_error += f64::from(error) * f64::from(error);
                        *d = error * scale;
                    }
                }
            }
            let first = first.as_mut();
            backward(simd, network, shared_turned, &segments, first, &activations, &mut deltas, &mut gradients);
        }
        gradients.leave(simd, network.local_size());
        if let Some(first) = &mut first {
            first.leave(simd, network, gradients.first_slot, gradients.dense_local);
        }
        let mut dense_shared = vec![0.0; network.shared.len()];
        shared.drain_into(simd, &mut dense_shared);
        TaskResult { squared_error, shared: dense_shared, slots, local: dense_local }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::reference;
    use crate::field::{Activation, Field, SplitMix64, initialise};
    use crate::grid::{Grid, UNIT_RANGE};

    fn batch_of(field: &Field, random: &mut SplitMix64) -> Batch {
        let grid = field.grid();
        let (inputs, outputs) = (grid.axes(), field.spec().outputs as usize);
        let mut batch = Batch { inputs, outputs, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
        for partition in 0..grid.partitions() {
            let start = batch.samples();
            for index in grid.partition_sample_indices(partition) {
                let columns = u64::from(grid.shape()[1]);
                batch.coordinates.push(grid.coordinate(0, (index / columns) as f64));
                batch.coordinates.push(grid.coordinate(1, (index % columns) as f64));
                batch.targets.extend((0..outputs).map(|_| random.uniform(1.0)));
            }
            batch.spans.push(start..batch.samples());
        }
        batch
    }

    fn loss_in_f64(field: &Field, batch: &Batch) -> f64 {
        let mut sum = 0.0;
        for (slot, span) in batch.spans.iter().enumerate() {
            for s in span.clone() {
                let x = &batch.coordinates[s * batch.inputs..][..batch.inputs];
                let y = reference::evaluate(field.spec(), field.shared(), field.local_of_slot(slot), x);
                let t = &batch.targets[s * batch.outputs..];
                sum += y.iter().zip(t).map(|(y, t)| (f64::from(*y) - f64::from(*t)).powi(2)).sum::<f64>();
            }
        }
        sum / (batch.samples() * batch.outputs) as f64
    }

    fn with(encoding: Encoding, activation: Activation) -> FieldSpec {
        FieldSpec { encoding, activation, ..FieldSpec::per_partition(2, 2, 6) }
    }

    /// Coordinates that were encoded before give the same bits, and only those of the same network and batch do.
    #[test]
    fn encoded_batches_serve_many_steps() {
        let spec = with(Encoding::Nerf { scale: 1.4, frequencies: 3 }, Activation::Sine);
        let grid = Grid::new(vec![11, 7], vec![3, 2], UNIT_RANGE).unwrap();
        let field = initialise(&spec, &grid, 1).unwrap();
        let batch = batch_of(&field, &mut SplitMix64(5));
        let encoded = EncodedBatch::new(&spec, &batch).unwrap();
        let (shared, local) = (field.shared(), field.local());
        let before = Step::with_encoded(&spec, shared, local, &batch, encoded.as_ref()).unwrap().run_all();
        assert_eq!(before, Step::new(&spec, shared, local, &batch).unwrap().run_all());
        assert!(Step::with_encoded(&spec, shared, local, &batch, None).is_err());
        let other = FieldSpec { encoding: Encoding::Nerf { scale: 1.5, frequencies: 3 }, ..spec };
        assert!(Step::with_encoded(&other, shared, local, &batch, encoded.as_ref()).is_err());
        let plain = FieldSpec::per_partition(2, 2, 6);
        assert_eq!(EncodedBatch::new(&plain, &batch).unwrap(), None);
    }

    /// Central differences of the scalar reference, for every model and for partitions of unequal sizes.
    #[test]
    fn gradients_match_finite_differences() {
        for base in [
            FieldSpec::local_global(2, 3, 5, 7),
            FieldSpec::per_partition(2, 2, 6),
            FieldSpec { hidden_layers: 0, ..FieldSpec::local_global(2, 1, 3, 4) },
            with(Encoding::Nerf { scale: 1.4, frequencies: 3 }, Activation::Sine),
            with(Encoding::Positional { scale: 1.5, frequencies: 2 }, Activation::Sine),
            with(Encoding::Gauss { scale: 0.5, frequencies: 5, seed: 3 }, Activation::Sine),
            with(Encoding::Nerf { scale: 1.4, frequencies: 3 }, Activation::Relu),
        ] {
            // A small omega keeps the third derivative, hence the differences' error, small.
            let spec = FieldSpec { first_omega: 3.0, hidden_omega: 3.0, ..base };
            let grid = Grid::new(vec![11, 7], vec![3, 2], UNIT_RANGE).unwrap();
            let mut random = SplitMix64(5);
            let field = initialise(&spec, &grid, 1).unwrap();
            let batch = batch_of(&field, &mut random);
            let step = Step::new(&spec, field.shared(), field.local(), &batch).unwrap().run_all();
            assert!((step.loss - loss_in_f64(&field, &batch)).abs() < 1e-6);
            let total = field.shared().len() + field.local().len();
            for _ in 0..150 {
                let index = usize::try_from(random.below(total as u64)).unwrap();
                let moved = |by: f32| {
                    let (mut shared, mut local) = (field.shared().to_vec(), field.local().to_vec());
                    match index.checked_sub(shared.len()) {
                        Some(i) => local[i] += by,
                        None => shared[index] += by,
                    }
                    loss_in_f64(&field.with_weights(shared, local).unwrap(), &batch)
                };
                let h = 4e-3;
                let numeric = (moved(h) - moved(-h)) / (2.0 * f64::from(h));
                let analytic = f64::from(*step.shared.iter().chain(&step.local).nth(index).unwrap());
                assert!((numeric - analytic).abs() < 2e-4 + 5e-3 * analytic.abs(), "{index}: {numeric} and {analytic}");
            }
        }
    }

    #[test]
    fn a_split_partition_gives_the_same_gradient() {
        let plain = FieldSpec::siren(2, 1, 8);
        let encoding = Encoding::Nerf { scale: 1.4, frequencies: 8 };
        for spec in [plain.clone(), FieldSpec { encoding, ..plain }] {
            let grid = Grid::new(vec![150, 150], vec![1, 1], UNIT_RANGE).unwrap();
            let field = initialise(&spec, &grid, 1).unwrap();
            let batch = batch_of(&field, &mut SplitMix64(2));
            let step = Step::new(&spec, field.shared(), field.local(), &batch).unwrap();
            assert!(step.tasks() > 1);
            let total = step.run_all();
            let reversed: Vec<TaskResult> = (0..step.tasks()).rev().map(|i| step.run(i)).collect();
            assert_eq!(total, step.finish(reversed.into_iter().rev()));
            assert!((total.loss - loss_in_f64(&field, &batch)).abs() < 1e-6);
        }
    }

    #[test]
    fn unfit_batches_are_refused() {
        let spec = FieldSpec::siren(2, 1, 8);
        let grid = Grid::new(vec![5, 5], vec![1, 1], UNIT_RANGE).unwrap();
        let field = initialise(&spec, &grid, 1).unwrap();
        let mut batch = batch_of(&field, &mut SplitMix64(2));
        batch.targets.pop();
        assert!(Step::new(&spec, field.shared(), field.local(), &batch).is_err());
    }
}
