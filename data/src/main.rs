//! Makes the sample signals and their list, `samples.json`: `cargo run --release -p tessera-samples [FOLDER]`.
//!
//! They are our own, so that anyone may pass them on, and each mixes what is hard for a neural field in its
//! own way: smooth skies, sharp edges, lettering, texture, transparency, attacks and tails. They are functions of exact arithmetic
//! ([`maths`]), so the committed files can be compared with what this program draws, bit for bit.

mod canvas;
mod chart;
mod chime;
mod coast;
mod knot;
mod leaf;
mod lettering;
mod maths;
mod tide;

use anyhow::{Context, Result};
use canvas::Picture;
use serde::Serialize;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// One line of `samples.json`, which the page reads.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
struct Sample {
    name: &'static str,
    title: &'static str,
    /// The encoded field, made from the original by `cargo xtask samples`.
    file: String,
    /// A picture's original, which the page compares with.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    /// What it is, unless it is a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// Name, title and drawing of a sample.
type Entry = (&'static str, &'static str, fn() -> Picture);

/// The shape: its name, and the file that [`knot::draw`] gives.
const SHAPE: (&str, &str) = ("knot", "knot.ply");

/// The pictures in the order in which the page shows them.
const SAMPLES: [Entry; 3] = [
    ("mosaic", "Evening coast, 512 x 512", coast::draw),
    ("chart", "Test chart, 384 x 256", chart::draw),
    ("leaf", "Leaf with transparency, 256 x 256", leaf::draw),
];

/// What the page shows beside pictures: name, title, kind. Those that are not encoded yet it leaves out.
const OTHERS: [(&str, &str, &str); 3] = [
    ("chime", "Chimes, a sound in stereo", "sound"),
    ("tide", "A boat on the swell, a video", "video"),
    ("knot", "Fluted knot, a 3D shape", "shape"),
];

/// The sound.
const SOUND: &str = "chime";

fn write_sound(path: &Path) -> Result<()> {
    let (sample_format, bits_per_sample) = (hound::SampleFormat::Int, 16);
    let spec = hound::WavSpec { channels: 2, sample_rate: chime::RATE, bits_per_sample, sample_format };
    let mut writer = hound::WavWriter::create(path, spec)?;
    chime::play().into_iter().try_for_each(|sample| writer.write_sample(sample))?;
    Ok(writer.finalize()?)
}

fn list() -> Vec<Sample> {
    let pictures = SAMPLES.iter().map(|&(name, title, _)| Sample {
        name,
        title,
        file: format!("{name}.inr"),
        original: Some(format!("{name}.png")),
        kind: None,
    });
    let others = OTHERS.iter().map(|&(name, title, kind)| Sample {
        name,
        title,
        file: format!("{name}.inr"),
        original: None,
        kind: Some(kind),
    });
    pictures.chain(others).collect()
}

/// The folder of the committed samples.
fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(default_folder, PathBuf::from);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    for (name, title, draw) in SAMPLES {
        let path = folder.join(format!("{name}.png"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        draw().write_png(BufWriter::new(file)).with_context(|| format!("while writing {}", path.display()))?;
        println!("{}: {title}, {} bytes", path.display(), std::fs::metadata(&path)?.len());
    }
    let path = folder.join(SHAPE.1);
    std::fs::write(&path, knot::draw()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: a fluted {}, {} bytes", path.display(), SHAPE.0, std::fs::metadata(&path)?.len());
    let path = folder.join("tide.apng");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    canvas::write_apng(&tide::draw(), tide::RATE, BufWriter::new(file))
        .with_context(|| format!("while writing {}", path.display()))?;
    println!("{}: a boat on the swell, {} bytes", path.display(), std::fs::metadata(&path)?.len());
    let path = folder.join(format!("{SOUND}.wav"));
    write_sound(&path).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: {} bytes", path.display(), std::fs::metadata(&path)?.len());
    let path = folder.join("samples.json");
    std::fs::write(&path, serde_json::to_string_pretty(&list())? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_pictures_are_what_this_program_draws() {
        for (name, _, draw) in SAMPLES {
            let path = default_folder().join(format!("{name}.png"));
            let stored = image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let drawn = draw();
            assert_eq!(
                (stored.width(), stored.height(), stored.color().channel_count()),
                (drawn.width, drawn.height, drawn.channels),
                "{name}"
            );
            let differ = stored.as_bytes().iter().zip(&drawn.samples).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{name}: {differ} samples differ; run `cargo xtask samples`");
        }
    }

    #[test]
    fn the_committed_clip_is_what_this_program_draws() {
        let file = File::open(default_folder().join("tide.apng")).expect("tide.apng is committed");
        let decoder = image::codecs::png::PngDecoder::new(std::io::BufReader::new(file)).unwrap().apng().unwrap();
        let stored = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
        let drawn = tide::draw();
        assert_eq!(stored.len(), drawn.len());
        for (number, (stored, drawn)) in stored.into_iter().zip(drawn).enumerate() {
            let (milliseconds, parts) = stored.delay().numer_denom_ms();
            assert_eq!(milliseconds * u32::from(tide::RATE), 1000 * parts);
            let samples = image::DynamicImage::from(stored.into_buffer()).into_rgb8().into_raw();
            assert!(samples == drawn.samples, "frame {number} differs; run `cargo xtask samples`");
        }
    }

    #[test]
    fn the_committed_sound_is_what_this_program_plays() {
        let mut stored = hound::WavReader::open(default_folder().join(format!("{SOUND}.wav"))).unwrap();
        assert_eq!((stored.spec().channels, stored.spec().sample_rate), (2, chime::RATE));
        let stored: Vec<i16> = stored.samples().collect::<Result<_, _>>().unwrap();
        assert!(stored == chime::play(), "run `cargo xtask samples`");
    }

    #[test]
    fn the_committed_shape_is_what_this_program_draws() {
        let stored = std::fs::read(default_folder().join(SHAPE.1)).expect("the shape is committed");
        assert!(stored == knot::draw(), "{} differs; run `cargo xtask samples`", SHAPE.1);
    }

    #[test]
    fn the_committed_list_is_current() {
        let text = std::fs::read_to_string(default_folder().join("samples.json")).expect("samples.json is committed");
        assert_eq!(
            text,
            serde_json::to_string_pretty(&list()).expect("plain strings") + "\n",
            "run `cargo xtask samples`"
        );
    }
}
