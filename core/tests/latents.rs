//! Fields of latents through the format: written, read, cropped, decoded.

use tessera_core::codec::contexts::Context;
use tessera_core::codec::{Quantisation, WeightCoding};
use tessera_core::eval::{View, cpu, reference};
use tessera_core::field::latents::Pyramid;
use tessera_core::field::{Activation, Encoding, Field, FieldSpec, Model, SplitMix64, StartRule, initialise, tensors};
use tessera_core::format::{self, Document, Reader, TrainingRecord};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::signal::{SampleFormat, SignalInfo};

fn spec(grid: &Grid, levels: u32, finest: u32) -> FieldSpec {
    FieldSpec {
        model: Model::Latents,
        hidden_layers: 1,
        local_width: levels,
        global_width: 16,
        encoding: Encoding::Latents(Pyramid::new(grid, levels, finest).unwrap()),
        activation: Activation::LeakyRelu,
        ..FieldSpec::siren(u32::try_from(grid.axes()).unwrap(), 3, 1)
    }
}

/// Latents that are mostly zeros in fine levels.
fn field(grid: &Grid, levels: u32, finest: u32) -> Field {
    let field = initialise(&spec(grid, levels, finest), grid, 5).unwrap();
    let mut random = SplitMix64(9);
    let pyramid = field.spec().pyramid().unwrap().levels(field.spec().inputs);
    let mut local = field.local().to_vec();
    let size = pyramid.last().unwrap().latents.end;
    for part in local.chunks_exact_mut(size) {
        for (place, level) in pyramid.iter().enumerate() {
            for latent in &mut part[level.latents.clone()] {
                *latent = 0.125
                    * (random.next_word() % (9 - place as u64)) as f32
                    * f32::from(random.next_word().is_multiple_of(1 + place as u64));
            }
        }
    }
    field.with_weights(field.shared().to_vec(), local).unwrap()
}

fn document(grid: &Grid, field: Field) -> Document {
    let signal = SignalInfo::picture(grid.shape()[0], grid.shape()[1], 3, SampleFormat::U8).unwrap();
    Document { signal, field, training: TrainingRecord { seed: 5, ..TrainingRecord::default() } }
}

fn quantised(document: &Document) -> Quantisation {
    let spec = document.field.spec();
    let shared = vec![1.0 / 256.0; tensors(&spec.shared_layers()).len()];
    let local = vec![0.125; spec.pyramid().unwrap().levels as usize];
    let quantisation =
        Quantisation::new(spec, StartRule::Zero, tessera_core::codec::Coder::Static, &shared, &local).unwrap();
    quantisation.with_contexts(spec, vec![Context::default(); local.len()]).unwrap()
}

#[test]
fn the_kernel_agrees_with_the_formulas_and_crops_keep_their_bits() {
    for (shape, factors, finest) in [
        (vec![37, 50], vec![3, 2], 0),
        (vec![37, 50], vec![1, 1], 1),
        (vec![5, 21, 18], vec![2, 2, 1], 0),
        (vec![200], vec![3], 2),
        (vec![3, 4, 6, 5], vec![1, 2, 1, 2], 0),
        (vec![1, 1], vec![1, 1], 0),
    ] {
        let grid = Grid::new(shape.clone(), factors, UNIT_RANGE).unwrap();
        let whole = field(&grid, 4, finest);
        let edges: Vec<_> = shape.iter().map(|&n| -1.5..f64::from(n) + 1.5).collect();
        let finer: Vec<u32> = shape.iter().map(|n| n + 9).collect();
        for view in [View::full(&grid), View::resampled(&edges, &finer).unwrap()] {
            let fast = cpu::decode(&whole, &view).unwrap();
            for (a, b) in fast.iter().zip(&reference::decode(&whole, &view).unwrap()) {
                assert!((a - b).abs() < 1e-5, "{a} and {b}");
            }
            let kept = whole.restricted_to(&[0, 2]);
            for (a, b) in cpu::decode(&kept, &view).unwrap().iter().zip(&fast) {
                assert!(a.is_nan() || a.to_bits() == b.to_bits());
            }
        }
    }
}

#[test]
fn files_come_back_and_are_cropped_by_copying() {
    let grid = Grid::new(vec![40, 52], vec![2, 2], UNIT_RANGE).unwrap();
    let document = document(&grid, field(&grid, 5, 0));
    let plain = format::write(&document, WeightCoding::F32).unwrap();
    assert_eq!(Reader::open(&plain).unwrap().verified().unwrap(), document);
    let quantisation = quantised(&document);
    let bytes = format::write_quantised(&document, &quantisation).unwrap();
    assert!(bytes.len() * 8 < plain.len(), "{} of {}", bytes.len(), plain.len());
    let reader = Reader::open(&bytes).unwrap();
    let read = reader.verified().unwrap();
    let numbers = quantisation.numbers(&document.field, 5).unwrap();
    assert_eq!(read.field, quantisation.field(&document.field, 5, &numbers).unwrap());
    assert_eq!(read.field.local(), document.field.local(), "these latents are whole steps");
    let part = format::crop(&bytes, &[1, 2]).unwrap();
    assert_eq!(part.len() as u64, reader.cropped_bytes(&[1, 2]));
    assert_eq!(Reader::open(&part).unwrap().verified().unwrap().field, read.field.restricted_to(&[1, 2]));
    // Every bit counts.
    for place in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[place] ^= 1 << (place % 8);
        assert!(Reader::open(&broken).and_then(|reader| reader.verified()).is_err(), "byte {place}");
    }
    for length in 0..bytes.len() {
        assert!(Reader::open(&bytes[..length]).and_then(|reader| reader.verified()).is_err(), "{length} bytes");
    }
}
