//! A held global network: what it adds to every merge, computed once for many steps.
//!
//! Global features reach the local path only through their part of the merge, `G_i K[w..]` (reference/local-global.md
//! 1.3): `local_width` numbers per sample and depth. While the global network and that part of the merge stand still,
//! a step needs these numbers and not the network: for the published picture 59 MB instead of 19 of 20 multiply-adds.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::block::{block_vectors, blocks};
use super::dense::{Addend, Weights, dense, lanes_of, pack, sines};
use super::forward::{Activations, Network};
use super::training::{Batch, tasks};
use crate::error::Error;
use crate::field::FieldSpec;

/// What the global network adds to the merges of a batch's samples, in the blocks of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Per task of a step: per block `[depths, local_width, vectors]`.
    pub(super) tasks: Vec<Vec<f32>>,
}

/// The computation of a [`Held`], cut into the tasks of a step.
#[derive(Debug)]
pub struct Holding<'a> {
    network: Network<'a>,
    /// `K[w..]`, packed.
    merge: Vec<f32>,
    batch: &'a Batch,
    tasks: Vec<Vec<(usize, Range<usize>)>>,
}

/// Bytes of a [`Held`] per sample.
pub fn held_bytes_per_sample(spec: &FieldSpec) -> u64 {
    u64::from(spec.hidden_layers + 1) * u64::from(spec.local_width) * 4
}

impl<'a> Holding<'a> {
    /// Plans it for the shared weights of a network with a global part.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a network without a global part, and where sizes do not fit.
    pub fn new(spec: &'a FieldSpec, shared: &'a [f32], batch: &'a Batch) -> Result<Self, Error> {
        spec.validate()?;
        let network = Network::new(spec, shared, &[]);
        batch.validate(&network, None)?;
        let Some(merge) = &network.merge else {
            return Err(Error::parameter("a network without a global part has nothing to hold"));
        };
        let skipped = network.local_width() * merge.outputs;
        let merge = pack(&shared[merge.weights.start + skipped..merge.weights.end], merge.outputs);
        Ok(Self { network, merge, batch, tasks: tasks(&batch.spans) })
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Runs task `index`, on any thread.
    ///
    /// # Panics
    /// If `index` is not below [`Holding::tasks`].
    pub fn run(&self, index: usize) -> Vec<f32> {
        Arch::new().dispatch(Task { holding: self, spans: &self.tasks[index] })
    }

    /// All tasks together; `results` in the order of their indices.
    pub fn finish(results: impl IntoIterator<Item = Vec<f32>>) -> Held {
        Held { tasks: results.into_iter().collect() }
    }
}

struct Task<'a> {
    holding: &'a Holding<'a>,
    spans: &'a [(usize, Range<usize>)],
}

impl WithSimd for Task<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { holding: Holding { network, merge, batch, .. }, spans } = self;
        let width = block_vectors::<S>();
        let (own, _) = batch.part(spans, None);
        let (local, global) = (network.local_width(), network.global_width());
        let mut activations = Activations::<S>::new(simd, network, false);
        let mut projected = vec![simd.splat_f32s(0.0); local * width];
        let mut features = vec![simd.splat_f32s(0.0); global * width];
        let mut next = features.clone();
        let blocks = blocks::<S>(&own.spans);
        let mut held = Vec::with_capacity(blocks.len() * network.depths() * local * width * S::F32_LANES);
        for segments in blocks {
            activations.load(&own, &segments, None);
            let used = segments.last().map_or(0, |s| s.vectors.end);
            for (depth, layer) in network.global_layers.iter().enumerate() {
                let input = if depth == 0 { &activations.inputs[..] } else { &features[..] };
                let biases = Addend::Biases(&network.shared[layer.biases.clone()]);
                let weights = Weights::Tiles(network.packed(depth));
                dense(simd, weights, biases, layer.outputs, input, &mut next, width, 0..used);
                sines(simd, &mut next, network.omega(depth));
                std::mem::swap(&mut features, &mut next);
                let weights = Weights::Tiles(merge);
                dense(simd, weights, Addend::Nothing, local, &features, &mut projected, width, 0..used);
                held.extend_from_slice(lanes_of::<S>(&projected));
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::super::training::Step;
    use super::*;
    use crate::field::{SplitMix64, initialise};
    use crate::grid::{Grid, UNIT_RANGE};

    /// Held or not, the weights that still move get the same loss and gradients; the others get none.
    #[test]
    fn a_held_network_gives_the_same_gradients() {
        let spec = FieldSpec::local_global(2, 3, 5, 9);
        let grid = Grid::new(vec![37, 21], vec![3, 2], UNIT_RANGE).unwrap();
        let field = initialise(&spec, &grid, 4).unwrap();
        let mut random = SplitMix64(5);
        let mut batch =
            Batch { inputs: 2, outputs: 3, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
        for partition in 0..6 {
            let start = batch.samples();
            for _ in 0..40 * partition + 3 {
                batch.coordinates.extend([random.uniform(1.0), random.uniform(1.0)]);
                batch.targets.extend([random.uniform(1.0), random.uniform(1.0), random.uniform(1.0)]);
            }
            batch.spans.push(start..batch.samples());
        }
        let holding = Holding::new(&spec, field.shared(), &batch).unwrap();
        let held = Holding::finish((0..holding.tasks()).map(|task| holding.run(task)));
        let full = Step::new(&spec, field.shared(), field.local(), &batch).unwrap().run_all();
        let local = Step::with_held(&spec, field.shared(), field.local(), &batch, &held).unwrap().run_all();
        assert!((full.loss - local.loss).abs() < 1e-6);
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(difference(&full.local, &local.local) < 1e-5 * largest(&full.local));
        let merge = spec.merge_layer().unwrap();
        let moving = merge.weights.start..merge.weights.start + 25;
        for range in [moving.clone(), merge.biases.clone()] {
            let (a, b) = (&full.shared[range.clone()], &local.shared[range]);
            assert!(difference(a, b) < 1e-5 * largest(a), "{a:?} {b:?}");
        }
        assert!(
            local.shared[..moving.start].iter().chain(&local.shared[moving.end..merge.weights.end]).all(|&g| g == 0.0)
        );
    }

    #[test]
    fn nothing_to_hold_and_misfits_are_refused() {
        let (spec, other) = (FieldSpec::per_partition(2, 1, 5), FieldSpec::local_global(2, 1, 5, 6));
        let batch = Batch {
            inputs: 2,
            outputs: 1,
            spans: std::iter::once(0..1).collect(),
            coordinates: vec![0.0; 2],
            targets: vec![0.0],
        };
        assert!(Holding::new(&spec, &[], &batch).is_err());
        let grid = Grid::new(vec![4, 4], vec![1, 1], UNIT_RANGE).unwrap();
        let field = initialise(&other, &grid, 1).unwrap();
        assert!(Holding::new(&other, &field.shared()[1..], &batch).is_err());
        let held = Held { tasks: vec![vec![0.0; 3]] };
        assert!(Step::with_held(&other, field.shared(), field.local(), &batch, &held).is_err());
    }
}
