//! The log's folder, or a part of it, goes while the server runs: nothing more is acknowledged.

use std::{fs, path::Path};

use crate::{
    binary::Server,
    client::{End, Reader, eventually},
};

fn newest_segment(data: &Path) -> std::path::PathBuf {
    let entries = fs::read_dir(data.join("log")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let segments = paths.filter(|path| path.extension().is_some_and(|end| end == "seg"));
    segments.max().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// What happens to a folder under a running server.
type Harm = (&'static str, fn(&Path));

const HARMS: [Harm; 6] = [
    ("the folder is removed", |data| fs::remove_dir_all(data).unwrap()),
    ("the segment is removed", |data| {
        fs::remove_file(newest_segment(data)).unwrap();
    }),
    ("the segment is replaced by a copy", |data| {
        let segment = newest_segment(data);
        fs::copy(&segment, data.join("copy")).unwrap();
        fs::rename(data.join("copy"), segment).unwrap();
    }),
    ("the folder is moved away", |data| {
        fs::rename(data, data.with_file_name("away")).unwrap();
    }),
    ("another folder stands in its place", |data| {
        let away = data.with_file_name("away");
        fs::rename(data, &away).unwrap();
        copy(&away, data);
    }),
    ("the folder of segments is replaced", |data| {
        fs::rename(data.join("log"), data.join("away")).unwrap();
        copy(&data.join("away"), &data.join("log"));
    }),
];

#[test]
fn nothing_is_acknowledged_that_the_folder_will_not_have() {
    for durability in ["always", "interval=100ms", "never"] {
        for (name, harm) in HARMS {
            let above = tempfile::tempdir().unwrap();
            let data = above.path().join("data");
            let server = Server::with(&[
                ("TIDEWIRE_DATA", data.to_str().unwrap()),
                ("TIDEWIRE_ARCHIVE_DURABILITY", durability),
            ]);
            server.post("/events/a", "kept");
            assert!(server.is_ready());
            harm(&data);
            let refused = server.ask("POST", "/events/a", &[], "lost");
            assert_eq!(refused.status(), 503, "{name}, {durability}");
            assert_eq!(refused.json()["code"], "poisoned", "{name}, {durability}");
            assert!(!server.is_ready(), "{name}, {durability}");
        }
    }
}

#[test]
fn a_server_without_publishers_sees_that_its_folder_has_gone() {
    let snapshots: Harm = ("the folder of snapshots is removed", |data| {
        fs::remove_dir_all(data.join("snap")).unwrap();
    });
    for (name, harm) in HARMS.into_iter().chain([snapshots]) {
        let above = tempfile::tempdir().unwrap();
        let data = above.path().join("data");
        let server = Server::with(&[("TIDEWIRE_DATA", data.to_str().unwrap())]);
        server.post("/events/a", "kept");
        harm(&data);
        eventually(|| !server.is_ready());
        let mut reader = server.get("/events/a?last_event_id=earliest", &[]);
        assert_eq!(reader.data(), "kept", "{name}: readers go on");
        server.signal(rustix::process::Signal::TERM);
        let (_, stderr) = server.ended();
        assert!(stderr.contains("data"), "{name}: {stderr}");
    }
}

/// A server whose log can no longer be written, with this setting, and a reader that it had before.
fn poisoned(on_poison: &str) -> (Server, Reader) {
    let above = tempfile::tempdir().unwrap();
    let data = above.path().join("data");
    let server = Server::with(&[
        ("TIDEWIRE_DATA", data.to_str().unwrap()),
        ("TIDEWIRE_ARCHIVE_ON_POISON", on_poison),
    ]);
    let mut reader = server.get("/events/a", &[]);
    server.post("/events/a", "kept");
    assert_eq!(reader.data(), "kept");
    fs::remove_dir_all(data).unwrap();
    (server, reader)
}

#[test]
fn a_poisoned_server_stays_and_is_unhealthy_if_it_is_to_be() {
    for (on_poison, status) in [("stay", 200), ("unhealthy", 503)] {
        let (server, _reader) = poisoned(on_poison);
        eventually(|| !server.is_ready());
        assert_eq!(
            server.ask("GET", "/healthz", &[], "").status(),
            status,
            "{on_poison}"
        );
        let late = server.get("/events/a?last_event_id=earliest", &[]).data();
        assert_eq!(late, "kept", "{on_poison}");
    }
}

#[test]
fn a_poisoned_server_drains_and_ends_if_it_is_to() {
    let (server, reader) = poisoned("exit");
    let (text, end) = reader.rest();
    assert!(
        end == End::Cut && text.starts_with("retry: "),
        "{text}: it is told when to come again"
    );
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("drained") && stderr.contains("was removed"),
        "{stderr}"
    );
}
