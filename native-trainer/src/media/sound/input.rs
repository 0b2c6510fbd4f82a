//! A sound file to a signal.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use symphonia::core::audio::GenericAudioBufferRef as Decoded;
use symphonia::core::codecs::audio::{AudioDecoderOptions, well_known};
use symphonia::core::errors::Error as SoundError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use tessera_core::limits;
use tessera_core::signal::{SampleFormat, Signal, SignalInfo};

use crate::errors::{Fault, input_fault};
use crate::media::Source;
use crate::output::shown;

/// Extensions of files without a signature of their own, or with one that other kinds share.
const EXTENSIONS: [&str; 13] =
    ["wav", "wave", "flac", "ogg", "oga", "mp3", "aac", "adts", "m4a", "m4b", "aif", "aiff", "aifc"];

/// The amplitude of a sound without any: below the steps of 24 bits.
const SILENCE: f32 = 1.0 / (1 << 25) as f32;

/// Whether the bytes begin as a sound does, or the extension says so.
pub fn is_sound(bytes: &[u8], path: &Path) -> bool {
    let at = |start: usize, word: &[u8]| bytes.get(start..).is_some_and(|rest| rest.starts_with(word));
    // Eleven set bits begin a frame of MPEG audio or ADTS; no other format that we read begins so.
    let frame = matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0);
    let signature = frame
        || ((at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE"))
        || (at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")))
        || [&b"fLaC"[..], b"OggS", b"ID3"].iter().any(|word| at(0, word))
        || (at(4, b"ftyp") && (at(8, b"M4A") || at(8, b"M4B")));
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    signature || extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Reads a sound of any format that is built in: WAV, AIFF, FLAC, OGG Vorbis, MP3, AAC and ALAC (bare or in MP4). `path`
/// is for messages.
///
/// # Errors
/// [`Fault::Input`] for what is no readable sound, [`Fault::Limit`] for one that is longer or has more channels than
/// a file can hold.
pub fn read_sound(bytes: Vec<u8>, path: &Path) -> Result<Source> {
    let name = shown(path);
    let refused = |e: SoundError| refused(&name, &e);
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(refused)?;
    let recording = decode(reader.as_mut(), &name)?;
    let mut notes = Vec::new();
    if recording.damaged > 0 {
        notes.push(format!("damaged parts of it are left out ({} in all)", recording.damaged));
    }
    if recording.is_aac {
        // symphonia does not apply the edit list that says how much.
        notes.push("what its AAC encoder put before the first sample, often 1,024 samples, is kept".to_owned());
    }
    if recording.ends_early {
        let samples = recording.values.len() / recording.channels.max(1);
        notes.push(format!("it ends before its header says so: the {samples} samples that are there are taken"));
    }
    if recording.tracks > 1 {
        notes.push(format!("the first of its {} sound tracks is taken", recording.tracks));
    }
    Ok(Source { signal: to_signal(recording, &name)?, notes })
}

fn refused(name: &str, error: &SoundError) -> anyhow::Error {
    let help = if matches!(error, SoundError::Unsupported(_)) {
        "; `ffmpeg -i FILE sound.wav` may make one that can be read"
    } else {
        ""
    };
    input_fault(format!("cannot read {name} as a sound: {error}{help}"))
}

/// A decoded sound.
#[derive(Debug, Default)]
struct Recording {
    /// Interleaved, full scale is 1.
    values: Vec<f32>,
    channels: usize,
    rate: u32,
    /// Bits of a sample; 0 before the first packet.
    bits: u32,
    damaged: usize,
    /// Its header promises more, as that of a cut file or of a stream does.
    ends_early: bool,
    is_aac: bool,
    tracks: usize,
}

fn decode(reader: &mut dyn FormatReader, name: &str) -> Result<Recording> {
    let unfit = |reason: &str| input_fault(format!("cannot read {name} as a sound: {reason}"));
    let is_audio = |t: &&symphonia::core::formats::Track| t.track_type() == Some(TrackType::Audio);
    let tracks = reader.tracks().iter().filter(is_audio).count();
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| unfit("it has no sound"))?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
    let parameters = parameters.ok_or_else(|| unfit("its coding is not known"))?;
    let lossy =
        [well_known::CODEC_ID_MP3, well_known::CODEC_ID_AAC, well_known::CODEC_ID_VORBIS].contains(&parameters.codec);
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|e| refused(name, &e))?;
    let stated_bits = parameters.bits_per_sample;
    let is_aac = parameters.codec == well_known::CODEC_ID_AAC;
    let is_alac = parameters.codec == well_known::CODEC_ID_ALAC;
    let mut recording = Recording { tracks, is_aac, ..Recording::default() };
    let mut piece: Vec<f32> = Vec::new();
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(SoundError::ResetRequired) => return Err(unfit("it changes its coding on the way")),
            // A file that was cut off holds what came before.
            Err(SoundError::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                recording.ends_early = true;
                break;
            }
            Err(e) => return Err(refused(name, &e)),
        };
        if packet.track_id != id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(decoded) => {
                let (channels, rate) = (decoded.spec().channels().count(), decoded.spec().rate());
                if recording.channels == 0 {
                    (recording.channels, recording.rate) = (channels, rate);
                    recording.bits = if lossy { 16 } else { stated_bits.unwrap_or_else(|| bits(&decoded)) };
                } else if (recording.channels, recording.rate) != (channels, rate) {
                    return Err(unfit("it changes its channels or its rate on the way"));
                }
                decoded.copy_to_vec_interleaved(&mut piece);
                recording.values.extend_from_slice(&piece);
            }
            Err(SoundError::DecodeError(_)) => recording.damaged += 1,
            Err(e) => return Err(refused(name, &e)),
        }
        let samples = recording.values.len() / recording.channels.max(1);
        if samples as u64 > limits::AXIS_SAMPLES {
            let seconds = limits::AXIS_SAMPLES / u64::from(recording.rate.max(1));
            return Err(Fault::Limit(format!(
                "{name} has more than {} samples, which is {seconds} s at its rate: encode it in parts, or at a lower \
                 rate",
                limits::AXIS_SAMPLES
            ))
            .into());
        }
    }
    if recording.values.is_empty() {
        return Err(unfit("it holds no samples"));
    }
    // ALAC comes as 32 bits whatever it holds, and only its own header says what that is.
    let integral = |v: &f32| (v * 32_768.0).fract() == 0.0;
    if is_alac && stated_bits.is_none() && recording.bits == 32 && recording.values.iter().all(integral) {
        recording.bits = 16;
    }
    Ok(recording)
}

