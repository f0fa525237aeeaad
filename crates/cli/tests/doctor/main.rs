//! `tidewire doctor` before servers with one fault each: it finds that fault, and no other.
//!
//! A case says which findings above a note there are to be; one more or one less fails. So each fault is also a test that
//! the others are not seen where they are not.
//!
//! | open | for |
//! |---|---|
//! | [`faults`] | a server that does what a case says |
//! | `head`, `framing`, `flow`, `readers`, `cors` | cases |
//! | `document` | `docs/doctor.md` names what cases find, and nothing else |
//! | `healthy` | servers that nothing is wrong with, Tidewire among them |
//! | `nginx` | nginx between a server and the doctor; ignored where there is no nginx |
//! | `output` | text, JSON, exit codes |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod case;
mod cors;
mod document;
mod faults;
mod flow;
mod framing;
mod head;
mod healthy;
mod nginx;
mod output;
mod readers;
#[path = "../support/mod.rs"]
mod support;

use libtest_mimic::Arguments;

fn main() {
    let cases = [
        head::cases(),
        framing::cases(),
        flow::cases(),
        readers::cases(),
        cors::cases(),
        healthy::cases(),
    ];
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    let documented = document::trial(&cases);
    let mut trials: Vec<_> = cases.into_iter().map(case::Case::into_trial).collect();
    trials.push(documented);
    trials.extend(healthy::trials());
    trials.extend(nginx::trials());
    trials.extend(output::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
