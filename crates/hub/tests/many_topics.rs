//! As many topics as a hub remembers: each is published to, segments are sealed, the hub starts again, and each topic is read without a look at the
//! others. Memory is counted in bytes a topic.
//!
//! `TIDEWIRE_TOPICS` says how many (20,000); `cargo xtask soak large` asks for a million, in release.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; the counts are for whoever asks for many"
)]

mod support;

use std::{collections::VecDeque, sync::Arc};

use support::{Reader, draft};
use tidewire_hub::{
    Config, Hub, Start,
    archive::{
        Retention,
        segments::{RealDisk, Segments, Settings},
    },
};

/// What a topic may take in memory, in bytes: its name in the archive's list and in the machine's, with what is known of it, and its place in the
/// index of the segment that is written. Beside that, a hub of any size takes what [`BASE`] says.
const A_TOPIC: u64 = 800;

/// Window, buffers, the runtime.
const BASE: u64 = 96 << 20;

/// So many publishes wait at a time.
const FLIGHT: usize = 512;

fn start(folder: &tempfile::TempDir, count: u64) -> Hub {
    let settings = Settings {
        segment_bytes: count * 16, // A record takes about 100: several segments are sealed.
        retention: Retention {
            max_bytes: 4 << 30,
            ..Retention::default()
        },
        ..Settings::default()
    };
    let log = Segments::open(Arc::new(RealDisk::open(folder.path()).unwrap()), settings).unwrap();
    support::ordered::start(Config::default(), log).unwrap()
}

/// The most memory that this process has had, in bytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

fn name(number: u64) -> String {
    format!("tenants/{}/rooms/{number}", number % 97)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_one_of_many_topics_is_read_by_itself_after_a_restart() {
    let count: u64 = std::env::var("TIDEWIRE_TOPICS").map_or(20_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let hub = start(&folder, count);
    let mut flight = VecDeque::new();
    for number in 0..count {
        let draft = draft(&name(number), &format!("the event of {number}"));
        flight.push_back(hub.enqueue(draft).await.unwrap());
        if flight.len() == FLIGHT {
            flight.pop_front().unwrap().await.unwrap();
        }
    }
    for pending in flight {
        pending.await.unwrap();
    }
    let published = peak();
    hub.drain().await;
    drop(hub);
    let hub = start(&folder, count);
    let started = peak();
    assert_eq!(hub.stats().topics as u64, count);
    for number in (0..count).step_by(usize::try_from(count / 997).unwrap().max(1)) {
        let mut reader = Reader::after(&hub, &name(number), Start::EARLIEST).await;
        assert_eq!(reader.available().await, [format!("the event of {number}")]);
    }
    let segments = std::fs::read_dir(folder.path().join("log")).unwrap();
    let segments = segments.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "seg")
    });
    println!(
        "topics: {count} in {} segments; at most {published:?} bytes of memory while publishing, {started:?} after the restart",
        segments.count()
    );
    for peak in [published, started, peak()].into_iter().flatten() {
        assert!(peak < BASE + count * A_TOPIC, "{peak} bytes for {count} topics");
    }
}
