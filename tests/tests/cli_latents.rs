//! Latent grids from the command line: sizes are kept, crops are copies, and what they are not for is said.

use tessera_core::eval::{View, cpu};
use tessera_core::format::{Reader, crop};
use tessera_tests::pictures::picture;
use tessera_tests::program::{Workplace, number};
use tessera_tests::sounds::{wav, wave};

fn workplace(kind: &str, columns: u32, rows: u32) -> Workplace {
    let place = Workplace::new();
    picture(kind, columns, rows).save(place.path("a.png")).unwrap();
    place
}

/// A picture of a size is latents where nothing else is said.
const ENCODE: [&str; 7] = ["encode", "a.png", "-o", "a.inr", "--force", "--progress", "none"];

#[test]
fn sizes_are_kept_and_bytes_buy_quality() {
    let place = workplace("rgb8", 192, 128);
    let mut last = 0.0;
    for (bpp, most) in [("0.5", 1536.0), ("1.5", 4608.0), ("4", 12_288.0)] {
        let report = place.json(&[&ENCODE[..], &["--bpp", bpp, "--steps", "150"]].concat());
        place.check_report(&report, "a.png", "a.inr");
        let bytes = number(&report, "bytes");
        assert!(bytes <= most && bytes > 0.93 * most, "{bpp}: {bytes} of {most}");
        assert!(number(&report, "psnr_db") > last + 1.0, "{bpp}: {report}");
        last = number(&report, "psnr_db");
        assert_eq!(report["model"], "latents");
        place.done(&["verify", "a.inr"]);
    }
    // The same again, whatever the threads.
    let bytes = place.read("a.inr");
    place.json(&[&ENCODE[..], &["--bpp", "4", "--steps", "150", "--threads", "1"]].concat());
    assert_eq!(place.read("a.inr"), bytes);
}

