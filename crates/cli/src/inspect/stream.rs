//! One answer that went through the tap, as far as it is kept.

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Bounds,
    item::Ring,
    reading::{Counts, Form},
    watched::{Ending, Over},
};
use crate::recording::{self, Head, Taken, Writer};

/// How an answer began.
pub(super) struct Opened {
    pub(super) form: Form,
    pub(super) head: Head,
    /// When its request was sent.
    pub(super) sent: Instant,
    /// The `Last-Event-ID` that the client came with.
    pub(super) came_with: Option<String>,
}

pub(super) struct Stream {
    pub(super) id: u64,
    /// The store's version when something of it changed last.
    pub(super) changed: u64,
    opened: Opened,
    over: Option<Over>,
    counts: Counts,
    last_event_id: String,
    pub(super) items: Ring,
    pub(super) kept: Kept,
}

/// A stream as the page's list shows it.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    id: u64,
    form: Form,
    #[serde(flatten)]
    head: &'a Head,
    came_with: Option<&'a str>,
    last_event_id: &'a str,
    counts: &'a Counts,
    /// None: it is open.
    ending: Option<Ending>,
    ended_at: Option<u64>,
    why: Option<&'a str>,
    /// Not all of its bytes are kept.
    is_full: bool,
}

impl Stream {
    pub(super) fn new(id: u64, opened: Opened, bounds: Bounds) -> Self {
        Self {
            id,
            changed: 0,
            opened,
            over: None,
            counts: Counts::default(),
            last_event_id: String::new(),
            items: Ring::new(bounds.items),
            kept: Kept::new(bounds.bytes),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.over.is_none()
    }

    pub(super) fn read(&mut self, counts: &Counts, last_event_id: &str, news: Ring) {
        self.counts = counts.clone();
        if self.last_event_id != last_event_id {
            last_event_id.clone_into(&mut self.last_event_id);
        }
        self.items.append(news);
    }

    pub(super) fn end(&mut self, over: Over) {
        self.over = Some(over);
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        let over = self.over.as_ref();
        Summary {
            id: self.id,
            form: self.opened.form,
            head: &self.opened.head,
            came_with: self.opened.came_with.as_deref(),
            last_event_id: &self.last_event_id,
            counts: &self.counts,
            ending: over.map(|over| over.ending),
            ended_at: over.map(|over| over.at),
            why: over.and_then(|over| over.why.as_deref()),
            is_full: self.kept.is_full,
        }
    }

    /// What is needed to write a recording, without a copy of the bytes.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            head: self.opened.head.clone(),
            sent: self.opened.sent,
            chunks: self.kept.chunks.clone(),
            is_full: self.kept.is_full,
            over: self.over.clone(),
        }
    }
}

/// A stream's first bytes, in the chunks that they came in.
pub(super) struct Kept {
    chunks: Vec<(u64, Bytes)>,
    bytes: usize,
    max: usize,
    is_full: bool,
}

/// What a chunk takes beside its bytes.
const OVERHEAD: usize = 64;

impl Kept {
    fn new(max: usize) -> Self {
        Self {
            chunks: Vec::new(),
            bytes: 0,
            max,
            is_full: false,
        }
    }

    /// Keeps a chunk if there is room. After one that is missing none is kept.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8]) {
        self.bytes += bytes.len() + OVERHEAD;
        self.is_full |= self.bytes > self.max;
        if !self.is_full {
            // A copy: what was seen shares a larger buffer.
            self.chunks.push((at, Bytes::copy_from_slice(bytes)));
        }
    }

    /// What comes next was missed.
    pub(super) fn close(&mut self) {
        self.is_full = true;
    }

    /// The next chunks after the first `n`.
    pub(super) fn after(&self, n: usize, most: usize) -> &[(u64, Bytes)] {
        let from = n.min(self.chunks.len());
        let to = from.saturating_add(most).min(self.chunks.len());
        &self.chunks[from..to]
    }
}

/// A stream at one moment.
pub(super) struct Snapshot {
    pub(super) head: Head,
    pub(super) sent: Instant,
    pub(super) chunks: Vec<(u64, Bytes)>,
    is_full: bool,
    over: Option<Over>,
}

/// Whether what is kept of a stream has ended, and when.
pub(super) enum Gone<'a> {
    Not,
    /// Nobody saw the rest: it is not kept, or the client left.
    Unseen(u64),
    Finished(u64),
    Cut(u64, &'a str),
}

impl Snapshot {
    pub(super) fn gone(&self) -> Gone<'_> {
        let last = || self.chunks.last().map_or(0, |(at, _)| *at);
        match &self.over {
            _ if self.is_full => Gone::Unseen(last()),
            None => Gone::Not,
            Some(over) => match over.ending {
                Ending::End => Gone::Finished(over.at),
                Ending::Cut => Gone::Cut(over.at, over.why.as_deref().unwrap_or_default()),
                Ending::Left => Gone::Unseen(over.at),
            },
        }
    }

    /// The recording's text.
    pub(super) fn recording(&self) -> std::io::Result<Vec<u8>> {
        use recording::Ending;
        let mut writer = Writer::begin(Vec::new(), &self.head, u64::MAX)?;
        let mut last = 0;
        for (at, bytes) in &self.chunks {
            // Without a bound of its own it takes all.
            let (Taken::Yes | Taken::Full) = writer.chunk(*at, bytes)?;
            last = *at;
        }
        let (at, ending, why) = match self.gone() {
            Gone::Not => (last, Ending::Open, Some("made while the stream ran")),
            Gone::Unseen(at) if self.is_full => {
                (at, Ending::Open, Some("the inspector kept its first bytes only"))
            }
            Gone::Unseen(at) => (at, Ending::Open, Some("the client left")),
            Gone::Finished(at) => (at, Ending::End, None),
            Gone::Cut(at, why) => (at, Ending::Cut, Some(why)),
        };
        writer.finish(at, ending, why.map(str::to_owned))
    }
}
