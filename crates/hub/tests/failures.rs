//! A log that is full or can no longer be written, and one that takes its time: nothing of a batch that is not kept
//! is ever seen, and everything goes on as if it had not been published.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use support::{
    Reader, draft, publish,
    scripted::{Fail, Scripted},
    topics,
};
use tidewire_codec::Event;
use tidewire_hub::{
    Config, Draft, Encoding, Error, Health, Hub, IdempotencyKey, Outcome, Start, Subscribed,
    session::{Bounds, Refused},
};

fn start(waits: bool) -> (Hub, Scripted) {
    let archive = Scripted::new(waits);
    let config = Config {
        max_event: 100,
        ..Config::default()
    };
    (
        support::ordered::start_alone(config, archive.clone()).unwrap(),
        archive,
    )
}

fn is_full<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Full { .. }))
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new("k").unwrap()
}

/// One batch of the publishes that are sent, held at the gate behind a batch of one that is kept.
async fn one_batch<T>(hub: &Hub, archive: &Scripted, sent: impl Future<Output = T>) -> T {
    let before = archive.batches().len();
    archive.shut();
    let first = hub.enqueue(draft("first", "x")).await.unwrap();
    archive.arrived(before + 1).await;
    let sent = sent.await;
    archive.let_one_pass();
    first.await.unwrap();
    archive.arrived(before + 2).await;
    sent
}

async fn full_then_room_again(waits: bool) {
    let (hub, archive) = start(waits);
    let mut live = Reader::live(&hub, "a").await;
    let kept = publish(&hub, "a", "kept").await;
    let position = hub.position();

    archive.fail(Fail::Full);
    for _ in 0..3 {
        let refused = hub.append(draft("a", "lost")).await;
        assert!(is_full(&refused), "{refused:?}");
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("free some space"), "{text}");
    }
    assert!(matches!(hub.health(), Health::Full(_)));
    assert_eq!(
        hub.position(),
        position,
        "the log ends where it ended for its readers"
    );
    let mut resumed = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(resumed.available().await, ["kept"]);
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 1);

    archive.fail(None);
    let next = publish(&hub, "a", "next").await;
    assert!(
        next.0 > kept.0 + 3,
        "numbers that were lost are not used again: {next:?}"
    );
    assert_eq!(hub.health(), Health::Healthy);
    assert_eq!(live.available().await, ["kept", "next"]);
    assert_eq!(resumed.available().await, ["next"]);
    let mut after = Reader::after(&hub, "a", &position.to_string()).await;
    assert_eq!(after.available().await, ["next"]);
    assert_eq!((hub.stats().events, hub.stats().refused), (2, 3));
}

