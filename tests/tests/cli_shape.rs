//! Shapes from the command line: there and back, cropped, compared, and what is no shape.

use std::path::Path;
use std::sync::OnceLock;

use tessera::media::shape::{MeshFormat, closeness, npy, read_mesh};
use tessera_core::eval::{View, cpu};
use tessera_core::format::Reader;
use tessera_tests::program::Workplace;
use tessera_tests::shapes::ball;

const CENTRE: [f64; 3] = [10.0, -4.0, 100.0];
const RADIUS: f64 = 2.5;
/// Fast, and good enough to recognise the ball.
const SMALL: [&str; 8] = ["--partitions", "5x5x5", "--local-width", "8", "--global-width", "12", "--steps", "80"];

/// `a.obj`, a ball, and `a.inr`, its field of 40 samples along each side.
fn workplace() -> Workplace {
    static ENCODED: OnceLock<Vec<u8>> = OnceLock::new();
    let source = ball(CENTRE, RADIUS);
    let encoded = ENCODED.get_or_init(|| {
        let place = Workplace::new();
        place.write("a.obj", source.as_bytes());
        let fixed = ["encode", "a.obj", "-o", "a.inr", "--resolution", "40"];
        let report = place.json(&[&fixed[..], &SMALL].concat());
        assert!(report["iou"].as_f64().unwrap() > 0.97, "{report}");
        let empty = report["empty_partitions"].as_u64().unwrap();
        assert!((8..40).contains(&empty), "the corners of a ball's box are empty: {empty}");
        assert_eq!(report["kept_partitions"].as_u64().unwrap() + empty, 125);
        place.read("a.inr")
    });
    let place = Workplace::new();
    place.write("a.obj", source.as_bytes());
    place.write("a.inr", encoded);
    place
}

#[test]
fn the_surface_lies_where_the_source_was_and_is_closed() {
    let place = workplace();
    let (source, _) = read_mesh(&place.read("a.obj"), MeshFormat::Obj, "a.obj").unwrap();
    for (name, format) in [("b.obj", MeshFormat::Obj), ("b.ply", MeshFormat::Ply), ("b.stl", MeshFormat::Stl)] {
        let report = place.json(&["decode", "a.inr", "-o", name]);
        assert_eq!(
            (&report["watertight"], &report["absent_partitions_shown"]),
            (&true.into(), &false.into()),
            "{name}"
        );
        let bytes = place.read(name);
        assert_eq!(MeshFormat::of(&bytes, Path::new("nameless")), Some(format));
        let (mesh, notes) = read_mesh(&bytes, format, name).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        let near = closeness(&mesh, &source, 5000, 1).unwrap();
        assert!(near.chamfer_relative < 0.02 && near.normal_consistency > 0.9, "{name}: {near:?}");
    }
    let (coarse, fine) = (
        place.json(&["decode", "a.inr", "-o", "c.ply", "--scale", "0.5"]),
        place.json(&["decode", "a.inr", "-o", "d.ply", "--resolution", "70"]),
    );
    assert_eq!((&coarse["shape"][0], &fine["shape"][0]), (&20.into(), &70.into()));
    assert_eq!((&coarse["watertight"], &fine["watertight"]), (&true.into(), &true.into()));
    let (fine, _) = read_mesh(&place.read("d.ply"), MeshFormat::Ply, "d.ply").unwrap();
    assert!(closeness(&fine, &source, 5000, 1).unwrap().chamfer_relative < 0.02);
}

