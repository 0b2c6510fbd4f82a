//! burn's Adam on the two weight arrays of a field.
//!
//! The bare rule instead of burn's `ModuleOptimizer`, because its moments are then plain tensors that a checkpoint can
//! hold next to the weights, and gradients may come from either engine.

use burn::optim::{AdamConfig, AdamState, AdaptiveMomentumState, Optimizer};
use burn::tensor::Tensor;
use tessera_core::module::{FieldModule, read, rows_of, vector};

use super::{Gradients, TrainingError};

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
        let rule = AdamConfig::new().with_beta_1(0.9).with_beta_2(0.999).with_epsilon(1e-8).build();
        Self { rule, learning_rate, shared: None, local: None }
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

fn arrays<const D: usize>(state: &AdaptiveMomentumState<D>) -> Result<(Vec<f32>, Vec<f32>), TrainingError> {
    let values = |tensor: &Tensor<D>| read(tensor.clone());
    Ok((values(&state.moment_1)?, values(&state.moment_2)?))
}
