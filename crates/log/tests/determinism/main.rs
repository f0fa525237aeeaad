//! The judge of "same order, same state, same answers": several nodes apply one order, each beside an archive, bounds, a clock and
//! hash seeds of its own, with housekeeping and restarts at moments of its own.
//!
//! After every batch:
//! - every node has given the same answers, also where it applies a batch again that a crash has taken from it;
//! - every machine's snapshot has the same bytes;
//! - every archive gives readers the same records under the same ids, and lacks only what its retention has let go. It says so.
//!
//! The judge itself is judged: with each [`Flaw`], by which something of one node decides, it must catch it.
//!
//! - `TIDEWIRE_ORDER_SEEDS`: how many runs (60);
//! - `TIDEWIRE_ORDER_SEED`: the first (1). A failure names its seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test that cannot go on has failed, and names its seed; there is no outside"
)]

mod claims;
mod judge;
mod node;
mod order;
#[path = "../segments/sim/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod sim;

use judge::Judged;
use node::Flaw;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn nodes_of_one_order_answer_and_remember_the_same() {
    let (first, count) = (
        number("TIDEWIRE_ORDER_SEED", 1),
        number("TIDEWIRE_ORDER_SEEDS", 60),
    );
    let mut total = Judged::default();
    for seed in first..first + count {
        match judge::run(seed, Flaw::None) {
            Ok(judged) => total += judged,
            Err(why) => panic!("failed with TIDEWIRE_ORDER_SEED={seed} TIDEWIRE_ORDER_SEEDS=1: {why}"),
        }
    }
    println!("order: seeds {first}..{}: {total:?}", first + count);
    // The judge must have had something to judge, of every kind.
    assert!(count < 20 || total.has_all(), "{total:?}");
}

#[test]
fn what_is_decided_by_one_node_alone_is_caught() {
    for flaw in Flaw::ALL {
        let caught = (1..=150).find_map(|seed| Some((seed, judge::run(seed, flaw).err()?)));
        match caught {
            Some((seed, why)) => println!("{flaw:?} is caught with seed {seed}: {why:.100}"),
            None => panic!("{flaw:?} is not caught"),
        }
    }
}
