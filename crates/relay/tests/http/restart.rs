//! After a restart: what had ended can be read, and what was running is ended in band.

use std::{path::Path, sync::Arc, time::Duration};

use tidewire_hub::{
    Namespace, Topic,
    archive::segments::{RealDisk, Segments, Settings},
};
use tidewire_relay::{Config, config::Owner};
use tokio::runtime::Runtime;

use super::{Asked, Call, Relayed, Upstream, asked, stream_of};
use crate::client::{End, eventually, request};

/// A relay whose log is in this folder.
fn at(folder: &Path, upstream: Upstream, change: impl FnOnce(&mut Config)) -> Relayed {
    let runtime = Runtime::new().unwrap();
    let archive = {
        let _inside = runtime.enter();
        // The one before lets go of it in a thread of its own.
        let mut disk = None;
        eventually(|| {
            disk = RealDisk::open(folder).ok();
            disk.is_some()
        });
        Segments::open(Arc::new(disk.unwrap()), Settings::default()).unwrap()
    };
    Relayed::behind(super::by_proxy(), runtime, upstream, archive, change)
}

fn chats(config: &mut Config) {
    super::users::chats_of_users(&mut config.routes[0]);
}

const MINE: [(&str, &str); 3] = [
    ("X-User", "anna"),
    ("Idempotency-Key", "k"),
    ("Content-Type", "application/json"),
];

/// An answer to a chat, with as many events.
fn begun(relayed: &Relayed, key: &str, events: usize) -> (String, Call) {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut client = relayed.server.connect();
            let headers = [MINE[0], ("Idempotency-Key", key), MINE[2]];
            client.send(request(
                "POST",
                "/v1/chat",
                &headers,
                format!("{{\"id\":\"{key}\"}}"),
            ));
            let mut reader = client.reader();
            reader.until(&format!("data: {events}\n\n"));
            stream_of(&reader)
        });
        let mut call = relayed.upstream.call();
        call.stream_with("X-Request-Id: r1\r\nSet-Cookie: secret=1\r\n");
        for number in 1..=events {
            call.event(&number.to_string());
        }
        (asked.join().unwrap(), call)
    })
}

/// What an answer is, a restart knows: its dialect, that it is whole, that it failed.
#[test]
fn an_answer_is_after_a_restart_what_it_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let before = at(folder.path(), Upstream::start(), |_| {});
    let gemini = "data: {\"candidates\":[]}\n\n";
    let ask = |asked: Asked, key, events: &[&str], ends| {
        let key = [("Authorization", "a"), ("Idempotency-Key", key)];
        let headers = [asked.headers, &key].concat();
        let asked = Asked {
            headers: headers.leak(),
            ..asked
        };
        let mut call = None;
        let mut reader = before.posted(&asked, |mut from| {
            from.stream();
            events.iter().for_each(|event| from.chunk(event));
            call = Some(from);
        });
        reader.until(events.last().unwrap());
        if ends {
            call.take().unwrap().end();
        }
        (asked, stream_of(&reader), call)
    };
    let done = "data: [DONE]\n\n";
    let start = "data: {\"type\":\"message_start\"}\n\n";
    let first = "data: {\"type\":\"response.created\",\"sequence_number\":4}\n\n";
    let whole = ask(asked::CHAT, "whole", &["data: {}\n\n", done], false);
    let truncated = ask(asked::ANTHROPIC, "truncated", &[start], true);
    let running = ask(asked::RESPONSES, "running", &[first], false);
    let shown = ask(asked::UNKNOWN, "shown", &[gemini], true);
    eventually(|| before.relay.stats()[0].running == 2);
    let after = at(folder.path(), before.stop(), |_| {});

    let read = |stream: &str| {
        let reader = after.get(&format!("/relay/{stream}"), &[]);
        let ending = reader.head.get("tidewire-ending").map(str::to_owned);
        (ending.unwrap(), reader.rest())
    };
    let (ending, (text, end)) = read(&whole.1);
    assert_eq!((ending.as_str(), end), ("done", End::Finished));
    assert!(text.ends_with(done), "{text}");
    assert_eq!(stream_of(&after.post(&whole.0)), whole.1);

    let (ending, (text, end)) = read(&truncated.1);
    assert_eq!((ending.as_str(), end), ("truncated", End::Finished));
    assert!(text.ends_with(start), "{text}");
    let again = after.posted(&truncated.0, |mut call| {
        call.stream();
        call.end();
    });
    assert_ne!(stream_of(&again), truncated.1);

    let (ending, (text, end)) = read(&running.1);
    assert_eq!((ending.as_str(), end), ("interrupted", End::Finished));
    assert!(text.contains("\"sequence_number\":5"), "{text}");

    let again = after.post(&shown.0);
    assert_eq!(stream_of(&again), shown.1);
    assert_eq!(again.rest().0, gemini, "it is Gemini's still");
}

