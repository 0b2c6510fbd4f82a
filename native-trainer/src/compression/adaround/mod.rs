//! AdaRound: which weights are rounded up and which down is learned, layer by layer, so that the layers' outputs stay near
//! those of the trained field (reference/inr-compression.md section 7). It needs no original.
//!
//! The networks of all partitions are independent and are learned side by side. Behind a merge layer, a local layer gets
//! what the merge makes of the rounded layers before it and of the shared weights as the file holds them; shared weights
//! themselves and all biases are rounded to nearest. The result is a field whose weights round to what was learned, so everything
//! that takes a field and a quantisation takes it.

mod blocks;
mod layer;
mod network;

use std::sync::atomic::AtomicBool;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::Serialize;
use tessera_core::codec::Quantisation;
use tessera_core::error::Error;
use tessera_core::field::{Field, Start};
use tessera_core::format::{Document, write_quantised};

use self::network::{Outcome, Rounded};
use super::allocation::rounded;
use super::{Allocation, search};

/// Attempts at a size. Weights that are not rounded to nearest take more bits.
const ATTEMPTS: usize = 4;
/// What an attempt aims below the size that the last one suggests.
const BELOW: f64 = 0.998;

/// How rounding is learned.
#[derive(Debug, Clone, Copy)]
pub struct AdaRound<'a> {
    /// Iterations for each layer; 1,000 as published.
    pub iterations: u32,
    /// Leaves what is not learned yet to nearest.
    pub stop: &'a AtomicBool,
}

/// A field with its rounding.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The field, its weights moved so that they round to what was learned.
    pub field: Field,
    /// By local layer, over all partitions.
    pub layers: Vec<LayerRounding>,
}

/// What learning did to a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRounding {
    /// `first`, `hidden 1` and so on, `last`.
    pub layer: String,
    /// Mean squared error of the layer's output after the activation with its weights rounded to nearest, behind layers
    /// as learned.
    pub nearest_error: f64,
    /// The same with its weights as learned: never more. First layers on plain coordinates gain next to nothing, as their
    /// biases make up for what rounding does to them and nearest is then the best.
    pub error: f64,
    /// The share of the weights that are not rounded to nearest.
    pub moved: f64,
}

/// What all networks share while they are learned.
#[derive(Debug)]
struct Learner<'a> {
    field: &'a Field,
    quantisation: &'a Quantisation,
    start: Start<'a>,
    /// Shared weights as a file holds them.
    shared: &'a [f32],
    seed: u64,
    iterations: u32,
    stop: &'a AtomicBool,
}

impl AdaRound<'_> {
    /// Learns how `quantisation` should round `field`, whose start weights come from `seed`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the quantisation was made for another field.
    pub fn learn(&self, field: &Field, seed: u64, quantisation: &Quantisation) -> Result<Learned, Error> {
        let coarse = rounded(field, seed, quantisation)?;
        let start = Start::new(field.spec(), field.grid(), seed, quantisation.start());
        let Self { iterations, stop } = *self;
        let learner = Learner { field, quantisation, start, shared: coarse.shared(), seed, iterations, stop };
        let networks: Vec<Rounded> =
            (0..field.present().len()).into_par_iter().map(|slot| learner.network(slot)).collect();
        let local = networks.iter().flat_map(|network| network.weights.iter().copied()).collect();
        let layers = layers(field, &networks);
        Ok(Learned { field: field.with_weights(field.shared().to_vec(), local)?, layers })
    }

    /// As [`AdaRound::learn`], by the steps with which the file then has at most `bytes` bytes and little less. Where no attempt
    /// comes below, the weights are rounded to nearest.
    ///
    /// # Errors
    /// As [`search::for_size`].
    pub fn to_size(
        &self,
        document: &Document,
        allocation: &Allocation,
        bytes: u64,
    ) -> Result<(Option<Learned>, Quantisation), Error> {
        let seed = document.training.seed;
        let mut aim = bytes;
        for _ in 0..ATTEMPTS {
            let coarseness = search::for_size(document, allocation, aim)?;
            let quantisation = allocation.quantisation(&document.field, coarseness)?;
            let learned = self.learn(&document.field, seed, &quantisation)?;
            let document = Document { field: learned.field.clone(), ..document.clone() };
            let length = write_quantised(&document, &quantisation)?.len() as u64;
            if length <= bytes {
                return Ok((Some(learned), quantisation));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a size"
            )]
            {
                aim = (aim as f64 * bytes as f64 / length as f64 * BELOW) as u64;
            }
        }
        let coarseness = search::for_size(document, allocation, bytes)?;
        Ok((None, allocation.quantisation(&document.field, coarseness)?))
    }
}

/// The step of the weights of a local layer.
fn weight_step(quantisation: &Quantisation, slot: usize, depth: usize) -> f32 {
    quantisation.steps_of_slot(slot).get(2 * depth).copied().unwrap_or(0.0)
}

/// Means over all networks, by layer.
#[expect(clippy::cast_precision_loss, reason = "counts of weights and networks")]
fn layers(field: &Field, networks: &[Rounded]) -> Vec<LayerRounding> {
    let layers = field.spec().local_layers();
    let count = networks.len().max(1) as f64;
    let of_layer = |(depth, layer): (usize, &tessera_core::field::Layer)| {
        let outcomes: Vec<Outcome> = networks.iter().filter_map(|network| network.layers.get(depth).copied()).collect();
        let moved: u64 = outcomes.iter().map(|outcome| outcome.moved).sum();
        LayerRounding {
            layer: match depth {
                0 => "first".to_owned(),
                _ if depth + 1 == layers.len() => "last".to_owned(),
                _ => format!("hidden {depth}"),
            },
            nearest_error: outcomes.iter().map(|outcome| outcome.nearest).sum::<f64>() / count,
            error: outcomes.iter().map(|outcome| outcome.learned).sum::<f64>() / count,
            moved: moved as f64 / (layer.weights.len().max(1) as f64 * count),
        }
    };
    layers.iter().enumerate().map(of_layer).collect()
}
