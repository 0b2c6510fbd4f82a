//! The index: which chunks follow, how they are coded and how long they are.
//!
//! It is the only part besides the prelude that a crop rewrites, so its form follows from the list of chunks alone:
//! presence as alternating run lengths, then groups of neighbours with one coding and, where they agree, one length.
//! (A bitmap would be smaller only for chequered crops, and a second form would need a rule to choose.) Offsets are
//! sums of lengths and never stored.

use super::cursor::{Cursor, push_varint};
use crate::codec::{ChunkCoding, chunks::least_bytes, quantised};
use crate::error::{Error, check_limit};
use crate::field::FieldSpec;
use crate::grid::Grid;
use crate::limits;

/// The number that stands for "no partition": the shared chunk.
pub(super) const SHARED: u32 = u32::MAX;
/// Bytes of the checksum behind a chunk's payload.
pub(super) const CHECKSUM_BYTES: u64 = 4;
/// Bytes that a partition's chunk takes at least: a byte of payload and the checksum.
const LEAST_CHUNK_BYTES: u64 = 5;

/// One chunk as the index describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its partition, or [`SHARED`].
    pub(super) partition: u32,
    /// The coding's id, known or not.
    pub(super) coding: u16,
    /// Bytes of its payload. Only the shared chunk has none, in a field without a global network and quantised weights.
    pub(super) payload: u64,
    /// Where it starts in the file.
    pub(super) offset: u64,
}

impl Chunk {
    /// Bytes with the checksum; an empty chunk takes no place at all.
    pub(super) fn bytes(&self) -> u64 {
        if self.payload == 0 { 0 } else { self.payload.saturating_add(CHECKSUM_BYTES) }
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        if self.partition == SHARED {
            "global chunk".to_owned()
        } else {
            format!("chunk of partition {}", self.partition)
        }
    }
}

/// Writes the index of `chunks`: the shared one first, then those of the partitions, ascending.
pub(super) fn to_bytes(shared: &Chunk, chunks: &[Chunk]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_varint(&mut bytes, shared.payload);
    if shared.payload > 0 {
        push_varint(&mut bytes, shared.coding.into());
    }
    let runs: Vec<&[Chunk]> = chunks.chunk_by(|a, b| a.partition.checked_add(1) == Some(b.partition)).collect();
    push_varint(&mut bytes, runs.len() as u64);
    let mut next = 0_u64;
    for run in runs {
        let first = run.first().map_or(0, |chunk| u64::from(chunk.partition));
        push_varint(&mut bytes, first.saturating_sub(next));
        push_varint(&mut bytes, run.len() as u64);
        next = first.saturating_add(run.len() as u64);
    }
    for group in chunks.chunk_by(|a, b| a.coding == b.coding) {
        let Some(first) = group.first() else { continue };
        push_varint(&mut bytes, group.len() as u64);
        push_varint(&mut bytes, first.coding.into());
        if group.iter().all(|chunk| chunk.payload == first.payload) {
            push_varint(&mut bytes, first.payload);
        } else {
            push_varint(&mut bytes, 0);
            group.iter().for_each(|chunk| push_varint(&mut bytes, chunk.payload));
        }
    }
    bytes
}

/// Reads an index that stands at `offset`, in a file of `file_bytes` bytes. Returns the shared chunk and those of the
/// partitions, which tile the rest of the file exactly.
pub(super) fn parse(
    bytes: &[u8],
    offset: u64,
    file_bytes: Option<u64>,
    grid: &Grid,
    spec: &FieldSpec,
) -> Result<(Chunk, Vec<Chunk>), Error> {
    let mut cursor = Cursor::new(bytes, "index", offset);
    let data_start = offset.saturating_add(bytes.len() as u64);
    let shared = shared_chunk(&mut cursor, data_start)?;
    // Of a file whose length nobody told, the limits of the format alone bound what is made room for.
    let data_bytes = file_bytes.unwrap_or(u64::MAX).saturating_sub(data_start);
    let runs = presence(&mut cursor, grid.partitions(), data_bytes)?;
    let present = runs.iter().map(|&(_, length)| u64::from(length)).fold(0, u64::saturating_add);
    // Before a list of that length is made: every chunk has at least one byte of payload.
    let least = present.saturating_mul(LEAST_CHUNK_BYTES).saturating_add(shared.bytes());
    if least > data_bytes {
        return Err(cursor
            .malformed(format!("it lists {present} partitions in at least {least} bytes, {data_bytes} bytes follow")));
    }
    check_limit("parameters", spec.parameters(present), limits::PARAMETERS)?;
    check_payload(&cursor, &shared, spec.shared_parameters())?;

    // Bounded by the bytes of the file, see above.
    let mut chunks: Vec<Chunk> = Vec::with_capacity(usize::try_from(present).unwrap_or(0));
    for (first, length) in runs {
        let partitions = first..first.saturating_add(length);
        chunks.extend(partitions.map(|partition| Chunk { partition, coding: 0, payload: 0, offset: 0 }));
    }
    let mut previous = None;
    let mut rest = chunks.as_mut_slice();
    while !rest.is_empty() {
        let (count, coding, common) = (cursor.varint()?, read_coding(&mut cursor)?, cursor.varint()?);
        let group;
        (group, rest) = usize::try_from(count)
            .ok()
            .filter(|&count| count > 0)
            .and_then(|count| rest.split_at_mut_checked(count))
            .ok_or_else(|| {
                cursor.malformed(format!("a group of {count} chunks does not fit the partitions present"))
            })?;
        if previous == Some(coding) {
            return Err(cursor.malformed("two neighbouring groups have the same coding"));
        }
        previous = Some(coding);
        for chunk in group.iter_mut() {
            chunk.coding = coding;
            chunk.payload = if common > 0 { common } else { cursor.varint()? };
            check_payload(&cursor, chunk, spec.local_parameters())?;
        }
        let uniform = group.windows(2).all(|pair| matches!(pair, [a, b] if a.payload == b.payload));
        if common == 0 && uniform {
            return Err(cursor.malformed("equal lengths are not written as one"));
        }
    }
    if cursor.remaining() > 0 {
        return Err(cursor.malformed(format!("{} bytes follow its last entry", cursor.remaining())));
    }
    check_codings(&cursor, &shared, &chunks)?;
    let end = place(data_start.saturating_add(shared.bytes()), &mut chunks);
    match file_bytes {
        Some(bytes) if end > bytes => Err(cursor
            .malformed(format!("the chunks end at byte {end}, but the file has only {bytes} bytes: it is cut short"))),
        Some(bytes) if end < bytes => Err(cursor.malformed(format!(
            "the chunks end at byte {end}, but the file has {bytes} bytes: something follows them"
        ))),
        // Sums stop there, so that offsets would no longer tell chunks apart.
        None if end == u64::MAX => Err(cursor.malformed("the chunks take more bytes than a file can have")),
        _ => Ok((shared, chunks)),
    }
}