/// By the rules of glTF 2.0: header, a chunk of JSON, a chunk of numbers, and accessors that say where they lie.
#[test]
fn glb_holds_the_surface_with_its_normals() {
    let place = workplace();
    let report = place.json(&["decode", "a.inr", "-o", "b.glb"]);
    let bytes = place.read("b.glb");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((&bytes[..4], word(4), word(8) as usize, &bytes[16..20]), (&b"glTF"[..], 2, bytes.len(), &b"JSON"[..]));
    let data = 20 + word(12) as usize + 8;
    assert_eq!((&bytes[data - 4..data], word(data - 8) as usize), (&b"BIN\0"[..], bytes.len() - data));
    let description: serde_json::Value = serde_json::from_slice(&bytes[20..data - 8]).unwrap();
    let primitive = &description["meshes"][0]["primitives"][0];
    let words = |accessor: &serde_json::Value, component: u64, per_entry: usize| -> Vec<u32> {
        let accessor = &description["accessors"][usize::try_from(accessor.as_u64().unwrap()).unwrap()];
        assert_eq!(accessor["componentType"].as_u64(), Some(component));
        let view = &description["bufferViews"][usize::try_from(accessor["bufferView"].as_u64().unwrap()).unwrap()];
        let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let (start, length) = (data + number(&view["byteOffset"]), number(&view["byteLength"]));
        assert_eq!((start % 4, length), (0, 4 * per_entry * number(&accessor["count"])));
        (start..start + length).step_by(4).map(word).collect()
    };
    let vectors = |accessor| -> Vec<[f32; 3]> {
        words(accessor, 5126, 3).as_chunks().0.iter().map(|v| v.map(f32::from_bits)).collect()
    };
    let (positions, normals) =
        (vectors(&primitive["attributes"]["POSITION"]), vectors(&primitive["attributes"]["NORMAL"]));
    let corners = words(&primitive["indices"], 5125, 1);
    assert_eq!((report["vertices"].as_u64(), positions.len()), (Some(positions.len() as u64), normals.len()));
    assert_eq!(report["triangles"], corners.len() / 3);
    let bound = |name: &str, axis: usize| description["accessors"][0][name][axis].as_f64().unwrap();
    let mut outward = 0;
    for (position, normal) in positions.iter().zip(normals) {
        let out: Vec<f64> = position.iter().zip(CENTRE).map(|(&p, c)| f64::from(p) - c).collect();
        let radius = out.iter().map(|x| x * x).sum::<f64>().sqrt();
        let along: f64 = out.iter().zip(normal).map(|(x, n)| x * f64::from(n)).sum();
        assert!((radius - RADIUS).abs() < 0.4, "{radius} from the centre");
        // Steps of single samples have sides.
        outward += usize::from(along > 0.3 * radius);
        let within = |axis: usize| (bound("min", axis)..=bound("max", axis)).contains(&f64::from(position[axis]));
        assert!((0..3).all(within));
    }
    assert!(outward > positions.len() * 97 / 100, "{outward} of {} normals face outwards", positions.len());
    assert!(corners.iter().all(|&c| (c as usize) < positions.len()));
}

#[test]
fn a_box_drops_partitions_and_bytes_and_keeps_the_rest_to_the_bit() {
    let place = workplace();
    let before = place.json(&["info", "a.inr"]);
    let cropped = place.json(&["crop", "a.inr", "-o", "c.inr", "--keep", "box=0..20,..,8..40"]);
    assert!(cropped["kept_partitions"].as_u64().unwrap() < before["kept_partitions"].as_u64().unwrap());
    assert!(cropped["bytes"].as_u64().unwrap() < before["bytes"].as_u64().unwrap());
    let after = place.json(&["info", "c.inr"]);
    assert_eq!(after["empty_partitions"], before["empty_partitions"]);
    assert!(place.done(&["info", "a.inr"]).text().contains("are empty"));
    for name in ["a.inr", "c.inr"] {
        assert_eq!(place.json(&["verify", name])["valid"], true);
    }
    let (whole, part) = (place.read("a.inr"), place.read("c.inr"));
    let (whole, part) = (Reader::open(&whole).unwrap(), Reader::open(&part).unwrap());
    assert!(whole.is_complete() && !part.is_complete());
    let view = View::full(whole.grid());
    let decoded = [&whole, &part].map(|reader| cpu::decode(&reader.document().unwrap().field, &view).unwrap());
    let mut kept = 0;
    for &partition in part.present() {
        for index in whole.grid().partition_sample_indices(partition) {
            let index = usize::try_from(index).unwrap();
            assert_eq!(decoded[0][index].to_bits(), decoded[1][index].to_bits());
            kept += 1;
        }
    }
    // The box's own field is compared over what it holds, and closed where it was cut.
    let compared = place.json(&["compare", "c.inr", "a.obj"]);
    assert!(compared["iou"].as_f64().unwrap() > 0.97 && compared.get("chamfer_distance").is_none(), "{compared}");
    let samples = compared["compared_samples"].as_u64().unwrap();
    assert!(samples >= kept && samples < 64_000, "{samples}");
    let surface = place.json(&["decode", "c.inr", "-o", "c.obj"]);
    assert_eq!(surface["watertight"], true);
    let (mesh, _) = read_mesh(&place.read("c.obj"), MeshFormat::Obj, "c.obj").unwrap();
    let [low, high] = mesh.bounds();
    assert!(high[0] - low[0] < 0.75 * 2.0 * RADIUS && high[1] - low[1] > 1.9 * RADIUS, "{low:?} to {high:?}");
    place.fails(2, &["crop", "a.inr", "-o", "d.inr", "--keep", "box=0..20,.."]);
    place.fails(2, &["crop", "a.inr", "-o", "d.inr", "--keep", "box=0..1,0..1,0..1"]);
}

