//! `tessera compare`: two files of one kind, fields or not. Loading is here, measuring is each kind's.

mod picture;
mod shape;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::error::{Error, Unsupported};
use tessera_core::eval::View;
use tessera_core::format::{MAGIC, Reader};
use tessera_core::grid::SampleBox;
use tessera_core::metrics;
use tessera_core::signal::{Signal, SignalInfo, SignalKind};

use super::describe::bounding_box;
use crate::arguments::CompareArguments;
use crate::decoding;
use crate::errors::usage_fault;
use crate::media::shape::Sampling;
use crate::media::{kind_of, read_source};
use crate::output::{is_stream, read_input, shown};
use crate::report::{Reporter, bytes as human_bytes};

/// One of the two inputs.
#[derive(Debug, Clone, Serialize)]
struct Side {
    file: String,
    field: bool,
    bytes: u64,
    bits_per_sample: f64,
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
}

pub(super) fn run(arguments: &CompareArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    if is_stream(&arguments.a) && is_stream(&arguments.b) {
        return Err(usage_fault("only one of the two can come from stdin"));
    }
    let bytes = [read_input(&arguments.a)?, read_input(&arguments.b)?];
    // A mesh has no samples of its own, so shapes are not loaded as other signals are.
    if is_shape(&bytes[0], &arguments.a)? && is_shape(&bytes[1], &arguments.b)? {
        return shape::run(arguments, [&bytes[0], &bytes[1]], reporter);
    }
    let (a, b) = (load(&bytes[0], &arguments.a)?, load(&bytes[1], &arguments.b)?);
    if a.info.kind != b.info.kind {
        let described = |input: &Input| format!("{} is {}", input.side.file, input.info.kind.with_article());
        return Err(usage_fault(format!("{}, {}: they cannot be compared", described(&a), described(&b))));
    }
    match a.info.kind {
        SignalKind::Picture => picture::run(arguments, a, b, reporter),
        kind => Err(Error::Unsupported(Unsupported {
            feature: format!("comparing {}", kind.with_article()),
            advice: "get a newer Tessera".to_owned(),
        })
        .into()),
    }
}

fn is_shape(bytes: &[u8], path: &Path) -> Result<bool> {
    let kind = if bytes.starts_with(&MAGIC) {
        Some(Reader::open(bytes).with_context(|| shown(path))?.signal().kind)
    } else {
        kind_of(bytes, path)
    };
    Ok(kind == Some(SignalKind::Shape))
}

fn load(bytes: &[u8], path: &Path) -> Result<Input> {
    let field = bytes.starts_with(&MAGIC);
    let (info, bounds, values) = if field {
        let document = Reader::open(bytes).and_then(|r| r.document()).with_context(|| shown(path))?;
        let bounds = bounding_box(document.field.grid(), document.field.present());
        let values = decoding::decode(&document.field, &View::region(&bounds))?;
        (document.signal, bounds, values)
    } else {
        let Signal { info, values } = read_source(bytes, path, &Sampling::default())?.signal;
        let bounds = info.shape.iter().map(|&n| 0..n).collect();
        (info, bounds, values)
    };
    let samples = bounds.iter().map(|r| u64::from(r.end - r.start)).product();
    let size = bytes.len() as u64;
    let side = Side { file: shown(path), field, bytes: size, bits_per_sample: metrics::bits_per_sample(size, samples) };
    Ok(Input { side, info, bounds, values })
}