/// Gives every chunk its offset, the first one `start`; returns the end of the last.
pub(super) fn place(start: u64, chunks: &mut [Chunk]) -> u64 {
    let mut next = start;
    for chunk in chunks {
        chunk.offset = next;
        next = next.saturating_add(chunk.bytes());
    }
    next
}

fn read_coding(cursor: &mut Cursor<'_>) -> Result<u16, Error> {
    let id = cursor.varint()?;
    u16::try_from(id).map_err(|_| cursor.malformed(format!("{id} is no coding")))
}

fn shared_chunk(cursor: &mut Cursor<'_>, offset: u64) -> Result<Chunk, Error> {
    let payload = cursor.varint()?;
    let coding = if payload > 0 { read_coding(cursor)? } else { 0 };
    Ok(Chunk { partition: SHARED, coding, payload, offset })
}

/// Runs of present partitions: first and length.
fn presence(cursor: &mut Cursor<'_>, partitions: u32, data_bytes: u64) -> Result<Vec<(u32, u32)>, Error> {
    let count = cursor.varint()?;
    // A run takes two bytes at least, and has one chunk at least.
    let possible = (cursor.remaining() / 2).min(data_bytes / LEAST_CHUNK_BYTES);
    if count == 0 || count > possible {
        return Err(cursor.malformed(format!("it cannot hold {count} runs of partitions")));
    }
    let mut runs = Vec::new();
    let mut next = 0_u64;
    for run in 0..count {
        let (gap, length) = (cursor.varint()?, cursor.varint()?);
        if length == 0 || (gap == 0 && run > 0) {
            return Err(cursor.malformed("a run of partitions is empty or not separated from the one before"));
        }
        let first = next.saturating_add(gap);
        next = first.saturating_add(length);
        match (u32::try_from(first), u32::try_from(length)) {
            (Ok(first), Ok(length)) if next <= partitions.into() => runs.push((first, length)),
            _ => return Err(cursor.malformed(format!("it lists partitions beyond the {partitions} of the grid"))),
        }
    }
    Ok(runs)
}

/// A chunk is empty exactly where it has nothing to say, plain codings have known lengths, and quantised ones a least
/// length. The global chunk of quantised weights is never empty: it begins with what all others need.
fn check_payload(cursor: &Cursor<'_>, chunk: &Chunk, weights: u64) -> Result<(), Error> {
    let wrong = |expected: String| {
        let (name, payload) = (chunk.name(), chunk.payload);
        Err(cursor.malformed(format!("the {name} has {payload} bytes for {weights} weights, expected {expected}")))
    };
    let coding = ChunkCoding::from_id(chunk.coding);
    let quantised = chunk.payload > 0 && coding == Some(ChunkCoding::Quantised);
    match coding {
        _ if weights == 0 && chunk.payload > 0 && !quantised => wrong("none".to_owned()),
        _ if weights > 0 && chunk.payload == 0 => wrong("some".to_owned()),
        Some(ChunkCoding::Plain(coding)) if coding.payload_bytes(weights) != chunk.payload => {
            wrong(coding.payload_bytes(weights).to_string())
        }
        Some(ChunkCoding::Quantised) if chunk.payload > 0 => {
            let least = least_bytes(weights, chunk.partition == SHARED);
            if chunk.payload < least { wrong(format!("{least} at least")) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// Quantised chunks need what the global chunk says, and nothing else does.
fn check_codings(cursor: &Cursor<'_>, shared: &Chunk, chunks: &[Chunk]) -> Result<(), Error> {
    let quantised = |chunk: &Chunk| chunk.payload > 0 && chunk.coding == quantised::CODING;
    let odd = chunks.iter().find(|chunk| quantised(chunk) != quantised(shared));
    odd.map_or(Ok(()), |chunk| {
        let name = chunk.name();
        Err(cursor.malformed(format!("the {name} and the global chunk: only one of them is quantised")))
    })
}
