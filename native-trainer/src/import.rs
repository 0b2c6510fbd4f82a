//! PyTorch checkpoints of the published code: a state dict in, a field out.
//!
//! A state dict is a bare dictionary of tensors (reference/local-global.md 1.3). Model, widths, depth, partitions and
//! channels follow from its names and shapes; the size of the signal, the partition factors, the coordinate range and
//! omega do not, and come from the caller. Local tensors are stored `[partitions, in, out]` as here, the others
//! `[out, in]`: those are transposed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_store::pytorch_reader::{DType, PytorchReader};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use tessera_core::field::{Field, FieldSpec, Layer, Model, PUBLISHED_OMEGA};
use tessera_core::grid::{Grid, UNIT_RANGE};
use thiserror::Error as ThisError;

/// What a state dict does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRequest {
    /// Samples along each axis of the signal.
    pub shape: Vec<u32>,
    /// Partitions along each axis; ones for a plain SIREN.
    pub factors: Vec<u32>,
    /// Coordinates of the first and last sample of an axis: [`UNIT_RANGE`] but for sound.
    pub range: [f32; 2],
    /// Omega of the first layers.
    pub first_omega: f32,
    /// Omega of every other sine layer.
    pub hidden_omega: f32,
    /// The model that the caller expects; any where `None`.
    pub model: Option<Model>,
    /// The channels that the caller expects; any where `None`.
    pub channels: Option<u32>,
    /// Beginning of the names, where one file holds several networks.
    pub prefix: Option<String>,
}

impl ImportRequest {
    /// A request with the published omega and coordinates, and no expectations.
    pub fn new(shape: Vec<u32>, factors: Vec<u32>) -> Self {
        Self {
            shape,
            factors,
            range: UNIT_RANGE,
            first_omega: PUBLISHED_OMEGA,
            hidden_omega: PUBLISHED_OMEGA,
            model: None,
            channels: None,
            prefix: None,
        }
    }
}

/// Why a checkpoint cannot become a field.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read, or is neither safetensors nor a PyTorch state dict.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The names are not those of the published code.
    #[error("{0}")]
    Names(String),
    /// A tensor that the others call for is not there.
    #[error("the tensor `{name}` of shape {expected:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the others or the request call for.
    #[error("the tensor `{name}` has the shape {found:?}, it should be {expected:?} ({why})")]
    Shape {
        /// Its name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// What calls for that shape.
        why: String,
    },
    /// The file holds another network than the caller said.
    #[error("the checkpoint holds {found}, not {expected}")]
    Unexpected {
        /// What the file holds.
        found: String,
        /// What the caller said.
        expected: String,
    },
    /// The pieces do not make a valid field.
    #[error(transparent)]
    Core(#[from] tessera_core::Error),
}

/// Reads the state dict at `path` (safetensors, or what `torch.save` writes) as a field with all partitions present.
///
/// # Errors
/// [`ImportError`], which names the tensor and both shapes.
pub fn import(path: &Path, request: &ImportRequest) -> Result<Field, ImportError> {
    import_tensors(&StateDict::read(path)?, request)
}

fn import_tensors(tensors: &StateDict, request: &ImportRequest) -> Result<Field, ImportError> {
    let names = Names::find(tensors, request.prefix.as_deref())?;
    let grid = Grid::new(request.shape.clone(), request.factors.clone(), request.range)?;
    let spec = infer(tensors, &names, &grid, request)?;
    let partitions = grid.partitions() as usize;
    let grouped = spec.model != Model::Siren;

    let mut shared = Vec::new();
    for (index, layer) in spec.global_layers().iter().enumerate() {
        tensors.append_transposed(&names.global(index), layer, &mut shared)?;
    }
    if let Some(layer) = spec.merge_layer() {
        tensors.append_transposed(&names.merge(), &layer, &mut shared)?;
    }
    let mut local = Vec::new();
    let layers = spec.local_layers();
    if grouped {
        let weights = |(i, layer): (usize, &Layer)| tensors.grouped(&names.local(i), layer, partitions);
        let parts: Vec<(&[f32], &[f32])> = layers.iter().enumerate().map(weights).collect::<Result<_, _>>()?;
        for partition in 0..partitions {
            for (layer, (weights, biases)) in layers.iter().zip(&parts) {
                let (w, b) = (layer.weights.len(), layer.biases.len());
                local.extend_from_slice(&weights[partition * w..][..w]);
                local.extend_from_slice(&biases[partition * b..][..b]);
            }
        }
    } else {
        for (index, layer) in layers.iter().enumerate() {
            tensors.append_transposed(&names.local(index), layer, &mut local)?;
        }
    }
    Ok(Field::new(spec, grid.clone(), (0..grid.partitions()).collect(), shared, local)?)
}

