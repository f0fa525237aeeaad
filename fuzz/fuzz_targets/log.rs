//! A log whose files hold any bytes is refused, or serves in order, goes on, and opens again.

#![no_main]

use tidewire_log::archive::segments::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::log(input));
