//! A log on disk over restarts: what readers, publishers and operators see of it.

use std::{collections::BTreeSet, fs, path::Path};

use rustix::process::Signal;
use serde_json::json;

use crate::{
    binary::Server,
    client::{Reader, field},
    support::process::tidewire,
};

fn on(folder: &tempfile::TempDir) -> Server {
    Server::with(&[("TIDEWIRE_DATA", folder.path().to_str().unwrap())])
}

fn epoch(id: &str) -> &str {
    id.rsplit_once('-').unwrap().0
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
    assert_eq!(field(&reader.block(), "id").unwrap(), id, "live");
    assert_ne!(epoch(&id), epoch(&first), "each start begins an epoch");
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
fn a_cursor_is_good_to_the_end_of_its_epoch_under_every_durability() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let start = || Server::with(&[("TIDEWIRE_DATA", path), ("TIDEWIRE_ARCHIVE_DURABILITY", "never")]);
    let server = start();
    let first = server.post("/events/a", "1");
    server.signal(Signal::TERM);
    server.ended();
    let server = start();
    let second = server.post("/events/a", "2");
    server.signal(Signal::KILL);
    server.ended();
    let server = start();
    let third = server.post("/events/a", "3");
    assert!(epoch(&first) != epoch(&second) && epoch(&second) != epoch(&third));
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &first)]);
    assert_eq!(
        reader.head.get("tidewire-resume"),
        Some("resumed"),
        "good to its end"
    );
    assert_eq!([reader.data(), reader.data()], ["2", "3"]);
    for of in [&first, &second, &third] {
        let beyond = format!("{}-9", epoch(of));
        let mut reader = server.get("/events/a", &[("Last-Event-ID", &beyond)]);
        assert_eq!(gap_of(&mut reader)["reason"], json!("reset"), "{beyond}");
    }
}

/// The notice of a gap, which comes first.
fn gap_of(reader: &mut Reader) -> serde_json::Value {
    let block = reader.block();
    assert_eq!(field(&block, "event").as_deref(), Some("tidewire.gap"), "{block}");
    serde_json::from_str(&field(&block, "data").unwrap()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The operator puts back what they copied at 112, after 400 were published: readers of those are told at once.
#[test]
fn an_older_copy_of_the_folder_gives_no_id_out_again_and_readers_are_told_what_is_lost() {
    let above = tempfile::tempdir().unwrap();
    let (data, saved) = (above.path().join("data"), above.path().join("saved"));
    let start = || Server::with(&[("TIDEWIRE_DATA", data.to_str().unwrap())]);
    let server = start();
    let mut ids: Vec<_> = (1..=112)
        .map(|n| server.post("/events/a", &n.to_string()))
        .collect();
    let own = server.ask("POST", "/events/a?id=own-1", &[], "own").id();
    assert_eq!(own, "own-1");
    copy(&data, &saved);
    ids.extend((113..=400).map(|n| server.post("/events/a", &n.to_string())));
    server.ask("POST", "/events/a?id=own-2", &[], "lost");
    server.signal(Signal::TERM);
    server.ended();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&saved, &data).unwrap();

    let check = |server: &Server, first: &str| {
        for (cursor, reason) in [
            (&ids[399], "reset"),
            (&ids[112], "reset"),
            (&"own-2".to_owned(), "unknown"),
        ] {
            let mut reader = server.get("/events/a", &[("Last-Event-ID", cursor)]);
            assert_eq!(reader.head.get("tidewire-resume"), Some("gap"), "{cursor}");
            assert_eq!(gap_of(&mut reader)["reason"], reason, "{cursor}");
            assert_eq!(reader.data(), "1", "then all that there is");
        }
        for cursor in [&ids[111], "own-1"] {
            let mut reader = server.get("/events/a", &[("Last-Event-ID", cursor)]);
            assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"), "{cursor}");
            let next = if cursor == "own-1" { first } else { "own" };
            assert_eq!(reader.data(), next, "{cursor}");
        }
    };
    let mut server = start();
    let new: Vec<_> = (1..=300)
        .map(|n| server.post("/events/a", &format!("new {n}")))
        .collect();
    check(&server, "new 1");
    let given: BTreeSet<_> = ids.iter().chain(&new).collect();
    assert_eq!(given.len(), 700, "an id stands for two events");
    for signal in ENDS {
        server.signal(signal);
        server.ended();
        server = start();
        check(&server, "new 1");
    }
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
