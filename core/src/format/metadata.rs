//! The header: flat fields, written by bincode 2 in its standard configuration.
//!
//! This module is bincode's only user. `docs/format.md` spells the bytes out, so that another reader needs no bincode
//! and this one can be exchanged. Numbers stand for the variants of our own enumerations, because the order of a
//! Rust enumeration is no file format. bincode accepts longer forms of a number than it writes; encoding what was read
//! once more and comparing leaves one legal form.

use bincode::config;
use serde::{Deserialize, Serialize};

use super::document::TrainingRecord;
use super::prelude::{PRELUDE_BYTES, VERSION};
use crate::error::{Error, Unsupported};
use crate::field::latents::Pyramid;
use crate::field::{Activation, Encoding, FieldSpec, Model, check_blend};
use crate::grid::Grid;
use crate::signal::{ColourSpace, Placement, SampleFormat, SignalInfo, SignalKind};

/// More than the longest texts and lists of a header that the limit of the head allows: what bincode may read, and thereby
/// allocate.
const READ_LIMIT: usize = 1 << 22;

const KINDS: [SignalKind; 4] = [SignalKind::Picture, SignalKind::Sound, SignalKind::Video, SignalKind::Shape];
const FORMATS: [SampleFormat; 3] = [SampleFormat::U8, SampleFormat::U16, SampleFormat::F32];
const COLOURS: [ColourSpace; 5] =
    [ColourSpace::None, ColourSpace::Srgb, ColourSpace::Unknown, ColourSpace::Linear, ColourSpace::Distance];
/// Those of encoded networks have numbers of their own, because a reader of an older version must not take them for sine
/// networks on plain coordinates.
const MODELS: [(Model, bool); 6] = [
    (Model::Siren, false),
    (Model::PerPartition, false),
    (Model::LocalGlobal, false),
    (Model::Siren, true),
    (Model::PerPartition, true),
    (Model::Latents, true),
];
const ACTIVATIONS: [Activation; 3] = [Activation::Sine, Activation::Relu, Activation::LeakyRelu];
/// The number of the encoding by latents.
const LATENTS: u8 = 4;
/// The only rule so far for coordinates and for the sizes of partitions (see [`Grid`]).
const GRID_RULE: u8 = 0;

/// The header as a caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metadata {
    pub(super) signal: SignalInfo,
    pub(super) grid: Grid,
    pub(super) spec: FieldSpec,
    pub(super) training: TrainingRecord,
    /// Partitions that never had a network, ascending.
    pub(super) empty: Vec<u32>,
    /// Samples within which borders are blended, per axis; empty for none.
    pub(super) blend: Vec<u32>,
}

/// The header as it is written, field by field.
#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    kind: u8,
    shape: Vec<u32>,
    channels: u32,
    sample_format: u8,
    colour: u8,
    alpha: bool,
    rate_numerator: u32,
    rate_denominator: u32,
    amplitude: f32,
    grid_rule: u8,
    factors: Vec<u32>,
    range_low: f32,
    range_high: f32,
    model: u8,
    hidden_layers: u32,
    local_width: u32,
    global_width: u32,
    first_omega: f32,
    hidden_omega: f32,
    multiply_adds_per_sample: u64,
    program: String,
    preset: String,
    seed: u64,
    steps: u64,
    learning_rate: f64,
    sample_fraction: f64,
    psnr_db: Option<f64>,
    configuration: String,
}

/// What version 1.1 appends. A file without any of it and of later versions' fields is of version 1.0.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Appended {
    placement: Option<([f64; 3], f64)>,
    /// Runs of empty partitions: how many others come before each, and its length.
    empty: Vec<(u32, u32)>,
}

/// What version 1.2 appends for blending. A file without any of it and of an encoding is of a lower version.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct AppendedBlend {
    blend: Vec<u32>,
}

/// What version 1.2 appends for networks that are more than sine layers on plain coordinates.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct AppendedEncoding {
    encoded: Option<EncodedWire>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EncodedWire {
    encoding: u8,
    scale: f32,
    frequencies: u32,
    seed: u64,
    activation: u8,
}

impl EncodedWire {
    fn of(spec: &FieldSpec) -> Option<Self> {
        let (encoding, scale, frequencies, seed) = match spec.encoding {
            Encoding::Mlp => (0, 0.0, 0, 0),
            Encoding::Nerf { scale, frequencies } => (1, scale, frequencies, 0),
            Encoding::Positional { scale, frequencies } => (2, scale, frequencies, 0),
            Encoding::Gauss { scale, frequencies, seed } => (3, scale, frequencies, seed),
            Encoding::Latents(pyramid) => (LATENTS, 0.0, pyramid.levels, pyramid.finest.into()),
        };
        let activation = code(&ACTIVATIONS, &spec.activation);
        spec.is_encoded().then_some(Self { encoding, scale, frequencies, seed, activation })
    }

