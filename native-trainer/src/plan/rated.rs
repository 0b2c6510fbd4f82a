//! A file of a wanted size: which network fits it, and how large it is to be.

use anyhow::Result;
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::{defaults, light, network};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, Extents, ModelName, Partitions, QualityGoal, RecipeName};
use crate::config::over;
use crate::errors::usage_fault;

/// Bits that a weight takes once it is trained for its size. 6.5 cost 0.3 dB, 3.4 cost 1.2 (`docs/benchmarks.md`).
const BITS_PER_WEIGHT: f64 = 5.4;
/// What header, index, steps and tables of a small file take, in bytes.
const OVERHEAD: f64 = 450.0;
/// What weights take of a tiny file at least.
const LEAST_WEIGHTS: f64 = 0.6;
/// Weights of a local network of other signals than pictures, if partitions may be as large as they like, and by how much these
/// may be longer than those of other files, along every axis: a crop keeps whole ones.
const WEIGHTS: f64 = 4_000.0;
const LONGEST: f64 = 8.0;
/// Longest side of a picture that may be one partition, of which no crop drops anything.
const UNDIVIDED: u32 = 256;
/// Weights per sample from which on a picture is [`RICH`].
const RICH_FROM: f64 = 0.07;
/// Pictures of few weights: large and deep networks, which begin with low frequencies (`docs/benchmarks.md`).
const POOR: PictureRecipe =
    PictureRecipe { weights: 8_000.0, hidden_layers: 6, first_omega: 15.0, passes: 200.0, rate_times_width: 0.046 };
/// Pictures of many weights, where the other recipe is behind by 0.3 dB at 0.5 bits per pixel and by 0.8 to 2.9 at 1.
const RICH: PictureRecipe =
    PictureRecipe { weights: 4_000.0, hidden_layers: 4, first_omega: 30.0, passes: 400.0, rate_times_width: 0.05 };
/// Above so many samples passes become fewer, with the fourth root.
const ALL_PASSES: f64 = 1_048_576.0;
/// Samples of a partition that are enough for a step of its network: 600 passes by steps of a sixteenth of 65,536 samples gained 1.0
/// and 1.7 dB on steps of half of them (`docs/benchmarks.md`).
const SHARE_SAMPLES: u64 = 3_000;
/// More shares than this would leave some samples without a turn for too long.
const MOST_SHARES: u32 = 64;
/// Passes that few steps make at least, by larger shares.
const LEAST_PASSES: u64 = 100;
/// Steps of other signals.
const STEPS: u64 = 1_200;
/// Narrow networks gain nothing by more than this rate.
const LARGEST_RATE: f64 = 4e-3;

/// What decides the size of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// At most so many bytes, and little less.
    Bytes(u64),
    /// The bytes that it takes for about this PSNR in dB.
    Quality(f64),
}

/// How pictures are trained for a size.
struct PictureRecipe {
    /// Of a local network, if partitions may be as large as they like.
    weights: f64,
    /// Sine layers between the first and the last.
    hidden_layers: u32,
    /// Omega of the first layers.
    first_omega: f32,
    /// Of training over all samples; a part is done before weights are rounded.
    passes: f64,
    /// Wider networks bear smaller learning rates.
    rate_times_width: f64,
}

/// The rate that options ask for.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for more than one, or for what contradicts them.
pub fn rate(options: &EncodeOptions, info: &SignalInfo) -> Result<Option<Rate>> {
    let EncodeOptions { bpp, target_size, quality, psnr, weights, .. } = options;
    let rates = [
        bpp.map(|bits| Rate::Bytes(bytes_of_rate(bits, info.samples()))),
        target_size.map(|Count(bytes)| Rate::Bytes(bytes)),
        quality.map(|QualityGoal(psnr_db)| Rate::Quality(psnr_db)),
    ];
    let mut asked = rates.into_iter().flatten();
    let (first, second) = (asked.next(), asked.next());
    if second.is_some() {
        return Err(usage_fault("--bpp, --target-size and --quality each decide the size: choose one"));
    }
    if bpp.is_some_and(|bits| !(1e-6..1e6).contains(&bits)) {
        return Err(usage_fault("--bpp must be a positive number of bits"));
    }
    if first.is_some() && (psnr.is_some() || weights.is_some()) {
        return Err(usage_fault(
            "--bpp, --target-size and --quality do not go with --psnr, which ends training and does not change the size (--quality 38dB does), \
             nor with --weights, as they choose how weights are stored",
        ));
    }
    Ok(first)
}

/// Bits per sample that options ask for; for a quality, what may come of it. `None` without a size.
pub(super) fn bits_per_sample(options: &EncodeOptions, info: &SignalInfo) -> Result<Option<f64>> {
    Ok(rate(options, info)?.map(|rate| match rate {
        Rate::Bytes(bytes) => 8.0 * real(bytes) / real(info.samples()),
        Rate::Quality(_) => 1.0,
    }))
}

