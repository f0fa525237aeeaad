//! What a decoder keeps between chunks.

use super::block::Buffers;
use super::chunk::Seam;
use super::feed::Feed;
use super::item::Item;
use super::tail::{State, Tail};
use crate::{EventId, Limits};

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
#[derive(Debug, Default)]
pub struct Decoder {
    pub(super) limits: Limits,
    /// Comments are asked for.
    pub(super) comments: bool,
    /// Reconnection times are asked for.
    pub(super) retry: bool,

    /// Committed: the one that a reader sends to resume.
    pub(super) last_event_id: String,
    pub(super) seam: Seam,
    pub(super) tail: Tail,
    pub(super) buffers: Buffers,
    /// The block broke a limit: nothing of it counts any more.
    pub(super) skipping: bool,
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

impl Decoder {
    /// A decoder at the start of a stream, with the default limits, that shows events only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Shows comments, as [`Item::Comment`].
    #[must_use]
    pub fn with_comments(mut self) -> Self {
        self.comments = true;
        self
    }

    /// Shows reconnection times, as [`Item::Retry`].
    #[must_use]
    pub fn with_retry(mut self) -> Self {
        self.retry = true;
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
    #[inline]
    #[must_use = "nothing is read until the items are taken"]
    pub fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Feed<'d, 'i> {
        let taken = self.tail.in_data()
            && self.seam.is_whole()
            && self.tail.append_plain(chunk, &mut self.buffers, &self.limits);
        Feed::new(self, if taken { &[] } else { chunk })
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

    /// Forgets the unfinished line and block.
    pub(super) fn restart(&mut self) {
        self.seam = Seam::default();
        self.tail.state = State::None;
        self.buffers.forget();
        self.skipping = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decoder: &mut Decoder, chunk: &[u8]) -> usize {
        let mut items = decoder.feed(chunk);
        let mut count = 0;
        while items.next().is_some() {
            count += 1;
        }
        count
    }

    fn capacity(decoder: &Decoder) -> usize {
        let Buffers { name, data, .. } = &decoder.buffers;
        name.capacity() + data.capacity() + decoder.tail.kept.capacity()
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn memory_stays_within_the_limits() {
        let limits = Limits {
            max_line: 1000,
            max_event: 2000,
            max_id: 10,
        };
        for begin in ["data: ", "event: ", "id: ", ": ", "unknown: ", ""] {
            let mut decoder = Decoder::new().with_limits(limits).with_comments();
            let mut reports = read(&mut decoder, begin.as_bytes());
            for _ in 0..1000 {
                reports += read(&mut decoder, &[b'x'; 100]);
            }
            assert_eq!(reports, 1, "{begin:?}");
            // Buffers double, so they may be twice what they hold.
            assert!(capacity(&decoder) <= 4000, "{begin:?}: {}", capacity(&decoder));
        }
        let mut decoder = Decoder::new().with_limits(limits);
        let reports: usize = (0..1000)
            .map(|_| read(&mut decoder, b"data: a line, and many of them\n"))
            .sum();
        assert_eq!(reports, 1);
        assert!(capacity(&decoder) <= 4000, "{}", capacity(&decoder));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn a_large_event_gives_its_memory_back() {
        let mut decoder = Decoder::new();
        read(&mut decoder, b"data: ");
        read(&mut decoder, &vec![b'x'; 1 << 20]);
        assert!(capacity(&decoder) >= 1 << 20);
        assert_eq!(read(&mut decoder, b"\n\n"), 1);
        assert!(capacity(&decoder) < 1 << 17, "{}", capacity(&decoder));
    }

    #[test]
    fn a_name_that_is_written_is_told_from_one_that_is_not() {
        let text = b"event: message\ndata: 1\n\ndata: 2\n\nevent:\ndata: 3\n\n";
        for size in [1, 5, text.len()] {
            let mut decoder = Decoder::new();
            let mut names = Vec::new();
            for piece in text.chunks(size) {
                let mut items = decoder.feed(piece);
                while let Some(item) = items.next() {
                    let Item::Event(event) = item else {
                        panic!("an event");
                    };
                    names.push((event.name.to_owned(), event.has_name));
                }
            }
            let message = |has_name| ("message".to_owned(), has_name);
            assert_eq!(names, [message(true), message(false), message(false)], "{size}");
        }
    }

    #[test]
    fn an_event_that_was_handed_out_does_not_come_back() {
        let mut decoder = Decoder::new();
        read(&mut decoder, b"id: 1\nevent: a\ndata: 1");
        // Not asked until there is no more.
        assert!(decoder.feed(b"\n\n").next().is_some());
        let mut items = decoder.feed(b"data: 2\n\n");
        let Some(Item::Event(event)) = items.next() else {
            panic!("an event");
        };
        assert_eq!((event.name, event.data, event.has_id), ("message", "2", false));
    }
}
