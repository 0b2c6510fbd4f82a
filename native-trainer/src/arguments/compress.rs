//! `tessera compress`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tessera_core::codec::Coder;

use super::values::Count;

const EXAMPLES: &str = "\
Examples:
  tessera compress photo.inr -o small.inr                    a loss of 0.3 dB at most
  tessera compress photo.inr -o small.inr --bits 6 --adaround
                                                             6 bits per weight, with learned rounding
  tessera compress photo.inr -o small.inr --bpp 1.5          as good as fits
  tessera compress photo.inr -o small.inr --bpp 1.5 --retrain 200 --against photo.png

A compressed file is cropped by copying bytes like any other, and decodes to the same bits on every machine.
Weights are coded as steps away from the start weights, which the seed in the header gives back: what training
never moved takes no byte. The options of the training are left out; preset, seed and steps stay.";

/// `tessera compress IN.inr -o OUT.inr`
///
/// Quantises the weights: every tensor gets a step by what rounding it does to the signal, and so does every class
/// of partitions, unless --uniform gives all of them the same number of levels.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompressArguments {
    /// File to compress; - for stdin
    #[arg(value_name = "IN.inr")]
    pub input: PathBuf,
    /// File to write; - for stdout
    #[arg(long, short, value_name = "OUT.inr")]
    pub output: PathBuf,
    /// Overwrite the output if it exists
    #[arg(long, short)]
    pub force: bool,
    /// Lose at most this much PSNR [default: 0.3]
    #[arg(long, value_name = "DB", help_heading = "How small", group = "target", allow_negative_numbers = true,
          value_parser = positive)]
    pub loss: Option<f64>,
    /// Write at most this many bytes: 50000, 50k or 1.5M
    #[arg(long, value_name = "BYTES", help_heading = "How small", group = "target")]
    pub target_size: Option<Count>,
    /// Write at most this many bits per sample that the file holds
    #[arg(long, value_name = "BITS", help_heading = "How small", group = "target", allow_negative_numbers = true,
          value_parser = positive)]
    pub bpp: Option<f64>,
    /// Write at most this many bits per weight of the field, 4 to 16, and fewer where more would not be seen
    #[arg(long, value_name = "BITS", help_heading = "How small", group = "target",
          value_parser = clap::value_parser!(u32).range(4..=16))]
    pub bits: Option<u32>,
    /// With --bits: give every tensor the levels of so many bits, as published
    #[arg(long, requires = "bits", help_heading = "How small")]
    pub uniform: bool,
    /// Where the frequencies of the numbers come from
    #[arg(long, value_enum, value_name = "NAME", default_value_t = CoderName::Static, help_heading = "How small")]
    pub coder: CoderName,
    /// What the field was made from: the loss is then measured against it
    #[arg(long, value_name = "ORIGINAL", help_heading = "Training")]
    pub against: Option<PathBuf>,
    /// Learn which weights to round up and which down, in so many iterations for each layer, instead of rounding to
    /// nearest; needs no original [default: 1000]
    #[arg(long, value_name = "ITERATIONS", num_args = 0..=1, default_missing_value = "1000", help_heading = "Training",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub adaround: Option<u32>,
    /// Train the quantised weights for so many steps
    #[arg(long, value_name = "STEPS", requires = "against", help_heading = "Training")]
    pub retrain: Option<u64>,
    /// Threads on the CPU [default: one per core]
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub threads: Option<usize>,
}

/// Where the frequencies of the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CoderName {
    /// A table for every tensor
    Static,
    /// One table for all tensors, as published
    Pooled,
    /// Counted while coding, without a table
    Adaptive,
}

impl From<CoderName> for Coder {
    fn from(name: CoderName) -> Self {
        match name {
            CoderName::Static => Self::Static,
            CoderName::Pooled => Self::Pooled,
            CoderName::Adaptive => Self::Adaptive,
        }
    }
}

/// A number above 0 that is not beyond reason.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (1e-6..1e6).contains(number));
    number.ok_or_else(|| format!("{text:?} is no positive number"))
}
