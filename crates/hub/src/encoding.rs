//! How events look on the way out. Each event is encoded once per encoding, however many read it.

use tidewire_codec::{Event, EventId, EventRef, encode};

use crate::{Gap, Position};

/// The form in which a subscription gets its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `text/event-stream`.
    EventStream,
}

impl Encoding {
    /// How many there are: a frame holds one slot for each.
    pub(crate) const COUNT: usize = 1;

    /// Appends an event. `at` is its id where the publisher gave none.
    pub(crate) fn event(self, event: &Event, at: Position, out: &mut Vec<u8>) {
        match self {
            Self::EventStream => {
                let generated;
                let mut event = event.as_ref();
                if event.id.is_none() {
                    generated = EventId::from(at);
                    event.id = Some(&generated);
                }
                event.encode(out);
            }
        }
    }

    /// The notice that events are missing, with the id to go on from.
    pub(crate) fn gap(self, gap: &Gap) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::EventStream => {
                let name = Gap::event_name();
                EventRef {
                    id: Some(&EventId::from(gap.resumed_after)),
                    name: Some(&name),
                    data: &gap.to_json(),
                    ..EventRef::default()
                }
                .encode(&mut out);
            }
        }
        out
    }

    /// A block that only sets a reader's position, so that a connection lost before its first event
    /// can resume.
    #[must_use]
    pub fn prime(self, at: Position) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::EventStream => encode::id_block(&mut out, &EventId::from(at)),
        }
        out
    }
}
