//! Encoding from the command line: published sizes, every kind of picture, stops, interruptions, configuration.

use std::process::Stdio;
use std::time::{Duration, Instant};

use image::ColorType;
use tessera_tests::pictures::{KINDS, picture};
use tessera_tests::program::Workplace;

#[test]
fn published_settings_have_published_sizes() {
    let place = Workplace::new();
    picture("rgb8", 512, 512).save(place.path("a.png")).unwrap();
    for (options, parameters, macs) in [
        (&["--partitions", "16x16", "--local-width", "14", "--global-width", "84"][..], 206_610, 27_482),
        (&["--preset", "paper"], 206_610, 27_482),
        (&["--model", "siren", "--local-width", "256", "--hidden-layers", "3"], 198_915, 197_888),
        (&["--model", "per-partition", "--partitions", "16x16", "--local-width", "15"], 208_128, 750),
    ] {
        let fixed =
            ["encode", "a.png", "-o", "a.inr", "--force", "--steps", "1", "--seed", "0", "--learning-rate", "5e-4"];
        let report = place.json(&[&fixed, options].concat());
        assert_eq!(report["parameters"], parameters, "{options:?}");
        assert_eq!(report["macs_per_sample"], macs, "{options:?}");
        assert_eq!(report["steps"], 1);
        for name in ["psnr_db", "ssim", "seconds", "bytes", "bits_per_sample", "kept_partitions"] {
            assert!(report[name].is_number(), "{name} in {report}");
        }
    }
}

/// Sizes of reference/inr-compression.md 11; the file says what it takes to decode it, and everything reads it.
#[test]
fn the_published_compression_networks() {
    let place = Workplace::new();
    picture("rgb8", 96, 64).save(place.path("a.png")).unwrap();
    for (preset, parameters, macs) in [
        ("strumpler-32", 5_411, 5_280),
        ("strumpler-48", 10_419, 10_224),
        ("strumpler-64", 16_963, 16_704),
        ("strumpler-96", 34_659, 34_272),
        ("strumpler-128", 58_499, 57_984),
    ] {
        let fixed = ["encode", "a.png", "-o", "a.inr", "--force", "--steps", "1", "--preset", preset];
        let report = place.json(&fixed);
        assert_eq!((&report["parameters"], &report["macs_per_sample"]), (&parameters.into(), &macs.into()), "{preset}");
        assert_eq!((&report["encoding"], &report["encoded_inputs"]), (&"nerf".into(), &66.into()));
    }
    let fixed = ["encode", "a.png", "-o", "a.inr", "--force", "--preset", "strumpler-32", "--steps", "150"];
    let report =
        place.json(&[&fixed[..], &["--learning-rate", "2e-3", "--patience", "9", "--early-stop", "99"]].concat());
    let psnr = report["psnr_db"].as_f64().unwrap();
    assert!(psnr > 35.0, "{report}");
    let facts = place.json(&["info", "a.inr"]);
    assert_eq!(facts["format_version"], "1.2");
    assert_eq!(facts["encoding"]["nerf"]["frequencies"], 16);
    assert_eq!((&facts["encoded_inputs"], &facts["activation"]), (&66.into(), &"sine".into()));
    let configuration = facts["training"]["configuration"].as_str().unwrap();
    for line in ["preset = \"strumpler-32\"", "encoding-scale = 1.4", "l1 = 0.00001", "patience = 9", "early-stop = 99"]
    {
        assert!(configuration.contains(line), "{line} is not in {configuration}");
    }
    let text = place.done(&["info", "a.inr"]).text().to_owned();
    assert!(text.contains("nerf encoding (scale 1.4, 16 frequencies, 66 inputs)"), "{text}");
    place.done(&["verify", "a.inr"]);
    let field = place.json(&["compare", "a.inr", "a.png"]);
    assert!((field["psnr_db"].as_f64().unwrap() - psnr).abs() < 1e-9);
    place.done(&["decode", "a.inr", "-o", "back.png"]);
    let decoded = place.json(&["compare", "a.png", "back.png"]);
    // At these values rounding to 8 bits costs a few tenths.
    assert!((decoded["psnr_db"].as_f64().unwrap() - psnr).abs() < 1.0);
}

