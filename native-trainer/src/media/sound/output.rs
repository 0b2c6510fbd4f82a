//! A view of a field to a sound file: the source's channels, rate and depth.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr as _;
use flacenc::error::Verify as _;
use hound::{WavSpec, WavWriter};
use tessera_core::eval::View;
use tessera_core::field::Field;
use tessera_core::signal::{SampleFormat, SignalInfo};

use crate::decoding::{decode_into, target};
use crate::errors::usage_fault;

/// Channels that a FLAC file can have.
const FLAC_CHANNELS: usize = 8;
/// Samples a second that our encoder of FLAC takes; the format has more.
const FLAC_RATE: u32 = 96_000;
/// Samples of a FLAC block at least, as the encoder has it.
const FLAC_LEAST_BLOCK: usize = 32;

/// A sound format that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundFormat {
    /// Integers of 8 and 16 bits, floats for finer sources; the default.
    Wav,
    /// Lossless and about half the size; finer sources with 24 bits, up to eight channels.
    Flac,
}

impl SoundFormat {
    /// The format of an output path: its extension's, WAV for stdout and for names without one.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Usage`] for an extension that we do not write.
    pub fn of(path: &Path) -> Result<Self> {
        let Some(extension) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else {
            return Ok(Self::Wav);
        };
        match extension.as_str() {
            "wav" | "wave" => Ok(Self::Wav),
            "flac" => Ok(Self::Flac),
            _ => Err(usage_fault(format!(".{extension} is not a sound format that tessera writes; use .wav or .flac"))),
        }
    }
}

/// The samples of a view, interleaved, full scale is 1: clamped to what the source could be, absent partitions silent.
///
/// # Errors
/// The engine's errors.
pub fn render(field: &Field, info: &SignalInfo, view: &View) -> Result<Vec<f32>> {
    let channels = info.channels as usize;
    let amplitude = info.amplitude;
    let mut samples: Vec<f32> = target(view.samples(), channels)?;
    decode_into(field, view, channels, &mut samples, |values, part| {
        for (value, sample) in values.iter().zip(part) {
            *sample = if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) * amplitude };
        }
    })?;
    Ok(samples)
}

/// Samples as the bytes of a file with the channels and the depth of `info`, at `rate` samples a second.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] where the format cannot hold this sound.
pub fn encode_sound(samples: &[f32], info: &SignalInfo, rate: u32, format: SoundFormat) -> Result<Vec<u8>> {
    match format {
        SoundFormat::Wav => wav(samples, info, rate).context("cannot write WAV"),
        SoundFormat::Flac => flac(samples, info, rate),
    }
}

/// A sample as an integer of `bits` bits.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of the bits before the cast")]
fn code(sample: f32, bits: u16) -> i32 {
    let scale = f64::from(1_u32 << (bits - 1));
    (f64::from(sample) * scale).round().clamp(-scale, scale - 1.0) as i32
}

fn wav(samples: &[f32], info: &SignalInfo, rate: u32) -> Result<Vec<u8>> {
    let (bits_per_sample, sample_format) = match info.format {
        SampleFormat::U8 => (8, hound::SampleFormat::Int),
        SampleFormat::U16 => (16, hound::SampleFormat::Int),
        SampleFormat::F32 => (32, hound::SampleFormat::Float),
    };
    let spec = WavSpec { channels: u16::try_from(info.channels)?, sample_rate: rate, bits_per_sample, sample_format };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec)?;
    for &sample in samples {
        match sample_format {
            hound::SampleFormat::Float => writer.write_sample(sample)?,
            hound::SampleFormat::Int => writer.write_sample(code(sample, bits_per_sample))?,
        }
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}

