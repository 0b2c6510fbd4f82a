//! Sets of pictures through several codecs: points, BD-rates, a plot, and going on after an end.

use std::path::Path;

use serde_json::Value;
use tessera::rate_distortion::comparison::compare;
use tessera::rate_distortion::curves::{Curve, read_curves};
use tessera_core::metrics::bd_rate;
use tessera_tests::pictures::picture;
use tessera_tests::program::{Workplace, number};

mod common;

/// A folder `set` with two pictures.
fn workplace() -> Workplace {
    let place = Workplace::new();
    std::fs::create_dir(place.path("set")).unwrap();
    picture("rgb8", 96, 64).save(place.path("set/one.png")).unwrap();
    picture("rgb8", 80, 72).save(place.path("set/two.png")).unwrap();
    place
}

const SHORT: [&str; 4] = ["--steps", "50", "--bpp", "2,4"];

fn points<'a>(report: &'a Value, codec: &str) -> Vec<&'a Value> {
    report["points"].as_array().unwrap().iter().filter(|point| point["codec"] == codec).collect()
}

fn same_points(a: &Value, b: &Value) {
    let (a, b) = (a["points"].as_array().unwrap(), b["points"].as_array().unwrap());
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((&a["picture"], &a["setting"], &a["bytes"]), (&b["picture"], &b["setting"], &b["bytes"]));
        assert!((number(a, "psnr_db") - number(b, "psnr_db")).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn a_set_is_compared_and_gone_on_with() {
    let place = workplace();
    let call = [&["rd", "set", "--out", "out", "--codec", "tessera,jpeg"], &SHORT[..]].concat();
    let report = place.json(&call);
    let ours = points(&report, "tessera");
    assert_eq!((ours.len(), points(&report, "jpeg").len(), report["kept"].as_u64()), (4, 20, Some(0)), "{report}");
    for point in report["points"].as_array().unwrap() {
        let name = |key: &str| point[key].as_str().unwrap().to_owned();
        let extension = if point["codec"] == "jpeg" { "jpg" } else { "inr" };
        let file = format!("out/files/{}.{}.{}.{extension}", name("picture"), name("codec"), name("setting"));
        // The rate is that of the file on the disk.
        let bytes = place.read(&file).len() as f64;
        let pixels = if point["picture"] == "one" { 96.0 * 64.0 } else { 80.0 * 72.0 };
        assert!(number(point, "bytes") == bytes && (number(point, "bpp") - bytes * 8.0 / pixels).abs() < 1e-12);
        // And the PSNR what any other command says of that file.
        let original = format!("set/{}.png", name("picture"));
        let compared = number(&place.json(&["compare", &original, &file]), "psnr_db");
        assert!((compared - number(point, "psnr_8bit_db")).abs() < 0.03, "{compared} {point}");
    }
    for point in ours {
        let asked: f64 = point["setting"].as_str().unwrap().parse().unwrap();
        assert!(number(point, "bpp") <= asked, "{point}");
    }
    let svg = String::from_utf8(place.read("out/rd.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains(">tessera</text>") && svg.contains(">jpeg</text>"));

    // A second call makes nothing anew; what was lost, and only that, is made again.
    let again = place.json(&call);
    assert_eq!(again["kept"].as_u64(), Some(24));
    same_points(&again, &report);
    std::fs::remove_file(place.path("out/files/one.tessera.2.inr")).unwrap();
    place.write("out/files/two.jpeg.5.jpg", b"damaged");
    let mended = place.json(&call);
    assert_eq!(mended["kept"].as_u64(), Some(22));
    same_points(&mended, &report);

    // The points of one run are curves for another: the same codec against itself is even.
    let against = ["rd", "set", "--out", "other", "--codec", "jpeg", "--curves", "out/points.csv"];
    let other = place.json(&against);
    let row = |against: &str| {
        let rows = other["comparisons"].as_array().unwrap();
        rows.iter().find(|row| row["against"] == against).unwrap_or_else(|| panic!("{against} in {other}")).clone()
    };
    assert!(number(&row("jpeg"), "bd_rate_percent").abs() < 1e-9 && row("jpeg")["same_pictures"] == true);
    assert_eq!(row("jpeg")["pictures"], 2);
    let csv = String::from_utf8(place.read("other/bd-rates.csv")).unwrap();
    assert!(csv.starts_with("codec,against,source,bd_rate_percent,") && csv.lines().count() == 3, "{csv}");
}

#[test]
fn a_bad_picture_does_not_end_the_run() {
    let place = workplace();
    place.write("set/bad.png", b"\x89PNG\r\n\x1a\nnothing");
    picture("rgba8", 16, 16).save(place.path("set/clear.png")).unwrap();
    let run = place.run(&["rd", "set", "--out", "out", "--codec", "jpeg", "--json"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let failed: Vec<&str> = report["failed"].as_array().unwrap().iter().filter_map(|f| f["what"].as_str()).collect();
    assert_eq!(failed.len(), 2, "{report}");
    assert!(failed[0].ends_with("bad.png") && failed[1].ends_with("clear.png"), "{failed:?}");
    assert_eq!(points(&report, "jpeg").len(), 20);
}

#[test]
fn absent_programs_are_said() {
    let place = workplace();
    let without = |arguments: &[&str]| place.command(arguments).env("PATH", place.path("set")).output().unwrap();
    let output = without(&["rd", "set", "--out", "out", "--json", "--bpp", "3", "--steps", "4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let skipped: Vec<&str> = report["skipped"].as_array().unwrap().iter().filter_map(|s| s["codec"].as_str()).collect();
    assert_eq!(skipped, ["avif", "jpeg-xl", "jpeg2000"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("SKIPPED avif"));
    assert_eq!(points(&report, "tessera").len(), 2);
    // Named ones are missed.
    let output = without(&["rd", "set", "--out", "out", "--codec", "avif"]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn every_program_that_is_here_takes_part() {
    let place = workplace();
    let report = place.json(&["rd", "set", "--out", "out", "--bpp", "3", "--steps", "4"]);
    for skipped in report["skipped"].as_array().unwrap() {
        common::skipped("every_program_that_is_here_takes_part", &skipped.to_string());
    }
    for codec in ["jpeg", "avif", "jpeg-xl", "jpeg2000"] {
        let found = points(&report, codec);
        let skipped = report["skipped"].as_array().unwrap().iter().any(|skipped| skipped["codec"] == codec);
        assert_eq!(found.is_empty(), skipped, "{codec}");
        if let (Some(coarse), Some(fine)) = (found.first(), found.last()) {
            assert!(number(fine, "bpp") > number(coarse, "bpp") && number(fine, "psnr_db") > number(coarse, "psnr_db"));
            assert!(number(fine, "psnr_db") > 30.0, "{codec}: the colours are wrong: {fine}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_keeps_what_is_done() {
    let place = workplace();
    let call = ["rd", "set", "--out", "out", "--codec", "tessera,jpeg", "--bpp", "3", "--steps", "100000"];
    let child = place.start(&call, std::process::Stdio::null());
    let first = place.path("out/files/one.jpeg.94.jpg.json");
    let clock = std::time::Instant::now();
    while !first.exists() {
        assert!(clock.elapsed().as_secs() < 60, "no point in a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(place.read("out/points.csv")).unwrap().lines().count(), 11);
    assert!(!place.path("out/files/one.tessera.3.inr").exists());
    let rest = place.json(&["rd", "set", "--out", "out", "--codec", "jpeg"]);
    assert_eq!((rest["kept"].as_u64(), points(&rest, "jpeg").len()), (Some(10), 20));
}

#[test]
fn what_cannot_be_is_said() {
    let place = workplace();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.write("curves.csv", b"codec,bpp,psnr_rgb_db\nbpg,0.1,27\nbpg,0.2,29\n");
    place.write("wrong.csv", b"a,b\n1,2\n");
    for (arguments, code, words) in [
        (&["rd", "empty", "--out", "out"][..], 3, "no picture"),
        (&["rd", "none", "--out", "out"], 3, "none"),
        (&["rd", "set", "--out", "out", "--bpp", "0"], 2, "no positive number"),
        (&["rd", "set", "--out", "out", "--curves", "wrong.csv"], 3, "no curves"),
        (&["rd", "set", "--out", "out", "--curves", "curves.csv", "--against", "bgp"], 2, "the curves are bpg"),
        (&["rd", "set", "--out", "set/one.png"], 2, "one.png"),
    ] {
        let said = place.fails(code, arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/points.csv", b"precious");
    assert!(place.fails(2, &["rd", "set", "--out", "mine"]).contains("not of an earlier run"));
    assert_eq!(place.read("mine/points.csv"), b"precious");
    picture("rgb8", 8, 8).save(place.path("set/one.jpg")).unwrap();
    assert!(place.fails(2, &["rd", "set", "--out", "out"]).contains("two pictures called one"));
}

/// The BD-rates of reference/inr-compression.md 11 and 13, from the curves that they were computed from.
#[test]
fn published_bd_rates_come_out() {
    let Some(path) = common::shared_data("rd/kodak-rd.csv") else {
        return common::skipped("published_bd_rates_come_out", "no rd/kodak-rd.csv in the sample data");
    };
    let curves = read_curves(Path::new(&path)).unwrap();
    let mean = |name: &str| {
        let curve = curves.iter().find(|curve: &&Curve| curve.codec == name);
        curve.unwrap_or_else(|| panic!("no {name}")).mean(&std::collections::BTreeSet::new())
    };
    for (codec, against, published) in [
        ("inr-basic-8bit", "jpeg", -32.0),
        ("inr-basic-8bit", "jpeg2000", 41.0),
        ("inr-basic-8bit", "bpg-444", 110.0),
        ("inr-basic-8bit", "vvc-vtm", 178.0),
        ("inr-basic-8bit", "coin", -52.0),
        ("inr-meta-7bit", "jpeg", -42.0),
        ("inr-meta-7bit", "jpeg2000", 22.0),
        ("cool-chic-5.0.1", "jpeg2000", -46.0),
        ("cool-chic-5.0.1", "bpg-444", -24.0),
        ("cool-chic-5.0.1", "vvc-vtm", -7.0),
    ] {
        let found = bd_rate(&mean(codec), &mean(against)).unwrap().percent;
        assert!((found - published).abs() < 1.0, "{codec} against {against}: {found:.2}, published {published}");
    }
}

/// The points of single pictures in the sample data average to the published mean curve of the same codec.
#[test]
fn points_of_pictures_are_as_published() {
    let found = ["rd/kodak-cool-chic-5.0.1-per-image.csv", "rd/kodak-rd.csv"].map(common::shared_data);
    let [Some(pictures), Some(means)] = found else {
        return common::skipped("points_of_pictures_are_as_published", "no rd/*.csv in the sample data");
    };
    let (pictures, means) = (read_curves(&pictures).unwrap(), read_curves(&means).unwrap());
    assert_eq!(pictures[0].complete_pictures().unwrap().len(), 24);
    let mean = means.into_iter().filter(|curve| curve.codec == "cool-chic-5.0.1").collect::<Vec<_>>();
    let compared = compare(&pictures, &mean);
    assert!(compared[0].bd_rate_percent.unwrap().abs() < 0.1 && compared[0].pictures == 24, "{compared:?}");
}
