//! The decoder equals the oracle, for any stream, cut in any way, read in any way.

#![no_main]

#[path = "../../crates/codec/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| support::check::decode(input));
