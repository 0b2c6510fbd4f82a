//! The limits of format version 1. They are part of `docs/format.md`: a file beyond them is invalid, and they are
//! checked before anything is allocated or computed.

/// Bytes of prelude, header and index together.
pub const HEAD_BYTES: u64 = 1 << 20;
/// Bytes of a name in the header (UTF-8).
pub const NAME_BYTES: u64 = 256;
/// Bytes of the configuration text in the header (UTF-8).
pub const TEXT_BYTES: u64 = 1 << 16;
/// Samples along one axis.
pub const AXIS_SAMPLES: u64 = 1 << 24;
/// Samples of the whole canvas, all axes multiplied.
pub const CANVAS_SAMPLES: u64 = 1 << 40;
/// Axes of a signal, that is inputs of a network.
pub const AXES: u64 = 4;
/// Channels of a signal, that is outputs of a network.
pub const CHANNELS: u64 = 16;
/// Partitions of a grid.
pub const PARTITIONS: u64 = 1 << 20;
/// Width of the local or the global network.
pub const WIDTH: u64 = 4096;
/// Hidden layers.
pub const HIDDEN_LAYERS: u64 = 16;
/// Parameters of all networks of a field.
pub const PARAMETERS: u64 = 1 << 30;
/// Multiply-adds for one sample.
pub const MULTIPLY_ADDS_PER_SAMPLE: u64 = 1 << 24;
/// The factor omega inside the sines.
pub const OMEGA: f32 = 10_000.0;
/// Inputs of the first layers, after the encoding of the coordinates.
pub const ENCODED_INPUTS: u64 = 4096;
/// Levels of a pyramid of latents, and the finest of them.
pub const LATENT_LEVELS: u64 = 16;
/// Scale of an encoding.
pub const ENCODING_SCALE: f32 = 4096.0;
/// Highest frequency of an encoding whose frequencies are powers of the scale, in turns per unit of the coordinate.
pub const ENCODING_TURNS: f64 = 65_536.0;
/// Magnitude of a weight or bias.
pub const WEIGHT: f32 = 1e6;
/// Magnitude of a coordinate, so that omega times coordinate stays exact enough for the range reduction.
pub const COORDINATE: f32 = 10_000.0;
/// Samples that one call of a decoder will write (16 GiB of RGBA floats is beyond any front end).
pub const DECODE_SAMPLES: u64 = 1 << 30;
