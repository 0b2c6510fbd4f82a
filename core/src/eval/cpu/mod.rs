//! The fused CPU kernel: blocks of samples stay in cache through all layers.
//!
//! A block holds up to `BLOCK` samples, feature by feature, so that one vector instruction works on neighbouring
//! samples. The global layers run over the whole block, whatever the partitions of its samples; the local layers run
//! over the *segments* of a block, each of one partition and padded to whole vectors. A sample's arithmetic does not
//! depend on its neighbours or its place, which is why a cropped file decodes to the same bits.
//!
//! Instruction sets are chosen at run time (AVX-512, AVX2 with FMA, NEON, wasm SIMD128, scalar) from one generic
//! source. The alternative, leaving vectorisation to the compiler, reached half the speed and needed a build per
//! machine.
//!
//! [`decode`] evaluates a view, [`training`] computes a loss and its gradients.

mod block;
mod dense;
mod encoded;
mod folded;
mod forward;
mod gradient;
mod held;
mod latents;
mod synthesis;
pub mod training;
mod turn;

use pulp::Arch;

pub use self::synthesis::{SYNTHESIS_BLOCK, Synthesis, SynthesisBlock, SynthesisGradients};

use self::block::Samples;
use self::encoded::Tables;
use self::forward::{Evaluate, Network};
use super::{Axis, Run, View, blend};
use crate::error::Error;
use crate::field::{Encoding, Field};
use crate::signal::ABSENT;

/// Samples per block: activations of the published networks then stay within the second-level cache.
const BLOCK: usize = 64;
/// Samples that [`decode`] groups by partition at a time, which bounds its memory.
const BAND_SAMPLES: usize = 1 << 16;

/// Evaluates `field` at every position of `view`: `[samples * channels]`, row-major, [`ABSENT`] where the owning
/// partition has no network. One thread: split a view with [`View::along`] to use more.
///
/// # Errors
/// [`Error::Parameter`] or [`Error::Limit`] for a view that does not suit the field.
pub fn decode(field: &Field, view: &View) -> Result<Vec<f32>, Error> {
    if field.blend().is_empty() { plain(field, view) } else { blend::decode(field, view, plain) }
}

/// [`decode`] by the owners of the view alone.
fn plain(field: &Field, view: &View) -> Result<Vec<f32>, Error> {
    let axes = view.resolve(field.grid())?;
    let channels = field.spec().outputs as usize;
    let mut out = vec![ABSENT; view.samples() * channels];
    let rows = view.shape().first().copied().unwrap_or(0);
    let per_row = view.samples() / rows.max(1);
    let band = (BAND_SAMPLES / per_row.max(1)).max(1);
    let network = Network::new(field.spec(), field.shared(), field.local());
    let tables = Tables::new(&field.spec().encoding, axes.iter().map(|axis| axis.coordinates.as_slice()));
    let arch = Arch::new();
    if field.spec().pyramid().is_some() {
        arch.dispatch(latents::Decoding { field, axes: &axes, out: &mut out });
        return Ok(out);
    }
    for (index, out) in out.chunks_mut((band * per_row * channels).max(1)).enumerate() {
        let start = index * band;
        let grouped = Grouped::new(field, &axes, start..(start + band).min(rows));
        let values = arch.dispatch(Evaluate { network: &network, samples: &grouped.samples, tables: tables.as_ref() });
        for (place, value) in grouped.places.iter().zip(values.chunks_exact(channels)) {
            out[place * channels..][..channels].copy_from_slice(value);
        }
    }
    Ok(out)
}

/// The present samples of a band of a view, partition by partition.
struct Grouped {
    samples: Samples,
    /// Place of each sample in the band.
    places: Vec<usize>,
}

impl Grouped {
    fn new(field: &Field, axes: &[Axis], rows: std::ops::Range<usize>) -> Self {
        let encoded = field.spec().encoding != Encoding::Mlp;
        let mut grouped = Self { samples: Samples::new(axes.len(), encoded), places: Vec::new() };
        let runs: Vec<Vec<Run>> = axes
            .iter()
            .enumerate()
            .map(|(axis, a)| {
                let runs = a.runs();
                if axis > 0 {
                    return runs;
                }
                let within = |r: &Run| r.places.start.max(rows.start)..r.places.end.min(rows.end);
                runs.iter()
                    .map(|r| Run { owner: r.owner, places: within(r) })
                    .filter(|r| !r.places.is_empty())
                    .collect()
            })
            .collect();
        let sizes: Vec<usize> = axes.iter().map(|a| a.owners.len()).collect();
        let mut chosen = Vec::with_capacity(axes.len());
        grouped.add_boxes(field, axes, &runs, &sizes, rows.start, &mut chosen);
        grouped
    }