    /// Encoding and activation; numbers that an encoding does not have are zero.
    fn read(&self, grid: &Grid) -> Result<(Encoding, Activation), Error> {
        let Self { encoding, scale, frequencies, seed, activation } = *self;
        let activation = value(&ACTIVATIONS, activation, "activation")?;
        let encoding = match encoding {
            0 => Encoding::Mlp,
            1 => Encoding::Nerf { scale, frequencies },
            2 => Encoding::Positional { scale, frequencies },
            3 => Encoding::Gauss { scale, frequencies, seed },
            LATENTS => {
                let finest = u32::try_from(seed).unwrap_or(u32::MAX);
                Encoding::Latents(Pyramid::new(grid, frequencies, finest).map_err(in_file)?)
            }
            other => return Err(unsupported("encoding", other)),
        };
        let seeded = matches!(encoding, Encoding::Gauss { .. } | Encoding::Latents(_));
        let scaled = !matches!(encoding, Encoding::Mlp | Encoding::Latents(_));
        let unused = (seed != 0 && !seeded) || (scale.to_bits() != 0 && !scaled);
        if unused || (encoding == Encoding::Mlp && frequencies != 0) {
            return Err(malformed(format!("the encoding {} has a number that it does not use", encoding.name())));
        }
        Ok((encoding, activation))
    }
}

fn code<T: PartialEq>(table: &[T], value: &T) -> u8 {
    table.iter().zip(0_u8..).find(|(entry, _)| *entry == value).map_or(u8::MAX, |(_, code)| code)
}

fn value<T: Copy>(table: &[T], code: u8, what: &str) -> Result<T, Error> {
    table.get(usize::from(code)).copied().ok_or_else(|| unsupported(what, code))
}

fn unsupported(what: &str, code: u8) -> Error {
    Unsupported { feature: format!("{what} {code}"), advice: "get a newer Tessera".to_owned() }.into()
}

fn malformed(reason: impl Into<String>) -> Error {
    Error::malformed("header", PRELUDE_BYTES, reason)
}

/// What a contradiction is called depends on who made it: in a file it is damage.
fn in_file(error: Error) -> Error {
    match error {
        Error::Parameter(reason) => malformed(reason),
        other => other,
    }
}

impl Metadata {
    /// The header, and the minor version that it takes.
    pub(super) fn to_bytes(&self) -> Result<(Vec<u8>, u16), Error> {
        let Self { signal, grid, spec, training, empty, blend } = self;
        let [range_low, range_high] = grid.range();
        let mut bytes = encode(&Wire {
            kind: code(&KINDS, &signal.kind),
            shape: signal.shape.clone(),
            channels: signal.channels,
            sample_format: code(&FORMATS, &signal.format),
            colour: code(&COLOURS, &signal.colour),
            alpha: signal.alpha,
            rate_numerator: signal.rate.0,
            rate_denominator: signal.rate.1,
            amplitude: signal.amplitude,
            grid_rule: GRID_RULE,
            factors: grid.factors().to_vec(),
            range_low,
            range_high,
            model: code(&MODELS, &(spec.model, spec.is_encoded())),
            hidden_layers: spec.hidden_layers,
            local_width: spec.local_width,
            global_width: spec.global_width,
            first_omega: spec.first_omega,
            hidden_omega: spec.hidden_omega,
            multiply_adds_per_sample: spec.multiply_adds_per_sample(),
            program: training.program.clone(),
            preset: training.preset.clone(),
            seed: training.seed,
            steps: training.steps,
            learning_rate: training.learning_rate,
            sample_fraction: training.sample_fraction,
            psnr_db: training.psnr_db,
            configuration: training.configuration.clone(),
        })?;
        let appended = Appended { placement: signal.placement.map(|p| (p.origin, p.spacing)), empty: runs(empty) };
        let blending = AppendedBlend { blend: blend.clone() };
        let encoding = AppendedEncoding { encoded: EncodedWire::of(spec) };
        let minor = lowest_minor(&appended, &blending, &encoding);
        if minor >= 1 {
            bytes.extend(encode(&appended)?);
        }
        if minor >= 2 {
            bytes.extend(encode(&blending)?);
            bytes.extend(encode(&encoding)?);
        }
        Ok((bytes, minor))
    }

