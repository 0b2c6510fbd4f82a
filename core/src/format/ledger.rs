//! Where the bytes of a file are, part by part; the parts add up to the file.

use super::index::CHECKSUM_BYTES;
use super::prelude::PRELUDE_BYTES;
use super::reader::Reader;
use crate::error::Error;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerRow {
    /// What it is, in the words of `docs/format.md`.
    pub part: &'static str,
    /// Its bytes.
    pub bytes: u64,
}

/// All parts of a file, in file order, those without bytes left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The parts.
    pub rows: Vec<LedgerRow>,
}

impl Ledger {
    /// Bytes of all parts: those of the file.
    pub fn total(&self) -> u64 {
        self.rows.iter().map(|row| row.bytes).fold(0, u64::saturating_add)
    }
}

impl Reader<'_> {
    /// Where the bytes of the file are.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a damaged global chunk of quantised weights, whose head is read.
    pub fn ledger(&self) -> Result<Ledger, Error> {
        let quantised = self.quantised()?;
        let steps = quantised.as_ref().map_or(0, |quantised| quantised.steps_bytes());
        let tables = quantised.as_ref().map_or(0, |quantised| quantised.table_bytes());
        let shared = self.head.shared.payload;
        let local = self.head.chunks.iter().map(|chunk| chunk.payload).fold(0, u64::saturating_add);
        let chunks = (self.head.chunks.len() as u64).saturating_add(u64::from(shared > 0));
        let header = self.head.header.len() as u64;
        let index = self.head_bytes().saturating_sub(PRELUDE_BYTES).saturating_sub(header);
        let parts = [
            ("prelude", PRELUDE_BYTES),
            ("header", header),
            ("index", index),
            ("steps", steps),
            ("tables", tables),
            ("shared weights", shared.saturating_sub(steps).saturating_sub(tables)),
            ("local weights", local),
            ("checksums of chunks", chunks.saturating_mul(CHECKSUM_BYTES)),
        ];
        let rows = parts.map(|(part, bytes)| LedgerRow { part, bytes });
        Ok(Ledger { rows: rows.into_iter().filter(|row| row.bytes > 0).collect() })
    }
}
