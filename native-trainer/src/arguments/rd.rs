//! `tessera rd`.

use std::path::PathBuf;

use clap::Args;

use super::values::Count;
use crate::rate_distortion::codecs::CodecName;

const EXAMPLES: &str = "\
Examples:
  tessera rd photos/ --out comparison/                       hours: every picture at five rates
  tessera rd photos/ --out comparison/ --bpp 0.2,0.5 --steps 100
  tessera rd kodak/ --out kodak-rd/ --curves kodak-rd.csv --against jpeg2000,bpg
  tessera rd photos/ --out others/ --codec jpeg,avif         without training anything

Writes points.csv, bd-rates.csv, rd.svg and all encoded files. Rates are those of files on the disk. PSNR is over all
samples, clamped: psnr_db of fields is not rounded to 8 bits, as in publications, psnr_8bit_db is.
The same call again goes on where it was interrupted. BD-rates are mean differences of the rate at the same PSNR:
below 0 where fewer bytes are needed.";

/// `tessera rd FOLDER --out DIR`
///
/// Encodes a set of pictures at several rates, and the same pictures by other codecs: JPEG always, AVIF, JPEG XL and
/// JPEG 2000 where a program for them is installed.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct RdArguments {
    /// Folder of pictures: 8 bits, grey or RGB
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Bits per pixel at which to encode
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [0.1, 0.2, 0.3, 0.5, 0.8],
          allow_negative_numbers = true, value_parser = super::compress::positive)]
    pub bpp: Vec<f64>,
    /// Only these codecs [default: all that are there]
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub codec: Vec<CodecName>,
    /// Curves to compare with: codec,bpp,psnr_rgb_db of mean points, or image,bpp,psnr_rgb_db of single pictures, as in the
    /// points.csv of another run
    #[arg(long, value_name = "FILE.csv", help_heading = "Comparison")]
    pub curves: Vec<PathBuf>,
    /// Only these codecs of the curves
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "curves", help_heading = "Comparison")]
    pub against: Vec<String>,
    /// Steps of each training [default: as encode --bpp]
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub steps: Option<Count>,
    /// Seed of the start weights
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = "Training")]
    pub seed: u64,
    /// Threads on the CPU [default: one per core]
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub threads: Option<usize>,
}
