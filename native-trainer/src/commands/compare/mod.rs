//! `tessera compare`: two files of one kind, fields or not. Loading is here, measuring is each kind's.

mod clip;
mod picture;
mod shape;
mod sound;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::error::{Error, Unsupported};
use tessera_core::eval::View;
use tessera_core::format::{Document, MAGIC, Reader};
use tessera_core::grid::{Grid, SampleBox};
use tessera_core::metrics;
use tessera_core::signal::{Signal, SignalInfo, SignalKind};

use self::clip::{ClipInput, Content};
use super::describe::bounding_box;
use crate::arguments::CompareArguments;
use crate::decoding;
use crate::errors::usage_fault;
use crate::media::clip::ClipFile;
use crate::media::shape::Sampling;
use crate::media::{self, kind_of, read_source};
use crate::output::{is_stream, read_input, shown};
use crate::report::{Reporter, bytes as human_bytes};
use crate::samples::Samples;
use crate::signals;

/// One of the two inputs.
#[derive(Debug, Clone, Serialize)]
struct Side {
    file: String,
    field: bool,
    bytes: u64,
    bits_per_sample: f64,
    /// Mean jump across the borders of the field's partitions over the mean jump inside them; also of the other side,
    /// where it has the same canvas.
    #[serde(skip_serializing_if = "Option::is_none")]
    seam: Option<f64>,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {:.2} bits per sample)", self.file, human_bytes(self.bytes), self.bits_per_sample)
    }
}

/// An input in stored values on a box of some canvas; NaN where it has nothing.
struct Input {
    side: Side,
    info: SignalInfo,
    bounds: SampleBox,
    values: Vec<f32>,
    /// The partitions of a field.
    grid: Option<Grid>,
}

pub(super) fn run(arguments: &CompareArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    if is_stream(&arguments.a) && is_stream(&arguments.b) {
        return Err(usage_fault("only one of the two can come from stdin"));
    }
    let (a, b) = (open(&arguments.a, arguments)?, open(&arguments.b, arguments)?);
    if !matches!(a, Opened::Shape(_)) && (arguments.field.is_some() || arguments.voxels.is_some()) {
        return Err(usage_fault("--field and --voxels are for shapes, and these are none"));
    }
    if a.info().kind != b.info().kind {
        let described = |opened: &Opened| format!("{} is {}", opened.side().file, opened.info().kind.with_article());
        return Err(usage_fault(format!("{}, {}: they cannot be compared", described(&a), described(&b))));
    }
    let (a, b) = match (a, b) {
        (Opened::Shape(a), Opened::Shape(b)) => return shape::run(arguments, *a, *b, reporter),
        (Opened::Clip(a), Opened::Clip(b)) => return clip::run(&a, &b, reporter),
        (Opened::Whole(mut a), Opened::Whole(mut b)) => {
            measure_seams(&mut a, &mut b)?;
            (a, b)
        }
        _ => return Err(usage_fault("the two are of different kinds")),
    };
    if arguments.clip.any() {
        return Err(usage_fault("--frames, --frame-rate and --resize are for clips, and these are none"));
    }
    match a.info.kind {
        SignalKind::Picture => picture::run(arguments, a, b, reporter),
        SignalKind::Sound => sound::run(arguments, a, b, reporter),
        kind => Err(Error::Unsupported(Unsupported {
            feature: format!("comparing {}", kind.with_article()),
            advice: "get a newer Tessera".to_owned(),
        })
        .into()),
    }
}

/// An input, read as far as its kind allows.
enum Opened {
    /// A mesh has no samples before it is compared.
    Shape(Box<shape::Input>),
    /// Frames are decoded and read when they are compared.
    Clip(ClipInput),
    /// Everything is in memory.
    Whole(Input),
}

impl Opened {
    fn info(&self) -> &SignalInfo {
        match self {
            Self::Clip(input) => &input.info,
            Self::Shape(input) => &input.info,
            Self::Whole(input) => &input.info,
        }
    }

    fn side(&self) -> &Side {
        match self {
            Self::Clip(input) => &input.side,
            Self::Shape(input) => &input.side,
            Self::Whole(input) => &input.side,
        }
    }
}

