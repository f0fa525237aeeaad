//! What a log's machine accepts and remembers, as the log itself says it: the same on every node, and after every restart.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// The acceptance rules that this release knows. A log that says more is not read by it.
pub const RULES: u32 = 1;

/// A change of them is an entry ([`crate::Entry::Settings`]), so it has its place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The version of the acceptance rules: [`RULES`] at most.
    pub rules: u32,
    /// The most topics that are remembered; an event for one more is refused.
    pub max_topics: u64,
    /// The most idempotency keys that are remembered; the oldest is forgotten first.
    pub max_keys: u64,
    /// The same in bytes of memory: see [`crate::dedup`].
    pub max_key_bytes: u64,
    /// How long a key is remembered, in milliseconds. Whoever proposes sees to it ([`crate::Entry::ForgetKeys`]).
    pub keep_keys: Millis,
}

impl Settings {
    /// Nothing is refused and nothing forgotten.
    pub const UNBOUNDED: Self = Self {
        rules: RULES,
        max_topics: u64::MAX,
        max_keys: u64::MAX,
        max_key_bytes: u64::MAX,
        keep_keys: Millis::MAX,
    };
}
