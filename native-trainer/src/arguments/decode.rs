//! `tessera decode`.

use std::path::PathBuf;

use clap::Args;
use tessera_core::selection::Selector;

use super::values::Colour;
use crate::media::clip::Rate;

const EXAMPLES: &str = "\
Examples:
  tessera decode photo.inr -o photo.png
  tessera decode photo.inr -o face.png --region 200x160+120+40 --scale 4
  tessera decode crop.inr -o whole.png --canvas --fill '#202020'
  tessera decode photo.inr -o - | display -
  tessera decode clip.inr -o clip.mp4
  tessera decode clip.inr -o part.webm --region 128x96+64+0@t=1.2..3.4 --scale 2 --frame-rate 50
  tessera decode clip.inr -o frames/
  tessera decode song.inr -o chorus.flac --region t=31.5..58
  tessera decode statue.inr -o statue.glb --resolution 300

Selectors, always in the coordinates of the original canvas:
  WxH+X+Y       a box in samples, as in 256x256+128+128
  pct:x,y,w,h   the same in percent
  t=1.2..3.4    seconds of a sound or clip, either end may be left out; BOX@t=1.2..3.4 a box of a clip during them
  parts=0-3,7   partitions by number; parts=[0,7],[1,7] by row and column
  box=0..40,..50,9..  a box of a shape or video, a range of samples along each axis
  slab=0:0,15   whole rows of partitions; slab=1:0,15 whole columns";

/// `tessera decode IN.inr -o OUT`
///
/// Writes the bounding box of what the file holds, in the kind of picture, sound, clip or shape that was encoded. The
/// output's format follows its extension: png, jpg, webp, tiff, bmp, ppm, tga, qoi, hdr, ... for pictures; wav, flac for
/// sounds; mp4, webm, mkv (through ffmpeg), y4m, gif, apng or a folder (OUT/) of PNG files for clips; obj, ply, stl, glb
/// for the surface of a shape, which lies where its source was, npy and raw for its voxels. Stdout gets PNG, WAV, Y4M or OBJ.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct DecodeArguments {
    /// File to decode; - for stdin
    #[arg(value_name = "IN.inr")]
    pub input: PathBuf,
    /// File or folder to write; - for PNG, WAV or Y4M on stdout
    #[arg(long, short, value_name = "OUT")]
    pub output: PathBuf,
    /// Overwrite the output if it exists
    #[arg(long, short)]
    pub force: bool,
    /// Decode only this part
    #[arg(long, value_name = "SELECTOR", conflicts_with = "canvas")]
    pub region: Option<Selector>,
    /// Sample the field this many times as densely as the original (0.25, 4); of a sound this is its rate, and below 1
    /// nothing filters what the lower rate cannot hold
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub scale: f64,
    /// Sample the field so that the longest side has this many samples, instead of --scale
    #[arg(long, value_name = "SAMPLES", conflicts_with = "scale")]
    pub resolution: Option<u32>,
    /// Frames per second of a clip [default: the original's]; the field is sampled in between
    #[arg(long, value_name = "RATE")]
    pub frame_rate: Option<Rate>,
    /// With --scale: repeat the nearest stored sample instead of sampling the field in between
    #[arg(long)]
    pub nearest: bool,
    /// Write the whole original canvas, also where partitions are absent
    #[arg(long)]
    pub canvas: bool,
    /// Colour of absent partitions of a picture, instead of transparency (black, white, grey, #rrggbb, #rrggbbaa)
    #[arg(long, value_name = "COLOUR")]
    pub fill: Option<Colour>,
    /// Threads [default: one per core]
    #[arg(long, env = "TESSERA_THREADS", hide_env = true, value_name = "COUNT")]
    pub threads: Option<usize>,
}
