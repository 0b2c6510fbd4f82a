//! Laws of the format on documents and bytes drawn at random: what the fuzz targets check, everywhere and always.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of small test files")]

mod common;

use common::{bodies, craft};
use proptest::prelude::*;
use tessera_core::field::{Activation, Encoding, FieldSpec, Model, SplitMix64};
use tessera_core::format::{ChunkCoding, Document, Reader, TrainingRecord, WeightCoding, crop, write};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::signal::{SampleFormat, SignalInfo};

prop_compose! {
    fn documents()(
        rows in 1_u32..20, columns in 1_u32..20, factors in (1_u32..6, 1_u32..6), channels in 1_u32..5,
        model in prop_oneof![Just(Model::Siren), Just(Model::PerPartition), Just(Model::LocalGlobal)],
        hidden_layers in 0_u32..3, local_width in 1_u32..5, global_width in 1_u32..5, omega in 0.5_f32..100.0,
        (encoding, relu) in (encodings(), any::<bool>()), seed in any::<u64>(),
        (text, psnr) in ("\\PC{0,20}", proptest::option::of(0.0_f64..90.0)),
    ) -> Document {
        let siren = model == Model::Siren;
        let factors = if siren { vec![1, 1] } else { vec![factors.0.min(rows), factors.1.min(columns)] };
        let grid = Grid::new(vec![rows, columns], factors, UNIT_RANGE).unwrap();
        let spec = FieldSpec {
            model, hidden_layers, global_width: if model == Model::LocalGlobal { global_width } else { 0 },
            encoding: if model == Model::LocalGlobal { Encoding::Mlp } else { encoding },
            activation: if model != Model::LocalGlobal && relu { Activation::Relu } else { Activation::Sine },
            first_omega: omega, ..FieldSpec::siren(2, channels, local_width)
        };
        let mut random = SplitMix64(seed);
        let mut present: Vec<u32> = (0..grid.partitions()).filter(|_| random.below(3) > 0).collect();
        if present.is_empty() {
            present.push(0);
        }
        Document {
            signal: SignalInfo::picture(rows, columns, channels, SampleFormat::U16).unwrap(),
            field: common::field(spec, grid, present),
            training: TrainingRecord { preset: text.clone(), seed, psnr_db: psnr, configuration: text, ..TrainingRecord::default() },
        }
    }
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![
        Just(Encoding::Mlp),
        (0.5_f32..2.0, 1_u32..9).prop_map(|(scale, frequencies)| Encoding::Nerf { scale, frequencies }),
        (0.5_f32..9.0, 1_u32..9).prop_map(|(scale, frequencies)| Encoding::Positional { scale, frequencies }),
        (0.5_f32..9.0, 1_u32..9, any::<u64>()).prop_map(|(scale, frequencies, seed)| Encoding::Gauss {
            scale,
            frequencies,
            seed
        }),
    ]
}

fn codings() -> impl Strategy<Value = WeightCoding> {
    prop_oneof![Just(WeightCoding::F32), Just(WeightCoding::F16), Just(WeightCoding::Bf16)]
}

proptest! {
    #[test]
    fn what_is_written_is_read(document in documents(), coding in codings()) {
        let bytes = write(&document, coding).unwrap();
        prop_assert_eq!(&bytes, &write(&document, coding).unwrap());
        let reader = Reader::open(&bytes).unwrap();
        reader.verify().unwrap();
        prop_assert_eq!(reader.coding(), ChunkCoding::Plain(coding));
        prop_assert_eq!(reader.parameters(), document.field.parameters());
        prop_assert_eq!(reader.document().unwrap(), document);
        bodies::file(&bytes);
    }

    #[test]
    fn crops_obey_their_laws(document in documents(), coding in codings(), masks in any::<[u8; 4]>()) {
        let bytes = write(&document, coding).unwrap();
        bodies::cropping(&[&masks[..], &bytes].concat());
        let everything: Vec<u32> = (0..1000).rev().collect();
        prop_assert_eq!(crop(&bytes, &everything).unwrap(), bytes);
    }

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Reader::open(&bytes).is_err());
        bodies::header(&bytes);
    }

    #[test]
    fn random_payloads_keep_the_promises(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        bodies::coded(&bytes);
    }

    /// The same for payloads that were sound but for a few bytes.
    #[test]
    fn damaged_payloads_keep_the_promises(
        which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), value in any::<u8>(),
    ) {
        let (name, ..) = which.get(bodies::quantised_networks());
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/coded");
        let mut payloads = std::fs::read(folder.join(name)).unwrap();
        let at = at.index(payloads.len());
        payloads[at] = value;
        bodies::coded(&payloads);
    }

    /// Damage behind right checksums: whatever opens still keeps every promise.
    #[test]
    fn damaged_heads_with_right_checksums_keep_the_promises(
        which in 0_usize..6, at in any::<proptest::sample::Index>(), value in any::<u8>(), length in 0_usize..3,
    ) {
        let (_, bytes) = common::golden().swap_remove(which);
        let (header, index, data) = craft::parts(&bytes);
        let mut head = [header, index].concat();
        let at = at.index(head.len());
        head.splice(at..(at + length).min(head.len()), [value]);
        let (header, index) = head.split_at(header.len().min(head.len()));
        let damaged = craft::file(header, index, data);
        bodies::file(&damaged);
        bodies::cropping(&[&[0x35, 0xac, 0x1e, 0x77][..], &damaged].concat());
    }
}
