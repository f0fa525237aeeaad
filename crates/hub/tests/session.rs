//! The append session: its order, its bounds, and waiting that is given up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{future::poll_fn, pin::pin, task::Poll};

use support::{draft, scripted::Scripted, topic, topics};
use tidewire_hub::{
    AppendSession, Config, Draft, Error, Hub, IdempotencyKey,
    session::{Bounds, Refused},
};

const WIDE: Bounds = Bounds {
    proposals: 100,
    bytes: 1000,
};

fn start() -> (Hub, Scripted) {
    let archive = Scripted::new(true);
    let hub = support::ordered::start(Config::default(), archive.clone()).unwrap();
    (hub, archive)
}

/// Polls it once, and drops it. A test fails only behind the gate that it opens: the hub of one that fails before waits there.
async fn is_pending(future: impl Future) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

async fn send(session: &mut AppendSession<usize>, data: &[&str]) {
    for (number, data) in data.iter().enumerate() {
        session.send(draft("a", data), number).await.unwrap();
    }
}

async fn count(hub: &Hub) -> usize {
    hub.barrier().await.unwrap();
    hub.kept(&topics("a")).await.unwrap().count
}

#[tokio::test]
async fn the_first_refusal_refuses_the_rest_of_its_session() {
    let (hub, _) = start();
    hub.append(Draft::end(topics("over"))).await.unwrap();
    let (mut session, mut other) = (hub.append_session(WIDE), hub.append_session(WIDE));
    for (number, name) in ["a", "over", "a", "a"].into_iter().enumerate() {
        session.send(draft(name, "x"), number).await.unwrap();
        send(&mut other, &["y"]).await;
    }
    let ended = Error::Ended { topic: topic("over") };
    let refused = |tag, error| Err(Refused { tag, error });
    assert_eq!(session.land().await, Ok(()));
    assert_eq!(session.land_all().await, refused(1, ended));
    assert_eq!(session.land().await, refused(2, Error::SessionBroken));
    assert_eq!(session.land_all().await, refused(3, Error::SessionBroken));
    assert_eq!(session.land_all().await, Ok(()));
    assert_eq!(session.accepted().count, 1);
    session.send(draft("a", "late"), 4).await.unwrap();
    assert_eq!(session.land_all().await, refused(4, Error::SessionBroken));
    assert_eq!(other.land_all().await, Ok(()));
    assert_eq!(other.accepted().count, 4);
    assert_eq!(count(&hub).await, 5);
}

#[tokio::test]
async fn no_more_proposals_are_under_way_than_its_bounds_allow() {
    let (hub, archive) = start();
    archive.shut();
    let mut session = hub.append_session(Bounds { proposals: 2, ..WIDE });
    send(&mut session, &["1", "2"]).await;
    let waits = is_pending(session.send(draft("a", "not sent"), 2)).await;
    archive.open();
    assert!(waits);
    send(&mut session, &["3"]).await;
    session.land_all().await.unwrap();
    assert_eq!(session.accepted().count, 3);
    assert_eq!(count(&hub).await, 3);
}

#[tokio::test]
async fn no_more_bytes_are_under_way_than_its_bounds_allow_but_for_one_event() {
    let (hub, archive) = start();
    archive.shut();
    let mut session = hub.append_session(Bounds { bytes: 10, ..WIDE });
    send(&mut session, &["123456", "1234"]).await;
    let bytes = session.bytes();
    let waits = is_pending(session.send(draft("a", "1"), 2)).await;
    archive.open();
    assert!(waits);
    assert_eq!(bytes, 10);
    session.land_all().await.unwrap();
    assert_eq!(session.bytes(), 0);

    archive.shut();
    send(&mut session, &["more than ten"]).await;
    let waits = is_pending(session.send(draft("a", "1"), 1)).await;
    archive.open();
    assert!(waits);
    session.land_all().await.unwrap();
    assert_eq!(session.accepted().count, 3);
}

#[tokio::test]
async fn an_answer_that_is_no_longer_waited_for_is_not_lost() {
    let (hub, archive) = start();
    let mut session = hub.append_session(WIDE);
    assert!(is_pending(session.land()).await, "there is nothing to wait for");
    archive.shut();
    send(&mut session, &["1", "2"]).await;
    let mut wait = true;
    for _ in 0..3 {
        wait &= is_pending(session.land()).await && is_pending(session.land_all()).await;
    }
    archive.open();
    assert!(wait);
    let last = hub.append(draft("a", "3")).await.unwrap();
    // Each answer is there by now: every poll takes one.
    assert!(!is_pending(session.land()).await);
    assert_eq!(session.accepted().count, 1);
    assert!(!is_pending(session.land()).await);
    let accepted = session.accepted();
    assert_eq!(accepted.count, 2);
    assert!(accepted.first.is_some() && accepted.first != accepted.last);
    assert_ne!(accepted.last.as_ref(), Some(&last.id));
    assert!(is_pending(session.land()).await, "there are no more");
}

#[tokio::test]
async fn a_session_knows_whether_all_of_it_had_been_accepted_before() {
    let (hub, _) = start();
    let key = IdempotencyKey::new("k").unwrap();
    let mut first = hub.append_session(WIDE);
    assert!(!first.accepted().is_replay());
    let keyed = |number| draft("a", "x").with_key(key.clone(), number);
    first.send(keyed(0), ()).await.unwrap();
    first.land_all().await.unwrap();
    assert!(!first.accepted().is_replay());

    let mut again = hub.append_session(WIDE);
    again.send(keyed(0), ()).await.unwrap();
    again.land_all().await.unwrap();
    assert!(again.accepted().is_replay());
    assert_eq!(again.accepted().first, first.accepted().first);
    again.send(keyed(1), ()).await.unwrap();
    again.land_all().await.unwrap();
    assert!(!again.accepted().is_replay());
}
