//! What a signal gets where no option says otherwise, by kind.

use anyhow::Result;
use tessera_core::field::{Encoding, Model, PUBLISHED_OMEGA};
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::network;
use crate::arguments::EncodeOptions;
use crate::arguments::values::{ActivationName, DeviceName, EncodingName, ModelName, RecipeName};
use crate::errors::usage_fault;
use crate::training::{DeviceChoice, OpenDevice};

/// The published budget, and the number of samples that it was published for.
const BUDGET: (u64, u64) = (200_000, 512 * 512);
/// A field of fewer parameters saves nothing: the file's header is of that size.
const LEAST_BUDGET: u64 = 2_000;
/// Clips get half of it: frames resemble each other. (Of 70k, 140k and 280k parameters on 369k samples, 140k were best
/// after the same time.)
const VIDEO_BUDGET: u64 = 100_000;
/// A partition of a clip, in frames, rows and columns: a third of a second. After the same time it is 2 dB ahead of 8x32x32
/// and 0.3 to 1 dB of 4x16x16, 4x32x32 and 16x32x32.
const VIDEO_PARTITION: [u32; 3] = [8, 16, 16];
/// Longer clips get larger partitions: the format has room for four times as many.
const MOST_PARTITIONS: u64 = 1 << 18;
/// Samples that one step visits when nothing else is said: a whole picture of the published size.
const STEP_SAMPLES: u64 = 512 * 512;
/// Steps of the published recipe for a signal that one step visits whole.
const STEPS: u64 = 500;
/// The same for sounds, whose published rate is a tenth.
const SOUND_STEPS: u64 = 1_000;
/// More would take hours on a laptop; who wants them asks for them.
const MOST_STEPS: u64 = 5_000;
/// Steps of the held recipe for a signal of up to [`HELD_SAMPLES`].
const HELD_STEPS: u64 = 400;
/// Beyond so many samples steps fall with the fourth root: work grows with the samples, and patience does not.
const HELD_SAMPLES: u64 = 1 << 20;
/// Partitions along the longest side of a shape.
const SHAPE_PARTITIONS: u32 = 8;
/// Samples along each side of a shape's partition at least.
const LEAST_SHAPE_PARTITION: u32 = 8;
/// Longest side of a shape from which on the published budget is right (reference/local-global.md 1.5).
const SHAPE_SIDE: u64 = 128;
/// Steps of the held recipe for a shape. They take one share of the samples each, so work grows with the cube of the
/// resolution until there are as many shares as there may be.
const SHAPE_STEPS: u64 = 250;
/// Samples of a partition of a shape that are enough for a step: they are many, and say much the same.
const SHARE_SAMPLES: u64 = 512;
/// More shares than this would leave some samples without a turn for too long.
const MOST_SHARES: u32 = 16;
/// The global network is held where it has at most this part of the parameters: a third.
const MOST_HELD: u64 = 3;

/// Samples of a sound in a partition: of 700 to 9,800 this gave the most for its time, 34 ms at 44,100 Hz.
const SOUND_PARTITION: u32 = 1_500;
/// By how many radians the steepest first local sine of a sound turns from one sample to the next under the held
/// recipe; at 0.3 one of two recordings lost 1.4 dB (`docs/benchmarks.md`).
const SOUND_TURN: f64 = 0.17;

/// Wanted samples per partition, one number per axis.
pub(super) fn partition_size(info: &SignalInfo) -> Vec<u32> {
    match info.kind {
        SignalKind::Video => {
            let mut size = VIDEO_PARTITION.to_vec();
            let count = |size: &[u32]| -> u64 {
                info.shape.iter().zip(size).map(|(&n, &s)| u64::from(n.div_ceil(s))).product()
            };
            while count(&size) > MOST_PARTITIONS {
                size.iter_mut().for_each(|s| *s = s.saturating_mul(2));
            }
            size
        }
        SignalKind::Sound => vec![SOUND_PARTITION],
        // The published eight along the longest side, however fine the grid: what counts is the surface, not its samples.
        SignalKind::Shape => {
            let longest = info.shape.iter().max().copied().unwrap_or(1);
            vec![longest.div_ceil(SHAPE_PARTITIONS).max(LEAST_SHAPE_PARTITION); info.axes()]
        }
        SignalKind::Picture => vec![32; info.axes()],
    }
}

/// Share of the global network in the parameters. A sound is as good with less, and decodes in a fraction of the time.
pub(super) fn global_share(info: &SignalInfo) -> f64 {
    if info.kind == SignalKind::Sound { 0.02 } else { 0.1 }
}