/// Reads the network off the shapes. Every other tensor is then checked against it.
fn infer(tensors: &StateDict, names: &Names, grid: &Grid, request: &ImportRequest) -> Result<FieldSpec, ImportError> {
    let (first, last) = (weight(&names.local(0)), weight(&names.local(names.layers - 1)));
    let (first_shape, last_shape) = (tensors.shape(&first)?, tensors.shape(&last)?);
    let refuse = |name: &str, found: &[usize], expected: Vec<usize>, why: &str| {
        Err(ImportError::Shape { name: name.to_owned(), found: found.to_vec(), expected, why: why.to_owned() })
    };
    let axes = grid.axes();
    let (model, width, outputs) = match (first_shape, last_shape) {
        ([groups, inputs, width], [_, _, outputs]) => {
            if *groups != grid.partitions() as usize || *inputs != axes {
                let why = format!("{:?} partitions of a signal of {axes} axes", grid.factors());
                return refuse(&first, first_shape, vec![grid.partitions() as usize, axes, *width], &why);
            }
            let model = if names.has_global { Model::LocalGlobal } else { Model::PerPartition };
            (model, *width, *outputs)
        }
        ([width, inputs], [outputs, _]) => {
            if *inputs != axes {
                return refuse(&first, first_shape, vec![*width, axes], &format!("the signal has {axes} axes"));
            }
            (Model::Siren, *width, *outputs)
        }
        _ => {
            return refuse(&last, last_shape, first_shape.to_vec(), "first and last layer have as many axes");
        }
    };
    if let Some(expected) = request.model.filter(|&expected| expected != model) {
        let named = |model: Model| format!("a {} network", model.name());
        return Err(ImportError::Unexpected { found: named(model), expected: named(expected) });
    }
    let global_width = if model == Model::LocalGlobal {
        let name = weight(&names.global(0));
        match tensors.shape(&name)? {
            [width, _] => *width,
            found => return refuse(&name, found, vec![0, axes], "global layers are matrices; 0 stands for any width"),
        }
    } else {
        0
    };
    let number = |what: &str, value: usize| {
        u32::try_from(value).map_err(|_| ImportError::Names(format!("{what} of {value} is beyond every network")))
    };
    let outputs = number("a channel count", outputs)?;
    if let Some(expected) = request.channels.filter(|&expected| expected != outputs) {
        let named = |channels: u32| format!("a network of {channels} channels");
        return Err(ImportError::Unexpected { found: named(outputs), expected: named(expected) });
    }
    let spec = FieldSpec {
        model,
        hidden_layers: number("a depth", names.layers - 2)?,
        global_width: number("a global width", global_width)?,
        first_omega: request.first_omega,
        hidden_omega: request.hidden_omega,
        ..FieldSpec::siren(number("an axis count", axes)?, outputs, number("a local width", width)?)
    };
    spec.validate()?;
    Ok(spec)
}

fn weight(layer: &str) -> String {
    format!("{layer}.weight")
}

fn bias(layer: &str) -> String {
    format!("{layer}.bias")
}

/// Where the layers of one network are in a state dict.
struct Names {
    prefix: String,
    layers: usize,
    has_global: bool,
}

impl Names {
    /// Finds the one network whose names start with `prefix`. What stands before `net.0.0.weight` may be anything:
    /// the published models put `net.` there, wrappers and training frameworks more.
    fn find(tensors: &StateDict, prefix: Option<&str>) -> Result<Self, ImportError> {
        const FIRST: &str = "net.0.0.weight";
        let candidates: Vec<&str> = tensors
            .0
            .keys()
            .filter_map(|name| name.strip_suffix(FIRST))
            .filter(|before| before.is_empty() || before.ends_with('.'))
            .filter(|before| prefix.is_none_or(|prefix| before.starts_with(prefix)))
            .collect();
        let found = match candidates.as_slice() {
            [one] => (*one).to_owned(),
            [] => {
                let sample: Vec<&str> = tensors.0.keys().take(4).map(String::as_str).collect();
                return Err(ImportError::Names(format!(
                    "no tensor `net.net.0.0.weight` was found: this is no state dict of the published code with sine \
                     layers (it has {} tensors, among them {sample:?})",
                    tensors.0.len()
                )));
            }
            many => {
                return Err(ImportError::Names(format!(
                    "the file holds several networks; choose one by the beginning of its names: {many:?}"
                )));
            }
        };
        let mut names = Self { prefix: found, layers: 0, has_global: false };
        while tensors.0.contains_key(&weight(&names.local(names.layers))) {
            names.layers += 1;
        }
        if names.layers < 2 {
            return Err(ImportError::Names(format!(
                "the network `{}net` has {} layer; a first and a last one are needed",
                names.prefix, names.layers
            )));
        }
        names.has_global = tensors.0.contains_key(&weight(&names.global(0)));
        if names.has_global && !tensors.0.contains_key(&weight(&names.merge())) {
            return Err(ImportError::Names(format!(
                "the network has global layers but no tensor `{}`: only the concatenating merge is supported, not \
                 `fc_and_add`",
                weight(&names.merge())
            )));
        }
        Ok(names)
    }

