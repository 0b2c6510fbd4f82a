//! Training on the GPU as the browser tests see it: the kernel's gradients beside the CPU kernel's, and a short run of
//! each from the same weights. Part of the feature `bench`.

use burn::tensor::{Device, Tensor, TensorData};
use tessera_core::Error;
use tessera_core::eval::cpu::training::{Batch, LossAndGradients, Step};
use tessera_core::eval::gpu::GpuTrainer;
use tessera_core::eval::{View, cpu};
use tessera_core::field::{Field, FieldSpec, SplitMix64, initialise};
use tessera_core::format::Reader;
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::module::{rows_of, vector};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::bench::coordinates;
use crate::gpu::{device, thrown};

/// Random networks and batches: `[name, loss, the CPU's loss, worst difference of a shared and of a local gradient]` for
/// each. The differences are relative to the largest gradient of the array. `workgroup_bytes` and `multiply_adds`
/// choose the kernel's tile and dispatches.
///
/// # Errors
/// `kind` 'device' where the device fails.
#[wasm_bindgen]
pub async fn gradient_parity(workgroup_bytes: u32, multiply_adds: f64) -> Result<js_sys::Array, JsValue> {
    let hidden = |hidden_layers, spec| FieldSpec { hidden_layers, ..spec };
    let cases = [
        ("the picture setting", FieldSpec::local_global(2, 3, 14, 84), vec![70, 1, 0, 300]),
        ("one axis, one channel", FieldSpec::local_global(1, 1, 9, 5), vec![33, 17]),
        ("three axes, five channels", FieldSpec::local_global(3, 5, 6, 11), vec![40, 41, 42]),
        ("four axes, no hidden layer", hidden(0, FieldSpec::local_global(4, 2, 4, 8)), vec![50, 60]),
        ("wide local, narrow global", hidden(1, FieldSpec::local_global(2, 3, 40, 4)), vec![64, 65]),
        ("a network per partition", FieldSpec::per_partition(2, 3, 15), vec![200, 130, 7]),
        ("a plain network", hidden(2, FieldSpec::siren(2, 3, 64)), vec![1500]),
    ];
    let device = device().map_err(thrown)?;
    let results = js_sys::Array::new();
    for (seed, (name, spec, sizes)) in cases.into_iter().enumerate() {
        let (field, batch) = random(&spec, &sizes, seed as u64).map_err(thrown)?;
        let expected = Step::new(&spec, field.shared(), field.local(), &batch).map_err(thrown)?.run_all();
        let trainer = GpuTrainer::with_workgroup_bytes(&device, &spec, workgroup_bytes as usize).map_err(thrown)?;
        let mut trainer = trainer.with_multiply_adds_per_dispatch(whole(multiply_adds));
        trainer.load(&batch).map_err(thrown)?;
        let found = run(&trainer, &field, &device).await.map_err(thrown)?;
        let row = js_sys::Array::of5(
            &name.into(),
            &found.loss.into(),
            &expected.loss.into(),
            &apart(&found.shared, &expected.shared).into(),
            &apart(&found.local, &expected.local).into(),
        );
        results.push(&row);
    }
    Ok(results)
}

/// Trains a fresh field towards the picture in `bytes` for `steps` steps of Adam, on the GPU and on the CPU, and returns
/// the losses of the GPU's steps followed by those of the CPU's.
///
/// # Errors
/// As `GpuField`.
#[wasm_bindgen]
pub async fn training_losses(bytes: Vec<u8>, steps: u32, learning_rate: f64) -> Result<Vec<f64>, JsValue> {
    losses(&bytes, steps, learning_rate).await.map_err(thrown)
}

async fn losses(bytes: &[u8], steps: u32, learning_rate: f64) -> Result<Vec<f64>, Error> {
    let device = device()?;
    let target = Reader::open(bytes)?.document()?.field;
    let spec = target.spec().clone();
    let start = initialise(&spec, target.grid(), 1)?.restricted_to(target.present());
    let batch = batch_of(&target)?;
    let mut trainer = GpuTrainer::new(&device, &spec)?;
    trainer.load(&batch)?;

    let mut losses = Vec::new();
    let mut shared = spec.has_global().then(|| vector(start.shared().to_vec(), &device));
    let mut local = rows_of(start.local().to_vec(), start.present().len(), &device);
    let (mut shared_rule, mut local_rule) = (Adam::new(learning_rate), Adam::new(learning_rate));
    for _ in 0..steps {
        let step = trainer.loss_and_gradients(shared.clone(), local.clone())?;
        losses.push(step.loss().await?);
        shared = shared.zip(step.shared).map(|(weights, gradient)| shared_rule.step(weights, gradient));
        local = local_rule.step(local, step.local);
    }
    let mut weights = [start.shared().to_vec(), start.local().to_vec()];
    let mut moments = [vec![[0.0; 2]; weights[0].len()], vec![[0.0; 2]; weights[1].len()]];
    for step in 1..=steps {
        let found = Step::new(&spec, &weights[0], &weights[1], &batch)?.run_all();
        losses.push(found.loss);
        for ((weights, moments), gradient) in weights.iter_mut().zip(&mut moments).zip([found.shared, found.local]) {
            adam(weights, moments, &gradient, step, learning_rate);
        }
    }
    Ok(losses)
}

