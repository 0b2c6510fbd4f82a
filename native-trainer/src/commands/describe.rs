//! Words that several commands need: boxes, sizes, opened files.

use std::path::Path;

use anyhow::{Context as _, Result};
use tessera_core::error::Error;
use tessera_core::field::{Activation, Encoding, FieldSpec};
use tessera_core::format::Reader;
use tessera_core::grid::{Grid, SampleBox};
use tessera_core::signal::{SampleFormat, SignalInfo, SignalKind};

use crate::arguments::values::Extents;
use crate::report::grouped;

/// Opens the bytes of `path` as a Tessera file.
///
/// # Errors
/// The format's errors with the file's name in front.
pub(super) fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<Reader<'a>> {
    Reader::open(bytes).with_context(|| crate::output::shown(path))
}

/// A box in the notation of the selectors: `256x128+64+32` for pictures, `box=` and ranges for what has three axes.
pub(super) fn box_text(bounds: &SampleBox) -> String {
    match bounds.as_slice() {
        [rows, columns] => {
            format!("{}x{}+{}+{}", columns.end - columns.start, rows.end - rows.start, columns.start, rows.start)
        }
        [range] => format!("{}..{}", range.start, range.end),
        ranges => {
            let ranges: Vec<String> = ranges.iter().map(|r| format!("{}..{}", r.start, r.end)).collect();
            format!("box={}", ranges.join(","))
        }
    }
}

/// `1.20 s to 3.40 s`; `None` where time plays no part.
pub(super) fn seconds_text(info: &SignalInfo, bounds: &SampleBox) -> Option<String> {
    let (rate, time) = (info.rate_hz()?, bounds.first()?);
    let seconds = |sample: u32| f64::from(sample) / rate;
    Some(format!("{:.2} s to {:.2} s", seconds(time.start), seconds(time.end)))
}

/// The smallest box around partitions; the canvas's first sample where there are none.
pub(super) fn bounding_box(grid: &Grid, partitions: &[u32]) -> SampleBox {
    let boxes = partitions.iter().map(|&p| grid.partition_box(p));
    boxes
        .reduce(|a, b| a.iter().zip(&b).map(|(x, y)| x.start.min(y.start)..x.end.max(y.end)).collect())
        .unwrap_or_else(|| grid.shape().iter().map(|_| 0..0).collect())
}

/// What a file holds: the canvas where nothing was cropped, else the box around its networks.
pub(super) fn kept_box(reader: &Reader<'_>) -> SampleBox {
    if reader.is_complete() { reader.grid().canvas() } else { bounding_box(reader.grid(), reader.present()) }
}

/// `512x512` in array order.
pub(super) fn extents(numbers: &[u32]) -> String {
    Extents(numbers.to_vec()).to_string()
}

/// `nerf encoding (scale 1.4, 16 frequencies, 66 inputs)`, and what the layers are where they are no sines; `None` for sine
/// layers on plain coordinates.
pub(super) fn encoding_text(spec: &FieldSpec) -> Option<String> {
    let (scale, frequencies) = match spec.encoding {
        Encoding::Mlp => return spec.is_encoded().then(|| format!("{} layers", spec.activation.name())),
        Encoding::Nerf { scale, frequencies }
        | Encoding::Positional { scale, frequencies }
        | Encoding::Gauss { scale, frequencies, .. } => (scale, frequencies),
        Encoding::Latents(pyramid) => {
            let (levels, finest) = (pyramid.levels, 1_u64 << pyramid.finest);
            let nodes = if finest == 1 { "sample".to_owned() } else { format!("{finest}x{finest} samples") };
            return Some(format!("{levels} levels of latents, the finest of one per {nodes}"));
        }
    };
    let (name, inputs) = (spec.encoding.name(), spec.encoded_inputs());
    let layers = if spec.activation == Activation::Relu { ", relu layers" } else { "" };
    Some(format!("{name} encoding (scale {scale}, {frequencies} frequencies, {inputs} inputs){layers}"))
}

