//! Our networks, gradients and optimiser against what the published PyTorch model computed (`fixtures/README.md`).

#![expect(clippy::cast_possible_truncation, reason = "the figures of small tests fit")]

mod common;

use std::sync::atomic::AtomicBool;

use burn::tensor::{Device, Tensor, TensorData};
use common::{Fixture, fixtures, relative_error, shared_data, skipped, small_plan, tensors_of};
use tessera::import::{ImportRequest, import};
use tessera::training::{
    Adam, Batches, DeviceChoice, Engine, EngineChoice, Event, Fused, General, OpenDevice, Settings, StoppedBy,
    TrainingPlan, train_from,
};
use tessera_core::eval::{View, cpu, reference};
use tessera_core::field::{Activation, Encoding, Field, FieldSpec, Model, initialise};
use tessera_core::grid::SOUND_RANGE;
use tessera_core::module::{FieldModule, read, rows_of, vector};
use tessera_core::signal::{ColourSpace, SampleFormat, Signal, SignalInfo, SignalKind};

/// Both engines on the CPU, by name.
fn engines() -> Vec<(&'static str, Box<dyn Engine>)> {
    let cpu = OpenDevice::open(DeviceChoice::Cpu).unwrap();
    vec![
        ("general", Box::new(General::new(&cpu))),
        // Chunks of a few partitions, and of pieces of one where there is but one.
        ("general in small chunks", Box::new(General::new(&cpu).with_chunk_samples(100))),
        ("fused", Box::new(Fused::new(&cpu.device))),
    ]
}

/// The signal that a fixture was trained on.
fn info_of(fixture: &Fixture) -> SignalInfo {
    SignalInfo {
        kind: match fixture.request.shape.len() {
            1 => SignalKind::Sound,
            2 => SignalKind::Picture,
            _ => SignalKind::Video,
        },
        shape: fixture.request.shape.clone(),
        channels: fixture.channels as u32,
        format: SampleFormat::F32,
        colour: ColourSpace::None,
        alpha: false,
        rate: (1, 1),
        amplitude: 1.0,
        placement: None,
    }
}

fn gradients_as_field(gradients: tessera::training::Gradients, like: &Field) -> Field {
    let shared = gradients.shared.map(|tensor| read(tensor).unwrap()).unwrap_or_default();
    like.with_weights(shared, read(gradients.local).unwrap()).unwrap()
}

#[test]
fn shapes_say_what_network_it_is() {
    for fixture in Fixture::all() {
        let field = fixture.field("init");
        let (model, hidden) = match fixture.name.as_str() {
            "image-mlp" => (Model::Siren, 3),
            "image-lc" => (Model::PerPartition, 3),
            "image-lg-1hidden" => (Model::LocalGlobal, 1),
            _ => (Model::LocalGlobal, 3),
        };
        assert_eq!((field.spec().model, field.spec().hidden_layers), (model, hidden), "{}", fixture.name);
        assert_eq!(field.parameters(), fixture.parameters, "{}", fixture.name);
    }
}

#[test]
fn the_grid_has_the_published_coordinates() {
    for fixture in Fixture::all() {
        let grid = fixture.grid();
        let values = vec![0.0; grid.samples() as usize * fixture.channels];
        let samples = Signal { info: info_of(&fixture), values }.into();
        let ours = Batches::new(&grid, &samples, 1.0, 0).full().unwrap();
        let theirs = fixture.batch();
        assert_eq!(ours.spans, theirs.spans, "{}", fixture.name);
        // PyTorch rounds twice where we round once: one unit in the last place of the largest coordinate.
        let tolerance = fixture.request.range[1] * f32::EPSILON;
        for (a, b) in ours.coordinates.iter().zip(&theirs.coordinates) {
            assert!((a - b).abs() <= tolerance, "{}: {a} and {b}", fixture.name);
        }
    }
}

