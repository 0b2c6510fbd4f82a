//! From merged options and a signal to a network: automatic partitioning, widths and the work of a step.

mod defaults;
mod latents;
mod light;
mod paper;
mod rated;
mod training;

use anyhow::Result;
use tessera_core::field::{AutomaticRequest, Encoding, FieldSpec, Model, PUBLISHED_OMEGA, automatic, check_blend};
use tessera_core::grid::Grid;
use tessera_core::signal::{SignalInfo, SignalKind};

pub use defaults::{
    default_budget, default_learning_rate, default_sample_fraction, default_shares, default_steps, recipe,
};
pub use light::light;
pub use paper::{compression, paper};
pub use rated::{Rate, bytes_of_rate, rate, rated};
pub use training::{document, settings};

use crate::arguments::EncodeOptions;
use crate::arguments::values::{
    ActivationName, Count, EncodingName, Extents, ModelName, Partitions, RecipeName, SamplesPerAxis,
};
use crate::errors::usage_fault;
use crate::samples::Samples;
use crate::training::{Recipe, Settings, filled_partitions};

/// Wider global networks make every sample dear (a 4 K picture would get 300): the budget goes to local networks.
const LARGEST_GLOBAL_WIDTH: u32 = 96;

/// What `encode` trains.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Canvas and partitions.
    pub grid: Grid,
    /// The network.
    pub spec: FieldSpec,
    /// Partitions that get a local network: all of them, where samples are not known.
    pub networks: u64,
    /// Samples within which decoding blends neighbours, per axis; empty for none.
    pub blend: Vec<u32>,
}

impl Network {
    /// Weights and biases in all.
    pub fn parameters(&self) -> u64 {
        self.spec.parameters(self.networks)
    }
}

/// Chooses factors and widths for a signal.
///
/// Widths that are given are kept; those that are not follow from the parameter budget. `siren` is one network, so
/// partition options contradict it.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for contradictions, the engine's errors for limits.
pub fn network(options: &EncodeOptions, info: &SignalInfo) -> Result<Network> {
    planned(options, info, None)
}

/// [`network`] for a signal whose samples are known: of a shape, the budget is shared by the partitions with anything in
/// them.
///
/// # Errors
/// As [`network`].
pub fn network_of(options: &EncodeOptions, samples: &Samples) -> Result<Network> {
    let network = network(options, samples.info())?;
    if samples.info().kind != SignalKind::Shape {
        return Ok(network);
    }
    planned(options, samples.info(), Some(filled_partitions(samples, &network.grid).len() as u64))
}

