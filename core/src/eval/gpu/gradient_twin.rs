//! The training kernel's scalar twin: the same arrays, items, tiles, workspace and sums, sample by sample. It proves
//! tables, offsets and dispatches on machines without a GPU; the browser tests prove the kernel itself.

use super::gradient_layout::{ITEM_WORDS, Items, Layout, PADDING, Tile, UNITS, WORKGROUP_BYTES};
use super::layout::{AXES, BLOCK, layer_vectors};
use crate::error::Error;
use crate::eval::cpu::training::{Batch, LossAndGradients, Step};
use crate::eval::sine::sin_cos;
use crate::field::{Field, FieldSpec, SplitMix64, initialise};
use crate::grid::{Grid, UNIT_RANGE};

/// Relative to the largest gradient: sums of another order.
const TOLERANCE: f32 = 1e-5;

/// A packed layer inside the weights and inside an item's gradients, in vectors.
#[derive(Clone, Copy)]
struct Packed {
    weights: usize,
    gradient: usize,
    inputs: usize,
    outputs: usize,
}

impl Packed {
    fn weight(&self, input: usize, output: usize) -> usize {
        let (run, part) = (output / BLOCK, output % BLOCK);
        (run * self.inputs * BLOCK + input) * BLOCK + part
    }

    fn bias(&self, output: usize) -> usize {
        self.outputs * self.inputs * BLOCK * BLOCK + output
    }

    fn forward(&self, weights: &[f32], x: &[f32]) -> Vec<f32> {
        let weights = &weights[self.weights * BLOCK..];
        assert_eq!(x.len(), self.inputs * BLOCK);
        (0..self.outputs * BLOCK)
            .map(|o| {
                x.iter().enumerate().fold(weights[self.bias(o)], |sum, (i, x)| sum + x * weights[self.weight(i, o)])
            })
            .collect()
    }

    /// Adds to the gradients and returns the deltas of `x`.
    fn backward(&self, weights: &[f32], gradients: &mut [f32], x: &[f32], delta: &[f32]) -> Vec<f32> {
        let weights = &weights[self.weights * BLOCK..];
        let gradients = &mut gradients[self.gradient * BLOCK..];
        for (o, delta) in delta.iter().enumerate() {
            gradients[self.bias(o)] += delta;
            x.iter().enumerate().for_each(|(i, x)| gradients[self.weight(i, o)] += x * delta);
        }
        let turned = |i| delta.iter().enumerate().map(|(o, delta)| weights[self.weight(i, o)] * delta).sum();
        (0..x.len()).map(turned).collect()
    }
}

fn pack(input: &[f32], table: &[i32]) -> Vec<f32> {
    table.iter().map(|&name| if name == PADDING { 0.0 } else { input[usize::try_from(name).unwrap()] }).collect()
}

fn sines(angles: &[f32]) -> Vec<f32> {
    angles.iter().map(|&angle| sin_cos(angle).0).collect()
}

struct Twin<'a> {
    spec: &'a FieldSpec,
    layout: Layout,
    items: Items,
    shared: Vec<f32>,
    local: Vec<f32>,
    scale: f32,
}

