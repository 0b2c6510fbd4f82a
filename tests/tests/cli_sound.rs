//! Sounds from the command line: every source, any length, crops by time, odd inputs.

#![expect(clippy::single_range_in_vec_init, reason = "boxes of one axis")]

mod common;

use std::sync::OnceLock;

use tessera_core::eval::{View, cpu};
use tessera_core::format::Reader;
use tessera_tests::program::Workplace;
use tessera_tests::sounds::{wav, wave};

/// Samples of a WAV file as integers of its depth.
fn samples(bytes: &[u8]) -> Vec<i32> {
    hound::WavReader::new(bytes).unwrap().samples::<i32>().collect::<Result<_, _>>().unwrap()
}

/// 4.7 s of stereo in 32 partitions that do not divide it, a few steps of training.
const SAMPLES: u32 = 37_607;
const RATE: u32 = 8_000;

fn workplace() -> Workplace {
    static ENCODED: OnceLock<Vec<u8>> = OnceLock::new();
    let encoded = ENCODED.get_or_init(|| {
        let place = Workplace::new();
        place.write("a.wav", &wav(&wave(SAMPLES as usize, 2), 2, RATE, 16));
        let widths = ["--local-width", "8", "--global-width", "8"];
        place.done(&[&["encode", "a.wav", "-o", "a.inr", "--partitions", "32", "--steps", "8"][..], &widths].concat());
        place.read("a.inr")
    });
    let place = Workplace::new();
    place.write("a.inr", encoded);
    place
}

#[test]
fn a_sound_comes_back_from_its_field() {
    let place = Workplace::new();
    place.write("a.wav", &wav(&wave(6_001, 2), 2, 8_000, 16));
    let report = place.json(&["encode", "a.wav", "-o", "a.inr", "--steps", "60"]);
    let psnr = report["psnr_db"].as_f64().unwrap();
    assert!(psnr > 25.0, "{report}");
    assert_eq!((&report["samples"], &report["ssim"]), (&6_001.into(), &serde_json::Value::Null));
    place.done(&["decode", "a.inr", "-o", "back.wav"]);
    place.done(&["decode", "a.inr", "-o", "back.flac"]);
    let compared = place.json(&["compare", "a.inr", "a.wav"]);
    assert!((compared["psnr_db"].as_f64().unwrap() - psnr).abs() < 1e-6, "{compared}");
    assert!(compared["snr_db"].as_f64().unwrap() < psnr && compared["max_difference"].as_f64().unwrap() > 0.0);
    // The two files hold the same samples, and those of the field to 16 bits.
    assert_eq!(place.json(&["compare", "back.wav", "back.flac"])["identical"], true);
    let rounded = place.json(&["compare", "back.wav", "a.inr"]);
    assert!(rounded["psnr_db"].as_f64().unwrap() > 80.0, "{rounded}");
    let info = place.json(&["info", "a.inr"]);
    assert_eq!(info["signal"]["rate"], serde_json::json!([8_000, 1]));
    assert!((info["length_seconds"].as_f64().unwrap() - 6_001.0 / 8_000.0).abs() < 1e-9);
    assert_eq!(info["coordinate_range"], serde_json::json!([-100.0, 100.0]));
    let text = place.done(&["info", "a.inr"]);
    assert!(text.text().contains("0.75 s, 6,001 samples at 8000 Hz, stereo, 16 bit"), "{}", text.text());
}

#[test]
fn every_source_keeps_its_channels_rate_and_depth() {
    for (channels, bits, rate) in [(1, 8, 8_000), (2, 16, 44_100), (1, 24, 48_000), (1, 32, 22_050), (6, 0, 96_000)] {
        let place = Workplace::new();
        place.write("a.wav", &wav(&wave(700, channels.into()), channels, rate, bits));
        place.done(&["encode", "a.wav", "-o", "a.inr", "--steps", "3"]);
        place.done(&["decode", "a.inr", "-o", "b.wav"]);
        let bytes = place.read("b.wav");
        let reader = hound::WavReader::new(&bytes[..]).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, reader.duration()), (channels, rate, 700), "{bits} bits");
        let expected = if bits == 8 || bits == 16 { bits } else { 32 };
        assert_eq!(spec.bits_per_sample, expected);
        assert_eq!(spec.sample_format == hound::SampleFormat::Float, expected == 32);
    }
}