fn planned(options: &EncodeOptions, info: &SignalInfo, networks: Option<u64>) -> Result<Network> {
    let model: Model = options.model.unwrap_or(ModelName::LocalGlobal).into();
    if model == Model::Latents {
        return latents::network(options, info);
    }
    if model != Model::LocalGlobal && options.global_width.is_some() {
        return Err(usage_fault(format!(
            "--global-width: {} has no global network; --local-width is its width",
            model.name()
        )));
    }
    let activation = options.activation.unwrap_or(ActivationName::Sine);
    let encoded = options.encoding.is_some_and(|name| name != EncodingName::Mlp) || activation == ActivationName::Relu;
    if encoded && model == Model::LocalGlobal {
        return Err(usage_fault(
            "--encoding and --activation: local-global networks are sine layers on plain coordinates; choose --model siren \
             or per-partition",
        ));
    }
    let factors = match (&options.partitions, model) {
        (Some(Partitions::Factors(f)), Model::Siren) if f.0.iter().any(|&n| n != 1) => {
            return Err(usage_fault(format!(
                "--partitions {f}: siren is one network for the whole signal; leave it out"
            )));
        }
        (Some(Partitions::Factors(factors)), _) => Some(along_axes(factors, info, "--partitions")?),
        _ => None,
    };
    let partition_size = match &options.partition_size {
        Some(size) => along_axes(size, info, "--partition-size")?,
        None => defaults::partition_size(info),
    };
    // The axes of a clip do not stand for each other: the search would give the longest one the first number.
    let factors = factors.or_else(|| {
        (info.kind == SignalKind::Video)
            .then(|| info.shape.iter().zip(&partition_size).map(|(n, size)| n.div_ceil(*size)).collect())
    });
    let budget = options.parameters.map_or_else(|| default_budget(model, info), |Count(n)| n);
    let request = AutomaticRequest {
        model,
        shape: info.shape.clone(),
        channels: info.channels,
        partition_size,
        factors,
        networks,
        parameters: budget,
        global_share: options.global_share.unwrap_or_else(|| defaults::global_share(info)),
        largest_global_width: LARGEST_GLOBAL_WIDTH,
        hidden_layers: options.hidden_layers.unwrap_or(3),
    };
    let (factors, mut spec) = automatic(&request)?;
    let grid = Grid::new(info.shape.clone(), factors, info.kind.coordinate_range())?;
    let partitions = networks.unwrap_or_else(|| grid.partitions().into());
    spec.activation = activation.into();
    // What its numbers are may depend on the width; whether they are valid does not matter yet.
    defaults::encoding(options, info, 1)?;
    let encoding = |width| defaults::encoding(options, info, width).unwrap_or_default();
    let total = |local, global| {
        let widths = FieldSpec { local_width: local, global_width: global, ..spec.clone() };
        FieldSpec { encoding: encoding(local), ..widths }.parameters(partitions)
    };
    let (local, global) = match (options.local_width, options.global_width) {
        (Some(local), Some(global)) => (local, global),
        (Some(local), None) if model == Model::LocalGlobal => {
            (local, largest(LARGEST_GLOBAL_WIDTH, |global| total(local, global) <= budget))
        }
        (Some(local), None) => (local, 0),
        (None, Some(global)) => (largest(1_000, |local| total(local, global) <= budget), global),
        // The published search stops at 95 % of a budget; for the published baseline that would be 251, not 256.
        (None, None) if model == Model::Siren => (smallest(1_000, |local| total(local, 0) >= budget), 0),
        (None, None) if encoded => (largest(1_000, |local| total(local, 0) <= budget), 0),
        (None, None) => (spec.local_width, spec.global_width),
    };
    (spec.local_width, spec.global_width, spec.encoding) = (local, global, encoding(local));
    let first = options.first_omega.or(options.omega);
    spec.first_omega = first.unwrap_or_else(|| defaults::first_omega(options.recipe, info, &grid));
    spec.hidden_omega = options.hidden_omega.or(options.omega).unwrap_or(PUBLISHED_OMEGA);
    spec.validate()?;
    let blend = options.blend.as_ref().map_or_else(|| Ok(Vec::new()), |asked| blend(asked, &grid))?;
    Ok(Network { grid, spec, networks: partitions, blend })
}

/// The options as they were carried out, for the file's record: nothing is left to defaults that a later version may
/// change. Paths and progress are not among the options, so an interrupted and resumed run records the same.
pub fn carried_out(options: &EncodeOptions, network: &Network, settings: &Settings) -> EncodeOptions {
    let spec = &network.spec;
    let (scale, frequencies) = match spec.encoding {
        Encoding::Mlp | Encoding::Latents(_) => (None, None),
        Encoding::Nerf { scale, frequencies }
        | Encoding::Positional { scale, frequencies }
        | Encoding::Gauss { scale, frequencies, .. } => (Some(scale), Some(frequencies)),
    };
    EncodeOptions {
        partitions: Some(Partitions::Factors(Extents(network.grid.factors().to_vec()))),
        local_width: Some(spec.local_width),
        global_width: spec.has_global().then_some(spec.global_width),
        hidden_layers: Some(spec.hidden_layers),
        omega: None,
        first_omega: Some(spec.first_omega),
        hidden_omega: Some(spec.hidden_omega),
        encoding_scale: options.encoding_scale.or_else(|| scale.map(f64::from)),
        frequencies,
        model: Some(options.model.unwrap_or(ModelName::LocalGlobal)),
        steps: Some(Count(settings.steps)),
        recipe: Some(match settings.recipe {
            Recipe::Held => RecipeName::Held,
            Recipe::Published => RecipeName::Published,
        }),
        learning_rate: Some(settings.learning_rate),
        sample_fraction: Some(settings.sample_fraction),
        seed: Some(settings.seed),
        // The same file, whatever the number of threads.
        threads: None,
        ..options.clone()
    }
}

