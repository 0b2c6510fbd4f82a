//! Files of quantised weights: what is written comes back, crops copy, hostile bytes are refused.
#![allow(clippy::cast_possible_truncation, reason = "numbers of small test files")]

mod common;

use proptest::prelude::*;
use tessera_core::codec::chunks::SEEDED_WEIGHTS;
use tessera_core::codec::quantised::Numbers;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::error::Error;
use tessera_core::field::{Field, FieldSpec, StartRule, initialise_centred, tensors};
use tessera_core::format::{
    ChunkCoding, Document, Reader, TrainingRecord, WeightCoding, crop, write, write_numbers, write_quantised,
};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::signal::{SampleFormat, SignalInfo};

const SEED: u64 = 9;

fn steps(spec: &FieldSpec, shared: f32, local: f32) -> (Vec<f32>, Vec<f32>) {
    (vec![shared; tensors(&spec.shared_layers()).len()], vec![local; tensors(&spec.local_layers()).len()])
}

/// A field a little away from its start weights.
fn document(spec: FieldSpec, shape: [u32; 2], factors: [u32; 2]) -> Document {
    let grid = Grid::new(shape.to_vec(), factors.to_vec(), UNIT_RANGE).unwrap();
    let field = initialise_centred(&spec, &grid, SEED).unwrap();
    let moved = |weights: &[f32], by: f32| {
        weights.iter().enumerate().map(|(i, w)| w + by * ((i * 37 % 19) as f32 / 9.0 - 1.0)).collect::<Vec<_>>()
    };
    let field = field.with_weights(moved(field.shared(), 0.01), moved(field.local(), 0.05)).unwrap();
    Document {
        signal: SignalInfo::picture(shape[0], shape[1], spec.outputs, SampleFormat::U8).unwrap(),
        field,
        training: TrainingRecord { seed: SEED, ..common::training() },
    }
}

fn models() -> [FieldSpec; 3] {
    [FieldSpec::local_global(2, 3, 6, 10), FieldSpec::per_partition(2, 3, 7), FieldSpec::siren(2, 3, 12)]
}

fn of(model: &FieldSpec) -> Document {
    let factors = if model.model == tessera_core::field::Model::Siren { [1, 1] } else { [3, 2] };
    document(model.clone(), [31, 23], factors)
}

fn quantisation(document: &Document, coder: Coder) -> Quantisation {
    let spec = document.field.spec();
    let (shared, local) = steps(spec, 0.002, 0.004);
    Quantisation::new(spec, StartRule::Centred, coder, &shared, &local).unwrap()
}

#[test]
fn a_file_holds_what_the_quantisation_says() {
    for model in models() {
        for coder in Coder::ALL {
            let document = of(&model);
            let quantisation = quantisation(&document, coder);
            let bytes = write_quantised(&document, &quantisation).unwrap();
            assert_eq!(bytes, write_quantised(&document, &quantisation).unwrap());
            let reader = Reader::open(&bytes).unwrap();
            reader.verify().unwrap();
            assert_eq!(reader.coding(), ChunkCoding::Quantised);
            let numbers = quantisation.numbers(&document.field, SEED).unwrap();
            let expected = quantisation.field(&document.field, SEED, &numbers).unwrap();
            assert_eq!(reader.document().unwrap().field, expected);
            let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far(expected.shared(), document.field.shared()) <= 0.00101);
            // First biases move with their weights; all others stay within half a step.
            let after = document.field.spec().local_layers()[0].biases.end;
            for slot in 0..expected.present().len() {
                let (a, b) = (expected.local_of_slot(slot), document.field.local_of_slot(slot));
                assert!(far(&a[after..], &b[after..]) <= 0.00201, "{model:?}");
            }
            assert_eq!(reader.ledger().unwrap().total(), bytes.len() as u64);
            let plain = write(&document, WeightCoding::F32).unwrap();
            assert!(bytes.len() * 2 < plain.len(), "{} of {}", bytes.len(), plain.len());
        }
    }
}

#[test]
fn crops_copy_and_keep_every_bit() {
    let document = of(&models()[0]);
    let whole = write_quantised(&document, &quantisation(&document, Coder::Static)).unwrap();
    let cropped = crop(&whole, &[1, 4]).unwrap();
    let reader = Reader::open(&cropped).unwrap();
    reader.verify().unwrap();
    let all = Reader::open(&whole).unwrap();
    assert_eq!(reader.document().unwrap().field, all.document().unwrap().field.restricted_to(&[1, 4]));
    let dropped: u64 =
        all.chunks().iter().filter(|c| matches!(c.partition, Some(0 | 2 | 3 | 5))).map(|c| c.bytes).sum();
    // What else changes is the index alone.
    let difference = whole.len() as i64 - cropped.len() as i64 - dropped as i64;
    assert!((-16..=16).contains(&difference), "{difference}");
    // Six bytes at most per chunk that are not its weights: the checksum and its length.
    let index = all.ledger().unwrap().rows.iter().find(|row| row.part == "index").unwrap().bytes;
    assert!(index <= 12 + 2 * 6);
}

