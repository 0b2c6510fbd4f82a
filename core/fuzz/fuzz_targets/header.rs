//! Header, index and chunks of any kind behind right checksums. The body is shared with the property tests of the core.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|input: &[u8]| common::bodies::header(input));
