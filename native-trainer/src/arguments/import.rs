//! `tessera import`: a PyTorch state dict, and the configuration that it lacks.

use std::path::PathBuf;

use clap::Args;

use super::values::{Extents, ModelName, WeightsName};

const EXAMPLES: &str = "\
Examples:
  tessera import model.pth -o photo.inr --model local-global --factors 16x16 --shape 512x512
  tessera import model.safetensors -o photo.inr --model siren --shape 512x768";

/// `tessera import CHECKPOINT -o OUT.inr`
///
/// Reads a state dict of the published code (names `net.net.*`, `net.global_net.*`, `net.agg_func.*`) as
/// .safetensors or .pth. Widths, depth and channels come from the tensors; what a state dict does not say is given
/// by flags.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArguments {
    /// State dict, .safetensors or .pth
    #[arg(value_name = "CHECKPOINT")]
    pub input: PathBuf,
    /// File to write; - for stdout
    #[arg(long, short, value_name = "OUT.inr")]
    pub output: PathBuf,
    /// Overwrite the output if it exists
    #[arg(long, short)]
    pub force: bool,
    /// Which network the checkpoint holds
    #[arg(long, value_enum, value_name = "NAME")]
    pub model: ModelName,
    /// Size of the signal in array order, ROWSxCOLUMNS for a picture
    #[arg(long, value_name = "SIZE")]
    pub shape: Extents,
    /// Partitions along each axis, ROWSxCOLUMNS (the published `downsample`); not for siren
    #[arg(long, value_name = "FACTORS", required_if_eq_any = [("model", "local-global"), ("model", "per-partition")])]
    pub factors: Option<Extents>,
    /// Channels of the signal, checked against the tensors where given
    #[arg(long, value_name = "COUNT")]
    pub channels: Option<u32>,
    /// Omega of every sine layer
    #[arg(long, value_name = "OMEGA", default_value_t = 30.0)]
    pub omega: f32,
    /// Omega of the first layers, if another
    #[arg(long, value_name = "OMEGA")]
    pub first_omega: Option<f32>,
    /// Omega of the hidden layers and the merge, if another
    #[arg(long, value_name = "OMEGA")]
    pub hidden_omega: Option<f32>,
    /// How weights are stored
    #[arg(long, value_enum, value_name = "TYPE", default_value = "f32")]
    pub weights: WeightsName,
}
