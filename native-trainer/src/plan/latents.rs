//! Latent grids: for which pictures, and how many.

use anyhow::Result;
use tessera_core::field::latents::Pyramid;
use tessera_core::field::{Activation, Encoding, FieldSpec, Model};
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::rated::{bits_per_sample, steps};
use super::{Network, along_axes, blend};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, DeviceName, ModelName, Partitions, RecipeName};
use crate::errors::usage_fault;

/// Samples of a partition's side, about.
const SIDE: f64 = 256.0;
/// Width of the synthesis network, and its layers between the first and the last: about 800 bytes.
const WIDTH: u32 = 16;
const HIDDEN_LAYERS: u32 = 2;
/// Smaller files have a smaller network, of about 300 bytes: 1.1 to 2.6 dB more at 2,000 bytes, 0.1 at 3,000 (kodim08, 23). By 4,900 the
/// larger one is 0.3 dB ahead.
const FEW_BYTES: f64 = 3_500.0;
const SMALL_WIDTH: u32 = 8;
const SMALL_HIDDEN_LAYERS: u32 = 1;
/// The coarsest level: a node for 64 samples along each axis.
const COARSEST: u32 = 6;
/// Bits per sample below which the finest level is not worth its time.
const COARSE_BELOW: f64 = 0.15;
/// Smaller files are networks: what latents take besides, for each partition and, as no file holds more to a byte, for each latent.
/// A tenth more, and they are the better ones.
const BESIDE: f64 = 700.0;
const OF_PARTITION: f64 = 8.0;
const OF_LATENT: f64 = 1.0 / 128.0;
const ROOM: f64 = 1.1;
const LEAST_BYTES: f64 = 1_000.0;
/// Steps of training.
const STEPS: f64 = 800.0;

/// Whether a file of `bytes` bytes holds latents: where they are asked for, and of pictures where nothing is said of the network
/// or how it is trained.
pub(super) fn chosen(options: &EncodeOptions, info: &SignalInfo, bytes: u64) -> bool {
    let EncodeOptions { model, hidden_layers, global_width, recipe, .. } = options;
    let free = model.is_none() && hidden_layers.is_none() && global_width.is_none() && recipe.is_none();
    *model == Some(ModelName::Latents)
        || free && info.kind == SignalKind::Picture && is_enough(bytes, info) && unfit(options).is_none()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn is_enough(bytes: u64, info: &SignalInfo) -> bool {
    let (bytes, samples) = (bytes as f64, info.samples() as f64);
    let partitions: f64 = factors(&info.shape).into_iter().map(f64::from).product();
    // All levels from the finest on.
    let latents = samples * 4.0 / 3.0 / if 8.0 * bytes < COARSE_BELOW * samples { 4.0 } else { 1.0 };
    bytes >= (ROOM * (BESIDE + OF_PARTITION * partitions + OF_LATENT * latents)).max(LEAST_BYTES)
}

/// What a size means for latents.
pub(super) fn options(info: &SignalInfo) -> EncodeOptions {
    EncodeOptions {
        model: Some(ModelName::Latents),
        steps: Some(Count(steps(info, STEPS))),
        ..EncodeOptions::default()
    }
}

/// The first option that is for networks.
fn unfit(options: &EncodeOptions) -> Option<&'static str> {
    let unfit = [
        ("--local-width", options.local_width.is_some()),
        ("--parameters", options.parameters.is_some()),
        ("--global-share", options.global_share.is_some()),
        ("--omega", options.omega.is_some()),
        ("--first-omega", options.first_omega.is_some()),
        ("--hidden-omega", options.hidden_omega.is_some()),
        ("--encoding", options.encoding.is_some()),
        ("--encoding-scale", options.encoding_scale.is_some()),
        ("--frequencies", options.frequencies.is_some()),
        ("--activation", options.activation.is_some()),
        ("--recipe published", options.recipe == Some(RecipeName::Published)),
        ("--learning-rate", options.learning_rate.is_some()),
        ("--l1", options.l1.is_some()),
        ("--patience", options.patience.is_some()),
        ("--early-stop", options.early_stop.is_some()),
        ("--sample-fraction", options.sample_fraction.is_some()),
        ("--overlap", options.overlap.is_some()),
        ("--device", !matches!(options.device, None | Some(DeviceName::Cpu | DeviceName::Auto))),
    ];
    unfit.iter().find(|(_, given)| *given).map(|(option, _)| *option)
}

