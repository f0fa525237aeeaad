//! The names that both ends of a stream use: headers, media types, events. The npm package has the same ones
//! (`web/tidewire/src/protocol.ts`; a test compares them).
//!
//! Names of headers are in lower case, as HTTP/2 sends them and `http::HeaderName::from_static` takes them.

/// The media type of an event stream (WHATWG HTML § 9.2).
pub const EVENT_STREAM: &str = "text/event-stream";

/// Names of the media type of lines that are JSON; the first is the one that we send.
pub const NDJSON: [&str; 7] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
    "application/stream+json",
];

/// The media type of an error (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";

/// The last event that a reader has (WHATWG HTML § 9.2.4).
pub const LAST_EVENT_ID: &str = "last-event-id";

/// Makes a request count once (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// With `no`, nginx passes each piece of a response on as it comes.
pub const X_ACCEL_BUFFERING: &str = "x-accel-buffering";

/// Where a reader has come in: `new`, `resumed`, `gap`, `reset`, `unknown`.
pub const TIDEWIRE_RESUME: &str = "tidewire-resume";

/// The name of an answer of the relay, by which it can be read.
pub const TIDEWIRE_STREAM: &str = "tidewire-stream";

/// How an answer of the relay has ended.
pub const TIDEWIRE_ENDING: &str = "tidewire-ending";

/// Says that an answer is that of an earlier request with the same key.
pub const TIDEWIRE_IDEMPOTENCY: &str = "tidewire-idempotency";

/// The interval of heartbeats, in seconds.
pub const TIDEWIRE_HEARTBEAT: &str = "tidewire-heartbeat";

/// The last event that a topic keeps.
pub const TIDEWIRE_LAST_EVENT_ID: &str = "tidewire-last-event-id";

/// How many events a topic keeps.
pub const TIDEWIRE_COUNT: &str = "tidewire-count";

/// A token of the server where `Authorization` is another's.
pub const TIDEWIRE_TOKEN: &str = "tidewire-token";

/// The event that tells a reader what it has missed.
pub const GAP: &str = "tidewire.gap";

/// Events of other names than these are for publishers: `tidewire.` begins those of the server.
pub const RESERVED: &str = "tidewire.";

/// Headers of a connection, not of a message (RFC 9110 § 7.6.1). `Connection` may name more.
pub const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a media type, without parameters, is one of lines of JSON.
#[must_use]
pub fn is_ndjson(essence: &str) -> bool {
    NDJSON.iter().any(|name| name.eq_ignore_ascii_case(essence))
}

/// Whether a line of `Accept` names a stream: of events, or of lines. As loose as clients write it.
#[must_use]
pub fn names_stream(accept: &str) -> bool {
    let accept = accept.to_ascii_lowercase();
    accept.contains(EVENT_STREAM) || NDJSON.iter().any(|name| accept.contains(name))
}
