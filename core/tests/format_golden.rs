//! The committed files under `golden/`: version 1 as it was released. `TESSERA_UPDATE_GOLDEN=1` writes them anew, which
//! is right only for an addition or before a release.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of small test files")]

mod common;

use std::path::PathBuf;

use common::{bodies, craft};
use tessera_core::codec::chunks::{Form, QuantisedReader};
use tessera_core::eval::{View, cpu, fill_empty, reference};
use tessera_core::format::{Reader, WeightCoding, crop};

/// What a fuzz target runs.
type Body = fn(&[u8]);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.inr"))
}

fn update() -> bool {
    std::env::var_os("TESSERA_UPDATE_GOLDEN").is_some_and(|v| v == "1")
}

#[test]
fn our_writer_gives_the_committed_bytes() {
    for (name, bytes) in common::golden() {
        if update() {
            std::fs::write(path(name), &bytes).unwrap();
        }
        let committed = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{}: {error}", path(name).display()));
        assert!(committed == bytes, "{name}: the writer gives other bytes than the released version did");
    }
}

#[test]
fn the_committed_files_hold_what_they_should() {
    if update() {
        return; // They are being written.
    }
    for (name, document) in [
        ("picture-f32", common::picture()),
        ("siren-f16", common::siren()),
        ("sound-bf16", common::sound()),
        ("video-f16", common::video()),
        ("shape-bf16", common::shape()),
    ] {
        let bytes = std::fs::read(path(name)).unwrap();
        let reader = Reader::open(&bytes).unwrap();
        reader.verify().unwrap();
        assert_eq!(reader.document().unwrap(), document, "{name}");
        assert_eq!(reader.version(), (1, 0));
    }
    let added = std::fs::read(path("distance-f16")).unwrap();
    let reader = Reader::open(&added).unwrap();
    assert_eq!((reader.document().unwrap(), reader.version()), (common::distance(), (1, 1)));
    assert_eq!((reader.empty(), reader.is_complete()), (&[1, 2][..], false));
    let blended = std::fs::read(path("blended-f32")).unwrap();
    let reader = Reader::open(&blended).unwrap();
    assert_eq!((reader.document().unwrap(), reader.version()), (common::blended(), (1, 2)));
    assert_eq!(reader.blend(), [1, 1]);
    for (name, document) in [("encoded-f16", common::encoded()), ("gauss-f32", common::gauss())] {
        let bytes = std::fs::read(path(name)).unwrap();
        let reader = Reader::open(&bytes).unwrap();
        assert_eq!((reader.document().unwrap(), reader.version()), (document, (1, 2)), "{name}");
    }
    let latents = std::fs::read(path("latents-quantised")).unwrap();
    let reader = Reader::open(&latents).unwrap();
    assert_eq!(reader.version(), (1, 3));
    // These latents are whole steps.
    assert_eq!(reader.document().unwrap().field.local(), common::latents().field.local());
    let whole = std::fs::read(path("picture-f32")).unwrap();
    let cropped = std::fs::read(path("picture-f32-cropped")).unwrap();
    assert_eq!(crop(&whole, &[4, 2, 1, 99]).unwrap(), cropped);
    let (whole, cropped) = (Reader::open(&whole).unwrap(), Reader::open(&cropped).unwrap());
    cropped.verify().unwrap();
    assert_eq!((cropped.file_id(), cropped.signal(), cropped.grid()), (whole.file_id(), whole.signal(), whole.grid()));
    assert_eq!(cropped.document().unwrap().field, whole.document().unwrap().field.restricted_to(&[1, 2, 4]));
}

/// Against values that another implementation decoded: `tests/reader/tessera_reader.py`, written from the text of the
/// format, with numpy (`python3 tests/reader/tessera_reader.py NAME.inr NAME.npy`).
#[test]
fn the_committed_files_decode_as_the_second_reader_says() {
    if update() {
        return; // They are being written.
    }
    for (name, _) in common::golden() {
        let bytes = std::fs::read(path(name)).unwrap();
        let field = Reader::open(&bytes).unwrap().document().unwrap().field;
        let view = View::full(field.grid());
        let outside = Reader::open(&bytes).unwrap().signal().shape_value().outside();
        let npy = std::fs::read(folder().join(format!("{name}.npy"))).unwrap();
        let data = &npy[10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]))..];
        let theirs: Vec<f32> = data.as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect();
        for mut ours in [reference::decode(&field, &view).unwrap(), cpu::decode(&field, &view).unwrap()] {
            fill_empty(&field, &view, outside, &mut ours).unwrap();
            assert_eq!(ours.len(), theirs.len(), "{name}");
            for (place, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                let equal = (a - b).abs() < 2e-5 || (a.is_nan() && b.is_nan());
                assert!(equal, "{name}, value {place}: {a} and {b}");
            }
        }
    }
}

