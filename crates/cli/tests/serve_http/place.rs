//! Where the log is: a folder unless told otherwise, and clear words where it cannot be.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::{
    binary::Server,
    support::process::{Tidewire, tidewire},
};

fn serve(args: &[&str]) -> Tidewire {
    tidewire([&["serve", "--listen", "127.0.0.1:0"], args].concat())
}

#[test]
fn without_a_word_the_log_is_in_the_folder_where_it_was_started() {
    let home = tempfile::tempdir().unwrap();
    let start = || Server::of(serve(&[]).within(home.path()));
    let server = start();
    let folder = home.path().canonicalize().unwrap().join("tidewire-data");
    let place = format!("The log is in {}", folder.display());
    assert_eq!(server.log, format!("{place}, empty\n"));
    assert!(folder.join("LOCK").is_file());
    let first = server.post("/events/a", "1");
    server.post("/events/a", "2");
    server.signal(Signal::KILL);
    server.ended();

    let server = start();
    assert_eq!(server.log, format!("{place}\n"));
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &first)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
    assert_eq!(reader.data(), "2");
}

#[test]
fn a_log_in_memory_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::of(serve(&["--memory"]).within(home.path()));
    assert_eq!(server.log, "The log is in memory: a restart begins a new one\n");
    server.post("/events/a", "1");
    server.signal(Signal::TERM);
    server.ended();
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_is_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    for (folder, why) in [
        ("file", "file is a file"),
        ("file/below", "file is a file"),
        // Nobody makes a folder there, root neither.
        #[cfg(target_os = "linux")]
        ("/proc/log", "cannot make the folder /proc/log"),
    ] {
        let run = serve(&["--data", folder]).within(home.path()).run();
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
        let place = home.path().join(folder);
        let place = place
            .strip_prefix("/private")
            .unwrap_or(&place)
            .display()
            .to_string();
        for text in [&*place, why, "--data DIR", "--memory"] {
            assert!(run.stderr.contains(text), "{text:?} is missing: {}", run.stderr);
        }
    }
}

#[test]
fn a_second_server_in_the_same_place_is_told_of_the_first_and_its_ways_out() {
    let home = tempfile::tempdir().unwrap();
    let first = Server::of(serve(&[]).within(home.path()));
    let run = serve(&[]).within(home.path()).run();
    assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
    for text in ["tidewire-data", "another process", "--data DIR", "--memory"] {
        assert!(run.stderr.contains(text), "{text:?} is missing: {}", run.stderr);
    }
    first.post("/events/a", "still served");
    drop(Server::of(serve(&["--memory"]).within(home.path())));
    drop(Server::of(serve(&["--data", "other"]).within(home.path())));
}

#[test]
fn where_the_port_is_taken_no_folder_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let run = tidewire(["--listen", &address]).within(home.path()).run();
    assert!(run.stderr.contains("cannot listen on"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = tidewire(["serve", "--listen", &address]).run();
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains(&format!("cannot listen on {address}")),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--listen"), "{}", run.stderr);
}