#[test]
fn answers_that_were_running_are_ended_as_interrupted() {
    for is_drained in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let before = at(folder.path(), Upstream::start(), chats);
        let (running, call) = begun(&before, "running", 3);
        let (done, done_call) = begun(&before, "done", 2);
        done_call.end();
        eventually(|| before.relay.stats()[0].endings[0] == 1);
        if is_drained {
            before.server.block_on(before.hub.drain());
        }
        let upstream = before.stop();
        drop(call);

        let after = at(folder.path(), upstream, chats);
        assert_eq!(after.relay.answers(), (0, 2));
        let anna = MINE[0];
        let (text, end) = after.get(&format!("/relay/{running}"), &[anna]).rest();
        for number in 1..=3 {
            assert!(
                text.contains(&format!("id: {running}.{number}\ndata: {number}\n\n")),
                "{text}"
            );
        }
        let (_, last) = text.rsplit_once(&format!("id: {running}.")).unwrap();
        let (number, last) = last.split_once('\n').unwrap();
        assert!(last.starts_with("event: error\n"), "{text}");
        assert!(
            (1 << 51..1 << 52).contains(&number.parse::<u64>().unwrap()),
            "{text}"
        );
        assert!(text.contains("\"code\":\"interrupted\""), "{text}");
        assert_eq!(end, End::Cut, "its dialect is not known");

        // By name, by key, and not by another owner.
        let reader = after.get(&format!("/relay/{done}"), &[anna]);
        assert_eq!(
            (reader.head.get("x-request-id"), reader.head.get("set-cookie")),
            (Some("r1"), None)
        );
        let (text, end) = reader.rest();
        let whole = format!("id: {done}.1\ndata: 1\n\nid: {done}.2\ndata: 2\n\n");
        assert!(text.ends_with(&whole), "{text}");
        assert_eq!(end, End::Finished);
        let mut client = after.server.connect();
        let headers = [anna, ("Idempotency-Key", "done"), MINE[2]];
        client.send(request("POST", "/v1/chat", &headers, "{\"id\":\"done\"}"));
        let reader = client.reader();
        assert_eq!(stream_of(&reader), done);
        assert_eq!(reader.rest(), (whole, End::Finished));
        let bert = [("X-User", "bert")];
        assert_eq!(
            after
                .request("GET", &format!("/relay/{done}"), &bert, "")
                .head
                .status,
            404
        );
        // No chat is at an answer.
        for chat in ["running", "done"] {
            let status = after
                .request("GET", &format!("/v1/{chat}/stream"), &[anna], "")
                .head
                .status;
            assert_eq!(status, 204, "{chat}");
        }
        after.upstream.is_left_alone();
        // Who got half of an answer gets a new one with the same key.
        let (again, _call) = begun(&after, "running", 1);
        assert_ne!(again, running);
    }
}

/// A folder as it is at the moment, all of it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_reader_of_more_than_an_older_copy_of_the_log_has_is_not_told_that_it_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let (at_first, older) = (folder.path().join("data"), folder.path().join("copy"));
    let before = at(&at_first, Upstream::start(), chats);
    let (stream, mut call) = begun(&before, "running", 2);
    copy(&at_first, &older);
    for number in 3..=5 {
        call.event(&number.to_string());
    }
    call.end();
    let (text, end) = before.get(&format!("/relay/{stream}"), &[MINE[0]]).rest();
    assert!(text.contains(&format!("id: {stream}.5\n")), "{text}");
    assert_eq!(end, End::Finished);

    let after = at(&older, before.stop(), chats);
    for number in 2..=6 {
        let cursor = format!("{stream}.{number}");
        let reader = after.get(
            &format!("/relay/{stream}"),
            &[MINE[0], ("Last-Event-ID", &cursor)],
        );
        let resume = reader.head.get("tidewire-resume").map(str::to_owned);
        let (text, end) = reader.rest();
        assert!(
            text.contains("\"code\":\"interrupted\""),
            "after {number}: {text}"
        );
        // Nothing is known of its dialect: an end in order would pass for that of a whole answer.
        assert_eq!(end, End::Cut);
        let (expected, is_told) = match number {
            2 => ("resumed", false),
            _ => ("gap", true),
        };
        assert_eq!(resume.as_deref(), Some(expected), "after {number}");
        assert_eq!(text.contains("\"reason\":\"unknown\""), is_told, "{text}");
    }
}

