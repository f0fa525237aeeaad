//! The demo's answers over restarts: what was broken off is typed on, and nothing else is.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::{
    binary::Server,
    client::{Reader, field},
};

const TEXT: &str = include_str!("../../../server/src/demo/en.txt");

fn on(folder: &tempfile::TempDir) -> Server {
    Server::with(&[("TIDEWIRE_DATA", folder.path().to_str().unwrap())])
}

/// Asks for an answer, and returns where it is.
fn ask(server: &Server, query: &str) -> String {
    let answer = server.ask("POST", &format!("/demo/answers?{query}"), &[], "");
    assert_eq!(answer.status(), 201, "{}", answer.body);
    answer.json()["url"].as_str().unwrap().to_owned()
}

/// Reads an answer from an id on, until `count` characters are typed, or to its end; true if it is there.
fn read(server: &Server, url: &str, cursor: &mut String, typed: &mut String, count: usize) -> bool {
    let mut reader: Reader = server.get(url, &[("Last-Event-ID", &*cursor)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
    while typed.chars().count() < count {
        let block = reader.block();
        *cursor = field(&block, "id").unwrap();
        match field(&block, "event").unwrap().as_str() {
            "delta" => *typed += &field(&block, "data").unwrap(),
            "end" => return true,
            other => panic!("{other}"),
        }
    }
    false
}

#[test]
fn an_answer_that_a_restart_broke_off_is_typed_on() {
    for signal in [Signal::KILL, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = on(&folder);
        let url = ask(&server, "cps=300");
        let (mut cursor, mut typed) = ("earliest".to_owned(), String::new());
        for stop in [20, 150] {
            assert!(!read(&server, &url, &mut cursor, &mut typed, stop));
            server.signal(signal);
            server.ended();
            server = on(&folder);
        }
        assert!(read(&server, &url, &mut cursor, &mut typed, usize::MAX));
        assert_eq!(typed, TEXT.trim_end(), "neither lost nor repeated");
    }
}

#[test]
fn what_is_finished_purged_or_somebody_elses_is_left_alone() {
    assert!((0..20).any(|_| is_left_alone()), "more was typed each time");
}

/// False if the machine stood still, so that more was typed before the server was gone than the test is about.
fn is_left_alone() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let server = on(&folder);
    let finished = ask(&server, "cps=1000");
    read(
        &server,
        &finished,
        &mut "earliest".to_owned(),
        &mut String::new(),
        usize::MAX,
    );
    let foreign = r#"{"topic":"news","lang":"en","cps":1000}"#;
    for begun in [
        foreign,
        "no JSON",
        r#"{"topic":"demo/answer-1","lang":"en","cps":0}"#,
    ] {
        server.post("/events/demo/answers", begun);
    }
    // Slow, so that the server is gone before there is a second character.
    let [purged, mixed, running] = [(); 3].map(|()| ask(&server, "cps=1"));
    server.ask("DELETE", &purged, &[], "");
    server.post(&mixed, "in between");
    server.signal(Signal::KILL);
    server.ended();

    let server = on(&folder);
    let count = |url: &str| {
        let head = server.ask("HEAD", url, &[], "").head;
        head.get("tidewire-count").unwrap().parse::<usize>().unwrap()
    };
    let urls = [
        &*finished,
        &purged,
        &mixed,
        "/events/news",
        "/events/demo/answer-1",
    ];
    let before = urls.map(count);
    if before[1] > 0 || before[2] > 2 {
        return false;
    }
    let typed = count(&running);
    while count(&running) < typed + 2 {
        sleep(Duration::from_millis(100));
    }
    assert_eq!(urls.map(count), before, "only what was broken off goes on");
    assert_eq!(before[0], TEXT.trim_end().chars().count() + 1);
    true
}

#[test]
fn answers_do_not_need_the_topic_that_names_them() {
    let server = Server::start();
    server.post("/events/demo/answers?end=true", "no more");
    let url = ask(&server, "cps=1000");
    let (mut cursor, mut typed) = ("earliest".to_owned(), String::new());
    assert!(read(&server, &url, &mut cursor, &mut typed, usize::MAX));
}
