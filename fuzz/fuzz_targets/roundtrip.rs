//! What the encoder writes, the decoder reads; and nothing more.

#![no_main]

#[path = "../../crates/codec/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| support::check::roundtrip(input));
