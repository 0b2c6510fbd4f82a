//! `--preset light`: networks that a browser decodes on one thread as fast as the signal plays.

use tessera_core::signal::SignalKind;

use crate::arguments::EncodeOptions;
use crate::arguments::values::ModelName;

/// Width of a sound's global network, whatever its length. Without one the held recipe does not learn sounds; a wider one
/// is what costs, and long sounds would get it.
const SOUND_GLOBAL_WIDTH: u32 = 16;
/// Sine layers between the first and the last of clips and sounds. At equal bytes two are ahead of three by 0.9 and 2 dB,
/// and no dearer; of pictures three are ahead (`docs/benchmarks.md`).
const HIDDEN_LAYERS: u32 = 2;

/// The network for a kind of signal, under what was chosen. Shapes are not played: theirs is the default one.
pub fn light(kind: SignalKind, model: Option<ModelName>) -> EncodeOptions {
    match kind {
        SignalKind::Picture | SignalKind::Video => EncodeOptions {
            model: Some(ModelName::PerPartition),
            hidden_layers: (kind == SignalKind::Video).then_some(HIDDEN_LAYERS),
            ..EncodeOptions::default()
        },
        SignalKind::Sound => EncodeOptions {
            global_width: matches!(model, None | Some(ModelName::LocalGlobal)).then_some(SOUND_GLOBAL_WIDTH),
            hidden_layers: Some(HIDDEN_LAYERS),
            ..EncodeOptions::default()
        },
        SignalKind::Shape => EncodeOptions::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::plan;
    use tessera_core::signal::{SampleFormat, SignalInfo};

    #[test]
    fn signals_of_any_length_decode_at_the_same_cost() {
        let options =
            EncodeOptions { preset: Some(crate::arguments::values::Preset::Light), ..EncodeOptions::default() };
        let cost = |info: &SignalInfo| {
            let options = config::completed(options.clone(), info).unwrap();
            plan::network(&options, info).unwrap().spec.multiply_adds_per_sample()
        };
        let sound = |seconds: u32| SignalInfo::sound(44_100 * seconds, 2, SampleFormat::U16, 44_100, 1.0).unwrap();
        let clip = |frames: u32| SignalInfo::video([frames, 128, 256], 3, SampleFormat::U8, (25, 1)).unwrap();
        for (short, long) in [(sound(5), sound(300)), (clip(24), clip(2_400))] {
            let (short, long) = (cost(&short), cost(&long));
            assert!(long < 5_000 && long.abs_diff(short) * 5 < short, "{short} and {long} multiply-adds per sample");
        }
    }
}
