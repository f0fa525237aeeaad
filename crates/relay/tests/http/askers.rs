//! Clients that are known by their headers: what their answers cost when they go, and what their own retries get.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::scope,
    time::Duration,
};

use axum::{extract::Request, middleware::Next};
use tidewire_hub::{
    Clock,
    archive::{Memory, Retention},
};
use tidewire_relay::{Route, config::OnDisconnect};
use tokio::runtime::Runtime;

use super::{Call, Relayed, Upstream, chat, stream_of};
use crate::client::{Client, End, eventually, request};

const FIRST: (&str, &str) = ("X-Stainless-Retry-Count", "0");
const SECOND: (&str, &str) = ("X-Stainless-Retry-Count", "1");
const MINE: (&str, &str) = ("Authorization", "Bearer a");

/// Clients that never come back for an answer that has begun.
const KNOWN: [(&str, &str); 7] = [
    FIRST,
    ("X-Goog-Api-Client", "google-genai-sdk/2.34.0 gl-python/3.13.1"),
    ("X-Fern-SDK-Name", "cohere"),
    ("User-Agent", "mistral-client-python/3.7.0"),
    ("User-Agent", "ollama-js/0.6.4 (x64 linux) Node.js/v24"),
    (
        "User-Agent",
        "ai/7.0.173 ai-sdk/openai/3.0.141 runtime/node.js/24",
    ),
    ("Mcp-Session-Id", "s"),
];

/// A long silence for a test, which is far below the grace of a route.
const A_WHILE: Duration = Duration::from_millis(500);

/// More than a test takes.
const A_LONG_TIME: Duration = Duration::from_secs(600);

/// A relay that tells how many requests have been given up before their heads.
struct Watched {
    relayed: Relayed,
    given_up: Arc<AtomicUsize>,
}

impl Watched {
    fn open() -> Self {
        Self::with(|_| {})
    }

    /// With retries that come at any time.
    fn patient() -> Self {
        Self::with(|route| {
            route.on_disconnect = OnDisconnect::Grace(A_LONG_TIME);
            route.times.until_retry = A_LONG_TIME;
        })
    }

    fn with(change: impl FnOnce(&mut Route)) -> Self {
        let given_up = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&given_up);
        let (runtime, upstream) = (Runtime::new().unwrap(), Upstream::start());
        let archive = Memory::new(Retention::default());
        let change = |config: &mut tidewire_relay::Config| change(&mut config.routes[0]);
        let relayed = Relayed::served(Clock::system(), runtime, upstream, archive, change, |router| {
            router.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
                let waiting = Waiting(Some(Arc::clone(&count)));
                async move { waiting.over(next.run(request)).await }
            }))
        });
        Self { relayed, given_up }
    }

    /// A request, and the call that it causes.
    fn asks(&self, bytes: impl AsRef<[u8]>) -> (Client, Call) {
        let mut client = self.relayed.server.connect();
        client.send(bytes);
        (client, self.relayed.upstream.call())
    }

    /// The client goes before the head.
    fn goes(&self, client: Client) {
        let before = self.given_up.load(Relaxed);
        drop(client);
        eventually(|| self.given_up.load(Relaxed) == before + 1);
    }

    fn calls(&self) -> u64 {
        self.relayed.relay.stats()[0].upstream_calls
    }
}

/// Counts when it is dropped before the response is there.
struct Waiting(Option<Arc<AtomicUsize>>);

impl Waiting {
    async fn over<T>(mut self, response: impl Future<Output = T>) -> T {
        let response = response.await;
        self.0 = None;
        response
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(given_up) = &self.0 {
            given_up.fetch_add(1, Relaxed);
        }
    }
}

/// An answer of which the client has seen one event, and the call that gives it.
fn begun(watched: &Watched, headers: &[(&str, &str)]) -> (crate::client::Reader, Call) {
    let (client, mut call) = watched.asks(chat("hello", headers));
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    reader.until("data: 1\n\n");
    (reader, call)
}

#[test]
fn a_client_that_never_comes_back_has_its_upstream_stopped_when_it_goes() {
    let watched = Watched::open();
    for known in KNOWN {
        let (reader, mut call) = begun(&watched, &[known, MINE, ("Accept", "text/event-stream")]);
        drop(reader);
        // Within the test's patience, which is shorter than the route's grace.
        call.gone();
    }
    // Before the head too: an SDK's own retry has 3 s for it.
    for (number, known) in KNOWN.into_iter().enumerate() {
        let (client, mut call) = watched.asks(chat("hello", &[known, MINE]));
        drop(client);
        if number == 0 {
            call.is_wanted_for(A_WHILE);
        }
        call.gone();
    }
}

