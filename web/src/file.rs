//! The file class of the CPU module: parse, describe, select, crop, decode.

use serde::Serialize;
use tessera_core::eval::{View, cpu};
use tessera_core::field::{self, FieldSpec, Model};
use tessera_core::format::{self, Document, Reader, TrainingRecord};
use tessera_core::grid::{Grid, UNIT_RANGE};
use tessera_core::selection::{Selector, Snap};
use tessera_core::signal::{ColourSpace, SampleFormat, SignalInfo, SignalKind, to_rgba8};
use tessera_core::{Error, metrics};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::failure::failure;
use crate::{picture, values};

/// What the page is told about a file; mirrors `FileInfo` in the type declarations below.
#[derive(Debug, Serialize)]
struct FileInfo<'a> {
    kind: SignalKind,
    shape: &'a [u32],
    channels: u32,
    rate: [u32; 2],
    amplitude: f32,
    format: SampleFormat,
    colour: ColourSpace,
    alpha: bool,
    partitions_shape: &'a [u32],
    partitions: u32,
    present: usize,
    empty: usize,
    blend: &'a [u32],
    model: Model,
    local_width: u32,
    global_width: u32,
    hidden_layers: u32,
    first_omega: f32,
    hidden_omega: f32,
    parameters: u64,
    macs_per_sample: u64,
    coding: &'static str,
    bytes: u64,
    head_bytes: u64,
    shared_bytes: u64,
    local_bytes: u64,
    bits_per_sample: f64,
    file_id: String,
    version: String,
    bounds: Vec<[u32; 2]>,
    placement: Option<Place>,
    training: Training<'a>,
}

/// Where the samples of a shape lie in the coordinates of its source.
#[derive(Debug, Serialize)]
struct Place {
    origin: [f64; 3],
    spacing: f64,
}

/// How a field was trained; the seed as text, because 64 bits do not fit into a JavaScript number.
#[derive(Debug, Serialize)]
struct Training<'a> {
    program: &'a str,
    preset: &'a str,
    seed: String,
    steps: f64,
    learning_rate: f64,
    sample_fraction: f64,
    psnr_db: Option<f64>,
    configuration: &'a str,
}

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a file is; sizes in bytes, coordinates in samples of the original canvas. */
export interface FileInfo {
  kind: "picture" | "sound" | "video" | "shape";
  shape: number[];
  channels: number;
  /** Samples (sound) or frames (video) per second as a fraction; 0/1 where time plays no part. */
  rate: [number, number];
  /** A decoded value of 1 stands for this amplitude in the source. */
  amplitude: number;
  format: "u8" | "u16" | "f32";
  colour: "none" | "srgb" | "unknown" | "linear" | "distance";
  alpha: boolean;
  /** Partitions along each axis. */
  partitions_shape: number[];
  partitions: number;
  /** How many of them the file holds. */
  present: number;
  /** How many never had a network, because there is nothing in them; only shapes have such. */
  empty: number;
  /** Samples around borders within which neighbours are blended, along each axis; none where it has no numbers. */
  blend: number[];
  model: "siren" | "per-partition" | "local-global" | "latents";
  local_width: number;
  global_width: number;
  hidden_layers: number;
  first_omega: number;
  hidden_omega: number;
  /** Weights and biases in the file. */
  parameters: number;
  macs_per_sample: number;
  coding: string;
  bytes: number;
  head_bytes: number;
  shared_bytes: number;
  local_bytes: number;
  /** Bits of the file per sample of its present partitions. */
  bits_per_sample: number;
  file_id: string;
  version: string;
  /** Bounding box of what is present: start and end along each axis. */
  bounds: [number, number][];
  /** Where the first sample of a shape lies in the coordinates of its source, and how far apart samples are. */
  placement: { origin: [number, number, number]; spacing: number } | null;
  training: {
    program: string;
    preset: string;
    /** In decimal: 64 bits do not fit into a number. */
    seed: string;
    steps: number;
    learning_rate: number;
    sample_fraction: number;
    psnr_db: number | null;
    configuration: string;
  };
}

/** What `compare` finds; `psnr_db` is infinite for equal pictures. */
export interface Comparison {
  psnr_db: number;
  ssim: number;
  mse: number;
}

