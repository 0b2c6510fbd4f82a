//! Files with correct checksums around contents of any kind, so that tests get past the checksums.

/// Prelude bytes before the header.
pub const PRELUDE: usize = 52;

pub fn checksum(id: &[u8], bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(id), bytes).to_le_bytes()
}

/// A file of these parts with a sound prelude; `data` is taken as it is.
pub fn file(header: &[u8], index: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89INR\r\n\x1a\n\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend((index.len() as u32).to_le_bytes());
    bytes.extend([0x5a; 16]);
    bytes.extend([0; 12]);
    for part in [header, index, data] {
        bytes.extend_from_slice(part);
    }
    repair(&mut bytes);
    bytes
}

/// The lengths of header and index that a prelude claims.
pub fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    Some((number(16)?, number(20)?))
}

/// Makes the checksums of prelude, header and index right, as far as these parts are there.
pub fn repair(bytes: &mut [u8]) {
    let Some((header, index)) = lengths(bytes) else { return };
    if bytes.len() < PRELUDE {
        return;
    }
    let id: [u8; 16] = bytes[24..40].try_into().unwrap();
    if let Some(part) = bytes.get(PRELUDE..PRELUDE.saturating_add(header)) {
        let sum = checksum(&id, part);
        bytes[40..44].copy_from_slice(&sum);
    }
    if let Some(part) = bytes.get(PRELUDE + header..(PRELUDE + header).saturating_add(index)) {
        let sum = checksum(&id, part);
        bytes[44..48].copy_from_slice(&sum);
    }
    let sum = crc32c::crc32c(&bytes[..48]).to_le_bytes();
    bytes[48..52].copy_from_slice(&sum);
}

/// Makes the checksum of a chunk right.
pub fn repair_chunk(bytes: &mut [u8], partition: Option<u32>, offset: u64, length: u64) {
    if length < 4 {
        return;
    }
    let mut seed: Vec<u8> = bytes[24..40].to_vec();
    seed.extend(partition.unwrap_or(u32::MAX).to_le_bytes());
    let (start, end) = (offset as usize, (offset + length) as usize);
    let sum = checksum(&seed, &bytes[start..end - 4]);
    bytes[end - 4..end].copy_from_slice(&sum);
}

/// Header and index of a sound file.
pub fn parts(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (header, index) = lengths(bytes).unwrap();
    let (head, data) = bytes[PRELUDE..].split_at(header + index);
    let (header, index) = head.split_at(header);
    (header, index, data)
}