    fn local(&self, index: usize) -> String {
        format!("{}net.{index}.0", self.prefix)
    }

    fn global(&self, index: usize) -> String {
        format!("{}global_net.{index}.0", self.prefix)
    }

    fn merge(&self) -> String {
        format!("{}agg_func.0", self.prefix)
    }
}

struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// The floating-point tensors of a file, by name.
struct StateDict(BTreeMap<String, Array>);

impl StateDict {
    fn read(path: &Path) -> Result<Self, ImportError> {
        let failed = |reason: String| ImportError::File { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
        // Zip archives and pickles start otherwise than a small little-endian length and `{`.
        let tensors = if bytes.get(8) == Some(&b'{') { from_safetensors(&bytes) } else { from_pytorch(path) };
        tensors.map(Self).map_err(failed)
    }

    fn shape(&self, name: &str) -> Result<&[usize], ImportError> {
        match self.0.get(name) {
            Some(array) => Ok(&array.shape),
            None => Err(ImportError::Missing { name: name.to_owned(), expected: Vec::new() }),
        }
    }

    fn get(&self, name: String, expected: &[usize], why: &str) -> Result<&[f32], ImportError> {
        let Some(array) = self.0.get(&name) else {
            return Err(ImportError::Missing { name, expected: expected.to_vec() });
        };
        // Biases may carry an axis of one sample, [partitions, 1, out].
        let squeezed = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
        if array.shape != expected && squeezed(&array.shape) != squeezed(expected) {
            let (found, expected) = (array.shape.clone(), expected.to_vec());
            return Err(ImportError::Shape { name, found, expected, why: why.to_owned() });
        }
        Ok(&array.values)
    }

    /// Weights `[partitions, in, out]` and biases `[partitions, out]`.
    fn grouped(&self, name: &str, layer: &Layer, partitions: usize) -> Result<(&[f32], &[f32]), ImportError> {
        const WHY: &str = "partitions, inputs, outputs of a local layer";
        let weights = self.get(weight(name), &[partitions, layer.inputs, layer.outputs], WHY)?;
        let biases = self.get(bias(name), &[partitions, layer.outputs], WHY)?;
        Ok((weights, biases))
    }

    /// Appends weights `[out, in]`, transposed, and biases `[out]`.
    fn append_transposed(&self, name: &str, layer: &Layer, into: &mut Vec<f32>) -> Result<(), ImportError> {
        const WHY: &str = "outputs, inputs of a shared layer";
        let weights = self.get(weight(name), &[layer.outputs, layer.inputs], WHY)?;
        for input in 0..layer.inputs {
            into.extend(weights.iter().skip(input).step_by(layer.inputs));
        }
        into.extend_from_slice(self.get(bias(name), &[layer.outputs], WHY)?);
        Ok(())
    }
}

fn from_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Array>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("it is no sound safetensors file ({e})"))?;
    let mut arrays = BTreeMap::new();
    for (name, view) in tensors.iter() {
        let values = match view.dtype() {
            Dtype::F32 => singles(view.data()),
            Dtype::F64 => doubles(view.data()),
            // Counters and other state of the training; a layer of such a type is reported as missing.
            _ => continue,
        };
        arrays.insert(name.to_owned(), Array { shape: view.shape().to_vec(), values });
    }
    Ok(arrays)
}

