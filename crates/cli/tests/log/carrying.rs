//! A log that was exported and imported serves readers and publishers as if it were the same.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    client::field,
    folder::{Folder, end, json_lines},
};

fn export(folder: &Folder) -> Vec<Value> {
    let run = folder.log(&["export"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    json_lines(&run.stdout)
}

/// Without what is another log's: its id, when it was exported, the new epoch, and so the checksum.
fn comparable(mut lines: Vec<Value>) -> Vec<Value> {
    for name in ["log", "exported", "epochs"] {
        lines[0].as_object_mut().unwrap().remove(name).unwrap();
    }
    let end = lines.last_mut().unwrap();
    end.as_object_mut().unwrap().remove("crc32c").unwrap();
    lines
}

/// An export leaves out what was purged. A log that was made of one is as careful as one that still has it.
#[test]
fn an_imported_log_that_loses_its_list_of_topics_still_tells_of_what_was_purged() {
    let old = Folder::new();
    let server = old.serve();
    let first = server.post("/events/a", "1");
    server.post("/events/a", "2");
    server.ask("DELETE", "/events/a", &[], "");
    server.post("/events/a", "3");
    end(server, Signal::TERM);
    let file = old.beside("e.ndjson");
    assert_eq!(old.log(&["export", file.to_str().unwrap()]).code, Some(0));
    let new = Folder::new();
    assert_eq!(new.log(&["import", file.to_str().unwrap()]).code, Some(0));
    std::fs::remove_file(new.beside("data/topics")).unwrap();
    let server = new.serve();
    let reader = server.get("/events/a", &[("Last-Event-ID", &first)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
}

#[test]
fn readers_go_on_where_they_were_and_publishes_are_known() {
    for signal in [Signal::TERM, Signal::KILL] {
        carried(signal);
    }
}

fn carried(signal: Signal) {
    let old = Folder::new();
    let server = old.serve();
    let expired = server.post("/events/early", "1");
    server.post("/events/early", "2");
    let key = [("Idempotency-Key", "old")];
    let old_key = server.ask("POST", "/events/early-key", &key, "keyed").id();
    server.post("/events/early-end?end=true", "the end");
    for number in 0..40 {
        server.post("/events/bulk", &format!("{number} ").repeat(20_000));
    }
    let first = server.post("/events/kept", "eins");
    server.post(
        "/events/kept?event=tick&id=own-1&retry=700",
        "zwei\n潮汐 \u{1f30a}\u{85}",
    );
    server.post("/events/kept?id=own-1", "own-1 again");
    server.post("/events?topic=kept&topic=other", "both");
    server.post("/events/big", &"b".repeat(900_000));
    let keyed = [("Idempotency-Key", "once")];
    let lines = "{\"data\":\"k1\"}\n{\"data\":\"k2\"}\n";
    let ndjson = [keyed[0], ("Content-Type", "application/x-ndjson")];
    let bulk = server.ask("POST", "/events/keyed", &ndjson, lines).json();
    let purged = server.post("/events/purged", "gone");
    server.ask("DELETE", "/events/purged", &[], "");
    server.post("/events/purged", "after");
    server.post("/events/ended?end=true", "last words");
    let last = server.post("/events/kept", "drei");
    old.settle();
    end(server, signal);

    let exported = export(&old);
    let file = old.beside("e.ndjson");
    assert_eq!(old.log(&["export", file.to_str().unwrap()]).code, Some(0));
    let new = Folder::new();
    let run = new.log(&["import", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(new.names_beside(), ["data"]);
    assert_eq!(new.log(&["verify"]).code, Some(0));
    let again = export(&new);
    assert_eq!(comparable(exported.clone()), comparable(again.clone()));
    let (was, epochs) = (
        exported[0]["epochs"].as_array().unwrap(),
        again[0]["epochs"].as_array().unwrap(),
    );
    assert_eq!(epochs[..was.len()], was[..], "what readers hold stays good");
    assert_eq!(epochs.len(), was.len() + 1);
    let next = exported[0]["last"].as_u64().unwrap() + 1;
    assert_eq!(epochs.last().unwrap()["first"], next);

    let mut server = new.serve();
    for restart in 0..2 {
        let mut reader = server.get("/events/kept", &[("Last-Event-ID", &first)]);
        assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
        assert!(reader.block().contains("event: tick\n"), "restart {restart}");
        assert_eq!([reader.data(), reader.data()], ["own-1 again", "both"]);
        let block = reader.block();
        assert_eq!(
            (field(&block, "id"), field(&block, "data")),
            (Some(last.clone()), Some("drei".into()))
        );
        let mut reader = server.get("/events/kept?last_event_id=own-1", &[]);
        assert_eq!(
            reader.data(),
            "own-1 again",
            "the first of two with the same id counts"
        );
        for (target, cursor, reason) in [
            ("/events/early", &expired, "expired"),
            ("/events/purged", &with_number(&purged, 1), "expired"),
            ("/events/kept", &with_number(&last, next + 5), "reset"),
        ] {
            let mut reader = server.get(target, &[("Last-Event-ID", cursor)]);
            assert_eq!(reader.head.get("tidewire-resume"), Some("gap"), "{target}");
            let gap: Value = serde_json::from_str(&reader.data()).unwrap();
            assert_eq!(gap["reason"], reason, "{target}");
        }
        let replayed = server.ask("POST", "/events/early-key", &key, "keyed");
        assert_eq!(
            replayed.head.get("idempotency-replayed"),
            Some("true"),
            "{replayed:?}"
        );
        assert_eq!(replayed.id(), old_key);
        assert_eq!(server.ask("POST", "/events/keyed", &ndjson, lines).json(), bulk);
        for ended in ["/events/ended", "/events/early-end"] {
            assert_eq!(server.ask("POST", ended, &[], "more").status(), 409, "{ended}");
        }
        let count = |topic| {
            server
                .ask("HEAD", topic, &[], "")
                .head
                .get("tidewire-count")
                .map(str::to_owned)
        };
        assert_eq!(count("/events/purged").unwrap(), "1");
        assert_eq!(count("/events/other").unwrap(), "1");
        if restart == 0 {
            end(server, Signal::KILL);
            server = new.serve();
        }
    }
    let id = server.post("/events/kept", "vier");
    assert_eq!(number(&id), next.to_string());
    let is_of = |epoch: &Value| id.contains(epoch["epoch"].as_str().unwrap());
    assert!(
        !epochs.iter().any(is_of),
        "{id} is of an epoch that this start began"
    );
    let mut reader = server.get("/events/kept", &[("Last-Event-ID", &last)]);
    assert_eq!(reader.data(), "vier", "from the old epoch into the new one");
}

/// Of `~epoch-17` it is 17.
fn number(id: &str) -> String {
    id.rsplit('-').next().unwrap().to_owned()
}

/// The same epoch, another number.
fn with_number(id: &str, number: u64) -> String {
    let (epoch, _) = id.rsplit_once('-').unwrap();
    format!("{epoch}-{number}")
}

#[test]
fn an_export_goes_through_a_pipe_and_purged_events_do_not() {
    let old = Folder::new();
    let server = old.serve();
    server.post("/events/a", "do not keep this");
    server.ask("DELETE", "/events/a", &[], "");
    server.post("/events/a", "kept");
    end(server, Signal::TERM);
    let export = old.log(&["export", "-"]).stdout;
    assert!(!export.contains("do not keep"), "{export}");
    let new = Folder::new();
    let run = new.command(&["import", "-"]).run_with_input(export.as_bytes());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        new.log(&["dump", "--topic", "a"])
            .stdout
            .ends_with(" message kept\n")
    );
}

#[test]
fn a_log_without_a_record_is_carried_too() {
    let old = Folder::new();
    end(old.serve(), Signal::TERM);
    let export = old.log(&["export"]).stdout;
    let new = Folder::new();
    let run = new.command(&["import", "-"]).run_with_input(export.as_bytes());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(new.log(&["verify"]).code, Some(0));
    let server = new.serve();
    assert_eq!(number(&server.post("/events/a", "1")), "1");
    end(server, Signal::KILL);
    let info = json_lines(&new.log(&["info", "--json"]).stdout).remove(0);
    assert_eq!(info["last"], json!(1));
}
