//! Bytes from outside: damage of every kind gives a typed error, and never a panic or a wrong picture.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of small test files")]

mod common;

use common::craft;
use tessera_core::error::Error;
use tessera_core::format::{Document, Head, Piece, Reader, WeightCoding, crop, write};
use tessera_core::signal::Placement;

/// Opens and looks at everything.
fn read(bytes: &[u8]) -> Result<Document, Error> {
    let reader = Reader::open(bytes)?;
    reader.verify()?;
    reader.document()
}

#[test]
fn every_truncation_is_noticed() {
    for (name, bytes) in common::golden() {
        read(&bytes).unwrap();
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).expect_err(name);
            assert!(matches!(error, Error::Malformed(_)), "{name} at {length}: {error}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(read(&longer), Err(Error::Malformed(_))), "{name} with a trailing byte");
    }
}

#[test]
fn every_single_bit_flip_is_noticed() {
    for (name, bytes) in common::golden() {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match read(&damaged) {
                Err(Error::Malformed(_)) => {}
                // The major number has to come before the checksum, whose place may differ in another version.
                Err(Error::Unsupported(_)) if (64..80).contains(&bit) => {}
                other => panic!("{name}, bit {bit}: {other:?}"),
            }
        }
    }
}

/// What a server may do to ranges: other bytes, fewer of them, none.
#[test]
fn pieces_of_a_file_are_taken_only_where_they_fit() {
    for (name, bytes) in common::golden() {
        let front = Head::bytes_needed(&bytes).unwrap();
        for length in 0..front as usize {
            assert!(matches!(Head::parse(&bytes[..length], None), Err(Error::Malformed(_))), "{name} at {length}");
        }
        let head = Head::parse(&bytes[..front as usize], None).unwrap();
        // The global chunk follows the head; where it ends shows at the beginning of the index.
        let first = Reader::open(&bytes).unwrap().chunks()[0];
        let shared = if first.partition.is_none() { first.bytes } else { 0 };
        assert_eq!(Head::front_bytes(&bytes[..front as usize]), Ok(front + shared), "{name}");
        assert_eq!(Head::front_bytes(&bytes[..52]), Ok(front), "{name}");
        assert!(Head::parse(&bytes, Some(front)).is_err() && Head::parse(&bytes, Some(u64::MAX)).is_err(), "{name}");
        let keep = [*Reader::open(&bytes).unwrap().present().last().unwrap()];
        let whole = crop(&bytes, &keep).unwrap();
        let ranges = head.ranges(&keep, front);
        let pieces = |bytes: &[u8]| -> Vec<(u64, Vec<u8>)> {
            ranges.iter().map(|r| (r.start, bytes[r.start as usize..r.end as usize].to_vec())).collect()
        };
        let cropped = |pieces: &[(u64, Vec<u8>)]| {
            let pieces: Vec<Piece> = pieces.iter().map(|(offset, bytes)| Piece { offset: *offset, bytes }).collect();
            head.crop(&keep, &pieces)
        };
        assert_eq!(cropped(&pieces(&bytes)).unwrap(), whole, "{name}");
        assert!(matches!(cropped(&[]), Err(Error::Parameter(_))), "{name}");
        for (place, _) in ranges.iter().enumerate() {
            let mut short = pieces(&bytes);
            short[place].1.pop();
            assert!(matches!(cropped(&short), Err(Error::Parameter(_))), "{name}");
            let mut other = pieces(&bytes);
            *other[place].1.last_mut().unwrap() ^= 1;
            assert!(matches!(cropped(&other), Err(Error::Malformed(_))), "{name}");
            let mut elsewhere = pieces(&bytes);
            elsewhere[place].0 += 1;
            assert!(cropped(&elsewhere).is_err(), "{name}");
        }
        assert!(matches!(head.crop(&[u32::MAX - 1], &[]), Err(Error::Parameter(_))));
        assert!(head.ranges(&[u32::MAX - 1], front).is_empty());
    }
}

