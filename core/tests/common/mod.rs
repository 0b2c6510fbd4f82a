//! Small documents, and files put together by hand, for the tests of the format.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

pub mod bodies;
pub mod craft;

use tessera_core::codec::contexts::Context;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::field::latents::Pyramid;
use tessera_core::field::{Activation, Encoding, Field, FieldSpec, Model, StartRule, tensors};
use tessera_core::format::{Document, TrainingRecord, WeightCoding, crop, write, write_quantised};
use tessera_core::grid::{Grid, SOUND_RANGE, UNIT_RANGE};
use tessera_core::signal::{ColourSpace, Placement, SampleFormat, ShapeValue, SignalInfo, SignalKind};

/// Weights that every coding holds exactly, that tell tensors apart when something is read in the wrong order, and
/// that are small enough for two decoders to agree.
pub fn weights(count: u64, start: u64) -> Vec<f32> {
    (start..start + count).map(|k| ((k * 37 + 11) % 201) as f32 / 1024.0 - 0.09375).collect()
}

pub fn field(spec: FieldSpec, grid: Grid, present: Vec<u32>) -> Field {
    let shared = weights(spec.shared_parameters(), 0);
    let own = spec.local_parameters();
    let local = present.iter().flat_map(|&p| weights(own, 1000 + u64::from(p) * own)).collect();
    Field::new(spec, grid, present, shared, local).unwrap()
}

pub fn training() -> TrainingRecord {
    TrainingRecord {
        program: "tessera 0.1.0".to_owned(),
        preset: "small".to_owned(),
        seed: 7,
        steps: 300,
        learning_rate: 5e-4,
        sample_fraction: 1.0,
        psnr_db: Some(29.25),
        configuration: "steps = 300\n".to_owned(),
    }
}

fn document(signal: SignalInfo, factors: &[u32], spec: FieldSpec, present: Option<Vec<u32>>) -> Document {
    let range = if signal.kind == SignalKind::Sound { SOUND_RANGE } else { UNIT_RANGE };
    let grid = Grid::new(signal.shape.clone(), factors.to_vec(), range).unwrap();
    let present = present.unwrap_or_else(|| (0..grid.partitions()).collect());
    Document { signal, field: field(spec, grid, present), training: training() }
}

fn one_hidden(spec: FieldSpec) -> FieldSpec {
    FieldSpec { hidden_layers: 1, ..spec }
}

/// A picture of 6 rows and 5 columns in 3 x 2 partitions.
pub fn picture() -> Document {
    let signal = SignalInfo::picture(6, 5, 3, SampleFormat::U8).unwrap();
    document(signal, &[3, 2], one_hidden(FieldSpec::local_global(2, 3, 2, 3)), None)
}

/// A grey picture of 16 bits with one network for all.
pub fn siren() -> Document {
    let signal = SignalInfo::picture(4, 7, 1, SampleFormat::U16).unwrap();
    let mut document = document(signal, &[1, 1], FieldSpec::siren(2, 1, 4), None);
    document.training = TrainingRecord::default();
    document
}

/// A hundredth of a second of stereo sound.
pub fn sound() -> Document {
    let signal = SignalInfo {
        kind: SignalKind::Sound,
        shape: vec![441],
        channels: 2,
        format: SampleFormat::F32,
        colour: ColourSpace::None,
        alpha: false,
        rate: (44_100, 1),
        amplitude: 0.75,
        placement: None,
    };
    let spec = FieldSpec { first_omega: 15.0, ..one_hidden(FieldSpec::per_partition(1, 2, 3)) };
    document(signal, &[7], spec, None)
}

/// Five frames of an RGB video.
pub fn video() -> Document {
    let signal = SignalInfo {
        kind: SignalKind::Video,
        shape: vec![5, 9, 8],
        channels: 3,
        format: SampleFormat::U8,
        colour: ColourSpace::Srgb,
        alpha: false,
        rate: (30_000, 1001),
        amplitude: 1.0,
        placement: None,
    };
    document(signal, &[2, 3, 2], one_hidden(FieldSpec::local_global(3, 3, 2, 2)), None)
}

/// A shape whose empty parts never had a network.
pub fn shape() -> Document {
    let signal = SignalInfo {
        kind: SignalKind::Shape,
        shape: vec![8, 8, 8],
        channels: 1,
        format: SampleFormat::F32,
        colour: ColourSpace::None,
        alpha: false,
        rate: (0, 1),
        amplitude: 1.0,
        placement: None,
    };
    let present = vec![0, 3, 4, 5, 7];
    document(signal, &[2, 2, 2], one_hidden(FieldSpec::local_global(3, 1, 2, 2)), Some(present))
}

/// Distances at a place, with empty partitions and one that was cropped: what version 1.1 added.
pub fn distance() -> Document {
    let placement = Placement { origin: [-1.5, 20.0, 0.25], spacing: 0.125 };
    let signal = SignalInfo::shape([8, 7, 9], ShapeValue::Distance { amplitude: 0.5 }).unwrap();
    let spec = one_hidden(FieldSpec::local_global(3, 1, 2, 2));
    let mut document = document(signal.placed(placement).unwrap(), &[2, 2, 2], spec, Some(vec![0, 3, 4, 5, 7]));
    document.field = document.field.with_empty(vec![1, 2]).unwrap();
    document
}

