//! `tidewire inspect` before a server that does what the test says, on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod guard;
mod http;
mod seen;
mod streams;
mod tap;
mod unchanged;
mod upstream;