#[test]
fn shapes_are_compared_by_inside_and_by_surface() {
    let place = workplace();
    let report = place.json(&["compare", "a.inr", "a.obj"]);
    assert!(report["iou"].as_f64().unwrap() > 0.97, "{report}");
    assert!(report["chamfer_relative"].as_f64().unwrap() < 0.02, "{report}");
    assert!(report["normal_consistency"].as_f64().unwrap() > 0.9, "{report}");
    assert_eq!(report, place.json(&["compare", "a.inr", "a.obj"]), "the points are drawn from a seed");
    place.write("b.obj", ball([CENTRE[0] + RADIUS, CENTRE[1], CENTRE[2]], RADIUS).as_bytes());
    let report = place.json(&["compare", "a.obj", "b.obj", "--resolution", "60"]);
    // Two balls whose centres are a radius apart: 5/16 over 2 - 5/16.
    assert!((report["iou"].as_f64().unwrap() - 5.0 / 27.0).abs() < 0.01, "{report}");
    let field = place.json(&["compare", "a.inr", "b.obj"]);
    assert!((field["iou"].as_f64().unwrap() - 5.0 / 22.0).abs() < 0.1, "only what lies in the field's grid: {field}");
    place.json(&["decode", "a.inr", "-o", "a.npy"]);
    let voxels = place.json(&["compare", "a.npy", "a.inr"]);
    assert_eq!(voxels["iou"], 1.0);
    let image = tessera_tests::pictures::picture("l8", 8, 8);
    image.save(place.path("a.png")).unwrap();
    assert!(place.fails(2, &["compare", "a.png", "a.inr"]).contains("a shape"));
}

#[test]
fn voxels_go_in_and_come_out() {
    let place = Workplace::new();
    let inside = |i: usize| u8::from((2..9).contains(&(i / 120)) && (3..7).contains(&(i / 10 % 12)) && i % 10 < 6);
    let data: Vec<u8> = (0..11 * 12 * 10).map(inside).collect();
    place.write("a.npy", &npy(&[11, 12, 10], false, &data));
    place.write("a.raw", &data);
    let settings = ["--partitions", "2x2x2", "--local-width", "10", "--global-width", "8", "--steps", "200"];
    place.json(&[&["encode", "a.npy", "-o", "a.inr"][..], &settings].concat());
    place.json(&[&["encode", "a.raw", "-o", "b.inr", "--voxels", "11x12x10:u8"][..], &settings].concat());
    place.json(&["decode", "a.inr", "-o", "b.npy"]);
    place.json(&["decode", "b.inr", "-o", "b.raw"]);
    let raw = place.read("b.raw");
    assert_eq!(place.read("b.npy"), npy(&[11, 12, 10], false, &raw));
    let wrong = raw.iter().zip(&data).filter(|(a, b)| a != b).count();
    assert!(wrong < 12, "{wrong} voxels of {}", data.len());
    assert_eq!(place.json(&["compare", "a.inr", "b.inr"])["iou"], 1.0);
}

#[test]
fn voxels_are_compared_as_what_the_field_says() {
    let place = workplace();
    place.done(&["decode", "a.inr", "-o", "b.npy"]);
    let own = place.json(&["compare", "a.inr", "b.npy"]);
    assert!(own["iou"].as_f64().unwrap() > 0.9999 && own["chamfer_relative"].as_f64().unwrap() < 0.01, "{own}");
    let apart = place.fails(3, &["compare", "b.npy", "a.obj"]);
    assert!(apart.contains("nothing of where it lies") && apart.contains("no sample"), "{apart}");
    // Distances in voxels, negative inside.
    let distance = |i: usize| {
        let at = [i / 144, i / 12 % 12, i % 12].map(|p| p as f32 - 5.5);
        at.iter().map(|x| x * x).sum::<f32>().sqrt() - 4.0
    };
    let bytes: Vec<u8> = (0..1728).flat_map(|i| distance(i).to_le_bytes()).collect();
    place.write("d.npy", &npy(&[12; 3], true, &bytes));
    place.write("d.raw", &bytes);
    let options = ["--local-width", "12", "--steps", "60", "--partitions", "2x2x2"];
    assert!(place.fails(2, &[&["encode", "d.npy", "-o", "x.inr"], &options[..]].concat()).contains("--field distance"));
    let report = place.json(&[&["encode", "d.npy", "-o", "d.inr", "--field", "distance"], &options[..]].concat());
    for other in [&["d.npy"][..], &["d.raw", "--voxels", "12x12x12:f32"]] {
        let compared = place.json(&[&["compare", "d.inr"], other].concat());
        assert!((compared["iou"].as_f64().unwrap() - report["iou"].as_f64().unwrap()).abs() < 1e-9, "{compared}");
    }
    // Without a word, and against an occupancy, they are distances all the same.
    let inside: Vec<u8> = (0..1728).map(|i| u8::from(distance(i) < 0.0)).collect();
    place.write("o.npy", &npy(&[12; 3], false, &inside));
    assert_eq!(place.json(&["compare", "o.npy", "d.npy"])["iou"], 1.0);
    assert!(place.fails(2, &["compare", "d.inr", "a.obj", "--field", "distance"]).contains("neither input"));
    assert!(place.fails(2, &["compare", "d.inr", "d.npy", "--voxels", "1x1x1:u8"]).contains("say what they are"));
    place.done(&["decode", "d.inr", "-o", "e.npy"]);
    assert_eq!(place.json(&["compare", "d.inr", "e.npy"])["iou"], 1.0);
}

