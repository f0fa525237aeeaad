//! A server of this crate on a free port, seen from outside. (The binary, with settings, signals and restarts:
//! `crates/cli/tests/serve_http`.)
//!
//! | open | for |
//! |---|---|
//! | [`heads`], [`broken`] | odd requests that are right, and those that are not |
//! | [`bounds`] | heads that are too large or too slow, readers that stall |
//! | [`life`] | starting, leaving, and what says why not |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod bounds;
mod broken;
#[path = "../../../doors/tests/http/client.rs"]
mod client;
mod heads;
mod life;
mod support;
