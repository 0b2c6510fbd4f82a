//! The samples of a signal, in memory or in a spool: what training, measuring and comparing read.
//!
//! Pictures, sounds and shapes lie in memory. A clip does not: its frames are written once to a [`Spool`], and the
//! boxes that a group of partitions needs are read when that group is trained, so that memory does not grow with the
//! length of the clip. (Seeking in the source again and again was the alternative: compressed video cannot.)

mod spool;

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use sha2::{Digest as _, Sha256};
use tessera_core::grid::{Grid, SampleBox};
use tessera_core::signal::{Signal, SignalInfo};

pub use self::spool::{Spool, SpoolWriter};

/// A signal's samples, wherever they are.
#[derive(Debug, Clone)]
pub enum Samples {
    /// All of them, in memory.
    Memory(Signal),
    /// 8-bit samples in a temporary file.
    Spooled(Spool),
}

impl From<Signal> for Samples {
    fn from(signal: Signal) -> Self {
        Self::Memory(signal)
    }
}

impl Samples {
    /// What they are samples of.
    pub fn info(&self) -> &SignalInfo {
        match self {
            Self::Memory(signal) => &signal.info,
            Self::Spooled(spool) => spool.info(),
        }
    }

    /// The values of a box, in [-1, 1]: `[samples, channels]`, row-major.
    ///
    /// # Errors
    /// Where the spool cannot be read.
    ///
    /// # Panics
    /// For a box that reaches over the canvas.
    pub fn of_box(&self, bounds: &SampleBox) -> io::Result<Vec<f32>> {
        match self {
            Self::Memory(signal) => {
                let channels = signal.info.channels as usize;
                let mut values = Vec::with_capacity(length(bounds) * channels);
                for_each_run(bounds, &signal.info.shape, |start, count| {
                    values.extend_from_slice(&signal.values[start * channels..(start + count) * channels]);
                    Ok(())
                })?;
                Ok(values)
            }
            Self::Spooled(spool) => spool.of_box(bounds),
        }
    }

