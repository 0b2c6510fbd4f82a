//! Payloads of quantised weights, without a file around them. The body is shared with the property tests of the core.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|input: &[u8]| common::bodies::coded(input));
