//! The project's tasks: `cargo xtask test`, `soak`, `bench`, `list`.
//!
//! | open | for |
//! |---|---|
//! | [`cli`] | the arguments and what they start |
//! | [`steps`] | what `cargo xtask test` runs, in order |
//! | [`soak`] | what takes longer: miri, fuzzing, many seeds, cargo-deny |
//! | [`mod@bench`] | the benchmarks of `benches/` |
//! | [`report`] | names, times, the summary table and the last line |
//! | [`command`] | running a program: echoed, bounded in time, checked |
//! | [`system`], [`web`] | Debian and npm packages that the tests need |
//! | [`workspace`] | where things are, and what cargo knows of the crates |
//! | [`arrows`], [`licences`], [`reasons`], [`tidy`] | the checks that are code of our own |
//!
//! The checks are pure functions over what they check, so that each has a test that shows it fail.

pub mod arrows;
pub mod bench;
pub mod cli;
pub mod command;
pub mod licences;
pub mod reasons;
pub mod report;
pub mod soak;
pub mod steps;
pub mod system;
pub mod tidy;
pub mod web;
pub mod workspace;
