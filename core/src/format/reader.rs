//! Reading a file that is in memory.

use super::checksum::FileId;
use super::crop;
use super::document::{Document, TrainingRecord};
use super::head::{Head, slice};
use super::index::{Chunk, SHARED};
use super::prelude::VERSION;
use crate::codec::chunks::{Form, QuantisedReader};
use crate::codec::{ChunkCoding, WeightCoding};
use crate::error::{Error, Unsupported};
use crate::field::{Field, FieldSpec};
use crate::grid::Grid;
use crate::signal::SignalInfo;

/// An opened file: prelude, header and index are checked, the chunks are looked at when they are asked for.
///
/// # Examples
/// ```
/// use tessera_core::field::{FieldSpec, initialise};
/// use tessera_core::format::{self, Document, Reader, TrainingRecord, WeightCoding};
/// use tessera_core::grid::{Grid, UNIT_RANGE};
/// use tessera_core::signal::{SampleFormat, SignalInfo};
///
/// let grid = Grid::new(vec![7, 5], vec![2, 2], UNIT_RANGE)?;
/// let field = initialise(&FieldSpec::per_partition(2, 1, 3), &grid, 1)?;
/// let signal = SignalInfo::picture(7, 5, 1, SampleFormat::U8)?;
/// let document = Document { signal, field, training: TrainingRecord::default() };
/// let bytes = format::write(&document, WeightCoding::F32)?;
///
/// let reader = Reader::open(&bytes)?;
/// assert_eq!(reader.signal().shape, [7, 5]);
/// assert_eq!(reader.cropped_bytes(&[0]), format::crop(&bytes, &[0])?.len() as u64);
/// assert_eq!(reader.document()?, document);
/// assert!(Reader::open(&bytes[..40]).is_err());
/// # Ok::<(), tessera_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) head: Head,
    present: Vec<u32>,
    coding: ChunkCoding,
}

/// Where a chunk lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Its partition; `None` for the global chunk.
    pub partition: Option<u32>,
    /// First byte, from the start of the file.
    pub offset: u64,
    /// Bytes with the checksum. 0 for the global chunk of a field without a global network.
    pub bytes: u64,
}