    /// Reads the header of a file of minor version `minor`. A newer minor version may append fields, which are left
    /// alone; up to our own version every byte counts.
    pub(super) fn parse(bytes: &[u8], minor: u16) -> Result<Self, Error> {
        let (wire, rest): (Wire, &[u8]) = decode(bytes)?;
        let (appended, rest): (Appended, &[u8]) = if minor == 0 { (Appended::default(), rest) } else { decode(rest)? };
        let (blending, rest): (AppendedBlend, &[u8]) =
            if minor < 2 { (AppendedBlend::default(), rest) } else { decode(rest)? };
        let (encoding, rest): (AppendedEncoding, &[u8]) =
            if minor < 2 { (AppendedEncoding::default(), rest) } else { decode(rest)? };
        if minor <= VERSION.1 && !rest.is_empty() {
            return Err(malformed(format!("{} bytes follow its last field", rest.len())));
        }
        let lowest = lowest_minor(&appended, &blending, &encoding);
        if minor <= VERSION.1 && minor != lowest {
            return Err(malformed(format!("what it appends belongs to version 1.{lowest}, not 1.{minor}")));
        }
        let (model, encoded) = value(&MODELS, wire.model, "model")?;
        let signal = SignalInfo {
            kind: value(&KINDS, wire.kind, "signal kind")?,
            shape: wire.shape,
            channels: wire.channels,
            format: value(&FORMATS, wire.sample_format, "sample format")?,
            colour: value(&COLOURS, wire.colour, "colour space")?,
            alpha: wire.alpha,
            rate: (wire.rate_numerator, wire.rate_denominator),
            amplitude: wire.amplitude,
            placement: appended.placement.map(|(origin, spacing)| Placement { origin, spacing }),
        };
        signal.validate().map_err(in_file)?;
        if wire.grid_rule != GRID_RULE {
            return Err(unsupported("grid rule", wire.grid_rule));
        }
        let grid = Grid::new(signal.shape.clone(), wire.factors, [wire.range_low, wire.range_high]).map_err(in_file)?;
        let (encoding, activation) = match &encoding.encoded {
            Some(encoded) => encoded.read(&grid)?,
            None => (Encoding::Mlp, Activation::Sine),
        };
        let spec = FieldSpec {
            model,
            inputs: u32::try_from(signal.axes()).unwrap_or(u32::MAX),
            outputs: signal.channels,
            hidden_layers: wire.hidden_layers,
            local_width: wire.local_width,
            global_width: wire.global_width,
            first_omega: wire.first_omega,
            hidden_omega: wire.hidden_omega,
            encoding,
            activation,
        };
        if spec.is_encoded() != encoded {
            return Err(malformed("the number of its model and its encoding contradict each other"));
        }
        spec.validate_on(&grid).map_err(in_file)?;
        if spec.multiply_adds_per_sample() != wire.multiply_adds_per_sample {
            return Err(malformed(format!(
                "it promises {} multiply-adds per sample, the network takes {}",
                wire.multiply_adds_per_sample,
                spec.multiply_adds_per_sample()
            )));
        }
        let training = TrainingRecord {
            program: wire.program,
            preset: wire.preset,
            seed: wire.seed,
            steps: wire.steps,
            learning_rate: wire.learning_rate,
            sample_fraction: wire.sample_fraction,
            psnr_db: wire.psnr_db,
            configuration: wire.configuration,
        };
        training.validate().map_err(in_file)?;
        let empty = partitions(&appended.empty, &grid)?;
        if !empty.is_empty() && signal.kind != SignalKind::Shape {
            return Err(malformed("only shapes have empty partitions"));
        }
        check_blend(&blending.blend, &grid).map_err(in_file)?;
        Ok(Self { signal, grid, spec, training, empty, blend: blending.blend })
    }
}

/// The lowest minor version that has fields for what is appended.
fn lowest_minor(appended: &Appended, blending: &AppendedBlend, encoding: &AppendedEncoding) -> u16 {
    if encoding.encoded.as_ref().is_some_and(|encoded| encoded.encoding == LATENTS) {
        3
    } else if (blending, encoding) != (&AppendedBlend::default(), &AppendedEncoding::default()) {
        2
    } else {
        u16::from(*appended != Appended::default())
    }
}

/// Ascending numbers as runs.
fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let mut end = 0_u32;
    for &number in numbers {
        match runs.last_mut() {
            Some((_, length)) if number == end => *length = length.saturating_add(1),
            _ => runs.push((number.saturating_sub(end), 1)),
        }
        end = number.saturating_add(1);
    }
    runs
}

fn partitions(runs: &[(u32, u32)], grid: &Grid) -> Result<Vec<u32>, Error> {
    let mut partitions = Vec::new();
    let mut end = 0_u32;
    for (place, &(gap, length)) in runs.iter().enumerate() {
        if length == 0 || (gap == 0 && place > 0) {
            return Err(malformed("a run of empty partitions is itself empty or touches the one before"));
        }
        let start = end.saturating_add(gap);
        end = start.saturating_add(length);
        if end > grid.partitions() {
            return Err(malformed("a run of empty partitions leaves the grid"));
        }
        partitions.extend(start..end);
    }
    Ok(partitions)
}

/// Fields from the start of `bytes` in their one legal form, and what follows them.
fn decode<T: Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), Error> {
    let config = config::standard().with_limit::<READ_LIMIT>();
    let (fields, consumed): (T, usize) = bincode::serde::decode_from_slice(bytes, config)
        .map_err(|error| malformed(format!("its fields cannot be read ({error})")))?;
    match bytes.split_at_checked(consumed) {
        Some((own, rest)) if own == encode(&fields)?.as_slice() => Ok((fields, rest)),
        _ => Err(malformed("a field is not in its shortest form")),
    }
}

fn encode(wire: &impl Serialize) -> Result<Vec<u8>, Error> {
    bincode::serde::encode_to_vec(wire, config::standard())
        .map_err(|error| Error::parameter(format!("the header cannot be written ({error})")))
}