/// Weights by their checksum, which `tests/browser/weights.test.mjs` compares with those of the browser's module.
#[test]
fn the_weights_have_the_committed_checksums() {
    let line = |(name, bytes): (&str, Vec<u8>)| {
        let checksum = Reader::open(&bytes).unwrap().verified().unwrap().field.checksum();
        format!("  \"{name}\": \"{checksum:08x}\"")
    };
    let lines: Vec<String> = common::golden().into_iter().map(line).collect();
    let list = format!("{{\n{}\n}}\n", lines.join(",\n"));
    let path = folder().join("weights.json");
    if update() {
        std::fs::write(&path, &list).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), list);
}

/// The seeds of the fuzz targets are made from the same files, and have to pass the bodies like everything else.
#[test]
fn the_fuzz_seeds_are_current_and_pass() {
    for (name, bytes) in common::golden() {
        let (header, index, data) = craft::parts(&bytes);
        let cut = [header.len() as u8, (header.len() >> 8) as u8, index.len() as u8];
        let mut seeds: Vec<(&str, Vec<u8>, Body)> = vec![
            ("file", bytes.clone(), bodies::file),
            ("header", [&cut[..], header, index, data].concat(), bodies::header),
            ("crop", [&[0x35, 0xac, 0x1e, 0x77][..], &bytes].concat(), bodies::cropping),
        ];
        let networks = bodies::quantised_networks();
        if let Some(network) = networks.iter().position(|(quantised, ..)| *quantised == name) {
            let chunks = Reader::open(&bytes).unwrap().chunks();
            // A chunk ends with its checksum.
            let payload = |at: usize| &bytes[chunks[at].offset as usize..][..chunks[at].bytes as usize - 4];
            let (shared, local) = (payload(0), payload(1));
            let (_, spec, grid, random) = &networks[network];
            let coded = QuantisedReader::new(spec, grid, *random, shared).unwrap();
            assert!(coded.local(chunks[1].partition.unwrap(), local, Form::Written).is_ok());
            let head = [network as u8, shared.len() as u8, (shared.len() >> 8) as u8];
            seeds.push(("coded", [&head[..], shared, local].concat(), bodies::coded));
        }
        for (target, seed, body) in seeds {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
            if update() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), &seed).unwrap();
            }
            assert!(std::fs::read(folder.join(name)).unwrap() == seed, "{target}/{name} is out of date");
            body(&seed);
        }
    }
}

/// Four bytes of checksum per partition, and an index that does not grow with their number.
#[test]
fn the_overhead_per_partition_is_small() {
    for coding in WeightCoding::ALL {
        let grid = tessera_core::grid::Grid::new(vec![64, 64], vec![16, 16], [-1.0, 1.0]).unwrap();
        let spec = tessera_core::field::FieldSpec::local_global(2, 3, 3, 4);
        let document = tessera_core::format::Document {
            signal: tessera_core::signal::SignalInfo::picture(64, 64, 3, tessera_core::signal::SampleFormat::U8)
                .unwrap(),
            field: common::field(spec.clone(), grid, (0..256).collect()),
            training: common::training(),
        };
        let bytes = tessera_core::format::write(&document, coding).unwrap();
        let weights = coding.payload_bytes(spec.parameters(256));
        let header = craft::lengths(&bytes).unwrap().0 as u64;
        let overhead = bytes.len() as u64 - weights - header;
        assert!(overhead <= 52 + 16 + 4 + 256 * 4, "{overhead} bytes");
        // A window of 8 x 8 partitions is 8 runs.
        let window: Vec<u32> = (4..12).flat_map(|r| (4..12).map(move |c| r * 16 + c)).collect();
        let cropped = crop(&bytes, &window).unwrap();
        let overhead = cropped.len() as u64 - coding.payload_bytes(spec.parameters(64)) - header;
        assert!(overhead <= 52 + 4 + 64 * 6, "{overhead} bytes");
    }
}