#[test]
fn a_key_that_got_half_an_answer_and_then_the_whole_has_the_whole_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = at(folder.path(), Upstream::start(), chats);
    let keys: Vec<String> = (0..8).map(|key| format!("key-{key}")).collect();
    let mut whole = Vec::new();
    for key in &keys {
        let (half, call) = begun(&before, key, 1);
        drop(call);
        let (text, _) = before.get(&format!("/relay/{half}"), &[MINE[0]]).rest();
        assert!(text.contains("upstream_died"), "{text}");
        let (stream, call) = begun(&before, key, 1);
        assert_ne!(stream, half);
        call.end();
        // Only what readers have seen the end of has ended for the log as well.
        let (_, end) = before.get(&format!("/relay/{stream}"), &[MINE[0]]).rest();
        assert_eq!(end, End::Finished);
        whole.push(stream);
    }
    let after = at(folder.path(), before.stop(), chats);
    for (key, stream) in keys.iter().zip(&whole) {
        let mut client = after.server.connect();
        let headers = [MINE[0], ("Idempotency-Key", key), MINE[2]];
        client.send(request(
            "POST",
            "/v1/chat",
            &headers,
            format!("{{\"id\":\"{key}\"}}"),
        ));
        assert_eq!(stream_of(&client.reader()), *stream);
    }
    after.upstream.is_left_alone();
}

#[test]
fn an_answer_that_has_been_let_go_is_known_to_have_been_there_from_the_first_moment_on() {
    let folder = tempfile::tempdir().unwrap();
    let brief = |config: &mut Config| config.routes[0].keep = Duration::from_millis(1);
    let before = at(folder.path(), Upstream::start(), |config| {
        config.routes[0].keep = Duration::from_secs(3600);
    });
    let (stream, call) = begun(&before, "k", 2);
    call.end();
    let place = format!("/relay/{stream}");
    assert_eq!(before.get(&place, &[]).head.status, 200);
    // Only then has the log the note of when it ended, which comes after the end that readers see.
    eventually(|| before.relay.stats()[0].endings.iter().sum::<u64>() == 1);
    let mut upstream = before.stop();
    // Once when its time has run out while the server was away, once when the log has let it go.
    for _ in 0..2 {
        let after = at(folder.path(), upstream, brief);
        for method in ["GET", "DELETE"] {
            assert_eq!(after.request(method, &place, &[], "").head.status, 410);
        }
        assert_eq!(after.relay.answers(), (0, 0));
        let topics = Topic::new(Namespace::Relay, &stream).unwrap().into();
        let asking = tokio::runtime::Runtime::new().unwrap();
        eventually(|| asking.block_on(after.hub.kept(&topics)).unwrap().count == 0);
        upstream = after.stop();
    }
}

#[test]
fn answers_of_a_route_that_is_no_more_are_not_there_and_come_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let before = at(folder.path(), Upstream::start(), |_| {});
    let (stream, call) = begun(&before, "k", 2);
    drop(call);
    let place = format!("/relay/{stream}");
    let (text, _) = before.get(&place, &[]).rest();
    assert!(text.contains("upstream_died"), "{text}");
    let upstream = before.stop();

    let without = at(folder.path(), upstream, |config| {
        config.routes[0].path = "/v2".into();
    });
    assert_eq!(without.relay.answers(), (0, 0));
    assert_eq!(without.request("GET", &place, &[], "").head.status, 404);
    let upstream = without.stop();

    let with = at(folder.path(), upstream, |_| {});
    assert!(with.get(&place, &[]).rest().0.contains("data: 2\n"));
    let upstream = with.stop();
    // Where answers have owners now, an answer of nobody's is nobody's.
    let owned = at(folder.path(), upstream, |config| {
        config.routes[0].owner = Owner::Cookie("user".into());
    });
    let status = owned
        .request("GET", &place, &[("Cookie", "user=anna")], "")
        .head
        .status;
    assert_eq!(status, 404);
}

#[test]
fn the_log_holds_no_key_and_no_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let relayed = at(folder.path(), Upstream::start(), |_| {});
    let headers = [
        ("Authorization", "Bearer hush-authorization"),
        ("X-Api-Key", "hush-api-key"),
        ("Idempotency-Key", "hush-idempotency"),
        ("Cookie", "hush=cookie"),
    ];
    let reader = relayed.answered_to("hush-prompt", &headers, |mut call| {
        call.stream_with("Set-Cookie: hush=set-cookie\r\nX-Own: hush-header\r\n");
        call.event("the answer");
        call.end();
    });
    reader.rest();
    relayed.server.block_on(relayed.hub.drain());
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("log")).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |text: &str| bytes.windows(text.len()).any(|at| at == text.as_bytes());
    assert!(has("the answer"), "the log is what was looked at");
    assert!(!has("hush"));
}
