//! S2, S4: an end finishes the body, and nothing else does.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    client::{End, eventually, field, request},
    server::Door,
};

#[test]
fn s2_an_end_delivers_the_last_event_and_finishes_the_body() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    door.post("/events/a", "1");
    let id = door.post("/events/a?end=true&event=end", "bye");
    assert_eq!(reader.data(), "1");
    reader.expect(&format!("id: {id}\nevent: end\ndata: bye\n\n"));
    reader.finished();
}

#[test]
fn s2_an_end_needs_no_event() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    door.post("/events/a", "1");
    door.post("/events/a?end", "");
    assert_eq!(reader.data(), "1");
    reader.finished();
}

#[test]
fn s2_the_connection_of_a_finished_stream_takes_the_next_request() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    door.post("/events/a?end", "1");
    assert_eq!(reader.data(), "1");
    let mut client = reader.into_client();
    let response = client.ask(request("POST", "/events/b", &[], "next"));
    assert_eq!(response.status(), 200);
}

#[test]
fn s4_who_has_everything_of_an_ended_stream_gets_204() {
    let door = Door::open();
    door.post("/events/a", "1");
    let last = door.post("/events/a?end", "2");
    for target in [
        format!("/events/a?last_event_id={last}"),
        format!("/events/a?last_event_id={last}&prime=1"),
        "/events/a?last=0".into(),
    ] {
        let response = door.ask("GET", &target, &[], "");
        assert_eq!((response.status(), response.body.as_str()), (204, ""), "{target}");
        assert_eq!(response.head.get("cache-control"), Some("no-store"));
        assert_eq!(response.head.get("content-type"), None);
    }
}

#[test]
fn s4_a_stream_that_ended_without_an_event_is_204_at_once() {
    let door = Door::open();
    door.post("/events/a?end", "");
    assert_eq!(door.ask("GET", "/events/a", &[], "").status(), 204);
}

#[test]
fn s4_who_missed_something_of_an_ended_stream_gets_it_and_the_end() {
    let door = Door::open();
    door.post("/events/a", "1");
    door.post("/events/a", "2");
    door.post("/events/a?end", "3");
    let mut first = door.get("/events/a");
    assert_eq!(
        [first.data(), first.data(), first.data()],
        ["1", "2", "3"],
        "a first reader gets all"
    );
    first.finished();
    let mut again = door.get(&format!("/events/a?last_event_id={}", door.at(2)));
    assert_eq!(again.data(), "3");
    again.finished();
    let mut lost = door.get("/events/a?last_event_id=nobody");
    assert_eq!(lost.head.get("tidewire-resume"), Some("gap"));
    assert_eq!(field(&lost.block(), "event").as_deref(), Some("tidewire.gap"));
    assert_eq!([lost.data(), lost.data(), lost.data()], ["1", "2", "3"]);
    lost.finished();
}

#[test]
fn s2_an_ended_topic_takes_no_more() {
    let door = Door::open();
    door.post("/events/a?end", "1");
    for target in ["/events/a", "/events/a?end", "/events?topic=b&topic=a"] {
        let response = door.ask("POST", target, &[], "2");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (409, &"ended".into()),
            "{target}"
        );
    }
    let mut other = door.get("/events/b?last_event_id=earliest");
    door.post("/events/b", "3");
    assert_eq!(
        other.data(),
        "3",
        "of the refused publish there is nothing in the other topic"
    );
}

#[test]
fn s2_many_topics_end_when_the_last_has() {
    let door = Door::open();
    let mut reader = door.get("/events?topic=a&topic=b");
    door.post("/events/a?end", "a");
    door.post("/events/b", "b");
    assert_eq!([reader.data(), reader.data()], ["a", "b"]);
    let late = door.get("/events?topic=a&topic=b");
    door.post("/events/b?end", "c");
    for mut reader in [reader, late] {
        assert_eq!(reader.data(), "c");
        reader.finished();
    }
}

#[test]
fn s4_a_drain_says_when_to_come_again_and_cuts() {
    let door = Door::open();
    let mut readers = [
        door.get("/events/a"),
        door.get("/events/a"),
        door.get("/events/b"),
    ];
    door.post("/events/a", "1");
    door.drain();
    for reader in &mut readers[..2] {
        assert_eq!(reader.data(), "1");
    }
    for reader in readers {
        let (text, end) = reader.rest();
        let wait: u64 = text
            .strip_prefix("retry: ")
            .unwrap()
            .strip_suffix('\n')
            .unwrap()
            .parse()
            .unwrap();
        assert!((500..=5000).contains(&wait), "{wait}");
        assert_eq!(end, End::Cut);
    }
    for (method, target) in [("GET", "/events/a"), ("POST", "/events/a")] {
        let response = door.ask(method, target, &[], "");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (503, &"draining".into())
        );
        assert_eq!(response.head.get("retry-after"), Some("1"));
    }
}

#[test]
fn s4_a_drain_loses_nothing_that_was_acknowledged() {
    for _ in 0..10 {
        let door = Door::open();
        let reader = door.get("/events/a");
        let busy = AtomicBool::new(false);
        let acknowledged: Vec<String> = thread::scope(|scope| {
            let publishers = [(); 4].map(|()| {
                scope.spawn(|| {
                    let mut client = door.connect();
                    let mut ids = Vec::new();
                    loop {
                        let response = client.ask(request("POST", "/events/a", &[], "x"));
                        if response.status() == 503 {
                            return ids;
                        }
                        ids.push(response.id());
                        busy.store(ids.len() > 20, Ordering::Relaxed);
                    }
                })
            });
            eventually(|| busy.load(Ordering::Relaxed));
            door.drain();
            publishers
                .into_iter()
                .flat_map(|publisher| publisher.join().unwrap())
                .collect()
        });
        let (text, end) = reader.rest();
        assert_eq!(end, End::Cut);
        let seen: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("id: "))
            .collect();
        for (index, id) in seen.iter().enumerate() {
            assert_eq!(*id, door.at(index as u64 + 1), "in order, once");
        }
        for id in &acknowledged {
            assert!(
                seen.contains(&id.as_str()),
                "{id} was acknowledged, and the reader has not got it"
            );
        }
    }
}
