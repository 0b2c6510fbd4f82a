//! Files of a wanted size from the command line: what is asked for is what comes, and can be cropped. Pictures as networks
//! here; as latents in `cli_latents.rs`.

use serde_json::Value;
use tessera_core::format::Reader;
use tessera_tests::pictures::picture;
use tessera_tests::program::{Workplace, number};
use tessera_tests::sounds::{wav, wave};

/// A picture of 192x128, `a.png`.
fn workplace() -> Workplace {
    let place = Workplace::new();
    picture("rgb8", 192, 128).save(place.path("a.png")).unwrap();
    place
}

const ENCODE: [&str; 9] =
    ["encode", "a.png", "-o", "a.inr", "--force", "--progress", "none", "--model", "per-partition"];

fn encoded(place: &Workplace, options: &[&str]) -> Value {
    let report = place.json(&[&ENCODE[..], options].concat());
    place.check_report(&report, "a.png", "a.inr");
    report
}

#[test]
fn sizes_are_kept_and_bytes_buy_quality() {
    let place = workplace();
    let mut last = 0.0;
    for (options, most) in [(["--bpp", "0.5"], 1536.0), (["--target-size", "4k"], 4000.0), (["--bpp", "3"], 9216.0)] {
        let report = encoded(&place, &[&options[..], &["--steps", "400"]].concat());
        let bytes = number(&report, "bytes");
        assert!(bytes <= most && bytes > 0.97 * most, "{options:?}: {bytes} of {most}");
        assert!(number(&report, "psnr_db") > last + 1.0, "{options:?}: {report}");
        last = number(&report, "psnr_db");
        assert_eq!(report["weights"], "quantised");
    }
    // The same again, whatever the threads.
    let bytes = place.read("a.inr");
    encoded(&place, &["--bpp", "3", "--steps", "400", "--threads", "1"]);
    assert_eq!(place.read("a.inr"), bytes);
    let info = place.json(&["info", "a.inr"]);
    assert!(info.to_string().contains("bpp = 3"), "{info}");
}

#[test]
fn a_quality_is_met() {
    let place = workplace();
    // 22 dB and a fifth of a decibel for each point.
    // So small a picture has one partition or two, between which quality jumps.
    let mut last = 0.0;
    for (quality, wanted) in [("45", 31.0), ("70", 36.0)] {
        let report = encoded(&place, &["--quality", quality, "--steps", "300"]);
        assert!((number(&report, "psnr_db") - wanted).abs() < 2.0, "{quality}: {report}");
        assert!(number(&report, "bytes") > 1.2 * last, "{quality}: {report}");
        last = number(&report, "bytes");
    }
}

#[test]
fn sounds_have_sizes_too() {
    let place = Workplace::new();
    place.write("a.wav", &wav(&wave(20_000, 1), 1, 8_000, 16));
    let mut last = 0.0;
    for (size, most) in [("4k", 4000.0), ("12k", 12_000.0)] {
        let call = ["encode", "a.wav", "-o", "a.inr", "--force", "--target-size", size, "--steps", "400"];
        let report = place.json(&call);
        assert!((0.95 * most..=most).contains(&number(&report, "bytes")), "{report}");
        let psnr_db = number(&place.json(&["compare", "a.wav", "a.inr"]), "psnr_db");
        assert!(psnr_db > last + 2.0, "{psnr_db} after {last}");
        last = psnr_db;
    }
}

#[test]
fn a_small_file_is_cropped_by_copying() {
    let place = workplace();
    encoded(&place, &["--bpp", "4", "--steps", "60"]);
    place.done(&["crop", "a.inr", "-o", "b.inr", "--keep", "40x40+0+0"]);
    let (whole, part) = (place.read("a.inr"), place.read("b.inr"));
    let (whole, part) = (Reader::open(&whole).unwrap(), Reader::open(&part).unwrap());
    assert!(part.present().len() < whole.present().len(), "there is something to drop");
    assert_eq!(part.document().unwrap().field, whole.document().unwrap().field.restricted_to(part.present()));
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_is_a_file_of_the_size_all_the_same() {
    let place = workplace();
    let options = ["--bpp", "2", "--steps", "1M", "--progress", "json", "--threads", "2"];
    let arguments = ["encode", "a.png", "-o", "a.inr", "--model", "per-partition"];
    let said = place.interrupted(&[&arguments[..], &options].concat(), 6);
    assert!(said.contains("interrupted after"), "{said}");
    place.done(&["verify", "a.inr"]);
    assert!(place.read("a.inr").len() <= 192 * 128 * 2 / 8);
}

#[test]
fn what_contradicts_itself_is_said() {
    let place = workplace();
    for (options, words) in [
        (&["--bpp", "1", "--target-size", "5k"][..], "choose one"),
        (&["--bpp", "1", "--psnr", "30"], "--psnr"),
        (&["--bpp", "1", "--weights", "f16"], "--weights"),
        (&["--bpp", "-1"], "--bpp"),
        (&["--bpp", "NaN"], "--bpp"),
        (&["--quality", "101"], "between 0 and 100"),
        (&["--bpp", "1", "--checkpoint", "a.ckpt"], "--checkpoint"),
        (&["--quality", "50", "--log-dir", "log", "--model", "per-partition"], "--log-dir"),
    ] {
        let said = place.fails(2, &[&["encode", "a.png", "-o", "x.inr"], options].concat());
        assert!(said.contains(words), "{options:?}: {said}");
        assert!(!place.path("x.inr").exists());
    }
}
