//! Several hubs that follow one order, which loses, repeats, delays and refuses what is proposed to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../log/tests/determinism/claims.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod claims;
mod support;

use std::{sync::Arc, time::Duration};

use claims::Claims;
use parking_lot::Mutex;
use support::{
    Reader, draft, publish,
    scripted::{Fail, Scripted},
    shared::{Faults, Shared},
    topics,
};
use tidewire_hub::{
    Config, Door, Draft, Error, GapReason, Health, Hub, IdempotencyKey, Outcome, Resume, Start, StartError,
    Verdict,
    archive::{
        Memory, Retention,
        segments::{RealDisk, Segments, Settings},
    },
    order::JoinError,
    session::Bounds,
};
use tokio::task::JoinSet;

fn memory() -> Memory {
    Memory::new(Retention::default())
}

async fn hubs(order: &Shared) -> [Hub; 3] {
    let hub = |node| order.hub(node, Config::default(), memory());
    let (a, b, c) = tokio::join!(hub(1), hub(2), hub(3));
    [a.unwrap(), b.unwrap(), c.unwrap()]
}

/// All that readers find.
async fn all(hub: &Hub, names: &str) -> Vec<support::Read> {
    hub.barrier().await.unwrap();
    let mut reader = Reader::after(hub, names, Start::EARLIEST).await;
    let count = hub.kept(&topics(names)).await.unwrap().count;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(reader.next().await.unwrap().unwrap());
    }
    all
}

fn data(reads: &[support::Read]) -> Vec<&str> {
    reads.iter().map(|read| read.data.as_str()).collect()
}