#[test]
fn distances_are_kept_in_the_units_of_the_source() {
    let place = workplace();
    let fixed = ["encode", "a.obj", "-o", "d.inr", "--resolution", "40", "--field", "distance"];
    let report = place.json(&[&fixed[..], &SMALL].concat());
    assert!(report["iou"].as_f64().unwrap() > 0.95, "{report}");
    let info = place.json(&["info", "d.inr"]);
    let spacing = info["signal"]["placement"]["spacing"].as_f64().unwrap();
    assert!((spacing - 2.0 * RADIUS / 36.0).abs() < 1e-6 && info["signal"]["colour"] == "distance");
    assert!((info["signal"]["amplitude"].as_f64().unwrap() - 4.0 * spacing).abs() < 1e-5);
    assert_eq!(place.json(&["decode", "d.inr", "-o", "d.glb"])["watertight"], true);
    place.json(&["decode", "d.inr", "-o", "d.npy"]);
    let values = place.read("d.npy");
    let single = |at: usize| f32::from_le_bytes(values[at..at + 4].try_into().unwrap());
    let data = values.len() - 4 * 40 * 40 * 40;
    let (corner, middle) = (single(data), single(data + 4 * ((20 * 40 + 20) * 40 + 20)));
    assert!((f64::from(corner) - 4.0 * spacing).abs() < 0.1 * spacing, "{corner}");
    assert!(f64::from(middle) < -3.0 * spacing, "{middle}");
}

#[test]
fn what_is_no_shape_is_refused_and_leaves_nothing() {
    let place = Workplace::new();
    let ply = |count: &str| {
        format!(
            "ply\nformat binary_little_endian 1.0\nelement vertex {count}\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        )
    };
    let mut stl = vec![0_u8; 84 + 50];
    stl[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
    let triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";
    for (name, bytes, code) in [
        ("empty.obj", &b""[..], 3),
        ("only-vertices.obj", b"v 0 0 0\nv 1 0 0\n", 3),
        ("one-triangle.obj", triangle.as_bytes(), 3),
        ("nan.obj", b"v nan 0 0\nv 1 inf 0\nv 0 1 0\nf 1 2 3\n", 3),
        ("far.obj", b"v 1e300 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", 3),
        ("point.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", 3),
        ("index.obj", b"v 0 0 0\nf 1 2 3\n", 3),
        ("huge.ply", ply("18446744073709551615").as_bytes(), 3),
        ("cut.ply", ply("3").as_bytes(), 3),
        ("huge.stl", &stl, 3),
        ("cut.npy", &npy(&[4, 4, 4], true, &[0; 16]), 3),
        ("nothing.npy", &npy(&[2, 2, 2], false, &[0; 8]), 3),
        ("noise.raw", &[7; 100], 3),
    ] {
        place.write(name, bytes);
        place.fails(code, &["encode", name, "-o", "out.inr", "--steps", "1"]);
    }
    place.write("ball.obj", ball([0.0; 3], 1.0).as_bytes());
    for wrong in [
        &["--resolution", "4"][..],
        &["--resolution", "20", "--padding", "10"],
        &["--voxels", "4x4"],
        &["--field", "colour"],
        &["--partitions", "4x4"],
    ] {
        place.fails(2, &[&["encode", "ball.obj", "-o", "out.inr", "--steps", "1"], wrong].concat());
    }
    place.fails(4, &["encode", "ball.obj", "-o", "out.inr", "--resolution", "100000"]);
    place.fails(3, &["encode", "ball.obj", "-o", "out.inr", "--voxels", "4x4x4:u8"]);
    place.done(&["encode", "ball.obj", "-o", "out.inr", "--steps", "1", "--resolution", "16"]);
    place.fails(2, &["decode", "out.inr", "-o", "out.png"]);
    place.fails(4, &["decode", "out.inr", "-o", "out.npy", "--scale", "1e6"]);
    assert!(!place.names().iter().any(|name| name.starts_with("out") && name != "out.inr"), "{:?}", place.names());
}
