//! What a decoder keeps between chunks.

use super::feed::Feed;
use super::item::Item;
use super::utf8::Carry;
use crate::{EventId, Limits};

/// A buffer that grew beyond this for one event is given back after it.
const KEPT_CAPACITY: usize = 64 << 10;

/// Reads an event stream, in whatever chunks it comes.
///
/// ```
/// use tidewire_codec::{Decoder, Item, Unfinished};
///
/// let mut decoder = Decoder::new().with_comments();
/// let mut seen = Vec::new();
/// for chunk in [": hi\nid: 7\nda", "ta: one\r", "\n\r\ndata: two\n"] {
///     let mut items = decoder.feed(chunk.as_bytes());
///     while let Some(item) = items.next() {
///         match item {
///             Item::Event(event) => seen.push(event.data.to_owned()),
///             Item::Comment(text) => seen.push(format!("({text})")),
///             _ => {}
///         }
///     }
/// }
/// assert_eq!(seen, ["(hi)", "one"]);
/// assert_eq!(decoder.last_event_id(), "7");
///
/// // The stream ends here; its last blank line is missing.
/// let Some(Item::Event(event)) = decoder.finish(Unfinished::Keep) else { panic!() };
/// assert_eq!(event.data, "two");
/// ```
#[derive(Debug)]
pub struct Decoder {
    pub(super) options: Options,
    /// Committed: the one that a reader sends to resume.
    pub(super) last_event_id: String,

    /// Nothing but parts of a byte order mark has come yet.
    pub(super) at_start: bool,
    /// The last line ended with CR: an LF that comes next belongs to it.
    pub(super) after_cr: bool,
    pub(super) carry: Carry,
    pub(super) line: Line,
    /// Bytes of the unfinished line, those that were not kept included.
    pub(super) line_len: usize,
    /// The unfinished line, if it is [`Line::Kept`].
    pub(super) kept: String,

    /// The block broke a limit: nothing of it counts any more.
    pub(super) skipping: bool,
    pub(super) has_data: bool,
    pub(super) has_name: bool,
    pub(super) has_id: bool,
    pub(super) data: String,
    pub(super) name: String,
    pub(super) id: String,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) limits: Limits,
    pub(super) comments: bool,
    pub(super) retry: bool,
}

/// What is known of the line whose end has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// There is none: the next byte begins a line.
    None,
    /// It is in `kept`.
    Kept,
    /// It is a `data` line, whose value goes straight to the block's data.
    Data {
        /// The next byte is the first after the colon: a space there is not part of the value.
        after_colon: bool,
    },
    /// Nobody asks for it: its bytes are only counted.
    Dropped,
}

/// What to do with a last event whose blank line is missing when the stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Drop it, as the specification and `EventSource` do.
    Drop,
    /// Read it as if the blank line had come, for servers that forget it. If the last line has no
    /// line end either, it counts only if it is `data`: a cut id or time would be a wrong one.
    Keep,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            options: Options::default(),
            last_event_id: String::new(),
            at_start: true,
            after_cr: false,
            carry: Carry::default(),
            line: Line::None,
            line_len: 0,
            kept: String::new(),
            skipping: false,
            has_data: false,
            has_name: false,
            has_id: false,
            data: String::new(),
            name: String::new(),
            id: String::new(),
        }
    }
}

impl Decoder {
    /// A decoder at the start of a stream, with the default limits, that shows events only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Shows comments, as [`Item::Comment`].
    #[must_use]
    pub fn with_comments(mut self) -> Self {
        self.options.comments = true;
        self
    }

    /// Shows reconnection times, as [`Item::Retry`].
    #[must_use]
    pub fn with_retry(mut self) -> Self {
        self.options.retry = true;
        self
    }

    /// Sets the last event id to start from, for a reader that resumes.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &EventId) -> Self {
        id.as_str().clone_into(&mut self.last_event_id);
        self
    }

    /// The id to resume after: the one set last by a complete block, whether or not that block was
    /// an event. Empty if there is none. It is kept from one stream to the next.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Reads the next bytes of the stream; an empty chunk is fine and changes nothing.
    ///
    /// The items must be taken until there are no more. What is left of the chunk when the [`Feed`]
    /// is dropped is lost, which is right only for who stops reading this stream.
    #[must_use = "nothing is read until the items are taken"]
    pub fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Feed<'d, 'i> {
        Feed::new(self, chunk)
    }

    /// Ends the stream: hands out the unfinished last event if it is to be kept (or reports that it
    /// was over a limit), and makes ready for another stream, which goes on from the same last event
    /// id.
    ///
    /// The specification starts every stream with an empty id buffer, so that the first event
    /// without id after a reconnection would reset the last event id; browsers do not, nor do we.
    pub fn finish(&mut self, unfinished: Unfinished) -> Option<Item<'_>> {
        Feed::new(self, &[]).finish(unfinished)
    }

    /// Forgets the unfinished block and line.
    pub(super) fn restart(&mut self) {
        self.at_start = true;
        self.after_cr = false;
        self.carry = Carry::default();
        self.line = Line::None;
        self.skipping = false;
        self.has_data = false;
        self.has_name = false;
        self.has_id = false;
    }

    /// Gives back what a large event needed, once it is over.
    pub(super) fn release(&mut self) {
        if !self.has_data && self.data.capacity() > KEPT_CAPACITY {
            self.data = String::new();
        }
        if !self.has_name && self.name.capacity() > KEPT_CAPACITY {
            self.name = String::new();
        }
        if self.line != Line::Kept && self.kept.capacity() > KEPT_CAPACITY {
            self.kept = String::new();
        }
    }
}
