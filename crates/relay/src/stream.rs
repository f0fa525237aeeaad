//! Names of answers, and the ids of their events.
//!
//! A stream's name is 128 random bits: who knows it may read the answer and stop it. An event's id is the name and a number, so
//! the last id that a reader has says which answer it was reading.

use std::{fmt, str::FromStr};

use tidewire_codec::EventId;
use tidewire_hub::{Error, Namespace, Topic, TopicSet};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The characters of a name: 26 of 5 bits.
const LEN: usize = 26;

/// The name of an answer. It is a capability: it is not shown in debug output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamId(u128);

/// Not a name of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoStreamId;

impl StreamId {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let (high, low) = (getrandom::u64()?, getrandom::u64()?);
        Ok(Self(u128::from(high) << 64 | u128::from(low)))
    }

    /// Where its events are.
    pub(super) fn topics(self) -> Result<TopicSet, Error> {
        Ok(Topic::new(Namespace::Relay, &self.to_string())?.into())
    }

    /// The id of its event with this number.
    pub(super) fn event(self, number: u64) -> Option<EventId> {
        EventId::new(format!("{self}.{number}")).ok()
    }

    /// Of which answer an event has this id.
    pub(super) fn of_event(id: &str) -> Option<Self> {
        let (stream, number) = id.split_once('.')?;
        number.parse::<u64>().ok()?;
        stream.parse().ok()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LEN).rev() {
            let digit = (self.0 >> (place * 5)) & 31;
            let letter = ALPHABET[digit as usize];
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamId(…)")
    }
}

impl FromStr for StreamId {
    type Err = NoStreamId;

    fn from_str(text: &str) -> Result<Self, NoStreamId> {
        if text.len() != LEN {
            return Err(NoStreamId);
        }
        let mut bits = 0_u128;
        for letter in text.bytes() {
            let digit = ALPHABET
                .iter()
                .position(|other| *other == letter)
                .ok_or(NoStreamId)?;
            // The first letter holds 3 bits only.
            if bits >> 123 != 0 {
                return Err(NoStreamId);
            }
            bits = bits << 5 | digit as u128;
        }
        Ok(Self(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written_and_nothing_else_is_a_name() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let stream = StreamId(bits);
            let text = stream.to_string();
            assert_eq!(text.len(), LEN);
            assert_eq!(text.parse(), Ok(stream));
            assert_eq!(StreamId::of_event(&format!("{text}.17")), Some(stream));
            assert_eq!(stream.event(17).unwrap().as_str(), format!("{text}.17"));
        }
        let beyond = "z".repeat(LEN);
        for wrong in ["", "abc", &"A".repeat(LEN), &"a".repeat(LEN + 1), &beyond] {
            assert_eq!(wrong.parse::<StreamId>(), Err(NoStreamId), "{wrong}");
        }
        let stream = StreamId(7).to_string();
        for wrong in [
            stream.clone(),
            format!("{stream}."),
            format!("{stream}.x"),
            "~a-1".into(),
        ] {
            assert_eq!(StreamId::of_event(&wrong), None, "{wrong}");
        }
        assert!(!format!("{:?}", StreamId(7)).contains(&stream), "it is a secret");
    }
}
