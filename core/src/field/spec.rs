//! The architecture of a field, its parameter counts and its layer table.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::latents::{Level, Pyramid};
use super::{Activation, Encoding};
use crate::error::{Error, check_limit};
use crate::grid::Grid;
use crate::limits;

/// The published models (reference/local-global.md section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One sine network for the whole signal: a grid of one partition.
    Siren,
    /// SIREN-per-partition: every partition its own network, nothing shared.
    PerPartition,
    /// Local-Global SIREN: small local networks, one global network, one merge layer used after every sine layer.
    LocalGlobal,
    /// Every partition a pyramid of latent grids, one small network shared by all ([`super::latents`]).
    Latents,
}

impl Model {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Siren => "siren",
            Self::PerPartition => "per-partition",
            Self::LocalGlobal => "local-global",
            Self::Latents => "latents",
        }
    }
}

/// What network a field is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// Which of the published models.
    pub model: Model,
    /// Coordinates per sample, 1 to 4.
    pub inputs: u32,
    /// Channels per sample, 1 to 16.
    pub outputs: u32,
    /// Sine layers between the first and the last one, 0 to 16.
    pub hidden_layers: u32,
    /// Width of a local network (of the only network for `Siren`); for `Latents` the number of levels.
    pub local_width: u32,
    /// Width of the global network; 0 without one. For `Latents` that of the synthesis network.
    pub global_width: u32,
    /// The factor omega of the first layers, inside which the bias stands: `sin(omega (x W + b))`.
    pub first_omega: f32,
    /// The factor omega of every other sine layer, the merge included.
    pub hidden_omega: f32,
    /// What the first layer sees of the coordinates; only models without a global network have a choice.
    #[serde(default)]
    pub encoding: Encoding,
    /// The nonlinearity after every layer but the last; only models without a global network have a choice.
    #[serde(default)]
    pub activation: Activation,
}

/// One dense layer inside a weight array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Fan-in.
    pub inputs: usize,
    /// Fan-out.
    pub outputs: usize,
    /// Where its weights `[inputs, outputs]` lie.
    pub weights: Range<usize>,
    /// Where its biases `[outputs]` lie.
    pub biases: Range<usize>,
}

/// The omega of every layer in the published configurations.
pub const PUBLISHED_OMEGA: f32 = 30.0;

impl FieldSpec {
    /// A plain SIREN of `width`, three hidden layers.
    pub fn siren(inputs: u32, outputs: u32, width: u32) -> Self {
        Self {
            model: Model::Siren,
            inputs,
            outputs,
            hidden_layers: 3,
            local_width: width,
            global_width: 0,
            first_omega: PUBLISHED_OMEGA,
            hidden_omega: PUBLISHED_OMEGA,
            encoding: Encoding::Mlp,
            activation: Activation::Sine,
        }
    }

    /// SIREN-per-partition of local width `width`, three hidden layers.
    pub fn per_partition(inputs: u32, outputs: u32, width: u32) -> Self {
        Self { model: Model::PerPartition, ..Self::siren(inputs, outputs, width) }
    }

    /// Local-Global SIREN of the given widths, three hidden layers.
    pub fn local_global(inputs: u32, outputs: u32, local_width: u32, global_width: u32) -> Self {
        Self { model: Model::LocalGlobal, global_width, ..Self::siren(inputs, outputs, local_width) }
    }

