//! Retention by topic, as readers see it: what a rule has let go is given out by nobody, not by the window either.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{sync::Arc, time::Duration};

use support::{Reader, publish, topics};
use tidewire_hub::{
    Config, GapReason, Hub, Namespace, Resume, Start,
    archive::{
        Memory, Retention, Rule, Rules,
        segments::{RealDisk, Segments, Settings},
    },
};

/// Of `a` five events are kept.
fn retention() -> Retention {
    let rule = Rule {
        namespace: Namespace::Events,
        prefix: "a".into(),
        max_events: Some(5),
        max_bytes: None,
        max_age: None,
    };
    Retention {
        rules: Rules::new([rule]).unwrap(),
        ..Retention::default()
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), wait).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// Reads what there is, the notice of a gap first, in pieces as they come.
async fn after_gap(reader: &mut Reader, count: usize) -> Vec<String> {
    let notice = reader.next().await.unwrap().unwrap();
    assert_eq!(notice.name, "tidewire.gap");
    let mut read = Vec::new();
    while read.len() < count {
        read.push(reader.data().await);
    }
    read
}

async fn nobody_gives_out_what_is_gone(hub: Hub) {
    let before = hub.position().to_string();
    let mut slow = Reader::live(&hub, "a b").await;
    publish(&hub, "b", "b first").await;
    for number in 1..=46 {
        publish(&hub, "a", &format!("a {number}")).await;
    }
    publish(&hub, "a b", "both").await;
    publish(&hub, "b", "b last").await;
    until("the rule", async || {
        hub.kept(&topics("a")).await.unwrap().count == 5
    })
    .await;

    let kept = ["b first", "a 43", "a 44", "a 45", "a 46", "both", "b last"];
    let mut old = Reader::after(&hub, "a b", &before).await;
    let Resume::Gap(gap) = old.resume() else {
        panic!("{:?}", old.resume());
    };
    assert_eq!(gap.reason, GapReason::Expired);
    assert_eq!(after_gap(&mut old, kept.len()).await, kept);
    for start in [Start::Last(100), Start::After(Start::EARLIEST.into())] {
        let mut reader = Reader::open(&hub, "a b", &start).await;
        let mut read = Vec::new();
        while read.len() < kept.len() {
            read.push(reader.data().await);
        }
        assert_eq!(read, kept, "{start:?}");
    }

    // The window follows, also for a reader that has been connected all the time and is too slow.
    until("the window", async || hub.stats().window_events == kept.len()).await;
    assert_eq!(after_gap(&mut slow, kept.len()).await, kept);
    publish(&hub, "b", "and on").await;
    for reader in [&mut old, &mut slow] {
        assert_eq!(reader.data().await, "and on");
    }
}

#[tokio::test]
async fn nobody_gives_out_what_a_rule_has_let_go_in_memory() {
    let archive = Memory::new(retention());
    nobody_gives_out_what_is_gone(support::ordered::start(Config::default(), archive).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_out_what_a_rule_has_let_go_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        segment_bytes: 1_000,
        retention: retention(),
        ..Settings::default()
    };
    let archive = Segments::open(Arc::new(RealDisk::open(folder.path()).unwrap()), settings).unwrap();
    nobody_gives_out_what_is_gone(support::ordered::start(Config::default(), archive).unwrap()).await;
}
