//! Each behaviour that launchdarkly/sse-contract-tests names, asked of the service over HTTP as its harness does.
//!
//! The texts of the tests are ours; the names of the modules are those of the suite's groups.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod harness;
mod http;
mod parsing;
mod reconnection;
#[allow(dead_code, reason = "the client's own tests use all of it")]
#[path = "../../../../crates/client/tests/faults/server.rs"]
mod server;
mod service;
