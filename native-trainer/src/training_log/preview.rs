//! What a log shows of a signal: a picture of bounded size, or the beginning of a sound.

use std::io::{self, Cursor};
use std::ops::Range;

use image::{ColorType, ImageEncoder as _, codecs::png::PngEncoder};
use tessera_core::Error;
use tessera_core::eval::View;
use tessera_core::field::Field;
use tessera_core::grid::SampleBox;
use tessera_core::signal::{SignalInfo, SignalKind, to_code_value};

use super::events::Value;
use crate::decoding;
use crate::media::sound::{SoundFormat, encode_sound};

/// Most pixels along a side.
const SIDE: u32 = 512;
/// Seconds of a sound, and its most samples where the rate is not known.
const SECONDS: u32 = 30;
const MOST_SAMPLES: u32 = 1 << 20;

/// The part of a signal that is shown.
#[derive(Debug)]
pub(super) struct Preview {
    info: SignalInfo,
    /// Along the first axis, where the others are shown whole.
    part: Range<u32>,
    /// Pixels or samples along the axes that are shown.
    size: Vec<u32>,
}

impl Preview {
    pub(super) fn of(info: &SignalInfo) -> Self {
        let first = info.shape.first().copied().unwrap_or(1);
        let middle = first / 2..first / 2 + 1;
        let (part, axes) = match info.kind {
            SignalKind::Picture => (0..first, &info.shape[..]),
            SignalKind::Video | SignalKind::Shape => (middle, &info.shape[1..]),
            SignalKind::Sound => {
                let (samples, per) = info.rate;
                let wanted = SECONDS.saturating_mul((samples / per.max(1)).max(1));
                let length = if samples == 0 { MOST_SAMPLES } else { wanted };
                (0..first.min(length), &[][..])
            }
        };
        let longest = axes.iter().copied().max().unwrap_or(1).max(SIDE);
        let shrunk = |n: u32| u64::from(n) * u64::from(SIDE) / u64::from(longest);
        let size = match info.kind {
            SignalKind::Sound => vec![part.end],
            _ => axes.iter().map(|&n| u32::try_from(shrunk(n)).unwrap_or(SIDE).clamp(1, SIDE)).collect(),
        };
        Self { info: info.clone(), part, size }
    }

    /// The samples from which [`Self::original`] is made: one range of the first axis, all of the others.
    pub(super) fn bounds(&self) -> SampleBox {
        let mut bounds: SampleBox = self.info.shape.iter().map(|&n| 0..n).collect();
        bounds[0] = self.part.clone();
        bounds
    }

    fn view(&self) -> Result<View, Error> {
        let edges: Vec<Range<f64>> = self.bounds().iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
        let one = (self.size.len() < edges.len()).then_some(1);
        let shape: Vec<u32> = one.into_iter().chain(self.size.iter().copied()).collect();
        View::resampled(&edges, &shape)
    }

    /// What a field shows there, NaN where a partition is absent.
    pub(super) fn decode(&self, field: &Field) -> Result<Vec<f32>, Error> {
        decoding::decode(field, &self.view()?)
    }

    /// The same from the samples of [`Self::bounds`]: the nearest one of each place.
    pub(super) fn original(&self, values: &[f32]) -> Vec<f32> {
        let channels = self.info.channels as usize;
        let shown = &self.info.shape[self.info.shape.len() - self.size.len()..];
        let &[rows, columns] = shown else { return values.to_vec() };
        let nearest = |place: u32, shown: u32, n: u32| (2 * place as usize + 1) * n as usize / (2 * shown as usize);
        let mut taken = Vec::new();
        for row in 0..self.size[0] {
            let start = nearest(row, self.size[0], rows) * columns as usize;
            for column in 0..self.size[1] {
                let sample = start + nearest(column, self.size[1], columns);
                taken.extend_from_slice(&values[sample * channels..][..channels]);
            }
        }
        taken
    }

    /// Hands over `values` as an entry of the log.
    pub(super) fn with_value(
        &self,
        values: &[f32],
        mut add: impl FnMut(Value<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let channels = self.info.channels;
        if self.info.kind == SignalKind::Sound {
            let (samples, per) = self.info.rate;
            let rate = (samples / per.max(1)).max(1);
            let wav = encode_sound(values, &self.info, rate, SoundFormat::Wav).map_err(io::Error::other)?;
            let frames = u64::from(self.part.end);
            #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^24")]
            return add(Value::Sound { rate: rate as f32, channels, frames, wav: &wav });
        }
        // Absent partitions are black; more channels than a picture has are not shown.
        let colour = match channels {
            1 => ColorType::L8,
            2 => ColorType::La8,
            3 => ColorType::Rgb8,
            _ => ColorType::Rgba8,
        };
        let kept = usize::from(colour.channel_count());
        let pixels: Vec<u8> = values
            .chunks_exact(channels as usize)
            .flat_map(|sample| sample.iter().take(kept).map(|&v| to_code_value(v, 255).to_le_bytes()[0]))
            .collect();
        let (rows, columns) = (self.size[0], self.size[1]);
        let mut png = Cursor::new(Vec::new());
        PngEncoder::new(&mut png).write_image(&pixels, columns, rows, colour.into()).map_err(io::Error::other)?;
        add(Value::Picture { rows, columns, channels: u32::from(colour.channel_count()), png: png.get_ref() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::{FieldSpec, initialise};
    use tessera_core::grid::{Grid, UNIT_RANGE};
    use tessera_core::signal::SampleFormat;

    #[test]
    fn large_pictures_are_shown_small_and_in_proportion() {
        let info = SignalInfo::picture(3000, 2000, 3, SampleFormat::U8).unwrap();
        assert_eq!(Preview::of(&info).size, [512, 341]);
        let info = SignalInfo::picture(1, 4000, 1, SampleFormat::U8).unwrap();
        let preview = Preview::of(&info);
        assert_eq!(preview.size, [1, 512]);
        let row: Vec<f32> = (0..4000_u16).map(f32::from).collect();
        let original = preview.original(&row);
        assert_eq!((original.len(), original[0], original[511]), (512, 3.0, 3996.0));
    }

    #[test]
    fn a_field_and_its_samples_have_the_same_places() {
        let info = SignalInfo::picture(600, 40, 2, SampleFormat::U8).unwrap();
        let grid = Grid::new(vec![600, 40], vec![3, 1], UNIT_RANGE).unwrap();
        let field = initialise(&FieldSpec::per_partition(2, 2, 4), &grid, 1).unwrap();
        let preview = Preview::of(&info);
        let (decoded, size) = (preview.decode(&field).unwrap(), preview.size.clone());
        assert_eq!(decoded.len(), (size[0] * size[1] * 2) as usize);
        assert_eq!(preview.original(&vec![0.5; 600 * 40 * 2]).len(), decoded.len());
        let mut shown = 0;
        preview
            .with_value(&decoded, |value| {
                let Value::Picture { rows, columns, channels, png } = value else { panic!("no picture") };
                assert_eq!((rows, columns, channels), (size[0], size[1], 2));
                let picture = image::load_from_memory(png).unwrap();
                assert_eq!((picture.height(), picture.width()), (rows, columns));
                shown += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(shown, 1);
    }
}
