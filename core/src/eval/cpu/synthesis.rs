//! The synthesis network of latents in training: squared errors and their gradients, over blocks of samples.
//!
//! A caller brings what the network sees of the latents of a block, and gets the gradient by that in its place. That and what
//! the latents of a partition cost is the caller's, so that one step may visit any blocks.

use pulp::{Arch, Simd, WithSimd};

use super::BLOCK;
use super::block::block_vectors;
use super::dense::{Addend, Weights, dense, lanes_of, lanes_of_mut, pack, rectified_and_slopes};
use super::gradient::{Padded, multiply, turn_weights, weight_gradient};
use crate::error::Error;
use crate::field::{FieldSpec, LEAK, Layer};

/// Samples of a block at most; rows of [`SynthesisBlock`] are so long.
pub const SYNTHESIS_BLOCK: usize = BLOCK;

/// Up to [`SYNTHESIS_BLOCK`] samples.
#[derive(Debug)]
pub struct SynthesisBlock<'a> {
    /// What the network sees of the latents, `[inputs, SYNTHESIS_BLOCK]`; their gradients afterwards. What lies beyond `samples` does not matter.
    pub inputs: &'a mut [f32],
    /// What the network is to give, `[channels, SYNTHESIS_BLOCK]`.
    pub targets: &'a [f32],
    /// How many there are.
    pub samples: usize,
}

/// What blocks come to.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthesisGradients {
    /// Sum of squared errors over samples and channels.
    pub error: f64,
    /// Gradient of that sum by the shared weights.
    pub shared: Vec<f32>,
}

/// A synthesis network, laid out for both directions.
#[derive(Debug, Clone)]
pub struct Synthesis<'a> {
    shared: &'a [f32],
    layers: Vec<Layer>,
    packed: Vec<Vec<f32>>,
    turned: Vec<Vec<f32>>,
    inputs: usize,
}

impl<'a> Synthesis<'a> {
    /// That of a field of latents.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another model, or weights that do not suit it.
    pub fn new(spec: &FieldSpec, shared: &'a [f32]) -> Result<Self, Error> {
        spec.validate()?;
        let layers = spec.shared_layers();
        if spec.pyramid().is_none() || shared.len() as u64 != spec.shared_parameters() {
            return Err(Error::parameter("these are not the weights of a synthesis network"));
        }
        let packed = layers.iter().map(|l| pack(&shared[l.weights.clone()], l.outputs)).collect();
        let turned = |layer: &Layer| {
            let mut rows = vec![0.0; layer.weights.len()];
            turn_weights(layer, shared, &mut rows);
            pack(&rows, layer.inputs)
        };
        let turned = layers.iter().map(turned).collect();
        Ok(Self { shared, packed, turned, inputs: layers.first().map_or(0, |layer| layer.inputs), layers })
    }

