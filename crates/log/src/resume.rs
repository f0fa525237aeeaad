//! Where a subscription starts, and what its reader is told about it.
//!
//! The outcome is always explicit: live, resumed, or a [`Gap`]. A gap means that an event of *these
//! topics* after the cursor is gone, or that the cursor cannot be placed.

use tidewire_codec::{EventName, protocol};

use crate::Position;

/// What a reader asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// What comes from now on; of ended streams, what is kept.
    Live,
    /// The last events that are kept, then what comes.
    Last(usize),
    /// What was missed after a last event id, as the reader sent it. Empty is a gap, never silently
    /// live; `earliest` asks for all that is kept.
    After(String),
}

impl Start {
    /// The word for all that is kept.
    pub const EARLIEST: &str = "earliest";
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// What comes from now on.
    Live,
    /// Everything that is kept after its cursor, and then what comes.
    Resumed,
    /// Something is missing. The stream starts with a notice of it.
    Gap(Gap),
}

impl Resume {
    /// The value of the response header `Tidewire-Resume`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Resumed => "resumed",
            Self::Gap(_) => "gap",
        }
    }
}

/// Why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// Events after the cursor are no longer kept.
    Expired,
    /// The cursor is not known here.
    Unknown,
    /// The cursor belongs to a history that this log does not continue.
    Reset,
    /// The reader was connected, but slower than retention.
    Lagged,
    /// What stood there is damaged on the server's disk.
    Damaged,
}

impl GapReason {
    /// Every reason, in order.
    pub const ALL: [Self; 5] = [
        Self::Expired,
        Self::Unknown,
        Self::Reset,
        Self::Lagged,
        Self::Damaged,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Reset => "reset",
            Self::Lagged => "lagged",
            Self::Damaged => "damaged",
        }
    }
}

/// A hole in what a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The cursor that the reader asked for, cut to [`Gap::MAX_REQUESTED`] characters.
    pub requested: String,
    /// Where the stream goes on: with the next event after this.
    pub resumed_after: Position,
    /// Why.
    pub reason: GapReason,
}

impl Gap {
    /// How much of a reader's cursor a notice repeats, in characters.
    pub const MAX_REQUESTED: usize = 256;

    /// A gap; `requested` is cut.
    pub fn new(requested: &str, resumed_after: Position, reason: GapReason) -> Self {
        Self {
            requested: requested.chars().take(Self::MAX_REQUESTED).collect(),
            resumed_after,
            reason,
        }
    }

    /// The name of the event that tells of it.
    pub fn event_name() -> EventName {
        EventName::from_static(protocol::GAP)
    }

    /// The data of the event that tells of it.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "requested": self.requested,
            "resumed_after": self.resumed_after.to_string(),
            "reason": self.reason.as_str(),
        })
        .to_string()
    }
}
