//! S11: who reads a topic, now and as it changes.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tower::ServiceExt as _;

use crate::{
    client::{End, Reader, eventually, field, request},
    refused::assert_problem,
    server::Door,
};

const STREAM: [(&str, &str); 1] = [("Accept", "text/event-stream")];

fn now(door: &Door, target: &str) -> Value {
    let response = door.ask("GET", target, &[], "");
    assert_eq!(response.status(), 200, "{response:?}");
    response.json()
}

/// The next event of a stream of changes.
#[track_caller]
fn change(reader: &mut Reader) -> (String, Value) {
    let block = reader.block();
    let data = field(&block, "data").unwrap();
    (
        field(&block, "event").unwrap(),
        serde_json::from_str(&data).unwrap(),
    )
}

#[test]
fn s11_presence_tells_readers_and_names() {
    let door = Door::open();
    assert_eq!(
        now(&door, "/presence/room"),
        json!({"topic": "room", "readers": 0, "members": []})
    );
    let _readers = [
        door.get("/events/room?as=bob"),
        door.get("/events/room?as=alice"),
        door.get("/events?topic=room&topic=other&as=alice"),
        door.get("/events/room"),
        door.get("/events/other"),
    ];
    let wanted = json!({"topic": "room", "readers": 4, "members": [
        {"name": "alice", "readers": 2}, {"name": "bob", "readers": 1},
    ]});
    for target in ["/presence/room", "/presence?topic=room", "/presence?topic=%72oom"] {
        assert_eq!(now(&door, target), wanted);
    }
    assert_eq!(now(&door, "/presence/other")["readers"], 2);
}

#[test]
fn s11_readers_that_go_are_no_longer_present() {
    let door = Door::open();
    let readers = [door.get("/events/room?as=a"), door.get("/events/room")];
    assert_eq!(now(&door, "/presence/room")["readers"], 2);
    drop(readers);
    eventually(|| now(&door, "/presence/room")["readers"] == 0);
}

#[test]
fn s11_json_is_for_who_asks_for_it_or_does_not_care() {
    let door = Door::open();
    for (accept, wanted) in [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/event-stream", "application/json"),
        ("application/*", "application/json"),
        ("text/event-stream", "text/event-stream; charset=utf-8"),
        (
            "application/json;q=0.5, text/event-stream",
            "text/event-stream; charset=utf-8",
        ),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/stream+json", "application/stream+json"),
    ] {
        let reader = door.server.get("/presence/room", &[("Accept", accept)]);
        assert_eq!(reader.head.status, 200);
        assert_eq!(reader.head.get("content-type"), Some(wanted), "{accept}");
        assert_eq!(reader.head.get("vary"), Some("Accept"));
    }
}

#[test]
fn s11_joins_and_leaves_come_as_a_stream() {
    let door = Door::open();
    let first = door.get("/events/room?as=alice");
    let mut watcher = door.server.get("/presence/room", &STREAM);
    watcher.expect_retry(1000);
    let state = json!({"topic": "room", "readers": 1, "members": [{"name": "alice", "readers": 1}]});
    assert_eq!(change(&mut watcher), ("presence".into(), state));
    let second = door.get("/events?topic=x&topic=room&as=bob");
    assert_eq!(
        change(&mut watcher),
        ("join".into(), json!({"name": "bob", "readers": 2}))
    );
    let third = door.get("/events/room");
    assert_eq!(
        change(&mut watcher),
        ("join".into(), json!({"name": null, "readers": 3}))
    );
    drop(first);
    assert_eq!(
        change(&mut watcher),
        ("leave".into(), json!({"name": "alice", "readers": 2}))
    );
    drop(third);
    assert_eq!(
        change(&mut watcher),
        ("leave".into(), json!({"name": null, "readers": 1}))
    );
    assert_eq!(
        now(&door, "/presence/room")["readers"],
        1,
        "a watcher is no reader"
    );
    drop(second);
}

#[test]
fn s11_the_same_stream_comes_as_ndjson() {
    let door = Door::open();
    let mut watcher = door
        .server
        .get("/presence/room", &[("Accept", "application/x-ndjson")]);
    let mut line = || serde_json::from_str::<Value>(&watcher.until("\n")).unwrap();
    let state = "{\"members\":[],\"readers\":0,\"topic\":\"room\"}";
    assert_eq!(line(), json!({"event": "presence", "data": state}));
    let _reader = door.get("/events/room?as=alice");
    assert_eq!(
        line(),
        json!({"event": "join", "data": "{\"name\":\"alice\",\"readers\":1}"})
    );
}

/// Without sockets, of which a test may have fewer.
#[tokio::test]
async fn s11_a_thousand_members_are_listed_and_the_rest_counted() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub, plain::Config::default());
    let get = |target: String| {
        let request = Request::get(target).body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };
    let mut readers = Vec::new();
    for number in 0..1002 {
        readers.push(get(format!("/events/room?as={number}")).await.unwrap());
    }
    let response = get("/presence/room".into()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let state: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&state["readers"], &state["more"]), (&1002.into(), &2.into()));
    assert_eq!(state["members"].as_array().unwrap().len(), 1000);
}

#[test]
fn s11_head_is_answered_and_watches_nothing() {
    let door = Door::open();
    for (headers, kind) in [
        (&[][..], "application/json"),
        (&STREAM, "text/event-stream; charset=utf-8"),
    ] {
        let mut client = door.connect();
        client.send(request("HEAD", "/presence/room", headers, ""));
        let head = client.reader().head;
        assert_eq!((head.status, head.get("content-type")), (200, Some(kind)));
    }
}

#[test]
fn s11_presence_is_of_one_topic() {
    let door = Door::open();
    let ask = |target| door.ask("GET", target, &[], "");
    assert_problem(&ask("/presence"), 400, "bad_topic", "name at least one");
    assert_problem(&ask("/presence/"), 400, "bad_topic", "give it a name");
    assert_problem(
        &ask("/presence?topic=a&topic=b&topic=a"),
        422,
        "too_many_topics",
        "one topic at a time",
    );
    assert_problem(
        &ask("/presence?topic=a&topic=b"),
        422,
        "too_many_topics",
        "one topic at a time",
    );
    assert_problem(&ask("/presence/a//b"), 400, "bad_topic", "/events?topic=");
    assert_eq!(now(&door, "/presence/a/b")["topic"], "a/b");
}

#[test]
fn s11_a_drain_cuts_watchers_and_says_when_to_come_again() {
    let door = Door::open();
    let mut watcher = door.server.get("/presence/room", &STREAM);
    watcher.expect_retry(1000);
    change(&mut watcher);
    door.drain();
    let (text, end) = watcher.rest();
    assert!(text.starts_with("retry: "), "{text}");
    assert_eq!(end, End::Cut);
}
