//! The ordered tail: recent events, who reads them, and the splice between archive and live.
//!
//! Invariants:
//! - Routing a batch and raising the watermark are one step under one lock, and registering a reader
//!   takes the same lock. So for a reader that registers at watermark W, everything up to W is in the
//!   archive, everything after W will be routed to it, and nothing is both missing here and there.
//! - An entry that several may read is encoded once per encoding; one that nobody reads, never. What has a single reader
//!   (an answer, most notifications) is encoded as it asks, and its bytes are not kept.
//! - Memory: the window's bound; a channel's layouts; nothing per reader but a waker.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use tidewire_log::{
    ids::Epochs,
    machine::Machine,
    record::text_len,
    ring::{Placed, TopicRing},
};

use crate::{
    Change, Encoding, Error, Record, Seq, Stats, Topic,
    channel::{Channel, ChannelKey, Layout, Reader},
};

/// The most bytes that a reader gets at once, unless a single event has more.
pub(crate) const CHUNK: usize = 64 << 10;

/// An encoded event is at least so many bytes longer than its text: names of fields, and ends of lines.
const LEAST: usize = 8;

pub(crate) struct Tail {
    epochs: Epochs,
    max_window: usize,
    max_watched: usize,
    watermark: AtomicU64,
    /// How often a record was encoded.
    encoded: AtomicU64,
    state: Mutex<State>,
}

struct State {
    readers: usize,
    window: TopicRing<Frame>,
    channels: HashMap<ChannelKey, Arc<Channel>>,
    watchers: HashMap<Topic, Vec<Arc<Channel>>>,
}

/// A record in the window, with its bytes in each encoding that several readers have asked for. Cheap to clone.
#[derive(Clone)]
struct Frame(Arc<Framed>);

struct Framed {
    record: Arc<Record>,
    encoded: OnceLock<Box<Encoded>>,
}

type Encoded = [OnceLock<Bytes>; Encoding::COUNT];

impl Placed for Frame {
    fn seq(&self) -> Seq {
        self.0.record.seq
    }
    fn topics(&self) -> &[Topic] {
        self.0.record.topics()
    }
    fn cost(&self) -> usize {
        // The text stands in the record and, if somebody reads it, once more in an encoding. Readers in a
        // second encoding are few: what they need on top is not counted.
        2 * self.0.record.cost()
    }
    fn is_event(&self) -> bool {
        self.0.record.event().is_some()
    }
}

impl Frame {
    /// What the readers of a channel get; kept if others `share` it.
    fn bytes(
        &self,
        (topics, encoding): &ChannelKey,
        epochs: &Epochs,
        share: bool,
        count: &AtomicU64,
    ) -> Bytes {
        let Framed { record, encoded } = &*self.0;
        let encode = || {
            count.fetch_add(1, Ordering::Relaxed);
            let mut out = Vec::new();
            encoding.record(record, epochs, topics, &mut out);
            Bytes::from(out)
        };
        match share && encoding.is_same_for_all(record) {
            true => encoded.get_or_init(Default::default)[*encoding as usize]
                .get_or_init(encode)
                .clone(),
            false => encode(),
        }
    }
}

/// A reader that has been added. It is removed when this is dropped.
pub(crate) struct Seat {
    tail: Arc<Tail>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) reader: Reader,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.tail.unregister(&self.channel, self.reader);
    }
}

/// What holds for the readers of a channel at one moment: both are read under one lock, or the end may come after the watermark, and
/// with it events that a reader has not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Everything up to here is in the archive; everything after it comes through the channel.
    pub(crate) watermark: Seq,
    /// All topics had ended at the watermark.
    pub(crate) has_ended: bool,
}

/// The frames of one chunk, to be laid out when the lock is released.
struct Picked {
    frames: Vec<Frame>,
    /// There are more.
    more: bool,
    from: Seq,
    watermark: Seq,
    /// Whether somebody else reads one of the topics.
    is_shared: bool,
    generation: u64,
}

/// What the window has for a reader that is behind.
pub(crate) enum Gathered {
    Ready(Layout),
    /// It no longer reaches back to the reader: the archive has to.
    TooOld,
}

impl Tail {
    /// Everything up to `last` is in the archive only.
    pub(crate) fn new(epochs: Epochs, max_window: usize, max_watched: usize, last: Seq) -> Self {
        let mut window = TopicRing::default();
        window.set_absent_floor(last);
        Self {
            epochs,
            max_window,
            max_watched,
            watermark: AtomicU64::new(last.0),
            encoded: AtomicU64::new(0),
            state: Mutex::new(State {
                readers: 0,
                window,
                channels: HashMap::new(),
                watchers: HashMap::new(),
            }),
        }
    }