#[test]
fn weights_that_stay_at_their_start_cost_nothing() {
    let spec = FieldSpec::local_global(2, 3, 6, 40);
    let document = document(spec.clone(), [31, 23], [3, 2]);
    let grid = document.field.grid().clone();
    let start = initialise_centred(&spec, &grid, SEED).unwrap();
    let held = Document {
        field: start.with_weights(start.shared().to_vec(), document.field.local().to_vec()).unwrap(),
        ..document
    };
    assert_eq!(Quantisation::nearest_start(&held.field, SEED), StartRule::Centred);
    assert_eq!(Quantisation::nearest_start(&held.field, SEED + 1), StartRule::Zero);
    let bytes = write_quantised(&held, &quantisation(&held, Coder::Static)).unwrap();
    let ledger = Reader::open(&bytes).unwrap().ledger().unwrap();
    assert!(ledger.rows.iter().all(|row| row.part != "shared weights"), "{ledger:?}");
    assert_eq!(Reader::open(&bytes).unwrap().document().unwrap().field.shared(), start.shared());
}

#[test]
fn classes_of_partitions_have_their_own_steps() {
    let document = of(&models()[0]);
    let spec = document.field.spec();
    let (shared, fine) = steps(spec, 0.0, 0.001);
    let coarse = steps(spec, 0.0, 0.02).1;
    let classed = Quantisation::new(spec, StartRule::Centred, Coder::Static, &shared, &fine)
        .unwrap()
        .with_classes(spec, &[fine.clone(), coarse], vec![0, 1, 1, 0, 1, 1])
        .unwrap();
    let bytes = write_quantised(&document, &classed).unwrap();
    let reader = Reader::open(&bytes).unwrap();
    reader.verify().unwrap();
    let sizes: Vec<u64> = reader.chunks().iter().filter(|c| c.partition.is_some()).map(|c| c.bytes).collect();
    assert!(sizes[0] > sizes[1] + 50 && sizes[3] > sizes[2] + 50, "{sizes:?}");
    assert!(classed.clone().with_classes(spec, &[], vec![]).is_err());
    assert!(classed.clone().with_classes(spec, std::slice::from_ref(&fine), vec![1]).is_err());
    assert!(classed.clone().with_classes(spec, &[vec![1.0]], vec![]).is_err());
    assert!(classed.with_classes(spec, &[vec![f32::NAN; fine.len()]], vec![]).is_err());
}

#[test]
fn bits_bound_the_numbers() {
    let document = of(&models()[1]);
    let quantisation = quantisation(&document, Coder::Static).with_bits(3).unwrap();
    let numbers = quantisation.numbers(&document.field, SEED).unwrap();
    assert!(numbers.local.iter().all(|n| n.abs() <= 3) && numbers.local.contains(&3));
    assert!(quantisation.clone().with_bits(1).is_err() && quantisation.with_bits(17).is_err());
}

#[test]
fn a_weight_beyond_the_limit_is_refused_before_it_is_written() {
    let document = of(&models()[1]);
    let spec = document.field.spec();
    let (shared, local) = steps(spec, 0.0, 1e4);
    let quantisation = Quantisation::new(spec, StartRule::Zero, Coder::Static, &shared, &local).unwrap();
    let numbers = Numbers { shared: vec![], local: vec![200; document.field.local().len()] };
    assert!(matches!(write_numbers(&document, &quantisation, &numbers), Err(Error::Parameter(_))));
}

/// Every cut and every changed byte with a checksum made right again: an error or weights, never a panic.
#[test]
fn hostile_payloads_are_errors_or_weights() {
    let networks = Coder::ALL.map(|coder| {
        let document = of(&models()[0]);
        write_quantised(&document, &quantisation(&document, coder)).unwrap()
    });
    for bytes in networks.into_iter().chain([common::latents_quantised()]) {
        let chunks = Reader::open(&bytes).unwrap().chunks();
        for chunk in chunks.iter().take(3) {
            for at in chunk.offset..chunk.offset + chunk.bytes - 4 {
                for with in [0x00, 0x01, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at as usize] = with;
                    common::craft::repair_chunk(&mut changed, chunk.partition, chunk.offset, chunk.bytes);
                    common::bodies::file(&changed);
                }
            }
        }
    }
}

#[test]
fn little_bytes_cannot_order_much_memory() {
    // A seeded global network above the limit needs a byte of payload for every 128 weights.
    let wide = FieldSpec::local_global(2, 3, 4, 1100);
    assert!(wide.shared_parameters() > SEEDED_WEIGHTS);
    let start = initialise_centred(&wide, &Grid::new(vec![4, 4], vec![2, 2], UNIT_RANGE).unwrap(), SEED).unwrap();
    let document = Document { field: start, ..document(FieldSpec::per_partition(2, 3, 4), [4, 4], [2, 2]) };
    let bytes = write_quantised(&document, &quantisation(&document, Coder::Static)).unwrap();
    let reader = Reader::open(&bytes).unwrap();
    reader.verify().unwrap();
    assert!(bytes.len() as u64 * 128 + SEEDED_WEIGHTS >= reader.parameters());
}

fn numbers_of(field: &Field) -> impl Strategy<Value = Numbers> {
    let number = || prop_oneof![6 => Just(0), 3 => -4..=4, 1 => -3000..=3000];
    let (shared, local) = (field.shared().len(), field.local().len());
    (proptest::collection::vec(number(), shared), proptest::collection::vec(number(), local))
        .prop_map(|(shared, local)| Numbers { shared, local })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_numbers_come_back(
        numbers in numbers_of(&of(&models()[0]).field), coder in proptest::sample::select(Coder::ALL.to_vec()),
    ) {
        let document = of(&models()[0]);
        let quantisation = quantisation(&document, coder);
        let bytes = write_numbers(&document, &quantisation, &numbers).unwrap();
        let reader = Reader::open(&bytes).unwrap();
        prop_assert!(reader.verify().is_ok());
        let expected = quantisation.field(&document.field, SEED, &numbers).unwrap();
        prop_assert_eq!(reader.document().unwrap().field, expected);
    }
}
