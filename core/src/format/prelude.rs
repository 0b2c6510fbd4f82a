//! The first 52 bytes: what this is, which version, and how long header and index are.

use super::checksum::FileId;
use super::cursor::Cursor;
use crate::error::{Error, Unsupported, check_limit};
use crate::limits;

/// The first eight bytes of every file: a byte that is no ASCII, the extension, and line ends of both kinds around an
/// end-of-file character, so that a transfer in text mode shows at once.
pub const MAGIC: [u8; 8] = *b"\x89INR\r\n\x1a\n";
/// Major and minor version of the format that this program knows. It writes the lowest minor version that does.
pub const VERSION: (u16, u16) = (1, 3);
/// Bytes of the prelude.
pub const PRELUDE_BYTES: u64 = 52;

/// Must-understand features that this program knows: none yet.
const KNOWN_FEATURES: u32 = 0;
/// Bytes of the prelude before its own checksum.
const CHECKED_BYTES: usize = 48;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prelude {
    pub(super) minor: u16,
    pub(super) header_bytes: u32,
    pub(super) index_bytes: u32,
    pub(super) id: FileId,
    pub(super) header_checksum: u32,
    pub(super) index_checksum: u32,
}

impl Prelude {
    /// Bytes of prelude, header and index.
    pub(super) fn head_bytes(&self) -> u64 {
        PRELUDE_BYTES.saturating_add(self.header_bytes.into()).saturating_add(self.index_bytes.into())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.0.to_le_bytes());
        bytes.extend(self.minor.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(self.header_bytes.to_le_bytes());
        bytes.extend(self.index_bytes.to_le_bytes());
        bytes.extend(self.id.0);
        bytes.extend(self.header_checksum.to_le_bytes());
        bytes.extend(self.index_checksum.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes, "prelude", 0);
        if !bytes.starts_with(&MAGIC) {
            return Err(cursor.malformed(stranger(bytes)));
        }
        let _: [u8; 8] = cursor.array()?;
        // Only magic and version keep their place in every version, so the major number comes before the checksum.
        let (major, minor) = (cursor.u16()?, cursor.u16()?);
        if major > VERSION.0 {
            return Err(Unsupported {
                feature: format!("file version {major}.{minor}"),
                advice: format!("this version reads {}.x: get a newer Tessera", VERSION.0),
            }
            .into());
        }
        if major < VERSION.0 {
            return Err(cursor.malformed(format!("there is no file version {major}.{minor}")));
        }
        let features = cursor.u32()?;
        let prelude = Self {
            minor,
            header_bytes: cursor.u32()?,
            index_bytes: cursor.u32()?,
            id: FileId(cursor.array()?),
            header_checksum: cursor.u32()?,
            index_checksum: cursor.u32()?,
        };
        if bytes.get(..CHECKED_BYTES).map(crc32c::crc32c) != Some(cursor.u32()?) {
            return Err(cursor.malformed("its checksum does not match"));
        }
        let unknown = features & !KNOWN_FEATURES;
        if unknown != 0 {
            return Err(Unsupported {
                feature: format!("file feature {} (bits {unknown:#x})", unknown.trailing_zeros()),
                advice: "get a newer Tessera".to_owned(),
            }
            .into());
        }
        check_limit("bytes of prelude, header and index", prelude.head_bytes(), limits::HEAD_BYTES)?;
        Ok(prelude)
    }
}

/// What a file without our magic probably is, in one sentence.
fn stranger(bytes: &[u8]) -> String {
    let is = |prefix: &[u8]| bytes.starts_with(prefix);
    let riff = is(b"RIFF");
    let kind = if bytes.is_empty() {
        return "the file is empty".to_owned();
    } else if MAGIC.starts_with(bytes) {
        return "the file ends within its first bytes".to_owned();
    } else if is(b"\x89INR") {
        return "line ends were changed: the file went through a transfer in text mode".to_owned();
    } else if is(b"\x89PNG") {
        "a PNG picture"
    } else if is(b"\xff\xd8\xff") {
        "a JPEG picture"
    } else if is(b"GIF8") {
        "a GIF picture"
    } else if riff && bytes.get(8..12) == Some(b"WEBP") {
        "a WebP picture"
    } else if riff {
        "a RIFF file (WAV or AVI)"
    } else if is(b"PK\x03\x04") {
        "a ZIP archive (a PyTorch checkpoint is one: `tessera import` reads it)"
    } else {
        return "it does not start like an .inr file".to_owned();
    };
    format!("this is {kind}, not an .inr file")
}
