//! Pictures to signals and back.
//!
//! What a field stores: the source's own channels (grey stays grey, opacity stays a channel), code values mapped to
//! [-1, 1], turned upright by the EXIF orientation. An embedded colour profile is not kept, and the file says that its
//! values belonged to one ([`tessera_core::signal::ColourSpace::Unknown`]). Palettes become their colours. Linear
//! light (`.hdr`, float TIFF) is divided by its peak, which the file remembers as the amplitude.

mod picture_in;
mod picture_out;

pub use picture_in::{PictureIn, read_picture};
pub use picture_out::{PictureFormat, encode_picture, has_absent, render};
