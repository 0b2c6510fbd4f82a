//! `docs/format.md` against the code: the worked example is a file that we write, the limits are those that we check.
//! `TESSERA_UPDATE_GOLDEN=1` writes the example anew.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of small test files")]

mod common;

use std::path::PathBuf;

use tessera_core::eval::{View, reference};
use tessera_core::field::{Field, FieldSpec};
use tessera_core::format::{Document, Reader, TrainingRecord, WeightCoding, write};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::limits;
use tessera_core::signal::{SampleFormat, SignalInfo, to_code_value};

const BEGIN: &str = "<!-- example:begin -->\n";
const END: &str = "<!-- example:end -->";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md")
}

fn document() -> Document {
    let grid = Grid::new(vec![2, 3], vec![1, 2], UNIT_RANGE).unwrap();
    let spec = FieldSpec { hidden_layers: 0, ..FieldSpec::local_global(2, 1, 1, 1) };
    let shared = vec![0.03125, -0.0625, 0.5, 0.015625, 0.0625, 0.25];
    let local = vec![0.0625, 0.03125, 0.125, 0.75, -0.125, -0.03125, 0.0625, 0.25, -0.5, 0.0625];
    Document {
        signal: SignalInfo::picture(2, 3, 1, SampleFormat::U8).unwrap(),
        field: Field::new(spec, grid, vec![0, 1], shared, local).unwrap(),
        training: TrainingRecord::default(),
    }
}

/// Every field of the example: how many bytes, and what they say.
const FIELDS: &[(usize, &str)] = &[
    (8, "magic"),
    (2, "major version 1"),
    (2, "minor version 0"),
    (4, "no feature bits"),
    (4, "61 bytes of header"),
    (4, "8 bytes of index"),
    (16, "file id"),
    (4, "CRC of the header"),
    (4, "CRC of the index"),
    (4, "CRC of the prelude"),
    (1, "header: a picture"),
    (3, "shape: 2 axes, 2 rows, 3 columns"),
    (1, "1 channel"),
    (1, "unsigned 8 bits"),
    (1, "sRGB"),
    (1, "no opacity"),
    (2, "rate 0/1"),
    (4, "amplitude 1"),
    (1, "grid rule 0"),
    (3, "factors: 2 axes, 1 x 2"),
    (8, "range -1 to 1"),
    (1, "local-global"),
    (1, "no hidden layer"),
    (1, "local width 1"),
    (1, "global width 1"),
    (8, "omegas 30 and 30"),
    (1, "7 multiply-adds"),
    (2, "empty program and preset"),
    (2, "seed 0, 0 steps"),
    (16, "learning rate 0, sample fraction 0"),
    (1, "no PSNR"),
    (1, "empty configuration"),
    (2, "index: 12 bytes of global payload, binary16"),
    (3, "1 run: none absent, 2 present"),
    (3, "a group of 2, binary16, 10 bytes each"),
    (6, "global chunk: first layer, W (2 x 1) and b"),
    (6, "merge, K (2 x 1) and k"),
    (4, "CRC of the global chunk"),
    (6, "partition 0: first layer, W (2 x 1) and b"),
    (4, "last layer, W (1 x 1) and b"),
    (4, "CRC of the chunk"),
    (6, "partition 1: first layer"),
    (4, "last layer"),
    (4, "CRC of the chunk"),
];

fn example() -> String {
    let document = document();
    let bytes = write(&document, WeightCoding::F16).unwrap();
    assert_eq!(FIELDS.iter().map(|(length, _)| length).sum::<usize>(), bytes.len());
    let mut text = "    offset  bytes                                            meaning\n".to_owned();
    let mut at = 0;
    for (length, meaning) in FIELDS {
        let hex: Vec<String> = bytes[at..at + length].iter().map(|b| format!("{b:02x}")).collect();
        text.push_str(&format!("    {at:>4}    {:<47}  {meaning}\n", hex.join(" ")));
        at += length;
    }
    let values = reference::decode(&document.field, &View::full(document.field.grid())).unwrap();
    let list = |values: Vec<String>| values.join(", ");
    text.push_str(&format!(
        "\nIts six field values, row by row: {}. As code values: {}.\n",
        list(values.iter().map(|v| format!("{v:.4}")).collect()),
        list(values.iter().map(|&v| to_code_value(v, 255).to_string()).collect()),
    ));
    text
}

#[test]
fn the_worked_example_is_a_file_that_we_write() {
    let text = std::fs::read_to_string(path()).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = text.find(END).unwrap();
    if std::env::var_os("TESSERA_UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(path(), format!("{}{}{}", &text[..begin], example(), &text[end..])).unwrap();
        return;
    }
    assert_eq!(&text[begin..end], example(), "docs/format.md shows other bytes");
    // The bytes as a reader of the text would type them in.
    let typed: Vec<u8> = text[begin..end]
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .flat_map(|line| line[12..59].split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()))
        .collect();
    assert_eq!(Reader::open(&typed).unwrap().document().unwrap(), document());
}

#[test]
fn the_limits_are_those_of_the_text() {
    let text = std::fs::read_to_string(path()).unwrap();
    for (name, limit) in [
        ("HEAD_BYTES", limits::HEAD_BYTES),
        ("NAME_BYTES", limits::NAME_BYTES),
        ("TEXT_BYTES", limits::TEXT_BYTES),
        ("AXIS_SAMPLES", limits::AXIS_SAMPLES),
        ("CANVAS_SAMPLES", limits::CANVAS_SAMPLES),
        ("AXES", limits::AXES),
        ("CHANNELS", limits::CHANNELS),
        ("PARTITIONS", limits::PARTITIONS),
        ("WIDTH", limits::WIDTH),
        ("HIDDEN_LAYERS", limits::HIDDEN_LAYERS),
        ("PARAMETERS", limits::PARAMETERS),
        ("MULTIPLY_ADDS_PER_SAMPLE", limits::MULTIPLY_ADDS_PER_SAMPLE),
        ("ENCODED_INPUTS", limits::ENCODED_INPUTS),
        ("ENCODING_SCALE", limits::ENCODING_SCALE as u64),
        ("ENCODING_TURNS", limits::ENCODING_TURNS as u64),
        ("OMEGA", limits::OMEGA as u64),
        ("WEIGHT", limits::WEIGHT as u64),
        ("COORDINATE", limits::COORDINATE as u64),
    ] {
        assert!(text.contains(&format!("| `{name}` | {limit} |")), "{name} is {limit} in the code");
    }
    let magic: Vec<String> = tessera_core::format::MAGIC.iter().map(|b| format!("{b:02X}")).collect();
    assert!(text.contains(&magic.join(" ")));
    assert!(text.contains(tessera_core::format::MEDIA_TYPE));
}
