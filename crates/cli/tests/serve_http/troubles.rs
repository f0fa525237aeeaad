//! What goes wrong again and again is logged once.

use std::{fs, path::PathBuf, thread, time::Duration};

use rustix::process::Signal;

use crate::{binary::Server, client::eventually};

fn segments(log: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(log).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let paths = files.map(|entry| entry.path());
    let mut segments: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect();
    segments.sort();
    segments
}

#[test]
fn a_segment_that_cannot_be_removed_is_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(&[
        ("TIDEWIRE_DATA", folder.path().to_str().unwrap()),
        ("TIDEWIRE_ARCHIVE_MAX_BYTES", "1MiB"),
        ("TIDEWIRE_LIMITS_MAX_EVENT", "128KiB"),
    ]);
    let event = "x".repeat(100 << 10);
    let log = folder.path().join("log");
    eventually(|| {
        server.post("/events/a", &event);
        segments(&log).len() > 3
    });
    // A folder in the place of the oldest.
    let oldest = segments(&log).remove(0);
    fs::remove_file(&oldest).unwrap();
    fs::create_dir(&oldest).unwrap();
    for _ in 0..60 {
        server.post("/events/a", &event);
    }
    eventually(|| server.stderr().contains("cannot let old events go"));
    // It is tried again each second.
    thread::sleep(Duration::from_secs(3));
    fs::remove_dir(&oldest).unwrap();
    // What could not go meanwhile goes.
    eventually(|| {
        server.post("/events/a", "x");
        segments(&log).len() < 20
    });
    server.signal(Signal::TERM);
    let (_, stderr) = server.ended();
    assert_eq!(stderr.matches("cannot let old events go").count(), 1, "{stderr}");
    assert_eq!(
        stderr.matches("can let old events go again").count(),
        1,
        "{stderr}"
    );
}
