//! Many inputs in one call: a file each, a table, and what is left when one fails or the call is ended.

use tessera_tests::pictures::picture;
use tessera_tests::program::Workplace;

/// Three pictures, one of them broken.
fn folder() -> Workplace {
    let place = Workplace::new();
    for (name, kind) in [("a", "rgb8"), ("b", "l8")] {
        picture(kind, 24, 16).save(place.path(&format!("{name}.png"))).unwrap();
    }
    place.write("broken.png", b"no picture at all");
    place
}

const STEPS: [&str; 4] = ["--steps", "8", "-o", "out/"];

#[test]
fn every_input_gets_a_file_and_a_row() {
    let place = folder();
    let report = place.json(&[&["encode", "a.png", "b.png"], &STEPS[..]].concat());
    assert_eq!((report["encoded"].as_u64(), report["failed"].as_u64()), (Some(2), Some(0)));
    for (row, name) in report["files"].as_array().unwrap().iter().zip(["a", "b"]) {
        assert_eq!(row["result"], "encoded");
        assert!(row["psnr_db"].as_f64().unwrap() > 5.0);
        place.done(&["verify", &format!("out/{name}.inr")]);
    }
    // The same as alone.
    place.done(&["encode", "a.png", "-o", "alone.inr", "--steps", "8"]);
    assert_eq!(place.read("alone.inr"), place.read("out/a.inr"));
    let table = place.done(&[&["encode", "a.png", "b.png", "--force"], &STEPS[..]].concat());
    assert!(table.stdout.is_empty());
    assert!(table.stderr.contains("out/b.inr") && table.stderr.contains("2 encoded"), "{}", table.stderr);
}

#[test]
fn a_broken_input_does_not_stop_the_others() {
    let place = folder();
    let run = place.run(&[&["encode", "broken.png", "a.png", "--json"], &STEPS[..]].concat());
    assert_eq!(run.code, 3, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["files"][0]["result"], "failed");
    assert!(report["files"][0]["error"].as_str().unwrap().contains("broken.png"));
    assert_eq!(report["files"][1]["result"], "encoded");
    assert!(!place.path("out/broken.inr").exists());
}

#[test]
fn resuming_leaves_what_is_complete_and_mends_what_is_not() {
    let place = folder();
    let both = [&["encode", "a.png", "b.png"], &STEPS[..]].concat();
    place.done(&both);
    assert!(place.fails(2, &both).contains("--resume"));
    let (a, b) = (place.read("out/a.inr"), place.read("out/b.inr"));
    place.write("out/b.inr", &b[..b.len() / 2]);
    let report = place.json(&[&both[..], &["--resume", "--force"]].concat());
    assert_eq!((report["already_there"].as_u64(), report["encoded"].as_u64()), (Some(1), Some(1)));
    assert_eq!((place.read("out/a.inr"), place.read("out/b.inr")), (a, b));
}

#[test]
fn what_cannot_be_meant_is_refused_before_any_work() {
    let place = folder();
    assert!(place.fails(2, &["encode", "a.png", "b.png", "-o", "c.inr"]).contains("folder"));
    std::fs::create_dir(place.path("sub")).unwrap();
    std::fs::copy(place.path("a.png"), place.path("sub/a.png")).unwrap();
    assert!(place.fails(2, &["encode", "a.png", "sub/a.png", "-o", "out/"]).contains("a.inr"));
    assert!(place.fails(2, &["encode", "-", "a.png", "-o", "out/"]).contains("name"));
    assert!(place.fails(2, &["encode", "a.png", "b.png", "-o", "out/", "--watch"]).contains("one"));
    assert!(!place.path("out/a.inr").exists());
}

/// Ctrl-C keeps the weights so far, under a name that is not taken for the finished file.
#[cfg(unix)]
#[test]
fn an_interrupted_call_loses_nothing_and_is_resumed() {
    let place = folder();
    place.done(&["encode", "a.png", "-o", "out/", "--steps", "8"]);
    let finished = place.read("out/a.inr");
    let arguments = ["encode", "a.png", "b.png", "-o", "out/", "--resume", "--steps", "100M", "--progress", "json"];
    // The first steps of the second input have been made by then.
    let said = place.interrupted(&arguments, 4);
    assert!(said.contains("out/b.interrupted.inr holds the best weights") && said.contains("--resume"), "{said}");
    assert!(!place.path("out/b.inr").exists());
    place.done(&["verify", "out/b.interrupted.inr"]);
    assert_eq!(place.read("out/a.inr"), finished);

    // The next call does not take it for the finished one, and leaves only what is finished.
    let report = place.json(&["encode", "a.png", "b.png", "-o", "out/", "--resume", "--steps", "8"]);
    assert_eq!((report["already_there"].as_u64(), report["encoded"].as_u64()), (Some(1), Some(1)));
    place.done(&["verify", "out/b.inr"]);
    assert!(!place.path("out/b.interrupted.inr").exists());
    std::fs::copy(place.path("b.png"), place.path("b.interrupted.png")).unwrap();
    let refused = place.fails(2, &["encode", "a.png", "b.interrupted.png", "-o", "out/", "--resume"]);
    assert!(refused.contains("interrupted"), "{refused}");
}
