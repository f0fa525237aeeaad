//! The benchmarks: binaries of `benches/`, which compares with other people's crates and so stands apart.

use std::time::Duration;

use anyhow::Result;

use crate::command::Cmd;
use crate::system::{self, VALGRIND};
use crate::workspace::root;

/// Generous: a bench is watched by the person who started it.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The benches that count instructions.
const COUNTING: [&str; 1] = ["codec"];

/// Runs the bench `name` with `args`; valgrind is there for those that count instructions.
///
/// # Errors
/// valgrind is missing and cannot be installed, or the bench fails.
pub fn run(name: &str, args: &[String]) -> Result<()> {
    if COUNTING.contains(&name) {
        system::ensure(VALGRIND)?;
    }
    let manifest = root().join("benches/Cargo.toml");
    let bench = Cmd::cargo().args(["run", "--release", "--locked", "--manifest-path"]);
    let bench = bench.args([manifest]).args(["--bin", name, "--"]).args(args);
    bench.limit(LIMIT).run()
}
