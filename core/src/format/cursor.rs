//! Reading numbers from bytes that may end at any place.

use crate::error::Error;

/// The unread rest of one part of a file.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    part: &'static str,
    offset: u64,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, which are `part` and stand at `offset` of the file.
    pub(super) fn new(bytes: &'a [u8], part: &'static str, offset: u64) -> Self {
        Self { rest: bytes, part, offset }
    }

    /// The error for damage in this part.
    pub(super) fn malformed(&self, reason: impl Into<String>) -> Error {
        Error::malformed(self.part, self.offset, reason)
    }

    pub(super) fn remaining(&self) -> u64 {
        self.rest.len() as u64
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) =
            self.rest.split_first_chunk::<N>().ok_or_else(|| self.malformed("it ends in the middle of a number"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// An unsigned LEB128 number in its shortest form, at most 63 bits.
    pub(super) fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0_u32..63).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.malformed("a number is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.malformed("a number has more than 63 bits"))
    }
}

/// Appends `value` as unsigned LEB128.
#[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
pub(super) fn push_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<u64, Error> {
        let mut cursor = Cursor::new(bytes, "index", 0);
        let value = cursor.varint()?;
        assert_eq!(cursor.remaining(), 0);
        Ok(value)
    }

    #[test]
    fn numbers_have_one_form() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), (1 << 63) - 1] {
            let mut bytes = vec![];
            push_varint(&mut bytes, value);
            assert_eq!(read(&bytes), Ok(value));
            assert!(read(&bytes[..bytes.len() - 1]).is_err(), "{value} cut short");
        }
        assert_eq!(read(&[0xac, 0x02]), Ok(300));
        for bad in [&[0x80, 0x00][..], &[0xff, 0x80, 0x00], &[0xff; 9], &[0x80; 30]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
