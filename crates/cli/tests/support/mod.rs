//! Runs the real binary, and plays the server that it talks to.
//!
//! | open | for |
//! |---|---|
//! | [`process`] | the binary: arguments, standard input, what it printed and how it ended |
//! | [`serve`] | `tidewire serve`, running while a test needs it |
//! | [`server`] | a server on a loopback port that gives scripted answers |

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

pub mod process;
pub mod serve;
pub mod server;
