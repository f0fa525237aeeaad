//! Batches that can be read are written to the same bytes; what stands behind them is judged as the slow way judges it.

#![no_main]

use tidewire_log::archive::segments::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::segment(input));
