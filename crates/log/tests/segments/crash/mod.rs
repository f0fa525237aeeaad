//! The crash judge: random work on an archive, crashes in the middle of everything and of recovery itself, and then a
//! comparison with what was acknowledged.
//!
//! After every opening:
//! - every acknowledged record is there, once, in order, byte for byte, unless it was purged or retention may let it go;
//! - of the batch whose answer nobody saw, all, a prefix or nothing is there, at the end; of what was refused for want
//!   of room, nothing;
//! - floors say exactly what is gone; the last number and its time are those of the last record; a number that was seen
//!   never stands for something else in the same epoch; the machine is told all that is not in its snapshot;
//! - an epoch has begun that never was before, and those with records are as they were. A cursor that this log takes stands for
//!   the record for which it stood when a reader was given it.
//!
//! Now and then the system is short of descriptors or memory for a while, also while a log is opened: what is refused then is
//! refused for no other reason, nothing is poisoned, and the next try may do.
//!
//! In the settings that promise less than `always`, a crash may take the last records, never one before a kept one; a killed
//! process loses nothing under any setting. Now and then an older copy of the log is put back, and what came after it was made
//! is gone.
//!
//! Each seed is a run of its own, several crashes long:
//! - `TIDEWIRE_CRASH_SEEDS`: how many (200);
//! - `TIDEWIRE_CRASH_SEED`: the first (1). A failure names its seed;
//! - `TIDEWIRE_CRASH_THREADS`: how many run at a time (1).

#![allow(clippy::print_stdout, reason = "a failure names its seed")]

mod judge;
mod plan;
mod work;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tidewire_log::archive::segments::{Disk, Durability, Segments, Settings};

use crate::{
    faulty::{Fault, Faulty},
    simple::{Flaw, Simple},
};

use judge::{Run, Troubles};
use plan::{Open, Plan, Promise};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Judges an archive under those that fit of as many seeds as are asked for, at most `most`. Returns in how many runs a
/// segment was rewritten.
fn judge(what: &str, open: Open<'_>, troubles: Troubles, most: u64, fits: impl Fn(&Plan) -> bool) -> usize {
    let first = number("TIDEWIRE_CRASH_SEED", 1);
    let count = number("TIDEWIRE_CRASH_SEEDS", 200).min(most);
    let seeds: Vec<_> = (first..first + count)
        .filter(|seed| fits(&Plan::of(*seed)))
        .collect();
    let (next, rewritten) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            match run(*seed, open, troubles) {
                Ok(has_rewritten) => drop(rewritten.fetch_add(usize::from(has_rewritten), Ordering::Relaxed)),
                Err(panic) => {
                    next.store(seeds.len(), Ordering::Relaxed); // The others need not go on.
                    println!(
                        "failed with TIDEWIRE_CRASH_SEED={seed} TIDEWIRE_CRASH_SEEDS=1, which is {:?}",
                        Plan::of(*seed)
                    );
                    resume_unwind(panic);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..number("TIDEWIRE_CRASH_THREADS", 1) {
            scope.spawn(work);
        }
        work();
    });
    println!(
        "crash: {what}, {} of the seeds from {first} on, {count} in all; segments were rewritten in {}",
        seeds.len(),
        rewritten.load(Ordering::Relaxed)
    );
    rewritten.into_inner()
}

fn run(seed: u64, open: Open<'_>, troubles: Troubles) -> std::thread::Result<bool> {
    catch_unwind(AssertUnwindSafe(|| Run::new(seed, open, troubles).go()))
}

fn simple(flaw: Flaw) -> impl Fn(Arc<dyn Disk>, &Plan) -> plan::Opened {
    move |disk, plan| Ok(Box::new(Simple::open(disk, plan.retention.clone(), flaw)?))
}

fn segments(disk: Arc<dyn Disk>, plan: &Plan) -> plan::Opened {
    let settings = Settings {
        durability: match plan.promise {
            Promise::Always => Durability::Always,
            // So late that no thread of its own comes between: a seed is to replay.
            Promise::Soon => Durability::Interval(Duration::from_secs(3600)),
            Promise::Never => Durability::Never,
        },
        segment_bytes: plan.segment_bytes,
        retention: plan.retention.clone(),
    };
    let opened = Segments::open(disk, settings).map_err(|why| why.to_string())?;
    Ok(Box::new(opened))
}

#[test]
fn segments_that_are_always_safe_lose_nothing() {
    let rewritten = judge("always", &segments, Troubles::All, u64::MAX, |plan| {
        plan.promise == Promise::Always
    });
    assert!(
        rewritten > 0 || number("TIDEWIRE_CRASH_SEEDS", 200) < 100,
        "nothing was rewritten: nothing was judged of it"
    );
}

/// Each found a fault that the first seeds do not show.
const FOUND: [u64; 3] = [
    151_516_100, // A list of topics was lost, and cuts stood alone.
    151_516_360, // A topic was forgotten and began anew.
    151_520_584, // A cut said more than readers had lost.
];

#[test]
fn seeds_that_found_a_fault_pass() {
    for seed in FOUND {
        if let Err(panic) = run(seed, &segments, Troubles::All) {
            println!("failed with TIDEWIRE_CRASH_SEED={seed} TIDEWIRE_CRASH_SEEDS=1");
            resume_unwind(panic);
        }
    }
}

#[test]
fn segments_that_are_safe_later_lose_the_end_at_most_and_say_so() {
    judge("interval and never", &segments, Troubles::All, u64::MAX, |plan| {
        plan.promise != Promise::Always
    });
}

#[test]
fn a_simple_log_keeps_its_word() {
    judge(
        "a simple log",
        &simple(Flaw::None),
        Troubles::OfTheDisk,
        60,
        |_| true,
    ); // It is slow, and nobody's but the judge's.
}

#[test]
fn every_flaw_of_a_log_is_caught() {
    std::panic::set_hook(Box::new(|_| {})); // Panics are what is wanted here. nextest runs each test in its own process.
    let mut missed = Vec::new();
    for flaw in Flaw::ALL {
        let log = simple(flaw);
        match (1..=300).find(|seed| run(*seed, &log, Troubles::OfTheDisk).is_err()) {
            Some(seed) => println!("{flaw:?} was caught under seed {seed}"),
            None => missed.push(flaw),
        }
    }
    let _ = std::panic::take_hook();
    assert_eq!(missed, [], "not caught");
}

#[test]
fn every_fault_below_segments_is_caught() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let open = |disk, plan: &Plan| segments(Arc::new(Faulty::new(disk, fault)), plan);
        match (1..=1000).find(|seed| run(*seed, &open, Troubles::All).is_err()) {
            Some(seed) => println!("{fault:?} was caught under seed {seed}"),
            None => missed.push(fault),
        }
    }
    let _ = std::panic::take_hook();
    assert_eq!(missed, [], "not caught");
}