fn open(path: &Path, arguments: &CompareArguments) -> Result<Opened> {
    if let Some(file) = ClipFile::find(path) {
        return clip_file(&file, arguments).map(Opened::Clip);
    }
    let bytes = read_input(path)?;
    if !bytes.starts_with(&MAGIC) {
        if is_stream(path)
            && let Some(file) = ClipFile::of_bytes(&bytes)?
        {
            return clip_file(&file, arguments).map(Opened::Clip);
        }
        if kind_of(&bytes, path) == Some(SignalKind::Shape) || arguments.voxels.is_some() {
            return Ok(Opened::Shape(Box::new(shape::load(bytes, path, arguments)?)));
        }
        return load(bytes, path).map(Opened::Whole);
    }
    let reader = Reader::open(&bytes).with_context(|| shown(path))?;
    if reader.signal().kind == SignalKind::Shape {
        return Ok(Opened::Shape(Box::new(shape::load(bytes, path, arguments)?)));
    }
    if reader.signal().kind != SignalKind::Video {
        return load(bytes, path).map(Opened::Whole);
    }
    let Document { signal, field, .. } = reader.document().with_context(|| shown(path))?;
    let bounds = bounding_box(field.grid(), field.present());
    let side = side(shown(path), true, bytes.len() as u64, &bounds);
    Ok(Opened::Clip(ClipInput { side, info: signal, bounds, content: Content::Field(field) }))
}

/// A clip's frames in a spool: the two are compared in boxes, and compressed video is read in one direction only.
fn clip_file(file: &ClipFile, arguments: &CompareArguments) -> Result<ClipInput> {
    let frames = media::clip::open(file, arguments.clip.selection())?;
    let (spool, _) = media::clip::spool(frames, file.name(), &std::env::temp_dir(), signals::watch()?)?;
    let info = spool.info().clone();
    let bounds = info.shape.iter().map(|&n| 0..n).collect();
    let side = side(file.name().to_owned(), false, file.bytes(), &bounds);
    Ok(ClipInput { side, info, bounds, content: Content::Samples(Samples::Spooled(spool)) })
}

fn side(file: String, field: bool, bytes: u64, bounds: &SampleBox) -> Side {
    let samples = bounds.iter().map(|r| u64::from(r.end - r.start)).product();
    Side { file, field, bytes, bits_per_sample: metrics::bits_per_sample(bytes, samples), seam: None }
}

/// Looks at both sides along the borders of the field's partitions (of A's, where both are fields).
fn measure_seams(a: &mut Input, b: &mut Input) -> Result<()> {
    let Some(grid) = a.grid.clone().or_else(|| b.grid.clone()) else { return Ok(()) };
    for side in [a, b] {
        if side.info.shape == grid.shape() {
            side.side.seam = metrics::seam(&side.values, &side.bounds, side.info.channels as usize, &grid)?;
        }
    }
    Ok(())
}

/// What is said about seams, where there is something to say.
fn seam_text(a: &Side, b: &Side) -> Option<String> {
    match (a.seam, b.seam) {
        (Some(x), Some(y)) => Some(format!("{x:.2} in a, {y:.2} in b (jumps across borders over jumps inside)")),
        (Some(x), None) | (None, Some(x)) => Some(format!("{x:.2} (jumps across borders over jumps inside)")),
        (None, None) => None,
    }
}

fn load(bytes: Vec<u8>, path: &Path) -> Result<Input> {
    let (field, size) = (bytes.starts_with(&MAGIC), bytes.len() as u64);
    let (info, bounds, values, grid) = if field {
        let document = Reader::open(&bytes).and_then(|r| r.document()).with_context(|| shown(path))?;
        let bounds = bounding_box(document.field.grid(), document.field.present());
        let values = decoding::decode(&document.field, &View::region(&bounds))?;
        (document.signal, bounds, values, Some(document.field.grid().clone()))
    } else {
        let Signal { info, values } = read_source(bytes, path, &Sampling::default())?.signal;
        let bounds = info.shape.iter().map(|&n| 0..n).collect();
        (info, bounds, values, None)
    };
    let side = side(shown(path), field, size, &bounds);
    Ok(Input { side, info, bounds, values, grid })
}
