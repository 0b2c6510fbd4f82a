//! Sounds to signals and back.
//!
//! What a field stores: the source's own channels (the published code averages them), divided by the largest magnitude
//! of all channels as published, which the file remembers as the amplitude. Integers of 8 and 16 bits come back as
//! such; what is finer is written as floats in WAV and as 24 bits in FLAC. Lossy sources count as 16 bits: their
//! decoders compute in floats, but no digit beyond that is the recording's.

mod input;
mod output;

pub use input::{is_sound, read_sound};
pub use output::{SoundFormat, encode_sound, render};
