//! S11: who reads a topic, and what watchers of that are told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use support::{Reader, draft, publish, topic, topics};
use tidewire_hub::{
    Config, Cut, Encoding, Error, Hub, PresenceChange, ReaderName, Start,
    archive::{Memory, Retention},
    presence::MEMBERS,
    stats::{Departure, Stats},
};

fn hub() -> Hub {
    support::ordered::start(Config::default(), Memory::new(Retention::default())).unwrap()
}

fn name(text: &str) -> ReaderName {
    ReaderName::new(text).unwrap()
}

async fn read_as(hub: &Hub, names: &str, reader: &str) -> Reader {
    let subscribed = hub
        .subscribe_as(
            topics(names),
            &Start::Live,
            Encoding::EventStream,
            Some(name(reader)),
        )
        .await;
    Reader::of(subscribed.unwrap()).unwrap()
}

fn join(reader: Option<&str>, readers: usize) -> PresenceChange {
    let name = reader.map(name);
    PresenceChange::Join { name, readers }
}

fn leave(reader: Option<&str>, readers: usize) -> PresenceChange {
    let name = reader.map(name);
    PresenceChange::Leave { name, readers }
}

fn departures(stats: &Stats, why: Departure) -> u64 {
    stats
        .departures
        .iter()
        .find(|(other, _)| *other == why)
        .unwrap()
        .1
}

#[tokio::test]
async fn s11_readers_are_counted_by_topic_whatever_else_they_read() {
    let hub = hub();
    let readers = [
        read_as(&hub, "room", "bob").await,
        read_as(&hub, "room hall", "alice").await,
        read_as(&hub, "room", "bob").await,
        Reader::live(&hub, "room").await,
        Reader::live(&hub, "hall").await,
    ];
    let presence = hub.presence(&topic("room"));
    assert_eq!(presence.readers, 4);
    let members: Vec<_> = presence
        .members
        .iter()
        .map(|member| (member.name.as_str(), member.readers))
        .collect();
    assert_eq!(members, [("alice", 1), ("bob", 2)]);
    assert_eq!(hub.presence(&topic("hall")).readers, 2);
    drop(readers);
    assert_eq!(hub.presence(&topic("room")), Default::default());
}

#[tokio::test]
async fn s11_a_watcher_gets_the_state_and_then_every_change() {
    let hub = hub();
    let alice = read_as(&hub, "room", "alice").await;
    let mut watch = hub.watch_presence(topic("room")).unwrap();
    let PresenceChange::State(state) = watch.next().await.unwrap() else {
        panic!("no state");
    };
    assert_eq!(
        (state.readers, state.members.len()),
        (1, 1),
        "watching is not reading"
    );
    let anonymous = Reader::live(&hub, "room hall").await;
    assert_eq!(watch.next().await.unwrap(), join(None, 2));
    drop(alice);
    assert_eq!(watch.next().await.unwrap(), leave(Some("alice"), 1));
    let elsewhere = Reader::live(&hub, "hall").await;
    drop((anonymous, elsewhere));
    assert_eq!(watch.next().await.unwrap(), leave(None, 0));
}

#[tokio::test]
async fn s11_a_watcher_that_misses_changes_gets_the_state_again() {
    let hub = hub();
    let mut watch = hub.watch_presence(topic("room")).unwrap();
    watch.next().await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..1000 {
        readers.push(Reader::live(&hub, "room").await);
    }
    let PresenceChange::State(state) = watch.next().await.unwrap() else {
        panic!("no state");
    };
    assert_eq!(state.readers, 1000);
    drop(readers);
}

#[tokio::test]
async fn a_list_of_members_is_bounded_and_says_what_it_leaves_out() {
    let hub = hub();
    let mut readers = Vec::new();
    for n in 0..MEMBERS + 5 {
        readers.push(read_as(&hub, "room", &format!("r{n}")).await);
    }
    let presence = hub.presence(&topic("room"));
    assert_eq!(
        (presence.readers, presence.members.len(), presence.more),
        (MEMBERS + 5, MEMBERS, 5)
    );
    drop(readers);
    for bad in ["", "a\nb", &"x".repeat(129)] {
        assert!(matches!(
            ReaderName::new(bad),
            Err(Error::InvalidReaderName { .. })
        ));
    }
}

#[tokio::test]
async fn a_drain_ends_every_watch() {
    let hub = hub();
    let mut watch = hub.watch_presence(topic("room")).unwrap();
    watch.next().await.unwrap();
    hub.drain().await;
    assert_eq!(watch.next().await, Err(Cut::Draining));
    assert!(matches!(hub.watch_presence(topic("room")), Err(Error::Closed)));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let hub = hub();
    let mut to_the_end = Reader::live(&hub, "a").await;
    let gone = Reader::live(&hub, "b").await;
    publish(&hub, "a", "12345").await;
    hub.append(draft("a", "6").and_end()).await.unwrap();
    hub.append(draft("a", "7")).await.unwrap_err();
    to_the_end.read_to_end().await;
    drop((to_the_end, gone, Reader::after(&hub, "b", "who knows").await));
    let stats = hub.stats();
    assert_eq!((stats.events, stats.bytes, stats.refused), (2, 6, 1));
    assert_eq!(stats.batches.counts.iter().sum::<u64>(), 2);
    assert_eq!((stats.topics, stats.readers, stats.channels), (1, 0, 0));
    assert_eq!(stats.archive.records, 2);
    assert_eq!(stats.gaps.iter().map(|(_, count)| count).sum::<u64>(), 1);
    assert_eq!(departures(&stats, Departure::Ended), 1);
    assert_eq!(departures(&stats, Departure::Gone), 2);
}