/// The grid and the pyramids of a picture.
pub(super) fn network(options: &EncodeOptions, info: &SignalInfo) -> Result<Network> {
    if info.kind != SignalKind::Picture {
        return Err(usage_fault("--model latents is for pictures"));
    }
    if let Some(option) = unfit(options) {
        return Err(usage_fault(format!(
            "{option} and the presets that choose it are for networks; latents have --partitions, --partition-size, \
             --global-width, --hidden-layers and --steps"
        )));
    }
    let Some(rate) = bits_per_sample(options, info)? else {
        return Err(usage_fault("--model latents needs a size: name one with --bpp, --target-size or --quality"));
    };
    let factors = match (&options.partitions, &options.partition_size) {
        (Some(Partitions::Factors(factors)), _) => along_axes(factors, info, "--partitions")?,
        (_, Some(size)) => {
            let size = along_axes(size, info, "--partition-size")?;
            info.shape.iter().zip(size).map(|(&n, size)| n.div_ceil(size.max(1))).collect()
        }
        _ => factors(&info.shape),
    };
    let grid = Grid::new(info.shape.clone(), factors, info.kind.coordinate_range())?;
    let longest = grid.partition_box(0).iter().map(|range| range.end - range.start).max().unwrap_or(1);
    let coarsest = COARSEST.min(longest.next_power_of_two().ilog2());
    let finest = u32::from(rate < COARSE_BELOW).min(coarsest);
    let pyramid = Pyramid::new(&grid, coarsest - finest + 1, finest)?;
    let axes = u32::try_from(grid.axes()).unwrap_or(u32::MAX);
    // A quality says nothing of bytes; its rate is a bit per sample.
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let bytes = rate * grid.samples() as f64 / 8.0;
    let (width, hidden_layers) =
        if bytes < FEW_BYTES { (SMALL_WIDTH, SMALL_HIDDEN_LAYERS) } else { (WIDTH, HIDDEN_LAYERS) };
    let spec = FieldSpec {
        model: Model::Latents,
        hidden_layers: options.hidden_layers.unwrap_or(hidden_layers),
        local_width: pyramid.levels,
        global_width: options.global_width.unwrap_or(width),
        encoding: Encoding::Latents(pyramid),
        activation: Activation::LeakyRelu,
        ..FieldSpec::siren(axes, info.channels, 1)
    };
    spec.validate()?;
    let blend = options.blend.as_ref().map_or_else(|| Ok(Vec::new()), |asked| blend(asked, &grid))?;
    Ok(Network { networks: grid.partitions().into(), grid, spec, blend })
}

/// Partitions along each axis: what is longer than a side is at least two, so that a crop has something to drop.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of samples")]
fn factors(shape: &[u32]) -> Vec<u32> {
    let along = |&n: &u32| {
        let parts = (f64::from(n) / SIDE).round().max(1.0) as u32;
        if f64::from(n) > SIDE { parts.max(2) } else { parts }
    };
    shape.iter().map(along).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::values::Preset;
    use crate::config;
    use tessera_core::signal::SampleFormat;

    fn completed(options: EncodeOptions, info: &SignalInfo) -> EncodeOptions {
        config::completed(EncodeOptions { target_size: Some(Count(24_576)), ..options }, info).unwrap()
    }

    #[test]
    fn pictures_of_a_size_are_latents_unless_something_else_is_asked_for() {
        let kodak = SignalInfo::picture(512, 768, 3, SampleFormat::U8).unwrap();
        let default = EncodeOptions::default;
        for (preset, steps) in [(Preset::Draft, 200), (Preset::Fast, 800), (Preset::Fine, 3_200)] {
            let completed = completed(EncodeOptions { preset: Some(preset), ..default() }, &kodak);
            assert_eq!((completed.model, completed.steps), (Some(ModelName::Latents), Some(Count(steps))));
            assert_eq!(network(&completed, &kodak).unwrap().grid.factors(), [2, 3]);
        }
        for options in [
            EncodeOptions { preset: Some(Preset::Light), ..default() },
            EncodeOptions { preset: Some(Preset::Strumpler32), ..default() },
            EncodeOptions { model: Some(ModelName::LocalGlobal), ..default() },
            EncodeOptions { local_width: Some(12), ..default() },
            EncodeOptions { hidden_layers: Some(2), ..default() },
            EncodeOptions { l1: Some(1e-5), ..default() },
        ] {
            assert_ne!(completed(options.clone(), &kodak).model, Some(ModelName::Latents), "{options:?}");
        }
        for (bytes, size) in [(3_499, (8, 1)), (3_501, (16, 2))] {
            let of_bytes = EncodeOptions { target_size: Some(Count(bytes)), ..default() };
            let spec = network(&config::completed(of_bytes, &kodak).unwrap(), &kodak).unwrap().spec;
            assert_eq!((spec.global_width, spec.hidden_layers), size, "{bytes}");
        }
        let sound = SignalInfo::sound(44_100, 1, SampleFormat::U16, 44_100, 1.0).unwrap();
        assert_eq!(completed(default(), &sound).model, None);
        for (bytes, model) in [(1_900, ModelName::PerPartition), (2_000, ModelName::Latents)] {
            let few = EncodeOptions { target_size: Some(Count(bytes)), ..default() };
            assert_eq!(config::completed(few, &kodak).unwrap().model, Some(model), "{bytes}");
        }
    }
}
