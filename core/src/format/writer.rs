//! Writing a document as a new file.

use super::assemble::assemble;
use super::checksum::FileId;
use super::document::Document;
use super::index::{Chunk, SHARED};
use super::metadata::Metadata;
use crate::codec::WeightCoding;
use crate::error::Error;

/// Writes `document` as an `.inr` file, all weights in `coding`. The same document and coding give the same bytes on
/// every machine.
///
/// # Errors
/// [`Error::Parameter`] where signal and field do not belong together, no partition is present, or a weight does not
/// fit the coding; [`Error::Limit`] beyond the limits of the format.
pub fn write(document: &Document, coding: WeightCoding) -> Result<Vec<u8>, Error> {
    document.validate()?;
    let field = &document.field;
    let (header, minor) = Metadata {
        signal: document.signal.clone(),
        grid: field.grid().clone(),
        spec: field.spec().clone(),
        training: document.training.clone(),
        empty: field.empty().to_vec(),
    }
    .to_bytes()?;

    let encoded = |partition: u32, weights: &[f32]| {
        let mut payload = Vec::with_capacity(usize::try_from(coding.payload_bytes(weights.len() as u64)).unwrap_or(0));
        coding.encode(weights, &mut payload)?;
        // What is empty has no coding of its own in the index.
        let id = if payload.is_empty() { 0 } else { coding.id() };
        Ok((Chunk { partition, coding: id, payload: payload.len() as u64, offset: 0 }, payload))
    };
    let (shared, shared_payload) = encoded(SHARED, field.shared())?;
    let (chunks, payloads): (Vec<Chunk>, Vec<Vec<u8>>) = field
        .present()
        .iter()
        .enumerate()
        .map(|(slot, &partition)| encoded(partition, field.local_of_slot(slot)))
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .unzip();

    let all = || {
        let payloads = std::iter::once(&shared_payload).chain(&payloads).map(Vec::as_slice);
        std::iter::once(&shared).chain(&chunks).zip(payloads)
    };
    let id = FileId::of(&header, all());
    let stored: Vec<Vec<u8>> = all()
        .filter(|(chunk, _)| chunk.payload > 0)
        .map(|(chunk, payload)| {
            let mut bytes = payload.to_vec();
            bytes.extend(id.chunk_checksum(chunk.partition, payload).to_le_bytes());
            bytes
        })
        .collect();
    assemble(minor, id, &header, &shared, &chunks, stored.iter().map(Vec::as_slice))
}
