//! Quantised weights from the command line: sizes, losses, crops, and what is refused.

use std::sync::OnceLock;

use serde_json::Value;
use tessera_core::format::Reader;
use tessera_tests::pictures::picture;
use tessera_tests::program::{Workplace, number};

/// 96x64 in 4x4 partitions, trained for a moment, and its original.
fn workplace() -> Workplace {
    static ENCODED: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (original, encoded) = ENCODED.get_or_init(|| {
        let place = Workplace::new();
        picture("rgb8", 96, 64).save(place.path("a.png")).unwrap();
        let network = ["--partitions", "4x4", "--local-width", "10", "--global-width", "24", "--recipe", "held"];
        place.done(&[&["encode", "a.png", "-o", "a.inr", "--steps", "60"], &network[..]].concat());
        (place.read("a.png"), place.read("a.inr"))
    });
    let place = Workplace::new();
    place.write("a.png", original);
    place.write("a.inr", encoded);
    place
}

fn compress(place: &Workplace, options: &[&str]) -> Value {
    let report =
        place.json(&[&["compress", "a.inr", "-o", "c.inr", "--force", "--against", "a.png"], options].concat());
    place.check_report(&report, "a.png", "c.inr");
    let ledger: f64 = report["ledger"].as_array().unwrap().iter().map(|part| number(part, "bytes")).sum();
    assert_eq!(ledger, number(&report, "bytes"), "the ledger adds up");
    let info = place.json(&["info", "c.inr"]);
    assert_eq!(info["ledger"], report["ledger"]);
    report
}

#[test]
fn a_loss_is_kept_and_the_global_network_costs_nothing() {
    let place = workplace();
    let report = compress(&place, &[]);
    let (before, after) = (number(&report, "psnr_before_db"), number(&report, "psnr_db"));
    assert!(before - after < 0.45 && before - after > 0.05, "{before} {after}");
    assert!(number(&report, "bytes") * 3.0 < number(&report, "bytes_before"), "{report}");
    let plain = place.json(&["info", "a.inr"]);
    let shared = report["ledger"].as_array().unwrap().iter().find(|part| part["part"] == "shared weights");
    let shared = shared.map_or(0.0, |part| number(part, "bytes"));
    assert!(shared * 10.0 < number(&plain, "shared_bytes"), "{shared}");
    let sizes: Vec<f64> = report["coders"].as_array().unwrap().iter().map(|coder| number(coder, "bytes")).collect();
    assert_eq!(sizes.len(), 4);
    let published = &report["published_accounting"];
    let parts = ["table_bytes", "payload_bytes", "steps_bytes"].map(|part| number(published, part));
    assert_eq!(parts.iter().sum::<f64>(), number(published, "bytes"));
    // With Brotli: everything but the numbers, their stream, and two bytes for a step.
    let of = |names: &[&str], report: &Value| -> f64 {
        let parts = report["ledger"].as_array().unwrap().iter();
        parts.filter(|part| names.contains(&part["part"].as_str().unwrap())).map(|part| number(part, "bytes")).sum()
    };
    let numbers = of(&["steps", "tables", "shared weights", "local weights"], &report);
    let steps = sizes[3] - (number(&report, "bytes") - numbers) - number(published, "brotli_bytes");
    assert_eq!(steps, of(&["steps"], &report), "{report}");
    // One table for all tensors and one stream is what the published work counts; ours is no worse at it.
    assert!(number(published, "payload_bytes") > 0.95 * (numbers - of(&["steps", "tables"], &report)), "{report}");
    for coder in ["pooled", "static", "adaptive"] {
        let again = compress(&place, &["--coder", coder]);
        assert!(
            sizes.contains(&number(&again, "bytes")) && (number(&again, "psnr_db") - after).abs() < 1e-9,
            "{coder}"
        );
    }
}

#[test]
fn sizes_are_kept() {
    let place = workplace();
    for (options, most) in [(["--bpp", "4"], 4.0 * 96.0 * 64.0 / 8.0), (["--target-size", "5k"], 5000.0)] {
        let bytes = number(&compress(&place, &options), "bytes");
        assert!(bytes <= most && bytes > 0.97 * most, "{options:?}: {bytes} of {most}");
    }
}