#[test]
fn every_encoding_and_activation_trains_and_decodes() {
    let place = Workplace::new();
    picture("rgb8", 48, 40).save(place.path("a.png")).unwrap();
    for options in [
        ["--model", "per-partition", "--encoding", "nerf", "--activation", "relu"],
        ["--model", "siren", "--encoding", "positional", "--activation", "sine"],
        ["--model", "siren", "--encoding", "gauss", "--activation", "relu"],
        ["--model", "per-partition", "--encoding", "mlp", "--activation", "relu"],
    ] {
        let fixed =
            ["encode", "a.png", "-o", "a.inr", "--force", "--steps", "60", "--local-width", "16", "--seed", "3"];
        let report = place.json(&[&fixed[..], &options].concat());
        assert!(report["psnr_db"].as_f64().unwrap() > 11.0, "{report}");
        assert_eq!((&report["encoding"], &report["activation"]), (&options[3].into(), &options[5].into()));
        let found = place.json(&["compare", "a.inr", "a.png"]);
        assert!((found["psnr_db"].as_f64().unwrap() - report["psnr_db"].as_f64().unwrap()).abs() < 1e-9);
    }
    let message = place.fails(2, &["encode", "a.png", "-o", "b.inr", "--encoding", "nerf"]);
    assert!(message.contains("--model siren"), "{message}");
    let message = place.fails(2, &["encode", "a.png", "-o", "b.inr", "--model", "siren", "--frequencies", "4"]);
    assert!(message.contains("--encoding"), "{message}");
    let held = ["encode", "a.png", "-o", "b.inr", "--recipe", "held", "--l1", "1e-5"];
    assert!(place.fails(2, &held).contains("published"));
}

#[test]
fn training_makes_the_picture_appear() {
    let place = Workplace::new();
    picture("rgb8", 96, 80).save(place.path("a.png")).unwrap();
    let report = place.json(&["encode", "a.png", "-o", "a.inr", "--steps", "40"]);
    let psnr = report["psnr_db"].as_f64().unwrap();
    assert!(psnr > 25.0, "{report}");
    // The same figures from the outside, up to the rounding of an 8-bit picture.
    place.done(&["decode", "a.inr", "-o", "back.png"]);
    let field = place.json(&["compare", "a.inr", "a.png", "--paper-metric"]);
    assert!((field["psnr_db"].as_f64().unwrap() - psnr).abs() < 1e-9);
    assert!((field["ssim"].as_f64().unwrap() - report["ssim"].as_f64().unwrap()).abs() < 1e-9);
    assert!(field["paper_psnr_db"].as_f64().unwrap() <= psnr + 1.0);
    assert_eq!(field["bits_per_sample"], report["bits_per_sample"]);
    let decoded = place.json(&["compare", "a.png", "back.png"]);
    assert!((decoded["psnr_db"].as_f64().unwrap() - psnr).abs() < 0.1);
    assert_eq!(place.json(&["compare", "a.inr", "back.png"])["a"]["field"], true);
}

#[test]
fn any_size_and_kind_comes_back_the_same_size_and_kind() {
    for (kind, width, height) in
        [("rgb8", 1, 1), ("l8", 1, 1), ("rgba16", 1, 1), ("rgb8", 5, 7), ("rgb8", 300, 451), ("l8", 600, 400)]
    {
        round_trip(kind, width, height);
    }
    KINDS.iter().for_each(|kind| round_trip(kind, 33, 20));
}

fn round_trip(kind: &str, width: u32, height: u32) {
    let place = Workplace::new();
    let source = picture(kind, width, height);
    source.save(place.path("a.png")).unwrap();
    let report = place.json(&["encode", "a.png", "-o", "a.inr", "--steps", "2"]);
    assert_eq!(report["samples"], u64::from(width) * u64::from(height));
    place.done(&["verify", "a.inr"]);
    place.done(&["decode", "a.inr", "-o", "back.png"]);
    let back = image::open(place.path("back.png")).unwrap();
    assert_eq!((back.width(), back.height(), back.color()), (width, height, source.color()), "{kind}");
    place.done(&["crop", "a.inr", "-o", "c.inr", "--keep", "parts=0"]);
    let partition = &place.json(&["info", "c.inr", "--parts"])["kept_box"];
    place.done(&["decode", "c.inr", "-o", "crop.png"]);
    let crop = image::open(place.path("crop.png")).unwrap();
    assert_eq!(partition.as_str().unwrap(), format!("{}x{}+0+0", crop.width(), crop.height()));
    assert_eq!(crop.color(), source.color());
    assert!(crop.to_rgba16().enumerate_pixels().all(|(x, y, p)| p == back.to_rgba16().get_pixel(x, y)), "{kind}");
}

