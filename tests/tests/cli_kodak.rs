//! The published basic method of compression in short: what `cargo xtask bench --table kodak` measures in hours, on a piece
//! of a picture and with few steps.

use tessera_tests::pictures::picture;
use tessera_tests::program::{Workplace, number};

mod common;

#[test]
fn files_are_at_most_as_large_as_the_published_work_counts() {
    let place = Workplace::new();
    match common::shared_data("kodak/kodim23.png") {
        Some(path) => image::open(path).unwrap().crop_imm(300, 150, 128, 96).save(place.path("a.png")).unwrap(),
        None => picture("rgb8", 128, 96).save(place.path("a.png")).unwrap(),
    }
    for (width, parameters, steps) in [("32", 5_411.0, "150"), ("64", 16_963.0, "60")] {
        let preset = format!("strumpler-{width}");
        let encoded = place.json(&["encode", "a.png", "-o", "a.inr", "--preset", &preset, "--steps", steps, "--force"]);
        assert_eq!(number(&encoded, "parameters"), parameters);
        let compress = ["compress", "a.inr", "-o", "c.inr", "--bits", "8", "--against", "a.png", "--force"];
        let coded = place.json(&[&compress[..], &["--uniform"]].concat());
        let bytes = number(&coded, "bytes");
        assert_eq!(place.read("c.inr").len() as f64, bytes, "on the disk");
        let counted = number(&coded["published_accounting"], "bytes");
        assert!(
            bytes <= 1.02 * counted,
            "width {width}: a file of {bytes} bytes, {counted} by the published accounting"
        );
        // 8 bits lose little, and another process decodes the same.
        assert!(number(&coded, "psnr_db") > number(&encoded, "psnr_db") - 0.3, "{coded} {encoded}");
        let compared = place.json(&["compare", "a.png", "c.inr"]);
        assert!((number(&compared, "psnr_db") - number(&coded, "psnr_db")).abs() < 0.02);
        // Retraining mends what rounding lost, and never ends worse.
        let learned = place.json(&[&compress[..], &["--uniform", "--adaround", "200", "--retrain", "20"]].concat());
        assert!(number(&learned, "psnr_db") >= number(&coded, "psnr_db"), "{coded} {learned}");
    }
}
