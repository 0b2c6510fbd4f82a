//! From the page's numbers to a view, and from decoded samples to what a canvas takes. Shared by both modules, so that
//! the two engines can differ in the samples alone.

use std::ops::Range;

use tessera_core::Error;
use tessera_core::eval::View;
#[cfg(feature = "cpu")]
use tessera_core::signal::to_code_value;
use tessera_core::signal::{SignalInfo, SignalKind};

/// The view of a picture, or of a video at `frame` (from 0; between two frames the field is evaluated in between), that
/// spans `edges` (rows, then columns, in sample-edge units: the whole picture is `0..rows`, `0..columns`) at `rows` x
/// `columns` samples; with `nearest`, positions snap to stored samples.
///
/// # Errors
/// [`Error::Parameter`] for another kind of signal or an empty view, [`Error::Limit`] for too many samples.
pub fn view(
    info: &SignalInfo,
    edges: [Range<f64>; 2],
    rows: u32,
    columns: u32,
    nearest: bool,
    frame: f64,
) -> Result<View, Error> {
    let view = match (info.kind, info.shape.first()) {
        (SignalKind::Picture, _) => View::resampled(&edges, &[rows, columns])?,
        (SignalKind::Video, Some(&frames)) => {
            let frame = frame.clamp(0.0, f64::from(frames.saturating_sub(1)));
            let [vertical, horizontal] = edges;
            View::resampled(&[frame..frame + 1.0, vertical, horizontal], &[1, rows, columns])?
        }
        (kind, _) => {
            let name = format!("{kind:?}").to_lowercase();
            return Err(Error::parameter(format!("this needs a picture or a video, the file holds a {name}")));
        }
    };
    Ok(if nearest { view.nearest() } else { view })
}

/// Field values `[samples * channels]` with 1 to 4 channels as straight RGBA code values `[samples * 4]`: grey spreads
/// over the colours, an absent sample (not a number) is transparent black. The GPU's kernel does the same by itself.
#[cfg(feature = "cpu")]
pub fn to_rgba8(values: &[f32], channels: usize, alpha: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / channels.max(1) * 4);
    for sample in values.chunks_exact(channels.max(1)) {
        if sample.iter().any(|v| v.is_nan()) {
            out.extend([0; 4]);
            continue;
        }
        let (colours, opacity) = match sample.split_last() {
            Some((last, rest)) if alpha && !rest.is_empty() => (rest, code(*last)),
            _ => (sample, u8::MAX),
        };
        // Two channels without opacity have no colour meaning; the first one is shown as grey.
        let colour = |i: usize| code(colours[if colours.len() < 3 { 0 } else { i }]);
        out.extend([colour(0), colour(1), colour(2), opacity]);
    }
    out
}

#[cfg(feature = "cpu")]
#[expect(clippy::cast_possible_truncation, reason = "a code value of peak 255 fits a byte")]
fn code(value: f32) -> u8 {
    to_code_value(value, 255) as u8
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use tessera_core::signal::{ABSENT, SampleFormat, from_code_value};

    #[test]
    fn channels_become_rgba() {
        let v = |code: u16| from_code_value(code, 255);
        assert_eq!(to_rgba8(&[v(7)], 1, false), [7, 7, 7, 255]);
        assert_eq!(to_rgba8(&[v(7), v(9)], 2, true), [7, 7, 7, 9]);
        assert_eq!(to_rgba8(&[v(1), v(2), v(3)], 3, false), [1, 2, 3, 255]);
        assert_eq!(to_rgba8(&[v(1), v(2), v(3), v(4)], 4, true), [1, 2, 3, 4]);
        assert_eq!(to_rgba8(&[v(7), v(9)], 2, false), [7, 7, 7, 255]);
    }

    #[test]
    fn values_are_clamped_and_rounded_to_nearest() {
        assert_eq!(to_rgba8(&[-3.0, 0.001, 1.7], 3, false), [0, 128, 255, 255]);
    }

    #[test]
    fn absent_samples_are_transparent() {
        assert_eq!(to_rgba8(&[ABSENT, ABSENT, ABSENT, 1.0, 1.0, 1.0], 3, false), [0, 0, 0, 0, 255, 255, 255, 255]);
    }

    #[test]
    fn pictures_and_frames_have_picture_views() {
        let mut info = SignalInfo::picture(4, 6, 3, SampleFormat::U8).unwrap();
        let whole = view(&info, [0.0..4.0, 0.0..6.0], 4, 6, false, 0.0).unwrap();
        assert_eq!(whole, View::region(&vec![0..4, 0..6]));
        assert_eq!(view(&info, [0.0..4.0, 0.0..6.0], 8, 12, true, 0.0).unwrap().shape(), [8, 12]);
        assert!(view(&info, [0.0..4.0, 6.0..6.0], 4, 6, false, 0.0).is_err());
        info.kind = SignalKind::Video;
        info.shape = vec![5, 4, 6];
        let frame = |frame| view(&info, [0.0..4.0, 0.0..6.0], 4, 6, false, frame);
        assert_eq!(frame(3.0).unwrap(), View::region(&vec![3..4, 0..4, 0..6]));
        assert_eq!(frame(9.0).unwrap(), View::region(&vec![4..5, 0..4, 0..6]));
        assert!(frame(f64::NAN).is_err());
        info.kind = SignalKind::Sound;
        info.shape = vec![24];
        let error = view(&info, [0.0..4.0, 0.0..6.0], 4, 6, false, 0.0).unwrap_err();
        assert_eq!(error.to_string(), "this needs a picture or a video, the file holds a sound");
    }
}
