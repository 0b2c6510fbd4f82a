//! `tessera crop`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tessera_core::selection::{Selector, Snap};

const EXAMPLES: &str = "\
Examples:
  tessera crop photo.inr -o face.inr --keep 256x256+128+128
  tessera crop photo.inr -o photo-without-border.inr --drop slab=0:0,15 --drop slab=1:0,15
  tessera crop photo.inr -o rest.inr --drop 'parts=[0,15]'
  tessera crop photo.inr -o middle.inr --keep pct:25,25,50,50 --snap inner
  tessera crop clip.inr -o part.inr --keep 128x96+64+0@t=1.2..3.4
  tessera crop song.inr -o chorus.inr --keep t=31.5..58

Selectors, always in the coordinates of the original canvas:
  WxH+X+Y       a box in samples, as in 256x256+128+128
  pct:x,y,w,h   the same in percent
  t=1.2..3.4    seconds of a sound or clip, either end may be left out; BOX@t=1.2..3.4 a box of a clip during them
  parts=0-3,7   partitions by number; parts=[0,7],[1,7] by row and column
  box=0..40,..50,9..  a box of a shape or video, a range of samples along each axis
  slab=0:0,15   whole rows of partitions; slab=1:0,15 whole columns";

/// `tessera crop IN.inr -o OUT.inr --keep SELECTOR | --drop SELECTOR`
///
/// Copies the bytes of the partitions that stay. Whole partitions are kept or dropped; --snap says what happens to
/// those on the border of the selection, and what was really kept is printed.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CropArguments {
    /// File to crop; - for stdin
    #[arg(value_name = "IN.inr")]
    pub input: PathBuf,
    /// File to write; - for stdout
    #[arg(long, short, value_name = "OUT.inr")]
    pub output: PathBuf,
    /// Overwrite the output if it exists
    #[arg(long, short)]
    pub force: bool,
    /// Keep these partitions; may be repeated, the union is kept
    #[arg(long, value_name = "SELECTOR", required_unless_present = "drop", conflicts_with = "drop")]
    pub keep: Vec<Selector>,
    /// Drop these partitions and keep the rest; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub drop: Vec<Selector>,
    /// Whether partitions that the selection only touches belong to it [default: outer for --keep, inner for --drop,
    /// so that nothing is lost that was not named]
    #[arg(long, value_enum, value_name = "HOW")]
    pub snap: Option<SnapName>,
}

/// Whether partitions on the border of a selection belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SnapName {
    /// Every partition that the selection touches
    Outer,
    /// Only partitions that lie wholly inside
    Inner,
}

impl From<SnapName> for Snap {
    fn from(name: SnapName) -> Self {
        match name {
            SnapName::Outer => Self::Outer,
            SnapName::Inner => Self::Inner,
        }
    }
}
