//! A file on a server, of which only a region is fetched: which bytes to ask for, and a cropped file made of them.

use tessera_core::Error;
use tessera_core::format::{Head, Piece};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::failure::failure;
use crate::file::{partitions, thrown};

/// Sizes above cannot be told apart as numbers of JavaScript.
const SAFE_BYTES: u64 = 1 << 53;

/// Bytes of the head of a file, from its first bytes.
///
/// # Errors
/// Where these begin no file that this module reads.
#[wasm_bindgen]
pub fn head_bytes(front: &[u8]) -> Result<u32, JsValue> {
    Head::bytes_needed(front).map(small).map_err(thrown)
}

/// As [`head_bytes`], with the bytes of the global network where they can be told: what to ask for where the head is not all
/// there.
///
/// # Errors
/// As [`head_bytes`].
#[wasm_bindgen]
pub fn front_bytes(front: &[u8]) -> Result<u32, JsValue> {
    Head::front_bytes(front).map(small).map_err(thrown)
}

/// Within the format's limit of a head, or twice that.
fn small(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The head of a file on a server, and what was fetched of the rest.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RemoteFile {
    head: Head,
    pieces: Vec<(u64, Vec<u8>)>,
}

#[wasm_bindgen]
impl RemoteFile {
    /// Reads the head from the first bytes of a file, at least [`head_bytes`] of them. `file_bytes` is what the server says the
    /// file has, where it says so.
    ///
    /// # Errors
    /// An `Error` with `kind` and, for damage, the `part` and its `offset`.
    #[wasm_bindgen(constructor)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    pub fn new(front: Vec<u8>, file_bytes: Option<f64>) -> Result<Self, JsValue> {
        let head = Head::parse(&front, file_bytes.map(|bytes| bytes as u64)).map_err(thrown)?;
        if head.file_bytes() > SAFE_BYTES {
            return Err(failure(&Error::parameter("its chunks take more bytes than a browser can count")));
        }
        Ok(Self { head, pieces: vec![(0, front)] })
    }

    /// Bytes of the whole file.
    #[expect(clippy::cast_precision_loss, reason = "checked")]
    pub fn file_bytes(&self) -> f64 {
        self.head.file_bytes() as f64
    }

    /// As `TesseraFile.select`.
    ///
    /// # Errors
    /// Where the selector cannot be read or does not fit the signal.
    pub fn select(&self, selector: &str, snap: &str) -> Result<Vec<u32>, JsValue> {
        partitions(selector, snap, self.head.signal(), self.head.grid())
    }

    /// Bytes of the head, the global network and those of `parts` that are present: what nobody can do without.
    #[expect(clippy::cast_precision_loss, reason = "checked")]
    pub fn needed_bytes(&self, parts: &[u32]) -> f64 {
        self.head.needed_bytes(parts) as f64
    }

    /// What has to be fetched for [`RemoteFile::crop`] beside the first bytes: start and end of each range, ascending.
    #[expect(clippy::cast_precision_loss, reason = "checked")]
    pub fn ranges(&self, parts: &[u32]) -> Vec<f64> {
        let front = self.pieces.first().map_or(0, |(_, bytes)| bytes.len() as u64);
        self.head.ranges(parts, front).into_iter().flat_map(|range| [range.start as f64, range.end as f64]).collect()
    }

    /// Takes the bytes of a range; those of later ranges come later.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    pub fn add(&mut self, start: f64, bytes: Vec<u8>) {
        self.pieces.push((start as u64, bytes));
    }

    /// The file with only `parts` (those that are present), as `TesseraFile.crop` makes it of the whole.
    ///
    /// # Errors
    /// Where nothing would be left, bytes are missing, or they are those of another file.
    pub fn crop(&self, parts: &[u32]) -> Result<Vec<u8>, JsValue> {
        let pieces: Vec<Piece<'_>> =
            self.pieces.iter().map(|(offset, bytes)| Piece { offset: *offset, bytes }).collect();
        self.head.crop(parts, &pieces).map_err(thrown)
    }
}
