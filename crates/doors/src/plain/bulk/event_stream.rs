//! Lines of an event stream as events (WHATWG HTML § 9.2.6).

use http::StatusCode;
use tidewire_codec::{Decoder, EventView, Item, Limits, Overlong, Unfinished};

use super::{fault::Fault, found::Found, lines::Line};
use crate::Problem;

/// The longest line without its value: its field's name, the colon and a space. Nobody needs more for what we
/// read.
pub(super) const AROUND_A_VALUE: usize = 16;

/// The lines since the last blank one.
pub(super) struct Blocks {
    decoder: Decoder,
    /// The block's first line.
    begins: Option<u64>,
    /// The block's reconnection time.
    retry: Option<u64>,
    /// The bytes of the block's lines.
    pub(super) begun: usize,
}

impl Blocks {
    pub(super) fn new(max_event: usize, max_line: usize) -> Self {
        let limits = Limits {
            max_line,
            max_event,
            // The hub has its own opinion of ids, and tells it.
            max_id: max_line,
        };
        Self {
            decoder: Decoder::new().with_limits(limits).with_retry(),
            begins: None,
            retry: None,
            begun: 0,
        }
    }

    /// Reads a line. A blank one completes an event, if its block had data.
    pub(super) fn line(&mut self, line: Line<'_>) -> Result<Option<Found>, Fault> {
        let begins = *self.begins.get_or_insert(line.number);
        self.begun += line.text.len() + 1;
        let mut found = None;
        for bytes in [line.text.as_bytes(), b"\n"] {
            let mut items = self.decoder.feed(bytes);
            while let Some(item) = items.next() {
                match item {
                    Item::Event(view) => found = Some(event(view, self.retry, begins)?),
                    Item::Retry(millis) => self.retry = Some(millis),
                    Item::Overlong(overlong) => return Err(too_large(line.number, overlong)),
                    Item::Comment(_) => {}
                }
            }
        }
        if line.text.is_empty() {
            self.begins = None;
            self.retry = None;
            self.begun = 0;
        }
        Ok(found)
    }

    /// The body is complete, so its last block is, even without its blank line.
    pub(super) fn finish(&mut self) -> Result<Option<Found>, Fault> {
        let begins = self.begins.unwrap_or_default();
        match self.decoder.finish(Unfinished::Keep) {
            Some(Item::Event(view)) => event(view, self.retry, begins).map(Some),
            Some(Item::Overlong(overlong)) => Err(too_large(begins, overlong)),
            _ => Ok(None),
        }
    }
}

fn event(view: EventView<'_>, retry: Option<u64>, line: u64) -> Result<Found, Fault> {
    Found::new(line, view.id(), Some(view.name), retry, view.data.to_owned())
}

fn too_large(line: u64, overlong: Overlong) -> Fault {
    let max = overlong.max;
    let detail = format!("an event has more than {max} bytes, the most that are allowed (limits.max_event)");
    Fault::at(
        line,
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail),
    )
}
