//! The synthesis network's own weights: how they begin, and as a file has them.

use tessera_core::field::{FieldSpec, SplitMix64};

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
