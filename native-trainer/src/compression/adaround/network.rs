//! The layers of one partition's network in forward order, each on what the rounded ones before it give.

use std::sync::atomic::Ordering;

use tessera_core::codec::quantised::Network;
use tessera_core::field::{FieldSpec, Layer};

use super::blocks::{Blocks, Curve};
use super::layer::Rounding;
use super::{Learner, weight_step};
use crate::vectorised::vectorised;

/// How far from its number a weight stays, in steps; half a step is where it would be rounded to another.
const WITHIN: f32 = 0.4;

/// A network whose rounding was learned.
#[derive(Debug)]
pub(super) struct Rounded {
    /// Weights that round to what was learned, as near to the trained ones as that allows: weights in the middle between two
    /// numbers would all cross over at once when they are trained.
    pub(super) weights: Vec<f32>,
    /// By layer.
    pub(super) layers: Vec<Outcome>,
}

/// A layer of one network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Mean squared error after the activation, its weights rounded to nearest and as learned.
    pub(super) nearest: f64,
    pub(super) learned: f64,
    /// Weights that were not rounded to nearest.
    pub(super) moved: u64,
}

/// What the merge adds to the local features: its part of the global ones at every depth. Nothing without a global network.
struct Merging<'a> {
    spec: &'a FieldSpec,
    shared: &'a [f32],
    layer: Option<Layer>,
    global: Vec<Blocks>,
}

impl<'a> Merging<'a> {
    #[inline(always)]
    fn new(spec: &'a FieldSpec, shared: &'a [f32], inputs: &Blocks) -> Self {
        let mut global: Vec<Blocks> = Vec::new();
        for (depth, layer) in spec.global_layers().iter().enumerate() {
            let omega = if depth == 0 { spec.first_omega } else { spec.hidden_omega };
            global.push(global.last().unwrap_or(inputs).through(layer, shared, Curve::Sine(omega)));
        }
        Self { spec, shared, layer: spec.merge_layer(), global }
    }

    /// What the next local layer gets.
    #[inline(always)]
    fn merged(&self, features: Blocks, depth: usize) -> Blocks {
        match (&self.layer, self.global.get(depth)) {
            (Some(layer), Some(global)) => {
                features.joined(global).through(layer, self.shared, Curve::Sine(self.spec.hidden_omega))
            }
            _ => features,
        }
    }
}

