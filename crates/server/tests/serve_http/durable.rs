//! A log on disk over restarts: what readers, publishers and operators see of it.

use rustix::process::Signal;
use serde_json::json;

use crate::{binary::Server, client::field, support::process::tidewire};

fn on(folder: &tempfile::TempDir) -> Server {
    Server::with(&[("TIDEWIRE_DATA", folder.path().to_str().unwrap())])
}

/// How it ended, in turn: in order, and not.
const ENDS: [Signal; 2] = [Signal::TERM, Signal::KILL];

#[test]
fn s4_a_reader_goes_on_at_the_next_event_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = on(&folder);
    let first = server.post("/events/a", "1");
    for (signal, data) in ENDS.into_iter().zip(["2", "3"]) {
        server.post("/events/a", data);
        server.signal(signal);
        server.ended();
        server = on(&folder);
    }
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &first)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
    assert_eq!([reader.data(), reader.data()], ["2", "3"]);
    let id = server.post("/events/a", "4");
    assert_eq!(
        field(&reader.block(), "id").unwrap(),
        id,
        "live, in the same history"
    );
    let epoch = |id: &str| id.split('-').next().unwrap().to_owned();
    assert_eq!(epoch(&id), epoch(&first));
    assert_eq!(
        server.ask("GET", "/stats", &[], "").json()["archive"]["kind"],
        "segments"
    );
}

#[test]
fn what_publishers_and_readers_were_told_holds_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = on(&folder);
    let key = [("Idempotency-Key", "once")];
    let id = server.ask("POST", "/events/kept?id=own-1", &key, "x").id();
    let purged = server.post("/events/purged", "gone");
    server.ask("DELETE", "/events/purged", &[], "");
    server.post("/events/ended?end=true", "last");
    for signal in ENDS {
        server.signal(signal);
        server.ended();
        server = on(&folder);
        let again = server.ask("POST", "/events/kept?id=own-1", &key, "x");
        assert_eq!(again.head.get("idempotency-replayed"), Some("true"));
        assert_eq!(again.id(), id);
        assert_eq!(server.ask("POST", "/events/ended", &[], "more").status(), 409);
        assert_eq!(
            server
                .ask("HEAD", "/events/purged", &[], "")
                .head
                .get("tidewire-count"),
            Some("0")
        );
        assert_eq!(
            server
                .ask("HEAD", "/events/kept", &[], "")
                .head
                .get("tidewire-count"),
            Some("1")
        );
        let before = format!("/events/purged?last_event_id={}", purged.replace("-2", "-1"));
        let told = server.get(&before, &[]);
        assert_eq!(told.head.get("tidewire-resume"), Some("gap"), "{before}");
    }
}

#[test]
fn a_second_server_on_the_same_folder_is_told_so_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = on(&folder);
    let path = folder.path().to_str().unwrap();
    let second = tidewire(["serve", "--listen", "127.0.0.1:0", "--data", path]).run();
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains(path) && second.stderr.contains("another process"),
        "{second:?}"
    );
    server.post("/events/a", "still served");
}

#[test]
fn what_may_be_lost_begins_a_new_history_after_a_crash_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let start = || Server::with(&[("TIDEWIRE_DATA", path), ("TIDEWIRE_ARCHIVE_DURABILITY", "never")]);
    let server = start();
    let first = server.post("/events/a", "1");
    server.signal(Signal::TERM);
    server.ended();
    let server = start();
    let second = server.post("/events/a", "2");
    let epoch = |id: &str| id.split('-').next().unwrap().to_owned();
    assert_eq!(epoch(&first), epoch(&second), "it was closed in order");
    server.signal(Signal::KILL);
    server.ended();
    let server = start();
    assert_ne!(epoch(&server.post("/events/a", "3")), epoch(&first));
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &first)]);
    assert_eq!(
        reader.head.get("tidewire-resume"),
        Some("resumed"),
        "the old history is good to its end"
    );
    assert_eq!([reader.data(), reader.data()], ["2", "3"]);
    let beyond = format!("{}-9", epoch(&first));
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &beyond)]);
    let gap: serde_json::Value = serde_json::from_str(&field(&reader.block(), "data").unwrap()).unwrap();
    assert_eq!(gap["reason"], json!("reset"));
}

/// The product's row on retention: a topic is bounded by its own rule, who is behind is told, others are not.
#[test]
fn a_rule_for_topics_holds_before_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let rules = r#"[{ prefix = "chat/", max_events = 3 }]"#;
        Server::with(&[
            ("TIDEWIRE_DATA", folder.path().to_str().unwrap()),
            ("TIDEWIRE_ARCHIVE_TOPICS", rules),
        ])
    };
    let count = |server: &Server, topic: &str| {
        let head = server.ask("HEAD", &format!("/events/{topic}"), &[], "").head;
        head.get("tidewire-count").unwrap().to_owned()
    };
    let mut server = start();
    let ids: Vec<_> = (0..8)
        .map(|number| server.post("/events/chat/7", &number.to_string()))
        .collect();
    (0..8).for_each(|number| drop(server.post("/events/other", &number.to_string())));
    let is_trimmed = (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        count(&server, "chat/7") == "3"
    });
    assert!(is_trimmed, "{} are kept", count(&server, "chat/7"));
    for signal in ENDS {
        assert_eq!(count(&server, "other"), "8");
        let behind = server.get("/events/chat/7", &[("Last-Event-ID", &ids[3])]);
        assert_eq!(
            behind.head.get("tidewire-resume"),
            Some("gap"),
            "it has missed one"
        );
        let mut level = server.get("/events/chat/7", &[("Last-Event-ID", &ids[4])]);
        assert_eq!(
            level.head.get("tidewire-resume"),
            Some("resumed"),
            "it has missed none"
        );
        assert_eq!([level.data(), level.data(), level.data()], ["5", "6", "7"]);
        server.signal(signal);
        server.ended();
        server = start();
        assert_eq!(count(&server, "chat/7"), "3", "at once");
    }
}