#[test]
fn a_crop_is_a_copy_and_decodes_to_the_same_samples() {
    let place = workplace("rgba8", 150, 101);
    place.done(&[&ENCODE[..], &["--bpp", "3", "--steps", "40", "--partitions", "2x3"]].concat());
    place.done(&["crop", "a.inr", "-o", "b.inr", "--keep", "parts=1,5"]);
    let (whole, part) = (place.read("a.inr"), place.read("b.inr"));
    let reader = Reader::open(&whole).unwrap();
    assert_eq!(part.len() as u64, reader.cropped_bytes(&[1, 5]));
    assert_eq!(part, crop(&whole, &[1, 5]).unwrap());
    let (whole, part) = (reader.document().unwrap().field, Reader::open(&part).unwrap().document().unwrap().field);
    assert_eq!(part, whole.restricted_to(&[1, 5]));
    let view = View::full(whole.grid());
    let (all, kept) = (cpu::decode(&whole, &view).unwrap(), cpu::decode(&part, &view).unwrap());
    let same = all.iter().zip(&kept).filter(|(_, kept)| !kept.is_nan());
    assert!(same.clone().count() > 0 && same.clone().count() < all.len());
    assert!(same.into_iter().all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn pictures_of_any_form_become_latents() {
    for (kind, columns, rows) in [("l8", 1, 1), ("rgb8", 300, 1), ("la8", 1, 70), ("rgb16", 67, 33)] {
        let place = workplace(kind, columns, rows);
        place.done(&[&ENCODE[..], &["--model", "latents", "--target-size", "900", "--steps", "20"]].concat());
        place.done(&["verify", "a.inr"]);
        assert!(place.read("a.inr").len() <= 900, "{kind}");
        place.done(&["decode", "a.inr", "-o", "b.png", "--force"]);
    }
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_is_a_file_of_the_size_all_the_same() {
    let place = workplace("rgb8", 192, 128);
    let options = ["--bpp", "2", "--steps", "1M", "--progress", "json", "--threads", "2"];
    let arguments = ["encode", "a.png", "-o", "a.inr"];
    let said = place.interrupted(&[&arguments[..], &options].concat(), 6);
    assert!(said.contains("interrupted after"), "{said}");
    place.done(&["verify", "a.inr"]);
    assert!(place.read("a.inr").len() <= 192 * 128 * 2 / 8);
}

#[test]
fn what_they_are_not_for_is_said() {
    let place = workplace("rgb8", 32, 32);
    place.write("a.wav", &wav(&wave(2_000, 1), 1, 8_000, 16));
    for (options, words) in [
        (&["a.png", "--model", "latents"][..], "needs a size"),
        (&["a.wav", "--model", "latents", "--bpp", "1"], "for pictures"),
        (&["a.png", "--model", "latents", "--bpp", "1", "--encoding", "nerf"], "--encoding"),
        (&["a.png", "--model", "latents", "--bpp", "1", "--preset", "paper"], "presets"),
        (&["a.png", "--model", "latents", "--bpp", "1", "--learning-rate", "1e-3"], "--learning-rate"),
        (&["a.png", "--model", "latents", "--bpp", "1", "--l1", "1e-5"], "--l1"),
    ] {
        let said = place.fails(2, &[&["encode"], options, &["-o", "x.inr"]].concat());
        assert!(said.contains(words), "{options:?}: {said}");
        assert!(!place.path("x.inr").exists());
    }
    place.done(&[&ENCODE[..], &["--bpp", "8", "--steps", "10"]].concat());
    let said =
        place.fails(2, &["compress", "a.inr", "-o", "x.inr", "--against", "a.png", "--retrain", "5", "--bpp", "2"]);
    assert!(said.contains("latents"), "{said}");
}

#[test]
fn a_quality_is_met() {
    let place = workplace("rgb8", 192, 128);
    let report = place.json(&[&ENCODE[..], &["--quality", "60", "--steps", "120"]].concat());
    assert!((number(&report, "psnr_db") - 34.0).abs() < 1.0, "{report}");
    assert_eq!(report["model"], "latents");
}

#[test]
fn a_quality_out_of_reach_is_said_and_takes_no_bytes_for_nothing() {
    let place = workplace("rgb8", 192, 128);
    let report = place.json(&[&ENCODE[..], &["--quality", "100", "--steps", "40", "--log-dir", "log"]].concat());
    assert!(number(&report, "bits_per_sample") < 12.0, "{report}");
    assert!(number(&report, "psnr_db") > 41.5 || report["notes"][0].as_str().unwrap().contains("42.0 dB"), "{report}");
    assert!(place.path("log").is_dir());
}

#[test]
fn a_size_that_is_missed_is_said() {
    let place = workplace("rgb8", 192, 128);
    let many = ["--model", "latents", "--partitions", "16x24", "--target-size", "900", "--steps", "5"];
    let said = place.fails(5, &[&ENCODE[..], &many].concat());
    assert!(said.contains("900 bytes were asked for") && place.read("a.inr").len() > 900, "{said}");
    place.done(&["verify", "a.inr"]);
}

#[test]
fn time_may_end_a_training_and_sizes_are_kept_all_the_same() {
    let place = workplace("rgb8", 192, 128);
    let report = place.json(&[&ENCODE[..], &["--bpp", "2", "--steps", "1M", "--max-time", "4s"]].concat());
    let (bytes, most) = (number(&report, "bytes"), 6144.0);
    assert!(bytes <= most && bytes > 0.9 * most, "{bytes} of {most}");
}

#[test]
fn narrow_partitions_are_as_good_as_wide_ones() {
    // 65 and 64 columns: the last nodes of the wide one are none of the narrow one's.
    let place = workplace("rgb8", 129, 64);
    let across = place.json(&[&ENCODE[..], &["--bpp", "3", "--steps", "150", "--partitions", "1x2"]].concat());
    image::open(place.path("a.png")).unwrap().rotate90().save(place.path("a.png")).unwrap();
    let along = place.json(&[&ENCODE[..], &["--bpp", "3", "--steps", "150", "--partitions", "2x1"]].concat());
    let (across, along) = (number(&across, "psnr_db"), number(&along, "psnr_db"));
    assert!((across - along).abs() < 1.5, "{across} and {along}");
}

#[test]
fn a_quality_of_few_samples_is_one_of_networks() {
    let place = workplace("rgb8", 30, 30);
    let report = place.json(&[&ENCODE[..], &["--quality", "50", "--steps", "60"]].concat());
    assert_eq!(report["model"], "per-partition");
}

#[test]
fn few_bytes_and_what_is_said_of_networks_make_networks() {
    let place = workplace("rgb8", 96, 64);
    for options in [&["--target-size", "900"][..], &["--bpp", "3", "--local-width", "8"]] {
        let report = place.json(&[&ENCODE[..], &["--steps", "20"], options].concat());
        assert_eq!(report["model"], "per-partition", "{options:?}");
    }
}
