//! Pictures to signals and back.
//!
//! What a field stores: the source's own channels (grey stays grey, opacity stays a channel), code values mapped to
//! [-1, 1], turned upright by the EXIF orientation. An embedded colour profile is not kept, and the file says that its
//! values belonged to one ([`tessera_core::signal::ColourSpace::Unknown`]). Palettes become their colours. Linear
//! light (`.hdr`, float TIFF) is divided by its peak, which the file remembers as the amplitude.

mod input;
mod output;

pub use input::{is_picture, read_picture};
pub use output::{Layout, PictureFormat, encode_picture, render};
