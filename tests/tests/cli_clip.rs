//! Clips from the command line: every source, every output, crops in space and time, odd and broken inputs.

#![expect(clippy::cast_possible_truncation, reason = "the figures of small tests fit")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use image::codecs::gif::GifEncoder;
use image::{Delay, DynamicImage, Frame, RgbaImage};
use tessera_tests::program::Workplace;

/// A frame of a small clip: a bright square that moves over a gradient.
fn frame(width: u32, height: u32, time: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let inside = (x + 2).wrapping_sub(time) < 6 && (4..10).contains(&y);
        let shade = |v: u32, n: u32| (40 + 150 * v / n.max(1)) as u8;
        if inside { image::Rgb([240, 220, 30]) } else { image::Rgb([shade(x, width), shade(y, height), 90]) }
    })
}

/// A folder of such frames.
fn folder(place: &Workplace, name: &str, frames: u32, width: u32, height: u32) {
    std::fs::create_dir(place.path(name)).unwrap();
    for time in 0..frames {
        frame(width, height, time).save(place.path(&format!("{name}/f{time}.png"))).unwrap();
    }
}

/// Whether ffmpeg is here. Without it the tests that need it say so and do nothing else.
fn ffmpeg(test: &str) -> bool {
    let there = ["ffmpeg", "ffprobe"].iter().all(|program| {
        Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    if !there {
        common::skipped(test, "no ffmpeg on the PATH");
    }
    there
}

/// What training takes where a test says nothing else.
const QUICK: [[&str; 2]; 3] = [["--steps", "3"], ["--partitions", "2x2x2"], ["--parameters", "4000"]];

fn encode(place: &Workplace, input: &str, output: &str, more: &[&str]) -> serde_json::Value {
    let quick = QUICK.iter().filter(|option| !more.contains(&option[0])).flatten().copied();
    let arguments: Vec<&str> = ["encode", input, "-o", output, "--force"].into_iter().chain(quick).collect();
    place.json(&[&arguments, more].concat())
}

fn png(path: &Path) -> image::RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn a_clip_is_learned_and_measured_from_the_outside() {
    let place = Workplace::new();
    folder(&place, "clip", 10, 40, 30);
    let report = place.json(&["encode", "clip", "-o", "a.inr", "--steps", "60", "--frame-rate", "10"]);
    let psnr = report["psnr_db"].as_f64().unwrap();
    assert!(psnr > 25.0, "{report}");
    let info = place.json(&["info", "a.inr"]);
    assert_eq!(info["signal"]["shape"], serde_json::json!([10, 30, 40]));
    assert_eq!(info["signal"]["rate"], serde_json::json!([10, 1]));
    place.done(&["verify", "a.inr"]);
    let compared = place.json(&["compare", "a.inr", "clip", "--frame-rate", "10"]);
    assert!((compared["psnr_db"].as_f64().unwrap() - psnr).abs() < 1e-9, "{compared}");
    assert!((compared["ssim"].as_f64().unwrap() - report["ssim"].as_f64().unwrap()).abs() < 1e-9);
    assert!(compared["frame_psnr_db"].as_f64().unwrap() > 20.0);
    assert_eq!(compared["compared_frames"], 10);
    let seam = |side: &str| compared[side]["seam"].as_f64().unwrap();
    assert!(seam("a") > 0.0 && seam("b") > 0.0, "{compared}");
    // The decoded clip is the field, up to the rounding to 8 bits.
    let decoded = place.json(&["decode", "a.inr", "-o", "back/"]);
    assert_eq!((&decoded["frames"], &decoded["rows"], &decoded["columns"]), (&10.into(), &30.into(), &40.into()));
    assert!(place.json(&["compare", "a.inr", "back"])["psnr_db"].as_f64().unwrap() > 50.0);
    assert!((place.json(&["compare", "back", "clip"])["psnr_db"].as_f64().unwrap() - psnr).abs() < 0.2);
    assert!(place.fails(2, &["compare", "a.inr", "clip", "--frames", "9"]).contains("differ in size"));
}

#[test]
fn every_source_and_output_of_our_own_comes_back() {
    let place = Workplace::new();
    folder(&place, "clip", 5, 13, 12);
    let field = encode(&place, "clip", "a.inr", &[]);
    assert_eq!((&field["samples"], &field["factors"]), (&(5 * 13 * 12).into(), &serde_json::json!([2, 2, 2])));
    for (name, least) in [("b.apng", 50.0), ("b.y4m", 40.0), ("b.gif", 18.0), ("b/", 50.0)] {
        place.done(&["decode", "a.inr", "-o", name]);
        // Written without loss where the format has none.
        let compared = place.json(&["compare", "a.inr", name.trim_end_matches('/')]);
        let psnr = compared["psnr_db"].as_f64().unwrap();
        assert!(psnr > least, "{name}: {psnr} dB");
        let again = encode(&place, name.trim_end_matches('/'), "c.inr", &[]);
        assert_eq!(again["samples"], 5 * 13 * 12, "{name}");
        assert_eq!(place.json(&["info", "c.inr"])["signal"]["rate"], serde_json::json!([25, 1]), "{name}");
    }
    assert!(place.fails(2, &["decode", "a.inr", "-o", "b.png"]).contains(".apng"));
    assert!(place.fails(2, &["decode", "a.inr", "-o", "b/"]).contains("--force"));
    // Y4M goes through pipes, both ways.
    let piped = place.done(&["decode", "a.inr", "-o", "-"]);
    assert_eq!(piped.stdout, place.read("b.y4m"));
    let run = place.run_with(&["encode", "-", "-o", "d.inr", "--steps", "3", "--partitions", "2x2x2"], &piped.stdout);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn parts_rates_and_sizes_are_chosen() {
    let place = Workplace::new();
    folder(&place, "clip", 8, 16, 12);
    encode(&place, "clip", "a.inr", &["--frames", "1..7", "--frame-rate", "8", "--resize", "50%"]);
    let signal = &place.json(&["info", "a.inr"])["signal"];
    assert_eq!((&signal["shape"], &signal["rate"]), (&serde_json::json!([6, 6, 8]), &serde_json::json!([8, 1])));
    let decoded = place.json(&["decode", "a.inr", "-o", "b.apng", "--scale", "2", "--frame-rate", "16"]);
    assert_eq!((&decoded["frames"], &decoded["rows"], &decoded["columns"]), (&12.into(), &12.into(), &16.into()));
    assert_eq!(decoded["frames_per_second"], 16.0);
    // A still picture is no clip, and says so when it is treated as one.
    frame(8, 8, 0).save(place.path("still.png")).unwrap();
    assert!(place.fails(2, &["encode", "still.png", "-o", "s.inr", "--frames", "1"]).contains("for clips"));
    assert!(place.fails(2, &["encode", "clip", "-o", "s.inr", "--frames", "9.."]).contains("8 frames"));
    assert!(place.fails(2, &["compare", "still.png", "clip"]).contains("cannot be compared"));
}

#[test]
fn folders_are_replaced_where_they_hold_nothing_else() {
    let place = Workplace::new();
    folder(&place, "clip", 3, 12, 8);
    encode(&place, "clip", "a.inr", &[]);
    std::fs::create_dir(place.path("out")).unwrap();
    place.done(&["decode", "a.inr", "-o", "out/"]);
    assert!(place.fails(2, &["decode", "a.inr", "-o", "out"]).contains("--force"));
    let small = place.json(&["decode", "a.inr", "-o", "out", "--force", "--resolution", "6"]);
    assert_eq!((&small["columns"], &small["rows"], &small["frames"]), (&6.into(), &4.into(), &3.into()));
    assert_eq!(png(&place.path("out/frame-0002.png")).dimensions(), (6, 4));
    assert_eq!(std::fs::read_dir(place.path("out")).unwrap().count(), 3);
    // By a way that leads through it, and fewer frames than before.
    place.done(&["decode", "a.inr", "-o", "out/../out", "--force", "--region", "t=0..0.03"]);
    assert_eq!(std::fs::read_dir(place.path("out")).unwrap().count(), 1);
    place.write("out/letter.txt", b"dear");
    assert!(place.fails(2, &["decode", "a.inr", "-o", "out", "--force"]).contains("letter.txt"));
    assert_eq!(place.read("out/letter.txt"), b"dear");
    std::fs::remove_file(place.path("out/letter.txt")).unwrap();
    std::fs::create_dir(place.path("out/frame-7.png")).unwrap();
    assert!(place.fails(2, &["decode", "a.inr", "-o", "out", "--force"]).contains("frame-7.png"));
    place.write("file", b"x");
    assert!(place.fails(2, &["decode", "a.inr", "-o", "file", "--force"]).contains("no folder"));
    assert_eq!(place.names(), ["a.inr", "clip", "file", "out"]);
}

#[test]
fn fast_gifs_play_as_long_as_the_clip() {
    let place = Workplace::new();
    folder(&place, "clip", 12, 12, 8);
    encode(&place, "clip", "a.inr", &["--frame-rate", "60"]);
    place.done(&["decode", "a.inr", "-o", "a.gif"]);
    let bytes = place.read("a.gif");
    let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
    let frames = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
    let delays: Vec<u32> = frames.iter().map(|frame| frame.delay().numer_denom_ms().0).collect();
    assert!(delays.iter().all(|&delay| delay >= 20) && delays.iter().sum::<u32>() == 200, "{delays:?}");
}

#[test]
fn frames_that_are_identical_are_counted() {
    let place = Workplace::new();
    folder(&place, "a", 4, 12, 8);
    folder(&place, "b", 4, 12, 8);
    frame(12, 8, 9).save(place.path("b/f1.png")).unwrap();
    let report = place.json(&["compare", "a", "b"]);
    assert_eq!((&report["identical_frames"], &report["identical"]), (&3.into(), &false.into()));
    assert!(report["frame_psnr_db"].as_f64().unwrap() < report["psnr_db"].as_f64().unwrap());
    let said = place.done(&["compare", "a", "b"]);
    assert!(said.text().contains("of those that differ, 3 are identical"), "{}", said.text());
}

/// A crop in space and time copies chunks, and what stays has the same bits.
#[test]
fn a_crop_in_space_and_time_keeps_its_bits() {
    let place = Workplace::new();
    folder(&place, "clip", 9, 20, 16);
    encode(&place, "clip", "a.inr", &["--frame-rate", "3", "--partitions", "3x2x2"]);
    place.done(&["decode", "a.inr", "-o", "whole/"]);
    // Seconds 1 to 2 are frames 3 to 5; the box is the lower right quarter.
    let crop = place.json(&["crop", "a.inr", "-o", "c.inr", "--keep", "10x8+10+8@t=1..2"]);
    assert_eq!(crop["kept"], serde_json::json!([7]));
    let chunk = |name: &str| place.json(&["info", name])["bytes"].as_u64().unwrap();
    let each = |name: &str| -> Vec<u64> {
        let parts = place.json(&["info", name, "--parts"]);
        parts["parts"].as_array().unwrap().iter().map(|p| p["bytes"].as_u64().unwrap()).collect()
    };
    let dropped: u64 = each("a.inr").iter().sum::<u64>() - each("c.inr").iter().sum::<u64>();
    assert!(dropped > 0 && chunk("a.inr") - chunk("c.inr") >= dropped);
    let decoded = place.json(&["decode", "c.inr", "-o", "part/"]);
    assert_eq!((&decoded["frames"], &decoded["rows"], &decoded["columns"]), (&3.into(), &8.into(), &10.into()));
    place.done(&["decode", "a.inr", "-o", "region/", "--region", "10x8+10+8@t=1..2"]);
    for time in 0..3 {
        let whole = DynamicImage::from(png(&place.path(&format!("whole/frame-{:04}.png", time + 3))));
        let expected = whole.crop_imm(10, 8, 10, 8).into_rgb8();
        assert_eq!(png(&place.path(&format!("part/frame-{time:04}.png"))), expected);
        assert_eq!(png(&place.path(&format!("region/frame-{time:04}.png"))), expected);
    }
    // Of the crop only what it holds is compared; nothing else is left to see.
    assert_eq!(place.json(&["compare", "c.inr", "clip"])["compared_samples"], 3 * 8 * 10);
    assert!(place.fails(2, &["decode", "c.inr", "-o", "n/", "--region", "t=0..1"]).contains("nothing of"));
    assert!(place.fails(2, &["decode", "c.inr", "-o", "n.y4m", "--canvas"]).contains("--fill"));
    let canvas = place.json(&["decode", "c.inr", "-o", "n.apng", "--canvas"]);
    assert_eq!((&canvas["frames"], &canvas["absent_partitions_shown"]), (&9.into(), &true.into()));
    place.done(&["decode", "c.inr", "-o", "n.y4m", "--canvas", "--fill", "black"]);
    assert!(!place.names().iter().any(|name| name.contains("tmp")), "{:?}", place.names());
}

#[test]
fn grey_opacity_and_odd_sizes_are_kept() {
    let place = Workplace::new();
    for (name, channels) in [("grey", 1), ("clear", 4)] {
        std::fs::create_dir(place.path(name)).unwrap();
        for time in 0..3_u8 {
            let pixel = |x: u32, y: u32| (x * 20 + y * 9) as u8 + time;
            let picture: DynamicImage = match channels {
                1 => image::GrayImage::from_fn(7, 5, |x, y| image::Luma([pixel(x, y)])).into(),
                _ => RgbaImage::from_fn(7, 5, |x, y| image::Rgba([pixel(x, y), 9, 80, 40 + 20 * x as u8])).into(),
            };
            picture.save(place.path(&format!("{name}/{time}.png"))).unwrap();
        }
        encode(&place, name, "a.inr", &["--partitions", "1x2x2"]);
        assert_eq!(place.json(&["info", "a.inr"])["signal"]["channels"], channels);
        place.done(&["decode", "a.inr", "-o", &format!("{name}.apng")]);
        let again = encode(&place, &format!("{name}.apng"), "b.inr", &["--partitions", "1x2x2"]);
        assert_eq!(again["samples"], 3 * 7 * 5);
        assert_eq!(place.json(&["info", "b.inr"])["signal"]["channels"], channels);
    }
    assert!(place.fails(2, &["decode", "a.inr", "-o", "b.y4m"]).contains("opacity"));
}

#[test]
fn one_frame_and_broken_clips_give_a_result_or_a_clear_error() {
    let place = Workplace::new();
    folder(&place, "one", 1, 9, 8);
    encode(&place, "one", "one.inr", &["--partitions", "1x2x2"]);
    assert_eq!(place.json(&["decode", "one.inr", "-o", "one.gif"])["frames"], 1);
    std::fs::create_dir(place.path("empty")).unwrap();
    assert!(place.fails(3, &["encode", "empty", "-o", "x.inr"]).contains("no pictures"));
    place.write("empty.y4m", b"");
    assert!(place.fails(3, &["encode", "empty.y4m", "-o", "x.inr"]).contains("empty"));
    place.write("no-frame.y4m", b"YUV4MPEG2 W4 H4 F25:1\n");
    assert!(place.fails(3, &["encode", "no-frame.y4m", "-o", "x.inr"]).contains("no frame"));
    place.write("cut.y4m", b"YUV4MPEG2 W2 H1 F25:1 Cmono\nFRAME\nabFRAME\nc");
    let cut = place.json(&["encode", "cut.y4m", "-o", "cut.inr", "--steps", "1"]);
    assert!(cut["notes"][0].as_str().unwrap().contains("frame 1"), "{cut}");
    let mut gif = Vec::new();
    let mut encoder = GifEncoder::new(&mut gif);
    for time in 0..4 {
        let picture = DynamicImage::from(frame(16, 12, time)).into_rgba8();
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(100, 1))).unwrap();
    }
    drop(encoder);
    place.write("a.gif", &gif);
    assert_eq!(encode(&place, "a.gif", "gif.inr", &[])["samples"], 4 * 16 * 12);
    place.write("cut.gif", &gif[..gif.len() * 3 / 4]);
    let cut = place.json(&["encode", "cut.gif", "-o", "cut.inr", "--force", "--steps", "1"]);
    assert!(cut["notes"][0].as_str().unwrap().contains("damaged"), "{cut}");
    assert!(!place.path("x.inr").exists());
    assert!(!place.names().iter().any(|name| name.contains("tmp")), "{:?}", place.names());
}

#[test]
fn without_ffmpeg_the_message_says_how_to_get_it() {
    let place = Workplace::new();
    place.write("a.mp4", b"\0\0\0\x20ftypisom and more");
    folder(&place, "clip", 2, 8, 8);
    encode(&place, "clip", "a.inr", &[]);
    for arguments in [&["encode", "a.mp4", "-o", "x.inr"][..], &["decode", "a.inr", "-o", "x.mp4"]] {
        let output = place.command(arguments).env("PATH", place.path("nowhere")).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains("apt install ffmpeg") && message.contains("TESSERA_FFMPEG"), "{message}");
    }
    let mut command = place.command(&["encode", "a.mp4", "-o", "x.inr"]);
    let output = command.env("TESSERA_FFMPEG", "/no/such/program").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(place.names(), ["a.inr", "a.mp4", "clip"]);
}

