//! `tessera encode`: the training options (which may also come from a configuration file) and the run's own flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::ClipArguments;
use super::values::{
    ActivationName, Count, DeviceName, EncodingName, Extents, ModelName, Partitions, Preset, QualityGoal, RecipeName,
    SamplesPerAxis, Seconds, WeightsName,
};
use crate::media::shape::{FieldName, RawVoxels, Sampling};

const EXAMPLES: &str = "\
Examples:
  tessera encode photo.jpg -o photo.inr
  tessera encode photo.jpg -o photo.inr --psnr 35 --max-time 5m
  tessera encode photo.jpg -o small.inr --bpp 0.5
  tessera encode photo.jpg -o small.inr --quality 60
  tessera encode photo.png -o photo.inr --preset paper --seed 0 --json
  tessera encode photo.png -o small.inr --preset strumpler-32
  tessera encode photo.png -o photo.inr --checkpoint photo.ckpt --resume
  tessera encode photos/*.jpg -o encoded/ --resume
  tessera encode photo.png -o photo.inr --log-dir runs/photo
  tessera encode photo.png -o photo.inr --watch
  tessera encode clip.mp4 -o clip.inr --resize 256x144 --frames 100
  tessera encode frames/ -o clip.inr --frame-rate 24
  tessera encode song.flac -o song.inr
  tessera encode statue.obj -o statue.inr --resolution 256
  tessera encode clip.mp4 -o clip.inr --preset light
  tessera encode speech.wav -o speech.inr --preset paper --model siren
  curl -s https://example.org/photo.png | tessera encode - -o - > photo.inr

Options of the network and of training may also stand in the file of --config (TOML,
`learning-rate = 5e-4`) or in the environment (TESSERA_LEARNING_RATE). Flags win over the
environment, the environment over the file, the file over --preset.";

/// `tessera encode IN -o OUT.inr`
///
/// Training stops at --steps, --psnr, --max-time or Ctrl-C, whichever comes first, and the best weights so far are
/// written. What the input is follows from its first bytes. Without options: Local-Global with parameters that grow
/// with the signal (200k for 262,144 samples), partitions of about 32x32 samples of a picture, or of a fraction of a
/// second of a sound. A shape has 200k from 128 samples a side on, which the partitions with anything in them share.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct EncodeArguments {
    /// What to encode: a picture, a sound, a shape, a clip or a folder of pictures; - for stdin. Several inputs are encoded one
    /// after the other
    #[arg(value_name = "IN", required = true)]
    pub inputs: Vec<PathBuf>,
    /// File to write; - for stdout. A folder (its name ends with a slash, or it exists) takes a file per input
    #[arg(long, short, value_name = "OUT.inr|FOLDER/")]
    pub output: PathBuf,
    /// Overwrite the output if it exists
    #[arg(long, short)]
    pub force: bool,
    /// Which part of a clip.
    #[command(flatten)]
    pub clip: ClipArguments,
    /// The training options.
    #[command(flatten)]
    pub options: EncodeOptions,
    /// Read training options from a TOML file
    #[arg(long, value_name = "FILE", env = "TESSERA_CONFIG", hide_env = true, help_heading = "Run")]
    pub config: Option<PathBuf>,
    /// Save the training state here, to go on after an interruption; a folder where there are several inputs
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub checkpoint: Option<PathBuf>,
    /// Time between two checkpoints
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "checkpoint", help_heading = "Run")]
    pub every: Seconds,
    /// Go on from the checkpoint if it exists; the result is the same as without the interruption. Of several inputs,
    /// those whose files are there and complete are left alone; what an interruption left is NAME.interrupted.inr
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Log curves and previews for TensorBoard into this folder; of several inputs each into a folder of its own in it
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub log_dir: Option<PathBuf>,
    /// Serve the page on this computer while training, with the field as it gets better
    #[arg(long, help_heading = "Run")]
    pub watch: bool,
    /// Port of --watch on 127.0.0.1 [default: a free one]
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        value_name = "PORT",
        requires = "watch",
        help_heading = "Run"
    )]
    pub port: u16,
    /// Folder of the built page [default: beside the program, or www/dist of the checkout]
    #[arg(long, env = "TESSERA_PAGE", hide_env = true, value_name = "DIR", help_heading = "Run")]
    pub page: Option<PathBuf>,
    /// How training reports on stderr
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW", help_heading = "Run")]
    pub progress: ProgressStyle,
}

/// How training reports on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar on a terminal, else a line now and then
    Auto,
    /// One JSON object per line
    Json,
    /// Nothing
    None,
}

impl EncodeOptions {
    /// How a shape is to be sampled.
    pub fn sampling(&self) -> Sampling {
        let Self { resolution, padding, field, voxels, .. } = self;
        Sampling { resolution: *resolution, padding: *padding, field: *field, voxels: voxels.clone() }
    }
}

/// The options that decide the result. All optional: [`crate::config`] merges the layers.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EncodeOptions {
    /// Named settings, below all others
    #[arg(long, value_enum, env = "TESSERA_PRESET", hide_env = true, value_name = "NAME", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,

    /// What a file holds [default: local-global; with --bpp, --target-size or --quality latents for pictures and per-partition
    /// for clips]
    #[arg(long, value_enum, env = "TESSERA_MODEL", hide_env = true, value_name = "NAME", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Partitions along each axis: ROWSxCOLUMNS for pictures (16x16), one number for sounds (32), FRAMESxROWSxCOLUMNS for
    /// clips (5x8x8), or `auto` to follow --partition-size
    #[arg(long, env = "TESSERA_PARTITIONS", hide_env = true, value_name = "FACTORS", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Partitions>,
    /// Wanted samples per partition; the first number goes with the longer side [default: 32x32; sounds 1500; clips, in the
    /// order of their axes, 8x16x16; shapes an eighth of the longest side, 8 at least; larger where
    /// a size is given, of latents about 256x256]
    #[arg(long, env = "TESSERA_PARTITION_SIZE", hide_env = true, value_name = "SIZE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_size: Option<Extents>,
    /// Weights and biases in all (200k), where the widths are not given [default: 200k x samples / 262,144; half of it for clips]
    #[arg(long, env = "TESSERA_PARAMETERS", hide_env = true, value_name = "COUNT", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Count>,
    /// Share of the global network in the parameters [default: 0.1, sounds 0.02]
    #[arg(long, env = "TESSERA_GLOBAL_SHARE", hide_env = true, value_name = "SHARE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_share: Option<f64>,
    /// Width of each local network, or of the only one of siren (256 for siren at 512x512)
    #[arg(long, env = "TESSERA_LOCAL_WIDTH", hide_env = true, value_name = "WIDTH", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_width: Option<u32>,
    /// Width of the global network, or of the synthesis network of latents (16, below 3,500 bytes 8)
    #[arg(long, env = "TESSERA_GLOBAL_WIDTH", hide_env = true, value_name = "WIDTH", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_width: Option<u32>,
    /// Sine layers between the first and the last [default: 3; of latents 2, below 3,500 bytes 1; networks of pictures with a size
    /// 4 or, where it is small, 6]
    #[arg(long, env = "TESSERA_HIDDEN_LAYERS", hide_env = true, value_name = "COUNT", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_layers: Option<u32>,
    /// Omega of every sine layer [default: 30; first layers of sounds under the held recipe follow their partitions]
    #[arg(long, env = "TESSERA_OMEGA", hide_env = true, value_name = "OMEGA", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omega: Option<f32>,
    /// Omega of the first layers, if another [default: that of --omega; networks of pictures with a small size 15]
    #[arg(long, env = "TESSERA_FIRST_OMEGA", hide_env = true, value_name = "OMEGA", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_omega: Option<f32>,
    /// Omega of the hidden layers and the merge, if another
    #[arg(long, env = "TESSERA_HIDDEN_OMEGA", hide_env = true, value_name = "OMEGA", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_omega: Option<f32>,
    /// What the first layer sees of the coordinates, with --model siren or per-partition [default: mlp]
    #[arg(long, value_enum, env = "TESSERA_ENCODING", hide_env = true, value_name = "NAME", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<EncodingName>,
    /// Growth of the encoding's frequencies, of gauss their spread [default: nerf 2, others 6]
    #[arg(long, env = "TESSERA_ENCODING_SCALE", hide_env = true, value_name = "SCALE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding_scale: Option<f64>,
    /// Frequencies of the encoding [default: nerf log2 of a quarter of the shorter side, 10 for clips and shapes; positional
    /// half the width; gauss the width]
    #[arg(long, env = "TESSERA_FREQUENCIES", hide_env = true, value_name = "COUNT", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequencies: Option<u32>,
    /// Nonlinearity of the layers; relu with --model siren or per-partition [default: sine]
    #[arg(
        long,
        value_enum,
        env = "TESSERA_ACTIVATION",
        hide_env = true,
        value_name = "NAME",
        help_heading = "Network"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationName>,
    /// How weights are stored [default: f32]
    #[arg(long, value_enum, env = "TESSERA_WEIGHTS", hide_env = true, value_name = "TYPE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsName>,

    /// Samples along the longest side of a mesh [default: 128]
    #[arg(long, env = "TESSERA_RESOLUTION", hide_env = true, value_name = "SAMPLES", help_heading = "Shapes")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// Samples beyond a mesh on either side, within the resolution [default: 2]
    #[arg(long, env = "TESSERA_PADDING", hide_env = true, value_name = "SAMPLES", help_heading = "Shapes")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding: Option<u32>,
    /// What is kept of a shape [default: occupancy]
    #[arg(long, value_enum, env = "TESSERA_FIELD", hide_env = true, value_name = "NAME", help_heading = "Shapes")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldName>,
    /// The input is a raw grid of voxels of this shape and type (64x64x64:u8); the last axis counts fastest
    #[arg(long, env = "TESSERA_VOXELS", hide_env = true, value_name = "SHAPE:TYPE", help_heading = "Shapes")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voxels: Option<RawVoxels>,

    /// Stop after this many optimiser steps [default: 400, fewer above a million samples, shapes 250; with a size 1200, of
    /// pictures 800, as networks 200 or 400 passes over the samples; published: 500, for sounds 1000, more above 262,144 samples]
    #[arg(long, env = "TESSERA_STEPS", hide_env = true, value_name = "COUNT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Count>,
    /// Write a file of at most this many bits per sample (exit code 5 where it takes more): of a picture as latents, with an
    /// option of networks as a network of the size that it takes, like other signals
    #[arg(
        long,
        env = "TESSERA_BPP",
        hide_env = true,
        allow_negative_numbers = true,
        value_name = "BITS",
        help_heading = "How small"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bpp: Option<f64>,
    /// Write a file of at most this many bytes: 50000, 50k or 1.5M
    #[arg(long, env = "TESSERA_TARGET_SIZE", hide_env = true, value_name = "BYTES", help_heading = "How small")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_size: Option<Count>,
    /// Write a small file of about this quality: 0 to 100 for a PSNR of 22 to 42 dB (32 at 50), or the PSNR itself (36.5dB).
    /// As latents it takes one training, as a network two to four, each with the --steps and --max-time of its own
    #[arg(
        long,
        env = "TESSERA_QUALITY",
        hide_env = true,
        allow_negative_numbers = true,
        value_name = "QUALITY",
        help_heading = "How small"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityGoal>,
    /// Stop when this PSNR is reached; exit code 5 if it never is
    #[arg(long, env = "TESSERA_PSNR", hide_env = true, value_name = "DB", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr: Option<f64>,
    /// Stop after this time (90s, 5m, 1.5h)
    #[arg(long, env = "TESSERA_MAX_TIME", hide_env = true, value_name = "TIME", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<Seconds>,
    /// How training goes about it [default: held; published for siren, on a GPU, with --sample-fraction, an encoding or its own options, and where more than a third of the network is global]
    #[arg(long, value_enum, env = "TESSERA_RECIPE", hide_env = true, value_name = "NAME", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<RecipeName>,
    /// Learning rate; where rates fall, that of local networks at the start [default: 6e-3, published 1e-3, for sounds 1e-4;
    /// networks of pictures with a size at most 4e-3, less where they are wide]
    #[arg(long, env = "TESSERA_LEARNING_RATE", hide_env = true, value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Weight of the sum of all weights' magnitudes in what the published recipe minimises (1e-5) [default: 0]
    #[arg(long, env = "TESSERA_L1", hide_env = true, value_name = "WEIGHT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1: Option<f64>,
    /// Halve the learning rate of the published recipe after more steps than this without a better loss [default: never]
    #[arg(long, env = "TESSERA_PATIENCE", hide_env = true, value_name = "STEPS", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<Count>,
    /// Stop the published recipe after this many steps without better weights [default: never]
    #[arg(long, env = "TESSERA_EARLY_STOP", hide_env = true, value_name = "STEPS", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<Count>,
    /// Share of the samples that a step of the published recipe visits, 0 to 1 [default: about 262,144 samples]
    #[arg(long, env = "TESSERA_SAMPLE_FRACTION", hide_env = true, value_name = "SHARE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_fraction: Option<f64>,
    /// Samples beyond its borders that a partition learns as well, per axis (1x2x2); with --sample-fraction below 1
    #[arg(long, env = "TESSERA_OVERLAP", hide_env = true, value_name = "SAMPLES", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<SamplesPerAxis>,
    /// Blend neighbouring partitions within so many samples of their borders, per axis (2x2): decoding does it, the file
    /// only says so. At most half a partition
    #[arg(long, env = "TESSERA_BLEND", hide_env = true, value_name = "SAMPLES", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blend: Option<SamplesPerAxis>,
    /// Seed of the start weights and of the sampling [default: 0]
    #[arg(long, env = "TESSERA_SEED", hide_env = true, value_name = "NUMBER", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Where to train [default: cpu]
    #[arg(long, value_enum, env = "TESSERA_DEVICE", hide_env = true, value_name = "NAME", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceName>,
    /// Threads on the CPU [default: one per core]
    #[arg(long, env = "TESSERA_THREADS", hide_env = true, value_name = "COUNT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}
