//! Cropping from the command line: what the file promises, on a real one.

use std::sync::OnceLock;

use tessera_core::eval::{View, cpu};
use tessera_core::format::Reader;
use tessera_tests::pictures::picture;
use tessera_tests::program::Workplace;

/// 128x96 in 8x8 partitions of 16x12 (columns x rows), a few steps of training.
fn workplace() -> Workplace {
    static ENCODED: OnceLock<Vec<u8>> = OnceLock::new();
    let encoded = ENCODED.get_or_init(|| {
        let place = Workplace::new();
        picture("rgb8", 128, 96).save(place.path("a.png")).unwrap();
        place.done(&[
            "encode",
            "a.png",
            "-o",
            "a.inr",
            "--partitions",
            "8x8",
            "--local-width",
            "6",
            "--global-width",
            "12",
            "--steps",
            "20",
        ]);
        place.read("a.inr")
    });
    let place = Workplace::new();
    place.write("a.inr", encoded);
    place
}

#[test]
fn a_crop_is_head_shared_chunk_and_exactly_the_kept_chunks() {
    let place = workplace();
    let report = place.json(&["crop", "a.inr", "-o", "c.inr", "--keep", "64x48+32+24"]);
    assert_eq!(report["kept_partitions"], 16);
    assert_eq!(report["kept_box"], "64x48+32+24");
    let (whole, crop) = (place.read("a.inr"), place.read("c.inr"));
    let (whole, crop) = (Reader::open(&whole).unwrap(), Reader::open(&crop).unwrap());
    let kept: Vec<u32> = (2..6).flat_map(|row| (2..6).map(move |column| row * 8 + column)).collect();
    assert_eq!(crop.present(), kept);
    assert_eq!(report["bytes"], crop.file_bytes());
    assert_eq!(crop.file_bytes(), whole.cropped_bytes(&kept));
    let chunk_bytes: u64 = crop.chunks().iter().map(|c| c.bytes).sum();
    assert_eq!(crop.head_bytes() + chunk_bytes, crop.file_bytes());
    let (a, c) = (place.read("a.inr"), place.read("c.inr"));
    for chunk in crop.chunks() {
        let original = whole.chunks().into_iter().find(|o| o.partition == chunk.partition).unwrap();
        let bytes = |file: &[u8], offset: u64| {
            let start = usize::try_from(offset).unwrap();
            file[start..start + usize::try_from(chunk.bytes).unwrap()].to_vec()
        };
        assert_eq!(bytes(&c, chunk.offset), bytes(&a, original.offset), "{:?}", chunk.partition);
    }
    assert_eq!(place.json(&["verify", "c.inr"])["valid"], true);
}

#[test]
fn what_stays_decodes_to_the_same_bits() {
    let place = workplace();
    place.done(&["crop", "a.inr", "-o", "c.inr", "--keep", "64x48+32+24"]);
    place.done(&["decode", "c.inr", "-o", "crop.png"]);
    place.done(&["decode", "a.inr", "-o", "region.png", "--region", "64x48+32+24"]);
    place.done(&["decode", "a.inr", "-o", "whole.png"]);
    let open = |name| image::open(place.path(name)).unwrap().to_rgb8();
    let (crop, region, whole) = (open("crop.png"), open("region.png"), open("whole.png"));
    assert_eq!(crop.dimensions(), (64, 48));
    assert_eq!(crop, region);
    assert!(crop.enumerate_pixels().all(|(x, y, p)| p == whole.get_pixel(x + 32, y + 24)));

    let bits = |name: &str| -> Vec<u32> {
        let bytes = place.read(name);
        let field = Reader::open(&bytes).unwrap().document().unwrap().field;
        cpu::decode(&field, &View::region(&vec![24..72, 32..96])).unwrap().iter().map(|v| v.to_bits()).collect()
    };
    assert_eq!(bits("a.inr"), bits("c.inr"));

    // Between the samples as well.
    place.done(&["decode", "c.inr", "-o", "crop3.png", "--scale", "3"]);
    place.done(&["decode", "a.inr", "-o", "region3.png", "--region", "64x48+32+24", "--scale", "3"]);
    assert_eq!(open("crop3.png").dimensions(), (192, 144));
    assert_eq!(open("crop3.png"), open("region3.png"));
}

#[test]
fn cropping_to_everything_changes_nothing() {
    let place = workplace();
    for selector in ["all", "128x96+0+0", "pct:0,0,100,100", "parts=0-63", "slab=1:0-7"] {
        place.done(&["crop", "a.inr", "-o", "b.inr", "--force", "--keep", selector]);
        assert_eq!(place.read("a.inr"), place.read("b.inr"), "{selector}");
    }
}

