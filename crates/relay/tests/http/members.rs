//! Users whom an app knows (`Access`): nobody gets the other's answer, though their SDKs send one and the same key.

use std::{thread::scope, time::Duration};

use axum::Extension;
use http::request::Parts;
use tidewire_doors::{
    Problem,
    guard::{Access, Action, Guard, Identity, Principal, RouteAuth},
};
use tidewire_hub::Topic;

use super::{Relayed, stream_of};
use crate::client::request;

struct Sessions;

impl Access for Sessions {
    async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
        let session = head.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
        Ok(match session.and_then(|cookie| cookie.strip_prefix("session=")) {
            Some(user) => Identity::user(user, |_: Action, _: &Topic| false),
            None => Identity::nobody(),
        })
    }
}

#[test]
fn the_same_idempotency_key_of_two_users_of_an_app_is_two() {
    let guard = Guard::default()
        .access(Sessions)
        .routes([("/v1".into(), RouteAuth::Token, true)]);
    let relayed = Relayed::guarded(guard, |_| {});
    // What an SDK sends that wants a key, where the server has the real one.
    let ask = |session| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", "Bearer unused"),
            ("Idempotency-Key", "message-1"),
            ("Cookie", session),
        ];
        let mut client = relayed.server.connect();
        client.send(request("POST", "/v1/chat", &headers, r#"{"text":"and now?"}"#));
        client.reader()
    };
    let asked_by = |session| {
        scope(|scope| {
            let reader = scope.spawn(|| ask(session));
            let call = relayed.upstream.call_within(Duration::from_secs(2));
            let call = call.map(|mut call| {
                call.stream();
                call.event("an answer");
                call
            });
            (reader.join().unwrap(), call)
        })
    };
    let (anna, _anna_call) = asked_by("session=anna");
    let (bert, _bert_call) = asked_by("session=bert");
    assert_ne!(stream_of(&bert), stream_of(&anna));
}

/// A middleware in front of the guard, which lets guests through, opens no route that has the server's key.
#[test]
fn a_guest_whom_a_middleware_names_asks_no_upstream() {
    let guard = Guard::default()
        .access(Sessions)
        .routes([("/v1".into(), RouteAuth::Token, true)]);
    let guest = Principal::default().identified(Identity::nobody());
    let relayed = Relayed::wrapped(|router| guard.protect(router).layer(Extension(guest)));
    let headers = [("Content-Type", "application/json")];
    let answer = relayed
        .server
        .connect()
        .ask(request("POST", "/v1/chat", &headers, "{}"));
    assert_eq!(answer.status(), 401);
    relayed.upstream.is_left_alone();
}