#[test]
fn a_client_that_may_come_back_has_the_grace_of_its_route() {
    let watched = Watched::open();
    for sign in [
        ("Accept", "text/event-stream"),
        ("User-Agent", "curl/8.9"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "http://localhost"),
        ("X-Run-Id", "r"),
        ("Last-Event-ID", "of-another-server"),
        ("Idempotency-Key", "k"),
        ("User-Agent", "tidewire-client/0.1.0"),
    ] {
        for known in [None, Some(FIRST)] {
            // Without a sign, an SDK is known.
            if known.is_some() && ["Accept", "User-Agent"].contains(&sign.0) {
                continue;
            }
            let prompt = format!("{sign:?} {known:?}").replace(['"', '\\'], "");
            let headers: Vec<_> = [Some(MINE), Some(sign), known].into_iter().flatten().collect();
            let mut headers = headers;
            let key = prompt.clone();
            if sign.0 == "Idempotency-Key" {
                headers[1].1 = &key;
            }
            let (client, mut call) = watched.asks(chat(&prompt, &headers));
            call.stream();
            call.event("1");
            let mut reader = client.reader();
            reader.until("data: 1\n\n");
            drop(reader);
            call.is_wanted_for(A_WHILE);
        }
    }
    // A key that belongs to nobody brings nobody back.
    let (reader, mut call) = begun(&watched, &[FIRST, ("Idempotency-Key", "k")]);
    drop(reader);
    call.gone();
}

#[test]
fn an_answer_that_another_reader_came_for_has_the_grace_of_its_route() {
    let watched = Watched::open();
    let (reader, mut call) = begun(&watched, &[FIRST, MINE]);
    let place = format!("/relay/{}", stream_of(&reader));
    let mut other = watched.relayed.get(&place, &[]);
    other.until("data: 1\n\n");
    drop(reader);
    call.is_wanted_for(A_WHILE);
    drop(other);
    call.is_wanted_for(A_WHILE);
}

#[test]
fn a_route_that_finishes_its_answers_finishes_those_of_sdks_too() {
    let watched = Watched::with(|route| route.on_disconnect = OnDisconnect::Finish);
    let (reader, mut call) = begun(&watched, &[FIRST, MINE]);
    drop(reader);
    call.is_wanted_for(A_WHILE);
}