#[test]
fn outputs_before_training() {
    let device = Device::flex();
    for fixture in Fixture::all() {
        let (field, batch) = (fixture.field("init"), fixture.batch());
        let truth = fixture.tensor("output0");
        let mut scalar = Vec::new();
        for (slot, span) in batch.spans.iter().enumerate() {
            for sample in span.clone() {
                let x = &batch.coordinates[sample * batch.inputs..][..batch.inputs];
                scalar.extend(reference::evaluate(field.spec(), field.shared(), field.local_of_slot(slot), x));
            }
        }
        let error = relative_error(&scalar, truth);
        assert!(error < 1e-5, "{} by the reference: {error:e}", fixture.name);

        let partitions = batch.spans.len();
        let shape = [partitions, batch.samples() / partitions, batch.inputs];
        let coordinates = Tensor::from_data(TensorData::new(batch.coordinates.clone(), shape), &device);
        let module = read(FieldModule::from_field(&field, &device).forward(coordinates)).unwrap();
        let error = relative_error(&module, truth);
        assert!(error < 1e-5, "{} by the burn module: {error:e}", fixture.name);

        // These take coordinates from the grid. Those of sound reach 100, where the last bit of a coordinate alone
        // moves a first layer's phase by omega * 4e-6.
        let tolerance = if fixture.request.range == SOUND_RANGE { 1e-3 } else { 1e-5 };
        let truth = fixture.ungrouped(truth);
        let view = View::full(field.grid());
        for (engine, values) in
            [("reference", reference::decode(&field, &view)), ("kernel", cpu::decode(&field, &view))]
        {
            let error = relative_error(&values.unwrap(), &truth);
            assert!(error < tolerance, "{} decoded by the {engine}: {error:e}", fixture.name);
        }
        let (a, b) = (reference::decode(&field, &view).unwrap(), cpu::decode(&field, &view).unwrap());
        let error = relative_error(&b, &a);
        assert!(error < 1e-5, "{}: kernel and reference differ by {error:e}", fixture.name);
    }
}

#[test]
fn gradients_before_training() {
    for fixture in Fixture::all() {
        let field = fixture.field("init");
        let truth = tensors_of(&fixture.field("grad0"));
        let module = FieldModule::from_field(&field, &Device::flex());
        for (engine, mut computing) in engines() {
            computing.load(fixture.batch()).unwrap();
            let (loss, gradients) = computing.loss_and_gradients(&module).unwrap();
            let first = f64::from(fixture.tensor("losses")[0]);
            assert!((loss / first - 1.0).abs() < 1e-5, "{} {engine}: loss {loss}, not {first}", fixture.name);
            assert!((computing.loss(&module).unwrap() / first - 1.0).abs() < 1e-5);
            let found = tensors_of(&gradients_as_field(gradients, &field));
            for ((name, found), (_, truth)) in found.iter().zip(&truth) {
                let error = relative_error(found, truth);
                assert!(error < 1e-5, "{} {engine} {name}: {error:e}", fixture.name);
            }
        }
    }
}

#[test]
fn fifty_steps_of_adam() {
    for fixture in Fixture::all() {
        let start = fixture.field("init");
        let truth = fixture.tensor("losses");
        assert_eq!(truth.len(), 51);
        for (engine, mut computing) in engines() {
            let mut module = FieldModule::from_field(&start, &Device::flex());
            let mut adam = Adam::new(fixture.learning_rate);
            computing.load(fixture.batch()).unwrap();
            for (step, &expected) in truth.iter().enumerate() {
                let (loss, gradients) = computing.loss_and_gradients(&module).unwrap();
                let drift = (loss / f64::from(expected) - 1.0).abs();
                assert!(drift < 1e-3, "{} {engine}: loss {loss} before step {step}, not {expected}", fixture.name);
                if step == 1 {
                    compare_after_one_step(&fixture, engine, &start, &module);
                }
                module = adam.step(&module, gradients);
            }
        }
    }
}

