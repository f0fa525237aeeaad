//! What judges archives: one contract for all of them, and crashes for those that keep their word on a disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, reason = "there is no outside")]

mod collisions;
mod contract;
mod costs;
mod crash;
mod damage;
mod faulty;
mod fixtures;
mod hostile;
mod inspect;
mod large;
mod model;
mod records;
mod rewriting;
mod room;
mod second;
mod shares;
mod sim;
mod simple;