    /// Checks every field against the limits of the format.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a contradiction, [`Error::Limit`] for an excess.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, value, limit) in [
            ("inputs", self.inputs, limits::AXES),
            ("outputs", self.outputs, limits::CHANNELS),
            ("local width", self.local_width, limits::WIDTH),
        ] {
            if value == 0 {
                return Err(Error::parameter(format!("the number of {name} must be at least 1")));
            }
            check_limit(name, value.into(), limit)?;
        }
        check_limit("global width", self.global_width.into(), limits::WIDTH)?;
        check_limit("hidden layers", self.hidden_layers.into(), limits::HIDDEN_LAYERS)?;
        let shares = matches!(self.model, Model::LocalGlobal | Model::Latents);
        if shares != (self.global_width > 0) {
            return Err(Error::parameter(format!(
                "a {} field with global width {}: local-global fields and those of latents share a network, others have none",
                self.model.name(),
                self.global_width
            )));
        }
        for omega in [self.first_omega, self.hidden_omega] {
            if !(omega > 0.0 && omega <= limits::OMEGA) {
                return Err(Error::parameter(format!("omega must lie in (0, {}], not {omega}", limits::OMEGA)));
            }
        }
        self.encoding.validate(self.inputs)?;
        let pyramid = self.pyramid();
        if (self.model == Model::Latents) != pyramid.is_some() {
            return Err(Error::parameter("the model latents and the encoding latents belong together"));
        }
        if pyramid.is_some() != (self.activation == Activation::LeakyRelu) {
            return Err(Error::parameter("leaky ReLU layers are those of latents, which have no others"));
        }
        if let Some(pyramid) = pyramid {
            if self.local_width != pyramid.levels {
                return Err(Error::parameter("a field of latents has a local width of one per level"));
            }
        } else if self.is_encoded() && self.has_global() {
            return Err(Error::parameter(format!(
                "a {} field has sine layers on plain coordinates: the encoding {} and the activation {} are for the models \
                 siren and per-partition",
                self.model.name(),
                self.encoding.name(),
                self.activation.name()
            )));
        }
        check_limit("multiply-adds per sample", self.multiply_adds_per_sample(), limits::MULTIPLY_ADDS_PER_SAMPLE)
    }

    /// [`FieldSpec::validate`], and that the grid suits the network.
    pub(crate) fn validate_on(&self, grid: &Grid) -> Result<(), Error> {
        self.validate()?;
        if grid.axes() != self.inputs as usize {
            return Err(Error::parameter(format!(
                "a network of {} coordinates cannot serve a grid of {} axes",
                self.inputs,
                grid.axes()
            )));
        }
        if let Some(pyramid) = self.pyramid() {
            pyramid.validate_on(grid)?;
        }
        if self.model == Model::Siren && grid.partitions() != 1 {
            return Err(Error::parameter("a siren field is one network: its grid has exactly one partition"));
        }
        Ok(())
    }

    /// Whether it is more than sine layers on plain coordinates.
    pub fn is_encoded(&self) -> bool {
        (self.encoding, self.activation) != (Encoding::Mlp, Activation::Sine)
    }

    /// The latent grids of each partition, where it has them in place of a network.
    pub fn pyramid(&self) -> Option<&Pyramid> {
        if let Encoding::Latents(pyramid) = &self.encoding { Some(pyramid) } else { None }
    }

    /// Inputs of the first layers: what the encoding makes of [`FieldSpec::inputs`] coordinates.
    pub fn encoded_inputs(&self) -> u64 {
        self.encoding.size(self.inputs)
    }

    /// Whether a global network and a merge layer exist.
    pub fn has_global(&self) -> bool {
        self.global_width > 0
    }

    /// Weights and biases of one local network, or its latents.
    pub fn local_parameters(&self) -> u64 {
        if let Some(pyramid) = self.pyramid() {
            return pyramid.latents(self.inputs);
        }
        let (d, w, o) = (self.encoded_inputs(), u64::from(self.local_width), u64::from(self.outputs));
        (d * w + w) + u64::from(self.hidden_layers) * (w * w + w) + (w * o + o)
    }

    /// Weights and biases of the global network.
    pub fn global_parameters(&self) -> u64 {
        let (d, g) = (self.encoded_inputs(), u64::from(self.global_width));
        if g == 0 { 0 } else { (d * g + g) + u64::from(self.hidden_layers) * (g * g + g) }
    }

    /// Weights and biases of the merge layer; for `Latents`, of the last layer of the synthesis network.
    pub fn merge_parameters(&self) -> u64 {
        if self.pyramid().is_some() {
            return (self.encoded_inputs() + u64::from(self.global_width) + 1) * u64::from(self.outputs);
        }
        let (w, g) = (u64::from(self.local_width), u64::from(self.global_width));
        if g == 0 { 0 } else { (w + g) * w + w }
    }

    /// Weights and biases that all partitions share: global network and merge layer.
    pub fn shared_parameters(&self) -> u64 {
        self.global_parameters() + self.merge_parameters()
    }

    /// Weights and biases of a field with `partitions` local networks.
    pub fn parameters(&self, partitions: u64) -> u64 {
        self.shared_parameters() + partitions * self.local_parameters()
    }

    /// Multiply-adds of one evaluation, biases and the encoding not counted.
    pub fn multiply_adds_per_sample(&self) -> u64 {
        let (d, w, g) = (self.encoded_inputs(), u64::from(self.local_width), u64::from(self.global_width));
        let (o, h) = (u64::from(self.outputs), u64::from(self.hidden_layers));
        if self.pyramid().is_some() {
            // Of nodes: a product for each of four along every axis in turn.
            let of_nodes = d * (((4 << (2 * self.inputs)) - 4) / 3);
            return of_nodes + d * g + h * g * g + (g + d) * o;
        }
        let local = d * w + h * w * w + w * o;
        if g == 0 { local } else { local + d * g + h * g * g + (h + 1) * (w + g) * w }
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 4096 in a valid spec")]
    fn first_inputs(&self) -> usize {
        self.encoded_inputs() as usize
    }

    /// The layers of a local network: first, hidden, last. The levels of a pyramid are layers without biases.
    pub fn local_layers(&self) -> Vec<Layer> {
        if let Some(pyramid) = self.pyramid() {
            let layer = |level: Level| {
                let (inputs, end) = (level.latents.len(), level.latents.end);
                Layer { inputs, outputs: 1, weights: level.latents, biases: end..end }
            };
            return pyramid.levels(self.inputs).into_iter().map(layer).collect();
        }
        let w = self.local_width as usize;
        let mut widths = vec![self.first_inputs()];
        widths.resize(self.hidden_layers as usize + 2, w);
        widths.push(self.outputs as usize);
        chain(&widths)
    }

    /// The layers of the global network: first, hidden. Empty without one.
    pub fn global_layers(&self) -> Vec<Layer> {
        if !self.has_global() {
            return Vec::new();
        }
        let mut widths = vec![self.first_inputs()];
        widths.resize(self.hidden_layers as usize + 2, self.global_width as usize);
        chain(&widths)
    }

    /// The merge layer: `[local features, global features] -> local features`. `None` without a global network. For `Latents` the
    /// last layer of the synthesis network: `[what it sees of the latents, features] -> channels`.
    pub fn merge_layer(&self) -> Option<Layer> {
        let start = self.global_layers().last()?.biases.end;
        if self.pyramid().is_some() {
            let inputs = self.first_inputs() + self.global_width as usize;
            return Some(layer_at(start, inputs, self.outputs as usize));
        }
        let (w, g) = (self.local_width as usize, self.global_width as usize);
        Some(layer_at(start, w + g, w))
    }

    /// All layers of the shared weights: global ones, then the merge. Empty without a global network.
    pub fn shared_layers(&self) -> Vec<Layer> {
        self.global_layers().into_iter().chain(self.merge_layer()).collect()
    }
}