/// Adam on the device in a few general operations: burn's optimiser would bring automatic differentiation along.
struct Adam<const D: usize> {
    learning_rate: f64,
    step: i32,
    moments: Option<[Tensor<D>; 2]>,
}

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

impl<const D: usize> Adam<D> {
    fn new(learning_rate: f64) -> Self {
        Self { learning_rate, step: 0, moments: None }
    }

    fn step(&mut self, weights: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        self.step += 1;
        let [first, second] = self.moments.take().unwrap_or_else(|| [gradient.zeros_like(), gradient.zeros_like()]);
        let first = first * BETAS[0] + gradient.clone() * (1.0 - BETAS[0]);
        let second = second * BETAS[1] + gradient.clone() * gradient * (1.0 - BETAS[1]);
        let correct = BETAS.map(|beta| 1.0 - beta.powi(self.step));
        let update = (first.clone() / correct[0]) / ((second.clone() / correct[1]).sqrt() + EPSILON);
        self.moments = Some([first, second]);
        weights - update * self.learning_rate
    }
}

/// The same rule on plain arrays.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "weights are f32; a few steps")]
fn adam(weights: &mut [f32], moments: &mut [[f32; 2]], gradient: &[f32], step: u32, learning_rate: f64) {
    let correct = BETAS.map(|beta| (1.0 - beta.powi(step as i32)) as f32);
    let betas = BETAS.map(|beta| beta as f32);
    for ((weight, [first, second]), g) in weights.iter_mut().zip(moments).zip(gradient) {
        *first = *first * betas[0] + g * (1.0 - betas[0]);
        *second = *second * betas[1] + g * g * (1.0 - betas[1]);
        let update = (*first / correct[0]) / ((*second / correct[1]).sqrt() + EPSILON as f32);
        *weight -= update * learning_rate as f32;
    }
}

/// A field of `sizes.len()` partitions with random weights, and so many random samples for each.
fn random(spec: &FieldSpec, sizes: &[usize], seed: u64) -> Result<(Field, Batch), Error> {
    let partitions = u32::try_from(sizes.len()).map_err(|error| Error::parameter(error.to_string()))?;
    let axes = spec.inputs as usize;
    let (mut shape, mut factors) = (vec![4; axes], vec![1; axes]);
    (shape[0], factors[0]) = (4 * partitions, partitions);
    let field = initialise(spec, &Grid::new(shape, factors, UNIT_RANGE)?, seed)?;
    let mut random = SplitMix64(seed);
    let mut draw = |count: usize| (0..count).map(|_| random.uniform(1.0)).collect::<Vec<f32>>();
    let samples: usize = sizes.iter().sum();
    let mut end = 0;
    let spans = sizes
        .iter()
        .map(|size| {
            let start = end;
            end += size;
            start..end
        })
        .collect();
    let outputs = spec.outputs as usize;
    let (coordinates, targets) = (draw(samples * axes), draw(samples * outputs));
    Ok((field, Batch { inputs: axes, outputs, spans, coordinates, targets }))
}

/// All samples of the partitions that are present, with the field's own values as targets.
fn batch_of(field: &Field) -> Result<Batch, Error> {
    let grid = field.grid();
    let outputs = field.spec().outputs as usize;
    let mut batch =
        Batch { inputs: grid.axes(), outputs, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
    for &partition in field.present() {
        let start = batch.samples();
        batch.coordinates.extend(coordinates(grid, partition));
        batch.targets.extend(cpu::decode(field, &View::region(&grid.partition_box(partition)))?);
        batch.spans.push(start..batch.samples());
    }
    Ok(batch)
}

async fn run(trainer: &GpuTrainer, field: &Field, device: &Device) -> Result<LossAndGradients, Error> {
    let shared = trainer.spec().has_global().then(|| vector(field.shared().to_vec(), device));
    let step = trainer.loss_and_gradients(shared, rows_of(field.local().to_vec(), field.present().len(), device))?;
    let loss = step.loss().await?;
    let shared = match step.shared {
        Some(shared) => values(shared.into_data_async().await)?,
        None => Vec::new(),
    };
    Ok(LossAndGradients { loss, shared, local: values(step.local.into_data_async().await)? })
}

fn values<E: std::fmt::Debug>(data: Result<TensorData, E>) -> Result<Vec<f32>, Error> {
    let failed = |reason: String| Error::Device(format!("reading a gradient back failed: {reason}"));
    let data = data.map_err(|error| failed(format!("{error:?}")))?;
    Ok(data.as_slice::<f32>().map_err(|error| failed(format!("{error:?}")))?.to_vec())
}

/// The worst difference, relative to the largest value expected; infinite for arrays of different lengths.
fn apart(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let worst = found.iter().zip(expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    f64::from(worst) / f64::from(largest.max(f32::MIN_POSITIVE))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as a bound may")]
fn whole(number: f64) -> u64 {
    number as u64
}