#[test]
fn a_chunk_of_another_file_or_place_is_noticed() {
    let one = write(&common::picture(), WeightCoding::F32).unwrap();
    let mut document = common::picture();
    document.training.seed += 1;
    let other = write(&document, WeightCoding::F32).unwrap();
    assert_eq!(one.len(), other.len());
    let chunks = Reader::open(&one).unwrap().chunks();
    let range = |i: usize| chunks[i].offset as usize..(chunks[i].offset + chunks[i].bytes) as usize;

    let mut mixed = one.clone();
    mixed[range(3)].copy_from_slice(&other[range(3)]);
    let error = read(&mixed).unwrap_err().to_string();
    assert!(error.contains("chunk of partition 2"), "{error}");
    assert!(tessera_core::format::crop(&mixed, &[2]).is_err(), "a crop does not launder damage");
    assert!(tessera_core::format::crop(&mixed, &[1]).is_ok(), "a sound part can still be saved");

    let mut swapped = one.clone();
    swapped[range(3)].copy_from_slice(&one[range(4)]);
    swapped[range(4)].copy_from_slice(&one[range(3)]);
    assert!(read(&swapped).is_err());

    // The id covers the contents: made-up checksums are not enough for a whole file.
    let mut forged = one.clone();
    forged[range(1)][0] ^= 1;
    craft::repair_chunk(&mut forged, Some(0), chunks[1].offset, chunks[1].bytes);
    assert!(Reader::open(&forged).unwrap().document().is_ok());
    let error = Reader::open(&forged).unwrap().verify().unwrap_err().to_string();
    assert!(error.contains("file id"), "{error}");
}

#[test]
fn weights_that_no_network_can_have_are_refused() {
    let bytes = write(&common::picture(), WeightCoding::F32).unwrap();
    let chunks = Reader::open(&bytes).unwrap().chunks();
    for bad in [f32::NAN, f32::INFINITY, -1.5e6] {
        for chunk in &chunks {
            let mut damaged = bytes.clone();
            let at = chunk.offset as usize + 8;
            damaged[at..at + 4].copy_from_slice(&bad.to_le_bytes());
            craft::repair_chunk(&mut damaged, chunk.partition, chunk.offset, chunk.bytes);
            assert!(matches!(read(&damaged), Err(Error::Malformed(_))), "{bad} in {chunk:?}");
        }
    }
}

/// A file with one byte string of the header or index replaced, checksums right.
fn with(what: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let bytes = write(&common::picture(), WeightCoding::F32).unwrap();
    let (header, index, data) = craft::parts(&bytes);
    let replace = |part: &[u8]| {
        let at = part.windows(from.len()).position(|w| w == from).unwrap_or_else(|| panic!("{what} is not there"));
        [&part[..at], to, &part[at + from.len()..]].concat()
    };
    match what {
        "header" => craft::file(&replace(header), index, data),
        _ => craft::file(header, &replace(index), data),
    }
}

