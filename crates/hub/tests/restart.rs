//! A hub over a log that was there before: it goes on as if it had never stopped, and tells what a crash has lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use support::{
    Read, Reader, draft, publish,
    scripted::{Fail, Scripted},
    topics,
};
use tidewire_codec::{Event, EventId};
use tidewire_hub::{
    Config, Draft, Encoding, Error, GapReason, Hub, IdempotencyKey, Outcome, Resume, Seq, Start, StartError,
    Subscribed,
};
use tidewire_log::recall::RecallError;

fn start(archive: &Scripted) -> Hub {
    support::ordered::start(Config::default(), archive.clone()).unwrap()
}

/// Where numbers have no holes, and each start begins an epoch.
fn start_alone(archive: &Scripted) -> Hub {
    support::ordered::start_alone(Config::default(), archive.clone()).unwrap()
}

async fn all(hub: &Hub, names: &str, count: usize) -> Vec<Read> {
    let mut reader = Reader::after(hub, names, Start::EARLIEST).await;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(reader.next().await.unwrap().unwrap());
    }
    assert!(reader.available().await.is_empty());
    all
}

fn keyed(data: &str) -> Draft {
    draft("keyed", data).with_key(IdempotencyKey::new("k").unwrap(), 0)
}

fn gap(reader: &Reader) -> GapReason {
    match reader.resume() {
        Resume::Gap(gap) => gap.reason,
        other => panic!("no gap: {other:?}"),
    }
}

/// Everything that a log remembers, over a restart with or without snapshots.
async fn goes_on(waits: bool, with_snapshots: bool) {
    let archive = Scripted::new(waits);
    let hub = start(&archive);
    publish(&hub, "a", "1").await;
    let between = hub.position();
    let given = Event::new("2").with_id(EventId::new("given").unwrap());
    hub.append(Draft::event(topics("a"), given).unwrap())
        .await
        .unwrap();
    let first = hub.append(keyed("3")).await.unwrap();
    hub.append(draft("over", "4").and_end()).await.unwrap();
    hub.append(draft("anew", "5").and_end()).await.unwrap();
    if with_snapshots {
        archive.want_snapshot();
    }
    hub.append(Draft::purge(topics("anew"))).await.unwrap();
    publish(&hub, "a", "6").await;
    assert_eq!(archive.snapshot_at().is_some(), with_snapshots);
    let (position, before) = (hub.position(), all(&hub, "a keyed", 4).await);

    hub.drain().await;
    assert_eq!(
        (archive.times_closed(), archive.snapshot_at()),
        (1, Some(position.seq)),
        "the last snapshot has it all"
    );
    drop(hub);
    if !with_snapshots {
        archive.set_snapshot(None);
    }
    let hub = start(&archive);
    assert_eq!(archive.replayed(), if with_snapshots { 0 } else { 7 });
    assert_eq!(hub.position(), position);
    assert_eq!(all(&hub, "a keyed", 4).await, before, "the same ids");
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 3);

    // Cursors: our own, publishers', the end of the log.
    let mut behind = Reader::after(&hub, "a", &between.to_string()).await;
    let mut by_id = Reader::after(&hub, "a", "given").await;
    let mut level = Reader::after(&hub, "a", &position.to_string()).await;
    let mut live = Reader::live(&hub, "a").await;
    assert_eq!(behind.available().await, ["2", "6"]);
    assert_eq!(by_id.available().await, ["6"]);
    assert!(level.available().await.is_empty() && live.available().await.is_empty());

    // Keys and ends.
    let again = hub.append(keyed("3")).await.unwrap();
    assert_eq!(
        (again.seq, again.id, again.outcome),
        (first.seq, first.id, Outcome::Replayed)
    );
    assert_eq!(hub.append(keyed("other")).await, Err(Error::KeyReused));
    assert!(matches!(
        hub.append(draft("over", "x")).await,
        Err(Error::Ended { .. })
    ));
    let mut over = Reader::live(&hub, "over").await;
    assert_eq!(over.read_to_end().await, ["4"]);
    let subscribed = hub
        .subscribe(
            topics("over"),
            &Start::After(position.to_string()),
            Encoding::EventStream,
        )
        .await;
    assert!(matches!(subscribed, Ok(Subscribed::Ended)));
    publish(&hub, "anew", "open again").await;

    let next = publish(&hub, "a", "7").await;
    assert!(next > position.seq, "numbers go on");
    for reader in [&mut behind, &mut by_id, &mut level, &mut live] {
        assert_eq!(reader.available().await, ["7"]);
    }
}

#[tokio::test]
async fn a_log_goes_on_from_its_records() {
    goes_on(false, false).await;
}