/// Omega of the first layers, where no option says it.
///
/// The held recipe begins with first local weights that are larger by half the number of partitions
/// ([`tessera_core::field::initialise_centred`]). On the published coordinates of a sound, which span 200, they would
/// turn by 3,000 radians over a partition of any size.
pub(super) fn first_omega(recipe: Option<RecipeName>, info: &SignalInfo, grid: &Grid) -> f32 {
    if info.kind != SignalKind::Sound || recipe != Some(RecipeName::Held) {
        return PUBLISHED_OMEGA;
    }
    let [low, high] = grid.range().map(f64::from);
    let partitions = f64::from(grid.partitions());
    // What a first weight of 1 turns from one sample to the next.
    let turn = (high - low) / f64::from(info.shape[0]) * (partitions / 2.0).max(1.0);
    // Below 1 the start biases would give all sines nearly the same phase.
    #[expect(clippy::cast_possible_truncation, reason = "between 1 and 30")]
    let omega = (SOUND_TURN / turn).clamp(1.0, PUBLISHED_OMEGA.into()) as f32;
    omega
}

/// The encoding that was asked for, with the published numbers where no option says them
/// (reference/inr-compression.md 3.1), for networks of `width`.
pub(super) fn encoding(options: &EncodeOptions, info: &SignalInfo, width: u32) -> Result<Encoding> {
    let name = options.encoding.unwrap_or(EncodingName::Mlp);
    if name == EncodingName::Mlp && (options.encoding_scale.is_some() || options.frequencies.is_some()) {
        return Err(usage_fault("--encoding-scale and --frequencies are for an --encoding other than mlp"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the format keeps 32 bits")]
    let scale = options.encoding_scale.unwrap_or(if name == EncodingName::Nerf { 2.0 } else { 6.0 }) as f32;
    let shortest = info.shape.iter().min().copied().unwrap_or(1);
    let octaves = if info.axes() > 2 { 10 } else { (shortest / 4).checked_ilog2().unwrap_or(0).max(1) };
    let frequencies = |default: u32| options.frequencies.unwrap_or(default.max(1));
    Ok(match name {
        EncodingName::Mlp => Encoding::Mlp,
        EncodingName::Nerf => Encoding::Nerf { scale, frequencies: frequencies(octaves) },
        EncodingName::Positional => Encoding::Positional { scale, frequencies: frequencies(width / 2) },
        EncodingName::Gauss => {
            Encoding::Gauss { scale, frequencies: frequencies(width), seed: options.seed.unwrap_or(0) }
        }
    })
}

/// Shares of a partition's samples that the steps of the held recipe take in turn.
pub fn default_shares(info: &SignalInfo, grid: &Grid) -> u32 {
    if info.kind != SignalKind::Shape {
        return 2;
    }
    let samples = grid.samples() / u64::from(grid.partitions());
    u32::try_from(samples / SHARE_SAMPLES).unwrap_or(u32::MAX).clamp(2, MOST_SHARES)
}

/// The number that `--parameters` has without options: it grows with the signal.
pub fn default_budget(model: Model, info: &SignalInfo) -> u64 {
    // Of a SIREN that is the published baseline's, of width 256.
    let published = match (model, info.kind) {
        (_, SignalKind::Video) => VIDEO_BUDGET,
        (Model::Siren, SignalKind::Sound) => 198_145,
        (Model::Siren, _) => 198_915,
        _ => BUDGET.0,
    };
    if info.kind == SignalKind::Shape {
        // With the surface, up to the published budget: a finer grid does not make the surface longer.
        let longest = info.shape.iter().max().copied().map_or(1, u64::from).min(SHAPE_SIDE);
        return (published * longest * longest / (SHAPE_SIDE * SHAPE_SIDE)).max(LEAST_BUDGET);
    }
    let scaled = u128::from(published) * u128::from(info.samples()) / u128::from(BUDGET.1);
    u64::try_from(scaled).unwrap_or(u64::MAX).max(LEAST_BUDGET)
}

/// The share of the samples that a step visits without options.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
pub fn default_sample_fraction(recipe: RecipeName, info: &SignalInfo) -> f64 {
    if recipe == RecipeName::Held {
        return 1.0;
    }
    (STEP_SAMPLES as f64 / info.samples().max(1) as f64).min(1.0)
}

/// The recipe without options: the held one where it can serve, and where it wins. A network that is mostly global loses
/// most of its capacity when that part is held.
pub fn recipe(options: &EncodeOptions, info: &SignalInfo) -> RecipeName {
    if let Some(recipe) = options.recipe {
        return recipe;
    }
    if options.model == Some(ModelName::Latents) {
        return RecipeName::Held;
    }
    let siren = options.model == Some(ModelName::Siren);
    let asks_for_it = options.encoding.is_some_and(|name| name != EncodingName::Mlp)
        || options.activation == Some(ActivationName::Relu)
        || (options.l1, options.patience, options.early_stop) != (None, None, None);
    // A network that cannot be planned is reported where it is planned.
    let mostly_global =
        network(options, info).is_ok_and(|network| MOST_HELD * network.spec.shared_parameters() > network.parameters());
    let on_cpu = match options.device {
        None | Some(DeviceName::Cpu) => true,
        // A device that cannot be opened is reported when training opens it.
        Some(DeviceName::Auto) => OpenDevice::open(DeviceChoice::Auto).is_ok_and(|device| device.is_cpu()),
        Some(_) => false,
    };
    let published = siren || asks_for_it || mostly_global || !on_cpu || options.sample_fraction.is_some();
    if published { RecipeName::Published } else { RecipeName::Held }
}

/// Adam's step size without options. Published: for pictures twice the paper's, for a quarter of its steps.
pub fn default_learning_rate(recipe: RecipeName, info: &SignalInfo) -> f64 {
    match (recipe, info.kind) {
        (RecipeName::Held, _) => 6e-3,
        (RecipeName::Published, SignalKind::Sound) => 1e-4,
        (RecipeName::Published, _) => 1e-3,
    }
}

/// The steps without options. Published: with the square root of what a step leaves out, for a larger picture of the
/// same scene has smoother partitions; sounds as in the paper.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "bounded")]
pub fn default_steps(recipe: RecipeName, info: &SignalInfo) -> u64 {
    if recipe == RecipeName::Held && info.kind == SignalKind::Shape {
        return SHAPE_STEPS;
    }
    if recipe == RecipeName::Held {
        let fewer = (HELD_SAMPLES as f64 / info.samples().max(HELD_SAMPLES) as f64).powf(0.25);
        return (HELD_STEPS as f64 * fewer).round() as u64;
    }
    let more = (1.0 / default_sample_fraction(recipe, info)).sqrt();
    let steps = if info.kind == SignalKind::Sound { SOUND_STEPS } else { STEPS };
    ((steps as f64 * more).round() as u64).min(MOST_STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::signal::{SampleFormat, ShapeValue};

    #[test]
    fn the_published_picture_is_visited_whole() {
        let info = |side| SignalInfo::picture(side, side, 3, SampleFormat::U8).unwrap();
        assert_eq!(default_steps(RecipeName::Published, &info(512)), 500);
        assert_eq!(default_sample_fraction(RecipeName::Published, &info(10)), 1.0);
    }

    #[test]
    fn longer_clips_get_larger_partitions() {
        let size = |shape| partition_size(&SignalInfo::video(shape, 3, SampleFormat::U8, (25, 1)).unwrap());
        assert_eq!((size([40, 72, 128]), size([1, 1, 1])), (vec![8, 16, 16], vec![8, 16, 16]));
        assert_eq!(size([200_000, 1080, 1920]), [128, 256, 256]);
        // The axes of a clip keep their numbers, whichever is longest.
        let info = SignalInfo::video([400, 32, 64], 3, SampleFormat::U8, (25, 1)).unwrap();
        assert_eq!(network(&EncodeOptions::default(), &info).unwrap().grid.factors(), [50, 2, 4]);
    }

    #[test]
    fn first_sines_of_sounds_turn_alike_whatever_their_partitions() {
        let info = SignalInfo::sound(300_000, 1, SampleFormat::U16, 44_100, 1.0).unwrap();
        let omega = |recipe, partitions| {
            let grid = Grid::new(vec![300_000], vec![partitions], info.kind.coordinate_range()).unwrap();
            first_omega(recipe, &info, &grid)
        };
        assert_eq!(omega(Some(RecipeName::Published), 200), PUBLISHED_OMEGA);
        assert!((omega(Some(RecipeName::Held), 200) - 2.55).abs() < 1e-5);
        assert!((omega(Some(RecipeName::Held), 100) - 5.1).abs() < 1e-5);
        assert_eq!(omega(Some(RecipeName::Held), 3_000), 1.0);
    }

    #[test]
    fn shapes_get_the_published_partitions_at_any_resolution() {
        for (side, size, budget) in [(128, 16, 200_000), (256, 32, 200_000), (64, 8, 50_000), (5, 8, 2_000)] {
            let info = SignalInfo::shape([side, side, side.div_ceil(2)], ShapeValue::Occupancy).unwrap();
            assert_eq!((partition_size(&info), default_budget(Model::LocalGlobal, &info)), (vec![size; 3], budget));
        }
        let shares = |side| {
            let info = SignalInfo::shape([side; 3], ShapeValue::Occupancy).unwrap();
            default_shares(&info, &Grid::new(vec![side; 3], vec![8; 3], info.kind.coordinate_range()).unwrap())
        };
        assert_eq!([16, 128, 256].map(shares), [2, 8, 16]);
    }

    #[test]
    fn the_global_network_is_held_where_it_is_the_smaller_part() {
        let info = |side| SignalInfo::picture(side, side, 3, SampleFormat::U8).unwrap();
        let published = EncodeOptions { local_width: Some(14), global_width: Some(84), ..EncodeOptions::default() };
        assert_eq!(recipe(&published, &info(512)), RecipeName::Held);
        assert_eq!(recipe(&published, &info(128)), RecipeName::Published);
        assert_eq!(recipe(&EncodeOptions::default(), &info(128)), RecipeName::Held);
        let siren = EncodeOptions { model: Some(ModelName::Siren), ..EncodeOptions::default() };
        assert_eq!(recipe(&siren, &info(512)), RecipeName::Published);
        let asked = EncodeOptions { recipe: Some(RecipeName::Held), ..siren };
        assert_eq!(recipe(&asked, &info(512)), RecipeName::Held);
    }
}
