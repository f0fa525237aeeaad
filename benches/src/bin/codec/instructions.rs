//! Instructions an event, counted by valgrind's callgrind.
//!
//! A case is run twice as a process of its own, a few times and some times more; the difference is
//! what the additional runs took, without start-up and preparation.

use std::env;
use std::process::Command;

use crate::cases::Case;

const FEW: u32 = 2;
const MORE: u32 = 5;

/// Whether valgrind can be run.
pub fn available() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Instructions that `case` takes for one event.
pub fn an_event(case: &Case) -> Option<f64> {
    let runs = count(case.name, MORE)?.checked_sub(count(case.name, FEW)?)?;
    Some(runs as f64 / f64::from(MORE - FEW) / case.events as f64)
}

fn count(name: &str, times: u32) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args(["run", name, &times.to_string()])
        .output()
        .ok()?;
    // ==123== Collected : 4567
    let report = String::from_utf8(output.stderr).ok()?;
    report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse().ok())
}