#[test]
fn bits_per_weight_are_kept_and_lose_little() {
    let place = workplace();
    let loss = |report: &Value| number(report, "psnr_before_db") - number(report, "psnr_db");
    let eight = compress(&place, &["--bits", "8"]);
    assert!(number(&eight, "bits_per_parameter") <= 8.0 && loss(&eight) <= 0.3, "{eight}");
    let six = compress(&place, &["--bits", "6", "--adaround", "300", "--retrain", "40"]);
    assert!(number(&six, "bits_per_parameter") <= 6.0 && loss(&six) <= 1.0, "{six}");
    // More than is seen are not taken.
    let sixteen = compress(&place, &["--bits", "16"]);
    assert!(number(&sixteen, "bits_per_parameter") < 11.0 && loss(&sixteen) <= 0.3, "{sixteen}");
    // The published quantiser has fewer levels in tensors that need more.
    let uniform = compress(&place, &["--bits", "6", "--uniform"]);
    assert!(loss(&uniform) > loss(&compress(&place, &["--bits", "6"])), "{uniform}");
}

#[test]
fn retraining_never_ends_worse() {
    let place = workplace();
    for options in [&["--bits", "5"][..], &["--bits", "9"], &["--bits", "5", "--uniform"]] {
        let plain = compress(&place, options);
        let trained = compress(&place, &[options, &["--retrain", "60"]].concat());
        assert!(number(&trained, "psnr_db") >= number(&plain, "psnr_db") - 0.01, "{plain} {trained}");
    }
    let plain = number(&compress(&place, &["--bpp", "4"]), "psnr_db");
    let trained = compress(&place, &["--bpp", "4", "--retrain", "60"]);
    assert!(number(&trained, "psnr_db") > plain, "{plain} {trained}");
    let rate = number(&trained, "bits_per_sample");
    assert!(rate <= 4.0 && rate > 0.97 * 4.0, "{rate}");
}

/// What `--adaround` says of its layers, checked: everywhere nearer to the trained field than nearest rounding, and not because
/// nothing was done. On plain coordinates nearest may be the best for first layers.
fn layers(report: &Value, encoded: bool) -> Vec<String> {
    let layers = report["adaround"].as_array().unwrap();
    for (depth, layer) in layers.iter().enumerate() {
        let (error, nearest, moved) = (number(layer, "error"), number(layer, "nearest_error"), number(layer, "moved"));
        if depth == 0 && !encoded {
            assert!(error <= nearest && moved < 0.5, "{report}");
        } else {
            assert!(error < nearest && error > 0.0 && (0.01..0.5).contains(&moved), "{report}");
        }
    }
    layers.iter().map(|layer| layer["layer"].as_str().unwrap().to_owned()).collect()
}

/// The values come nearer to those of the trained field, and so to the original's but for what is chance where rounding to nearest
/// loses next to nothing.
fn assert_better(learned: &Value, plain: &Value) {
    let by = |name: &str| number(learned, name) - number(plain, name);
    assert!(by("psnr_against_field_db") > 0.3 && by("psnr_db") > -0.02, "{plain} {learned}");
}