    /// Everything up to here is visible.
    pub(crate) fn watermark(&self) -> Seq {
        Seq(self.watermark.load(Ordering::Acquire))
    }

    /// Makes a batch visible: it is in the archive already.
    pub(crate) fn publish(&self, batch: &[Arc<Record>], machine: &RwLock<Machine>) {
        let Some(last) = batch.iter().map(|record| record.through()).max() else {
            return;
        };
        let mut touched = Vec::new();
        {
            let mut guard = self.state.lock();
            let state = &mut *guard;
            let mut renewed = Vec::new();
            for record in batch {
                if !record.entry.is_kept() {
                    renewed.extend(state.purge(record));
                    continue;
                }
                state.push(record);
                for topic in record.topics() {
                    for channel in state.watchers.get(topic).into_iter().flatten() {
                        if channel.touch(record.seq) {
                            touched.push(Arc::clone(channel));
                        }
                        if record.change() == Some(Change::Ends) {
                            channel.end_topic(record.seq);
                        }
                    }
                }
            }
            for channel in renewed {
                channel.renew(machine.read().open(channel.topics(), last));
            }
            while state.window.cost() > self.max_window {
                state.window.pop(|_, _| true, false);
            }
            self.watermark.fetch_max(last.0, Ordering::Release);
        }
        wake(touched.iter());
    }

    /// The archive has let go what these topics had up to a record: readers do not get it from the window either.
    pub(crate) fn let_go(&self, gone: &[(Topic, Seq)]) {
        for (topic, through) in gone {
            // One lock a topic, so that readers come in between.
            let mut guard = self.state.lock();
            let state = &mut *guard;
            state.window.purge(topic, *through, false, Placed::is_event);
            for channel in state.watchers.get(topic).into_iter().flatten() {
                channel.forget_layouts();
            }
        }
    }

    /// The machine has taken a batch back that nobody has seen. A reader that registered meanwhile may have been told
    /// that a stream was open which the batch would have purged.
    pub(crate) fn take_back(&self, batch: &[Arc<Record>], machine: &RwLock<Machine>) {
        let mut renewed = Vec::new();
        {
            let state = self.state.lock();
            let purges = batch.iter().filter(|record| !record.entry.is_kept());
            for topic in purges.flat_map(Placed::topics) {
                renewed.extend(state.watchers.get(topic).into_iter().flatten().cloned());
            }
            for channel in &renewed {
                channel.renew(machine.read().open(channel.topics(), self.watermark()));
            }
        }
        wake(renewed.iter());
    }

    /// Wakes every reader, so that it looks again.
    pub(crate) fn wake_all(&self) {
        let channels: Vec<_> = {
            let state = self.state.lock();
            state.channels.values().cloned().collect()
        };
        wake(channels.iter());
    }

    pub(crate) fn read_into(&self, stats: &mut Stats) {
        let state = self.state.lock();
        stats.readers = state.readers;
        stats.channels = state.channels.len();
        stats.window_events = state.window.len();
        stats.window_bytes = state.window.cost();
        stats.encoded = self.encoded.load(Ordering::Relaxed);
    }

    /// Adds a reader. Refused if it would make too many topics that are read.
    pub(crate) fn register(
        self: &Arc<Self>,
        key: ChannelKey,
        machine: &RwLock<Machine>,
    ) -> Result<(Seat, Standing), Error> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let watermark = self.watermark();
        let channel = match state.channels.get(&key) {
            Some(channel) => Arc::clone(channel),
            None => {
                let is_new = |topic: &&Topic| !state.watchers.contains_key(*topic);
                if state.watchers.len() + key.0.iter().filter(is_new).count() > self.max_watched {
                    return Err(Error::WatchedFull {
                        max: self.max_watched,
                    });
                }
                let open = machine.read().open(&key.0, watermark);
                state.open_channel(Channel::new(key, watermark, open))
            }
        };
        state.readers += 1;
        let standing = Standing {
            watermark,
            has_ended: channel.has_ended(),
        };
        let seat = Seat {
            tail: Arc::clone(self),
            reader: channel.join(),
            channel,
        };
        Ok((seat, standing))
    }

    /// How a channel stands now.
    pub(crate) fn standing(&self, channel: &Channel) -> Standing {
        let _no_batch_is_routed = self.state.lock();
        Standing {
            watermark: self.watermark(),
            has_ended: channel.has_ended(),
        }
    }

    /// Removes a reader, and its channel with the last.
    fn unregister(&self, channel: &Arc<Channel>, reader: Reader) {
        let mut state = self.state.lock();
        state.readers -= 1;
        if channel.leave(reader) == 0 {
            state.close_channel(channel);
        }
    }

    /// Lays out what comes after `cursor`, or finds that another reader has just done so. Only the frames are taken under the lock.
    pub(crate) fn gather(&self, channel: &Channel, cursor: Seq) -> Gathered {
        let picked = {
            let state = self.state.lock();
            let generation = match channel.find(cursor) {
                Ok(layout) => return Gathered::Ready(layout),
                Err(generation) => generation,
            };
            if state.window.floor(channel.topics()) > cursor {
                return Gathered::TooOld;
            }
            state.pick(channel, cursor, self.watermark(), generation)
        };
        let layout = self.lay_out(channel, cursor, &picked);
        Gathered::Ready(channel.share(layout, cursor, picked.generation))
    }

    fn lay_out(&self, channel: &Channel, cursor: Seq, picked: &Picked) -> Layout {
        let mut parts: Vec<Bytes> = Vec::with_capacity(picked.frames.len());
        let (mut size, mut last, mut full) = (0, cursor, picked.more);
        for frame in &picked.frames {
            let bytes = frame.bytes(&channel.key, &self.epochs, picked.is_shared, &self.encoded);
            if size > 0 && size + bytes.len() > CHUNK {
                full = true;
                break;
            }
            last = frame.seq();
            size += bytes.len();
            parts.push(bytes);
        }
        let first = picked.frames.first().map(Placed::seq);
        Layout {
            from: picked.from,
            first: first.unwrap_or(picked.watermark.next()),
            through: if full { last } else { picked.watermark },
            full,
            bytes: match &mut parts[..] {
                [only] => std::mem::take(only),
                parts => parts.concat().into(),
            },
        }
    }
}

