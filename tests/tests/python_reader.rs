//! The second reader, a Python script written from `docs/format.md` alone, agrees with ours on real files: codings,
//! models, crops, and what is no file at all.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tessera_core::eval::{View, cpu, fill_empty};
use tessera_core::format::Reader;
use tessera_tests::pictures::picture;
use tessera_tests::program::Workplace;
use tessera_tests::shapes::ball;

/// Field values lie in about [-1, 1]. numpy's sine and order of sums differ from ours.
const TOLERANCE: f32 = 2e-4;

fn python() -> Option<OsString> {
    let able = |p: &OsString| Command::new(p).args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success());
    let found = std::env::var_os("PYTHON").into_iter().chain(["python3".into(), "python".into()]).find(able);
    if found.is_none() {
        // Straight to the terminal: the test harness swallows what `eprintln` prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED python_reader: no Python here can import numpy");
    }
    found
}

fn read(python: &OsString, place: &Workplace, file: &str, out: Option<&str>) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reader/tessera_reader.py");
    let mut command = Command::new(python);
    command.arg(script).arg(place.path(file));
    command.args(out.map(|name| place.path(name))).output().unwrap()
}

/// Shape and values of a little-endian 32-bit float `.npy` file.
fn npy(bytes: &[u8]) -> (Vec<usize>, Vec<f32>) {
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    let (_, shape) = header.split_once('(').unwrap();
    let shape = shape.split(')').next().unwrap().split(',').filter_map(|n| n.trim().parse().ok()).collect();
    (shape, bytes[start..].as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

#[test]
fn the_second_reader_decodes_the_same_picture() {
    let Some(python) = python() else { return };
    let place = Workplace::new();
    for (index, (kind, options)) in [
        ("rgb8", &["--partitions", "3x4", "--blend", "5x4"][..]),
        ("l8", &["--model", "per-partition", "--weights", "f16"]),
        ("rgba16", &["--model", "siren", "--local-width", "16", "--weights", "bf16"]),
        ("rgb8", &["--hidden-layers", "1", "--first-omega", "20", "--hidden-omega", "25"]),
        ("rgb8", &["--model", "latents", "--bpp", "2", "--partitions", "2x3", "--blend", "3x2"]),
        ("l8", &["--model", "latents", "--bpp", "0.14"]),
    ]
    .into_iter()
    .enumerate()
    {
        picture(kind, 53, 38).save(place.path("a.png")).unwrap();
        let fixed = ["encode", "a.png", "-o", "a.inr", "--force", "--steps", "30", "--seed", "7"];
        // So small a size, which makes the finest level a coarse one, is missed by so small a picture.
        let run = place.run(&[&fixed, options].concat());
        assert_eq!(run.code, if options.contains(&"0.14") { 5 } else { 0 }, "{}", run.stderr);
        if index == 0 {
            place.done(&["crop", "a.inr", "-o", "a.inr", "--force", "--keep", "parts=0,5-7,11"]);
        }
        let run = read(&python, &place, "a.inr", Some("a.npy"));
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let (shape, theirs) = npy(&place.read("a.npy"));
        let bytes = place.read("a.inr");
        let document = Reader::open(&bytes).unwrap().document().unwrap();
        assert_eq!(shape, [38, 53, document.signal.channels as usize]);
        let ours = cpu::decode(&document.field, &View::full(document.field.grid())).unwrap();
        assert_eq!(theirs.len(), ours.len());
        for (place, (a, b)) in theirs.iter().zip(&ours).enumerate() {
            assert!((a - b).abs() <= TOLERANCE || (a.is_nan() && b.is_nan()), "{kind}, value {place}: {a} and {b}");
        }
        assert_eq!(ours.iter().any(|v| v.is_nan()), index == 0);
    }
}

#[test]
fn the_second_reader_knows_what_is_empty_and_what_is_cropped() {
    let Some(python) = python() else { return };
    let place = Workplace::new();
    place.write("a.obj", ball([1.0, 2.0, 3.0], 4.0).as_bytes());
    for field in ["occupancy", "distance"] {
        let fixed = ["encode", "a.obj", "-o", "a.inr", "--force", "--resolution", "24", "--partitions", "8x8x8"];
        place.done(&[&fixed[..], &["--local-width", "6", "--steps", "20", "--field", field]].concat());
        place.done(&["crop", "a.inr", "-o", "c.inr", "--force", "--keep", "box=..,..12,.."]);
        for name in ["a.inr", "c.inr"] {
            let run = read(&python, &place, name, Some("a.npy"));
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let (shape, theirs) = npy(&place.read("a.npy"));
            assert_eq!(shape, [24, 24, 24, 1]);
            let bytes = place.read(name);
            let document = Reader::open(&bytes).unwrap().document().unwrap();
            let view = View::full(document.field.grid());
            let mut ours = cpu::decode(&document.field, &view).unwrap();
            fill_empty(&document.field, &view, document.signal.shape_value().outside(), &mut ours).unwrap();
            for (place, (a, b)) in theirs.iter().zip(&ours).enumerate() {
                assert!(
                    (a - b).abs() <= TOLERANCE || (a.is_nan() && b.is_nan()),
                    "{field}, value {place}: {a} and {b}"
                );
            }
            assert!(!document.field.empty().is_empty());
            assert_eq!(ours.iter().any(|v| v.is_nan()), name == "c.inr");
        }
    }
}

#[test]
fn the_second_reader_knows_encodings() {
    let Some(python) = python() else { return };
    let place = Workplace::new();
    picture("rgb8", 53, 38).save(place.path("a.png")).unwrap();
    for options in [
        ["--preset", "strumpler-32", "--activation", "sine"],
        ["--encoding", "positional", "--activation", "sine"],
        ["--encoding", "gauss", "--activation", "relu"],
    ] {
        let fixed =
            ["encode", "a.png", "-o", "a.inr", "--force", "--model", "siren", "--local-width", "24", "--steps", "9"];
        place.done(&[&fixed[..], &options].concat());
        let run = read(&python, &place, "a.inr", Some("a.npy"));
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let (_, theirs) = npy(&place.read("a.npy"));
        let bytes = place.read("a.inr");
        let field = Reader::open(&bytes).unwrap().document().unwrap().field;
        let ours = cpu::decode(&field, &View::full(field.grid())).unwrap();
        assert_eq!(theirs.len(), ours.len());
        for (place, (a, b)) in theirs.iter().zip(&ours).enumerate() {
            assert!((a - b).abs() <= TOLERANCE, "{options:?}, value {place}: {a} and {b}");
        }
        let (least, most) = ours.iter().fold((0.0_f32, 0.0_f32), |(low, high), v| (low.min(*v), high.max(*v)));
        assert!(most - least > 0.1, "the values hardly differ");
    }
}

#[test]
fn the_second_reader_refuses_what_we_refuse() {
    let Some(python) = python() else { return };
    let place = Workplace::new();
    picture("rgb8", 16, 16).save(place.path("a.png")).unwrap();
    place.done(&["encode", "a.png", "-o", "a.inr", "--steps", "1", "--parameters", "500"]);
    let whole = place.read("a.inr");
    for at in [3, 9, 60, 400, whole.len() - 100, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        place.write("b.inr", &damaged);
        assert!(!read(&python, &place, "b.inr", None).status.success(), "byte {at}");
        assert_ne!(place.run(&["verify", "b.inr"]).code, 0, "byte {at}");
    }
    place.write("b.inr", &whole[..whole.len() - 1]);
    assert!(!read(&python, &place, "b.inr", None).status.success());
}