/// Whether completed options name a size.
pub(super) fn is_rated(options: &EncodeOptions) -> bool {
    options.bpp.is_some() || options.target_size.is_some() || options.quality.is_some()
}

/// Bytes of a file at so many bits for each of `samples` samples.
pub fn bytes_of_rate(bits_per_sample: f64, samples: u64) -> u64 {
    whole((bits_per_sample * real(samples) / 8.0).max(1.0))
}

/// The network and its training for a file of `bytes` bytes, under what was chosen.
pub fn rated(info: &SignalInfo, chosen: &EncodeOptions, bytes: u64) -> EncodeOptions {
    if super::latents::chosen(chosen, info, bytes) {
        return super::latents::options(info);
    }
    let kind = info.kind;
    let weights = 8.0 / BITS_PER_WEIGHT * (real(bytes) - OVERHEAD).max(LEAST_WEIGHTS * real(bytes));
    let picture = kind == SignalKind::Picture;
    let recipe = if weights < RICH_FROM * real(info.samples()) { POOR } else { RICH };
    let free = chosen.partitions.is_none() && chosen.partition_size.is_none();
    let factors = free && picture && chosen.model != Some(ModelName::Siren);
    // Shapes and sounds need the global network, which costs them nothing as it comes from the seed.
    let light = light(kind, chosen.model);
    let model = if kind == SignalKind::Sound { chosen.model } else { light.model };
    let options = EncodeOptions {
        model,
        parameters: Some(Count(whole(weights.ceil()))),
        partitions: factors.then(|| Partitions::Factors(Extents(picture_factors(info, weights / recipe.weights)))),
        partition_size: (free && !picture).then(|| Extents(partition_size(info, weights))),
        hidden_layers: if picture { Some(recipe.hidden_layers) } else { light.hidden_layers },
        first_omega: (picture && chosen.omega.is_none()).then_some(recipe.first_omega),
        global_width: light.global_width,
        steps: Some(Count(STEPS)),
        ..EncodeOptions::default()
    };
    let wanted = over(chosen.clone(), options.clone());
    if !picture || super::recipe(&wanted, info) != RecipeName::Held {
        return options;
    }
    // A network that cannot be planned is reported where it is planned.
    let Ok(network) = network(&wanted, info) else { return options };
    EncodeOptions {
        steps: Some(Count(steps(info, recipe.passes * f64::from(shares(&network.grid, u64::MAX))))),
        learning_rate: Some((recipe.rate_times_width / f64::from(network.spec.local_width)).min(LARGEST_RATE)),
        ..options
    }
}

/// Rows and columns of about so many partitions, about square.
fn picture_factors(info: &SignalInfo, partitions: f64) -> Vec<u32> {
    let shape = &info.shape;
    let usual = defaults::partition_size(info).into_iter().min().map_or(1.0, f64::from);
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    axes.sort_by_key(|&axis| shape[axis]);
    let (mut samples, mut partitions) = (shape.iter().map(|&n| f64::from(n)).product::<f64>(), partitions.max(1.0));
    let mut factors = vec![1; shape.len()];
    // The shortest first, as it may be too short for its share of them.
    for (left, axis) in (1..=shape.len()).rev().zip(axes) {
        let length = f64::from(shape[axis]);
        let side = (samples / partitions).powf(1.0 / real(left as u64)).max(usual);
        factors[axis] = length_of(length / side);
        (samples, partitions) = (samples / length, (partitions / f64::from(factors[axis])).max(1.0));
    }
    let longest = shape.iter().zip(&mut factors).max_by_key(|(n, _)| **n);
    if let Some((_, factor)) = longest.filter(|(n, factor)| **n > UNDIVIDED && **factor == 1) {
        *factor = 2;
    }
    factors
}

/// Samples along every axis of another signal's partitions.
fn partition_size(info: &SignalInfo, weights: f64) -> Vec<u32> {
    let size = defaults::partition_size(info);
    let usual: f64 = size.iter().map(|&n| f64::from(n)).product();
    let wanted = real(info.samples()) * WEIGHTS / weights.max(1.0);
    let longer = (wanted / usual).powf(1.0 / real(size.len().max(1) as u64)).clamp(1.0, LONGEST);
    size.iter().map(|&n| length_of(f64::from(n) * longer)).collect()
}

/// Shares of the samples that `steps` steps of a picture's training take in turn.
pub(super) fn shares(grid: &Grid, steps: u64) -> u32 {
    let samples = grid.samples() / u64::from(grid.partitions());
    u32::try_from(samples / SHARE_SAMPLES)
        .unwrap_or(u32::MAX)
        .min(MOST_SHARES)
        .min(u32::try_from(steps / LEAST_PASSES).unwrap_or(u32::MAX))
        .max(2)
}