/** Properties of every error that this module throws. */
export interface TesseraError extends Error {
  kind: "malformed" | "unsupported" | "parameter" | "limit" | "device";
  part?: string;
  offset?: number;
}
"#;

/// Decodes a few samples of a made-up field of the usual widths. Browsers run new code slowly until its first runs have
/// shown that optimising it pays, and then optimise in the background: with this, while a file is still on its way.
#[wasm_bindgen]
pub fn warm_up() {
    let decode = || -> Result<Vec<f32>, Error> {
        let grid = Grid::new(vec![16, 16], vec![2, 2], UNIT_RANGE)?;
        cpu::decode(&field::initialise(&FieldSpec::local_global(2, 3, 14, 84), &grid, 0)?, &View::full(&grid))
    };
    // Nothing hangs on it, and a fault would show itself with the first file.
    let _ = decode();
}

/// A file whose every byte was checked.
#[wasm_bindgen]
#[derive(Debug)]
pub struct TesseraFile {
    bytes: Vec<u8>,
    document: Document,
}

#[wasm_bindgen]
impl TesseraFile {
    /// Parses `bytes` and verifies all of them.
    ///
    /// # Errors
    /// An `Error` with `kind` and, for damage, the `part` and its `offset`.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: Vec<u8>) -> Result<Self, JsValue> {
        let document = Reader::open(&bytes).and_then(|reader| reader.verified()).map_err(thrown)?;
        Ok(Self { bytes, document })
    }

    /// Everything that the information panel shows.
    ///
    /// # Errors
    /// As the constructor, which has seen the same bytes.
    #[wasm_bindgen(unchecked_return_type = "FileInfo")]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let reader = self.reader()?;
        let (signal, grid, spec) = (reader.signal(), reader.grid(), reader.spec());
        let chunks = reader.chunks();
        let shared_bytes = chunks.iter().filter(|c| c.partition.is_none()).map(|c| c.bytes).sum();
        let local_bytes = chunks.iter().filter(|c| c.partition.is_some()).map(|c| c.bytes).sum();
        let samples = reader.present().iter().map(|&p| grid.partition_samples(p)).sum();
        let (major, minor) = reader.version();
        let bounds = grid.bounding_box(reader.present().iter().copied()).unwrap_or_default();
        let info = FileInfo {
            kind: signal.kind,
            shape: &signal.shape,
            channels: signal.channels,
            rate: [signal.rate.0, signal.rate.1],
            amplitude: signal.amplitude,
            format: signal.format,
            colour: signal.colour,
            alpha: signal.alpha,
            partitions_shape: grid.factors(),
            partitions: grid.partitions(),
            present: reader.present().len(),
            empty: reader.empty().len(),
            blend: reader.blend(),
            model: spec.model,
            local_width: spec.local_width,
            global_width: spec.global_width,
            hidden_layers: spec.hidden_layers,
            first_omega: spec.first_omega,
            hidden_omega: spec.hidden_omega,
            parameters: reader.parameters(),
            macs_per_sample: spec.multiply_adds_per_sample(),
            coding: reader.coding().name(),
            bytes: reader.file_bytes(),
            head_bytes: reader.head_bytes(),
            shared_bytes,
            local_bytes,
            bits_per_sample: metrics::bits_per_sample(reader.file_bytes(), samples),
            file_id: reader.file_id().to_string(),
            version: format!("{major}.{minor}"),
            bounds: bounds.iter().map(|r| [r.start, r.end]).collect(),
            placement: signal.placement.map(|p| Place { origin: p.origin, spacing: p.spacing }),
            training: training(reader.training()),
        };
        to_object(&info)
    }

    /// Partitions that are present, ascending.
    pub fn present(&self) -> Vec<u32> {
        self.document.field.present().to_vec()
    }

    /// Bytes of each present partition's chunk, in the order of [`TesseraFile::present`].
    ///
    /// # Errors
    /// As [`TesseraFile::info`].
    #[expect(clippy::cast_possible_truncation, reason = "a file in a browser is below 4 GiB, its chunks are smaller")]
    pub fn chunk_bytes(&self) -> Result<Vec<u32>, JsValue> {
        let chunks = self.reader()?.chunks();
        Ok(chunks.iter().filter(|c| c.partition.is_some()).map(|c| c.bytes as u32).collect())
    }

    /// Start and end along each axis, in samples, of every partition of the grid, present or not: for a picture row
    /// start, row end, column start, column end.
    pub fn partition_boxes(&self) -> Vec<u32> {
        let grid = self.document.field.grid();
        (0..grid.partitions()).flat_map(|p| grid.partition_box(p).into_iter().flat_map(|r| [r.start, r.end])).collect()
    }

    /// The partitions that `selector` names (in the grammar of the command line), ascending, present or not. `snap` is
    /// 'outer' (partitions that the selection touches) or 'inner' (those that it covers).
    ///
    /// # Errors
    /// Where the selector cannot be read or does not fit the signal.
    pub fn select(&self, selector: &str, snap: &str) -> Result<Vec<u32>, JsValue> {
        partitions(selector, snap, &self.document.signal, self.document.field.grid())
    }

    /// A checksum of all weights (`Field::checksum` in the library): equal where they are equal to the bit.
    pub fn weights_checksum(&self) -> u32 {
        self.document.field.checksum()
    }

    /// The exact size in bytes of [`TesseraFile::crop`] to `parts`; 0 where nothing would be kept.
    ///
    /// # Errors
    /// As [`TesseraFile::info`].
    #[expect(clippy::cast_precision_loss, reason = "files in a browser are far below 2^53 bytes")]
    pub fn cropped_bytes(&self, parts: &[u32]) -> Result<f64, JsValue> {
        Ok(self.reader()?.cropped_bytes(parts) as f64)
    }

    /// A file with only `parts` (those that are present): their chunks byte for byte.
    ///
    /// # Errors
    /// Where nothing would be left.
    pub fn crop(&self, parts: &[u32]) -> Result<Vec<u8>, JsValue> {
        format::crop(&self.bytes, parts).map_err(thrown)
    }

    /// The picture between two rows and two columns (in sample-edge units of the original canvas: the whole picture
    /// is 0 to its rows, 0 to its columns) at `rows` x `columns` samples, as straight RGBA code values. Absent
    /// partitions are transparent; with `nearest`, every position snaps to its stored sample. Of a video it is the
    /// picture at `frame`, counted from 0; a picture has only one.
    ///
    /// # Errors
    /// Where the file holds neither a picture nor a video, the view is empty, or too large.
    #[expect(clippy::too_many_arguments, reason = "plain numbers cross the border to JavaScript without an object")]
    pub fn decode(
        &self,
        row0: f64,
        row1: f64,
        col0: f64,
        col1: f64,
        rows: u32,
        columns: u32,
        nearest: bool,
        frame: f64,
    ) -> Result<Vec<u8>, JsValue> {
        let signal = &self.document.signal;
        let view = picture::view(signal, [row0..row1, col0..col1], rows, columns, nearest, frame).map_err(thrown)?;
        let values = cpu::decode(&self.document.field, &view).map_err(thrown)?;
        Ok(to_rgba8(&values, signal.channels as usize, signal.alpha))
    }

    /// The values of a signal of any kind between `edges` (start and end along each axis, in sample-edge units) at
    /// `shape` samples: `[samples * channels]`, not a number where a partition is absent. With `nearest`, every position
    /// snaps to its stored sample.
    ///
    /// # Errors
    /// Where edges and shape do not fit the signal, the view is empty, or too large.
    pub fn decode_values(&self, edges: &[f64], shape: &[u32], nearest: bool) -> Result<Vec<f32>, JsValue> {
        let view = values::view(edges, shape, nearest).map_err(thrown)?;
        cpu::decode(&self.document.field, &view).map_err(thrown)
    }
}