    /// Errors and gradients of some blocks.
    ///
    /// # Panics
    /// For rows of another length, and more samples than a row has.
    pub fn gradients(&self, blocks: &mut [SynthesisBlock<'_>]) -> SynthesisGradients {
        Arch::new().dispatch(Pass { network: self, blocks, backward: true })
    }

    /// The sum of squared errors of some blocks.
    ///
    /// # Panics
    /// For rows of another length, and more samples than a row has.
    pub fn error(&self, blocks: &mut [SynthesisBlock<'_>]) -> f64 {
        Arch::new().dispatch(Pass { network: self, blocks, backward: false }).error
    }
}

struct Pass<'a, 'b> {
    network: &'a Synthesis<'a>,
    blocks: &'a mut [SynthesisBlock<'b>],
    backward: bool,
}

impl WithSimd for Pass<'_, '_> {
    type Output = SynthesisGradients;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> SynthesisGradients {
        let Self { network, blocks, backward } = self;
        let Some((last, hidden)) = network.layers.split_last() else {
            return SynthesisGradients { error: 0.0, shared: Vec::new() };
        };
        let (width, lanes) = (block_vectors::<S>(), S::F32_LANES);
        let rows = |features: usize| vec![simd.splat_f32s(0.0); features * width];
        let split = network.inputs * width;
        let mut joined = rows(last.inputs);
        let mut joined_deltas = rows(last.inputs);
        let mut features: Vec<Vec<S::f32s>> = hidden.iter().map(|layer| rows(layer.outputs)).collect();
        let mut slopes = features.clone();
        let mut deltas = features.clone();
        let (mut output, mut output_deltas) = (rows(last.outputs), rows(last.outputs));
        let widest = network.layers.iter().map(|layer| layer.outputs).max().unwrap_or(1);
        let mut turned = vec![simd.splat_f32s(0.0); BLOCK * widest.div_ceil(lanes)];
        let mut gradients = Padded::new(simd, network.layers.clone());
        let nothing = vec![0.0; network.inputs];
        let biases = |layer: &Layer| Addend::Biases(&network.shared[layer.biases.clone()]);
        let mut error = 0.0;
        for block in blocks {
            let span = 0..block.samples.div_ceil(lanes);
            let floats = network.inputs * BLOCK;
            lanes_of_mut::<S>(&mut joined)[..floats].copy_from_slice(&block.inputs[..floats]);
            for (depth, layer) in hidden.iter().enumerate() {
                let (before, now) = features.split_at_mut(depth);
                let input = before.last().map_or(&joined[..split], |features| &features[..]);
                let weights = Weights::Tiles(&network.packed[depth]);
                dense(simd, weights, biases(layer), layer.outputs, input, &mut now[0], width, span.clone());
                rectified_and_slopes(simd, &mut now[0], &mut slopes[depth], LEAK);
            }
            if let Some(features) = features.last() {
                joined[split..].copy_from_slice(features);
            }
            let weights = Weights::Tiles(&network.packed[hidden.len()]);
            dense(simd, weights, biases(last), last.outputs, &joined, &mut output, width, span.clone());
            error += errors::<S>(&output, block, &mut output_deltas);
            if !backward {
                continue;
            }
            weight_gradient(
                simd,
                &joined,
                &output_deltas,
                &mut turned,
                last.outputs,
                span.clone(),
                &mut gradients.rows[hidden.len()],
            );
            let weights = Weights::Tiles(&network.turned[hidden.len()]);
            dense(simd, weights, Addend::Nothing, last.inputs, &output_deltas, &mut joined_deltas, width, span.clone());
            if let Some(deltas) = deltas.last_mut() {
                deltas.copy_from_slice(&joined_deltas[split..]);
            }
            for (depth, layer) in hidden.iter().enumerate().rev() {
                let (before, now) = deltas.split_at_mut(depth);
                let delta = &mut now[0];
                multiply(simd, delta, &slopes[depth]);
                let input = if depth == 0 { &joined[..split] } else { &features[depth - 1][..] };
                weight_gradient(
                    simd,
                    input,
                    delta,
                    &mut turned,
                    layer.outputs,
                    span.clone(),
                    &mut gradients.rows[depth],
                );
                let weights = Weights::Tiles(&network.turned[depth]);
                match before.last_mut() {
                    Some(before) => {
                        dense(simd, weights, Addend::Nothing, layer.inputs, delta, before, width, span.clone())
                    }
                    None => {
                        let addend = Addend::OutputAndBiases(&nothing);
                        dense(
                            simd,
                            weights,
                            addend,
                            layer.inputs,
                            delta,
                            &mut joined_deltas[..split],
                            width,
                            span.clone(),
                        );
                    }
                }
            }
            block.inputs[..floats].copy_from_slice(&lanes_of::<S>(&joined_deltas)[..floats]);
        }
        let mut shared = vec![0.0; if backward { network.shared.len() } else { 0 }];
        if backward {
            gradients.drain_into(simd, &mut shared);
        }
        SynthesisGradients { error, shared }
    }
}

/// The squared errors of a block, and twice the errors as deltas: zero in padding.
#[inline(always)]
fn errors<S: Simd>(output: &[S::f32s], block: &SynthesisBlock<'_>, deltas: &mut [S::f32s]) -> f64 {
    let rows = lanes_of::<S>(output).chunks_exact(BLOCK).zip(block.targets.chunks_exact(BLOCK));
    let mut error = 0.0;
    for ((output, targets), deltas) in rows.zip(lanes_of_mut::<S>(deltas).chunks_exact_mut(BLOCK)) {
        for ((output, target), delta) in output.iter().zip(targets).zip(&mut *deltas) {
            *delta = 2.0 * (output - target);
        }
        deltas[block.samples..].fill(0.0);
        let mut sums = [0.0_f32; 16];
        for deltas in deltas.as_chunks::<16>().0 {
            for (sum, delta) in sums.iter_mut().zip(deltas) {
                *sum += delta * delta;
            }
        }
        error += 0.25 * f64::from(sums.iter().sum::<f32>());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::latents::Pyramid;
    use crate::field::{Activation, Encoding, Model, SplitMix64};
    use crate::grid::{Grid, UNIT_RANGE};

    #[test]
    fn gradients_are_those_of_the_error() {
        for hidden_layers in 0..3 {
            let grid = Grid::new(vec![16, 16], vec![1, 1], UNIT_RANGE).unwrap();
            let spec = FieldSpec {
                model: Model::Latents,
                hidden_layers,
                local_width: 3,
                global_width: 7,
                encoding: Encoding::Latents(Pyramid::new(&grid, 3, 0).unwrap()),
                activation: Activation::LeakyRelu,
                ..FieldSpec::siren(2, 2, 1)
            };
            let count = spec.shared_layers()[0].inputs;
            let mut random = SplitMix64(3);
            let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.uniform(1.0)).collect() };
            let shared = numbers(usize::try_from(spec.shared_parameters()).unwrap());
            let sizes = [BLOCK, 37];
            let inputs: Vec<Vec<f32>> = sizes.iter().map(|_| numbers(count * BLOCK)).collect();
            let targets: Vec<Vec<f32>> = sizes.iter().map(|_| numbers(2 * BLOCK)).collect();
            let error = |shared: &[f32], inputs: &[Vec<f32>]| -> f64 {
                (0..2)
                    .flat_map(|block| (0..sizes[block]).map(move |sample| (block, sample)))
                    .map(|(block, sample)| {
                        let layers = spec.shared_layers();
                        let own: Vec<f64> =
                            (0..count).map(|input| f64::from(inputs[block][input * BLOCK + sample])).collect();
                        let apply = |layer: &Layer, x: &[f64]| -> Vec<f64> {
                            (0..layer.outputs)
                                .map(|o| {
                                    let products = x.iter().enumerate().map(|(i, x)| {
                                        x * f64::from(shared[layer.weights.start + i * layer.outputs + o])
                                    });
                                    products.sum::<f64>() + f64::from(shared[layer.biases.start + o])
                                })
                                .collect()
                        };
                        let (last, hidden) = layers.split_last().unwrap();
                        let features = hidden
                            .iter()
                            .fold(own.clone(), |x, layer| apply(layer, &x).iter().map(|v| v.max(0.1 * v)).collect());
                        let output = apply(last, &[own, features].concat());
                        let off = |(channel, y): (usize, &f64)| {
                            (y - f64::from(targets[block][channel * BLOCK + sample])).powi(2)
                        };
                        output.iter().enumerate().map(off).sum::<f64>()
                    })
                    .sum()
            };
            let mut changed = inputs.clone();
            let mut blocks: Vec<_> = changed
                .iter_mut()
                .zip(&targets)
                .zip(sizes)
                .map(|((inputs, targets), samples)| SynthesisBlock { inputs, targets, samples })
                .collect();
            let network = Synthesis::new(&spec, &shared).unwrap();
            let found = network.gradients(&mut blocks);
            let wanted = error(&shared, &inputs);
            assert!((found.error - wanted).abs() < 1e-4 * wanted);
            let near = |found: f32, wanted: f64, what: &str| {
                assert!(
                    (f64::from(found) - wanted).abs() < 2e-3 * wanted.abs().max(1.0),
                    "{what}: {found} and {wanted}"
                )
            };
            const STEP: f32 = 1e-4;
            for place in (0..shared.len()).step_by(5) {
                let moved = |by: f32| {
                    let mut shared = shared.clone();
                    shared[place] += by;
                    (error(&shared, &inputs), f64::from(shared[place]))
                };
                let ((up, high), (down, low)) = (moved(STEP), moved(-STEP));
                near(found.shared[place], (up - down) / (high - low), "weight");
            }
            for (block, place) in [(0, 5), (0, 130), (1, 36), (1, 64), (1, 128 + 20)] {
                let moved = |by: f32| {
                    let mut inputs = inputs.clone();
                    inputs[block][place] += by;
                    (error(&shared, &inputs), f64::from(inputs[block][place]))
                };
                let ((up, high), (down, low)) = (moved(STEP), moved(-STEP));
                near(changed[block][place], (up - down) / (high - low), "input");
            }
        }
    }
}