pub(super) fn steps(info: &SignalInfo, wanted: f64) -> u64 {
    let fewer = (ALL_PASSES / real(info.samples()).max(ALL_PASSES)).powf(0.25);
    whole((wanted * fewer).round())
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples and bytes, far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and nothing here is negative")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// The nearest number of samples or partitions along an axis, at least 1.
fn length_of(number: f64) -> u32 {
    u32::try_from(whole(number.round())).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::values::Preset;
    use crate::{config, plan};
    use clap::ValueEnum;
    use tessera_core::signal::SampleFormat;

    fn kodak() -> SignalInfo {
        SignalInfo::picture(512, 768, 3, SampleFormat::U8).unwrap()
    }

    fn networks() -> EncodeOptions {
        EncodeOptions { model: Some(ModelName::PerPartition), ..EncodeOptions::default() }
    }

    #[test]
    fn networks_grow_with_the_file_and_their_partitions_shrink() {
        let network = |bpp: f64| {
            let options = EncodeOptions { bpp: Some(bpp), ..networks() };
            plan::network(&config::completed(options, &kodak()).unwrap(), &kodak()).unwrap()
        };
        let (small, large) = (network(0.1), network(1.0));
        assert!(small.grid.partitions() > 1, "a crop must have something to drop");
        assert_eq!((small.grid.factors(), large.grid.factors()), (&[1, 2][..], &[3, 6][..]));
        assert!(small.grid.partitions() < large.grid.partitions());
        for (network, bits) in [(&small, 0.1 * 393_216.0), (&large, 393_216.0)] {
            let rate = bits / network.parameters() as f64;
            assert!((4.5..9.0).contains(&rate), "{rate} bits a weight");
        }
    }

    #[test]
    fn what_is_chosen_stays_and_pictures_of_any_form_are_divided() {
        let of = |options: EncodeOptions, rows: u32, columns: u32| {
            let info = SignalInfo::picture(rows, columns, 3, SampleFormat::U8).unwrap();
            let options = EncodeOptions { bpp: Some(0.3), ..options };
            let completed = config::completed(options, &info).unwrap();
            let network = plan::network(&completed, &info).unwrap();
            (network.grid.factors().to_vec(), network.spec.first_omega, completed)
        };
        let grid = |options: &EncodeOptions| plan::network(options, &kodak()).unwrap().grid;
        let (factors, omega, completed) = of(networks(), 512, 768);
        assert_eq!((factors, omega), (vec![1, 3], POOR.first_omega));
        // 43 shares of 131,072 samples, and a width of 33.
        assert_eq!(
            (completed.steps, completed.learning_rate),
            (Some(Count(8_600)), Some(POOR.rate_times_width / 33.0))
        );
        let size = Some(Extents(vec![128, 128]));
        assert_eq!(of(EncodeOptions { partition_size: size, ..networks() }, 512, 768).0, [4, 6]);
        assert_eq!(plan::settings(&completed, &kodak(), &grid(&completed)).unwrap().shares, 43);
        let few = EncodeOptions { steps: Some(Count(1_200)), ..completed };
        assert_eq!(plan::settings(&few, &kodak(), &grid(&few)).unwrap().shares, 12);
        let siren = EncodeOptions { model: Some(ModelName::Siren), omega: Some(30.0), ..EncodeOptions::default() };
        let (factors, omega, completed) = of(siren, 512, 768);
        assert_eq!((factors, omega, completed.steps), (vec![1, 1], 30.0, Some(Count(STEPS))));
        for preset in Preset::value_variants() {
            let (factors, _, _) = of(EncodeOptions { preset: Some(*preset), ..EncodeOptions::default() }, 512, 768);
            assert_eq!(factors.len(), 2, "{preset:?}");
        }
        for (rows, columns) in [(1, 1), (1, 900), (900, 1), (3, 200_000), (257, 256), (4_000, 6_000)] {
            let (factors, _, completed) = of(networks(), rows, columns);
            let divided = factors.iter().product::<u32>() > 1;
            assert!(divided == (rows.max(columns) > UNDIVIDED), "{rows}x{columns}: {factors:?}");
            let many = factors.iter().product::<u32>();
            assert!(many <= if rows < 1_000 { 8 } else { 1_000 }, "{rows}x{columns}: {factors:?}");
            assert!(completed.learning_rate.unwrap() <= LARGEST_RATE);
        }
    }

    #[test]
    fn rates_do_not_contradict_each_other() {
        let asked = |options: &EncodeOptions| rate(options, &kodak());
        let bpp = EncodeOptions { bpp: Some(0.5), ..EncodeOptions::default() };
        assert_eq!(asked(&bpp).unwrap(), Some(Rate::Bytes(24_576)));
        assert_eq!(asked(&EncodeOptions::default()).unwrap(), None);
        let quality = EncodeOptions { quality: Some(QualityGoal(32.0)), ..EncodeOptions::default() };
        assert_eq!(asked(&quality).unwrap(), Some(Rate::Quality(32.0)));
        for contradiction in [
            EncodeOptions { quality: Some(QualityGoal(32.0)), ..bpp.clone() },
            EncodeOptions { psnr: Some(30.0), ..bpp.clone() },
            EncodeOptions { bpp: Some(f64::NAN), ..bpp.clone() },
        ] {
            assert!(asked(&contradiction).is_err(), "{contradiction:?}");
        }
    }
}
