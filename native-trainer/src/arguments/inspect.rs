//! `tessera info` and `tessera verify`.

use std::path::PathBuf;

use clap::Args;

/// `tessera info IN.inr`
///
/// Reads header, index and the tables of quantised weights, and decodes nothing, so it is quick on any file.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  tessera info photo.inr --parts\n  tessera info photo.inr --json | jq .parameters")]
pub struct InfoArguments {
    /// File to describe; - for stdin
    #[arg(value_name = "IN.inr")]
    pub input: PathBuf,
    /// List every partition with its samples and bytes
    #[arg(long)]
    pub parts: bool,
}

/// `tessera verify IN.inr`
///
/// Checks the structure, every checksum and every weight, without decoding a sample.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  tessera verify download.inr && tessera decode download.inr -o picture.png")]
pub struct VerifyArguments {
    /// File to check; - for stdin
    #[arg(value_name = "IN.inr")]
    pub input: PathBuf,
}