/// A blend as the file records it: nothing along axes without a border, and no list for nothing at all.
fn blend(SamplesPerAxis(asked): &SamplesPerAxis, grid: &Grid) -> Result<Vec<u32>> {
    if asked.len() != grid.axes() {
        return Err(usage_fault(format!(
            "--blend: this signal has {0} axes, so {0} numbers are needed, as in {1}",
            grid.axes(),
            vec!["4"; grid.axes()].join("x")
        )));
    }
    let mut blend = asked.clone();
    for (samples, &factor) in blend.iter_mut().zip(grid.factors()) {
        if factor == 1 {
            *samples = 0;
        }
    }
    if blend.iter().all(|&samples| samples == 0) {
        return Ok(Vec::new());
    }
    check_blend(&blend, grid).map_err(|error| usage_fault(format!("--blend: {error}")))?;
    Ok(blend)
}

fn along_axes(numbers: &Extents, info: &SignalInfo, option: &str) -> Result<Vec<u32>> {
    if numbers.0.len() != info.axes() {
        return Err(usage_fault(format!(
            "{option} {numbers}: this signal has {} axes, so {} numbers are needed",
            info.axes(),
            info.axes()
        )));
    }
    Ok(numbers.0.clone())
}

fn largest(limit: u32, fits: impl Fn(u32) -> bool) -> u32 {
    smallest(limit, |n| !fits(n + 1))
}