fn flac(samples: &[f32], info: &SignalInfo, rate: u32) -> Result<Vec<u8>> {
    let channels = info.channels as usize;
    if channels > FLAC_CHANNELS {
        return Err(usage_fault(format!("FLAC holds at most {FLAC_CHANNELS} channels, not {channels}: write .wav")));
    }
    if rate > FLAC_RATE {
        return Err(usage_fault(format!(
            "FLAC is written with at most {FLAC_RATE} samples a second, not {rate}: write .wav, or lower it by --scale"
        )));
    }
    let bits: u16 = match info.format {
        SampleFormat::U8 => 8,
        SampleFormat::U16 => 16,
        SampleFormat::F32 => 24,
    };
    let refused = |e: &dyn std::fmt::Display| anyhow!("cannot write FLAC: {e}");
    let codes: Vec<i32> = samples.iter().map(|&sample| code(sample, bits)).collect();
    let config = flacenc::config::Encoder::default().into_verified().map_err(|(_, e)| refused(&e))?;
    let source = flacenc::source::MemSource::from_samples(&codes, channels, bits.into(), rate as usize);
    let block = config.block_size.min((samples.len() / channels).max(FLAC_LEAST_BLOCK));
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, block).map_err(|e| refused(&e))?;
    // The encoder counts the shorter last block, which the format does not; strict readers then expect other frames.
    stream.stream_info_mut().set_block_sizes(block, block).map_err(|e| refused(&e))?;
    let mut sink = ByteSink::new();
    stream.write(&mut sink).map_err(|e| refused(&e))?;
    Ok(sink.as_slice().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sound::read_sound;

    fn wave(values: u32) -> Vec<f32> {
        (0..values).map(|i| 0.9 * (i as f32 * 0.37).sin()).collect()
    }

    /// The integer of a depth that reads back as the sample.
    fn rounded(sample: f32, bits: u16) -> f32 {
        code(sample, bits) as f32 / (1_u32 << (bits - 1)) as f32
    }

    #[test]
    fn what_a_format_holds_comes_back_the_same() {
        for (format, name) in [(SoundFormat::Wav, "a.wav"), (SoundFormat::Flac, "a.flac")] {
            for (depth, bits) in [(SampleFormat::U8, 8), (SampleFormat::U16, 16), (SampleFormat::F32, 24)] {
                for channels in [1, 2, 3, 6, 8] {
                    for samples in [1_u32, 2, 8, 31, 500, 9_001] {
                        let values = wave(samples * channels);
                        let info = SignalInfo::sound(samples, channels, depth, 22_050, 1.0).unwrap();
                        let bytes = encode_sound(&values, &info, 22_050, format).unwrap();
                        let back = read_sound(bytes, Path::new(name)).unwrap().signal;
                        let context = format!("{name} {depth:?} {channels} channels {samples} samples");
                        assert_eq!(
                            (back.info.shape[0], back.info.channels),
                            (info.shape[0], info.channels),
                            "{context}"
                        );
                        assert_eq!((back.info.rate, back.info.format), ((22_050, 1), depth), "{context}");
                        let float = format == SoundFormat::Wav && depth == SampleFormat::F32;
                        for (value, stored) in values.iter().zip(&back.values) {
                            let expected = if float { *value } else { rounded(*value, bits) };
                            assert!((stored * back.info.amplitude - expected).abs() < 1e-6, "{context}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn loud_samples_stay_in_range() {
        assert_eq!((code(2.0, 16), code(-2.0, 16), code(1.0, 8), code(-1.0, 8)), (32_767, -32_768, 127, -128));
        let info = SignalInfo::sound(1, 9, SampleFormat::U8, 8_000, 1.0).unwrap();
        for (channels, rate) in [(9, 8_000), (1, 192_000)] {
            let info = SignalInfo { channels, ..info.clone() };
            let error = encode_sound(&[0.0; 9], &info, rate, SoundFormat::Flac).unwrap_err();
            assert_eq!(crate::errors::exit_code(&error), 2);
        }
        assert!(SoundFormat::of(Path::new("a.mp3")).unwrap_err().to_string().contains("mp3"));
    }
}
