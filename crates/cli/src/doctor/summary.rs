//! The numbers of an observation: what was seen, apart from what to think of it.

use std::time::Duration;

use serde::Serialize;

use super::heartbeat;
use super::observation::{End, Observation};
use super::reading::Reading;

/// Times are milliseconds since the request was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Option<u16>,
    /// `HTTP/1.1`
    pub(crate) version: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) head_ms: Option<u64>,
    pub(crate) first_byte_ms: Option<u64>,
    pub(crate) first_event_ms: Option<u64>,
    pub(crate) lasted_ms: u64,
    /// `open`, `finished` or `cut`.
    pub(crate) end: &'static str,
    /// On the wire, and unpacked.
    pub(crate) bytes: usize,
    pub(crate) unpacked_bytes: usize,
    pub(crate) events: usize,
    pub(crate) comments: usize,
    pub(crate) events_with_id: usize,
    pub(crate) last_event_id: Option<String>,
    pub(crate) retry_ms: Option<u64>,
    pub(crate) longest_silence_ms: u64,
    /// The usual silence that a comment ended.
    pub(crate) heartbeat_ms: Option<u64>,
}

impl Summary {
    pub(super) fn of(observation: &Observation, reading: &Reading) -> Self {
        let head = observation.head.as_ref();
        let ids = || reading.events.iter().filter_map(|event| event.id.clone());
        Self {
            status: head.map(|head| head.status.as_u16()),
            version: head.map(|head| format!("{:?}", head.version)),
            content_type: head.and_then(|head| head.text("content-type")),
            content_encoding: reading.packing.clone(),
            head_ms: head.map(|head| millis(head.at)),
            first_byte_ms: reading.arrivals.first().map(|arrival| millis(arrival.at)),
            first_event_ms: reading.events.first().map(|event| millis(event.at)),
            lasted_ms: millis(observation.lasted()),
            end: match observation.end {
                End::Open(_) => "open",
                End::Finished(_) => "finished",
                End::Cut(..) => "cut",
            },
            bytes: reading.packed(),
            unpacked_bytes: reading.bytes(),
            events: reading.events.len(),
            comments: reading.comments.len(),
            events_with_id: ids().count(),
            last_event_id: ids().next_back(),
            retry_ms: reading.lines.retry,
            longest_silence_ms: millis(reading.longest_silence(observation)),
            heartbeat_ms: heartbeat::usual(observation, reading).map(millis),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
