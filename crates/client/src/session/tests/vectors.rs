//! `vectors/session.json`: what a subscription asks, waits, hands out, and how it ends. The npm package runs the same file.

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::super::{Action, Session};
use crate::{Cause, Error, EventSource, Item, Repeat, Retry};

const A: &str = "https://a.example";
const B: &str = "https://b.example";

/// Chance is drawn so often.
const SEEDS: u64 = 20;

fn origins(text: &str) -> String {
    text.replace("{a}", A).replace("{b}", B)
}

fn headers(value: &Value) -> HeaderMap {
    let headers = value.as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| {
        let value = HeaderValue::from_bytes(origins(value.as_str()?).as_bytes()).unwrap();
        Some((HeaderName::try_from(name).unwrap(), value))
    });
    headers.collect()
}

fn millis(value: &Value, default: u64) -> Duration {
    Duration::from_millis(value.as_u64().unwrap_or(default))
}

fn session(vector: &Value, seed: u64) -> Session {
    let request = &vector["request"];
    let method: Method = request["method"].as_str().unwrap_or("GET").parse().unwrap();
    let retry = &vector["retry"];
    let attempts = retry["attempts"].as_u64();
    let mut builder = EventSource::request(method, format!("{A}/s")).retry(Retry {
        base: millis(&retry["initial_ms"], 1_000),
        cap: millis(&retry["max_ms"], 30_000),
        // The vectors count those that may fail.
        max_attempts: attempts.map(|attempts| u32::try_from(attempts).unwrap() + 1),
        ..Retry::default()
    });
    for (name, value) in headers(&request["headers"]) {
        builder = builder.header(name.unwrap(), value);
    }
    if let Some(body) = request["body"].as_str() {
        builder = builder.body(body.to_owned());
    }
    if let Some(id) = request["last_event_id"].as_str() {
        builder = builder.last_event_id(id);
    }
    if request["repeat"] == true {
        builder = builder.repeat(Repeat::Always);
    }
    let mut config = builder.config.unwrap();
    config.renews = request["fresh"].is_array();
    Session::new(config, seed)
}

fn end_of(error: &Error) -> &'static str {
    match error {
        Error::Status(_) => "status",
        Error::ContentType(_) => "type",
        Error::Redirect { .. } | Error::TooManyRedirects { .. } => "redirect",
        Error::GaveUp { cause, .. } | Error::NotRepeatable { cause, .. } => match cause {
            Cause::Unreachable(_) | Cause::NoAnswer(_) => "network",
            Cause::Status(_) => "status",
            Cause::Ended | Cause::Cut(_) => "cut",
            Cause::Silent(_) => "idle",
            _ => "another cause",
        },
        _ => "another error",
    }
}

/// What came of a vector.
#[derive(Default)]
struct Outcome {
    asked: Vec<Request<Bytes>>,
    waits: Vec<Duration>,
    events: Vec<String>,
    gaps: Vec<String>,
    end: &'static str,
    cursor: String,
}

#[expect(clippy::disallowed_methods, reason = "any moment will do: time is passed in")]
fn run(vector: &Value, seed: u64) -> Outcome {
    let mut session = session(vector, seed);
    let mut now = Instant::now();
    let mut outcome = Outcome {
        end: "ended",
        ..Outcome::default()
    };
    let answers = vector["answers"].as_array().unwrap();
    let mut answer = &Value::Null;
    let mut is_given = false;
    let mut prepared = 0;
    loop {
        match session.poll(now) {
            Action::Yield(Ok(Item::Event(event))) => outcome.events.push(event.data),
            Action::Yield(Ok(Item::Gap(gap))) => outcome.gaps.push(gap.reason),
            Action::Yield(Ok(Item::Reconnecting(again))) => outcome.waits.push(again.delay),
            Action::Yield(Ok(_)) => {}
            Action::Yield(Err(error)) => outcome.end = end_of(&error),
            Action::Prepare => {
                let fresh = headers(&vector["request"]["fresh"][prepared]);
                prepared += 1;
                session.prepared(Ok(fresh), now);
            }
            Action::Send(request) => {
                answer = answers.get(outcome.asked.len()).or(answers.last()).unwrap();
                is_given = false;
                outcome.asked.push(*request);
                assert!(outcome.asked.len() < 100, "it asks for ever");
            }
            Action::Await { until } if answer["silent"] == true => {
                now = until.unwrap();
                session.timed_out(now);
            }
            Action::Await { .. } if answer["refuse"] == true => session.failed("refused".into(), now),
            Action::Await { .. } => session.head(head(answer), None, now, UNIX_EPOCH),
            Action::Read { .. } if !is_given && answer["body"].is_string() => {
                is_given = true;
                let body = answer["body"].as_str().unwrap().to_owned();
                session.bytes(Bytes::from(body), now);
            }
            Action::Read { until } => {
                now += millis(&answer["after_ms"], 0);
                match (answer["then"].as_str().unwrap_or("end"), until) {
                    ("end", _) => session.ended(now),
                    ("cut", _) => session.cut("cut".into(), now),
                    ("stay", Some(until)) => {
                        now = until;
                        session.timed_out(now);
                    }
                    _ => {
                        outcome.end = "open";
                        break;
                    }
                }
            }
            Action::Sleep { until } => now = until,
            Action::Done => break,
        }
    }
    session.last_event_id().clone_into(&mut outcome.cursor);
    outcome
}