impl Learner<'_> {
    /// Learns the rounding of the network in place `slot`.
    pub(super) fn network(&self, slot: usize) -> Rounded {
        vectorised(
            #[inline(always)]
            || self.network_here(slot),
        )
    }

    #[inline(always)]
    fn network_here(&self, slot: usize) -> Rounded {
        let Self { field, quantisation, .. } = *self;
        let (spec, partition, weights) = (field.spec(), field.present()[slot], field.local_of_slot(slot));
        let network = Network::new(spec, field.grid(), partition);
        let start = self.start.local(partition);
        let held = |weights: &[f32]| {
            let mut weights = weights.to_vec();
            quantisation.round_local(&network, &start, slot, &mut weights);
            weights
        };
        let inputs = Blocks::drawn(field, partition, self.seed);
        let of_field = Merging::new(spec, field.shared(), &inputs);
        let of_file = Merging::new(spec, self.shared, &inputs);
        let layers = spec.local_layers();
        let all_nearest = held(weights);
        let mut chosen = weights.to_vec();
        // What the layers get: in the field, in a file of weights rounded to nearest, and in this one.
        let (mut trained, mut plain, mut own) = (inputs.clone(), inputs.clone(), inputs);
        let (mut outcomes, mut without) = (Vec::new(), Vec::new());
        let mut last = [f64::INFINITY; 2];
        for (depth, layer) in layers.iter().enumerate() {
            let curve = Curve::of(spec, depth, layers.len());
            let targets = trained.through(layer, weights, curve);
            let nearest = own.through(layer, &held(&chosen), curve).errors(&targets);
            let before = chosen.clone();
            let step = weight_step(quantisation, slot, depth);
            if step > 0.0 && !self.stop.load(Ordering::Relaxed) {
                let centre: Vec<f32> = match depth {
                    #[expect(clippy::cast_possible_truncation, reason = "coordinates are 32-bit floats")]
                    0 => network.centre().iter().map(|&c| c as f32).collect(),
                    _ => Vec::new(),
                };
                let (shifted, biases) = around(&own, layer, weights, &all_nearest, &centre);
                let learned = Rounding {
                    start: &start[layer.weights.clone()],
                    weights: &weights[layer.weights.clone()],
                    biases: &biases,
                    step,
                    magnitude: quantisation.magnitude(),
                    curve,
                    inputs: shifted.as_ref().unwrap_or(&own),
                    targets: &targets,
                    nearest: &nearest,
                }
                .learn(self.iterations);
                let mut candidate = chosen.clone();
                let range = layer.weights.clone();
                for ((moved, weight), learned) in candidate[range.clone()].iter_mut().zip(&weights[range]).zip(&learned)
                {
                    *moved = weight.clamp(learned - WITHIN * step, learned + WITHIN * step);
                }
                compensate(&mut candidate, layer, weights, &centre);
                let errors = own.through(layer, &held(&candidate), curve).errors(&targets);
                for (unit, (error, nearest)) in errors.iter().zip(&nearest).enumerate() {
                    if error < nearest {
                        copy_unit(&mut chosen, &candidate, layer, unit);
                    }
                }
            }
            let rounded = held(&chosen);
            let out = own.through(layer, &rounded, curve);
            let errors = out.errors(&targets);
            let of_plain = plain.through(layer, &all_nearest, curve);
            let plain_error = mean(&of_plain.errors(&targets));
            let range = layer.weights.clone();
            let moved = rounded[range.clone()].iter().zip(&held(&before)[range]).filter(|(a, b)| a != b).count();
            outcomes.push(Outcome { nearest: mean(&nearest), learned: mean(&errors), moved: moved as u64 });
            without.push(Outcome { nearest: plain_error, learned: plain_error, moved: 0 });
            last = [mean(&errors), plain_error];
            trained = of_field.merged(targets, depth);
            plain = of_file.merged(of_plain, depth);
            own = of_file.merged(out, depth);
        }
        // Every layer comes nearer to its own target, and the network should come nearer to its values.
        if last[0] < last[1] {
            Rounded { weights: chosen, layers: outcomes }
        } else {
            Rounded { weights: weights.to_vec(), layers: without }
        }
    }
}

/// Inputs and biases for learning a layer. First biases make up for their weights at the centre of the partition, so weights are
/// learned on coordinates from there; all other biases are rounded to nearest.
fn around(
    inputs: &Blocks,
    layer: &Layer,
    weights: &[f32],
    nearest: &[f32],
    centre: &[f32],
) -> (Option<Blocks>, Vec<f32>) {
    if centre.is_empty() {
        return (None, nearest[layer.biases.clone()].to_vec());
    }
    let mut biases = weights[layer.biases.clone()].to_vec();
    for (row, centre) in weights[layer.weights.clone()].chunks_exact(layer.outputs).zip(centre) {
        biases.iter_mut().zip(row).for_each(|(bias, weight)| *bias += weight * centre);
    }
    (Some(inputs.clone().shifted(centre)), biases)
}

/// Moves first biases by what was done to first weights, at the centre.
fn compensate(network: &mut [f32], layer: &Layer, weights: &[f32], centre: &[f32]) {
    for (input, centre) in centre.iter().enumerate() {
        for unit in 0..layer.outputs {
            let place = layer.weights.start + input * layer.outputs + unit;
            network[layer.biases.start + unit] += (weights[place] - network[place]) * centre;
        }
    }
}

fn copy_unit(to: &mut [f32], from: &[f32], layer: &Layer, unit: usize) {
    let weights = (layer.weights.start + unit..layer.weights.end).step_by(layer.outputs);
    for place in weights.chain([layer.biases.start + unit]) {
        to[place] = from[place];
    }
}

#[expect(clippy::cast_precision_loss, reason = "a width")]
fn mean(errors: &[f64]) -> f64 {
    errors.iter().sum::<f64>() / errors.len().max(1) as f64
}