#[test]
fn headers_that_claim_too_much_are_refused_before_any_work() {
    // Of the picture's header: kind 0, shape [6, 5], 3 channels.
    let claim = |shape: &[u8]| with("header", &[0, 2, 6, 5, 3], &[&[0][..], shape, &[3]].concat());
    for (what, bytes) in [
        ("samples along an axis", claim(&[2, 252, 1, 0, 0, 1, 5])),
        ("samples of the canvas", claim(&[2, 252, 0, 0, 0, 1, 252, 0, 0, 0, 1])),
        ("hidden layers", with("header", &[2, 1, 2, 3], &[2, 17, 2, 3])),
        ("local width", with("header", &[2, 1, 2, 3], &[2, 1, 251, 1, 16, 3])),
        ("global width", with("header", &[2, 1, 2, 3], &[2, 1, 2, 252, 255, 255, 255, 255])),
        ("multiply-adds", with("header", &[2, 1, 2, 3], &[2, 16, 251, 0, 16, 251, 0, 16])),
    ] {
        match Reader::open(&bytes) {
            Err(Error::Limit(limit)) => assert!(limit.quantity.contains(what), "{what}: {limit}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    for (what, bytes) in [
        ("a shape of 2^60 axes", claim(&[253, 0, 0, 0, 0, 0, 0, 0, 16, 6, 5])),
        ("a shape of no axis", claim(&[0])),
        ("an empty axis", claim(&[2, 0, 5])),
        ("more partitions than samples", claim(&[2, 2, 5])),
        ("a long form of a number", claim(&[2, 251, 6, 0, 5])),
        ("a text of 4 GiB", with("header", b"\x0dtessera 0.1.0", b"\xfc\xff\xff\xff\xfftessera 0.1.0")),
        ("a text that is not UTF-8", with("header", b"tessera 0.1.0", b"tessera \xff.1.0")),
        ("an infinite omega", with("header", &30.0_f32.to_le_bytes(), &f32::INFINITY.to_le_bytes())),
        ("other multiply-adds", with("header", &[2, 1, 2, 3], &[2, 2, 2, 3])),
        ("trailing bytes", with("header", b"steps = 300\n", b"steps = 300\n\0")),
    ] {
        let error = Reader::open(&bytes).expect_err(what);
        let expected = match what {
            "an infinite omega" => matches!(error, Error::Malformed(_) | Error::Limit(_)),
            _ => matches!(error, Error::Malformed(_)),
        };
        assert!(expected, "{what}: {error}");
    }
    for (what, bytes) in [
        ("signal kind 9", with("header", &[0, 2, 6, 5, 3], &[9, 2, 6, 5, 3])),
        ("model 7", with("header", &[2, 1, 2, 3], &[7, 1, 2, 3])),
    ] {
        match Reader::open(&bytes) {
            Err(Error::Unsupported(unsupported)) => assert!(unsupported.feature.contains(what), "{unsupported}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// The picture's index: 33 shared weights of 4 bytes as f32; one run of 6 partitions; one group of 6 with 21 weights.
#[test]
fn an_index_has_one_form_and_fits_the_file() {
    let bytes = write(&common::picture(), WeightCoding::F32).unwrap();
    let (header, index, data) = craft::parts(&bytes);
    assert_eq!(index, [132, 1, 0, 1, 0, 6, 6, 0, 84]);
    assert!(Reader::open(&craft::file(header, index, data)).is_ok());
    for (what, wrong) in [
        ("no run", vec![132, 1, 0, 0, 6, 0, 84]),
        ("an empty run", vec![132, 1, 0, 2, 0, 6, 1, 0, 6, 0, 84]),
        ("two runs for one", vec![132, 1, 0, 2, 0, 3, 0, 3, 6, 0, 84]),
        ("a partition too many", vec![132, 1, 0, 1, 0, 7, 7, 0, 84]),
        ("a run of 2^40", vec![132, 1, 0, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 6, 0, 84]),
        ("2^40 runs", vec![132, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0, 6, 6, 0, 84]),
        ("two groups for one", vec![132, 1, 0, 1, 0, 6, 3, 0, 84, 3, 0, 84]),
        ("equal lengths one by one", vec![132, 1, 0, 1, 0, 6, 6, 0, 0, 84, 84, 84, 84, 84, 84]),
        ("a group too long", vec![132, 1, 0, 1, 0, 6, 7, 0, 84]),
        ("a group too short", vec![132, 1, 0, 1, 0, 6, 5, 0, 84]),
        ("a group of none", vec![132, 1, 0, 1, 0, 6, 0, 0, 84]),
        ("a length that does not fit", vec![132, 1, 0, 1, 0, 6, 6, 0, 80]),
        ("a long form of a number", vec![132, 1, 0, 1, 0, 6, 6, 0, 0xd4, 0x00]),
        ("a trailing byte", vec![132, 1, 0, 1, 0, 6, 6, 0, 84, 0]),
        ("an end too early", vec![132, 1, 0, 1, 0, 6, 6, 0]),
        ("no shared chunk", vec![0, 1, 0, 6, 6, 0, 84]),
        ("fewer partitions than bytes", vec![132, 1, 0, 1, 0, 5, 5, 0, 84]),
    ] {
        let error = Reader::open(&craft::file(header, &wrong, data)).expect_err(what);
        assert!(matches!(&error, Error::Malformed(m) if m.part == "index"), "{what}: {error}");
    }
    let later = craft::file(header, &[132, 1, 0, 1, 0, 6, 6, 99, 84], data);
    assert!(matches!(Reader::open(&later), Err(Error::Unsupported(_))), "a coding of a later version");
}

#[test]
fn later_versions_open_or_are_refused_clearly() {
    let bytes = write(&common::picture(), WeightCoding::F16).unwrap();
    let (header, index, data) = craft::parts(&bytes);

    // A newer minor version may append to the header; chunks then carry checksums under the id of `craft::file`.
    // It has the fields of 1.1 to 1.3 as well, here without content.
    let longer = [header, &[0, 0, 0, 0, 1, 2, 3]].concat();
    let mut newer = craft::file(&longer, index, data);
    for ours in [0, 1, 2, 3] {
        newer[10] = ours;
        craft::repair(&mut newer);
        assert!(matches!(Reader::open(&newer), Err(Error::Malformed(_))), "not in 1.{ours}");
    }
    newer[10] = 4;
    craft::repair(&mut newer);
    for chunk in Reader::open(&newer).unwrap().chunks() {
        craft::repair_chunk(&mut newer, chunk.partition, chunk.offset, chunk.bytes);
    }
    let reader = Reader::open(&newer).unwrap();
    assert_eq!((reader.version(), reader.document().unwrap()), ((1, 4), common::picture()));
    // A crop keeps what it does not understand.
    let cropped = tessera_core::format::crop(&newer, &[5]).unwrap();
    assert_eq!(craft::parts(&cropped).0, longer);
    assert_eq!(Reader::open(&cropped).unwrap().version(), (1, 4));

    for (at, value, expected) in [(8, 2, "2.0"), (12, 4, "feature 2")] {
        let mut later = bytes.clone();
        later[at] = value;
        craft::repair(&mut later);
        match Reader::open(&later) {
            Err(Error::Unsupported(unsupported)) => assert!(unsupported.feature.contains(expected), "{unsupported}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_blend_is_checked() {
    let document = common::blended();
    let bytes = write(&document, WeightCoding::F16).unwrap();
    let (header, index, data) = craft::parts(&bytes);
    // No placement, no empty partitions, a sample along both axes, no encoding.
    let (plain, appended) = header.split_at(header.len() - 6);
    assert_eq!(appended, [0, 0, 2, 1, 1, 0]);
    let open = |minor: u8, appended: &[u8]| {
        let mut bytes = craft::file(&[plain, appended].concat(), index, data);
        bytes[10] = minor;
        craft::repair(&mut bytes);
        Reader::open(&bytes).map(|reader| reader.blend().to_vec())
    };
    assert_eq!(open(2, &[0, 0, 2, 0, 1, 0]).unwrap(), [0, 1]);
    for (what, minor, appended) in [
        ("nothing appended", 2, vec![0, 0, 0, 0]),
        ("cut", 2, vec![0, 0]),
        ("cut within the list", 2, vec![0, 0, 1]),
        ("zeros alone", 2, vec![0, 0, 2, 0, 0, 0]),
        ("another number of axes", 2, vec![0, 0, 1, 1, 0]),
        ("more than half a partition", 2, vec![0, 0, 2, 2, 1, 0]),
        ("a huge number", 2, vec![0, 0, 2, 1, 252, 255, 255, 255, 255, 0]),
        ("a huge list", 2, vec![0, 0, 253, 255, 255, 255, 255, 255, 255, 255, 0]),
        ("a long number", 2, vec![0, 0, 2, 1, 251, 1, 0, 0]),
        ("more than it should", 2, vec![0, 0, 2, 1, 1, 0, 0]),
        ("in an older version", 1, vec![0, 0, 2, 1, 1]),
    ] {
        let error = open(minor, &appended).expect_err(what);
        assert!(matches!(error, Error::Malformed(_)), "{what}: {error}");
    }
}

#[test]
fn what_version_1_1_appends_is_checked() {
    let mut document = common::shape();
    document.signal.placement = Some(Placement { origin: [1.0, 2.0, 3.0], spacing: 0.5 });
    let placed = write(&document, WeightCoding::F16).unwrap();
    assert_eq!(Reader::open(&placed).unwrap().document().unwrap(), document);
    let (header, index, data) = craft::parts(&placed);
    let fields = header.len() - 33 - 1;
    let plain = &header[..fields];
    let open = |appended: &[u8]| {
        let mut bytes = craft::file(&[plain, appended].concat(), index, data);
        bytes[10] = 1;
        craft::repair(&mut bytes);
        Reader::open(&bytes).map(|reader| reader.empty().to_vec())
    };
    let absent: Vec<u32> =
        (0..document.field.grid().partitions()).filter(|p| document.field.local_of(*p).is_none()).collect();
    let first = u8::try_from(absent[0]).unwrap();
    assert_eq!(open(&[0, 1, first, 1]).unwrap(), [absent[0]]);
    let place = |spacing: f64| [vec![1; 25], spacing.to_le_bytes().to_vec(), vec![0]].concat();
    assert_eq!(open(&place(0.5)).unwrap(), [0; 0]);
    let taken = u8::try_from(document.field.present()[0]).unwrap();
    for (what, appended) in [
        ("nothing appended", vec![0, 0]),
        ("cut", vec![0]),
        ("an empty run", vec![0, 1, first, 0]),
        ("a run without a gap", vec![0, 2, first, 1, 0, 1]),
        ("beyond the grid", vec![0, 1, first, 250]),
        ("a huge run", vec![0, 1, 252, 255, 255, 255, 255, 252, 255, 255, 255, 255]),
        ("a huge list", vec![0, 253, 255, 255, 255, 255, 255, 255, 255, 0]),
        ("empty and present", vec![0, 1, taken, 1]),
        ("a long number", vec![0, 1, 251, first, 0, 1]),
        ("no spacing", place(0.0)),
        ("a negative spacing", place(-1.0)),
        ("an infinite spacing", place(f64::INFINITY)),
        ("neither there nor absent", vec![2, 0]),
    ] {
        let error = open(&appended).expect_err(what);
        assert!(matches!(error, Error::Malformed(_)), "{what}: {error}");
    }
    let mut picture = craft::file(
        &[craft::parts(&write(&common::picture(), WeightCoding::F16).unwrap()).0, &[0, 1, 0, 1]].concat(),
        index,
        data,
    );
    picture[10] = 1;
    craft::repair(&mut picture);
    assert!(matches!(Reader::open(&picture), Err(Error::Malformed(_))), "an empty partition of a picture");
}

#[test]
fn an_encoding_is_checked() {
    let document = common::encoded();
    let bytes = write(&document, WeightCoding::F16).unwrap();
    let (header, index, data) = craft::parts(&bytes);
    // No placement, no empty partitions, no blend, an encoding; nerf, 1.4, 3 frequencies, no seed, sines.
    let appended = [&[0, 0, 0, 1, 1][..], &1.4_f32.to_le_bytes(), &[3, 0, 0]].concat();
    assert!(header.ends_with(&appended));
    let fields = &header[..header.len() - appended.len()];
    // Of the picture's header: model 4, 1 hidden layer, width 3, no global network, both omegas, multiply-adds.
    let omegas = [30.0_f32.to_le_bytes(), 30.0_f32.to_le_bytes()].concat();
    let network = [&[4, 1, 3, 0][..], &omegas, &[60]].concat();
    let at = fields.windows(network.len()).position(|w| w == network).unwrap();
    let open = |network: &[u8], minor: u8, appended: &[u8]| {
        let fields = [&fields[..at], network, &fields[at + 13..]].concat();
        let mut bytes = craft::file(&[&fields, appended].concat(), index, data);
        bytes[10] = minor;
        craft::repair(&mut bytes);
        Reader::open(&bytes).map(|reader| reader.spec().clone())
    };
    assert_eq!(&open(&network, 2, &appended).unwrap(), document.field.spec());
    let with =
        |encoding: u8, scale: f32, rest: &[u8]| [&[0, 0, 0, 1, encoding][..], &scale.to_le_bytes(), rest].concat();
    let plain = [&[1, 1, 3, 0][..], &omegas, &[60]].concat();
    for (what, found) in [
        ("no field for the encoding", open(&network, 1, &[0, 0])),
        ("an encoding that is not there", open(&network, 2, &[0, 0, 0, 0])),
        ("a version without fields", open(&network, 0, &[])),
        ("a plain model", open(&plain, 2, &appended)),
        ("no encoding at all", open(&network, 2, &with(0, 0.0, &[0, 0, 0]))),
        ("a scale without an encoding", open(&network, 2, &with(0, 1.0, &[0, 0, 1]))),
        ("a seed that is not used", open(&network, 2, &with(1, 1.4, &[3, 1, 0]))),
        ("no frequency", open(&network, 2, &with(1, 1.4, &[0, 0, 0]))),
        ("no scale", open(&network, 2, &with(1, 0.0, &[3, 0, 0]))),
        ("a negative scale", open(&network, 2, &with(1, -1.4, &[3, 0, 0]))),
        ("a scale that is no number", open(&network, 2, &with(1, f32::NAN, &[3, 0, 0]))),
        ("a large scale", open(&network, 2, &with(3, 1e6, &[3, 0, 0]))),
        ("frequencies beyond all bounds", open(&network, 2, &with(1, 3.0, &[200, 0, 0]))),
        ("other multiply-adds", open(&network, 2, &with(1, 1.4, &[4, 0, 0]))),
        ("a long number", open(&network, 2, &with(1, 1.4, &[251, 3, 0, 0, 0]))),
        ("trailing bytes", open(&network, 2, &with(1, 1.4, &[3, 0, 0, 0]))),
        ("cut", open(&network, 2, &with(1, 1.4, &[3, 0]))),
        ("latents before their version", open(&network, 2, &with(4, 0.0, &[3, 0, 2]))),
        ("latents that are networks", open(&network, 3, &with(4, 0.0, &[3, 0, 2]))),
        ("leaky layers without latents", open(&network, 2, &with(1, 1.4, &[3, 0, 2]))),
        ("a model of latents without any", open(&[&[5], &network[1..]].concat(), 2, &appended)),
    ] {
        let error = found.expect_err(what);
        assert!(matches!(error, Error::Malformed(_)), "{what}: {error}");
    }
    for (what, found) in [
        ("encoding 5", open(&network, 2, &with(5, 1.4, &[3, 0, 0]))),
        ("activation 3", open(&network, 2, &with(1, 1.4, &[3, 0, 3]))),
        ("model 6", open(&[&[6], &network[1..]].concat(), 2, &appended)),
    ] {
        match found {
            Err(Error::Unsupported(unsupported)) => assert!(unsupported.feature.contains(what), "{unsupported}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    // Four thousand million frequencies would be 64 GiB of tables.
    match open(&network, 2, &with(3, 1.4, &[252, 255, 255, 255, 255, 0, 0])) {
        Err(Error::Limit(limit)) => assert!(limit.quantity.contains("encoded inputs"), "{limit}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_files_are_named() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\x89PNG\r\n\x1a\n....", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"\x89INR\n\x1a\n...", "text mode"),
        (b"\x89INR\r\n", "first bytes"),
        (b"hello", "does not start like"),
    ] {
        let error = Reader::open(bytes).unwrap_err();
        assert!(matches!(error, Error::Malformed(_)) && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn documents_that_contradict_themselves_are_not_written() {
    let with = |change: fn(&mut Document)| {
        let mut document = common::picture();
        change(&mut document);
        write(&document, WeightCoding::F32)
    };
    assert!(with(|_| ()).is_ok());
    assert!(with(|d| d.signal.shape = vec![6, 6]).is_err());
    assert!(with(|d| d.signal.channels = 4).is_err());
    assert!(with(|d| d.field = d.field.restricted_to(&[])).is_err());
    assert!(with(|d| d.training.learning_rate = f64::NAN).is_err());
    assert!(with(|d| d.training.psnr_db = Some(f64::INFINITY)).is_ok());
    assert!(matches!(with(|d| d.training.configuration = "x".repeat(65_537)), Err(Error::Limit(_))));
    assert!(with(|d| d.training.configuration = "x".repeat(65_536)).is_ok());
    let mut large = common::picture();
    let (shared, local) = (large.field.shared().to_vec(), vec![70_000.0; large.field.local().len()]);
    large.field = large.field.with_weights(shared, local).unwrap();
    assert!(write(&large, WeightCoding::F16).is_err());
    assert!(write(&large, WeightCoding::Bf16).is_ok());
}