/// Where the tensors of a network lie: weights and biases of every layer in turn, levels of latents one by one.
pub fn tensors(layers: &[Layer]) -> Vec<Range<usize>> {
    let of_layer = |layer: &Layer| [layer.weights.clone(), layer.biases.clone()];
    layers.iter().flat_map(of_layer).filter(|range| !range.is_empty()).collect()
}

fn layer_at(start: usize, inputs: usize, outputs: usize) -> Layer {
    let biases = start + inputs * outputs;
    Layer { inputs, outputs, weights: start..biases, biases: biases..biases + outputs }
}

fn chain(widths: &[usize]) -> Vec<Layer> {
    let mut start = 0;
    widths
        .windows(2)
        .map(|w| {
            let layer = layer_at(start, w[0], w[1]);
            start = layer.biases.end;
            layer
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table of reference/local-global.md 1.5.
    #[test]
    fn published_parameter_counts() {
        for (spec, partitions, total) in [
            (FieldSpec::local_global(2, 3, 14, 84), 256, 206_610),
            (FieldSpec::local_global(2, 1, 14, 84), 256, 198_930),
            (FieldSpec::per_partition(2, 3, 15), 256, 208_128),
            (FieldSpec::siren(2, 3, 256), 1, 198_915),
            (FieldSpec::local_global(1, 1, 42, 72), 32, 198_182),
            (FieldSpec::local_global(3, 3, 55, 180), 320, 3_192_400),
            (FieldSpec::local_global(3, 1, 17, 76), 179, 199_174),
        ] {
            assert_eq!(spec.parameters(partitions), total);
            let last = spec.local_layers().last().unwrap().biases.end as u64;
            assert_eq!(last, spec.local_parameters());
            assert_eq!(spec.merge_layer().map_or(0, |l| l.biases.end as u64), spec.shared_parameters());
        }
        assert_eq!(FieldSpec::local_global(2, 3, 14, 84).multiply_adds_per_sample(), 27_482);
        assert_eq!(FieldSpec::per_partition(2, 3, 15).multiply_adds_per_sample(), 750);
        assert_eq!(FieldSpec::siren(2, 3, 256).multiply_adds_per_sample(), 197_888);
    }

    /// Table of reference/inr-compression.md 11.
    #[test]
    fn published_counts_of_encoded_networks() {
        for (frequencies, width, parameters, multiply_adds) in [
            (16, 32, 5_411, 5_280),
            (16, 48, 10_419, 10_224),
            (16, 64, 16_963, 16_704),
            (16, 128, 58_499, 57_984),
            (12, 24, 3_099, 3_000),
            (12, 64, 15_939, 15_680),
        ] {
            let encoding = Encoding::Nerf { scale: 1.4, frequencies };
            let spec = FieldSpec { encoding, ..FieldSpec::siren(2, 3, width) };
            spec.validate().unwrap();
            assert_eq!((spec.parameters(1), spec.multiply_adds_per_sample()), (parameters, multiply_adds));
            assert_eq!(spec.local_layers()[0].inputs as u64, spec.encoded_inputs());
        }
    }

    #[test]
    fn fields_with_a_global_network_take_plain_coordinates() {
        let base = FieldSpec::local_global(2, 3, 6, 9);
        for spec in [
            FieldSpec { encoding: Encoding::Nerf { scale: 2.0, frequencies: 2 }, ..base.clone() },
            FieldSpec { activation: Activation::Relu, ..base },
        ] {
            assert!(matches!(spec.validate(), Err(Error::Parameter(_))));
        }
    }
}
