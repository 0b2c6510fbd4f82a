//! burn's Adam on the two weight arrays of a field.
//!
//! The bare rule instead of burn's `ModuleOptimizer`, because its moments are then plain tensors that a checkpoint can
//! hold next to the weights, and gradients may come from either engine.

use burn::optim::{AdamConfig, AdamState, AdaptiveMomentumState, Optimizer};
use burn::tensor::Tensor;
use tessera_core::module::{FieldModule, read, rows_of, vector};

use super::{Gradients, TrainingError};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Adam with the published constants: betas 0.9 and 0.999, epsilon 1e-8 (reference/local-global.md 3).
#[derive(Clone)]
pub struct Adam {
    rule: burn::optim::Adam,
    learning_rate: f64,
    shared: Option<AdamState<1>>,
    local: Option<AdamState<2>>,
}

impl std::fmt::Debug for Adam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adam").field("learning_rate", &self.learning_rate).finish_non_exhaustive()
    }
}

/// Both moments of every weight as plain arrays, in the layouts of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// First moments of the shared weights.
    pub shared_first: Vec<f32>,
    /// Second moments of the shared weights.
    pub shared_second: Vec<f32>,
    /// First moments of the local weights.
    pub local_first: Vec<f32>,
    /// Second moments of the local weights.
    pub local_second: Vec<f32>,
}

impl Adam {
    /// The rule before its first step.
    pub fn new(learning_rate: f64) -> Self {
        let rule = AdamConfig::new().with_beta_1(BETA_1).with_beta_2(BETA_2).with_epsilon(EPSILON).build();
        Self { rule, learning_rate, shared: None, local: None }
    }

    /// The rate of the following steps.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// One update of `module`'s weights.
    #[must_use]
    pub fn step(&mut self, module: &FieldModule, gradients: Gradients) -> FieldModule {
        let shared = match (module.shared(), gradients.shared) {
            (Some(weights), Some(gradient)) => {
                let (weights, state) = self.rule.step(self.learning_rate, weights, gradient, self.shared.take());
                self.shared = state;
                Some(weights)
            }
            (weights, _) => weights,
        };
        let (local, state) = self.rule.step(self.learning_rate, module.local(), gradients.local, self.local.take());
        self.local = state;
        module.with_tensors(shared, local)
    }

    /// The moments; empty before the first step.
    ///
    /// # Errors
    /// [`TrainingError::Core`] where the device does not return them.
    pub fn moments(&self) -> Result<Moments, TrainingError> {
        let mut moments = Moments::default();
        if let Some(state) = &self.shared {
            (moments.shared_first, moments.shared_second) = arrays(&state.momentum)?;
        }
        if let Some(state) = &self.local {
            (moments.local_first, moments.local_second) = arrays(&state.momentum)?;
        }
        Ok(moments)
    }

    /// Continues after `steps` updates of `module`, which left `moments`.
    pub fn restore(&mut self, module: &FieldModule, steps: usize, moments: Moments) {
        if steps == 0 {
            return;
        }
        let device = module.local().device();
        let [rows, _] = module.local().dims();
        let vector = |values| vector(values, &device);
        self.shared = module.shared().map(|_| {
            let (first, second) = (vector(moments.shared_first), vector(moments.shared_second));
            AdamState::new(AdaptiveMomentumState::new(steps, first, second))
        });
        let rows_of = |values| rows_of(values, rows, &device);
        let (first, second) = (rows_of(moments.local_first), rows_of(moments.local_second));
        self.local = Some(AdamState::new(AdaptiveMomentumState::new(steps, first, second)));
    }
}

/// Adam on one plain array, with a rate per call: the rule of [`Adam`] in one pass over the weights.
///
/// burn's rule takes a dozen passes over tensors, with a few microseconds of overhead each. That is nothing beside a full
/// step, but as much as a whole step of local networks on a small picture.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedAdam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl FusedAdam {
    /// For `weights` weights, before the first step.
    pub fn new(weights: usize) -> Self {
        Self { first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    /// Goes on after `steps` steps.
    pub fn restored(first: Vec<f32>, second: Vec<f32>, steps: u64) -> Self {
        Self { first, second, steps: i32::try_from(steps).unwrap_or(i32::MAX) }
    }

    /// First and second moments.
    pub fn moments(&self) -> (&[f32], &[f32]) {
        (&self.first, &self.second)
    }

    /// Moves `weights` by one step against `gradient`.
    pub fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(self.steps);
        #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats")]
        let (rate, root) = ((rate / correction(BETA_1)) as f32, (1.0 / correction(BETA_2)).sqrt() as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, &g), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            *first = BETA_1 * *first + (1.0 - BETA_1) * g;
            *second = BETA_2 * *second + (1.0 - BETA_2) * g * g;
            *weight -= rate * *first / (second.sqrt() * root + EPSILON);
        }
    }
}

fn arrays<const D: usize>(state: &AdaptiveMomentumState<D>) -> Result<(Vec<f32>, Vec<f32>), TrainingError> {
    let values = |tensor: &Tensor<D>| read(tensor.clone());
    Ok((values(&state.moment_1)?, values(&state.moment_2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use tessera_core::field::{FieldSpec, SplitMix64, initialise};
    use tessera_core::grid::{Grid, UNIT_RANGE};

    #[test]
    fn the_fused_rule_is_the_rule() {
        let grid = Grid::new(vec![8, 8], vec![2, 1], UNIT_RANGE).unwrap();
        let field = initialise(&FieldSpec::per_partition(2, 1, 3), &grid, 1).unwrap();
        let device = Device::flex();
        let mut module = FieldModule::from_field(&field, &device);
        let mut weights = field.local().to_vec();
        let (mut adam, mut fused) = (Adam::new(1e-2), FusedAdam::new(weights.len()));
        let mut random = SplitMix64(4);
        for step in 0..20 {
            let gradient: Vec<f32> =
                weights.iter().map(|_| random.uniform(if step == 7 { 1e-6 } else { 1.0 })).collect();
            fused.step(&mut weights, &gradient, 1e-2);
            module = adam.step(&module, Gradients { shared: None, local: rows_of(gradient, 2, &device) });
        }
        let (_, wanted) = module.to_arrays().unwrap();
        for (a, b) in weights.iter().zip(&wanted) {
            assert!((a - b).abs() < 1e-6, "{a} and {b}");
        }
    }
}