impl TesseraFile {
    /// What the file holds, without its samples.
    pub(crate) fn signal(&self) -> &SignalInfo {
        &self.document.signal
    }

    /// Opening reads the head alone, so it is done again instead of keeping a borrow of `bytes`.
    fn reader(&self) -> Result<Reader<'_>, JsValue> {
        Reader::open(&self.bytes).map_err(thrown)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no training makes 2^53 steps")]
fn training(record: &TrainingRecord) -> Training<'_> {
    Training {
        program: &record.program,
        preset: &record.preset,
        seed: record.seed.to_string(),
        steps: record.steps as f64,
        learning_rate: record.learning_rate,
        sample_fraction: record.sample_fraction,
        psnr_db: record.psnr_db,
        configuration: &record.configuration,
    }
}

/// PSNR in dB, SSIM and mean squared error (peak 1) of two RGBA pictures of `rows` x `columns`. Where both are opaque,
/// opacity takes no part; otherwise colours count as much as they are seen (premultiplied), and opacity as a fourth
/// channel.
///
/// # Errors
/// Where the sizes do not fit.
#[wasm_bindgen(unchecked_return_type = "Comparison")]
pub fn compare(a: &[u8], b: &[u8], rows: u32, columns: u32) -> Result<JsValue, JsValue> {
    to_object(&comparison(a, b, rows as usize, columns as usize).map_err(thrown)?)
}