#[test]
fn palettes_orientation_and_other_formats_are_read() {
    let place = Workplace::new();
    for name in ["a.jpg", "a.webp", "a.tiff", "a.bmp", "a.ppm", "a.tga", "a.qoi", "a.gif"] {
        picture("rgb8", 20, 12).save(place.path(name)).unwrap();
        let report = place.json(&["encode", name, "-o", "a.inr", "--force", "--steps", "1"]);
        assert_eq!(report["samples"], 240, "{name}");
    }
    // EXIF orientation 6 (turn right) in a JPEG.
    let jpeg = place.read("a.jpg");
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    place.write("turned.jpg", &[&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat());
    let report = place.json(&["encode", "turned.jpg", "-o", "t.inr", "--steps", "1"]);
    assert!(report["notes"][0].as_str().unwrap().contains("orientation"), "{report}");
    assert_eq!(place.json(&["info", "t.inr"])["signal"]["shape"], serde_json::json!([20, 12]));
    // Linear light keeps its peak and needs a format that holds floats.
    let bright = image::Rgb32FImage::from_fn(16, 8, |x, y| image::Rgb([x as f32, y as f32, 0.5]));
    image::DynamicImage::ImageRgb32F(bright).save(place.path("bright.hdr")).unwrap();
    place.done(&["encode", "bright.hdr", "-o", "bright.inr", "--steps", "1"]);
    let signal = &place.json(&["info", "bright.inr"])["signal"];
    assert_eq!((signal["format"].as_str(), signal["amplitude"].as_f64()), (Some("f32"), Some(15.0)));
    place.done(&["decode", "bright.inr", "-o", "back.hdr"]);
    assert_eq!(image::open(place.path("back.hdr")).unwrap().color(), ColorType::Rgb32F);
    assert!(place.fails(2, &["decode", "bright.inr", "-o", "back.png"]).contains("PNG cannot hold"));
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let place = Workplace::new();
    picture("rgb8", 70, 50).save(place.path("a.png")).unwrap();
    let encode = |name: &str, more: &[&str]| {
        place.done(&[&["encode", "a.png", "-o", name, "--steps", "12", "--threads", "2"], more].concat());
        place.read(name)
    };
    let first = encode("1.inr", &[]);
    assert_eq!(first, encode("2.inr", &[]));
    assert_ne!(first, encode("3.inr", &["--seed", "1"]));
    let sampled = encode("4.inr", &["--sample-fraction", "0.3"]);
    assert_eq!(sampled, encode("5.inr", &["--sample-fraction", "0.3"]));
    assert!(encode("6.inr", &["--weights", "f16"]).len() < first.len() * 6 / 10);
}

/// A run that writes checkpoints all the time, killed in the middle, ends in the same file when it is resumed.
#[cfg(unix)]
#[test]
fn a_killed_run_resumes_to_the_same_file() {
    let place = Workplace::new();
    picture("rgb8", 120, 90).save(place.path("a.png")).unwrap();
    let options = ["--steps", "150", "--sample-fraction", "0.5", "--threads", "2"];
    place.done(&[&["encode", "a.png", "-o", "whole.inr"][..], &options].concat());

    let resumable = ["encode", "a.png", "-o", "resumed.inr", "--checkpoint", "a.ckpt", "--every", "0.01s", "--resume"];
    let arguments = [&resumable[..], &options].concat();
    for _ in 0..3 {
        let saved_at = || std::fs::metadata(place.path("a.ckpt")).ok().and_then(|m| m.modified().ok());
        let (mut last, mut changes) = (saved_at(), 0);
        let mut child = place.start(&arguments, Stdio::null());
        let started = Instant::now();
        // Wait for some checkpoints of this run (the first is written before its first step), then pull the plug.
        while changes < 3 && started.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none() {
            let now = saved_at();
            changes += u32::from(now != last);
            last = now;
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
    }
    assert!(place.path("a.ckpt").exists());
    let killed_early = !place.path("resumed.inr").exists();
    let run = place.done(&[&arguments[..], &["--force", "--progress", "json"]].concat());
    assert!(!killed_early || run.stderr.contains("\"first_step\""), "{}", run.stderr);
    let started: serde_json::Value = run
        .stderr
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .find(|v: &serde_json::Value| v["event"] == "started")
        .unwrap();
    assert!(started["first_step"].as_u64().unwrap() > 0, "{started}");
    assert_eq!(place.read("resumed.inr"), place.read("whole.inr"));

    // Another run's checkpoint is refused by name.
    let message = place.fails(2, &[&resumable[..], &["--force", "--steps", "150", "--seed", "9"]].concat());
    assert!(message.contains("seed"), "{message}");
}

/// Ctrl-C writes the best weights and says so by the exit code.
#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_its_best_weights() {
    let place = Workplace::new();
    picture("rgb8", 64, 64).save(place.path("a.png")).unwrap();
    let arguments =
        ["encode", "a.png", "-o", "a.inr", "--steps", "100M", "--checkpoint", "a.ckpt", "--progress", "json"];
    let message = place.interrupted(&arguments, 4);
    assert!(message.contains("interrupted after"), "{message}");
    assert!(place.path("a.ckpt").exists());
    place.done(&["verify", "a.inr"]);
}

#[test]
fn targets_decide_the_end_and_the_exit_code() {
    let place = Workplace::new();
    picture("rgb8", 64, 48).save(place.path("a.png")).unwrap();
    let report = place.json(&["encode", "a.png", "-o", "a.inr", "--psnr", "14", "--steps", "2000"]);
    assert_eq!(report["stopped_by"], "psnr");
    assert!(report["psnr_db"].as_f64().unwrap() >= 14.0 && report["steps"].as_u64().unwrap() < 2000);
    let run = place.run(&["encode", "a.png", "-o", "b.inr", "--psnr", "90", "--steps", "3", "--json"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.contains("asked for"), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["stopped_by"], "steps");
    place.done(&["verify", "b.inr"]);
    let report = place.json(&["encode", "a.png", "-o", "c.inr", "--max-time", "0.3s", "--steps", "100M"]);
    assert_eq!(report["stopped_by"], "max-time");
}

#[test]
fn configuration_layers_are_merged_and_kept_in_the_file() {
    let place = Workplace::new();
    picture("rgb8", 64, 64).save(place.path("a.png")).unwrap();
    place.write("t.toml", b"steps = 4\nlearning-rate = 2e-3\nparameters = \"6k\"\nseed = 3\n");
    let mut command = place.command(&["encode", "a.png", "-o", "a.inr", "--config", "t.toml", "--seed", "5"]);
    assert!(command.env("TESSERA_LEARNING_RATE", "3e-3").env("TESSERA_SEED", "4").output().unwrap().status.success());
    let training = &place.json(&["info", "a.inr"])["training"];
    assert_eq!((training["steps"].as_u64(), training["seed"].as_u64()), (Some(4), Some(5)));
    assert_eq!(training["learning_rate"], 3e-3);
    let configuration = training["configuration"].as_str().unwrap();
    assert!(configuration.contains("partitions = \"2x2\"") && configuration.contains("seed = 5"), "{configuration}");
    // What a file records is a configuration that gives the same file again.
    place.write("again.toml", configuration.as_bytes());
    place.done(&["encode", "a.png", "-o", "b.inr", "--config", "again.toml"]);
    assert_eq!(place.read("a.inr"), place.read("b.inr"));
    assert!(place.done(&["info", "a.inr"]).text().contains("learning-rate = 0.003"));
    place.write("bad.toml", b"stepz = 4\n");
    assert!(place.fails(2, &["encode", "a.png", "-o", "x.inr", "--config", "bad.toml"]).contains("stepz"));
}

#[test]
fn progress_is_json_lines_when_asked() {
    let place = Workplace::new();
    picture("rgb8", 32, 32).save(place.path("a.png")).unwrap();
    let run = place.done(&["encode", "a.png", "-o", "a.inr", "--steps", "5", "--progress", "json", "--quiet"]);
    let lines: Vec<serde_json::Value> = run.stderr.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["event"], "started");
    let steps: Vec<u64> = lines.iter().filter(|l| l["event"] == "step").map(|l| l["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5]);
    assert!(lines.iter().all(|l| l["event"] != "step" || l["learning_rate"].as_f64().is_some_and(|rate| rate > 0.0)));
    assert!(run.stdout.is_empty());
}

#[test]
fn absent_devices_are_named_with_their_feature() {
    let place = Workplace::new();
    picture("rgb8", 32, 32).save(place.path("a.png")).unwrap();
    let message = place.fails(2, &["encode", "a.png", "-o", "a.inr", "--device", "cuda"]);
    assert!(message.contains("--features cuda"), "{message}");
    assert!(!place.path("a.inr").exists());
}