/// Adam's first step moves every weight by the learning rate times `g / (|g| + epsilon)`: nearly the sign of its
/// gradient. Weights are compared where that is determined by the gradient's first digits.
fn compare_after_one_step(fixture: &Fixture, engine: &str, start: &Field, module: &FieldModule) {
    let after = module.to_field(start).unwrap();
    let (truth, gradient) = (fixture.field("step1"), fixture.field("grad0"));
    let all = |field: &Field| [field.shared(), field.local()].concat();
    let error = relative_error(&all(&after), &all(&truth));
    assert!(error < 1e-5, "{} {engine}: weights after one step {error:e}", fixture.name);
    let moved = all(&after).into_iter().zip(all(start)).zip(all(&truth)).zip(all(&gradient));
    for (((after, start), truth), gradient) in moved {
        if gradient.abs() > 1e-5 {
            let (ours, theirs) = (f64::from(after - start), f64::from(truth - start));
            assert!(
                (ours - theirs).abs() < 1e-2 * fixture.learning_rate,
                "{} {engine}: a weight moved by {ours:e}, not {theirs:e}",
                fixture.name
            );
        }
    }
}

/// The whole loop, coordinates of the grid included, follows the published loss and keeps the best weights.
#[test]
fn the_training_loop_follows_the_published_trace() {
    for fixture in Fixture::all() {
        let start = fixture.field("init");
        for engine in [EngineChoice::General, EngineChoice::Fused] {
            let plan = TrainingPlan {
                samples: Signal::new(info_of(&fixture), fixture.ungrouped(fixture.tensor("target"))).unwrap().into(),
                grid: fixture.grid(),
                spec: start.spec().clone(),
                settings: Settings {
                    steps: 50,
                    learning_rate: fixture.learning_rate,
                    device: DeviceChoice::Cpu,
                    engine,
                    ..Settings::default()
                },
            };
            let mut losses = Vec::new();
            let outcome = train_from(&plan, &start, &AtomicBool::new(false), &mut |event| {
                if let Event::Step { loss, .. } = event {
                    losses.push(loss);
                }
            })
            .unwrap();
            assert_eq!((losses.len(), outcome.steps, outcome.stopped_by), (50, 50, StoppedBy::Steps));
            let truth = fixture.tensor("losses");
            for (step, (loss, expected)) in losses.iter().zip(truth).enumerate() {
                let drift = (loss / f64::from(*expected) - 1.0).abs();
                assert!(drift < 1e-3, "{} {engine} step {step}: {loss}, not {expected}", fixture.name);
            }
            let best = truth.iter().copied().fold(f32::INFINITY, f32::min);
            // As published for the kind of signal; a thousandth of a loss is 0.0043 dB.
            let expected = plan.psnr_db(best.into());
            assert!(
                (outcome.psnr_db - expected).abs() < 4.3e-3,
                "{}: {} dB at best, not {expected}",
                fixture.name,
                outcome.psnr_db
            );
        }
    }
}

#[test]
fn modules_and_fields_convert_without_loss() {
    for spec in [
        FieldSpec::local_global(2, 3, 5, 7),
        FieldSpec::per_partition(2, 3, 5),
        FieldSpec { hidden_layers: 0, ..FieldSpec::siren(2, 3, 5) },
    ] {
        let plan = small_plan(spec, EngineChoice::General, 1.0);
        let field = initialise(&plan.spec, &plan.grid, 9).unwrap();
        for device in [Device::flex(), Device::flex().autodiff()] {
            assert_eq!(FieldModule::from_field(&field, &device).to_field(&field).unwrap(), field);
        }
    }
}

