//! Writing a document as a new file.

use super::assemble::assemble;
use super::checksum::FileId;
use super::document::Document;
use super::index::{Chunk, SHARED};
use super::metadata::Metadata;
use crate::codec::quantised::{self, Numbers};
use crate::codec::{Quantisation, WeightCoding};
use crate::error::Error;

/// Writes `document` as an `.inr` file, all weights in `coding`. The same document and coding give the same bytes on
/// every machine.
///
/// # Errors
/// [`Error::Parameter`] where signal and field do not belong together, no partition is present, or a weight does not
/// fit the coding; [`Error::Limit`] beyond the limits of the format.
pub fn write(document: &Document, coding: WeightCoding) -> Result<Vec<u8>, Error> {
    let field = &document.field;
    let encoded = |weights: &[f32]| {
        let mut payload = Vec::with_capacity(usize::try_from(coding.payload_bytes(weights.len() as u64)).unwrap_or(0));
        coding.encode(weights, &mut payload)?;
        Ok(payload)
    };
    let shared = encoded(field.shared())?;
    let slots = 0..field.present().len();
    let local = slots.map(|slot| encoded(field.local_of_slot(slot))).collect::<Result<Vec<_>, Error>>()?;
    write_payloads(document, coding.id(), &shared, &local)
}

/// Writes `document` as an `.inr` file of quantised weights. What it decodes to is [`Quantisation::field`] of
/// [`Quantisation::numbers`], with the seed of the training record.
///
/// # Errors
/// As [`write()`], and where the quantisation belongs to another network.
pub fn write_quantised(document: &Document, quantisation: &Quantisation) -> Result<Vec<u8>, Error> {
    let numbers = quantisation.numbers(&document.field, document.training.seed)?;
    write_numbers(document, quantisation, &numbers)
}

/// As [`write_quantised`] for numbers that were chosen by other means than rounding; the weights of `document` do not matter.
///
/// # Errors
/// As [`write_quantised`].
pub fn write_numbers(document: &Document, quantisation: &Quantisation, numbers: &Numbers) -> Result<Vec<u8>, Error> {
    // A file that a reader would refuse for its weights must not be written.
    quantisation.field(&document.field, document.training.seed, numbers)?;
    let payloads = quantisation.code(document.field.spec(), numbers)?;
    write_payloads(document, quantised::CODING, &payloads.shared.0, &payloads.local)
}

fn write_payloads(
    document: &Document,
    coding: u16,
    shared_payload: &[u8],
    payloads: &[Vec<u8>],
) -> Result<Vec<u8>, Error> {
    document.validate()?;
    let field = &document.field;
    let (header, minor) = Metadata {
        signal: document.signal.clone(),
        grid: field.grid().clone(),
        spec: field.spec().clone(),
        training: document.training.clone(),
        empty: field.empty().to_vec(),
        blend: field.blend().to_vec(),
    }
    .to_bytes()?;

    let chunk = |partition: u32, payload: &[u8]| {
        // What is empty has no coding of its own in the index.
        let coding = if payload.is_empty() { 0 } else { coding };
        Chunk { partition, coding, payload: payload.len() as u64, offset: 0 }
    };
    let shared = chunk(SHARED, shared_payload);
    let chunks: Vec<Chunk> = field.present().iter().zip(payloads).map(|(&p, payload)| chunk(p, payload)).collect();

    let all = || {
        let payloads = std::iter::once(shared_payload).chain(payloads.iter().map(Vec::as_slice));
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
