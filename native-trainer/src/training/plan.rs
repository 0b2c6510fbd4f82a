//! What to train, and what a front end gets to see of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rayon::prelude::*;
use tessera_core::field::{Field, FieldSpec};
use tessera_core::grid::Grid;
use tessera_core::signal::SignalKind;

use super::TrainingError;
use super::rounding::RoundedTraining;
use crate::samples::Samples;

/// A signal, the network that shall represent it, and how to train it.
#[derive(Debug, Clone)]
pub struct TrainingPlan {
    /// The values to reproduce, in [-1, 1].
    pub samples: Samples,
    /// Canvas and partitions.
    pub grid: Grid,
    /// The network.
    pub spec: FieldSpec,
    /// Everything else.
    pub settings: Settings,
}

impl TrainingPlan {
    /// The partitions that get a network, ascending: all of them, but of a shape only those with anything in them
    /// (reference/local-global.md 3). The others decode to what lies outside.
    pub fn present(&self) -> Vec<u32> {
        match self.samples.info().kind {
            SignalKind::Shape => filled_partitions(&self.samples, &self.grid),
            _ => (0..self.grid.partitions()).collect(),
        }
    }

    /// The partitions that do not.
    pub fn empty(&self) -> Vec<u32> {
        let present = self.present();
        (0..self.grid.partitions()).filter(|p| present.binary_search(p).is_err()).collect()
    }

    /// PSNR in dB of a loss, as published for the kind of signal.
    pub fn psnr_db(&self, loss: f64) -> f64 {
        self.samples.info().kind.psnr_db(loss)
    }
}

/// The partitions of a shape that hold anything but what is far outside, ascending. Shapes lie in memory; of samples that
/// do not, all partitions are named.
#[expect(clippy::float_cmp, reason = "what is far outside has exactly this value")]
pub fn filled_partitions(shape: &Samples, grid: &Grid) -> Vec<u32> {
    let Samples::Memory(shape) = shape else { return (0..grid.partitions()).collect() };
    let outside = shape.info.shape_value().outside();
    let filled = |&p: &u32| grid.partition_rows(p).any(|row| shape.values[row].iter().any(|&v| v != outside));
    (0..grid.partitions()).into_par_iter().filter(filled).collect()
}

/// How to train. [`Settings::default`] is the published setting for pictures (reference/local-global.md 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Updates of the weights after which training ends.
    pub steps: u64,
    /// Ends training as soon as the training loss means this PSNR, in dB.
    pub psnr_db: Option<f64>,
    /// Ends training after this many seconds; an earlier run that is resumed counts.
    pub max_seconds: Option<f64>,
    /// Step size of Adam; above 0, at most 1. Constant, but for [`Settings::patience`] and the held recipe.
    pub learning_rate: f64,
    /// Weight of the sum of all weights' and biases' magnitudes in what training minimises; 0 for none. Published recipe
    /// only.
    pub l1: f64,
    /// Halves the learning rate after more steps than this without an improvement ([`super::Plateau`]). Published recipe only.
    pub patience: Option<u64>,
    /// Ends training after this many steps without better weights, as published for compression (5,000). Published recipe
    /// only.
    pub early_stop: Option<u64>,
    /// Share of every partition's samples that one step sees, above 0, at most 1. Below 1 they are drawn uniformly
    /// with replacement, at least one per partition.
    pub sample_fraction: f64,
    /// Samples beyond its borders that a partition's sampled batches are drawn from as well, one number per axis; empty
    /// for none.
    pub overlap: Vec<u32>,
    /// Determines the start weights and the drawn samples.
    pub seed: u64,
    /// How training goes about it.
    pub recipe: Recipe,
    /// Into how many shares, one for each step in turn, the held recipe deals the samples of a partition.
    pub shares: u32,
    /// Steps over which the rate of the held recipe rises to `learning_rate`; 0 for one that is there at once.
    pub warm_up: u64,
    /// Samples that the held recipe trains at a time; `None`: as many as fit in 96 MiB of what is held.
    pub group_samples: Option<u64>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Worker threads on the CPU; all cores where `None`.
    pub threads: Option<usize>,
    /// Where to save the state of the run, if at all.
    pub checkpoint: Option<CheckpointSettings>,
    /// What computes loss and gradients.
    pub engine: EngineChoice,
    /// Seconds between two snapshots of the weights for who watches; none where `None`.
    pub snapshot_every_seconds: Option<f64>,
    /// Quantised weights are trained where there are steps for them; the held recipe only.
    pub rounding: Option<RoundedTraining>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            steps: 1000,
            psnr_db: None,
            max_seconds: None,
            learning_rate: 5e-4,
            l1: 0.0,
            patience: None,
            early_stop: None,
            sample_fraction: 1.0,
            overlap: Vec::new(),
            seed: 0,
            recipe: Recipe::Published,
            shares: 2,
            warm_up: 0,
            group_samples: None,
            device: DeviceChoice::Auto,
            threads: None,
            checkpoint: None,
            engine: EngineChoice::Auto,
            snapshot_every_seconds: None,
            rounding: None,
        }
    }
}