/// Fills the way to the order, which hands out nothing: what comes now waits in the hub.
async fn clog(hub: &Hub, order: &Shared) -> JoinSet<()> {
    order.hold();
    let mut under_way = JoinSet::new();
    for _ in 0..4 {
        let before = order.ordered().len();
        let hub = hub.clone();
        under_way.spawn(async move { drop(hub.append(draft("clog", "x")).await) });
        while order.ordered().len() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    under_way
}

fn is_poisoned(hub: &Hub, why: &str) -> bool {
    matches!(hub.health(), Health::Poisoned(text) if text.contains(why))
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new("k").unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_published_at_one_hub_is_read_at_all_under_the_same_id() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    let mut live = Reader::live(&hubs[2], "a").await;
    for (hub, data) in hubs.iter().zip(["1", "2", "3"]) {
        publish(hub, "a", data).await;
    }
    let first = all(&hubs[0], "a").await;
    assert_eq!(data(&first), ["1", "2", "3"]);
    for hub in &hubs[1..] {
        assert_eq!(all(hub, "a").await, first);
    }
    for expected in &first {
        assert_eq!(&live.next().await.unwrap().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_refusal_of_a_session_refuses_its_rest_on_every_node() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    hubs[1].append(Draft::end(topics("over"))).await.unwrap();
    let clog = clog(&hubs[0], &order).await;
    let bounds = Bounds {
        proposals: 3,
        bytes: 100,
    };
    let mut sessions = [hubs[0].append_session(bounds), hubs[0].append_session(bounds)];
    let sent = [("a", 0), ("a", 1), ("over", 0), ("a", 0), ("a", 1)];
    for (number, (name, session)) in sent.into_iter().enumerate() {
        let draft = draft(name, &number.to_string());
        sessions[session].send(draft, ()).await.unwrap();
    }
    order.go_on();
    clog.join_all().await;
    let mut answers = Vec::new();
    for (_, session) in sent {
        answers.push(sessions[session].land().await.map_err(|refused| refused.error));
    }
    let ended = Err(Error::Ended {
        topic: support::topic("over"),
    });
    assert_eq!(
        answers,
        [Ok(()), Ok(()), ended, Err(Error::SessionBroken), Ok(())]
    );
    let together = order.ordered().into_iter().find(|(_, _, entries)| *entries == 5);
    assert!(together.is_some(), "one batch: {:?}", order.ordered());
    for hub in &hubs {
        assert_eq!(data(&all(hub, "a").await), ["0", "1", "4"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_heard_of_counts_once_when_it_comes_up() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    order.swallow(usize::MAX);
    let keyed = || draft("a", "late").with_key(key(), 0);
    let answer = hubs[0].append(keyed()).await;
    assert_eq!(answer, Err(Error::OutcomeUnknown));
    assert!(order.swallowed() > 2, "it was proposed again and again");
    assert_eq!(hubs[0].health(), Health::Healthy);

    order.bring_up();
    let retried = hubs[1].append(keyed()).await.unwrap();
    let first = all(&hubs[0], "a").await;
    assert_eq!(data(&first), ["late"]);
    assert_eq!(
        (retried.outcome, retried.seq),
        (Outcome::Replayed, first[0].seq())
    );
    publish(&hubs[0], "a", "next").await;
    for hub in &hubs {
        assert_eq!(data(&all(hub, "a").await), ["late", "next"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_lost_is_proposed_again_with_those_behind_it() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    order.swallow(1);
    let lost = hubs[0].enqueue(draft("a", "1")).await.unwrap();
    while order.swallowed() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let next = hubs[0].enqueue(draft("a", "2")).await.unwrap();
    let (first, second) = (lost.await.unwrap(), next.await.unwrap());
    assert!(first.seq < second.seq);
    for hub in &hubs {
        assert_eq!(data(&all(hub, "a").await), ["1", "2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_certainly_not_taken_is_refused_and_its_number_is_used_again() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    order.refuse(true);
    for _ in 0..3 {
        assert_eq!(hubs[0].append(draft("a", "never")).await, Err(Error::Unordered));
        assert_eq!(hubs[0].barrier().await, Err(Error::Unordered));
    }
    order.refuse(false);
    publish(&hubs[0], "a", "taken").await;
    let ordered = order.ordered();
    let mut numbers: Vec<_> = ordered.iter().filter(|(origin, ..)| origin.node == 1).collect();
    numbers.dedup_by_key(|(_, number, _)| *number);
    let numbers: Vec<_> = numbers.iter().map(|(_, number, _)| *number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(data(&all(&hubs[1], "a").await), ["taken"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_never_answers_proposers_is_followed_all_the_same() {
    let faults = Faults {
        hang: 1,
        ..Faults::default()
    };
    let order = Shared::with(faults, 1);
    let hubs = hubs(&order).await;
    for n in 0..5 {
        publish(&hubs[n % 3], "a", &n.to_string()).await;
    }
    assert_eq!(data(&all(&hubs[0], "a").await), ["0", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_has_no_room_is_waited_for_only_a_while() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    let mut clog = clog(&hubs[0], &order).await;
    assert_eq!(hubs[0].append(draft("a", "never")).await, Err(Error::Unordered));
    assert_eq!(hubs[0].barrier().await, Err(Error::Unordered));
    clog.abort_all();
    order.go_on();
    publish(&hubs[0], "a", "now").await;
    assert_eq!(data(&all(&hubs[1], "a").await), ["now"]);
    assert_eq!(
        all(&hubs[1], "clog").await.len(),
        4,
        "their outcome was not known, and they counted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_log_fails_stops_and_the_others_go_on() {
    for fail in [Fail::Full, Fail::Failed, Fail::Poisoned, Fail::Panic] {
        let order = Shared::new();
        let archive = Scripted::new(false);
        let hub = order.hub(1, Config::default(), archive.clone()).await.unwrap();
        let other = order.hub(2, Config::default(), memory()).await.unwrap();
        publish(&hub, "a", "1").await;
        archive.fail(fail);
        assert_eq!(hub.append(draft("a", "2")).await, Err(Error::OutcomeUnknown));
        assert!(
            is_poisoned(&hub, "goes on without this node"),
            "{:?}",
            hub.health()
        );
        assert!(hub.poisoned().await.contains("goes on without this node"));
        archive.fail(None);
        hub.append(draft("a", "refused")).await.unwrap_err();
        hub.barrier().await.unwrap_err();
        // It keeps what it had, and so do the readers.
        assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 1);
        publish(&other, "a", "3").await;
        assert_eq!(data(&all(&other, "a").await), ["1", "2", "3"]);

        // Started again, it has what it had missed.
        drop(hub);
        let hub = order.hub(1, Config::default(), archive).await.unwrap();
        assert_eq!(all(&hub, "a").await, all(&other, "a").await);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_rewound_stops_a_node() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    let archive = Scripted::new(false);
    let fourth = order.hub(4, Config::default(), archive.clone()).await.unwrap();
    for n in 0..5 {
        publish(&hubs[n % 2], "a", &n.to_string()).await;
    }
    for hub in hubs.iter().chain([&fourth]) {
        hub.barrier().await.unwrap();
    }
    order.rewind(6);
    for hub in hubs.iter().chain([&fourth]) {
        let why = hub.poisoned().await;
        assert!(why.contains("rewound"), "{why}");
        hub.append(draft("a", "x")).await.unwrap_err();
        assert_eq!(
            hub.kept(&topics("a")).await.unwrap().count,
            5,
            "readers keep what there is"
        );
    }
    drop(fourth);
    let started = order.hub(4, Config::default(), archive).await;
    assert!(
        matches!(started, Err(StartError::Join(_))),
        "its log has more than the order"
    );
}

#[tokio::test(start_paused = true)]
async fn barriers_that_wait_are_one_batch() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    let clog = clog(&hubs[0], &order).await;
    let before = order.proposed();
    let mut barriers = JoinSet::new();
    for _ in 0..100 {
        let hub = hubs[0].clone();
        barriers.spawn(async move { hub.barrier().await });
    }
    order.go_on();
    assert!(barriers.join_all().await.iter().all(Result::is_ok));
    clog.join_all().await;
    assert!(order.proposed() - before <= 3, "{}", order.proposed() - before);
}

#[tokio::test(start_paused = true)]
async fn a_barrier_comes_behind_what_another_hub_has_published() {
    let order = Shared::with(
        Faults {
            late: 2,
            ..Faults::default()
        },
        7,
    );
    let hubs = hubs(&order).await;
    for n in 0..50_usize {
        publish(&hubs[n % 3], "a", "x").await;
        let reader = &hubs[(n + 1) % 3];
        reader.barrier().await.unwrap();
        assert_eq!(reader.kept(&topics("a")).await.unwrap().count, n + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_order_is_bounded_in_bytes() {
    let order = Shared::new();
    let hubs = hubs(&order).await;
    let clog = clog(&hubs[0], &order).await;
    let waiting = Arc::new(Mutex::new(0));
    let mut publishing = JoinSet::new();
    for _ in 0..100 {
        let (hub, waiting) = (hubs[0].clone(), Arc::clone(&waiting));
        publishing.spawn(async move {
            let pending = hub.enqueue(draft("a", &"x".repeat(1_000_000))).await.unwrap();
            *waiting.lock() += 1;
            pending.await.unwrap();
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let count = *waiting.lock();
    assert!((60..=68).contains(&count), "{count} MB wait");
    order.go_on();
    publishing.join_all().await;
    clog.join_all().await;
}

fn told(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Told(verdict) => verdict,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_same_number_where_a_door_is_missing() {
    let order = Shared::new();
    let claims = Arc::new(Mutex::new(Claims::default()));
    let builder = Hub::builder(Config::default()).ledger(Door::RELAY, claims);
    let with = builder.join(memory(), order.of(1)).await.unwrap();
    let without = order.hub(2, Config::default(), memory()).await.unwrap();
    with.tell(Door::RELAY, [1]).await.unwrap();
    // All three in one batch.
    let [first, again, last] = tokio::join!(
        with.append(draft("a", "first")),
        with.tell(Door::RELAY, [1]),
        with.append(draft("a", "last")),
    )
    .into();
    assert!(!told(again.unwrap().outcome).is_taken);
    let ids = [first, last].map(|receipt| String::from(receipt.unwrap().id.as_str()));
    for hub in [&with, &without] {
        let read = all(hub, "a").await;
        assert_eq!(
            read.iter().map(|read| &read.id).collect::<Vec<_>>(),
            ids.iter().collect::<Vec<_>>()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_claim_counts_on_all_nodes_and_after_restarts() {
    let order = Shared::new();
    let join = async |node, archive: &Scripted| {
        let claims = Arc::new(Mutex::new(Claims::default()));
        let builder = Hub::builder(Config::default()).ledger(Door::RELAY, Arc::clone(&claims));
        let hub = builder.join(archive.clone(), order.of(node)).await.unwrap();
        hub.barrier().await.unwrap();
        (hub, claims)
    };
    let archives = [1, 2, 3].map(|_| Scripted::new(false));
    let mut hubs = Vec::new();
    for (node, archive) in (1..).zip(&archives) {
        hubs.push(join(node, archive).await);
    }
    let claim = async |hub: &Hub, name: u8| {
        let receipt = hub.tell(Door::RELAY, [name]).await.unwrap();
        told(receipt.outcome)
    };
    let (a, b, c) = tokio::join!(claim(&hubs[0].0, 1), claim(&hubs[1].0, 1), claim(&hubs[2].0, 1));
    assert_eq!([&a, &b, &c].iter().filter(|verdict| verdict.is_taken).count(), 1);
    assert!(
        a.answer == b.answer && b.answer == c.answer,
        "all name the same holder"
    );
    archives[1].want_snapshot();
    claim(&hubs[2].0, 2).await;

    for (node, archive) in (1..).zip(&archives) {
        let (hub, _) = hubs.remove(0);
        hub.drain().await;
        drop(hub);
        if node == 3 {
            archive.set_snapshot(None);
        }
        hubs.push(join(node, archive).await);
        let again = claim(&hubs[2].0, 1).await;
        assert!(!again.is_taken && again.answer == a.answer);
    }
    let books = hubs
        .iter()
        .map(|(_, claims)| tidewire_log::Ledger::snapshot(claims));
    let books: Vec<_> = books.collect();
    assert!(books[0] == books[1] && books[1] == books[2] && !books[0].is_empty());
}

/// What a hub says that began behind a checkpoint.
async fn begins_behind(hub: &Hub, first: &[support::Read], key: &Draft, new: &Draft) {
    for (read, reads) in first.iter().enumerate() {
        let mut reader = Reader::after(hub, "a", &reads.id).await;
        match read + 1 == first.len() {
            true => assert_eq!(reader.resume(), &Resume::Resumed, "it has read all of it"),
            false => assert!(matches!(reader.resume(), Resume::Gap(gap) if gap.reason == GapReason::Expired)),
        }
        drop(reader.available().await);
    }
    let level = hub.position().to_string();
    let mut level = Reader::after(hub, "a", &level).await;
    let again = hub.append(key.clone()).await.unwrap();
    assert_eq!((again.seq, again.outcome), (first[0].seq(), Outcome::Replayed));
    assert!(matches!(
        hub.append(draft("over", "x")).await,
        Err(Error::Ended { .. })
    ));
    let next = hub.append(new.clone()).await.unwrap();
    assert_eq!(level.next().await.unwrap().unwrap().id, next.id.as_str());
}

#[tokio::test]
async fn an_empty_archive_begins_with_the_checkpoint_of_an_order() {
    let order = Shared::new();
    let (kept, behind) = (Scripted::new(false), Scripted::new(false));
    let old = order.hub(9, Config::default(), behind.clone()).await.unwrap();
    publish(&old, "b", "x").await;
    old.drain().await;
    let hub = order.hub(1, Config::default(), kept.clone()).await.unwrap();
    let keyed = draft("a", "1").with_key(key(), 0);
    hub.append(keyed.clone()).await.unwrap();
    publish(&hub, "a", "2").await;
    hub.append(draft("over", "last").and_end()).await.unwrap();
    publish(&hub, "a", "3").await;
    let first = all(&hub, "a").await;
    hub.drain().await;
    drop(hub);
    order.cut(kept.last_snapshot().unwrap());

    let started = order.hub(9, Config::default(), behind).await;
    let is_checkpoint = matches!(started, Err(StartError::Join(JoinError::Checkpoint { .. })));
    assert!(is_checkpoint, "only an empty one begins anew");

    let new = |number: u32| draft("a", &format!("new {number}"));
    let in_memory = order.hub(2, Config::default(), memory()).await.unwrap();
    begins_behind(&in_memory, &first, &keyed, &new(1)).await;

    let folder = tempfile::tempdir().unwrap();
    let on_disk = || {
        let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
        Segments::open(disk, Settings::default()).unwrap()
    };
    let scripted = Scripted::new(false);
    for number in 0..3 {
        let hub = order.hub(3, Config::default(), scripted.clone()).await.unwrap();
        begins_behind(&hub, &first, &keyed, &new(2 + 2 * number)).await;
        hub.drain().await;
        drop(hub);
        let hub = order.hub(4, Config::default(), on_disk()).await.unwrap();
        begins_behind(&hub, &first, &keyed, &new(3 + 2 * number)).await;
        assert_eq!(all(&hub, "a").await, all(&in_memory, "a").await);
        hub.drain().await;
        drop(hub);
    }
    // Nodes that were there before go on.
    let hub = order.hub(1, Config::default(), kept).await.unwrap();
    let found = all(&hub, "a").await;
    assert_eq!(found[..3], first[..]);
    assert_eq!(found[3..], all(&in_memory, "a").await);
}
