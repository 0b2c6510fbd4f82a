//! What must hold for any bytes at all. The fuzz targets in `core/fuzz` and the property tests run the same functions.

use super::craft;
use std::sync::OnceLock;
use tessera_core::codec::chunks::{Form, QuantisedReader};
use tessera_core::codec::range::{Decoder, Encoder};
use tessera_core::codec::symbols::Frequencies;
use tessera_core::error::Error;
use tessera_core::field::FieldSpec;
use tessera_core::format::{Head, Piece, Reader, WeightCoding, crop, write};
use tessera_core::grid::Grid;

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
    assert_eq!(Head::front_bytes(input).is_ok(), head.is_ok());
    if let Err(error) = Head::parse(input, None) {
        blames_the_file(&error);
    }
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
    let head = Head::parse(&bytes[..usize::try_from(reader.head_bytes()).unwrap()], None).unwrap();
    assert_eq!(head.file_bytes(), bytes.len() as u64);
    for more in [0, 1, 9, 900] {
        let have = (usize::try_from(reader.head_bytes()).unwrap() + more).min(bytes.len());
        let (fetched, total) = fetched(&bytes, &head, &first, have);
        assert_eq!(fetched, cropped, "a crop from the bytes that it needs alone");
        let needed = head.needed_bytes(&first);
        assert!(total <= (needed + needed / 5).max(needed + have as u64 - reader.head_bytes()));
    }
    if let Ok(document) = reader.document() {
        let kept = cropped_reader.document().unwrap();
        assert_eq!(kept.field, document.field.restricted_to(&first));
    }
}

/// Numbers read from one input by each kind of frequencies.
const NUMBERS: usize = 300;

/// Payloads of quantised weights, without a file around them: the first byte chooses a network, the next two say how long the
/// global chunk's payload is; the rest is that of a partition.
pub fn coded(input: &[u8]) {
    let Some(([network, a, b], rest)) = input.split_first_chunk::<3>() else { return };
    let (shared, local) = rest.split_at((usize::from(*a) | usize::from(*b) << 8).min(rest.len()));
    let networks = quantised_networks();
    let (_, spec, grid, seed) = &networks[usize::from(*network) % networks.len()];
    for frequencies in [Ok(Frequencies::adaptive()), Frequencies::from_table(shared)].into_iter().flatten() {
        let mut from = Decoder::new(local);
        let mut reading = frequencies.clone();
        let numbers: Vec<i32> = (0..NUMBERS).map(|_| reading.read(&mut from)).collect();
        let (mut writing, mut encoder) = (frequencies.clone(), Encoder::default());
        numbers.iter().for_each(|&number| writing.write(number, &mut encoder).unwrap());
        let written = encoder.finish();
        let (mut again, mut from) = (frequencies, Decoder::new(&written));
        assert!(numbers.iter().all(|&number| again.read(&mut from) == number), "symbols come back");
    }
    let Ok(reader) = QuantisedReader::new(spec, grid, *seed, shared) else { return };
    let partition = u32::from(*network) % grid.partitions();
    let weights = [reader.shared(Form::Any), reader.local(partition, local, Form::Any)];
    let written = [reader.shared(Form::Written), reader.local(partition, local, Form::Written)];
    for (weights, written) in weights.into_iter().zip(written) {
        match (weights, written) {
            (Ok(weights), written) => {
                assert!(weights.iter().all(|w| w.is_finite()));
                assert!(written.is_err() || written == Ok(weights));
            }
            (Err(_), written) => assert!(written.is_err(), "what is as written can be read"),
        }
    }
}

/// Name, network, grid and seed of the committed quantised files.
pub fn quantised_networks() -> &'static [(&'static str, FieldSpec, Grid, u64)] {
    static NETWORKS: OnceLock<Vec<(&str, FieldSpec, Grid, u64)>> = OnceLock::new();
    NETWORKS.get_or_init(|| {
        let quantised = super::golden().into_iter().filter(|(name, _)| name.ends_with("quantised"));
        let of = |(name, bytes): (&'static str, Vec<u8>)| {
            let reader = Reader::open(&bytes).unwrap();
            (name, reader.spec().clone(), reader.grid().clone(), reader.training().seed)
        };
        quantised.map(of).collect()
    })
}

/// A reader never blames its caller for what is in the bytes.
fn blames_the_file(error: &Error) {
    assert!(!matches!(error, Error::Parameter(_)), "{error}");
    assert!(error.to_string().len() < 1000, "{error}");
}

/// The crop of a file that lies elsewhere, from its first `have` bytes and the ranges that are asked for, and all those bytes.
pub fn fetched(far: &[u8], head: &Head, keep: &[u32], have: usize) -> (Vec<u8>, u64) {
    let mut pieces = vec![Piece { offset: 0, bytes: &far[..have] }];
    let mut end = have as u64;
    for range in head.ranges(keep, have as u64) {
        assert!(
            range.start >= end && range.start < range.end,
            "ranges ascend and leave gaps, or begin where others end"
        );
        assert!(pieces.len() == 1 || range.start > end, "neighbours are one range");
        let place = |offset: u64| usize::try_from(offset).unwrap();
        pieces.push(Piece { offset: range.start, bytes: &far[place(range.start)..place(range.end)] });
        end = range.end;
    }
    let total = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
    (head.crop(keep, &pieces).unwrap(), total)
}
