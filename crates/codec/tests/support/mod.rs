//! What the codec's tests and its fuzz targets share: the oracle, and checks against it.

// Each test target is a crate of its own and uses a part of this.
#![allow(dead_code, unreachable_pub)]

pub mod check;
pub mod fast;
pub mod oracle;

use tidewire_codec::{Limit, Limits, Unfinished};

/// How a stream is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub limits: Limits,
    /// Comments and reconnection times are shown.
    pub all: bool,
    pub unfinished: Unfinished,
}

/// What was read of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub items: Vec<Seen>,
    pub last_event_id: String,
}

/// An item that owns its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Event {
        name: String,
        data: String,
        last_event_id: String,
        has_id: bool,
    },
    Comment(String),
    Retry(u64),
    Overlong(Limit),
}