fn from_pytorch(path: &Path) -> Result<BTreeMap<String, Array>, String> {
    let unfit = |e: &dyn std::fmt::Display| format!("it is neither safetensors nor a PyTorch state dict ({e})");
    let reader = PytorchReader::new(path).map_err(|e| unfit(&e))?;
    let mut arrays = BTreeMap::new();
    for (name, tensor) in reader.tensors() {
        let read = || tensor.read().map_err(|e| format!("the tensor `{name}` cannot be read ({e})"));
        let values = match tensor.dtype() {
            DType::F32 => singles(&read()?),
            DType::F64 => doubles(&read()?),
            _ => continue,
        };
        arrays.insert(name.clone(), Array { shape: tensor.shape().to_vec(), values });
    }
    Ok(arrays)
}

fn singles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "fields are single precision; weights of a network fit")]
fn doubles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize]) -> Array {
        let length = shape.iter().product();
        Array { shape: shape.to_vec(), values: (0..length).map(|i: usize| i as f32 * 1e-3).collect() }
    }

    fn local_global(prefix: &str) -> StateDict {
        let mut tensors = BTreeMap::new();
        for (name, weight, bias) in [
            ("net.0.0", vec![6, 2, 5], vec![6, 5]),
            ("net.1.0", vec![6, 5, 5], vec![6, 1, 5]),
            ("net.2.0", vec![6, 5, 3], vec![6, 3]),
            ("global_net.0.0", vec![7, 2], vec![7]),
            ("global_net.1.0", vec![7, 7], vec![7]),
            ("agg_func.0", vec![5, 12], vec![5]),
        ] {
            tensors.insert(format!("{prefix}{name}.weight"), array(&weight));
            tensors.insert(format!("{prefix}{name}.bias"), array(&bias));
        }
        StateDict(tensors)
    }

    #[test]
    fn the_network_follows_from_the_shapes_whatever_stands_before_the_names() {
        let request = ImportRequest::new(vec![9, 8], vec![3, 2]);
        for prefix in ["", "net.", "module.net.", "state_dict.model.net."] {
            let field = import_tensors(&local_global(prefix), &request).unwrap();
            let expected = FieldSpec { hidden_layers: 1, ..FieldSpec::local_global(2, 3, 5, 7) };
            assert_eq!(field.spec(), &expected);
            // Row `output` of the file is column `output` here.
            let hidden = &expected.global_layers()[1];
            assert_eq!(field.shared()[hidden.weights.start + 3 * 7 + 2], 0.001 * 17.0);
            assert_eq!(field.local_of(4).unwrap()[0], 0.001 * 40.0);
        }
    }

    #[test]
    fn refusals_name_the_tensor_and_both_shapes() {
        let message =
            |tensors: &StateDict, request: &ImportRequest| import_tensors(tensors, request).unwrap_err().to_string();
        let request = ImportRequest::new(vec![9, 8], vec![3, 2]);
        let other_factors = ImportRequest { factors: vec![3, 3], ..request.clone() };
        let text = message(&local_global("net."), &other_factors);
        assert!(text.contains("`net.net.0.0.weight`") && text.contains("[6, 2, 5]") && text.contains("[9, 2, 5]"));

        let mut broken = local_global("net.");
        broken.0.insert("net.agg_func.0.weight".to_owned(), array(&[5, 11]));
        let text = message(&broken, &request);
        assert!(text.contains("`net.agg_func.0.weight`") && text.contains("[5, 11]") && text.contains("[5, 12]"));

        let mut broken = local_global("net.");
        broken.0.remove("net.global_net.1.0.bias");
        assert!(message(&broken, &request).contains("`net.global_net.1.0.bias` of shape [7] is missing"));

        let mut two = local_global("a.net.");
        two.0.extend(local_global("b.net.").0);
        assert!(message(&two, &request).contains("several networks"));
        let chosen = ImportRequest { prefix: Some("b.".to_owned()), ..request.clone() };
        assert!(import_tensors(&two, &chosen).is_ok());

        assert!(message(&StateDict(BTreeMap::new()), &request).contains("no state dict of the published code"));
        let siren = ImportRequest { model: Some(Model::Siren), ..request.clone() };
        assert!(message(&local_global("net."), &siren).contains("local-global network, not a siren"));
        let grey = ImportRequest { channels: Some(1), ..request };
        assert!(message(&local_global("net."), &grey).contains("3 channels, not a network of 1"));
    }

    #[test]
    fn bytes_that_are_no_checkpoint_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pth");
        let request = ImportRequest::new(vec![9, 8], vec![3, 2]);
        assert!(matches!(import(&path, &request), Err(ImportError::File { .. })));
        for bytes in [&b""[..], b"PK\x03\x04 no archive", b"\x80\x02}q\x00.", b"\x10\0\0\0\0\0\0\0{\"a\":"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(import(&path, &request).is_err(), "{bytes:?}");
        }
    }
}