    /// All values.
    ///
    /// # Errors
    /// As [`Self::of_box`].
    pub fn all(&self) -> io::Result<Cow<'_, [f32]>> {
        match self {
            Self::Memory(signal) => Ok(Cow::Borrowed(&signal.values)),
            Self::Spooled(spool) => Ok(Cow::Owned(self.of_rows(0..spool.info().shape[0])?)),
        }
    }

    /// All values whose place along the first axis lies in `rows`.
    ///
    /// # Errors
    /// As [`Self::of_box`].
    ///
    /// # Panics
    /// As [`Self::of_box`].
    pub fn of_rows(&self, rows: Range<u32>) -> io::Result<Vec<f32>> {
        let mut bounds: SampleBox = self.info().shape.iter().map(|&n| 0..n).collect();
        bounds[0] = rows;
        self.of_box(&bounds)
    }

    /// Appends the values of some samples of a box, which `places` counts row-major within it.
    ///
    /// # Errors
    /// As [`Self::of_box`].
    ///
    /// # Panics
    /// As [`Self::of_box`].
    pub fn pick(&self, bounds: &SampleBox, places: &[u64], into: &mut Vec<f32>) -> io::Result<()> {
        match self {
            Self::Memory(signal) => {
                let channels = signal.info.channels as usize;
                for &place in places {
                    let index = index_of(bounds, &signal.info.shape, place);
                    into.extend_from_slice(&signal.values[index * channels..][..channels]);
                }
                Ok(())
            }
            Self::Spooled(spool) => spool.pick(bounds, places, into),
        }
    }

    /// The mean of every channel over each of some partitions: `[partitions, channels]`.
    ///
    /// # Errors
    /// As [`Self::of_box`].
    pub fn partition_means(&self, grid: &Grid, partitions: &[u32]) -> io::Result<Vec<f32>> {
        let channels = self.info().channels as usize;
        let mut means = Vec::with_capacity(partitions.len() * channels);
        for &partition in partitions {
            let mut sums = vec![0.0_f64; channels];
            for sample in self.of_box(&grid.partition_box(partition))?.chunks_exact(channels) {
                sums.iter_mut().zip(sample).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean of few digits")]
            means.extend(sums.iter().map(|sum| (sum / grid.partition_samples(partition) as f64) as f32));
        }
        Ok(means)
    }

    /// A digest of the values, in hexadecimal.
    ///
    /// # Errors
    /// As [`Self::of_box`].
    pub fn digest(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        match self {
            Self::Memory(signal) => {
                for chunk in signal.values.chunks(1 << 14) {
                    hash.update(chunk.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
                }
            }
            Self::Spooled(spool) => spool.for_each_chunk(|bytes| hash.update(bytes))?,
        }
        Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Number of samples in a box.
fn length(bounds: &SampleBox) -> usize {
    bounds.iter().map(Range::len).product()
}

/// The linear index on the canvas of place `place` of a box.
#[expect(clippy::cast_possible_truncation, reason = "the canvas is in memory or in a file, so its indices fit")]
fn index_of(bounds: &SampleBox, shape: &[u32], place: u64) -> usize {
    let (mut rest, mut stride, mut index) = (place, 1_u64, 0_u64);
    for (range, &n) in bounds.iter().zip(shape).rev() {
        let length = u64::from(range.end - range.start);
        index += (u64::from(range.start) + rest % length) * stride;
        rest /= length;
        stride *= u64::from(n);
    }
    index as usize
}

/// Calls `visit` with the first index on the canvas and the length of every run of neighbours in a box, in order.
fn for_each_run(
    bounds: &SampleBox,
    shape: &[u32],
    mut visit: impl FnMut(usize, usize) -> io::Result<()>,
) -> io::Result<()> {
    let run = bounds.last().map_or(0, Range::len);
    let runs = length(bounds).checked_div(run).unwrap_or(0);
    (0..runs).try_for_each(|i| visit(index_of(bounds, shape, (i * run) as u64), run))
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init,
    reason = "small figures; boxes of one axis"
)]
mod tests {
    use super::*;
    use tessera_core::grid::UNIT_RANGE;
    use tessera_core::signal::{SampleFormat, SignalKind, from_code_value};

    fn info(shape: &[u32], channels: u32) -> SignalInfo {
        let mut info = SignalInfo::picture(1, 1, channels, SampleFormat::U8).unwrap();
        (info.kind, info.shape, info.rate) = (SignalKind::Video, shape.to_vec(), (25, 1));
        info
    }

    /// The same clip in memory and in a spool.
    fn both(shape: &[u32], channels: u32) -> [Samples; 2] {
        let info = info(shape, channels);
        let bytes: Vec<u8> = (0..info.samples() * u64::from(channels)).map(|i| (i * 37 % 251) as u8).collect();
        let values = bytes.iter().map(|&b| from_code_value(b.into(), 255)).collect();
        let mut writer = SpoolWriter::new(&std::env::temp_dir()).unwrap();
        bytes.chunks(100).for_each(|chunk| writer.write(chunk).unwrap());
        [Samples::Memory(Signal::new(info.clone(), values).unwrap()), Samples::Spooled(writer.finish(info).unwrap())]
    }

    #[test]
    fn a_spool_gives_what_memory_gives() {
        let [memory, spool] = both(&[7, 20, 31], 3);
        let grid = Grid::new(vec![7, 20, 31], vec![2, 3, 4], UNIT_RANGE).unwrap();
        let some = [0, grid.partitions() - 1];
        assert_eq!(memory.partition_means(&grid, &some).unwrap(), spool.partition_means(&grid, &some).unwrap());
        assert_eq!(memory.of_rows(2..5).unwrap(), spool.of_rows(2..5).unwrap());
        assert_eq!(memory.of_rows(2..5).unwrap().len(), 3 * 20 * 31 * 3);
        for partition in 0..grid.partitions() {
            let bounds = grid.partition_box(partition);
            let whole = memory.of_box(&bounds).unwrap();
            assert_eq!(whole, spool.of_box(&bounds).unwrap());
            // Few places are read one by one, many with their whole box.
            for step in [1, 150] {
                let places: Vec<u64> = (0..grid.partition_samples(partition)).rev().step_by(step).collect();
                let (mut a, mut b) = (vec![0.5], vec![0.5]);
                memory.pick(&bounds, &places, &mut a).unwrap();
                spool.pick(&bounds, &places, &mut b).unwrap();
                assert_eq!(a, b);
                assert_eq!(a[1..4], whole[places[0] as usize * 3..][..3]);
            }
        }
    }

    /// Wide frames, of which a box takes a small part: rows are read one by one.
    #[test]
    fn boxes_of_wide_frames_and_of_sound_are_read() {
        for (shape, bounds) in [(vec![2, 9, 2000], vec![1..2, 3..8, 1500..1503]), (vec![5000], vec![10..4000])] {
            let mut info = info(&[1, 1, 1], 1);
            (info.kind, info.shape) = if shape.len() == 1 { (SignalKind::Sound, shape) } else { (info.kind, shape) };
            info.alpha = false;
            let bytes: Vec<u8> = (0..info.samples()).map(|i| (i * 37 % 251) as u8).collect();
            let values = bytes.iter().map(|&b| from_code_value(b.into(), 255)).collect();
            let mut writer = SpoolWriter::new(&std::env::temp_dir()).unwrap();
            writer.write(&bytes).unwrap();
            let memory = Samples::Memory(Signal::new(info.clone(), values).unwrap());
            let spool = Samples::Spooled(writer.finish(info).unwrap());
            assert_eq!(memory.of_box(&bounds).unwrap(), spool.of_box(&bounds).unwrap());
            assert_eq!(memory.all().unwrap(), spool.all().unwrap());
        }
    }

    #[test]
    fn digests_tell_contents_apart() {
        let [_, a] = both(&[2, 5, 4], 1);
        let [_, b] = both(&[2, 5, 4], 3);
        assert_eq!(a.digest().unwrap(), both(&[2, 5, 4], 1)[1].digest().unwrap());
        assert_ne!(a.digest().unwrap(), b.digest().unwrap());
    }

    #[test]
    fn a_spool_of_another_length_is_refused() {
        let mut writer = SpoolWriter::new(&std::env::temp_dir()).unwrap();
        writer.write(&[0; 11]).unwrap();
        assert!(writer.finish(info(&[1, 3, 4], 1)).is_err());
        assert!(SpoolWriter::new(std::path::Path::new("/no/such/folder")).is_err());
    }
}