impl Twin<'_> {
    fn layer(&self, is_shared: bool, own: usize, at: usize, inputs: usize, outputs: usize) -> Packed {
        let before = if is_shared { 0 } else { self.layout.shared_vectors };
        Packed { weights: own + at, gradient: self.layout.angles() + before + at, inputs, outputs }
    }

    /// One sample of an item, into the item's part of the workspace; returns its squared error.
    fn sample(&self, slot: usize, sample: usize, part: &mut [f32]) -> f32 {
        let (spec, Tile { local: w, global: g, channels, .. }) = (self.spec, self.layout.tile);
        let hidden = self.layout.hidden_layers;
        let own = slot * self.layout.local_stride;
        let row = &self.samples()[sample * (1 + channels) * BLOCK..][..(1 + channels) * BLOCK];
        let (coordinates, target) = row.split_at(BLOCK);
        let local_at =
            |depth: usize| if depth == 0 { 0 } else { layer_vectors(1, w) + (depth - 1) * layer_vectors(w, w) };
        let shared_at =
            |depth: usize| if depth == 0 { 0 } else { layer_vectors(1, g) + (depth - 1) * layer_vectors(g, g) };
        let local = |depth: usize| self.layer(false, own, local_at(depth), if depth == 0 { 1 } else { w }, w);
        let global = |depth: usize| self.layer(true, 0, shared_at(depth), if depth == 0 { 1 } else { g }, g);
        let merge = self.layer(true, 0, self.layout.tile.merge_at(hidden), w + g, w);
        let last = self.layer(false, own, local_at(hidden + 1), w, channels);
        let omega = |depth: usize| if depth == 0 { spec.first_omega } else { spec.hidden_omega };
        let times = |values: Vec<f32>, factor: f32| values.into_iter().map(|v| v * factor).collect::<Vec<f32>>();

        let mut entering = vec![coordinates.to_vec()];
        let mut joined_angles: Vec<Vec<f32>> = Vec::new();
        let mut merged_angles = Vec::new();
        for depth in 0..=hidden {
            let mut angles = local(depth).forward(&self.local, &entering[depth]);
            if g > 0 {
                let input = if depth == 0 {
                    coordinates.to_vec()
                } else {
                    sines(&joined_angles[depth - 1])[w * BLOCK..].to_vec()
                };
                angles.extend(global(depth).forward(&self.shared, &input));
            }
            let angles = times(angles, omega(depth));
            let mut features = sines(&angles);
            joined_angles.push(angles);
            if g > 0 {
                let angles = times(merge.forward(&self.shared, &features), spec.hidden_omega);
                features = sines(&angles);
                merged_angles.push(angles);
            }
            entering.push(features);
        }
        let output = last.forward(&self.local, &entering[hidden + 1]);
        let errors: Vec<f32> = output.iter().zip(target).map(|(y, t)| y - t).collect();
        let delta = times(errors.clone(), self.scale);
        let mut delta = last.backward(&self.local, part, &entering[hidden + 1], &delta);
        let mut carried = vec![0.0; g * BLOCK];
        for depth in (0..=hidden).rev() {
            let features = sines(&joined_angles[depth]);
            if g > 0 {
                let slopes = merged_angles[depth].iter().map(|&angle| sin_cos(angle).1 * spec.hidden_omega);
                delta.iter_mut().zip(slopes).for_each(|(d, slope)| *d *= slope);
                delta = merge.backward(&self.shared, part, &features, &delta);
                delta[w * BLOCK..].iter_mut().zip(&carried).for_each(|(d, carried)| *d += carried);
            }
            let slopes = joined_angles[depth].iter().map(|&angle| sin_cos(angle).1 * omega(depth));
            delta.iter_mut().zip(slopes).for_each(|(d, slope)| *d *= slope);
            if g > 0 {
                let input = if depth == 0 {
                    coordinates.to_vec()
                } else {
                    sines(&joined_angles[depth - 1])[w * BLOCK..].to_vec()
                };
                carried = global(depth).backward(&self.shared, part, &input, &delta[w * BLOCK..]);
            }
            delta = local(depth).backward(&self.local, part, &entering[depth], &delta[..w * BLOCK]);
        }
        errors.iter().map(|error| error * error).sum()
    }

    fn samples(&self) -> &[f32] {
        &self.items.samples
    }

    fn run(&self, slots: usize, multiply_adds: u64) -> LossAndGradients {
        let index = |word: i32| usize::try_from(word).unwrap();
        let (layout, items) = (&self.layout, &self.items);
        let stride = layout.workspace_stride() * BLOCK;
        let mut shared = vec![0.0; layout.gather_shared.len()];
        let mut local = vec![0.0; slots * layout.gather_local.len()];
        let mut seen = 0;
        for dispatch in items.dispatches(self.spec, layout, multiply_adds) {
            assert_eq!(dispatch.start, seen);
            seen = dispatch.end;
            for item in dispatch {
                // The kernel finds garbage in its part, here by the first item's own gradients being set, not added.
                let mut part = vec![0.0; stride];
                let [slot, start, end] = [0, 1, 2].map(|word| index(items.table[item * ITEM_WORDS + word]));
                assert!(end > start && end - start <= items.tiles * layout.tile.samples);
                let first = index(items.first_of_slot[slot]);
                assert!((first..index(items.first_of_slot[slot + 1])).contains(&item));
                let losses = layout.workspace_stride() - UNITS;
                for sample in start..end {
                    part[(losses + sample % UNITS) * BLOCK] += self.sample(slot, sample, &mut part);
                }
                let at = |place: &i32| part[layout.angles() * BLOCK + index(*place)];
                shared.iter_mut().zip(&layout.gather_shared).for_each(|(total, place)| *total += at(place));
                let row = &mut local[slot * layout.gather_local.len()..];
                row.iter_mut().zip(&layout.gather_local).for_each(|(total, place)| *total += at(place));
            }
        }
        assert_eq!(seen, items.count());
        let errors = shared.split_off(layout.gather_shared.len() - UNITS);
        LossAndGradients { loss: errors.iter().map(|&e| f64::from(e)).sum(), shared, local }
    }
}

