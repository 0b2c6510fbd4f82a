//! `tessera compare`.

use std::path::PathBuf;

use clap::Args;

use super::ClipArguments;
use crate::media::shape::{FieldName, RawVoxels};

const EXAMPLES: &str = "\
Examples:
  tessera compare photo.inr photo.png
  tessera compare photo.inr photo.png --paper-metric --json
  tessera compare a.png b.png
  tessera compare clip.inr clip.mp4 --resize 256x144 --frames 100
  tessera compare song.inr song.flac
  tessera compare statue.inr statue.obj";

/// `tessera compare A B`
///
/// A and B are pictures, sounds, clips or .inr files of the same kind and size, or shapes as .inr files, meshes or
/// voxels. Clips are compared frame by frame; shapes get IoU, Chamfer distance and normal consistency. Of a cropped file
/// only what it holds is compared; the other may be the whole or the decoded crop.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArguments {
    /// First picture, sound or field; - for stdin
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second picture, sound or field
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Which part of the clips that are no .inr files.
    #[command(flatten)]
    pub clip: ClipArguments,
    /// Of two meshes: samples along the longest side of the grid on which IoU is counted [default: 128]
    #[arg(long, value_name = "SAMPLES")]
    pub resolution: Option<u32>,
    /// What the values of a grid of voxels are [default: those of the .inr file that it is compared with, else occupancy]
    #[arg(long, value_enum, value_name = "NAME")]
    pub field: Option<FieldName>,
    /// The input that is neither .inr, mesh nor NPY is a raw grid of voxels of this shape and type (64x64x64:u8)
    #[arg(long, value_name = "SHAPE:TYPE")]
    pub voxels: Option<RawVoxels>,
    /// Of pictures, also report PSNR as published: prediction and truth each stretched by their own extremes. The prediction is
    /// the .inr file (A if both or neither are)
    #[arg(long)]
    pub paper_metric: bool,
    /// Threads [default: one per core]
    #[arg(long, env = "TESSERA_THREADS", hide_env = true, value_name = "COUNT")]
    pub threads: Option<usize>,
}