impl State {
    fn push(&mut self, record: &Arc<Record>) {
        self.window.push(Frame(Arc::new(Framed {
            record: Arc::clone(record),
            encoded: OnceLock::new(),
        })));
        // A topic that turns up only now has all its later entries here, but none before this one.
        self.window.set_absent_floor(record.seq);
    }

    /// Returns the channels of which a topic may have begun anew.
    fn purge(&mut self, record: &Record) -> Vec<Arc<Channel>> {
        let mut channels = Vec::new();
        for topic in record.topics() {
            self.window.purge(topic, record.seq, false, Placed::is_event);
            channels.extend(self.watchers.get(topic).into_iter().flatten().cloned());
        }
        channels
    }

    fn open_channel(&mut self, channel: Channel) -> Arc<Channel> {
        let channel = Arc::new(channel);
        for topic in channel.topics() {
            self.window.pin(topic);
            self.watchers
                .entry(topic.clone())
                .or_default()
                .push(Arc::clone(&channel));
        }
        self.channels.insert(channel.key.clone(), Arc::clone(&channel));
        channel
    }

    fn close_channel(&mut self, channel: &Arc<Channel>) {
        self.channels.remove(&channel.key);
        for topic in channel.topics() {
            self.window.unpin(topic);
            let Some(watchers) = self.watchers.get_mut(topic) else {
                continue;
            };
            if let Some(at) = watchers.iter().position(|other| Arc::ptr_eq(other, channel)) {
                watchers.swap_remove(at);
            }
            if watchers.is_empty() {
                self.watchers.remove(topic);
            }
        }
    }

    /// Whether somebody else reads one of its topics.
    fn is_shared(&self, channel: &Channel) -> bool {
        let is_watched = |topic| {
            self.watchers
                .get(topic)
                .is_some_and(|channels| channels.len() > 1)
        };
        channel.has_several() || channel.topics().iter().any(is_watched)
    }

    /// Takes as many frames as a chunk has room for, or some more: what a record takes is known only when it is encoded, but
    /// it is more than its text.
    fn pick(&self, channel: &Channel, cursor: Seq, watermark: Seq, generation: u64) -> Picked {
        let topics = channel.topics();
        let before = self.window.back_from(topics, cursor).next().map(Placed::seq);
        let mut picked = Picked {
            frames: Vec::new(),
            more: false,
            from: before.unwrap_or_default().max(self.window.floor(topics)),
            watermark,
            is_shared: self.is_shared(channel),
            generation,
        };
        let mut size = 0;
        for frame in self.window.after(topics, cursor) {
            if size > CHUNK {
                picked.more = true;
                break;
            }
            size += frame.0.record.event().map_or(0, |event| LEAST + text_len(event));
            picked.frames.push(frame.clone());
        }
        picked
    }
}

fn wake<'a>(channels: impl Iterator<Item = &'a Arc<Channel>>) {
    let mut wakers: Vec<Waker> = Vec::new();
    for channel in channels {
        channel.take_wakers(&mut wakers);
        // Outside the locks: a waker may run the reader at once on another thread.
        wakers.drain(..).for_each(Waker::wake);
    }
}
