//! The kernel's scalar twin: the same walk over the same arrays, sample by sample. It proves layouts, tables and
//! dispatches on machines without a GPU; the browser tests prove the kernel itself.

use super::layout::{ABSENT_MARK, AXES, BLOCK, NO_SLOT, Packed, Tables, lanes, layer_vectors};
use crate::eval::sine::sin;
use crate::eval::{View, reference};
use crate::field::{Encoding, Field, FieldSpec, initialise};
use crate::grid::{Grid, UNIT_RANGE};
use crate::signal::ABSENT;

type Four = [f32; BLOCK];

fn decode(field: &Field, view: &View, multiply_adds: u64) -> Vec<f32> {
    let packed = Packed::new(field).unwrap();
    let spec = field.spec();
    let Some(tables) = Tables::new(field.grid(), view, lanes(spec)).unwrap() else { return Vec::new() };
    let mut values = Vec::new();
    for share in tables.shares(spec, multiply_adds) {
        assert_eq!(values.len(), share.samples.start as usize * spec.outputs as usize);
        for group in share.groups {
            decode_group(spec, &packed, &tables, group, &mut values);
        }
        assert_eq!(values.len(), share.samples.end as usize * spec.outputs as usize);
    }
    values.iter().map(|&v| if v >= ABSENT_MARK { ABSENT } else { v }).collect()
}

fn decode_group(spec: &FieldSpec, packed: &Packed, tables: &Tables, group: u32, values: &mut Vec<f32>) {
    let mut rest = group;
    let mut start: u32 = tables.extents.iter().sum();
    let mut at = [0; AXES];
    for axis in (0..AXES).rev() {
        start -= tables.extents[axis];
        at[axis] = (start + rest % tables.extents[axis]) as usize;
        rest /= tables.extents[axis];
    }
    let partition: i32 = at.iter().map(|&at| tables.places[at]).sum();
    let slot = packed.slots[partition as usize];
    let groups = tables.extents[AXES - 1] as usize;
    let lead = tables.extents[..AXES - 1].iter().sum::<u32>() as usize;
    let (first, end) =
        (tables.places[at[AXES - 1] + groups] as usize, tables.places[at[AXES - 1] + groups + 1] as usize);
    assert!(first < end && end - first <= lanes(spec), "{first}..{end}");
    for column in first..end {
        at[AXES - 1] = lead + column;
        let position = at.map(|at| tables.coordinates[at]);
        if slot == NO_SLOT {
            values.extend(std::iter::repeat_n(ABSENT_MARK, spec.outputs as usize));
        } else {
            values.extend(evaluate(spec, packed, slot as usize, position));
        }
    }
}

fn evaluate(spec: &FieldSpec, packed: &Packed, slot: usize, position: Four) -> Vec<f32> {
    let (w, g, channels) = (packed.local_blocks, packed.global_blocks, spec.outputs as usize);
    let hidden = spec.hidden_layers as usize;
    let mut at = slot * packed.local_stride;
    let mut shared_at = 0;
    let merge_at = layer_vectors(1, g) + hidden * layer_vectors(g, g);
    let mut features = vec![position];
    let mut global = vec![position];
    for depth in 0..=hidden {
        let omega = if depth == 0 { spec.first_omega } else { spec.hidden_omega };
        let rows = features.len();
        features = sine_layer(&features, &packed.local, at, w, omega);
        at += layer_vectors(rows, w);
        if g > 0 {
            let rows = global.len();
            global = sine_layer(&global, &packed.shared, shared_at, g, omega);
            shared_at += layer_vectors(rows, g);
            let joined = [features, global.clone()].concat();
            features = sine_layer(&joined, &packed.shared, merge_at, w, spec.hidden_omega);
        }
    }
    let blocks = channels.div_ceil(BLOCK);
    let out = dense(&features, &packed.local, at, blocks);
    assert_eq!(at + layer_vectors(w, blocks), (slot + 1) * packed.local_stride);
    out.concat()[..channels].to_vec()
}

fn sine_layer(input: &[Four], weights: &[f32], at: usize, blocks: usize, omega: f32) -> Vec<Four> {
    dense(input, weights, at, blocks).iter().map(|u| u.map(|u| sin(omega * u))).collect()
}

fn dense(input: &[Four], weights: &[f32], at: usize, blocks: usize) -> Vec<Four> {
    let vector = |index: usize| &weights[index * BLOCK..(index + 1) * BLOCK];
    let run = input.len() * BLOCK;
    (0..blocks)
        .map(|block| {
            let mut sum = [0.0; BLOCK];
            sum.copy_from_slice(vector(at + blocks * run + block));
            for (row, x) in input.iter().flatten().enumerate() {
                for (s, w) in sum.iter_mut().zip(vector(at + block * run + row)) {
                    *s += x * w;
                }
            }
            sum
        })
        .collect()
}

