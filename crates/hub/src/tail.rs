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
    ring::{Placed, TopicRing},
};

use crate::{
    Change, Encoding, Error, Record, Seq, Stats, Topic,
    channel::{Channel, ChannelKey, Layout},
};

/// The most bytes that a reader gets at once, unless a single event has more.
pub(crate) const CHUNK: usize = 64 << 10;

pub(crate) struct Tail {
    epochs: Epochs,
    max_window: usize,
    max_watched: usize,
    watermark: AtomicU64,
    state: Mutex<State>,
}

struct State {
    encoded: u64,
    readers: usize,
    window: TopicRing<Frame>,
    channels: HashMap<ChannelKey, Arc<Channel>>,
    watchers: HashMap<Topic, Vec<Arc<Channel>>>,
}

/// A record in the window, with its bytes in each encoding that several readers have asked for.
struct Frame {
    record: Arc<Record>,
    encoded: OnceLock<Box<Encoded>>,
}

type Encoded = [OnceLock<Bytes>; Encoding::COUNT];

impl Placed for Frame {
    fn seq(&self) -> Seq {
        self.record.seq
    }
    fn topics(&self) -> &[Topic] {
        self.record.topics()
    }
    fn cost(&self) -> usize {
        // The text stands in the record and, if somebody reads it, once more in an encoding. Readers in a
        // second encoding are few: what they need on top is not counted.
        2 * self.record.cost()
    }
    fn is_event(&self) -> bool {
        self.record.event().is_some()
    }
}

impl Frame {
    /// What the readers of a channel get; kept if others `share` it.
    fn bytes(&self, (topics, encoding): &ChannelKey, epochs: &Epochs, share: bool, count: &mut u64) -> Bytes {
        let mut encode = || {
            *count += 1;
            let mut out = Vec::new();
            encoding.record(&self.record, epochs, topics, &mut out);
            Bytes::from(out)
        };
        match share && encoding.is_same_for_all(&self.record) {
            true => self.encoded.get_or_init(Default::default)[*encoding as usize]
                .get_or_init(encode)
                .clone(),
            false => encode(),
        }
    }
}

/// A reader that has been added, and what held at that moment.
pub(crate) struct Registered {
    pub(crate) channel: Arc<Channel>,
    pub(crate) reader: usize,
    /// Everything up to here is in the archive; everything after it will come through the channel.
    pub(crate) watermark: Seq,
    /// All topics had ended at the watermark. Asked any later, the answer may be of an end that comes after it, and with it
    /// of events that the reader has not got.
    pub(crate) has_ended: bool,
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
            state: Mutex::new(State {
                encoded: 0,
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
        stats.encoded = state.encoded;
    }

    /// Adds a reader. Refused if it would make too many topics that are read.
    pub(crate) fn register(&self, key: ChannelKey, machine: &RwLock<Machine>) -> Result<Registered, Error> {
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
        Ok(Registered {
            reader: channel.join(),
            has_ended: channel.has_ended(),
            channel,
            watermark,
        })
    }

    /// Removes a reader, and its channel with the last.
    pub(crate) fn unregister(&self, channel: &Arc<Channel>, reader: usize) {
        let mut state = self.state.lock();
        state.readers -= 1;
        if channel.leave(reader) == 0 {
            state.close_channel(channel);
        }
    }

    /// Lays out what comes after `cursor`, or finds that another reader has just done so.
    pub(crate) fn gather(&self, channel: &Channel, cursor: Seq) -> Gathered {
        let mut state = self.state.lock();
        if let Some(layout) = channel.find(cursor) {
            return Gathered::Ready(layout);
        }
        if state.window.floor(channel.topics()) > cursor {
            return Gathered::TooOld;
        }
        let layout = state.lay_out(channel, cursor, &self.epochs, self.watermark());
        channel.share(layout.clone());
        Gathered::Ready(layout)
    }
}

impl State {
    fn push(&mut self, record: &Arc<Record>) {
        self.window.push(Frame {
            record: Arc::clone(record),
            encoded: OnceLock::new(),
        });
        // A topic that turns up only now has all its later entries here, but none before this one.
        self.window.set_absent_floor(record.seq);
    }

    /// Returns the channels of which a topic may have begun anew.
    fn purge(&mut self, record: &Record) -> Vec<Arc<Channel>> {
        let mut channels = Vec::new();
        for topic in record.topics() {
            self.window
                .purge(topic, record.seq, false, |frame| frame.record.event().is_some());
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

    fn lay_out(&mut self, channel: &Channel, cursor: Seq, epochs: &Epochs, watermark: Seq) -> Layout {
        let topics = channel.topics();
        let before = self.window.back_from(topics, cursor).next().map(Placed::seq);
        let mut layout = Layout {
            from: before.unwrap_or_default().max(self.window.floor(topics)),
            first: watermark.next(),
            through: watermark,
            full: false,
            bytes: Bytes::new(),
        };
        let share = self.is_shared(channel);
        let mut parts: Vec<Bytes> = Vec::new();
        let mut size = 0;
        let mut last = cursor;
        for frame in self.window.after(topics, cursor) {
            let bytes = frame.bytes(&channel.key, epochs, share, &mut self.encoded);
            if size > 0 && size + bytes.len() > CHUNK {
                layout.full = true;
                layout.through = last;
                break;
            }
            if parts.is_empty() {
                layout.first = frame.seq();
            }
            last = frame.seq();
            size += bytes.len();
            parts.push(bytes);
        }
        layout.bytes = match &mut parts[..] {
            [only] => std::mem::take(only),
            parts => parts.concat().into(),
        };
        layout
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