#[test]
fn a_crop_of_a_crop_is_the_crop_of_the_intersection() {
    let place = workplace();
    place.done(&["crop", "a.inr", "-o", "left.inr", "--keep", "80x96+0+0"]);
    // Coordinates stay those of the original canvas.
    place.done(&["crop", "left.inr", "-o", "both.inr", "--keep", "64x96+64+0"]);
    place.done(&["crop", "a.inr", "-o", "direct.inr", "--keep", "16x96+64+0"]);
    assert_eq!(place.read("both.inr"), place.read("direct.inr"));
    let message = place.fails(2, &["crop", "left.inr", "-o", "none.inr", "--keep", "16x16+112+0"]);
    assert!(message.contains("nothing would be kept"), "{message}");
    assert!(!place.path("none.inr").exists());
}

#[test]
fn slabs_and_index_lists_work_as_in_the_published_tool() {
    let place = workplace();
    let kept = |arguments: &[&str]| -> Vec<u64> {
        let report = place.json(&[&["crop", "a.inr", "-o", "d.inr", "--force"], arguments].concat());
        report["kept"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
    };
    assert_eq!(kept(&["--drop", "slab=0:0,7"]), (8..56).collect::<Vec<_>>());
    assert_eq!(kept(&["--drop", "parts=[0,7]"]), (0..64).filter(|&p| p != 7).collect::<Vec<_>>());
    assert_eq!(kept(&["--drop", "slab=0:0-6", "--drop", "slab=1:0-5"]), [62, 63]);
    assert_eq!(kept(&["--drop", "slab=0:0-6;slab=1:0-5"]), [62, 63]);
    assert_eq!(kept(&["--keep", "parts=0-1", "--keep", "parts=[7,7]"]), [0, 1, 63]);
}

#[test]
fn snapping_says_what_happens_on_the_border() {
    let place = workplace();
    let kept = |arguments: &[&str]| -> u64 {
        let report = place.json(&[&["crop", "a.inr", "-o", "s.inr", "--force"], arguments].concat());
        report["kept_partitions"].as_u64().unwrap()
    };
    // 20x20 at (10, 10) touches columns 0..2 and rows 0..3, and holds no partition wholly... except by widening.
    assert_eq!(kept(&["--keep", "20x20+10+10"]), 6);
    assert_eq!(kept(&["--keep", "40x30+10+10", "--snap", "inner"]), 2 * 2);
    assert_eq!(kept(&["--drop", "40x30+10+10"]), 64 - 4, "dropping loses nothing that was not named");
    assert_eq!(kept(&["--drop", "40x30+10+10", "--snap", "outer"]), 64 - 16);
    place.fails(2, &["crop", "a.inr", "-o", "n.inr", "--keep", "4x4+10+10", "--snap", "inner"]);
}

#[test]
fn absent_partitions_are_transparent_or_filled_on_the_canvas() {
    let place = workplace();
    place.done(&["crop", "a.inr", "-o", "c.inr", "--keep", "parts=[0,0],[7,7]"]);
    place.done(&["decode", "c.inr", "-o", "canvas.png", "--canvas"]);
    let canvas = image::open(place.path("canvas.png")).unwrap();
    assert_eq!(canvas.color(), image::ColorType::Rgba8);
    let canvas = canvas.to_rgba8();
    assert_eq!(canvas.dimensions(), (128, 96));
    assert_eq!(
        (canvas.get_pixel(0, 0)[3], canvas.get_pixel(127, 95)[3], canvas.get_pixel(60, 50).0),
        (255, 255, [0; 4])
    );
    place.done(&["decode", "c.inr", "-o", "filled.png", "--fill", "#102030"]);
    let filled = image::open(place.path("filled.png")).unwrap();
    assert_eq!(filled.color(), image::ColorType::Rgb8);
    assert_eq!(filled.to_rgb8().get_pixel(60, 50).0, [16, 32, 48]);
    let message = place.fails(2, &["decode", "c.inr", "-o", "canvas.jpg"]);
    assert!(message.contains("--fill"), "{message}");
    let message = place.fails(2, &["decode", "c.inr", "-o", "x.png", "--region", "16x12+48+48"]);
    assert!(message.contains("--region"), "{message}");
}

#[test]
fn automatic_widths_shrink_as_published() {
    let place = Workplace::new();
    picture("rgb8", 512, 512).save(place.path("a.png")).unwrap();
    let encoded = place.json(&[
        "encode",
        "a.png",
        "-o",
        "a.inr",
        "--partitions",
        "12x14",
        "--parameters",
        "200k",
        "--steps",
        "1",
    ]);
    assert_eq!(encoded["parameters"], 199_106);
    let kept = |window: &str| place.json(&["crop", "a.inr", "-o", "c.inr", "--force", "--keep", window]);
    assert_eq!(kept("parts=0-12,14-26,28-40,42-54")["parameters"], 80_438);
    assert_eq!(kept("parts=0-4,14-18,28-32,42-46")["parameters"], 47_702);
    assert_eq!(place.json(&["info", "c.inr"])["parameters"], 47_702);
}
