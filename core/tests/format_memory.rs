//! Time and memory of the reader on the worst files of one mebibyte, with an allocator that counts.
//!
//! A file of its own, because an allocator counts for a whole program.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of small test files")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::craft;
use tessera_core::format::{Reader, WeightCoding, write};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; this one only counts and hands on")]
// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Ordering::SeqCst) + layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise about `pointer` and `layout` is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MEBIBYTE: usize = 1 << 20;

/// A head for a grid of 1024 x 1024 partitions of one weight pair each, and an index.
fn large_grid(index: &[u8], total: usize) -> Vec<u8> {
    use tessera_core::field::FieldSpec;
    let grid = tessera_core::grid::Grid::new(vec![4096, 4096], vec![1024, 1024], [-1.0, 1.0]).unwrap();
    let spec = FieldSpec { hidden_layers: 0, ..FieldSpec::per_partition(2, 1, 1) };
    let signal = tessera_core::signal::SignalInfo::picture(4096, 4096, 1, tessera_core::signal::SampleFormat::U8);
    let document = tessera_core::format::Document {
        signal: signal.unwrap(),
        field: common::field(spec, grid, vec![0]),
        training: common::training(),
    };
    let bytes = write(&document, WeightCoding::F16).unwrap();
    let header = craft::parts(&bytes).0;
    let data = vec![0; total.saturating_sub(craft::PRELUDE + header.len() + index.len())];
    craft::file(header, index, &data)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[test]
fn the_worst_mebibyte_is_read_in_bounded_time_and_memory() {
    // No shared chunk; one run of everything; one group. A chunk of 5 weights as f16 takes 10 bytes and its checksum.
    let run = |count: u64| [vec![0, 1, 0], varint(count), varint(count)].concat();
    let affordable = (MEBIBYTE as u64 - 4096) / 14;
    let mut separate = run(affordable);
    separate.extend([1, 0]);
    separate.extend(std::iter::repeat_n(10, affordable as usize));
    let chequered =
        |runs: usize| [vec![0], varint(runs as u64), [1, 1].repeat(runs), varint(runs as u64), vec![1, 10]].concat();
    let files = [
        ("a million partitions claimed", large_grid(&[run(1 << 20), vec![1, 10]].concat(), MEBIBYTE)),
        ("as many as may fit", large_grid(&[run(MEBIBYTE as u64 / 5 - 400), vec![7, 1]].concat(), MEBIBYTE)),
        ("as many as fit in plain coding", large_grid(&[run(affordable), vec![1, 10]].concat(), MEBIBYTE)),
        ("a length for each", large_grid(&separate, MEBIBYTE)),
        ("as many runs as fit", large_grid(&chequered(500_000), MEBIBYTE)),
        ("runs and chunks", large_grid(&chequered(65_000), MEBIBYTE)),
        ("an index of zeros", large_grid(&vec![0; MEBIBYTE - 4096], MEBIBYTE)),
        ("an index of continued numbers", large_grid(&vec![0xff; MEBIBYTE - 4096], MEBIBYTE)),
        ("a header of zeros", craft::file(&vec![0; MEBIBYTE - 100], &[], &[])),
        ("a header of long lengths", craft::file(&vec![0xfd; MEBIBYTE - 100], &[], &[])),
        (
            "a header of nines",
            craft::file(&[&[0, 253, 255, 255, 15, 0, 0, 0, 0, 0][..], &[9; MEBIBYTE - 200]].concat(), &[], &[]),
        ),
    ];
    for (what, bytes) in &files {
        assert!(bytes.len() <= MEBIBYTE + 64, "{what}: {} bytes", bytes.len());
        let before = LIVE.load(Ordering::SeqCst);
        PEAK.store(before, Ordering::SeqCst);
        // The quickest of three: other tests share the machine.
        let mut shortest = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let outcome = Reader::open(bytes).and_then(|reader| reader.verify());
            shortest = shortest.min(start.elapsed());
            assert!(outcome.is_err(), "{what}");
        }
        let peak = PEAK.load(Ordering::SeqCst) - before;
        println!("{what}: {shortest:?}, {peak} bytes, {}", Reader::open(bytes).and_then(|r| r.verify()).unwrap_err());
        assert!(shortest < Duration::from_millis(50), "{what}: {shortest:?}");
        assert!(peak < 16 * MEBIBYTE, "{what}: {peak} bytes");
    }
}