#[test]
fn any_length_is_divided_and_decoded_whole() {
    for count in [1, 2, 8, 31, 33, 1_000, 20_011] {
        let place = Workplace::new();
        place.write("a.wav", &wav(&wave(count, 1), 1, 8_000, 16));
        let report = place.json(&["encode", "a.wav", "-o", "a.inr", "--steps", "2"]);
        assert_eq!(report["samples"], count);
        assert_eq!(place.json(&["decode", "a.inr", "-o", "b.wav"])["samples"], count);
        assert_eq!(samples(&place.read("b.wav")).len(), count);
    }
}

#[test]
fn a_crop_by_time_decodes_to_the_same_bits_and_lacks_exactly_the_dropped_chunks() {
    let place = workplace();
    // From 1.2 s to 3.2 s: samples 9,600 to 25,600, and outwards to whole partitions.
    let report = place.json(&["crop", "a.inr", "-o", "c.inr", "--keep", "t=1.2..3.2"]);
    let (whole, crop) = (place.read("a.inr"), place.read("c.inr"));
    let (whole, crop) = (Reader::open(&whole).unwrap(), Reader::open(&crop).unwrap());
    let dropped: u64 = whole
        .chunks()
        .iter()
        .filter(|c| c.partition.is_some_and(|p| !crop.present().contains(&p)))
        .map(|c| c.bytes)
        .sum();
    assert!(dropped > 0 && crop.present().len() < 32);
    assert_eq!(whole.file_bytes() - crop.file_bytes() - (whole.head_bytes() - crop.head_bytes()), dropped);
    assert_eq!(report["bytes"], crop.file_bytes());

    for (file, region) in [("a.inr", "t=1.2..3.2"), ("c.inr", "t=1.2..3.2"), ("a.inr", "t=0..")] {
        let name = format!("{}-{}.wav", file.trim_end_matches(".inr"), region.trim_start_matches("t=").len());
        place.done(&["decode", file, "-o", &name, "--region", region]);
    }
    let (of_whole, of_crop) = (samples(&place.read("a-8.wav")), samples(&place.read("c-8.wav")));
    assert_eq!(of_whole.len(), 2 * 16_000);
    assert_eq!(of_whole, of_crop);
    let all = samples(&place.read("a-3.wav"));
    assert_eq!(all.len(), 2 * SAMPLES as usize);
    assert_eq!(of_whole, all[2 * 9_600..2 * 25_600]);

    let bits = |reader: &Reader<'_>| -> Vec<u32> {
        let field = reader.document().unwrap().field;
        cpu::decode(&field, &View::region(&vec![9_600..25_600])).unwrap().iter().map(|v| v.to_bits()).collect()
    };
    assert_eq!(bits(&whole), bits(&crop));

    // What was really kept, and silence where nothing is.
    let kept = report["kept_box"].as_str().unwrap();
    let text = place.run(&["crop", "a.inr", "-o", "d.inr", "--keep", "t=1.2..3.2"]).stderr;
    assert!(text.contains(kept) && text.contains(" s to "), "{text}");
    place.done(&["decode", "c.inr", "-o", "canvas.wav", "--canvas"]);
    let canvas = samples(&place.read("canvas.wav"));
    assert_eq!(canvas.len(), all.len());
    assert!(canvas[..1_000].iter().all(|&v| v == 0));
    assert_eq!(canvas[2 * 9_600..2 * 25_600], all[2 * 9_600..2 * 25_600]);
    let message = place.fails(2, &["decode", "c.inr", "-o", "none.wav", "--region", "t=4.5.."]);
    assert!(message.contains("nothing of") && !place.path("none.wav").exists(), "{message}");
}