fn assert_same_bits(spec: &FieldSpec, grid: Grid, keep: impl Fn(u32) -> bool, view: &View) {
    let field = initialise(spec, &grid, 7).unwrap();
    let kept: Vec<u32> = (0..grid.partitions()).filter(|&p| keep(p)).collect();
    let field = field.restricted_to(&kept);
    let truth: Vec<u32> = reference::decode(&field, view).unwrap().iter().map(|v| v.to_bits()).collect();
    for multiply_adds in [0, u64::MAX] {
        let twin: Vec<u32> = decode(&field, view, multiply_adds).iter().map(|v| v.to_bits()).collect();
        assert_eq!(twin, truth, "{spec:?} with dispatches of {multiply_adds}");
    }
}

#[test]
fn every_model_walks_to_the_bits_of_the_reference() {
    let grid = |factors: [u32; 2]| Grid::new(vec![37, 23], factors.to_vec(), UNIT_RANGE).unwrap();
    let full = View::full(&grid([1, 1]));
    for channels in 1..=5 {
        assert_same_bits(&FieldSpec::local_global(2, channels, 6, 11), grid([5, 3]), |_| true, &full);
    }
    assert_same_bits(&FieldSpec::per_partition(2, 3, 7), grid([4, 3]), |_| true, &full);
    assert_same_bits(&FieldSpec::siren(2, 16, 33), grid([1, 1]), |_| true, &full);
    let shallow = FieldSpec { hidden_layers: 0, first_omega: 12.5, ..FieldSpec::local_global(2, 3, 1, 1) };
    assert_same_bits(&shallow, grid([2, 2]), |_| true, &full);
}

#[test]
fn one_to_four_axes() {
    for (shape, factors) in [
        (vec![301], vec![7]),
        (vec![9, 31], vec![2, 5]),
        (vec![5, 7, 9], vec![2, 3, 4]),
        (vec![3, 4, 5, 6], vec![1, 2, 3, 2]),
    ] {
        let inputs = u32::try_from(shape.len()).unwrap();
        let grid = Grid::new(shape, factors, UNIT_RANGE).unwrap();
        let view = View::full(&grid);
        assert_same_bits(&FieldSpec::local_global(inputs, 2, 5, 9), grid, |p| p % 3 != 1, &view);
    }
}

#[test]
fn other_resolutions_and_absent_partitions() {
    let grid = Grid::new(vec![40, 30], vec![4, 3], UNIT_RANGE).unwrap();
    let spec = FieldSpec::local_global(2, 4, 6, 8);
    let view = View::resampled(&[-3.0..25.5, 4.25..33.0], &[50, 41]).unwrap();
    assert_same_bits(&spec, grid.clone(), |p| p == 4 || p > 8, &view);
    assert_same_bits(&spec, grid.clone(), |p| p == 0, &view.nearest());
    assert_same_bits(&spec, grid, |_| true, &View::region(&vec![3..3, 0..30]));
}

#[test]
fn shares_stay_bounded() {
    let grid = Grid::new(vec![700, 900], vec![5, 7], UNIT_RANGE).unwrap();
    for (spec, lanes_expected) in [
        (FieldSpec::local_global(2, 3, 14, 84), 4),
        (FieldSpec::per_partition(2, 3, 256), 2),
        (FieldSpec::per_partition(2, 3, 300), 1),
    ] {
        assert_eq!(lanes(&spec), lanes_expected);
        let tables = Tables::new(&grid, &View::full(&grid), lanes_expected).unwrap().unwrap();
        for budget in [0, 1 << 28, u64::MAX] {
            let shares = tables.shares(&spec, budget);
            let most = (budget / spec.multiply_adds_per_sample()).clamp(256 * lanes_expected as u64, 1 << 20);
            assert!(shares.iter().all(|d| d.samples.len() as u64 <= most), "{budget}");
            assert!(shares.windows(2).all(|d| d[0].groups.end == d[1].groups.start));
            assert_eq!(shares.last().unwrap().samples.end, 700 * 900);
        }
    }
}

#[test]
fn networks_beyond_the_kernel_are_refused() {
    let grid = Grid::new(vec![4, 4], vec![1, 1], UNIT_RANGE).unwrap();
    let field = initialise(&FieldSpec::siren(2, 3, 513), &grid, 0).unwrap();
    let message = Packed::new(&field).unwrap_err().to_string();
    assert!(message.contains("512") && message.contains("513"), "{message}");
    assert!(Packed::new(&initialise(&FieldSpec::siren(2, 3, 512), &grid, 0).unwrap()).is_ok());
    let encoding = Encoding::Nerf { scale: 1.4, frequencies: 4 };
    let encoded = FieldSpec { encoding, ..FieldSpec::siren(2, 3, 32) };
    let message = Packed::new(&initialise(&encoded, &grid, 0).unwrap()).unwrap_err().to_string();
    assert!(message.contains("nerf"), "{message}");
}