    /// Visits every box of runs, depth first over the axes.
    fn add_boxes<'r>(
        &mut self,
        field: &Field,
        axes: &[Axis],
        runs: &'r [Vec<Run>],
        sizes: &[usize],
        first_row: usize,
        chosen: &mut Vec<&'r Run>,
    ) {
        let Some(axis_runs) = runs.get(chosen.len()) else {
            let owner: Vec<u32> = chosen.iter().map(|r| r.owner).collect();
            let slot = field.grid().ravel(&owner).and_then(|p| field.present().binary_search(&p).ok());
            if let Some(slot) = slot {
                self.add_samples(axes, sizes, first_row, chosen, slot);
            }
            return;
        };
        for run in axis_runs {
            chosen.push(run);
            self.add_boxes(field, axes, runs, sizes, first_row, chosen);
            chosen.pop();
        }
    }

    fn add_samples(&mut self, axes: &[Axis], sizes: &[usize], first_row: usize, chosen: &[&Run], slot: usize) {
        let start = self.places.len();
        let mut places: Vec<usize> = chosen.iter().map(|r| r.places.start).collect();
        'samples: loop {
            let linear = places.iter().zip(sizes).fold(0, |sum, (p, n)| sum * n + p);
            let row: usize = sizes.iter().skip(1).product();
            self.places.push(linear - first_row * row);
            self.samples.coordinates.extend(places.iter().zip(axes).map(|(&p, a)| a.coordinates[p]));
            #[expect(clippy::cast_possible_truncation, reason = "a view has at most 2^30 samples")]
            self.samples.places.iter_mut().zip(&places).for_each(|(axis, &p)| axis.push(p as u32));
            for axis in (0..places.len()).rev() {
                places[axis] += 1;
                if places[axis] < chosen[axis].places.end {
                    continue 'samples;
                }
                places[axis] = chosen[axis].places.start;
            }
            break;
        }
        self.samples.spans.push((slot, start..self.places.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::reference;
    use crate::field::{Activation, FieldSpec, initialise};
    use crate::grid::{Grid, UNIT_RANGE};
    use proptest::prelude::*;

    fn assert_close(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        for (i, (x, y)) in a.iter().zip(b).enumerate() {
            assert!(x.is_nan() == y.is_nan() && (x.is_nan() || (x - y).abs() < 2e-5), "value {i}: {x} and {y}");
        }
    }

    #[test]
    fn one_and_three_axes() {
        for (shape, factors) in
            [(vec![97], vec![5]), (vec![5, 9, 7], vec![2, 3, 2]), (vec![2, 3, 3, 2], vec![1, 2, 1, 2])]
        {
            let axes = u32::try_from(shape.len()).unwrap();
            let grid = Grid::new(shape, factors, UNIT_RANGE).unwrap();
            let field = initialise(&FieldSpec::local_global(axes, 2, 5, 9), &grid, 3).unwrap();
            let view = View::full(&grid);
            assert_close(&decode(&field, &view).unwrap(), &reference::decode(&field, &view).unwrap());
        }
    }

    /// The published networks, and one of every kind of encoding on partitions of unequal sizes, where a crop keeps its
    /// bits.
    #[test]
    fn encoded_fields_agree_with_the_reference() {
        let relu = Activation::Relu;
        let nerf = Encoding::Nerf { scale: 1.4, frequencies: 16 };
        let positional = Encoding::Positional { scale: 6.0, frequencies: 7 };
        let gauss = Encoding::Gauss { scale: 6.0, frequencies: 20, seed: 3 };
        let siren = |width| FieldSpec::siren(2, 3, width);
        for (spec, factors) in [
            (FieldSpec { encoding: nerf, ..siren(32) }, vec![1, 1]),
            (FieldSpec { encoding: nerf, activation: relu, ..siren(48) }, vec![1, 1]),
            (FieldSpec { encoding: positional, ..FieldSpec::per_partition(2, 3, 9) }, vec![3, 2]),
            (FieldSpec { encoding: gauss, ..FieldSpec::per_partition(2, 3, 9) }, vec![3, 2]),
            (FieldSpec { activation: relu, ..FieldSpec::per_partition(2, 3, 9) }, vec![3, 2]),
        ] {
            let grid = Grid::new(vec![37, 50], factors, UNIT_RANGE).unwrap();
            let whole = initialise(&spec, &grid, 3).unwrap();
            let view = View::resampled(&[-2.0..39.0, 0.0..50.0], &[50, 61]).unwrap();
            let fast = decode(&whole, &view).unwrap();
            // The published networks magnify what an input differs by: 30 at every layer.
            assert_close(&fast, &reference::decode(&whole, &view).unwrap());
            let kept = whole.restricted_to(&[0, 3, 4]);
            for (a, b) in decode(&kept, &view).unwrap().iter().zip(&fast) {
                assert!(a.is_nan() || a.to_bits() == b.to_bits());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn agrees_with_the_reference(
            rows in 1_u32..40, columns in 1_u32..40, c0 in 1_u32..6, c1 in 1_u32..6,
            local in 1_u32..20, global in 0_u32..30, hidden in 0_u32..4, outputs in 1_u32..5,
            scale in 1_u32..4, keep in 0_u32..8, seed in 0_u64..1000,
        ) {
            let grid = Grid::new(vec![rows, columns], vec![c0.min(rows), c1.min(columns)], UNIT_RANGE).unwrap();
            let base = if global == 0 { FieldSpec::per_partition(2, outputs, local) } else { FieldSpec::local_global(2, outputs, local, global) };
            let spec = FieldSpec { hidden_layers: hidden, ..base };
            let whole = initialise(&spec, &grid, seed).unwrap();
            let kept: Vec<u32> = whole.present().iter().copied().filter(|p| p % 8 >= keep).collect();
            let field = whole.restricted_to(&kept);
            let edges = [0.0..f64::from(rows), 0.0..f64::from(columns)];
            let view = View::resampled(&edges, &[rows * scale, columns * scale]).unwrap();
            let fast = decode(&field, &view).unwrap();
            assert_close(&fast, &reference::decode(&field, &view).unwrap());
            // What stays after a crop keeps its bits.
            let before = decode(&whole, &view).unwrap();
            for (a, b) in fast.iter().zip(&before) {
                prop_assert!(a.is_nan() || a.to_bits() == b.to_bits());
            }
        }
    }
}
