//! What the user typed. Only parsing: nothing here opens a file, so that `--help`, completions and the manual come
//! from the same definitions at no cost.

mod clip;
mod compare;
mod compress;
mod crop;
mod decode;
mod encode;
mod import;
mod inspect;
mod rd;
mod service;
pub mod values;

use clap::{Args, Parser, Subcommand};

pub use clip::ClipArguments;
pub use compare::CompareArguments;
pub use compress::{CoderName, CompressArguments};
pub use crop::CropArguments;
pub use decode::DecodeArguments;
pub use encode::{EncodeArguments, EncodeOptions, ProgressStyle};
pub use import::ImportArguments;
pub use inspect::{InfoArguments, VerifyArguments};
pub use rd::RdArguments;
pub use service::{BenchArguments, BenchSetting, CompletionsArguments, EngineName, ManArguments, ViewArguments};

const EXIT_CODES: &str = "\
Exit codes: 0 done · 2 usage · 3 unreadable or invalid input · 4 limit exceeded · 5 target missed,
the file is written · 6 unsupported version · 130 interrupted, the file is written · 1 all else";

/// Pictures, sounds, clips and shapes as neural fields that can be cropped by copying bytes.
///
/// A `.inr` file holds one tiny network per partition of the signal and one that they share. Cropping copies the
/// bytes of the partitions that stay: nothing is decoded, and what stays decodes to the same bits.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, propagate_version = true, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArguments {
    /// Print the result as one JSON object on stdout
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Say nothing but results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Say more; twice for the engine's own log
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a field for a picture, a sound, a clip or a shape and write it as .inr
    Encode(Box<EncodeArguments>),
    /// Write a field back as what it was made of
    Decode(DecodeArguments),
    /// Keep or drop partitions by copying bytes
    Crop(CropArguments),
    /// Write a field again in fewer bytes, by quantising its weights
    Compress(CompressArguments),
    /// Show what a file is and where its bytes are
    Info(InfoArguments),
    /// Run every check that the format promises
    Verify(VerifyArguments),
    /// How near two signals or fields are: PSNR, SSIM, IoU, bits per sample
    Compare(CompareArguments),
    /// Encode a set of pictures at several rates, by other codecs too, and compare: tables, a plot and BD-rates
    Rd(RdArguments),
    /// Convert a PyTorch checkpoint of the published code
    Import(ImportArguments),
    /// Serve the page on this computer and open a file in it
    View(ViewArguments),
    /// Measure a training step, decoding and memory of the standard settings
    Bench(BenchArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write one page per command
    Man(ManArguments),
}