/// How training goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// Every weight, every step, one learning rate (reference/local-global.md 3) or one that halves at rest
    /// (reference/inr-compression.md 4).
    Published,
    /// The global network keeps its start weights; local networks and the merge are trained, groups of partitions one
    /// after the other, with falling rates. See `held`.
    Held,
}

impl Recipe {
    /// The name, as the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Held => "held",
        }
    }

    /// For a checkpoint: constant rates let a run go on for more steps, falling ones do not.
    pub(super) fn steps_that_matter(self, steps: u64) -> String {
        match self {
            Self::Published => "any".to_owned(),
            Self::Held => steps.to_string(),
        }
    }
}

/// When and where the state of a run is saved.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointSettings {
    /// The file. It is replaced atomically, and written at the end of a run as well.
    pub path: PathBuf,
    /// Seconds between two saves.
    pub every_seconds: f64,
    /// Continue from the file where it exists; without one the run starts at step 0.
    pub resume: bool,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// A GPU where this program was built for one and one answers, else the CPU.
    Auto,
    /// The CPU, by burn's flex backend or the fused kernel.
    Cpu,
    /// The CPU, by burn's older ndarray backend (feature `ndarray`).
    Ndarray,
    /// An NVIDIA GPU (feature `cuda`).
    Cuda,
    /// A GPU through Vulkan (feature `vulkan`).
    Vulkan,
    /// An Apple GPU (feature `metal`).
    Metal,
    /// A GPU through WebGPU's shading language on whatever driver there is (feature `webgpu`).
    Webgpu,
}

impl DeviceChoice {
    /// Every choice, in the order of the help text.
    pub const ALL: [Self; 7] =
        [Self::Auto, Self::Cpu, Self::Ndarray, Self::Cuda, Self::Vulkan, Self::Metal, Self::Webgpu];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Webgpu => "webgpu",
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DeviceChoice {
    type Err = TrainingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|c| c.name()).collect();
            TrainingError::Settings(format!("unknown device `{text}`: it is one of {}", names.join(", ")))
        })
    }
}

/// What computes loss and gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineChoice {
    /// The fused kernel where the device has one, else burn's general operations.
    Auto,
    /// The fused kernel with its hand-written backward pass.
    Fused,
    /// burn's general operations and automatic differentiation: works on every device, and checks the fused one.
    General,
}

impl EngineChoice {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fused => "fused",
            Self::General => "general",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EngineChoice {
    type Err = TrainingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Auto, Self::Fused, Self::General]
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| TrainingError::Settings(format!("unknown engine `{text}`: it is auto, fused or general")))
    }
}

/// What a front end sees while training runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Device and engine are ready.
    Started {
        /// The device in words.
        device: String,
        /// The engine in words.
        engine: String,
        /// Updates that were done before, by the run that is resumed; 0 for a fresh one.
        first_step: u64,
    },
    /// One update was done.
    Step {
        /// Updates so far.
        step: u64,
        /// Updates in all, unless something ends training earlier.
        steps: u64,
        /// Mean squared error on this step's samples, of the weights before the update.
        loss: f64,
        /// The same as PSNR in dB, as published for the kind of signal.
        psnr_db: f64,
        /// The learning rate of this step; where it falls, that of the local networks.
        learning_rate: f64,
        /// Seconds of training so far, an earlier run that was resumed included.
        seconds: f64,
        /// Samples of this step over its seconds.
        samples_per_second: f64,
    },
    /// What the weights are now, where [`Settings::snapshot_every_seconds`] asks for it.
    Snapshot {
        /// Updates so far.
        step: u64,
        /// The field.
        field: Box<Field>,
    },
    /// The state was saved.
    CheckpointSaved {
        /// Updates so far.
        step: u64,
        /// The file.
        path: PathBuf,
    },
}

/// What ended training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoppedBy {
    /// All steps are done.
    Steps,
    /// The wanted PSNR is reached.
    Psnr,
    /// The time is up.
    MaxTime,
    /// No better weights came for long.
    EarlyStop,
    /// The stop flag was set.
    Interrupted,
}

impl StoppedBy {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Psnr => "psnr",
            Self::MaxTime => "max-time",
            Self::EarlyStop => "early-stop",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The end of a training run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The field with the best weights seen.
    pub field: Field,
    /// Updates that were done, an earlier run that was resumed included.
    pub steps: u64,
    /// Seconds of training, an earlier run that was resumed included.
    pub seconds: f64,
    /// After how many updates the best weights were seen.
    pub best_step: u64,
    /// Why it ended.
    pub stopped_by: StoppedBy,
    /// The device in words.
    pub device: String,
    /// The engine in words.
    pub engine: String,
    /// PSNR in dB of the loss by which the best weights were chosen: over every sample in full-batch training, over a
    /// fixed draw of at most about 65,536 samples in sampled training. Values are not clamped or rounded before.
    pub psnr_db: f64,
}
