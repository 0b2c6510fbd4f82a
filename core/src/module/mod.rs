//! The networks as burn modules, for training on any device that burn knows.
//!
//! A module holds its weights exactly as [`Field`] does: one array of shared weights, one row per partition of local
//! weights. Layers are slices of these, cut in the forward pass. Adam works element by element, so flat arrays train
//! like separate layers, and converting to and from a field is a copy without any renaming or transposing. (A module
//! per layer was the alternative: prettier names in burn's records, but two descriptions of one layout.)

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{Device, Tensor, TensorData};

use crate::error::Error;
use crate::field::{Activation, Field, FieldSpec, LEAK, Layer};

/// The networks of a field, or of some of its partitions, on a device.
#[derive(Module, Debug)]
pub struct FieldModule {
    shared: Option<Param<Tensor<1>>>,
    local: Param<Tensor<2>>,
    #[module(skip)]
    spec: FieldSpec,
}

impl FieldModule {
    /// The weights of `field` on `device`.
    pub fn from_field(field: &Field, device: &Device) -> Self {
        let shared = field.spec().has_global().then(|| vector(field.shared().to_vec(), device));
        let rows = field.present().len();
        Self::from_tensors(field.spec().clone(), shared, rows_of(field.local().to_vec(), rows, device))
    }

    /// Joins weights that are on a device already: `shared` `[shared parameters]`, `None` without a global network;
    /// `local` `[partitions, local parameters]`.
    pub fn from_tensors(spec: FieldSpec, shared: Option<Tensor<1>>, local: Tensor<2>) -> Self {
        Self { shared: shared.map(Param::from_tensor), local: Param::from_tensor(local), spec }
    }

    /// The same network with other weights.
    #[must_use]
    pub fn with_tensors(&self, shared: Option<Tensor<1>>, local: Tensor<2>) -> Self {
        Self::from_tensors(self.spec.clone(), shared, local)
    }

    /// What network it is.
    pub fn spec(&self) -> &FieldSpec {
        &self.spec
    }

    /// Weights of global network and merge, `[shared parameters]`; `None` without them.
    pub fn shared(&self) -> Option<Tensor<1>> {
        self.shared.as_ref().map(Param::val)
    }

    /// Weights of the local networks, `[partitions, local parameters]`.
    pub fn local(&self) -> Tensor<2> {
        self.local.val()
    }

    /// Shared and local weights as plain arrays in the layouts of [`Field`].
    ///
    /// # Errors
    /// [`Error::Parameter`] where the device fails to hand its memory back.
    pub fn to_arrays(&self) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let shared = self.shared().map(read).transpose()?.unwrap_or_default();
        Ok((shared, read(self.local())?))
    }

    /// `like` with this module's weights.
    ///
    /// # Errors
    /// As [`FieldModule::to_arrays`] and [`Field::with_weights`].
    pub fn to_field(&self, like: &Field) -> Result<Field, Error> {
        let (shared, local) = self.to_arrays()?;
        like.with_weights(shared, local)
    }

    /// Evaluates the networks: inputs `[partitions, samples, encoded inputs]` to values `[partitions, samples, outputs]`.
    /// Row `p` of the inputs goes through local network `p`. Inputs are the coordinates where the network has no encoding,
    /// else what [`crate::field::Encoding::encode`] makes of them.
    ///
    /// # Panics
    /// As every module of burn, where the shape of the inputs does not fit.
    pub fn forward(&self, inputs: Tensor<3>) -> Tensor<3> {
        let [partitions, samples, width] = inputs.dims();
        let local = self.local.val();
        let layers = self.spec.local_layers();
        let Some((last, sines)) = layers.split_last() else { return inputs };
        let mut global = self.shared.as_ref().map(|shared| GlobalPath {
            shared: shared.val(),
            layers: self.spec.global_layers(),
            features: inputs.clone().reshape([partitions * samples, width]),
        });
        let merge = self.spec.merge_layer();
        let mut features = inputs;
        for (depth, layer) in sines.iter().enumerate() {
            let omega = if depth == 0 { self.spec.first_omega } else { self.spec.hidden_omega };
            let before = local_layer(&local, layer, features);
            features = match self.spec.activation {
                Activation::Sine => before.mul_scalar(omega).sin(),
                Activation::Relu => relu(before),
                Activation::LeakyRelu => leaky_relu(before, LEAK.into()),
            };
            if let (Some(path), Some(merge)) = (&mut global, &merge) {
                path.advance(depth, omega);
                let width = layer.outputs;
                let flat = features.reshape([partitions * samples, width]);
                features = path
                    .merge(merge, flat)
                    .mul_scalar(self.spec.hidden_omega)
                    .sin()
                    .reshape([partitions, samples, width]);
            }
        }
        local_layer(&local, last, features)
    }
}

/// The global network in the middle of a forward pass. It ignores partitions: `[samples of all, features]`.
struct GlobalPath {
    shared: Tensor<1>,
    layers: Vec<Layer>,
    features: Tensor<2>,
}

impl GlobalPath {
    fn advance(&mut self, depth: usize, omega: f32) {
        let layer = &self.layers[depth];
        let weights = matrix(&self.shared, layer.weights.clone(), layer.outputs);
        let biases = matrix(&self.shared, layer.biases.clone(), layer.outputs);
        self.features = (self.features.clone().matmul(weights) + biases).mul_scalar(omega).sin();
    }

    /// `[local, global] K + k` as two products, which saves the concatenation.
    fn merge(&self, merge: &Layer, local: Tensor<2>) -> Tensor<2> {
        let width = merge.outputs;
        let split = merge.weights.start + width * width;
        let of_local = matrix(&self.shared, merge.weights.start..split, width);
        let of_global = matrix(&self.shared, split..merge.weights.end, width);
        let biases = matrix(&self.shared, merge.biases.clone(), width);
        local.matmul(of_local) + self.features.clone().matmul(of_global) + biases
    }
}

fn local_layer(local: &Tensor<2>, layer: &Layer, inputs: Tensor<3>) -> Tensor<3> {
    let [partitions, _] = local.dims();
    let weights = local.clone().slice([0..partitions, layer.weights.clone()]);
    let biases = local.clone().slice([0..partitions, layer.biases.clone()]);
    inputs.matmul(weights.reshape([partitions, layer.inputs, layer.outputs]))
        + biases.reshape([partitions, 1, layer.outputs])
}

fn matrix(weights: &Tensor<1>, range: Range<usize>, columns: usize) -> Tensor<2> {
    let rows = range.len() / columns;
    weights.clone().slice([range]).reshape([rows, columns])
}

/// A plain array on `device`.
pub fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// A plain array of `rows` equal rows on `device`.
pub fn rows_of(values: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len() / rows.max(1);
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// A tensor's values, row-major.
///
/// # Errors
/// [`Error::Parameter`] where the device fails to hand its memory back.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::parameter(format!("the device did not return a tensor: {e}")))
}
