//! What judges archives: one contract for all of them, and crashes for those that keep their word on a disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, reason = "there is no outside")]

mod contract;
mod crash;
mod damage;
mod model;
mod records;
mod sim;
mod simple;
