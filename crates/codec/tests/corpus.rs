//! The smoke run of the fuzz targets: their checks over the corpus that is committed with them.

#![allow(clippy::unwrap_used, reason = "tests/ lies outside `allow-unwrap-in-tests`")]

mod support;

use std::fs;
use std::path::Path;

use support::check;

/// Runs `check` over the corpus of a target.
fn run(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&corpus).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs >= 10, "{inputs} inputs in {}", corpus.display());
}

#[test]
fn w1_to_w6_decode() {
    run("decode", check::decode);
}

#[test]
fn w1_to_w5_roundtrip() {
    run("roundtrip", check::roundtrip);
}
