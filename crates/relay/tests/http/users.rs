//! Two users: nobody ever gets the other's answer, and a new prompt always gets a new one.

use std::thread::scope;

use http::HeaderName;
use tidewire_relay::{Route, config::Owner};

use super::{Call, Relayed, stream_of};
use crate::client::{Reader, request};

/// A route whose users a proxy names, and whose requests name their chats.
pub fn chats_of_users(route: &mut Route) {
    route.owner = Owner::Header(HeaderName::from_static("x-user"));
    route.chat_key = Some("/id".into());
}

/// Somebody asks in a chat, and the upstream answers one event.
fn asked_by(relayed: &Relayed, headers: &[(&str, &str)], body: &str, says: &str) -> (Reader, Call) {
    scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = relayed.server.connect();
            let headers = [&[("Content-Type", "application/json")], headers].concat();
            client.send(request("POST", "/v1/chat", &headers, body));
            client.reader()
        });
        let mut call = relayed.upstream.call();
        call.stream();
        call.event(says);
        let mut reader = reader.join().unwrap();
        reader.until(&format!("data: {says}\n\n"));
        (reader, call)
    })
}

fn status(relayed: &Relayed, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    let mut client = relayed.server.connect();
    client.send(request(method, target, headers, ""));
    client.reader().head.status
}

#[test]
fn an_answer_with_an_owner_is_nobody_elses_even_for_who_knows_its_name() {
    for owner in [
        Owner::Header(HeaderName::from_static("x-user")),
        Owner::Cookie("user".into()),
    ] {
        let relayed = Relayed::proxied(|route| route.owner = owner.clone());
        let (anna, bert) = match owner {
            Owner::Cookie(_) => (("Cookie", "a=b; user=anna"), ("Cookie", "user=bert")),
            _ => (("X-User", "anna"), ("X-User", "bert")),
        };
        let accept = ("Accept", "text/event-stream");
        let (reader, mut call) = asked_by(&relayed, &[anna, accept], "{}", "1");
        let place = format!("/relay/{}", stream_of(&reader));
        for method in ["GET", "DELETE"] {
            assert_eq!(status(&relayed, method, &place, &[bert]), 404, "{method}");
            assert_eq!(status(&relayed, method, &place, &[]), 401, "{method}: nobody");
        }
        call.is_wanted_for(std::time::Duration::from_millis(100));
        assert_eq!(status(&relayed, "GET", &place, &[anna]), 200);
        // A route with owners takes nobody's request.
        assert_eq!(status(&relayed, "POST", "/v1/chat", &[accept]), 401);
        assert_eq!(status(&relayed, "DELETE", &place, &[anna]), 204);
        call.gone();
    }
}

#[test]
fn the_same_keys_of_two_users_are_two() {
    let relayed = Relayed::proxied(chats_of_users);
    let key = ("Idempotency-Key", "k");
    let body = "{\"id\":\"c\",\"text\":\"same\"}";
    let (anna, anna_call) = asked_by(&relayed, &[("X-User", "anna"), key], body, "for anna");
    let (bert, bert_call) = asked_by(&relayed, &[("X-User", "bert"), key], body, "for bert");
    assert_ne!(stream_of(&anna), stream_of(&bert));
    for (user, stream, says) in [
        ("anna", stream_of(&anna), "for anna"),
        ("bert", stream_of(&bert), "for bert"),
    ] {
        // By chat.
        let mut reader = relayed.get("/v1/c/stream", &[("X-User", user)]);
        assert_eq!(stream_of(&reader), stream);
        assert!(reader.until("\n\n").contains(says));
        // By key.
        let mut client = relayed.server.connect();
        let headers = [("Content-Type", "application/json"), ("X-User", user), key];
        client.send(request("POST", "/v1/chat", &headers, body));
        let mut reader = client.reader();
        assert_eq!(stream_of(&reader), stream);
        assert!(reader.block().contains(says));
    }
    // With the other's place, the request is a new one.
    let stolen = format!("{}.1", stream_of(&bert));
    let last = ("Last-Event-ID", &*stolen);
    let (other, _call) = asked_by(&relayed, &[("X-User", "anna"), last], body, "anew");
    assert!(![stream_of(&anna), stream_of(&bert)].contains(&stream_of(&other)));
    // Anna's chat is at her newest answer; when that has ended, the one before still runs.
    assert_eq!(
        stream_of(&relayed.get("/v1/c/stream", &[("X-User", "anna")])),
        stream_of(&other)
    );
    let place = format!("/relay/{}", stream_of(&other));
    assert_eq!(status(&relayed, "DELETE", &place, &[("X-User", "anna")]), 204);
    other.rest();
    assert_eq!(
        stream_of(&relayed.get("/v1/c/stream", &[("X-User", "anna")])),
        stream_of(&anna)
    );
    assert_eq!(
        status(&relayed, "GET", "/v1/c/stream", &[("X-User", "carl")]),
        204
    );
    anna_call.end();
    anna.rest();
    assert_eq!(
        status(&relayed, "GET", "/v1/c/stream", &[("X-User", "anna")]),
        204
    );
    assert_eq!(
        status(&relayed, "DELETE", "/v1/c/stream", &[("X-User", "anna")]),
        204,
        "again"
    );
    bert_call.end();
    bert.rest();
}

