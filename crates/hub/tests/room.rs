//! How much room a log takes on its disk while it is published to as fast as it can.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{fs, path::Path, sync::Arc};

use support::draft;
use tidewire_hub::{
    Config, Hub,
    archive::{
        Retention,
        segments::{Durability, RealDisk, Segments, Settings},
    },
};

fn room(folder: &Path) -> u64 {
    let files = fs::read_dir(folder.join("log")).unwrap();
    // What goes meanwhile takes none.
    files
        .filter_map(|file| Some(file.ok()?.metadata().ok()?.len()))
        .sum()
}

/// Retention once a second let a log of 8 MiB fill a disk of 900.
#[tokio::test(flavor = "multi_thread")]
async fn publishers_wait_where_the_log_is_far_over_its_bound() {
    const BOUND: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        durability: Durability::Never,
        segment_bytes: BOUND / 8,
        retention: Retention {
            max_bytes: usize::try_from(BOUND).unwrap(),
            ..Retention::default()
        },
    };
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let hub = Hub::start(Config::default(), Segments::open(disk, settings).unwrap()).unwrap();
    let data = "x".repeat(20_000);
    let mut most = 0;
    for _ in 0..100 {
        let mut under_way = Vec::new();
        for _ in 0..20 {
            under_way.push(hub.enqueue(draft("a", &data)).await.unwrap());
        }
        for answer in under_way {
            answer.await.unwrap();
        }
        most = most.max(room(folder.path()));
    }
    // A batch is up to 400 KB, and comes on top.
    assert!(most < 3 * BOUND, "{most} bytes");
}