/// See [`compare`].
#[derive(Debug, Serialize)]
struct Comparison {
    psnr_db: f64,
    ssim: f64,
    mse: f64,
}

fn comparison(a: &[u8], b: &[u8], rows: usize, columns: usize) -> Result<Comparison, Error> {
    let bytes = rows.checked_mul(columns).and_then(|n| n.checked_mul(4));
    if bytes != Some(a.len()) || a.len() != b.len() {
        return Err(Error::parameter(format!(
            "two pictures of {rows} x {columns} RGBA samples cannot have {} and {} bytes",
            a.len(),
            b.len()
        )));
    }
    let opaque = |rgba: &[u8]| rgba.chunks_exact(4).all(|p| p[3] == u8::MAX);
    let channels = if opaque(a) && opaque(b) { 3 } else { 4 };
    let (a, b) = (unit(a, channels), unit(b, channels));
    let mse = metrics::mse(&a, &b)?;
    Ok(Comparison { psnr_db: metrics::psnr_of_mse(mse), ssim: metrics::ssim(&a, &b, rows, columns, channels)?, mse })
}

/// RGBA code values as premultiplied values in [0, 1], the first `channels` of them.
fn unit(rgba: &[u8], channels: usize) -> Vec<f32> {
    rgba.chunks_exact(4)
        .flat_map(|p| {
            let opacity = f32::from(p[3]) / 255.0;
            (0..channels).map(move |c| if c == 3 { opacity } else { f32::from(p[c]) / 255.0 * opacity })
        })
        .collect()
}

fn to_object(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|error| js_sys::Error::new(&error.to_string()).into())
}

/// See [`TesseraFile::select`].
pub(crate) fn partitions(selector: &str, snap: &str, signal: &SignalInfo, grid: &Grid) -> Result<Vec<u32>, JsValue> {
    let snap = match snap {
        "outer" => Snap::Outer,
        "inner" => Snap::Inner,
        other => return Err(thrown(Error::parameter(format!("snap is 'outer' or 'inner', not '{other}'")))),
    };
    let selector: Selector = selector.parse().map_err(thrown)?;
    selector.partitions(signal, grid, snap).map_err(thrown)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn thrown(error: Error) -> JsValue {
    failure(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pictures_compare_as_equal() {
        let a = [10, 20, 30, 255].repeat(12 * 13);
        let same = comparison(&a, &a, 12, 13).unwrap();
        assert_eq!((same.mse, same.psnr_db), (0.0, f64::INFINITY));
        assert!((same.ssim - 1.0).abs() < 1e-12);
    }

    #[test]
    fn colours_under_full_transparency_do_not_count() {
        let a = [10, 20, 30, 0].repeat(4);
        let b = [90, 80, 70, 0].repeat(4);
        assert_eq!(comparison(&a, &b, 2, 2).unwrap().mse, 0.0);
        let c = [90, 80, 70, 255].repeat(4);
        assert!(comparison(&a, &c, 2, 2).unwrap().mse > 0.25);
    }

    #[test]
    fn one_code_value_in_every_colour_is_48_decibels() {
        let a = [10, 20, 30, 255].repeat(4);
        let b = [11, 21, 31, 255].repeat(4);
        assert!((comparison(&a, &b, 2, 2).unwrap().psnr_db - 48.130_8).abs() < 1e-3);
    }

    #[test]
    fn sizes_must_fit() {
        assert!(comparison(&[0; 16], &[0; 16], 2, 3).is_err());
        assert!(comparison(&[0; 16], &[0; 12], 2, 2).is_err());
    }
}