/// `local width 14, global width 84, 3 hidden layers`: what there is of it.
pub(super) fn network_text(spec: &FieldSpec) -> String {
    let widths = match spec.encoding {
        Encoding::Latents(_) => format!("synthesis network of width {}", spec.global_width),
        _ if spec.has_global() => format!("local width {}, global width {}", spec.local_width, spec.global_width),
        _ => format!("width {}", spec.local_width),
    };
    let layers = if spec.hidden_layers == 1 { "layer" } else { "layers" };
    format!("{widths}, {} hidden {layers}", spec.hidden_layers)
}

/// The frequencies of sine layers: `omega 30`, or `omega 30 first, 1 hidden`. `None` of latents, which have none.
pub(super) fn omega_text(spec: &FieldSpec) -> Option<String> {
    match (spec.encoding, spec.first_omega, spec.hidden_omega) {
        (Encoding::Latents(_), ..) => None,
        (_, first, hidden) if first == hidden => Some(format!("omega {first}")),
        (_, first, hidden) => Some(format!("omega {first} first, {hidden} hidden")),
    }
}

/// `picture, 512 x 512, RGB, 8 bit`.
pub(super) fn signal_text(info: &SignalInfo) -> String {
    let depth = match info.format {
        SampleFormat::U8 => "8 bit",
        SampleFormat::U16 => "16 bit",
        SampleFormat::F32 => "float",
    };
    let size = match (info.kind, info.shape.as_slice()) {
        (SignalKind::Picture, [rows, columns]) => format!("{columns} wide, {rows} high"),
        (SignalKind::Video, &[frames, rows, columns]) => {
            let rate = info.rate_hz().unwrap_or(1.0);
            let (seconds, rate) = (f64::from(frames) / rate, (rate * 1000.0).round() / 1000.0);
            format!("{columns} wide, {rows} high, {frames} frames at {rate} per second ({seconds:.2} s)")
        }
        (SignalKind::Sound, &[samples]) => {
            let rate = info.rate_hz().unwrap_or(1.0);
            format!("{:.2} s, {} samples at {rate} Hz", f64::from(samples) / rate, grouped(samples.into()))
        }
        (_, shape) => format!("{} samples", extents(shape)),
    };
    let channels = match (info.kind, info.channels) {
        (SignalKind::Picture | SignalKind::Video, 1) => "grey".to_owned(),
        (SignalKind::Picture | SignalKind::Video, 2) => "grey and opacity".to_owned(),
        (SignalKind::Picture | SignalKind::Video, 3) => "RGB".to_owned(),
        (SignalKind::Picture | SignalKind::Video, 4) => "RGB and opacity".to_owned(),
        (SignalKind::Sound, 1) => "mono".to_owned(),
        (SignalKind::Sound, 2) => "stereo".to_owned(),
        (_, 1) => "1 channel".to_owned(),
        (_, n) => format!("{n} channels"),
    };
    format!("{}, {size}, {channels}, {depth}", name_of(&info.kind))
}

/// The name of a serde enum variant as it stands in JSON.
pub(super) fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Samples that the present partitions own.
pub(super) fn present_samples(grid: &Grid, present: &[u32]) -> u64 {
    present.iter().map(|&p| grid.partition_samples(p)).sum()
}

/// A selector's partitions that the file holds.
pub(super) fn intersect(selected: &[u32], present: &[u32]) -> Vec<u32> {
    present.iter().copied().filter(|p| selected.binary_search(p).is_ok()).collect()
}

/// A caller's mistake with the option that it was made in.
pub(super) fn in_option<T>(option: &str, result: Result<T, Error>) -> Result<T> {
    result.with_context(|| option.to_owned())
}

/// A part of a file and its bytes.
#[derive(Debug, serde::Serialize)]
pub(super) struct LedgerPart {
    pub(super) part: &'static str,
    pub(super) bytes: u64,
}

/// Where the bytes of a file are; the parts add up to it.
pub(super) fn ledger(reader: &Reader<'_>) -> Result<Vec<LedgerPart>> {
    let rows = reader.ledger()?.rows;
    Ok(rows.into_iter().map(|row| LedgerPart { part: row.part, bytes: row.bytes }).collect())
}
