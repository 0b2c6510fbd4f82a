//! From the page's numbers to a view. Shared by both modules, so that the two engines can differ in the samples alone.

use std::ops::Range;

use tessera_core::Error;
use tessera_core::eval::View;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::signal::SampleFormat;

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
