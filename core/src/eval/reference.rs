//! The scalar decoder: one sample at a time, straight from the formulas (reference/local-global.md 1.1 to 1.3,
//! reference/inr-compression.md 3).
//!
//! It is slow on purpose. The other engines are tested against it.

use super::sine::sin;
use super::{View, blend};
use crate::error::Error;
use crate::field::latents::{Input, Taps, taps};
use crate::field::{Activation, Field, FieldSpec, LEAK, Layer};
use crate::signal::ABSENT;

/// Evaluates `field` at every position of `view`: `[samples * channels]`, row-major, [`ABSENT`] where the owning
/// partition has no network.
///
/// # Errors
/// [`Error::Parameter`] or [`Error::Limit`] for a view that does not suit the field.
pub fn decode(field: &Field, view: &View) -> Result<Vec<f32>, Error> {
    if field.blend().is_empty() { plain(field, view) } else { blend::decode(field, view, plain) }
}

fn plain(field: &Field, view: &View) -> Result<Vec<f32>, Error> {
    let axes = view.resolve(field.grid())?;
    let channels = field.spec().outputs as usize;
    let mut out = Vec::with_capacity(view.samples() * channels);
    let shape = view.shape();
    for sample in 0..view.samples() {
        let mut rest = sample;
        let mut places = vec![0; shape.len()];
        for (place, &n) in places.iter_mut().zip(&shape).rev() {
            *place = rest % n;
            rest /= n;
        }
        let positions: Vec<f64> = places.iter().zip(&axes).map(|(&p, axis)| axis.positions[p]).collect();
        let coordinates: Vec<f32> = places.iter().zip(&axes).map(|(&p, axis)| axis.coordinates[p]).collect();
        let owner: Vec<u32> = places.iter().zip(&axes).map(|(&p, axis)| axis.owners[p]).collect();
        let local = field.grid().ravel(&owner).and_then(|partition| field.local_of(partition));
        match local {
            Some(latents) if field.spec().pyramid().is_some() => {
                let bounds: Vec<_> =
                    owner.iter().enumerate().map(|(axis, &index)| field.grid().axis_range(axis, index)).collect();
                out.extend(synthesise(field.spec(), field.shared(), latents, &bounds, &positions));
            }
            Some(local) => out.extend(evaluate(field.spec(), field.shared(), local, &coordinates)),
            None => out.extend(std::iter::repeat_n(ABSENT, channels)),
        }
    }
    Ok(out)
}

/// One sample: `shared` and `local` weights in the layouts of [`Field`], `coordinates` `[inputs]`; returns `[outputs]`.
pub fn evaluate(spec: &FieldSpec, shared: &[f32], local: &[f32], coordinates: &[f32]) -> Vec<f32> {
    let local_layers = spec.local_layers();
    let global_layers = spec.global_layers();
    let merge = spec.merge_layer();
    let (last, sines) = local_layers.split_last().expect("a network has a last layer");
    let mut features = spec.encoding.encode(coordinates);
    let mut global = features.clone();
    for (depth, layer) in sines.iter().enumerate() {
        let omega = if depth == 0 { spec.first_omega } else { spec.hidden_omega };
        features = active_layer(spec, layer, local, &features, omega);
        if let Some(merge) = &merge {
            global = active_layer(spec, &global_layers[depth], shared, &global, omega);
            let joined = [features.as_slice(), global.as_slice()].concat();
            features = active_layer(spec, merge, shared, &joined, spec.hidden_omega);
        }
    }
    linear(last, local, &features)
}

/// One sample of a field of latents at `positions`, in the partition of `bounds`, both per axis: `[outputs]`.
pub fn synthesise(
    spec: &FieldSpec,
    shared: &[f32],
    latents: &[f32],
    bounds: &[std::ops::Range<u32>],
    positions: &[f64],
) -> Vec<f32> {
    let Some(pyramid) = spec.pyramid() else { return Vec::new() };
    let levels = pyramid.levels(spec.inputs);
    let of_input = |input: &Input| {
        let level = &levels[input.level];
        let along = bounds.iter().zip(positions);
        let taps: Vec<Taps> = along.map(|(range, &position)| taps(range, level.exponent, position)).collect();
        level.at(latents, input, &taps)
    };
    let inputs: Vec<f32> = pyramid.inputs(spec.inputs).iter().map(of_input).collect();
    let layers = spec.shared_layers();
    let (last, hidden) = layers.split_last().expect("a network has a last layer");
    let features = hidden.iter().fold(inputs.clone(), |x, layer| active_layer(spec, layer, shared, &x, 1.0));
    linear(last, shared, &[inputs, features].concat())
}

fn active_layer(spec: &FieldSpec, layer: &Layer, weights: &[f32], inputs: &[f32], omega: f32) -> Vec<f32> {
    let mut values = linear(layer, weights, inputs);
    for value in &mut values {
        *value = match spec.activation {
            Activation::Sine => sin(omega * *value),
            Activation::Relu => value.max(0.0),
            Activation::LeakyRelu => value.max(LEAK * *value),
        };
    }
    values
}

fn linear(layer: &Layer, weights: &[f32], inputs: &[f32]) -> Vec<f32> {
    let matrix = &weights[layer.weights.clone()];
    let mut out = weights[layer.biases.clone()].to_vec();
    for (x, row) in inputs.iter().zip(matrix.chunks_exact(layer.outputs)) {
        for (sum, w) in out.iter_mut().zip(row) {
            *sum += x * w;
        }
    }
    out
}