fn head(answer: &Value) -> http::response::Parts {
    let mut response = Response::new(());
    let mut all = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    )]);
    if answer["headers"].get("Content-Type").is_some() {
        all.clear();
    }
    all.extend(headers(&answer["headers"]));
    let mut status = answer["status"].as_u64().unwrap_or(200);
    if let Some(redirect) = answer["redirect"].as_array() {
        status = redirect[0].as_u64().unwrap();
        all.extend(headers(&json!({ "location": redirect[1] })));
    }
    *response.status_mut() = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
    *response.headers_mut() = all;
    response.into_parts().0
}

fn check(vector: &Value, outcome: &Outcome) {
    let name = &vector["name"];
    let lines = outcome
        .asked
        .iter()
        .map(|asked| format!("{} {}", asked.method(), asked.uri()));
    let expected = vector["asked"].as_array().unwrap();
    let wanted = expected.iter().map(|asked| {
        let origin = if asked["origin"] == "b" { B } else { A };
        let text = |name: &str| asked[name].as_str().unwrap();
        format!("{} {origin}{}", text("method"), text("path"))
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        wanted.collect::<Vec<_>>(),
        "{name}: asked"
    );
    assert_eq!(
        json!(outcome.events),
        *vector.get("events").unwrap_or(&json!([])),
        "{name}: events"
    );
    assert_eq!(
        json!(outcome.gaps),
        *vector.get("gaps").unwrap_or(&json!([])),
        "{name}: gaps"
    );
    assert_eq!(outcome.end, vector["end"], "{name}: end");
    if let Some(cursor) = vector["last_event_id"].as_str() {
        assert_eq!(outcome.cursor, cursor, "{name}: cursor");
    }
    for (asked, expected) in outcome.asked.iter().zip(expected) {
        for (header, value) in expected["headers"].as_object().into_iter().flatten() {
            let sent = asked.headers().get(header).map(HeaderValue::as_bytes);
            assert_eq!(sent, value.as_str().map(str::as_bytes), "{name}: {header}");
        }
        match &expected["body"] {
            Value::String(body) => assert_eq!(asked.body(), body.as_bytes(), "{name}: body"),
            Value::Bool(false) => assert!(asked.body().is_empty(), "{name}: body"),
            _ => {}
        }
    }
    if let Some(waits) = vector["waits"].as_array() {
        assert_eq!(outcome.waits.len(), waits.len(), "{name}: {:?}", outcome.waits);
        for (wait, bounds) in outcome.waits.iter().zip(waits) {
            let (least, most) = (millis(&bounds[0], 0), millis(&bounds[1], 0));
            assert!(*wait >= least && *wait <= most, "{name}: {:?}", outcome.waits);
        }
    }
}

#[test]
fn every_situation_goes_as_the_vectors_say() {
    let vectors = crate::vectors::read("session.json");
    assert!(vectors.len() > 100, "vectors were lost");
    let mut failed = 0;
    for vector in vectors
        .iter()
        .filter(|vector| vector.get("only").is_none_or(|only| only == "rust"))
    {
        let all = std::panic::catch_unwind(|| (0..SEEDS).for_each(|seed| check(vector, &run(vector, seed))));
        failed += usize::from(all.is_err());
    }
    assert_eq!(failed, 0, "vectors failed");
}