fn random(spec: &FieldSpec, sizes: &[usize]) -> (Field, Batch) {
    let axes = spec.inputs as usize;
    let (mut shape, mut factors) = (vec![4; axes], vec![1; axes]);
    factors[0] = u32::try_from(sizes.len()).unwrap();
    shape[0] = 4 * factors[0];
    let field = initialise(spec, &Grid::new(shape, factors, UNIT_RANGE).unwrap(), 3).unwrap();
    let mut random = SplitMix64(9);
    let mut draw = |count: usize| (0..count).map(|_| random.uniform(1.0)).collect::<Vec<f32>>();
    let samples: usize = sizes.iter().sum();
    let outputs = spec.outputs as usize;
    let mut end = 0;
    let span = |size: &usize| {
        end += size;
        end - size..end
    };
    let spans = sizes.iter().map(span).collect();
    let batch =
        Batch { inputs: axes, outputs, spans, coordinates: draw(samples * axes), targets: draw(samples * outputs) };
    (field, batch)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * largest, "{what} {index}: {a} and {b}");
    }
}

#[test]
fn the_twin_has_the_gradients_of_the_cpu_kernel() {
    let shallow = |hidden_layers, spec| FieldSpec { hidden_layers, ..spec };
    for (spec, sizes) in [
        (FieldSpec::local_global(2, 3, 14, 84), vec![70, 1, 0, 130]),
        (FieldSpec::local_global(1, 1, 9, 5), vec![33, 17]),
        (shallow(0, FieldSpec::local_global(4, 5, 4, 8)), vec![50, 60]),
        (FieldSpec::per_partition(3, 2, 15), vec![200, 0, 7]),
        (shallow(1, FieldSpec::siren(2, 3, 64)), vec![300]),
    ] {
        let (field, batch) = random(&spec, &sizes);
        let expected = Step::new(&spec, field.shared(), field.local(), &batch).unwrap().run_all();
        let layout = Layout::new(&spec, WORKGROUP_BYTES).unwrap();
        let items = Items::new(&batch, &spec, &layout.tile).unwrap();
        let local = (0..sizes.len()).flat_map(|slot| pack(field.local_of_slot(slot), &layout.pack_local)).collect();
        let shared = pack(field.shared(), &layout.pack_shared);
        #[expect(clippy::cast_precision_loss, reason = "a scale")]
        let scale = 2.0 / batch.targets.len() as f32;
        let twin = Twin { spec: &spec, layout, items, shared, local, scale };
        for multiply_adds in [0, u64::MAX] {
            let found = twin.run(sizes.len(), multiply_adds);
            let loss = found.loss / batch.targets.len() as f64;
            assert!((loss / expected.loss - 1.0).abs() < 1e-5, "{spec:?}: {loss} and {}", expected.loss);
            assert_close(&found.shared, &expected.shared, "shared");
            assert_close(&found.local, &expected.local, "local");
        }
    }
}

#[test]
fn tiles_fit_what_every_device_grants() {
    for (spec, samples) in [
        (FieldSpec::local_global(2, 3, 14, 84), 16),
        (FieldSpec::local_global(2, 16, 14, 84), 16),
        (FieldSpec::per_partition(2, 3, 15), 64),
        (FieldSpec::siren(2, 3, 256), 4),
        (FieldSpec::siren(2, 3, 512), 2),
        (FieldSpec::local_global(3, 3, 55, 180), 4),
    ] {
        let tile = Tile::new(&spec, WORKGROUP_BYTES).unwrap();
        assert_eq!(tile.samples, samples, "{spec:?}");
        assert!(tile.memory() * BLOCK * size_of::<f32>() <= WORKGROUP_BYTES);
        for width in [tile.joined(), tile.local] {
            let lanes = tile.lanes(width);
            assert!(
                lanes <= tile.samples && tile.samples.is_multiple_of(lanes) && tile.samples / lanes * width <= UNITS
            );
        }
        assert!(tile.samples * tile.channels <= UNITS);
        assert!(tile.deltas() < tile.merged_at() && tile.merged_at() <= tile.entering());
    }
    let message = Tile::new(&FieldSpec::siren(2, 3, 513), WORKGROUP_BYTES).unwrap_err().to_string();
    assert!(message.contains("513"), "{message}");
}

#[test]
fn items_cover_the_batch_in_order() {
    let spec = FieldSpec::per_partition(2, 1, 4);
    let (_, mut batch) = random(&spec, &[0, 5000, 1, 0, 64, 65]);
    let layout = Layout::new(&spec, WORKGROUP_BYTES).unwrap();
    let items = Items::new(&batch, &spec, &layout.tile).unwrap();
    let mut end = 0;
    for item in items.table.chunks_exact(ITEM_WORDS) {
        assert!(item[1] == end && item[2] > item[1], "{item:?}");
        end = item[2];
    }
    assert_eq!(end, 5130);
    assert_eq!(items.first_of_slot.len(), 7);
    assert_eq!(items.samples[..AXES], [0.0, 0.0, batch.coordinates[0], batch.coordinates[1]]);
    batch.targets.pop();
    assert!(matches!(Items::new(&batch, &spec, &layout.tile), Err(Error::Parameter(_))));
}