fn bits(decoded: &Decoded<'_>) -> u32 {
    match decoded {
        Decoded::U8(_) | Decoded::S8(_) => 8,
        Decoded::U16(_) | Decoded::S16(_) => 16,
        Decoded::U24(_) | Decoded::S24(_) => 24,
        _ => 32,
    }
}

/// Divides by the largest magnitude, which becomes the amplitude.
fn to_signal(recording: Recording, name: &str) -> Result<Signal> {
    let Recording { mut values, channels, rate, bits, .. } = recording;
    if channels as u64 > limits::CHANNELS {
        return Err(
            Fault::Limit(format!("{name} has {channels} channels: a file holds at most {}", limits::CHANNELS)).into()
        );
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(input_fault(format!("{name} has samples that are infinite or not a number")));
    }
    let peak = values.iter().fold(0.0_f32, |peak, v| peak.max(v.abs()));
    // Silence has no scale: one that makes whatever a field has of it silent.
    let amplitude = if peak > 0.0 { peak } else { SILENCE };
    values.iter_mut().for_each(|v| *v /= amplitude);
    let format = match bits {
        0..=8 => SampleFormat::U8,
        9..=16 => SampleFormat::U16,
        _ => SampleFormat::F32,
    };
    let samples = u32::try_from(values.len() / channels)?;
    let info = SignalInfo::sound(samples, u32::try_from(channels)?, format, rate, amplitude)?;
    Ok(Signal::new(info, values)?)
}
