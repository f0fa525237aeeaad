//! What fuzzers check of a log's files, and of what comes from other nodes: any bytes may stand there. `fuzz/fuzz_targets/` has a target for each check, and a
//! test runs them over the corpus that is committed there.
//!
//! | check | input |
//! |---|---|
//! | [`record`] | how to read it (1 byte), base (8), a record's bytes or body, or what to make one of |
//! | [`segment`] | how to read it (1), base (1), a segment's bytes |
//! | [`index`] | how to read it (1), an index's content, or records to index |
//! | [`notes`] | which file (1), its content: topics, meta, snapshot |
//! | [`wire`] | which (1), an entry or a batch from another node, or what to make one of |
//! | [`log`] | the files of a whole log, each with its kind (1), base (1) and length (3) |
//!
//! Beside "no panic": whatever is read is written again to the same bytes; what is written is read again; nothing is allocated by
//! a length that was not checked (the targets run with a limit on single allocations); a log that opens serves in order, goes
//! on, and opens again; what is left of one that may not open is in order.

mod index;
mod log;
mod mem;
mod mend;
mod notes;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod wire;

pub use index::index;
pub use log::log;
pub use notes::notes;
pub use record::record;
pub use segment::segment;
pub use wire::wire;

use super::format::LogId;
use crate::{Door, Entry, Record, Seq, Settings, settings::RULES};

/// The log that all of this belongs to.
const LOG: LogId = *b"the fuzzed log !";

fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(len.min(input.len()));
    *input = rest;
    taken
}

fn byte(input: &mut &[u8]) -> u8 {
    take(input, 1).first().copied().unwrap_or_default()
}

/// A number of up to 8 bytes, below 2⁶².
fn number(input: &mut &[u8], len: usize) -> u64 {
    let mut bytes = [0; 8];
    let taken = take(input, len);
    bytes[..taken.len()].copy_from_slice(taken);
    u64::from_le_bytes(bytes) >> 2
}

/// A record of whatever the input holds.
fn made(input: &mut &[u8], seq: Seq) -> Option<Record> {
    use crate::{IdempotencyKey, Namespace, Topic, TopicSet};
    use tidewire_codec::{Event, EventId, EventName};

    let kind = byte(input);
    let mut text = |max: u8| {
        let len = byte(input) % max;
        String::from_utf8_lossy(take(input, usize::from(len))).into_owned()
    };
    let namespace = |bit: u8| {
        if kind & bit == 0 {
            Namespace::Events
        } else {
            Namespace::Relay
        }
    };
    let names = [(text(4), namespace(128)), (text(12), namespace(64))];
    let topics = names
        .iter()
        .filter_map(|(name, namespace)| Topic::new(*namespace, name).ok());
    let topics = TopicSet::new(topics).ok()?;
    let event = match kind & 1 {
        0 => None,
        _ => Some(Event {
            id: EventId::new(text(6)).ok().filter(|_| kind & 2 != 0),
            name: EventName::new(text(6)).ok().filter(|_| kind & 4 != 0),
            retry: (kind & 8 != 0).then_some(u64::from(kind) << 50),
            data: text(200),
        }),
    };
    let key = text(8);
    let change = kind >> 4 & 3;
    let entry = match (event, change) {
        (Some(event), 1) => Entry::event(topics, event).ending(),
        (Some(event), _) => Entry::event(topics, event),
        (None, 1) => Entry::end(topics),
        (None, 2) => Entry::purge(topics),
        (None, 3) => Entry::Forget {
            topics,
            through: Seq(number(input, 8)),
        },
        (None, _) => other(&key, input)?,
    };
    let key = IdempotencyKey::new(&key).ok();
    Some(Record {
        seq,
        time: seq.0.wrapping_mul(7),
        entry: match key {
            Some(key) => entry.with_key(Some((key, number(input, 8)))),
            None => entry,
        },
    })
}

/// An entry of no topic.
fn other(text: &str, input: &mut &[u8]) -> Option<Entry> {
    let mut number = || self::number(input, 8);
    Some(match text.len() % 4 {
        0 => Entry::ForgetKeys { before: number() },
        1 => Entry::Settings(Settings {
            rules: RULES,
            max_topics: number(),
            max_keys: number(),
            max_key_bytes: number(),
            keep_keys: number(),
        }),
        2 => Entry::Epoch(text.repeat(4).get(..8)?.parse().ok()?),
        _ => Entry::Fact {
            door: Door::RELAY,
            data: text.as_bytes().into(),
        },
    })
}
