//! An event found in a body, of whatever format.

use tidewire_codec::{Event, EventId, EventName};
use tidewire_hub::Position;

use super::fault::Fault;
use crate::Problem;

/// An event, and the line it begins on.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: u64,
    pub(super) event: Event,
}

impl Found {
    /// Checks what cannot stand in an event.
    ///
    /// An id that names a position, as servers give them, is left out: it names a place in another log, and the
    /// event gets a place in this one. So what one server sends can be published to another.
    pub(super) fn new(
        line: u64,
        id: Option<&str>,
        name: Option<&str>,
        retry: Option<u64>,
        data: String,
    ) -> Result<Self, Fault> {
        let broken =
            |code, field, error| Fault::at(line, Problem::bad_request(code, format!("`{field}`: {error}")));
        let id = id.filter(|id| id.parse::<Position>().is_err()).map(EventId::new);
        // The two are how formats write that there is none.
        let name = name
            .filter(|name| !matches!(*name, "" | "message"))
            .map(EventName::new);
        let event = Event {
            id: id.transpose().map_err(|error| broken("bad_id", "id", error))?,
            name: name
                .transpose()
                .map_err(|error| broken("bad_event", "event", error))?,
            retry,
            data,
        };
        Ok(Self { line, event })
    }
}
