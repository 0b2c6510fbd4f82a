//! The synthesis network's own weights: how they begin, and as a file has them; and how contexts move.

use tessera_core::field::{FieldSpec, SplitMix64};

const BETAS: (f32, f32) = (0.9, 0.99);

/// Start weights for values from 0 to 1: the values of all levels show as they are, and hidden features add a little.
pub(super) fn start(spec: &FieldSpec, seed: u64, contrast: f32) -> Vec<f32> {
    let layers = spec.shared_layers();
    let mut random = SplitMix64(seed);
    let mut shared = vec![0.0; layers.last().map_or(0, |layer| layer.biases.end)];
    let Some((last, hidden)) = layers.split_last() else { return shared };
    for layer in hidden {
        let bound = 1.6 / root(layer.inputs);
        shared[layer.weights.clone()].fill_with(|| random.uniform(bound));
        shared[layer.biases.clone()].fill_with(|| random.uniform(0.3));
    }
    let (width, levels) = (spec.global_width as usize, spec.local_width as usize);
    let (seen, features) = shared[last.weights.clone()].split_at_mut((last.inputs - width) * last.outputs);
    seen[..levels * last.outputs].fill(contrast.recip());
    features.fill_with(|| random.uniform(0.3 / root(width)));
    shared[last.biases.clone()].fill(0.5);
    shared
}

/// The same network for values from -1 to 1.
pub(super) fn signed(spec: &FieldSpec, shared: &[f32]) -> Vec<f32> {
    let mut shared = shared.to_vec();
    if let Some(last) = spec.shared_layers().last() {
        shared[last.weights.clone()].iter_mut().for_each(|weight| *weight *= 2.0);
        shared[last.biases.clone()].iter_mut().for_each(|bias| *bias = 2.0 * *bias - 1.0);
    }
    shared
}

#[expect(clippy::cast_precision_loss, reason = "a width")]
fn root(inputs: usize) -> f32 {
    (inputs.max(1) as f32).sqrt()
}

/// Adam with betas of its own, for contexts.
#[derive(Debug, Clone)]
pub(super) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub(super) fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    pub(super) fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f32) {
        self.steps = self.steps.saturating_add(1);
        let (one, two) = BETAS;
        let (rate, root) = (rate / (1.0 - one.powi(self.steps)), 1.0 / (1.0 - two.powi(self.steps)));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            *first += (gradient - *first) * (1.0 - one);
            *second += (gradient * gradient - *second) * (1.0 - two);
            *weight -= rate * *first / ((*second * root).sqrt() + 1e-9);
        }
    }
}
