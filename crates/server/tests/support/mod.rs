//! Runs the real binary, and plays the server that it talks to.
//!
//! | open | for |
//! |---|---|
//! | [`process`] | the binary: arguments, standard input, what it printed and how it ended |
//! | [`server`] | a server on a loopback port that gives scripted answers |

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    unreachable_pub,
    reason = "a test is a crate of its own, which nobody can reach"
)]

pub mod process;
pub mod server;
