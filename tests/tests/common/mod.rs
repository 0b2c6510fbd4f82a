//! The parity fixtures and small plans that several tests share.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the figures of small tests fit")]
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tessera::import::{ImportRequest, import};
use tessera::training::{Batch, DeviceChoice, EngineChoice, Settings, TrainingPlan};
use tessera_core::field::{Field, FieldSpec, SplitMix64};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::signal::{SampleFormat, ShapeValue, Signal, SignalInfo};

/// Folder of the fixtures in this repository.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Larger sample data that does not travel with the repository.
pub(crate) fn shared_data(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TESSERA_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = folder.join(path);
    path.exists().then_some(path)
}

/// Says that a test could not run. Straight to the terminal: the test harness swallows what `eprintln` prints.
pub(crate) fn skipped(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

/// One case of `fixtures/index.json` with its tensors.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) request: ImportRequest,
    pub(crate) parameters: u64,
    pub(crate) learning_rate: f64,
    pub(crate) channels: usize,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Fixture {
    pub(crate) fn all() -> Vec<Self> {
        let index: serde_json::Value =
            serde_json::from_slice(&std::fs::read(fixtures().join("index.json")).unwrap()).unwrap();
        let cases = index["cases"].as_object().unwrap();
        assert_eq!(cases.len(), 6);
        cases.iter().map(|(name, case)| Self::load(name, case)).collect()
    }

    fn load(name: &str, case: &serde_json::Value) -> Self {
        let path = fixtures().join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let numbers = |key: &str| -> Option<Vec<u32>> {
            Some(case[key].as_array()?.iter().map(|v| v.as_i64().unwrap() as u32).collect())
        };
        let shape = numbers("dims").unwrap();
        let factors = numbers("factors").unwrap_or_else(|| vec![1; shape.len()]);
        let end = |i: usize| case["coordinate_range"][i].as_f64().unwrap() as f32;
        Self {
            name: name.to_owned(),
            path,
            request: ImportRequest {
                range: [end(0), end(1)],
                first_omega: case["omega"].as_f64().unwrap() as f32,
                hidden_omega: case["omega"].as_f64().unwrap() as f32,
                ..ImportRequest::new(shape, factors)
            },
            parameters: case["parameters"].as_u64().unwrap(),
            learning_rate: case["lr"].as_f64().unwrap(),
            channels: case["channels"].as_u64().unwrap() as usize,
            tensors: tensors.iter().map(|(name, view)| (name.to_owned(), floats(view.data()))).collect(),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors[name]
    }

    /// The weights `init`, `step1`, `step50`, or the gradients `grad0`, as a field.
    pub(crate) fn field(&self, moment: &str) -> Field {
        let prefix = Some(format!("{moment}."));
        import(&self.path, &ImportRequest { prefix, ..self.request.clone() }).unwrap()
    }

    pub(crate) fn grid(&self) -> Grid {
        Grid::new(self.request.shape.clone(), self.request.factors.clone(), self.request.range).unwrap()
    }

    /// The fixture's own coordinates and targets, which are grouped by partition as ours are.
    pub(crate) fn batch(&self) -> Batch {
        let partitions = self.grid().partitions() as usize;
        let inputs = self.request.shape.len();
        let samples = self.tensor("target").len() / self.channels;
        let each = samples / partitions;
        Batch {
            inputs,
            outputs: self.channels,
            spans: (0..partitions).map(|p| p * each..(p + 1) * each).collect(),
            coordinates: self.tensor("coords").to_vec(),
            targets: self.tensor("target").to_vec(),
        }
    }

    /// Values grouped by partition, put back in the order of the canvas.
    pub(crate) fn ungrouped(&self, values: &[f32]) -> Vec<f32> {
        let grid = self.grid();
        let mut out = vec![0.0; values.len()];
        let mut rows = values.chunks_exact(self.channels);
        for partition in 0..grid.partitions() {
            for index in grid.partition_sample_indices(partition) {
                out[index as usize * self.channels..][..self.channels].copy_from_slice(rows.next().unwrap());
            }
        }
        out
    }
}

/// Norm of the difference over the norm of the truth.
pub(crate) fn relative_error(found: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(truth).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut truth.iter().map(|v| f64::from(*v))).max(f64::MIN_POSITIVE)
}

/// Every tensor of a field by name, local ones over all partitions.
pub(crate) fn tensors_of(field: &Field) -> Vec<(String, Vec<f32>)> {
    let spec = field.spec();
    let mut tensors = Vec::new();
    let shared = spec.global_layers().into_iter().chain(spec.merge_layer());
    for (index, layer) in shared.enumerate() {
        tensors.push((format!("shared {index} weights"), field.shared()[layer.weights].to_vec()));
        tensors.push((format!("shared {index} biases"), field.shared()[layer.biases].to_vec()));
    }
    for (index, layer) in spec.local_layers().into_iter().enumerate() {
        for (kind, range) in [("weights", layer.weights), ("biases", layer.biases)] {
            let values = (0..field.present().len()).flat_map(|slot| field.local_of_slot(slot)[range.clone()].to_vec());
            tensors.push((format!("local {index} {kind}"), values.collect()));
        }
    }
    tensors
}

/// A plan for a ball in 11x10x9 samples and 3x2x2 partitions, the last four of which are empty.
pub(crate) fn small_shape_plan(engine: EngineChoice) -> TrainingPlan {
    let shape = [11, 10, 9];
    let inside = |i: u32| {
        let place = [i / 90, i / 9 % 10, i % 9].map(f64::from);
        let square: f64 = place.iter().zip([3.0, 4.5, 4.0]).map(|(p, c)| (p - c) * (p - c)).sum();
        if square < 3.3 * 3.3 { 1.0 } else { 0.0 }
    };
    let info = SignalInfo::shape(shape, ShapeValue::Occupancy).unwrap();
    TrainingPlan {
        samples: Signal::new(info, (0..990).map(inside).collect()).unwrap().into(),
        grid: Grid::new(shape.to_vec(), vec![3, 2, 2], UNIT_RANGE).unwrap(),
        spec: FieldSpec::local_global(3, 1, 6, 10),
        settings: Settings { steps: 40, seed: 3, device: DeviceChoice::Cpu, engine, ..Settings::default() },
    }
}

/// A plan for a small picture with edges and noise: 21x17 samples in 4x3 partitions of unequal sizes.
pub(crate) fn small_plan(spec: FieldSpec, engine: EngineChoice, sample_fraction: f64) -> TrainingPlan {
    let (rows, columns) = (21, 17);
    let mut random = SplitMix64(11);
    let values = (0..rows * columns * 3).map(|i| if i % 7 < 3 { 0.4 } else { random.uniform(0.9) }).collect();
    let factors = if spec.model == tessera_core::field::Model::Siren { vec![1, 1] } else { vec![4, 3] };
    TrainingPlan {
        samples: Signal::new(SignalInfo::picture(rows, columns, 3, SampleFormat::U8).unwrap(), values).unwrap().into(),
        grid: Grid::new(vec![rows, columns], factors, UNIT_RANGE).unwrap(),
        spec,
        settings: Settings {
            steps: 40,
            sample_fraction,
            seed: 3,
            device: DeviceChoice::Cpu,
            engine,
            ..Settings::default()
        },
    }
}
