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
    /// Raised when layouts are forgotten: one that was begun before it is not shared.
    generation: u64,
    readers: Slab<Slot>,
    /// How many readers have ever come.
    joined: u64,
}

/// A reader's place among those of its channel. A slot is used again, a number is not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    slot: usize,
    number: u64,
}

struct Slot {
    number: u64,
    waits: Waits,
    is_cut: bool,
}

/// What a reader waits for.
enum Waits {
    Not,
    ForEvents(Waker),
    /// Events do not wake it.
    ForTheStore(Waker),
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
    /// Nothing ever: the reader has been cut.
    Cut,
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
                generation: 0,
                readers: Slab::new(),
                joined: 0,
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

    pub(crate) fn join(&self) -> Reader {
        let mut state = self.state.lock();
        let number = state.joined;
        state.joined += 1;
        let slot = state.readers.insert(Slot {
            number,
            waits: Waits::Not,
            is_cut: false,
        });
        Reader { slot, number }
    }

    /// Returns how many readers are left.
    pub(crate) fn leave(&self, reader: Reader) -> usize {
        let mut state = self.state.lock();
        state.readers.remove(reader.slot);
        state.readers.len()
    }

    /// Cuts a reader, wherever it waits. Nothing happens if it has gone.
    pub(crate) fn cut(&self, reader: Reader) {
        let waits = {
            let mut state = self.state.lock();
            let slot = state.readers.get_mut(reader.slot);
            let Some(slot) = slot.filter(|slot| slot.number == reader.number) else {
                return;
            };
            slot.is_cut = true;
            std::mem::replace(&mut slot.waits, Waits::Not)
        };
        // Outside the lock: a waker may run the reader at once.
        if let Waits::ForEvents(waker) | Waits::ForTheStore(waker) = waits {
            waker.wake();
        }
    }

    /// The reader waits for the store, unless it has been cut.
    pub(crate) fn wait_for_the_store(&self, reader: Reader, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let slot = &mut state.readers[reader.slot];
        match &mut slot.waits {
            Waits::ForTheStore(kept) => kept.clone_from(waker),
            waits => *waits = Waits::ForTheStore(waker.clone()),
        }
        !slot.is_cut
    }

    /// Whether it has more than one reader.
    pub(crate) fn has_several(&self) -> bool {
        self.state.lock().readers.len() > 1
    }

    /// What is there for a reader at `cursor`; if nothing, its waker is kept.
    pub(crate) fn look(&self, cursor: Seq, reader: Reader, waker: &Waker) -> Look {
        let mut state = self.state.lock();
        if state.readers[reader.slot].is_cut {
            return Look::Cut;
        }
        if cursor < state.tip {
            return state.find(cursor).map_or(Look::Behind, Look::Ready);
        }
        if state.open == 0 && cursor >= state.ended {
            return Look::Ended;
        }
        match &mut state.readers[reader.slot].waits {
            Waits::ForEvents(kept) => kept.clone_from(waker),
            waits => *waits = Waits::ForEvents(waker.clone()),
        }
        Look::Wait
    }

    /// Whether something may be there for a reader at `cursor`.
    pub(crate) fn is_ahead_of(&self, cursor: Seq) -> bool {
        cursor < self.state.lock().tip
    }

    /// Keeps a layout for the other readers, unless there are none, or some of its events may have gone since the `generation` in which
    /// it was begun. If another reader was faster, its layout is the answer.
    pub(crate) fn share(&self, layout: Layout, cursor: Seq, generation: u64) -> Layout {
        let mut state = self.state.lock();
        if state.readers.len() < 2 || state.generation != generation {
            return layout;
        }
        if let Some(first) = state.find(cursor) {
            return first;
        }
        let slot = state.oldest;
        state.layouts[slot] = Some(layout.clone());
        state.oldest = (slot + 1) % LAYOUTS;
        layout
    }

    /// A layout for a reader at `cursor`, or the generation of one that is to be made.
    pub(crate) fn find(&self, cursor: Seq) -> Result<Layout, u64> {
        let state = self.state.lock();
        state.find(cursor).ok_or(state.generation)
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
        state.forget_layouts();
    }

    /// What was laid out may hold events that are gone.
    pub(crate) fn forget_layouts(&self) {
        self.state.lock().forget_layouts();
    }

    /// The batch has been routed: takes the wakers of all who wait.
    pub(crate) fn take_wakers(&self, wakers: &mut Vec<Waker>) {
        let mut state: MutexGuard<'_, State> = self.state.lock();
        state.touched = false;
        wakers.extend(state.readers.iter_mut().filter_map(|(_, slot)| slot.wake()));
    }
}

impl Slot {
    /// The waker, if it waits for events.
    fn wake(&mut self) -> Option<Waker> {
        match std::mem::replace(&mut self.waits, Waits::Not) {
            Waits::ForEvents(waker) => Some(waker),
            waits => {
                self.waits = waits;
                None
            }
        }
    }
}

impl State {
    fn forget_layouts(&mut self) {
        self.layouts = Default::default();
        self.generation += 1;
    }

    /// A layout that starts right after the cursor and reaches the tip, or is as long as a chunk may be.
    fn find(&self, cursor: Seq) -> Option<Layout> {
        let fits = |layout: &&Layout| {
            layout.from <= cursor && cursor < layout.first && (layout.full || layout.through >= self.tip)
        };
        self.layouts.iter().flatten().find(fits).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Namespace, Topic};

    /// With two readers.
    fn channel() -> Channel {
        let topic = Topic::new(Namespace::Events, "a").unwrap();
        let channel = Channel::new((topic.into(), Encoding::EventStream), Seq(0), (1, Seq(0)));
        channel.join();
        channel.join();
        channel.touch(Seq(1));
        channel
    }

    fn layout(bytes: &'static str) -> Layout {
        Layout {
            from: Seq(0),
            first: Seq(1),
            through: Seq(1),
            full: false,
            bytes: bytes.into(),
        }
    }

    #[test]
    fn what_was_laid_out_before_a_purge_is_not_shared_after_it() {
        let channel = channel();
        let generation = channel.find(Seq(0)).unwrap_err();
        channel.forget_layouts();
        assert_eq!(
            channel.share(layout("gone"), Seq(0), generation).bytes,
            "gone",
            "who took it before may have it"
        );
        let generation = channel.find(Seq(0)).expect_err("not shared");
        channel.renew((1, Seq(0)));
        channel.share(layout("gone"), Seq(0), generation);
        assert!(channel.find(Seq(0)).is_err());
    }

    #[test]
    fn the_first_of_two_that_lay_out_the_same_is_shared() {
        let channel = channel();
        let generation = channel.find(Seq(0)).unwrap_err();
        let first = channel.share(layout("first"), Seq(0), generation);
        let second = channel.share(layout("second"), Seq(0), generation);
        assert_eq!((first.bytes, second.bytes), ("first".into(), "first".into()));
        assert_eq!(channel.find(Seq(0)).unwrap().bytes, "first");
    }
}
