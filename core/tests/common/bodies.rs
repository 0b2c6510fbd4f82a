//! What must hold for any bytes at all. The fuzz targets in `core/fuzz` and the property tests run the same functions.

use super::craft;
use tessera_core::error::Error;
use tessera_core::format::{Head, Reader, WeightCoding, crop, write};

/// Header, index and data of any kind behind a sound prelude: the first three bytes say where to cut.
pub fn header(input: &[u8]) {
    let Some(([a, b, c], rest)) = input.split_first_chunk::<3>() else { return };
    let header = (usize::from(*a) | usize::from(*b) << 8).min(rest.len());
    let (header, rest) = rest.split_at(header);
    let (index, data) = rest.split_at(usize::from(*c).min(rest.len()));
    file(&craft::file(header, index, data));
}

/// Any bytes as a file: an error, or everything that the format promises.
pub fn file(input: &[u8]) {
    let head = Head::bytes_needed(input);
    match Reader::open(input) {
        Err(error) => blames_the_file(&error),
        Ok(reader) => {
            assert_eq!(head, Ok(reader.head_bytes()));
            let mut next = reader.head_bytes();
            for chunk in reader.chunks() {
                assert_eq!(chunk.offset, next, "chunks leave no hole and do not overlap");
                next += chunk.bytes;
            }
            assert_eq!(next, reader.file_bytes());
            match reader.document() {
                Err(error) => blames_the_file(&error),
                Ok(document) => {
                    assert_eq!(crop(input, reader.present()).as_deref(), Ok(input));
                    let again = write(&document, WeightCoding::F32).unwrap();
                    assert_eq!(Reader::open(&again).unwrap().document(), Ok(document));
                }
            }
            let _ = reader.verify();
        }
    }
}

/// Two selections (a bit per partition each, the first four bytes) on a file whose checksums are made right.
pub fn cropping(input: &[u8]) {
    let Some(([a, b, c, d], rest)) = input.split_first_chunk::<4>() else { return };
    let mut bytes = rest.to_vec();
    craft::repair(&mut bytes);
    let chunks = match Reader::open(&bytes) {
        Err(error) => return blames_the_file(&error),
        Ok(reader) => reader.chunks(),
    };
    for chunk in chunks {
        craft::repair_chunk(&mut bytes, chunk.partition, chunk.offset, chunk.bytes);
    }
    let reader = Reader::open(&bytes).unwrap();
    let present = reader.present().to_vec();
    let chosen = |mask: u16| {
        let on = |slot: usize| mask >> (slot % 16) & 1 == 1;
        present.iter().enumerate().filter(|(slot, _)| on(*slot)).map(|(_, &p)| p).collect::<Vec<u32>>()
    };
    let (first, second) = (chosen(u16::from_le_bytes([*a, *b])), chosen(u16::from_le_bytes([*c, *d])));
    let both: Vec<u32> = first.iter().copied().filter(|p| second.contains(p)).collect();
    let Ok(cropped) = crop(&bytes, &first) else {
        assert!(first.is_empty());
        assert_eq!(reader.cropped_bytes(&first), 0);
        return;
    };
    assert_eq!(cropped.len() as u64, reader.cropped_bytes(&first));
    let cropped_reader = Reader::open(&cropped).unwrap();
    assert_eq!(cropped_reader.present(), first);
    assert_eq!(cropped_reader.file_id(), reader.file_id());
    assert_eq!(crop(&cropped, &first).as_ref(), Ok(&cropped));
    assert_eq!(crop(&cropped, &second).ok(), crop(&bytes, &both).ok());
    if let Ok(document) = reader.document() {
        let kept = cropped_reader.document().unwrap();
        assert_eq!(kept.field, document.field.restricted_to(&first));
    }
}

/// A reader never blames its caller for what is in the bytes.
fn blames_the_file(error: &Error) {
    assert!(!matches!(error, Error::Parameter(_)), "{error}");
    assert!(error.to_string().len() < 1000, "{error}");
}