#[tokio::test]
async fn a_full_log_refuses_until_there_is_room_again() {
    full_then_room_again(false).await;
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room_again() {
    full_then_room_again(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_until_there_is_room_again_on_many_threads() {
    full_then_room_again(true).await;
}

#[tokio::test]
async fn a_disk_that_fails_refuses_until_it_is_well_again() {
    let (hub, archive) = start(true);
    archive.fail(Fail::Failed);
    let refused = hub.append(draft("a", "lost")).await;
    assert!(matches!(refused, Err(Error::Unwritten { .. })), "{refused:?}");
    assert_eq!(hub.health(), Health::Failing("EIO".into()));
    archive.fail(None);
    publish(&hub, "a", "kept").await;
    assert_eq!(hub.health(), Health::Healthy);
    let mut reader = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(reader.available().await, ["kept"]);
}

/// A fault of ours in the archive: nothing hangs, and everything says so.
#[tokio::test]
async fn an_archive_that_panics_poisons_the_hub() {
    let (hub, archive) = start(true);
    publish(&hub, "a", "kept").await;
    archive.fail(Fail::Panic);
    for _ in 0..2 {
        let refused = hub.append(draft("a", "lost")).await;
        assert!(matches!(refused, Err(Error::Poisoned { .. })), "{refused:?}");
    }
    assert!(matches!(hub.health(), Health::Poisoned(_)));
    let mut reader = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(reader.available().await, ["kept"]);
    hub.drain().await;
    assert_eq!(archive.times_closed(), 0, "the end was not clean");
}

#[tokio::test]
async fn a_poisoned_log_refuses_everything_until_a_restart_but_is_read_on() {
    let (hub, archive) = start(true);
    publish(&hub, "a", "kept").await;
    archive.fail(Fail::Poisoned);
    let poisoned = Error::Poisoned {
        why: "fsync failed".into(),
    };
    assert_eq!(hub.append(draft("a", "lost")).await, Err(poisoned.clone()));
    assert_eq!(hub.health(), Health::Poisoned("fsync failed".into()));

    archive.fail(None);
    let tried = archive.batches().len();
    assert_eq!(hub.append(draft("a", "later")).await, Err(poisoned));
    assert_eq!(archive.batches().len(), tried, "the archive is left alone");
    let mut reader = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(reader.available().await, ["kept"]);

    hub.drain().await;
    assert_eq!(
        (archive.times_closed(), archive.snapshot_at()),
        (0, None),
        "the end was not clean"
    );
}

#[tokio::test]
async fn batches_form_while_an_append_waits_and_the_runtime_goes_on() {
    // One thread: were the append to hold it, nothing below would happen.
    let (hub, archive) = start(true);
    let mut live = Reader::live(&hub, "a").await;
    archive.shut();
    let first = hub.enqueue(draft("a", "0")).await.unwrap();
    archive.arrived(1).await;
    let mut waiting = Vec::new();
    for n in 1..=50 {
        waiting.push(hub.enqueue(draft("a", &n.to_string())).await.unwrap());
    }
    assert!(
        live.available().await.is_empty(),
        "nothing is seen before it is kept"
    );
    archive.open();
    first.await.unwrap();
    for pending in waiting {
        pending.await.unwrap();
    }
    assert_eq!(archive.batches(), [1, 50]);
    assert_eq!(live.available().await.len(), 51);
}

#[tokio::test]
async fn a_key_whose_publish_failed_is_free_again() {
    let (hub, archive) = start(true);
    archive.fail(Fail::Full);
    let keyed = |data| draft("a", data).with_key(key(), 0);
    assert!(is_full(&hub.append(keyed("one")).await));
    archive.fail(None);
    let receipt = hub.append(keyed("another")).await.unwrap();
    assert_eq!(receipt.outcome, Outcome::Appended);

    // What was accepted is answered as before, also by a full log.
    archive.fail(Fail::Full);
    let again = hub.append(keyed("another")).await.unwrap();
    assert_eq!((again.seq, again.outcome), (receipt.seq, Outcome::Replayed));
    assert_eq!(
        hub.append(keyed("a third")).await,
        Err(Error::KeyReused),
        "nor is there anything to keep for a refusal"
    );
}

#[tokio::test]
async fn a_stream_whose_end_failed_is_open() {
    let (hub, archive) = start(true);
    let mut live = Reader::live(&hub, "a").await;
    archive.fail(Fail::Full);
    assert!(is_full(&hub.append(draft("a", "the last").and_end()).await));
    archive.fail(None);
    publish(&hub, "a", "on it goes").await;
    assert_eq!(live.available().await, ["on it goes"]);
    let mut later = Reader::live(&hub, "a").await;
    hub.append(Draft::end(topics("a"))).await.unwrap();
    assert!(later.next().await.is_none() && live.next().await.is_none());
}

#[tokio::test]
async fn a_stream_whose_purge_failed_has_still_ended_for_who_came_meanwhile() {
    let (hub, archive) = start(true);
    hub.append(draft("a", "the last").and_end()).await.unwrap();
    archive.shut();
    let purge = hub.enqueue(Draft::purge(topics("a"))).await.unwrap();
    archive.arrived(2).await;
    let mut meanwhile = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(meanwhile.available().await, ["the last"]);

    archive.fail(Fail::Full);
    archive.open();
    assert!(is_full(&purge.await));
    assert!(meanwhile.next().await.is_none(), "it reads to the end");
    let position = Start::After(hub.position().to_string());
    let subscribed = hub.subscribe(topics("a"), &position, Encoding::EventStream).await;
    assert!(matches!(subscribed, Ok(Subscribed::Ended)));
    assert_eq!(
        Reader::after(&hub, "a", Start::EARLIEST).await.data().await,
        "the last"
    );
}

#[tokio::test]
async fn what_was_refused_because_of_a_publish_that_failed_fails_with_it() {
    let (hub, archive) = start(true);
    let keyed = |data: &str| draft("b", data).with_key(key(), 0);
    let large = Draft::event(topics("a"), Event::new("x".repeat(101))).unwrap();
    let drafts = [
        Draft::end(topics("a")),
        draft("a", "behind the end").into(),
        keyed("one").into(),
        keyed("one").into(),
        keyed("other").into(),
        large.into(),
    ];
    let sent = async {
        let mut pending = Vec::new();
        for draft in drafts {
            pending.push(hub.enqueue(draft).await.unwrap());
        }
        pending
    };
    let pending = one_batch(&hub, &archive, sent).await;
    archive.fail(Fail::Full);
    archive.open();
    let mut answers = Vec::new();
    for pending in pending {
        answers.push(pending.await);
    }
    let (too_large, others) = answers.split_last().unwrap();
    assert!(others.iter().all(is_full), "{others:?}");
    assert!(matches!(too_large, Err(Error::EventTooLarge { .. })));
}

#[tokio::test]
async fn a_row_is_broken_by_a_batch_that_failed() {
    let (hub, archive) = start(true);
    let mut session = hub.append_session(Bounds {
        proposals: 3,
        bytes: 100,
    });
    let sent = async {
        for data in ["0", "1"] {
            session.send(draft("a", data), ()).await.unwrap();
        }
    };
    one_batch(&hub, &archive, sent).await;
    session.send(draft("a", "2"), ()).await.unwrap();
    archive.fail(Fail::Full);
    archive.open();
    for _ in 0..2 {
        assert!(is_full(&session.land().await.map_err(|refused| refused.error)));
    }
    archive.fail(None);
    assert_eq!(
        session.land().await,
        Err(Refused {
            tag: (),
            error: Error::SessionBroken
        }),
        "or the row would have a hole"
    );
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 0);
}
