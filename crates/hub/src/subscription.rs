//! A reader: a channel and a cursor, nothing else.
//!
//! It takes the shortest way to its next bytes: what the channel has laid out, what the window still
//! holds, what the archive keeps. A reader that is slower than the window therefore costs nobody
//! anything, and one that is slower than retention is told what it missed.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tidewire_log::archive::{Scan, shortage::is_shortage};

use crate::{
    Floors, Gap, GapReason, Position, ReaderName, Resume, Seq,
    channel::{Channel, Look, Reader},
    hub::Inner,
    placing::{Place, scan_visible},
    stats::Departure,
    tail::{CHUNK, Gathered, Seat},
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
    /// The server has ended it: see [`Cutter`].
    #[error("the server has ended the stream")]
    Dismissed,
}

/// Ends one subscription from outside, where what allowed it has expired or was taken back. It keeps neither the hub nor the
/// subscription. Clones end the same one.
#[derive(Clone)]
pub struct Cutter {
    channel: Weak<Channel>,
    reader: Reader,
}

impl Cutter {
    /// The subscription gets nothing more but [`Cut::Dismissed`], and is woken wherever it waits. Nothing happens if it was cut before,
    /// has read its end, or is gone.
    pub fn cut(&self) {
        if let Some(channel) = self.channel.upgrade() {
            channel.cut(self.reader);
        }
    }
}

impl std::fmt::Debug for Cutter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cutter").finish_non_exhaustive()
    }
}

/// A reader's place in the log. Dropping it ends it.
pub struct Subscription {
    hub: Arc<Inner>,
    seat: Seat,
    cursor: Seq,
    /// What the reader knows to be gone: no gap is reported twice.
    known: Floors,
    resume: Resume,
    notice: Option<Bytes>,
    /// A read of the store that waits for a disk.
    reading: Option<Reading>,
    departure: Departure,
    cuts_at_gaps: bool,
    name: Option<ReaderName>,
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Scan>> + Send + Sync>>;

impl Subscription {
    pub(crate) fn new(hub: Arc<Inner>, seat: Seat, place: Place, name: Option<ReaderName>) -> Self {
        hub.readers.joined(seat.channel.topics(), name.as_ref());
        let mut notice = None;
        if let Resume::Gap(gap) = &place.resume {
            hub.counters.gap(gap.reason);
            notice = Some(seat.channel.encoding().gap(gap).into());
        }
        Self {
            hub,
            seat,
            cursor: place.cursor,
            known: place.known,
            resume: place.resume,
            notice,
            reading: None,
            departure: Departure::Gone,
            cuts_at_gaps: false,
            name,
        }
    }

    /// What ends it from outside.
    #[must_use]
    pub fn cutter(&self) -> Cutter {
        Cutter {
            channel: Arc::downgrade(&self.seat.channel),
            reader: self.seat.reader,
        }
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

    /// Whether a reader that waits does so for the disk: then what comes next is there already, and no event has to be published for it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.reading.is_some() || self.seat.channel.is_ahead_of(self.cursor)
    }

    /// The next bytes: one or more whole events. `None` is the end of the stream, which comes only
    /// when all its topics have ended and everything has been read.
    ///
    /// # Errors
    /// [`Cut`]: the stream stops here although it has not ended.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.departure == Departure::Ended {
            return Poll::Ready(None);
        }
        let mut draining = false;
        loop {
            // Up to where it was told that events are gone, only the archive knows which of them are kept.
            let is_among_gone = self.cursor < self.known.highest();
            let looked = match self.reading.is_none() {
                true => self.seat.channel.look(self.cursor, self.seat.reader, cx.waker()),
                false if self.seat.channel.wait_for_the_store(self.seat.reader, cx.waker()) => Look::Behind,
                false => Look::Cut,
            };
            if let (false, Some(notice)) = (matches!(looked, Look::Cut), self.notice.take()) {
                return Poll::Ready(Some(Ok(notice)));
            }
            let layout = match looked {
                Look::Ready(layout) if !is_among_gone => layout,
                Look::Ready(_) | Look::Behind => match self.gather(is_among_gone) {
                    Gathered::Ready(layout) => layout,
                    // One more look, which keeps the waker for who cuts it.
                    Gathered::TooOld if self.begin_reading() => continue,
                    Gathered::TooOld => match ready!(self.poll_archive(cx)) {
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
                    self.departure = Departure::Ended;
                    return Poll::Ready(None);
                }
                Look::Cut => {
                    self.reading = None;
                    self.departure = Departure::Dismissed;
                    return Poll::Ready(Some(Err(Cut::Dismissed)));
                }
                Look::Wait if draining => {
                    self.departure = Departure::Drained;
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
        match is_among_gone || self.reading.is_some() {
            true => Gathered::TooOld,
            false => self.hub.tail.gather(&self.seat.channel, self.cursor),
        }
    }

    /// Begins to read on from the archive. Whether that may wait for a disk: then the pool reads, else [`Self::poll_archive`].
    fn begin_reading(&mut self) -> bool {
        if self.reading.is_some() {
            return false;
        }
        let (hub, cursor) = (&self.hub, self.cursor);
        let behind = hub.tail.watermark().0.saturating_sub(cursor.0);
        hub.counters.behind_the_window(behind);
        if hub.reads.in_place().is_some() {
            return false;
        }
        let (hub, topics) = (Arc::clone(hub), self.seat.channel.topics().clone());
        self.reading = Some(Box::pin(async move { hub.scan(&topics, cursor, CHUNK).await }));
        true
    }

    /// What comes next in the archive. `None` if there was nothing for the reader as far as it was read.
    fn poll_archive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cut>> {
        let (hub, topics) = (&self.hub, self.seat.channel.topics());
        let scan = match &mut self.reading {
            Some(reading) => ready!(reading.as_mut().poll(cx)),
            None => scan_visible(hub.reads.store(), &hub.tail, topics, self.cursor, CHUNK),
        };
        self.reading = None;
        Poll::Ready(
            scan.map_err(|error| cut_of(&error))
                .and_then(|scan| self.take(scan)),
        )
    }

    fn take(&mut self, scan: Scan) -> Result<Option<Bytes>, Cut> {
        let (topics, encoding) = &self.seat.channel.key;
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

/// Why a reader is cut whose log cannot be read.
fn cut_of(error: &io::Error) -> Cut {
    tracing::error!(%error, "a reader is cut: the log cannot be read");
    match is_shortage(error) {
        true => Cut::Short,
        false => Cut::Damaged,
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let topics = self.seat.channel.topics();
        self.hub.readers.left(topics, self.name.as_ref());
        self.hub.counters.departed(self.departure);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("topics", self.seat.channel.topics())
            .field("cursor", &self.cursor)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}