#[test]
fn ffmpeg_reads_and_writes_the_rest() {
    if !ffmpeg("ffmpeg_reads_and_writes_the_rest") {
        return;
    }
    let place = Workplace::new();
    folder(&place, "clip", 8, 32, 24);
    let options = ["--steps", "120", "--partitions", "1x2x2", "--frame-rate", "12.5"];
    place.done(&[&["encode", "clip", "-o", "a.inr"], &options[..]].concat());
    for (name, least) in [("a.mkv", 60.0), ("a.mp4", 26.0), ("-odd name.webm", 25.0)] {
        let output = place.path(name);
        place.done(&["decode", "a.inr", "-o", output.to_str().unwrap()]);
        let psnr = &place.json(&["compare", "a.inr", output.to_str().unwrap()])["psnr_db"];
        assert!(psnr.is_null() || psnr.as_f64().unwrap() > least, "{name}: {psnr}");
        let again = encode(&place, output.to_str().unwrap(), "b.inr", &[]);
        assert!(again["notes"][0].as_str().unwrap().contains("ffmpeg"), "{again}");
        let signal = &place.json(&["info", "b.inr"])["signal"];
        assert_eq!((&signal["shape"], &signal["rate"]), (&serde_json::json!([8, 24, 32]), &serde_json::json!([25, 2])));
    }
    // Odd sizes, opacity, and stdin.
    place.done(&["decode", "a.inr", "-o", "odd.mp4", "--region", "31x23+0+0"]);
    assert_eq!(place.json(&["encode", "odd.mp4", "-o", "b.inr", "--force", "--steps", "1"])["samples"], 8 * 31 * 23);
    place.done(&["crop", "a.inr", "-o", "c.inr", "--drop", "parts=0"]);
    place.done(&["decode", "c.inr", "-o", "c.webm"]);
    encode(&place, "c.webm", "b.inr", &[]);
    assert_eq!(place.json(&["info", "b.inr"])["signal"]["channels"], 4);
    assert!(place.fails(2, &["decode", "c.inr", "-o", "c.mp4"]).contains("--fill"));
    let run =
        place.run_with(&["encode", "-", "-o", "d.inr", "--steps", "3", "--partitions", "2x2x2"], &place.read("a.mp4"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    // Damage: what is left, or a clear refusal; a sound without a picture.
    let mkv = place.read("a.mkv");
    place.write("cut.mkv", &mkv[..mkv.len() / 2]);
    let cut = place.run(&["encode", "cut.mkv", "-o", "e.inr", "--steps", "1"]);
    assert!(matches!(cut.code, 0 | 3), "{}", cut.stderr);
    place.write("noise.mp4", &vec![7; 5000]);
    assert!(place.fails(3, &["encode", "noise.mp4", "-o", "x.inr"]).contains("ffmpeg cannot read"));
    let tone = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "aac"];
    let made = Command::new("ffmpeg").args(tone).arg(place.path("tone.mp4")).status().unwrap();
    assert!(made.success());
    assert!(place.fails(3, &["encode", "tone.mp4", "-o", "x.inr"]).contains("no moving picture"));
    assert!(!place.path("x.inr").exists());
    assert!(!place.names().iter().any(|name| name.contains("tmp")), "{:?}", place.names());
}

#[test]
fn the_published_clip_is_read() {
    let name = "the_published_clip_is_read";
    let Some(clip) = common::shared_data("video/bigbuckbunny.mp4") else {
        return common::skipped(name, "no video/bigbuckbunny.mp4 in the folder of TESSERA_TEST_DATA");
    };
    if !ffmpeg(name) {
        return;
    }
    let place = Workplace::new();
    let clip = clip.to_str().unwrap();
    let part = ["--frames", "120..", "--resize", "5%"];
    let report = encode(&place, clip, "a.inr", &part);
    assert_eq!(report["samples"], 12 * 36 * 64);
    let signal = &place.json(&["info", "a.inr"])["signal"];
    assert_eq!((&signal["shape"], &signal["rate"]), (&serde_json::json!([12, 36, 64]), &serde_json::json!([25, 1])));
    let compared = place.json(&[&["compare", "a.inr", clip], &part[..]].concat());
    assert!((compared["psnr_db"].as_f64().unwrap() - report["psnr_db"].as_f64().unwrap()).abs() < 1e-9);
}

/// The published recipe draws its samples from the file of frames as well, and both recipes give the same file twice.
#[test]
fn both_recipes_read_frames_from_the_disk() {
    let place = Workplace::new();
    folder(&place, "clip", 6, 24, 18);
    for options in [&["--recipe", "published", "--sample-fraction", "0.1"][..], &["--recipe", "held"]] {
        let first = encode(&place, "clip", "a.inr", &[options, &["--steps", "30"]].concat());
        let report = encode(&place, "clip", "b.inr", &[options, &["--steps", "30"]].concat());
        assert_eq!(place.read("a.inr"), place.read("b.inr"), "{options:?}");
        assert!(first["psnr_db"].as_f64().unwrap() > 14.0, "{report}");
    }
}

/// Four times the frames in the same network: the program's peak stays where it was.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_clip() {
    let place = Workplace::new();
    let write = |name: &str, frames: usize| {
        let mut bytes = b"YUV4MPEG2 W160 H120 F25:1 C444\n".to_vec();
        for time in 0..frames {
            bytes.extend_from_slice(b"FRAME\n");
            bytes.extend((0..3 * 160 * 120).map(|i| (i / 160 + i % 160 + time) as u8));
        }
        place.write(name, &bytes);
    };
    // Lengths at which the held recipe fills its groups alike.
    write("short.y4m", 72);
    write("long.y4m", 288);
    let network = ["--local-width", "6", "--global-width", "12", "--partitions", "10x4x4", "--steps", "1"];
    for recipe in [&["--recipe", "published", "--sample-fraction", "0.01"][..], &["--recipe", "held"]] {
        let peak = |name: &str| {
            let arguments =
                [&["encode", name, "-o", "a.inr", "--force", "--quiet", "--threads", "2"], &network[..], recipe];
            let mut child = place.start(&arguments.concat(), Stdio::null());
            let status = format!("/proc/{}/status", child.id());
            let mut peak = 0_u64;
            while child.try_wait().unwrap().is_none() {
                let text = std::fs::read_to_string(&status).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let found = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
                peak = peak.max(found.unwrap_or(0));
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            assert!(child.wait().unwrap().success());
            peak
        };
        let (short, long) = (peak("short.y4m"), peak("long.y4m"));
        // In memory the longer clip would take 50 MB more, as floats.
        assert!(long as f64 <= 1.1 * short as f64, "{recipe:?}: {short} KiB, then {long} KiB");
    }
}