#[tokio::test]
async fn a_log_goes_on_from_a_snapshot() {
    goes_on(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_a_disk_goes_on() {
    goes_on(true, true).await;
}

#[tokio::test]
async fn a_snapshot_in_the_middle_and_the_records_after_it_are_all_that_there_was() {
    let archive = Scripted::new(true);
    let hub = start_alone(&archive);
    hub.append(keyed("1")).await.unwrap();
    archive.want_snapshot();
    hub.append(Draft::end(topics("early"))).await.unwrap();
    let later = draft("keyed", "2").with_key(IdempotencyKey::new("later").unwrap(), 0);
    hub.append(later.clone()).await.unwrap();
    hub.append(Draft::end(topics("late"))).await.unwrap();
    // The process is killed, and has lost nothing: a hub whose log is poisoned writes no snapshot when it ends either.
    archive.fail(Fail::Poisoned);
    hub.append(draft("never", "kept")).await.unwrap_err();
    drop(hub);
    archive.fail(None);
    // The hub may still be at the first batch when it is asked for one.
    let Seq(at) = archive.snapshot_at().unwrap();
    assert!((1..=2).contains(&at), "{at}");
    let hub = start_alone(&archive);
    assert_eq!(archive.replayed() as u64, 4 - at);
    for draft in [keyed("1"), later] {
        assert_eq!(hub.append(draft).await.unwrap().outcome, Outcome::Replayed);
    }
    for name in ["early", "late"] {
        assert!(matches!(
            hub.append(draft(name, "x")).await,
            Err(Error::Ended { .. })
        ));
    }
}

#[tokio::test]
async fn cursors_of_an_old_epoch_hold_up_to_its_true_end() {
    let archive = Scripted::new(true);
    let hub = start_alone(&archive);
    let mut cursors = vec![hub.position().to_string()];
    for n in 1..=5 {
        publish(&hub, "a", &n.to_string()).await;
        cursors.push(hub.position().to_string());
    }
    let before = all(&hub, "a", 5).await;
    drop(hub);

    // 4 and 5 were seen and are lost.
    archive.lose_after(Seq(3));
    let hub = start_alone(&archive);
    let new = publish(&hub, "a", "4 of the new epoch").await;
    assert_eq!(new, Seq(4), "the same number");
    let after = all(&hub, "a", 4).await;
    assert_eq!(after[..3], before[..3], "old events keep their ids");
    assert_ne!(after[3].id, before[3].id, "and a new one has its own");

    for (read, cursor) in cursors.iter().enumerate().take(4) {
        let mut reader = Reader::after(&hub, "a", cursor).await;
        assert_eq!(reader.resume(), &Resume::Resumed, "{cursor}");
        let expected: Vec<_> = after[read..].iter().map(|read| read.data.clone()).collect();
        assert_eq!(reader.available().await, expected);
    }
    for cursor in &cursors[4..] {
        let mut reader = Reader::after(&hub, "a", cursor).await;
        assert_eq!(gap(&reader), GapReason::Reset);
        let notice = reader.next().await.unwrap().unwrap();
        assert_eq!(notice.name, "tidewire.gap");
        assert_eq!(reader.available().await.len(), 4, "then everything that is there");
    }

    // And over one more restart, whose history ends cleanly.
    hub.drain().await;
    drop(hub);
    let hub = start_alone(&archive);
    assert_eq!(all(&hub, "a", 4).await, after);
    assert_eq!(
        gap(&Reader::after(&hub, "a", &cursors[5]).await),
        GapReason::Reset
    );
}

#[tokio::test]
async fn numbers_go_on_although_no_record_is_left() {
    let archive = Scripted::new(true);
    let hub = start(&archive);
    publish(&hub, "a", "1").await;
    publish(&hub, "a", "2").await;
    let position = hub.position();
    drop(hub);
    archive.let_all_go();
    let hub = start(&archive);
    assert_eq!(hub.position(), position);
    let mut level = Reader::after(&hub, "a", &position.to_string()).await;
    assert!(publish(&hub, "a", "3").await > position.seq);
    assert_eq!(level.available().await, ["3"]);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_an_error() {
    let archive = Scripted::new(false);
    let hub = start(&archive);
    publish(&hub, "a", "1").await;
    hub.drain().await;
    for bytes in [&b""[..], b"\x01", b"\xff\xff\xff\xff", b"\x09and more"] {
        archive.set_snapshot(Some((Seq(1), bytes.to_vec())));
        let started = support::ordered::start(Config::default(), archive.clone());
        assert!(
            matches!(started, Err(StartError::Recall(RecallError::Snapshot(_)))),
            "{bytes:?}"
        );
    }
}
