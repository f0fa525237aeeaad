//! `tidewire log`: the real binary looks into logs that the real server has written.
//!
//! | open | for |
//! |---|---|
//! | [`looking`] | nothing is changed, whatever the log's state, and beside a running server |
//! | [`damage`] | what is damaged is named with file and place; what is not is told in words |
//! | [`carrying`] | export and import: readers and publishers go on as if it were the same log |
//! | [`lines`] | exports that are wrong |
//! | [`folder`] | a log's folder, and the command on it |

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]
#![allow(dead_code, reason = "what is shared with other tests is not all used here")]

#[path = "../serve_http/binary.rs"]
mod binary;
mod carrying;
#[path = "../../../doors/tests/http/client.rs"]
mod client;
mod damage;
mod folder;
mod lines;
mod looking;
#[path = "../support/mod.rs"]
mod support;