#[test]
fn an_answer_that_is_no_stream_leaves_the_chat_at_the_one_that_runs() {
    let relayed = Relayed::proxied(chats_of_users);
    let anna = ("X-User", "anna");
    let (reader, _call) = asked_by(&relayed, &[anna], "{\"id\":7}", "1");
    scope(|scope| {
        let title = scope.spawn(|| {
            let headers = [anna, ("Content-Type", "application/json")];
            relayed.request("POST", "/v1/title", &headers, "{\"id\":7,\"stream\":false}")
        });
        relayed.upstream.call().answer("200 OK", "", "a title");
        assert_eq!(title.join().unwrap().body, "a title");
    });
    assert_eq!(
        stream_of(&relayed.get("/v1/7/stream", &[anna])),
        stream_of(&reader)
    );
}

#[test]
fn what_is_asked_beside_a_chats_answer_does_not_stand_before_it() {
    let relayed = Relayed::proxied(chats_of_users);
    let anna = ("X-User", "anna");
    let headers = [anna, ("Content-Type", "application/json")];
    let (reader, mut call) = asked_by(&relayed, &[anna], "{\"id\":7}", "1");
    let stream = stream_of(&reader);
    // A title is on its way, which is no stream.
    let mut title = relayed.server.connect();
    title.send(request(
        "POST",
        "/v1/title",
        &headers,
        "{\"id\":7,\"stream\":false}",
    ));
    let title_call = relayed.upstream.call();
    assert_eq!(stream_of(&relayed.get("/v1/7/stream", &[anna])), stream);
    // What was to be a stream turns out to be none, while somebody waits for it.
    scope(|scope| {
        let mut next = relayed.server.connect();
        next.send(request("POST", "/v1/chat", &headers, "{\"id\":7}"));
        let refused = relayed.upstream.call();
        let resumed = scope.spawn(|| relayed.get("/v1/7/stream", &[anna]));
        std::thread::sleep(std::time::Duration::from_millis(100));
        refused.answer("429 Too Many Requests", "", "no");
        assert_eq!(stream_of(&resumed.join().unwrap()), stream);
    });
    // A stop is for the answer, and not for the title.
    assert_eq!(status(&relayed, "DELETE", "/v1/7/stream", &[anna]), 204);
    call.gone();
    title_call.answer("200 OK", "", "a title");
    assert_eq!(title.response().body, "a title");
}

#[test]
fn a_chat_whose_answer_is_about_to_begin_is_waited_for() {
    let relayed = Relayed::proxied(chats_of_users);
    let anna = ("X-User", "anna");
    for is_stream in [true, false] {
        scope(|scope| {
            let headers = [anna, ("Content-Type", "application/json")];
            let mut client = relayed.server.connect();
            client.send(request("POST", "/v1/chat", &headers, "{\"id\":\"ä ?%\"}"));
            let mut call = relayed.upstream.call();
            let resumed = scope.spawn(|| {
                let mut client = relayed.server.connect();
                client.send(request("GET", "/v1/%C3%A4%20%3F%25/stream", &[anna], ""));
                client.reader()
            });
            std::thread::sleep(std::time::Duration::from_millis(100));
            if is_stream {
                call.stream();
                call.event("1");
                let mut reader = resumed.join().unwrap();
                reader.until("data: 1\n\n");
                call.end();
                reader.finished();
            } else {
                call.answer("500 Oh", "", "no");
                assert_eq!(resumed.join().unwrap().head.status, 204);
            }
        });
    }
}

#[test]
fn a_new_prompt_gets_a_new_answer_whatever_its_client_remembers() {
    let relayed = Relayed::open();
    let accept = ("Accept", "text/event-stream");
    let mut seen = Vec::new();
    let mut last = "aaaaaaaaaaaaaaaaaaaaaaaaaa.1".to_owned();
    for prompt in ["a", "b", "a ", "A"] {
        let (reader, call) = asked_by(&relayed, &[accept, ("Last-Event-ID", &last)], prompt, prompt);
        let stream = stream_of(&reader);
        assert!(!seen.contains(&stream));
        last = format!("{stream}.1");
        seen.push(stream);
        call.end();
        reader.rest();
    }
    // The same prompt with no memory is new too: whether it is a retry only its client can say.
    let (reader, _call) = asked_by(&relayed, &[accept], "A", "again");
    assert!(!seen.contains(&stream_of(&reader)));
    // Neighbours of a name are nobody's.
    let name = stream_of(&reader);
    for at in 0..name.len() {
        let other = if &name[at..=at] == "b" { "c" } else { "b" };
        let neighbour = format!("{}{other}{}", &name[..at], &name[at + 1..]);
        for method in ["GET", "DELETE"] {
            assert_eq!(status(&relayed, method, &format!("/relay/{neighbour}"), &[]), 404);
        }
    }
}