#[test]
fn learned_rounding_comes_nearer_in_every_layer() {
    let place = workplace();
    for options in [&["--bits", "6"][..], &["--bits", "8", "--uniform"], &["--loss", "1"], &["--bpp", "4"]] {
        let plain = compress(&place, options);
        assert!(plain["adaround"].is_null());
        let learned = compress(&place, &[options, &["--adaround", "300"]].concat());
        assert_eq!(layers(&learned, false), ["first", "hidden 1", "hidden 2", "hidden 3", "last"]);
        assert_better(&learned, &plain);
        if options[0] == "--bpp" {
            let rate = number(&learned, "bits_per_sample");
            assert!(rate <= 4.0 && rate > 0.97 * 4.0, "{rate}");
        }
    }
    let text = place.done(&["compress", "a.inr", "-o", "t.inr", "--bits", "6", "--adaround"]);
    let text = &text.stderr;
    for line in ["first layer", "hidden 3 layer", "last layer", "to nearest", "moved"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn retraining_goes_on_from_learned_rounding() {
    let place = workplace();
    for options in [&["--bits", "5", "--uniform"][..], &["--bpp", "3"]] {
        let learned = compress(&place, &[options, &["--adaround", "300"]].concat());
        let trained = compress(&place, &[options, &["--adaround", "300", "--retrain", "40"]].concat());
        assert_eq!(trained["adaround"], learned["adaround"], "{options:?}");
        // Training judges the samples as numbers, the report judges code values.
        assert!(number(&trained, "psnr_db") >= number(&learned, "psnr_db") - 0.01, "{learned} {trained}");
        assert!(options[0] != "--bpp" || number(&trained, "bits_per_sample") <= 3.0, "{trained}");
    }
}

#[test]
fn learned_rounding_takes_encodings_and_relu_layers() {
    let place = workplace();
    for options in [
        &["--model", "per-partition", "--partitions", "2x2", "--encoding", "nerf", "--activation", "relu"][..],
        &["--model", "siren", "--encoding", "gauss", "--activation", "sine"],
        &["--model", "per-partition", "--partitions", "3x2"],
    ] {
        let encode = ["encode", "a.png", "-o", "a.inr", "--force", "--local-width", "12", "--steps", "60"];
        place.done(&[&encode[..], options].concat());
        let plain = compress(&place, &["--bits", "5", "--uniform"]);
        let learned = compress(&place, &["--bits", "5", "--uniform", "--adaround", "300"]);
        let encoded = options.contains(&"nerf") || options.contains(&"gauss");
        assert!(layers(&learned, encoded).len() > 2);
        assert_better(&learned, &plain);
    }
}

#[test]
fn a_compressed_file_is_cropped_by_copying() {
    let place = workplace();
    compress(&place, &[]);
    place.done(&["crop", "c.inr", "-o", "d.inr", "--keep", "48x32+24+16"]);
    assert_eq!(place.json(&["verify", "d.inr"])["valid"], true);
    let (whole, part) = (place.read("c.inr"), place.read("d.inr"));
    let (whole, part) = (Reader::open(&whole).unwrap(), Reader::open(&part).unwrap());
    let kept = whole.document().unwrap().field.restricted_to(part.present());
    assert_eq!(part.document().unwrap().field, kept);
    // What is left out is what the dropped chunks took, but for the index.
    let chunks = |reader: &Reader<'_>| reader.chunks().iter().map(|chunk| chunk.bytes).sum::<u64>();
    let dropped = chunks(&whole) - chunks(&part);
    assert_eq!(whole.file_bytes() - part.file_bytes(), dropped + whole.head_bytes() - part.head_bytes());
    // And a compressed file can be compressed again.
    place.done(&["compress", "d.inr", "-o", "e.inr", "--target-size", "1500"]);
    assert!(place.read("e.inr").len() <= 1500);
    let said = place.fails(5, &["compress", "d.inr", "-o", "f.inr", "--target-size", "100"]);
    assert!(said.contains("100 bytes were asked for") && place.read("f.inr").len() > 100, "{said}");
}

#[test]
fn what_cannot_be_is_said() {
    let place = workplace();
    picture("rgb8", 64, 64).save(place.path("b.png")).unwrap();
    for (options, code, words) in [
        (&["--bits", "3"][..], 2, "4..=16"),
        (&["--uniform"], 2, "--bits"),
        (&["--bits", "8", "--bpp", "1"], 2, "cannot be used with"),
        (&["--loss", "-1"], 2, "no positive number"),
        (&["--bpp", "NaN"], 2, "no positive number"),
        (&["--target-size", "lots"], 2, "not a positive count"),
        (&["--adaround", "0"], 2, "1..=1000000"),
        (&["--retrain", "5"], 2, "--against"),
        (&["--against", "b.png"], 2, "b.png is not what the field was made from"),
        (&["--against", "none.png"], 3, "none.png"),
    ] {
        let said = place.fails(code, &[&["compress", "a.inr", "-o", "x.inr"], options].concat());
        assert!(said.contains(words), "{options:?}: {said}");
        assert!(!place.path("x.inr").exists());
    }
    place.fails(3, &["compress", "a.png", "-o", "x.inr"]);
}
