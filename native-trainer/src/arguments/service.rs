//! `tessera view`, `bench`, `completions` and `man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

/// `tessera view [FILE|DIR]`
///
/// Serves the page on this computer only, prints the address, and stays until Ctrl-C.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  tessera view photo.inr\n  tessera view pictures/ --port 8080")]
pub struct ViewArguments {
    /// File to open in the page, or a folder of .inr files
    #[arg(value_name = "FILE|DIR")]
    pub path: Option<PathBuf>,
    /// Port on 127.0.0.1 [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "PORT")]
    pub port: u16,
    /// Folder of the built page [default: beside the program, or www/dist of the checkout]
    #[arg(long, env = "TESSERA_PAGE", hide_env = true, value_name = "DIR")]
    pub page: Option<PathBuf>,
}

/// `tessera bench`
///
/// Times training steps and decoding of the standard settings on generated signals, beside the peak f32 rate of this
/// machine measured in the same run.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  tessera bench\n  tessera bench --setting picture-512-local-global --json")]
pub struct BenchArguments {
    /// Time decoding these files instead: frames of clips, tenths of a second of sounds, whole pictures
    #[arg(long, value_name = "FILE", conflicts_with_all = ["setting", "steps", "device", "engine"])]
    pub file: Vec<PathBuf>,
    /// Only these settings [default: all]
    #[arg(long, value_enum, value_name = "NAME")]
    pub setting: Vec<BenchSetting>,
    /// Training steps to time, after one to warm up
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub steps: u64,
    /// Decodes to time; the fastest counts
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub decodes: u32,
    /// Where to train
    #[arg(long, value_enum, default_value = "cpu", value_name = "NAME")]
    pub device: super::values::DeviceName,
    /// What computes a step
    #[arg(long, value_enum, default_value = "auto", value_name = "NAME")]
    pub engine: EngineName,
    /// Threads [default: one per core]
    #[arg(long, env = "TESSERA_THREADS", hide_env = true, value_name = "COUNT")]
    pub threads: Option<usize>,
}

/// The standard settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchSetting {
    /// 512x512, 16x16 partitions, local width 14, global width 84
    #[value(name = "picture-512-local-global")]
    Picture512LocalGlobal,
    /// 512x512, 16x16 partitions, width 15
    #[value(name = "picture-512-per-partition")]
    Picture512PerPartition,
    /// 512x512, one network of width 256
    #[value(name = "picture-512-siren")]
    Picture512Siren,
    /// 768x512, one network of width 32 behind the nerf encoding of 16 frequencies
    #[value(name = "picture-768-compression")]
    Picture768Compression,
    /// 262,144 samples of sound, 32 partitions, local width 42, global width 72
    #[value(name = "sound-local-global")]
    SoundLocalGlobal,
    /// 64 frames of 64x64, 5x8x8 partitions, local width 55, global width 180
    #[value(name = "video-local-global")]
    VideoLocalGlobal,
}

/// What computes loss and gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The fused kernel where the device has one
    Auto,
    /// The fused kernel
    Fused,
    /// burn's general tensor operations
    General,
}

/// `tessera completions SHELL`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  tessera completions bash > ~/.local/share/bash-completion/completions/tessera")]
pub struct CompletionsArguments {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `tessera man`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  tessera man | man -l -\n  tessera man --folder ~/.local/share/man/man1")]
pub struct ManArguments {
    /// Write tessera.1 and one page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