/// Partitions of unequal sizes, which the published model does not have.
#[test]
fn engines_agree_on_partitions_of_unequal_sizes() {
    for spec in [
        FieldSpec::local_global(2, 3, 6, 9),
        FieldSpec::per_partition(2, 3, 7),
        FieldSpec::siren(2, 3, 12),
        FieldSpec { hidden_layers: 0, first_omega: 12.0, ..FieldSpec::local_global(2, 3, 3, 4) },
        // Published encodings; frequencies that a step of these small pictures does not overrun.
        FieldSpec { encoding: Encoding::Nerf { scale: 1.4, frequencies: 8 }, ..FieldSpec::siren(2, 3, 12) },
        FieldSpec {
            encoding: Encoding::Positional { scale: 6.0, frequencies: 5 },
            activation: Activation::Relu,
            ..FieldSpec::per_partition(2, 3, 7)
        },
        FieldSpec {
            encoding: Encoding::Gauss { scale: 2.0, frequencies: 9, seed: 4 },
            ..FieldSpec::per_partition(2, 3, 7)
        },
    ] {
        for fraction in [1.0, 0.3] {
            let plan = small_plan(spec.clone(), EngineChoice::General, fraction);
            let batches = Batches::new(&plan.grid, &plan.samples, fraction, 5);
            let batch = if fraction < 1.0 { batches.sampled(4) } else { batches.full() }.unwrap();
            let field = initialise(&plan.spec, &plan.grid, 1).unwrap();
            let module = FieldModule::from_field(&field, &Device::flex());
            let mut first = None;
            for (engine, mut computing) in engines() {
                computing.load(batch.clone()).unwrap();
                let (loss, gradients) = computing.loss_and_gradients(&module).unwrap();
                let found = tensors_of(&gradients_as_field(gradients, &field));
                let (expected, truth) = first.get_or_insert_with(|| (loss, found.clone()));
                assert!((loss / *expected - 1.0).abs() < 1e-5, "{engine}: {loss}, not {expected}");
                for ((name, found), (_, truth)) in found.iter().zip(truth.iter()) {
                    let error = relative_error(found, truth);
                    assert!(error < 2e-5, "{:?} {engine} {name}: {error:e}", spec.model);
                }
            }
        }
    }
}

#[test]
fn a_state_dict_of_torch_save_equals_its_safetensors_twin() {
    let request = ImportRequest::new(vec![9, 8], vec![3, 2]);
    let from_torch = import(&fixtures().join("state-dict.pth"), &request).unwrap();
    assert_eq!(from_torch, import(&fixtures().join("state-dict.safetensors"), &request).unwrap());
    let expected = FieldSpec { hidden_layers: 1, ..FieldSpec::local_global(2, 3, 5, 7) };
    assert_eq!(from_torch.spec(), &expected);
    assert!(from_torch.shared().iter().any(|w| *w != 0.0));
}

/// The published models at their full size, where the sample data is at hand.
#[test]
fn full_size_start_weights() {
    for (name, shape, factors, parameters) in [
        ("image-lg-16x16", vec![512, 512], vec![16, 16], 206_610),
        ("image-lc-16x16", vec![512, 512], vec![16, 16], 208_128),
        ("image-mlp-256x3", vec![512, 512], vec![1, 1], 198_915),
        ("audio-lg-32", vec![308_207], vec![32], 198_182),
    ] {
        let Some(path) = shared_data(&format!("init/{name}-seed0-init.safetensors")) else {
            skipped("full_size_start_weights", "no sample data (set TESSERA_TEST_DATA)");
            return;
        };
        let range = if shape.len() == 1 { SOUND_RANGE } else { tessera_core::grid::UNIT_RANGE };
        let field = import(&path, &ImportRequest { range, ..ImportRequest::new(shape, factors) }).unwrap();
        assert_eq!(field.parameters(), parameters, "{name}");
        let (shared, local) = (vector(field.shared().to_vec(), &Device::flex()), field.local().to_vec());
        assert_eq!(read(shared).unwrap(), field.shared());
        let rows = field.present().len();
        assert_eq!(rows_of(local, rows, &Device::flex()).dims(), [rows, field.local().len() / rows]);
    }
}
