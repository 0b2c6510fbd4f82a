//! Small sounds of every kind.

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

/// A wave of full scale 1, interleaved: each channel a chord of its own that swells and fades.
pub fn wave(samples: usize, channels: usize) -> Vec<f32> {
    let value = |i: usize, channel: usize| {
        let (t, pitch) = (i as f32, 0.02 * (1.0 + channel as f32));
        0.7 * (0.3 + 0.7 * (t * 0.001).sin().abs()) * ((t * pitch).sin() + 0.3 * (t * pitch * 2.9).sin()) / 1.3
    };
    (0..samples).flat_map(|i| (0..channels).map(move |channel| value(i, channel))).collect()
}

/// A WAV file of integers of 8, 16, 24 or 32 bits, or of floats where `bits` is 0.
///
/// # Panics
/// For another number of bits.
#[expect(clippy::cast_possible_truncation, reason = "samples below full scale fit their bits")]
pub fn wav(values: &[f32], channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let float = bits == 0;
    let spec = WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: if float { 32 } else { bits },
        sample_format: if float { SampleFormat::Float } else { SampleFormat::Int },
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for &value in values {
        if float {
            writer.write_sample(value).unwrap();
        } else {
            let scale = f64::from(1_u32 << (bits - 1)) - 1.0;
            writer.write_sample((f64::from(value) * scale).round() as i32).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}
