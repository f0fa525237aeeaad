//! A reader: a channel and a cursor, nothing else.
//!
//! It takes the shortest way to its next bytes: what the channel has laid out, what the window still
//! holds, what the archive keeps. A reader that is slower than the window therefore costs nobody
//! anything, and one that is slower than retention is told what it missed.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tidewire_log::archive::shortage::is_shortage;

use crate::{
    Floors, Gap, GapReason, Position, ReaderName, Resume, Seq,
    channel::{Channel, Look},
    hub::Inner,
    stats::Departure,
    tail::{CHUNK, Gathered},
};

/// What [`Hub::subscribe`](crate::Hub::subscribe) answers.
#[derive(Debug)]
pub enum Subscribed {
    /// A stream to read.
    Open(Subscription),
    /// All topics have ended and the reader has everything: it need not come again.
    Ended,
}

/// Why a stream stops before its end. The reader is to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cut {
    /// The hub is shutting down.
    #[error("the server is shutting down")]
    Draining,
    /// What it has to get next is gone, and it is one that is cut then: see [`Subscription::cut_at_gaps`].
    #[error("the reader fell behind what is kept")]
    Lagged,
    /// The system is short of what reading needs.
    #[error("the server is short of file descriptors or memory at the moment")]
    Short,
    /// What it has to get next cannot be read, or is damaged and it is one that is cut then.
    #[error("the log cannot be read")]
    Damaged,
}

/// A reader's place in the log. Dropping it ends it.
pub struct Subscription {
    hub: Arc<Inner>,
    channel: Arc<Channel>,
    reader: usize,
    cursor: Seq,
    /// What the reader knows to be gone: no gap is reported twice.
    known: Floors,
    resume: Resume,
    notice: Option<Bytes>,
    departure: Departure,
    cuts_at_gaps: bool,
    name: Option<ReaderName>,
}

impl Subscription {
    pub(crate) fn new(
        hub: Arc<Inner>,
        channel: Arc<Channel>,
        reader: usize,
        cursor: Seq,
        name: Option<ReaderName>,
    ) -> Self {
        hub.readers.joined(channel.topics(), name.as_ref());
        Self {
            hub,
            channel,
            reader,
            cursor,
            known: Floors::default(),
            resume: Resume::Live,
            notice: None,
            departure: Departure::Gone,
            cuts_at_gaps: false,
            name,
        }
    }

    /// Starts elsewhere. What is `known` to be gone is no gap to this reader.
    pub(crate) fn start_at(&mut self, cursor: Seq, known: Floors, resume: Resume) {
        self.cursor = cursor;
        self.known = known;
        if let Resume::Gap(gap) = &resume {
            self.hub.counters.gap(gap.reason);
            self.notice = Some(self.channel.encoding().gap(gap).into());
        }
        self.resume = resume;
    }

    /// It is over, and this is why.
    pub(crate) fn depart(&mut self, why: Departure) {
        self.departure = why;
    }

    /// For readers that do not know the notice of a gap: they get none, and are cut where there would be one.
    pub fn cut_at_gaps(&mut self) {
        self.cuts_at_gaps = true;
        self.notice = None;
    }

    /// How it started.
    #[must_use]
    pub fn resume(&self) -> &Resume {
        &self.resume
    }

    /// Where it is: a reader that comes again with this id goes on right here.
    #[must_use]
    pub fn position(&self) -> Position {
        self.hub.position(self.cursor)
    }

    /// The next bytes: one or more whole events. `None` is the end of the stream, which comes only
    /// when all its topics have ended and everything has been read.
    ///
    /// # Errors
    /// [`Cut`]: the stream stops here although it has not ended.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(notice) = self.notice.take() {
            return Poll::Ready(Some(Ok(notice)));
        }
        let mut draining = false;
        loop {
            // Up to where it was told that events are gone, only the archive knows which of them are kept.
            let is_among_gone = self.cursor < self.known.highest();
            let layout = match self.channel.look(self.cursor, self.reader, cx.waker()) {
                Look::Ready(layout) if !is_among_gone => layout,
                Look::Ready(_) | Look::Behind => match self.gather(is_among_gone) {
                    Gathered::Ready(layout) => layout,
                    Gathered::TooOld => match self.read_archive() {
                        Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                        Ok(None) if self.cursor >= self.hub.tail.watermark() => continue,
                        Ok(None) => {
                            // A part of the log that has nothing for the reader: others have their turn before the next.
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        Err(cut) => return Poll::Ready(Some(Err(cut))),
                    },
                },
                Look::Ended => {
                    self.depart(Departure::Ended);
                    return Poll::Ready(None);
                }
                Look::Wait if draining => {
                    self.depart(Departure::Drained);
                    return Poll::Ready(Some(Err(Cut::Draining)));
                }
                // Asked when the waker is kept, so that whoever starts to drain after this wakes the reader. What was
                // published before the drain may have come since the look: one more look gets it.
                Look::Wait if self.hub.is_draining() => {
                    draining = true;
                    continue;
                }
                Look::Wait => return Poll::Pending,
            };
            self.cursor = layout.through;
            if !layout.bytes.is_empty() {
                return Poll::Ready(Some(Ok(layout.bytes)));
            }
        }
    }

    fn gather(&self, is_among_gone: bool) -> Gathered {
        match is_among_gone {
            true => Gathered::TooOld,
            false => self.hub.tail.gather(&self.channel, self.cursor),
        }
    }

    /// Reads on from the archive. `None` if there was nothing for the reader up to the watermark.
    fn read_archive(&mut self) -> Result<Option<Bytes>, Cut> {
        let behind = self.hub.tail.watermark().0.saturating_sub(self.cursor.0);
        self.hub.counters.behind_the_window(behind);
        let scan = self.hub.scan(self.channel.topics(), self.cursor, CHUNK);
        let scan = scan.map_err(|error| {
            tracing::error!(%error, "a reader is cut: the log cannot be read");
            match is_shortage(&error) {
                true => Cut::Short,
                false => Cut::Damaged,
            }
        })?;
        let (topics, encoding) = &self.channel.key;
        let mut out = Vec::new();
        let missing = match scan.is_damaged {
            true => Some((GapReason::Damaged, Cut::Damaged)),
            false => scan
                .floors
                .are_news(self.cursor, &self.known)
                .then_some((GapReason::Lagged, Cut::Lagged)),
        };
        if let Some((reason, cut)) = missing {
            let requested = self.position().to_string();
            let gap = Gap::new(&requested, self.hub.position(scan.goes_on_after()), reason);
            self.hub.counters.gap(gap.reason);
            if self.cuts_at_gaps {
                return Err(cut);
            }
            out = encoding.gap(&gap);
        }
        self.cursor = scan.through;
        for record in &scan.records {
            encoding.record(record, &self.hub.epochs, topics, &mut out);
        }
        self.known = scan.floors;
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let topics = self.channel.topics();
        self.hub.readers.left(topics, self.name.as_ref());
        self.hub.tail.unregister(&self.channel, self.reader);
        self.hub.counters.departed(self.departure);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("topics", self.channel.topics())
            .field("cursor", &self.cursor)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}
