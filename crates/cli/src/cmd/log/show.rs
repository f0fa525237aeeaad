//! Times, sizes and topics as people read them.

use std::time::{Duration, UNIX_EPOCH};

use tidewire_hub::{Millis, Namespace, Topic};

/// The end of the year 9999, which is as far as the format of times goes.
const LAST: Millis = 253_402_300_799_999;

/// `2026-11-21T09:30:00.123Z`. What cannot be a time is its number.
pub(super) fn time(at: Millis) -> String {
    match at {
        ..=LAST => humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at)).to_string(),
        _ => at.to_string(),
    }
}

/// `12.5 MiB`.
pub(super) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// `1,234`.
pub(super) fn count(count: u64) -> String {
    indicatif::HumanCount(count).to_string()
}

/// `s` unless there is one.
pub(super) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The word for a namespace.
pub(super) fn namespace(of: Namespace) -> &'static str {
    match of {
        Namespace::Relay => "relay",
        _ => "events",
    }
}

/// `events/greeting`: without its first slash, the path to read it.
pub(super) fn path(topic: &Topic) -> String {
    format!("{}/{}", namespace(topic.namespace()), topic.name())
}
