//! Which part of a clip is meant, for the commands that read one.

use clap::Args;

use crate::media::clip::{ClipSelection, FrameRange, Rate, Resize};

/// Which part of a clip is meant, and at which size.
#[derive(Debug, Clone, Default, Args)]
pub struct ClipArguments {
    /// Frames of the clip: 33 (the first 33), 10..43 (from 10 up to 42) or 10..
    #[arg(long, value_name = "RANGE", help_heading = "Clips")]
    pub frames: Option<FrameRange>,
    /// Frames per second: 12.5, 30000/1001 [default: the clip's; 25 for a folder of pictures]
    #[arg(long, value_name = "RATE", help_heading = "Clips")]
    pub frame_rate: Option<Rate>,
    /// Size of the frames: 256x144 (width x height) or 50%
    #[arg(long, value_name = "SIZE", help_heading = "Clips")]
    pub resize: Option<Resize>,
}

impl ClipArguments {
    /// The same for the reader.
    pub fn selection(&self) -> ClipSelection {
        ClipSelection { frames: self.frames, rate: self.frame_rate, resize: self.resize }
    }

    /// Whether anything was asked for that only a clip has.
    pub fn any(&self) -> bool {
        self.selection() != ClipSelection::default()
    }
}
