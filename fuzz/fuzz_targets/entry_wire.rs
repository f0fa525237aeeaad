//! An entry or a batch from another node that can be read is written to the same bytes; one that can be written is read.

#![no_main]

use tidewire_log::archive::segments::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::wire(input));