#[test]
fn another_rate_is_a_denser_view() {
    let place = workplace();
    let report = place.json(&["decode", "a.inr", "-o", "b.wav", "--scale", "2", "--region", "t=1..2"]);
    assert_eq!((&report["rate_hz"], &report["samples"]), (&16_000.into(), &16_000.into()));
    assert!((report["length_seconds"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let bytes = place.read("b.wav");
    assert_eq!(hound::WavReader::new(&bytes[..]).unwrap().spec().sample_rate, 16_000);
}

#[test]
fn as_many_samples_as_are_asked_for_play_as_long() {
    let place = workplace();
    let report = place.json(&["decode", "a.inr", "-o", "b.wav", "--resolution", "9402"]);
    assert_eq!((&report["samples"], &report["rate_hz"]), (&9_402.into(), &2_000.into()), "{report}");
}

#[test]
fn what_is_silent_or_loud_stays_so() {
    let place = Workplace::new();
    place.write("silent.wav", &wav(&vec![0.0; 1_000], 1, 8_000, 16));
    place.done(&["encode", "silent.wav", "-o", "silent.inr", "--steps", "3"]);
    place.done(&["decode", "silent.inr", "-o", "b.wav"]);
    assert!(samples(&place.read("b.wav")).iter().all(|&sample| sample == 0));
    let said = place.done(&["compare", "silent.inr", "silent.wav"]);
    assert!(said.text().contains("not defined of silence"), "{}", said.text());
    // Floats that are whole in 16 bits are floats all the same: beyond full scale nothing else holds them.
    let loud: Vec<f32> = wave(2_000, 1).iter().map(|v| (v * 20_000.0).round()).collect();
    place.write("loud.wav", &wav(&loud, 1, 8_000, 0));
    let psnr = place.json(&["encode", "loud.wav", "-o", "loud.inr", "--steps", "40"])["psnr_db"].as_f64().unwrap();
    place.done(&["decode", "loud.inr", "-o", "c.wav"]);
    let compared = place.json(&["compare", "c.wav", "loud.wav"]);
    assert!((compared["psnr_db"].as_f64().unwrap() - psnr).abs() < 0.5, "{compared} and {psnr}");
}

#[test]
fn what_ends_early_is_taken_and_said() {
    let place = Workplace::new();
    let mut streamed = wav(&wave(3_000, 1), 1, 8_000, 16);
    // Sizes of a program that writes into a pipe.
    streamed[4..8].fill(0xff);
    streamed[40..44].fill(0xff);
    place.write("a.wav", &streamed);
    let report = place.json(&["encode", "a.wav", "-o", "a.inr", "--steps", "3"]);
    assert_eq!(report["samples"], 3_000);
    assert!(report["notes"][0].as_str().unwrap().contains("3000 samples that are there"), "{report}");
    let said = place.fails(2, &["encode", "a.wav", "-o", "a.wav", "--force", "--steps", "3"]);
    assert!(said.contains("the input itself") && place.read("a.wav") == streamed, "{said}");
}

#[test]
fn published_networks_have_published_sizes() {
    let place = Workplace::new();
    place.write("a.wav", &wav(&wave(3_215, 1), 1, 44_100, 16));
    for (model, parameters) in [("local-global", 198_182), ("per-partition", 203_072), ("siren", 198_145)] {
        let fixed = ["encode", "a.wav", "-o", "a.inr", "--force", "--preset", "paper", "--steps", "1"];
        let report = place.json(&[&fixed[..], &["--model", model]].concat());
        assert_eq!(report["parameters"], parameters, "{model}");
        assert_eq!(report["partitions"], if model == "siren" { 1 } else { 32 });
        let text = place.done(&["info", "a.inr"]);
        assert!(text.text().contains("1 at learning rate 0.0001"), "{}", text.text());
    }
}

#[test]
fn odd_inputs_give_a_result_or_a_clear_error() {
    let place = Workplace::new();
    place.write("silent.wav", &wav(&[0.0; 900], 1, 8_000, 16));
    place.done(&["encode", "silent.wav", "-o", "silent.inr", "--steps", "30"]);
    place.done(&["decode", "silent.inr", "-o", "back.wav"]);
    assert!(samples(&place.read("back.wav")).iter().all(|v| v.abs() < 3_000));

    let whole = wav(&wave(5_000, 1), 1, 8_000, 16);
    place.write("empty.wav", &[]);
    place.write("no-samples.wav", &wav(&[], 1, 8_000, 16));
    place.write("head.wav", &whole[..20]);
    place.write("words.wav", b"no sound at all, whatever the name says");
    place.write("words", b"neither one nor the other");
    place.write("not-a-number.wav", &wav(&[0.5, f32::NAN, 0.1], 1, 8_000, 0));
    for name in ["empty.wav", "no-samples.wav", "head.wav", "words.wav", "words", "not-a-number.wav"] {
        let message = place.fails(3, &["encode", name, "-o", "x.inr", "--steps", "1"]);
        assert!(message.contains(name), "{message}");
        assert!(!place.path("x.inr").exists(), "{name}");
    }
    // What was cut off is encoded as far as it goes.
    place.write("cut.wav", &whole[..4_044]);
    assert_eq!(place.json(&["encode", "cut.wav", "-o", "cut.inr", "--steps", "1"])["samples"], 2_000);

    let many = wav(&wave(10, 17), 17, 8_000, 16);
    place.write("many.wav", &many);
    let message = place.fails(4, &["encode", "many.wav", "-o", "x.inr"]);
    assert!(message.contains("17 channels"), "{message}");
}

#[test]
fn damaged_bytes_never_crash() {
    let place = Workplace::new();
    let values = wave(300, 1);
    let whole = wav(&values, 1, 8_000, 16);
    place.write("a.wav", &whole);
    place.done(&["encode", "a.wav", "-o", "a.inr", "--steps", "1", "--partitions", "2"]);
    place.done(&["decode", "a.inr", "-o", "a.flac"]);
    for (name, bytes) in [("a.wav", whole), ("a.flac", place.read("a.flac"))] {
        for position in (0..bytes.len().min(120)).step_by(3) {
            let mut broken = bytes.clone();
            broken[position] ^= 0x5a;
            place.write(&format!("b-{name}"), &broken);
            let run = place.run(&["encode", &format!("b-{name}"), "-o", "b.inr", "--force", "--steps", "1", "--quiet"]);
            let refused = [2, 3, 4].contains(&run.code);
            assert!(run.code == 0 || refused, "{name}, byte {position}: {} {}", run.code, run.stderr);
            assert!(!run.stderr.contains("panicked"), "{name}, byte {position}: {}", run.stderr);
        }
    }
}

/// Formats that we do not write ourselves, made by the `ffmpeg` program.
#[test]
fn compressed_formats_are_read() {
    let place = Workplace::new();
    place.write("a.wav", &wav(&wave(11_025, 2), 2, 22_050, 16));
    // Name, and how many samples more than the source an encoder may leave.
    let formats = [("a.mp3", 1_152), ("a.ogg", 0), ("a.aac", 2_048), ("a.m4a", 2_048), ("a.aiff", 0), ("b.m4a", 0)];
    for (name, more) in formats {
        let coding: &[&str] = match name {
            "a.ogg" => &["-c:a", "libvorbis"],
            "b.m4a" => &["-c:a", "alac"],
            _ => &[],
        };
        let mut command = std::process::Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-i", "a.wav"]).args(coding).arg(name);
        match command.current_dir(place.path("")).status() {
            Ok(status) => assert!(status.success(), "{name}"),
            Err(error) => return common::skipped("compressed_formats_are_read", &format!("no ffmpeg ({error})")),
        }
        let report = place.json(&["encode", name, "-o", "a.inr", "--force", "--steps", "1"]);
        let samples = report["samples"].as_u64().unwrap();
        assert!((11_025..=11_025 + more).contains(&samples), "{name}: {samples}");
        let info = place.json(&["info", "a.inr"]);
        let signal = &info["signal"];
        assert_eq!((&signal["channels"], &signal["format"]), (&2.into(), &"u16".into()), "{name}");
        assert_eq!(signal["rate"], serde_json::json!([22_050, 1]), "{name}");
    }
}

#[test]
fn kinds_are_not_mixed_up() {
    let place = workplace();
    place.write("a.wav", &wav(&wave(100, 1), 1, 8_000, 16));
    tessera_tests::pictures::picture("rgb8", 8, 8).save(place.path("a.png")).unwrap();
    assert!(place.fails(2, &["compare", "a.wav", "a.png"]).contains("a sound"));
    assert!(place.fails(2, &["compare", "a.wav", "a.inr"]).contains("cannot be compared"));
    assert!(place.fails(2, &["decode", "a.inr", "-o", "b.png"]).contains(".wav"));
    assert!(place.fails(2, &["decode", "a.inr", "-o", "b.wav", "--fill", "black"]).contains("silent"));
    assert!(place.fails(2, &["crop", "a.inr", "-o", "b.inr", "--keep", "8x8+0+0"]).contains("t="));
    // Content decides, not the name.
    std::fs::copy(place.path("a.wav"), place.path("sound")).unwrap();
    assert_eq!(place.json(&["encode", "sound", "-o", "b.inr", "--steps", "1"])["samples"], 100);
}

/// Both published clips have lengths that 32 partitions do not divide.
#[test]
fn published_clips_come_back_whole() {
    for (name, count) in [("gt_bach.wav", 308_207), ("gt_counting.wav", 537_936)] {
        let Some(path) = common::shared_data(&format!("audio/{name}")) else {
            common::skipped("published_clips_come_back_whole", "no sample data (set TESSERA_TEST_DATA)");
            return;
        };
        let place = Workplace::new();
        let input = path.to_str().unwrap();
        let fixed = ["--preset", "paper", "--model", "per-partition", "--local-width", "4", "--steps", "1"];
        place.done(&[&["encode", input, "-o", "a.inr"][..], &fixed].concat());
        assert_eq!(place.json(&["decode", "a.inr", "-o", "a.wav"])["samples"], count);
        let source = hound::WavReader::open(&path).unwrap();
        let bytes = place.read("a.wav");
        let back = hound::WavReader::new(&bytes[..]).unwrap();
        assert_eq!((back.spec().channels, back.duration()), (source.spec().channels, source.duration()));
        assert_eq!(back.spec().sample_rate, source.spec().sample_rate);
    }
}
