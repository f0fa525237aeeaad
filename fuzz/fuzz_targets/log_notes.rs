//! Topics, meta and snapshots that can be read can be written, and are the same again.

#![no_main]

use tidewire_log::archive::segments::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::notes(input));