/// A picture whose partitions are blended, without one of them: what version 1.2 added.
pub fn blended() -> Document {
    let mut document = picture();
    let present: Vec<u32> = document.field.present().iter().copied().filter(|&partition| partition != 1).collect();
    document.field = document.field.restricted_to(&present).with_blend(vec![1, 1]).unwrap();
    document
}

/// A picture in partitions whose networks see sines of the coordinates: what version 1.2 added.
pub fn encoded() -> Document {
    let signal = SignalInfo::picture(6, 5, 3, SampleFormat::U8).unwrap();
    let encoding = Encoding::Nerf { scale: 1.4, frequencies: 3 };
    document(signal, &[3, 2], FieldSpec { encoding, ..one_hidden(FieldSpec::per_partition(2, 3, 3)) }, None)
}

/// A picture as one ReLU network behind a random encoding.
pub fn gauss() -> Document {
    let signal = SignalInfo::picture(9, 8, 1, SampleFormat::U8).unwrap();
    let encoding = Encoding::Gauss { scale: 2.5, frequencies: 4, seed: 300 };
    let spec = FieldSpec { hidden_layers: 0, encoding, activation: Activation::Relu, ..FieldSpec::siren(2, 1, 5) };
    document(signal, &[1, 1], spec, None)
}

/// Latents of 13 rows and 11 columns in 2 x 2 partitions of unequal sizes, four levels, mostly zeros in the finest.
pub fn latents() -> Document {
    let signal = SignalInfo::picture(13, 11, 3, SampleFormat::U8).unwrap();
    let grid = Grid::new(signal.shape.clone(), vec![2, 2], UNIT_RANGE).unwrap();
    let spec = FieldSpec {
        model: Model::Latents,
        hidden_layers: 1,
        local_width: 4,
        global_width: 5,
        encoding: Encoding::Latents(Pyramid::new(&grid, 4, 0).unwrap()),
        activation: Activation::LeakyRelu,
        ..FieldSpec::siren(2, 3, 1)
    };
    let mut document = document(signal, &[2, 2], spec, None);
    let local = document.field.local().iter().enumerate();
    let local = local.map(|(place, weight)| if place % 3 == 0 { (weight * 64.0).round() / 8.0 } else { 0.0 }).collect();
    document.field = document.field.with_weights(document.field.shared().to_vec(), local).unwrap();
    document
}

/// The same by contexts of neighbours.
pub fn latents_quantised() -> Vec<u8> {
    let document = latents();
    let spec = document.field.spec();
    let shared = vec![1.0 / 256.0; tensors(&spec.shared_layers()).len()];
    let local = vec![0.125; spec.local_width as usize];
    let quantisation = Quantisation::new(spec, StartRule::Zero, Coder::Static, &shared, &local).unwrap();
    let context = Context { centres: [20, 12, -9, 4, 0, -3], ..Context::default() };
    let quantisation = quantisation.with_contexts(spec, vec![context; local.len()]).unwrap();
    write_quantised(&document, &quantisation).unwrap()
}

/// The committed files: name without extension, and the bytes that our writer must give.
pub fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let of = |document: Document, coding| write(&document, coding).unwrap();
    let picture = of(picture(), WeightCoding::F32);
    vec![
        ("picture-f32-cropped", crop(&picture, &[1, 2, 4]).unwrap()),
        ("picture-f32", picture),
        ("siren-f16", of(siren(), WeightCoding::F16)),
        ("sound-bf16", of(sound(), WeightCoding::Bf16)),
        ("video-f16", of(video(), WeightCoding::F16)),
        ("shape-bf16", of(shape(), WeightCoding::Bf16)),
        ("distance-f16", of(distance(), WeightCoding::F16)),
        ("blended-f32", of(blended(), WeightCoding::F32)),
        ("encoded-f16", of(encoded(), WeightCoding::F16)),
        ("gauss-f32", of(gauss(), WeightCoding::F32)),
        ("picture-quantised", quantised(&self::picture(), StartRule::Centred, Coder::Static, true)),
        ("siren-quantised", quantised(&siren(), StartRule::Drawn, Coder::Adaptive, false)),
        ("sound-quantised", quantised(&sound(), StartRule::Zero, Coder::Pooled, false)),
        ("latents-quantised", latents_quantised()),
    ]
}

/// Steps of a hundredth; partitions in two classes, where they are wanted.
fn quantised(document: &Document, start: StartRule, coder: Coder, classes: bool) -> Vec<u8> {
    let spec = document.field.spec();
    let steps = |layers: &[tessera_core::field::Layer], step: f32| vec![step; tensors(layers).len()];
    let (shared, local) = (steps(&spec.shared_layers(), 0.01), steps(&spec.local_layers(), 0.01));
    let one = Quantisation::new(spec, start, coder, &shared, &local).unwrap();
    let several = || {
        let class_of = (0..document.field.present().len()).map(|slot| u8::from(slot % 3 == 0)).collect();
        one.clone().with_classes(spec, &[local.clone(), steps(&spec.local_layers(), 0.04)], class_of).unwrap()
    };
    write_quantised(document, &if classes { several() } else { one.clone() }).unwrap()
}