impl<'a> Reader<'a> {
    /// Opens a file: checks prelude, header and index, and that chunks of the listed sizes fill the file exactly.
    ///
    /// # Errors
    /// [`Error::Malformed`] for damage or another kind of file, [`Error::Unsupported`] for a later format or coding,
    /// [`Error::Limit`] for a file beyond the limits of the format.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let head = Head::parse(bytes, Some(bytes.len() as u64))?;
        for chunk in head.all_chunks() {
            known_coding(chunk)?;
        }
        let plain = ChunkCoding::Plain(WeightCoding::default());
        let coding = head.chunks.first().map(known_coding).transpose()?.unwrap_or(plain);
        let present = head.chunks.iter().map(|chunk| chunk.partition).collect();
        Ok(Self { bytes, head, present, coding })
    }

    /// What was encoded.
    pub fn signal(&self) -> &SignalInfo {
        &self.head.metadata.signal
    }

    /// Canvas, partitions and coordinates of the original, also in a cropped file.
    pub fn grid(&self) -> &Grid {
        &self.head.metadata.grid
    }

    /// What network it is.
    pub fn spec(&self) -> &FieldSpec {
        &self.head.metadata.spec
    }

    /// How it was trained.
    pub fn training(&self) -> &TrainingRecord {
        &self.head.metadata.training
    }

    /// The coding of the partitions' weights, that is of the first one where they differ.
    pub fn coding(&self) -> ChunkCoding {
        self.coding
    }

    /// Partitions that are present, ascending; never empty.
    pub fn present(&self) -> &[u32] {
        &self.present
    }

    /// Partitions that never had a network, ascending: there was nothing in them.
    pub fn empty(&self) -> &[u32] {
        &self.head.metadata.empty
    }

    /// Samples within which the borders of partitions are blended, per axis; empty for none ([`Field::blend`]).
    pub fn blend(&self) -> &[u32] {
        &self.head.metadata.blend
    }

    /// Whether nothing was cropped away.
    pub fn is_complete(&self) -> bool {
        self.present.len().saturating_add(self.empty().len()) as u64 == u64::from(self.grid().partitions())
    }

    /// Major and minor version of the file.
    pub fn version(&self) -> (u16, u16) {
        (VERSION.0, self.head.prelude.minor)
    }

    /// The identity that the file shares with its crops and its original.
    pub fn file_id(&self) -> FileId {
        self.head.prelude.id
    }

    /// Bytes of prelude, header and index.
    pub fn head_bytes(&self) -> u64 {
        self.head.prelude.head_bytes()
    }

    /// Bytes of the whole file.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The chunks in file order, the global one first. With [`Reader::head_bytes`] they add up to the file.
    pub fn chunks(&self) -> Vec<ChunkInfo> {
        self.head
            .all_chunks()
            .map(|chunk| ChunkInfo {
                partition: (chunk.partition != SHARED).then_some(chunk.partition),
                offset: chunk.offset,
                bytes: chunk.bytes(),
            })
            .collect()
    }

    /// Weights and biases of all networks in the file.
    pub fn parameters(&self) -> u64 {
        self.spec().parameters(self.present.len() as u64)
    }

    /// Checks every chunk and decodes the weights.
    ///
    /// # Errors
    /// [`Error::Malformed`] naming the first chunk with a wrong checksum or a weight that is not allowed.
    pub fn document(&self) -> Result<Document, Error> {
        self.decoded(Form::Any)
    }

    /// [`Reader::document`] of a file that [`Reader::verify`] accepts: all checks and the weights, in little more time than
    /// the weights alone.
    ///
    /// # Errors
    /// As [`Reader::verify`].
    pub fn verified(&self) -> Result<Document, Error> {
        let document = self.decoded(Form::Written)?;
        if self.is_complete() {
            let payloads: Vec<_> =
                self.head.all_chunks().map(|chunk| Ok((chunk, self.payload(chunk)?))).collect::<Result<_, Error>>()?;
            if FileId::of(&self.head.header, payloads.into_iter()) != self.file_id() {
                return Err(Error::malformed("file id", 24, "it is not the digest of the contents"));
            }
        }
        Ok(document)
    }

    /// Everything that the format promises: what [`Reader::open`] and [`Reader::document`] check, that quantised weights
    /// are written in their one form, and in a file with all its partitions that the file id is the digest of the contents.
    ///
    /// # Errors
    /// As [`Reader::open`] and [`Reader::document`].
    pub fn verify(&self) -> Result<(), Error> {
        self.verified().map(drop)
    }

    fn decoded(&self, form: Form) -> Result<Document, Error> {
        let (shared, local) = match self.quantised()? {
            None => (self.weights(std::slice::from_ref(&self.head.shared))?, self.weights(&self.head.chunks)?),
            Some(quantised) => {
                let shared = quantised.shared(form).map_err(|error| damaged(&self.head.shared, error))?;
                let mut local = Vec::new();
                for chunk in &self.head.chunks {
                    let weights = quantised.local(chunk.partition, self.payload(chunk)?, form);
                    local.extend(weights.map_err(|error| damaged(chunk, error))?);
                }
                (shared, local)
            }
        };
        let (spec, grid) = (self.spec().clone(), self.grid().clone());
        Ok(Document {
            signal: self.signal().clone(),
            field: Field::new(spec, grid, self.present.clone(), shared, local)?
                .with_empty(self.empty().to_vec())?
                .with_blend(self.blend().to_vec())?,
            training: self.training().clone(),
        })
    }

    /// Exact size in bytes of [`super::crop()`] with the same list; 0 where nothing would be kept.
    pub fn cropped_bytes(&self, keep: &[u32]) -> u64 {
        crop::cropped_bytes(&self.head, keep)
    }

    fn payload(&self, chunk: &Chunk) -> Result<&'a [u8], Error> {
        checked_payload(self.bytes, self.file_id(), chunk)
    }

    /// What reads quantised chunks; `None` where the weights are plain.
    pub(super) fn quantised(&self) -> Result<Option<QuantisedReader<'_>>, Error> {
        if self.coding != ChunkCoding::Quantised {
            return Ok(None);
        }
        let payload = self.payload(&self.head.shared)?;
        QuantisedReader::new(self.spec(), self.grid(), self.training().seed, payload)
            .map(Some)
            .map_err(|error| damaged(&self.head.shared, error))
    }

    fn weights(&self, chunks: &[Chunk]) -> Result<Vec<f32>, Error> {
        let mut weights = Vec::new();
        for chunk in chunks {
            let ChunkCoding::Plain(coding) = known_coding(chunk)? else { continue };
            coding.decode(self.payload(chunk)?, &mut weights).map_err(|error| damaged(chunk, error))?;
        }
        Ok(weights)
    }
}

/// What is wrong with the payload of `chunk`, as damage of the file.
fn damaged(chunk: &Chunk, error: Error) -> Error {
    match error {
        Error::Parameter(reason) => Error::malformed(chunk.name(), chunk.offset, reason),
        other => other,
    }
}

/// The payload of `chunk` after its checksum was compared.
pub(super) fn checked_payload<'a>(bytes: &'a [u8], id: FileId, chunk: &Chunk) -> Result<&'a [u8], Error> {
    // The index was compared with the length of the file, so the chunk is there.
    checked(slice(bytes, chunk.offset, chunk.bytes()).unwrap_or_default(), id, chunk)
}

/// The payload of `chunk` in its `stored` form after its checksum was compared.
pub(super) fn checked<'a>(stored: &'a [u8], id: FileId, chunk: &Chunk) -> Result<&'a [u8], Error> {
    if chunk.payload == 0 {
        return Ok(&[]);
    }
    stored
        .split_last_chunk::<4>()
        .filter(|(payload, checksum)| id.chunk_checksum(chunk.partition, payload) == u32::from_le_bytes(**checksum))
        .map(|(payload, _)| payload)
        .ok_or_else(|| Error::malformed(chunk.name(), chunk.offset, "its checksum does not match"))
}

fn known_coding(chunk: &Chunk) -> Result<ChunkCoding, Error> {
    ChunkCoding::from_id(chunk.coding).ok_or_else(|| {
        Unsupported {
            feature: format!("weight coding {} ({})", chunk.coding, chunk.name()),
            advice: "get a newer Tessera".to_owned(),
        }
        .into()
    })
}
