//! The vectors that both clients run (`vectors/README.md`), for unit tests.

use std::{fs, path::Path};

use serde_json::Value;

/// The vectors of a file.
pub(crate) fn read(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}
