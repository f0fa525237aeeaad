//! What the readers of one set of topics share: the bytes laid out for them, and who waits.
//!
//! A channel holds no events, only the last few layouts. So ten thousand channels on one busy topic
//! cost ten thousand wake-ups an event, and no memory or encoding.
//!
//! Lock order: the tail's lock, then a channel's. A channel's lock is never held while taking another.

use std::task::Waker;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;

use crate::{Encoding, Seq, TopicSet};

/// How many layouts a channel keeps: readers of one wave ask for one or two.
const LAYOUTS: usize = 4;

/// One distinct set of topics in one encoding.
pub(crate) type ChannelKey = (TopicSet, Encoding);

pub(crate) struct Channel {
    pub(crate) key: ChannelKey,
    state: Mutex<State>,
}

struct State {
    /// The last entry that a reader may have to get. A reader at or after it has nothing to get.
    tip: Seq,
    /// How many of the topics have not ended.
    open: usize,
    /// The last end of a topic.
    ended: Seq,
    /// In the batch that is being routed.
    touched: bool,
    layouts: [Option<Layout>; LAYOUTS],
    /// The layout to give up next.
    oldest: usize,
    /// The wakers of those that wait.
    readers: Slab<Option<Waker>>,
}

/// The bytes of consecutive entries, contiguous: every reader that is at the same place sends the
/// same slice.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Right for cursors from here …
    pub(crate) from: Seq,
    /// … to before here: the first entry.
    pub(crate) first: Seq,
    /// The cursor of a reader that has got the bytes.
    pub(crate) through: Seq,
    /// There was more than a chunk takes.
    pub(crate) full: bool,
    pub(crate) bytes: Bytes,
}

/// What a channel has for a reader.
pub(crate) enum Look {
    /// These bytes.
    Ready(Layout),
    /// Something, which has to be laid out first.
    Behind,
    /// Nothing yet: the reader will be woken.
    Wait,
    /// Nothing ever: all topics have ended.
    Ended,
}

impl Channel {
    /// `open` of the topics have not ended; the others ended at `ended` or before.
    pub(crate) fn new(key: ChannelKey, watermark: Seq, (open, ended): (usize, Seq)) -> Self {
        Self {
            key,
            state: Mutex::new(State {
                tip: watermark,
                open,
                ended,
                touched: false,
                layouts: Default::default(),
                oldest: 0,
                readers: Slab::new(),
            }),
        }
    }

    pub(crate) fn topics(&self) -> &TopicSet {
        &self.key.0
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.key.1
    }

    /// Whether all topics have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().open == 0
    }

    // Readers.

    pub(crate) fn join(&self) -> usize {
        self.state.lock().readers.insert(None)
    }

    /// Returns how many readers are left.
    pub(crate) fn leave(&self, reader: usize) -> usize {
        let mut state = self.state.lock();
        state.readers.remove(reader);
        state.readers.len()
    }

    /// Whether it has more than one reader.
    pub(crate) fn has_several(&self) -> bool {
        self.state.lock().readers.len() > 1
    }

    /// What is there for a reader at `cursor`; if nothing, its waker is kept.
    pub(crate) fn look(&self, cursor: Seq, reader: usize, waker: &Waker) -> Look {
        let mut state = self.state.lock();
        if cursor < state.tip {
            return state.find(cursor).map_or(Look::Behind, Look::Ready);
        }
        if state.open == 0 && cursor >= state.ended {
            return Look::Ended;
        }
        match &mut state.readers[reader] {
            Some(kept) => kept.clone_from(waker),
            kept => *kept = Some(waker.clone()),
        }
        Look::Wait
    }

    /// Keeps a layout for the other readers, unless there are none.
    pub(crate) fn share(&self, layout: Layout) {
        let mut state = self.state.lock();
        if state.readers.len() > 1 {
            let slot = state.oldest;
            state.layouts[slot] = Some(layout);
            state.oldest = (slot + 1) % LAYOUTS;
        }
    }

    pub(crate) fn find(&self, cursor: Seq) -> Option<Layout> {
        self.state.lock().find(cursor)
    }

    // Routing.

    /// An entry has been routed here. True for the first of a batch.
    pub(crate) fn touch(&self, seq: Seq) -> bool {
        let mut state = self.state.lock();
        state.tip = seq;
        !std::mem::replace(&mut state.touched, true)
    }

    /// One of the topics ends with this entry.
    pub(crate) fn end_topic(&self, seq: Seq) {
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        state.ended = seq;
    }

    /// A topic has been purged: what was laid out holds events that are gone, and a stream may be open again.
    pub(crate) fn renew(&self, (open, ended): (usize, Seq)) {
        let mut state = self.state.lock();
        (state.open, state.ended) = (open, ended);
        state.layouts = Default::default();
    }

    /// What was laid out may hold events that are gone.
    pub(crate) fn forget_layouts(&self) {
        self.state.lock().layouts = Default::default();
    }

    /// The batch has been routed: takes the wakers of all who wait.
    pub(crate) fn take_wakers(&self, wakers: &mut Vec<Waker>) {
        let mut state: MutexGuard<'_, State> = self.state.lock();
        state.touched = false;
        wakers.extend(state.readers.iter_mut().filter_map(|(_, reader)| reader.take()));
    }
}

impl State {
    /// A layout that starts right after the cursor and reaches the tip, or is as long as a chunk may be.
    fn find(&self, cursor: Seq) -> Option<Layout> {
        let fits = |layout: &&Layout| {
            layout.from <= cursor && cursor < layout.first && (layout.full || layout.through >= self.tip)
        };
        self.layouts.iter().flatten().find(fits).cloned()
    }
}
