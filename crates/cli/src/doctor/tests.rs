//! What an observation means, where a real server would take too long or cannot be had. The other findings are judged by
//! servers that have the fault (`tests/doctor/`).

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Version};

use super::observation::{Chunk, End, Head, Redirect};
use super::*;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A healthy stream that gave these pieces at these milliseconds and was looked at until then.
fn observed(pieces: &[(u64, &'static str)], until: u64) -> Observation {
    let headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
    ];
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    Observation {
        method: Method::GET,
        url: "https://example.com/x".parse().unwrap(),
        origin: None,
        redirects: Vec::new(),
        head: Some(Head {
            at: at(10),
            status: StatusCode::OK,
            version: Version::HTTP_2,
            headers: HeaderMap::from_iter(headers.map(header)),
        }),
        chunks: pieces
            .iter()
            .map(|&(millis, text)| Chunk {
                at: at(millis),
                bytes: Bytes::from_static(text.as_bytes()),
            })
            .collect(),
        end: End::Open(at(until)),
    }
}

/// Codes of what is not fine.
fn faults(observation: &Observation) -> Vec<(Severity, &'static str)> {
    let findings = examine(observation).findings.into_iter();
    let faults = findings.filter(|finding| finding.severity > Severity::Fine);
    faults.map(|finding| (finding.severity, finding.code)).collect()
}

#[test]
fn a_stream_over_http_2_with_ids_and_heartbeats_has_nothing_to_mend() {
    let observation = observed(
        &[(20, "id: 1\ndata: a\n\n"), (15_020, ":\n"), (30_020, ":\n")],
        40_000,
    );
    assert_eq!(faults(&observation), []);
    assert_eq!(examine(&observation).summary.heartbeat_ms, Some(15_000));
}

#[test]
fn a_head_is_read_as_browsers_read_it() {
    let mut observation = observed(&[(20, "id: 1\ndata: a\n\n")], 1000);
    let headers = &mut observation.head.as_mut().unwrap().headers;
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.append("content-type", HeaderValue::from_static("text/event-stream"));
    headers.insert("content-encoding", HeaderValue::from_static("none"));
    assert_eq!(faults(&observation), []);
}

#[test]
fn a_heartbeat_that_comes_once_a_minute_is_too_rare() {
    let observation = observed(&[(60_000, ":\n"), (120_000, ":\n")], 130_000);
    assert_eq!(faults(&observation), [(Severity::Warning, "no-heartbeat")]);
}

#[test]
fn a_redirect_to_plain_http_is_an_error() {
    let mut observation = observed(&[], 1000);
    observation.redirects.push(Redirect {
        status: StatusCode::FOUND,
        from: "https://example.com/".parse().unwrap(),
        to: "http://example.com/x".parse().unwrap(),
        shown: "http://example.com/x".into(),
    });
    assert_eq!(faults(&observation), [(Severity::Error, "redirect")]);
}

/// As `inspect` asks: again and again, while the stream runs.
#[test]
fn findings_come_and_go_while_a_stream_is_watched() {
    let pieces = [
        (20, "id: 1\ndata: a\n\n"),
        (500, "id: 2\nda"),
        (2000, "ta: b\n\n"),
    ];
    assert_eq!(faults(&observed(&pieces[..1], 400)), []);
    assert_eq!(
        faults(&observed(&pieces[..2], 700)),
        [],
        "a line may come in two pieces"
    );
    assert_eq!(
        faults(&observed(&pieces[..2], 1600)),
        [(Severity::Error, "buffered")]
    );
    assert_eq!(faults(&observed(&pieces, 2100)), [(Severity::Error, "buffered")]);
}

#[test]
fn an_observation_without_an_answer_has_one_finding() {
    let mut observation = observed(&[], 0);
    observation.head = None;
    observation.end = End::Cut(at(5), "Connection refused".to_owned());
    assert_eq!(faults(&observation), [(Severity::Error, "unreachable")]);
    observation.end = End::Open(at(5000));
    assert_eq!(faults(&observation), [(Severity::Error, "no-head")]);
}

#[test]
fn last_words_are_known() {
    for (last, goodbye) in [
        ("data: [DONE]\n\n", true),
        ("event: end\ndata: x\n\n", true),
        ("event: response.completed\ndata: {}\n\n", true),
        ("data: {\"type\": \"message_stop\"}\n\n", true),
        ("event: tick\ndata: 1\n\n", false),
        ("data: the end\n\n", false),
    ] {
        let mut observation = observed(&[(20, last)], 0);
        observation.end = End::Finished(at(30));
        let severity = if goodbye {
            Severity::Note
        } else {
            Severity::Warning
        };
        assert!(faults(&observation).contains(&(severity, "ended")), "{last}");
    }
}