fn smallest(limit: u32, enough: impl Fn(u32) -> bool) -> u32 {
    (1..limit).find(|&n| enough(n)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::signal::SampleFormat;

    fn chosen(options: &EncodeOptions, rows: u32, columns: u32) -> Network {
        network(options, &SignalInfo::picture(rows, columns, 3, SampleFormat::U8).unwrap()).unwrap()
    }

    fn factors(text: &str) -> Option<Partitions> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn published_networks_are_reached_by_their_options() {
        let lg = EncodeOptions {
            partitions: factors("16x16"),
            local_width: Some(14),
            global_width: Some(84),
            ..Default::default()
        };
        assert_eq!(chosen(&lg, 512, 512).parameters(), 206_610);
        let alone = EncodeOptions {
            model: Some(ModelName::PerPartition),
            partitions: factors("16x16"),
            local_width: Some(15),
            ..Default::default()
        };
        assert_eq!(chosen(&alone, 512, 512).parameters(), 208_128);
        let siren = EncodeOptions { model: Some(ModelName::Siren), ..Default::default() };
        assert_eq!(chosen(&siren, 512, 512).parameters(), 198_915);
        let automatic =
            EncodeOptions { partitions: factors("12x14"), parameters: Some(Count(200_000)), ..Default::default() };
        assert_eq!(chosen(&automatic, 512, 512).parameters(), 199_106);
        assert_eq!(chosen(&EncodeOptions::default(), 512, 512).parameters(), 199_425);
    }

    #[test]
    fn any_size_gets_a_network_near_its_budget() {
        for (rows, columns) in [(1, 1), (7, 5), (1, 500), (64, 64), (451, 300), (2000, 3000), (4000, 6000)] {
            let network = chosen(&EncodeOptions::default(), rows, columns);
            let info = SignalInfo::picture(rows, columns, 3, SampleFormat::U8).unwrap();
            let budget = default_budget(Model::LocalGlobal, &info);
            let found = network.parameters();
            assert!(found as f64 <= 1.5 * budget as f64, "{rows}x{columns}: {found} for a budget of {budget}");
            assert!(network.spec.global_width <= LARGEST_GLOBAL_WIDTH);
        }
    }

    #[test]
    fn one_given_width_leaves_the_rest_to_the_budget() {
        let local = EncodeOptions { local_width: Some(12), parameters: Some(Count(200_000)), ..Default::default() };
        assert!(chosen(&local, 512, 512).parameters() <= 200_000);
        let global = EncodeOptions { global_width: Some(64), parameters: Some(Count(200_000)), ..Default::default() };
        let found = chosen(&global, 512, 512).parameters();
        assert!((170_000..=200_000).contains(&found), "{found}");
    }

    #[test]
    fn a_blend_is_checked_before_any_work() {
        let blend = |text: &str| {
            let asked =
                EncodeOptions { partitions: factors("2x1"), blend: Some(text.parse().unwrap()), ..Default::default() };
            network(&asked, &SignalInfo::picture(40, 40, 3, SampleFormat::U8).unwrap()).map(|network| network.blend)
        };
        assert_eq!(blend("3x3").unwrap(), [3, 0]);
        assert_eq!(blend("0x3").unwrap(), [0; 0]);
        assert_eq!(blend("10x0").unwrap(), [10, 0]);
        assert!(blend("11x0").unwrap_err().to_string().contains("10 at most"));
        assert!(blend("3").is_err() && blend("0x0x0").is_err());
    }

    #[test]
    fn encodings_have_the_published_numbers() {
        let with = |name, model, width| EncodeOptions {
            encoding: Some(name),
            model: Some(model),
            local_width: width,
            seed: Some(9),
            ..EncodeOptions::default()
        };
        for (name, width, expected) in [
            (EncodingName::Nerf, 32, Encoding::Nerf { scale: 2.0, frequencies: 7 }),
            (EncodingName::Positional, 32, Encoding::Positional { scale: 6.0, frequencies: 16 }),
            (EncodingName::Gauss, 32, Encoding::Gauss { scale: 6.0, frequencies: 32, seed: 9 }),
        ] {
            let network = chosen(&with(name, ModelName::Siren, Some(width)), 512, 768);
            assert_eq!(network.spec.encoding, expected);
            // Where the budget chooses the width, it counts the inputs that the width brings along.
            for model in [ModelName::Siren, ModelName::PerPartition] {
                let found =
                    chosen(&EncodeOptions { parameters: Some(Count(100_000)), ..with(name, model, None) }, 512, 512);
                let share = found.parameters() as f64 / 1e5;
                assert!((0.8..1.05).contains(&share), "{name:?} {model:?}: {}", found.parameters());
            }
        }
        let preset = chosen(&compression(SignalKind::Picture, 32).unwrap(), 512, 768);
        assert_eq!((preset.parameters(), preset.spec.multiply_adds_per_sample()), (5_411, 5_280));
        let info = SignalInfo::picture(64, 64, 3, SampleFormat::U8).unwrap();
        assert!(network(&with(EncodingName::Nerf, ModelName::LocalGlobal, None), &info).is_err());
        let scale = EncodeOptions { encoding_scale: Some(2.0), ..EncodeOptions::default() };
        assert!(network(&scale, &info).is_err());
        let frequencies = Some(100);
        assert!(
            network(&EncodeOptions { frequencies, ..with(EncodingName::Nerf, ModelName::Siren, Some(8)) }, &info)
                .is_err()
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let info = SignalInfo::picture(64, 64, 3, SampleFormat::U8).unwrap();
        let siren = EncodeOptions { model: Some(ModelName::Siren), partitions: factors("4x4"), ..Default::default() };
        assert!(network(&siren, &info).is_err());
        assert!(network(&EncodeOptions { partitions: factors("4"), ..Default::default() }, &info).is_err());
        assert!(network(&EncodeOptions { partitions: factors("65x1"), ..Default::default() }, &info).is_err());
        let wide = EncodeOptions { model: Some(ModelName::PerPartition), global_width: Some(9), ..Default::default() };
        assert!(network(&wide, &info).is_err());
    }
}