#[test]
fn closing_never_cancels_an_answer_in_the_background() {
    let watched = Watched::with(|route| route.on_disconnect = OnDisconnect::Cancel);
    let ask = |body: &str| {
        let headers = [FIRST, MINE, ("Content-Type", "application/json")];
        let (client, mut call) = watched.asks(request("POST", "/v1/responses", &headers, body));
        call.stream();
        call.event("1");
        let mut reader = client.reader();
        reader.until("data: 1\n\n");
        drop(reader);
        call
    };
    let mut background = ask(r#"{"stream":true,"background":true}"#);
    background.is_wanted_for(A_WHILE);
    ask(r#"{"stream":true,"background":false}"#).gone();
    background.is_wanted_for(A_WHILE);
}

#[test]
fn a_notification_reaches_its_upstream_though_its_client_goes_at_once() {
    let watched = Watched::open();
    let ask = |body: &str| {
        let headers = [
            ("Mcp-Protocol-Version", "2025-06-18"),
            ("Content-Type", "application/json"),
        ];
        let (client, call) = watched.asks(request("POST", "/v1/mcp", &headers, body));
        drop(client);
        call
    };
    let mut cancelled =
        ask(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#);
    ask(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"talk"},"id":7}"#).gone();
    cancelled.is_wanted_for(A_WHILE);
}

#[test]
fn the_retry_of_an_sdk_adopts_the_call_that_its_broken_connection_left() {
    let watched = Watched::patient();
    // The head comes after the retry, before it, and after it with all of the answer.
    for (at, prompt) in ["late", "early", "whole"].into_iter().enumerate() {
        let (client, mut call) = watched.asks(chat(prompt, &[FIRST, MINE]));
        watched.goes(client);
        if prompt != "late" {
            call.stream();
            call.event("1");
        }
        let mut call = Some(call);
        if prompt == "whole" {
            call.take().unwrap().end();
        }
        let (text, end) = scope(|scope| {
            let retry = scope.spawn(|| watched.relayed.ask_for(prompt, &[SECOND, MINE]));
            if let Some(mut call) = call {
                if prompt == "late" {
                    call.stream();
                    call.event("1");
                }
                call.event("2");
                call.end();
            }
            retry.join().unwrap().rest()
        });
        assert!(text.contains("data: 1\n\n"), "{prompt}: {text}");
        assert_eq!(
            (text.contains("data: 2\n\n"), end),
            (prompt != "whole", End::Finished)
        );
        assert_eq!(watched.calls(), at as u64 + 1, "{prompt}");
    }
    assert_eq!(watched.relayed.relay.stats()[0].joined, 3);
    watched.relayed.upstream.is_left_alone();
}

/// A request for an answer that is no stream.
fn plain(headers: &[(&str, &str)]) -> Vec<u8> {
    request("POST", "/v1/embeddings", headers, "{}")
}

#[test]
fn the_retry_of_a_request_that_streams_nothing_adopts_its_call_too() {
    let watched = Watched::patient();
    for is_early in [false, true] {
        let (client, call) = watched.asks(plain(&[FIRST, MINE]));
        watched.goes(client);
        let mut call = Some(call);
        if is_early {
            call.take().unwrap().answer("200 OK", "", "once");
        }
        let response = scope(|scope| {
            let retry = scope.spawn(|| watched.relayed.server.connect().ask(plain(&[SECOND, MINE])));
            if let Some(call) = call {
                call.answer("200 OK", "", "once");
            }
            retry.join().unwrap()
        });
        assert_eq!((response.head.status, &*response.body), (200, "once"));
    }
    assert_eq!(watched.calls(), 2);
    eventually(|| watched.relayed.relay.answers() == (0, 0));
}

#[test]
fn an_orphan_is_adopted_by_its_own_retry_and_once() {
    let watched = Watched::patient();
    let (client, call) = watched.asks(chat("hello", &[FIRST, MINE]));
    watched.goes(client);
    let third = ("X-Stainless-Retry-Count", "2");
    let other = ("Authorization", "Bearer b");
    for (prompt, headers) in [
        ("hello", &[SECOND, other][..]),
        ("hello", &[SECOND]),
        ("hello", &[FIRST, MINE]),
        ("hello", &[third, MINE]),
        ("hello", &[MINE]),
        ("hello", &[SECOND, MINE, ("X-Api-Key", "c")]),
        ("else", &[SECOND, MINE]),
    ] {
        let (mut client, call) = watched.asks(chat(prompt, headers));
        call.answer("400 Bad Request", "", "{}");
        assert_eq!(client.response().status(), 400);
    }
    drop(call);
    // Of two retries one has it: the other is a request of its own.
    let (client, mut call) = watched.asks(chat("twice", &[FIRST, MINE]));
    watched.goes(client);
    let before = watched.calls();
    scope(|scope| {
        let ask = || watched.relayed.ask_for("twice", &[SECOND, MINE]);
        let two = [scope.spawn(ask), scope.spawn(ask)];
        let mut own = watched.relayed.upstream.call();
        for (call, text) in [(&mut call, "left"), (&mut own, "own")] {
            call.stream();
            call.event(text);
        }
        call.end();
        own.end();
        let mut texts = two.map(|asked| asked.join().unwrap().rest().0.contains("data: own"));
        texts.sort_unstable();
        assert_eq!(texts, [false, true]);
    });
    assert_eq!(watched.calls(), before + 1);
}

#[test]
fn an_answer_that_has_a_reader_or_a_head_that_was_delivered_is_no_orphan() {
    let watched = Watched::patient();
    let (waiting, _call) = watched.asks(chat("waiting", &[FIRST, MINE]));
    let _own = watched.asks(chat("waiting", &[SECOND, MINE]));
    drop(waiting);

    let (reader, mut call) = begun(&watched, &[FIRST, MINE]);
    drop(reader);
    call.gone();
    let _own = watched.asks(chat("hello", &[SECOND, MINE]));
    assert_eq!(watched.calls(), 4);
}

#[test]
fn an_error_that_nobody_has_seen_is_no_answer_for_a_retry() {
    let watched = Watched::patient();
    for (kept, (way, running)) in [("refused", 1), ("broken", 0)].into_iter().enumerate() {
        let (client, call) = watched.asks(chat(way, &[FIRST, MINE]));
        watched.goes(client);
        match way {
            "refused" => call.answer("500 Internal Server Error", "", "{}"),
            _ => drop(call),
        }
        // It is no stream, and waits to be passed on; or is nothing.
        eventually(|| watched.relayed.relay.answers() == (running, kept));
        let (retry, mut call) = watched.asks(chat(way, &[SECOND, MINE]));
        call.stream();
        call.event("whole");
        call.end();
        assert!(retry.reader().rest().0.contains("data: whole"), "{way}");
        eventually(|| watched.relayed.relay.answers() == (0, kept + 1));
    }
}

#[test]
fn after_a_status_of_ours_a_retry_is_a_request_like_any_other() {
    let watched = Watched::with(|route| route.limits.max_running = Some(1));
    let (_client, _call) = watched.asks(chat("other", &[MINE]));
    for retry in [FIRST, SECOND] {
        let reader = watched.relayed.ask_for("hello", &[retry, MINE]);
        assert_eq!(reader.head.status, 429);
    }
    watched.relayed.upstream.is_left_alone();
}
