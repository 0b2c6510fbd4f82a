//! Encoded coordinates, from tables.
//!
//! Samples lie on a grid or nearly so: a picture of a million has two thousand different coordinates. Sines and cosines
//! are therefore computed once for every coordinate of an axis, in f64. Where every input belongs to one axis, the first
//! layer is a sum over axes and its products are done once per coordinate as well ([`super::folded`]). A wave across several
//! axes is put together by the addition theorem, one complex product per axis. Sines per sample were the alternative: as
//! much work as a narrow layer, with a range reduction in f64 within the block.

use pulp::Simd;

use super::block::{Samples, Segment, block_vectors};
use super::dense::lanes_of_mut;
use super::training::Batch;
use crate::error::Error;
use crate::field::{Encoding, FieldSpec, Wave, rounded, sine_cosine_of_turns};

/// What an encoding makes of every coordinate that occurs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tables {
    /// Every input belongs to one axis.
    Sum(Vec<AxisTable>),
    /// Waves go across axes.
    Waves(Vec<WaveTable>),
}

/// The inputs of the first layer that belong to one axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AxisTable {
    /// Which inputs they are.
    pub(super) inputs: Vec<usize>,
    /// Different coordinates along the axis.
    pub(super) coordinates: usize,
    /// `[inputs, coordinates]`.
    pub(super) values: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct WaveTable {
    sine: usize,
    cosine: usize,
    parts: Vec<Part>,
}

/// A wave's share of one axis: sine and cosine by coordinate.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    axis: usize,
    values: Vec<(f32, f32)>,
}

impl Tables {
    /// For coordinates `[axis][place]`; `None` where the network takes coordinates as they are.
    pub(super) fn new<'c>(encoding: &Encoding, axes: impl IntoIterator<Item = &'c [f32]>) -> Option<Self> {
        if *encoding == Encoding::Mlp {
            return None;
        }
        let axes: Vec<&[f32]> = axes.into_iter().collect();
        let waves = encoding.waves(axes.len());
        let part = |&(axis, turns): &(usize, f64)| Part {
            axis,
            values: axes[axis].iter().map(|&x| rounded(sine_cosine_of_turns(turns * f64::from(x)))).collect(),
        };
        if waves.iter().any(|wave| wave.turns.len() > 1) {
            let table = |wave: &Wave| WaveTable {
                sine: wave.sine,
                cosine: wave.cosine,
                parts: wave.turns.iter().map(part).collect(),
            };
            return Some(Self::Waves(waves.iter().map(table).collect()));
        }
        let table = |(axis, coordinates): (usize, &&[f32])| {
            let mut table = AxisTable { inputs: Vec::new(), coordinates: coordinates.len(), values: Vec::new() };
            if encoding.keeps_coordinates() {
                table.inputs.push(axis);
                table.values.extend_from_slice(coordinates);
            }
            for wave in &waves {
                for part in wave.turns.iter().filter(|(of, _)| *of == axis).map(part) {
                    table.inputs.extend([wave.sine, wave.cosine]);
                    table.values.extend(part.values.iter().map(|(sine, _)| sine));
                    table.values.extend(part.values.iter().map(|(_, cosine)| cosine));
                }
            }
            table
        };
        Some(Self::Sum(axes.iter().enumerate().map(table).collect()))
    }
}

/// Writes the encoded inputs of a block, `[encoded inputs]` rows of vectors. Padding is zero.
#[inline(always)]
pub(super) fn load_waves<S: Simd>(waves: &[WaveTable], samples: &Samples, segments: &[Segment], rows: &mut [S::f32s]) {
    let columns = block_vectors::<S>() * S::F32_LANES;
    let rows = lanes_of_mut::<S>(rows);
    rows.fill(0.0);
    for segment in segments {
        let lane = segment.vectors.start * S::F32_LANES;
        for wave in waves {
            for (lane, sample) in (lane..).zip(segment.samples.clone()) {
                let mut found = (0.0, 1.0);
                for (index, part) in wave.parts.iter().enumerate() {
                    let (sine, cosine) = part.values[samples.places[part.axis][sample] as usize];
                    found = if index == 0 {
                        (sine, cosine)
                    } else {
                        (found.0 * cosine + found.1 * sine, found.1 * cosine - found.0 * sine)
                    };
                }
                rows[wave.sine * columns + lane] = found.0;
                rows[wave.cosine * columns + lane] = found.1;
            }
        }
    }
}

/// The coordinates of a batch as the network of one encoding gets them, computed once for many steps.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedBatch {
    encoding: Encoding,
    pub(super) tables: Tables,
    /// Where the coordinates of the samples are in the tables, `[axis][sample]`.
    pub(super) places: Vec<Vec<u32>>,
}

impl EncodedBatch {
    /// For the networks of `spec`; `None` where they take coordinates as they are.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Limit`] for a batch of another number of coordinates, an invalid network, or more
    /// than 2^32 samples.
    pub fn new(spec: &FieldSpec, batch: &Batch) -> Result<Option<Self>, Error> {
        spec.validate()?;
        if batch.inputs != spec.inputs as usize || !batch.coordinates.len().is_multiple_of(batch.inputs.max(1)) {
            return Err(Error::parameter(format!(
                "a batch of {} coordinates per sample does not suit a network of {}",
                batch.inputs, spec.inputs
            )));
        }
        if spec.encoding == Encoding::Mlp {
            return Ok(None);
        }
        let (mut different, mut places) = (Vec::new(), Vec::new());
        for axis in 0..batch.inputs {
            let along = || batch.coordinates.iter().skip(axis).step_by(batch.inputs);
            let mut values: Vec<f32> = along().copied().collect();
            values.sort_unstable_by(f32::total_cmp);
            values.dedup_by_key(|value| value.to_bits());
            let place = |x: &f32| {
                let found = values.binary_search_by(|value| value.total_cmp(x)).unwrap_or_default();
                u32::try_from(found).map_err(|_| Error::parameter("a batch has too many samples"))
            };
            places.push(along().map(place).collect::<Result<Vec<u32>, Error>>()?);
            different.push(values);
        }
        let tables = Tables::new(&spec.encoding, different.iter().map(Vec::as_slice));
        Ok(tables.map(|tables| Self { encoding: spec.encoding, tables, places }))
    }

    /// Whether it is that of `batch` for `encoding`, as far as its sizes tell.
    pub(super) fn suits(&self, encoding: &Encoding, batch: &Batch) -> bool {
        self.encoding == *encoding
            && self.places.len() == batch.inputs
            && self.places.iter().all(|places| places.len() == batch.samples())
    }
}
