//! Latent grids: for which pictures, and how many.

use anyhow::Result;
use tessera_core::field::latents::Pyramid;
use tessera_core::field::{Activation, Encoding, FieldSpec, Model};
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::rated::{bits_per_sample, steps};
use super::{Network, along_axes, blend};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, DeviceName, ModelName, Partitions};
use crate::errors::usage_fault;

/// Samples of a partition's side, about.
const SIDE: f64 = 256.0;
/// Width of the synthesis network, and its layers between the first and the last.
const WIDTH: u32 = 16;
const HIDDEN_LAYERS: u32 = 1;
/// The coarsest level: a node for 64 samples along each axis.
const COARSEST: u32 = 6;
/// Bits per sample below which the finest level is not worth its time.
const COARSE_BELOW: f64 = 0.15;
/// Steps of training.
const STEPS: f64 = 400.0;

/// Whether a picture of a wanted size becomes latents: wherever nothing was chosen that they have not.
pub(super) fn suits(info: &SignalInfo, chosen: &EncodeOptions) -> bool {
    if chosen.model == Some(ModelName::Latents) {
        return true;
    }
    let EncodeOptions {
        model,
        parameters,
        global_share,
        local_width,
        global_width,
        hidden_layers,
        omega,
        first_omega,
        hidden_omega,
        encoding,
        activation,
        recipe,
        learning_rate,
        sample_fraction,
        device,
        ..
    } = chosen;
    let plain =
        model.is_none() && encoding.is_none() && activation.is_none() && recipe.is_none() && parameters.is_none();
    let widths = local_width.is_none() && global_width.is_none() && hidden_layers.is_none() && global_share.is_none();
    let omegas = omega.is_none() && first_omega.is_none() && hidden_omega.is_none();
    let on_cpu = matches!(device, None | Some(DeviceName::Cpu | DeviceName::Auto));
    let usual = learning_rate.is_none() && sample_fraction.is_none() && on_cpu;
    info.kind == SignalKind::Picture && plain && widths && omegas && usual
}

/// What a size means for latents.
pub(super) fn options(info: &SignalInfo, chosen: &EncodeOptions) -> EncodeOptions {
    let _ = chosen;
    EncodeOptions {
        model: Some(ModelName::Latents),
        steps: Some(Count(steps(info, STEPS))),
        ..EncodeOptions::default()
    }
}

/// The grid and the pyramids of a picture.
pub(super) fn network(options: &EncodeOptions, info: &SignalInfo) -> Result<Network> {
    if info.kind != SignalKind::Picture {
        return Err(usage_fault("--model latents is for pictures"));
    }
    let Some(rate) = bits_per_sample(options, info) else {
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
    let spec = FieldSpec {
        model: Model::Latents,
        hidden_layers: options.hidden_layers.unwrap_or(HIDDEN_LAYERS),
        local_width: pyramid.levels,
        global_width: options.global_width.unwrap_or(WIDTH),
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
