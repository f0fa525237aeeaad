//! S10: what is kept is counted by `HEAD` and let go by `DELETE`.

use serde_json::json;
use tidewire_hub::Config;

use crate::{
    client::{Head, field, request},
    refused::assert_problem,
    server::{Door, keep_events},
};

fn head(door: &Door, target: &str) -> Head {
    let mut client = door.connect();
    client.send(request("HEAD", target, &[], ""));
    client.reader().head
}

#[track_caller]
fn assert_kept(head: &Head, last: Option<&str>, count: &str) {
    assert_eq!(head.status, 200);
    assert_eq!(head.get("cache-control"), Some("no-store"));
    assert_eq!(head.get("tidewire-last-event-id"), last);
    assert_eq!(head.get("tidewire-count"), Some(count));
}

#[test]
fn s10_head_says_what_is_kept_and_never_subscribes() {
    let door = Door::with(Config::default(), keep_events(3));
    assert_kept(&head(&door, "/events/a"), None, "0");
    door.post("/events/a?id=mine", "1");
    door.post("/events/b", "2");
    door.post("/events?topic=a&topic=b", "3");
    assert_kept(&head(&door, "/events/a"), Some(&door.at(3)), "2");
    assert_kept(&head(&door, "/events?topic=a&topic=b"), Some(&door.at(3)), "3");
    door.post("/events/c", "4");
    assert_kept(&head(&door, "/events/a"), Some(&door.at(3)), "1");
    door.post("/events/c?end", "");
    assert_kept(&head(&door, "/events/c"), Some(&door.at(4)), "1");
    assert_eq!(door.ask("GET", "/presence/a", &[], "").json()["readers"], 0);
}

#[test]
fn s10_delete_lets_go_what_is_kept_and_says_how_much() {
    let door = Door::open();
    for target in ["/events/a", "/events/a", "/events/b", "/events?topic=a&topic=b"] {
        door.post(target, "x");
    }
    let purge = |target| door.ask("DELETE", target, &[], "");
    let response = purge("/events/a");
    assert_eq!((response.status(), response.json()), (200, json!({"purged": 3})));
    assert_eq!(response.head.get("content-type"), Some("application/json"));
    assert_eq!(purge("/events/a").json()["purged"], 0);
    assert_eq!(head(&door, "/events/a").get("tidewire-count"), Some("0"));
    assert_eq!(
        head(&door, "/events/b").get("tidewire-count"),
        Some("2"),
        "b keeps its own"
    );
    assert_eq!(purge("/events?topic=a&topic=b").json()["purged"], 2);
    assert_eq!(purge("/events/unknown").json()["purged"], 0);
}

#[test]
fn s10_an_ended_stream_begins_anew_after_a_purge() {
    let door = Door::open();
    door.post("/events/a?end", "1");
    assert_problem(&door.ask("POST", "/events/a", &[], "2"), 409, "ended", "ended");
    assert_eq!(door.ask("DELETE", "/events/a", &[], "").status(), 200);
    let mut reader = door.get("/events/a");
    door.post("/events/a", "2");
    assert_eq!(reader.data(), "2");
}

#[test]
fn s10_who_had_not_read_what_was_purged_is_told() {
    let door = Door::open();
    let first = door.post("/events/a", "1");
    door.post("/events/a", "2");
    let mut live = door.get("/events/a");
    door.ask("DELETE", "/events/a", &[], "");
    let mut late = door.get(&format!("/events/a?last_event_id={first}"));
    assert_eq!(late.head.get("tidewire-resume"), Some("gap"));
    let notice = late.block();
    assert_eq!(field(&notice, "event").as_deref(), Some("tidewire.gap"));
    assert!(notice.contains("\"reason\":\"expired\""), "{notice}");
    door.post("/events/a", "3");
    assert_eq!(late.data(), "3");
    assert_eq!(live.data(), "3", "who had everything has missed nothing");
}
