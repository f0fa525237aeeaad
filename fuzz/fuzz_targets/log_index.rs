//! An index of any bytes is read within its bounds; one that is made says what its records say.

#![no_main]

use tidewire_log::archive::segments::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::index(input));
