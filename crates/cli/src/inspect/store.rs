//! The streams that went through the tap, in memory: the last so many, each with what is kept of it.
//!
//! One lock, held for moments: by a scribe to add what it has read, by a feed to look. The tap's streams never take it,
//! but to begin.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Bounds,
    stream::{Opened, Stream},
};

pub(super) struct Store {
    bounds: Bounds,
    streams: Mutex<Streams>,
    /// Requests of all kinds.
    passed: AtomicU64,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Streams {
    /// Oldest first, numbered from 1.
    all: VecDeque<Stream>,
    version: u64,
    begun: u64,
}

impl Store {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            streams: Mutex::default(),
            passed: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Counts a request.
    pub(super) fn pass(&self) {
        self.passed.fetch_add(1, Relaxed);
    }

    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }

    /// Begins a stream; the oldest one that is over goes for it, or the oldest of all.
    pub(super) fn open(&self, opened: Opened) -> u64 {
        let mut streams = self.streams.lock();
        if streams.all.len() >= self.bounds.streams {
            let over = streams.all.iter().position(|stream| !stream.is_open());
            streams.all.remove(over.unwrap_or_default());
        }
        streams.begun += 1;
        streams.version += 1;
        let (id, version) = (streams.begun, streams.version);
        let mut stream = Stream::new(id, opened, self.bounds);
        stream.changed = version;
        streams.all.push_back(stream);
        drop(streams);
        self.changed.send_replace(version);
        id
    }

    /// Changes a stream; false if it is no longer kept.
    pub(super) fn change(&self, id: u64, change: impl FnOnce(&mut Stream)) -> bool {
        let mut streams = self.streams.lock();
        streams.version += 1;
        let version = streams.version;
        let Some(stream) = find(&mut streams.all, id) else {
            return false;
        };
        change(stream);
        stream.changed = version;
        drop(streams);
        self.changed.send_replace(version);
        true
    }

    /// Looks at a stream.
    pub(super) fn look<T>(&self, id: u64, look: impl FnOnce(&Stream) -> T) -> Option<T> {
        find(&mut self.streams.lock().all, id).map(|stream| look(stream))
    }

    /// Looks at all streams, and says which version that was.
    pub(super) fn look_at_all<T>(&self, look: impl FnOnce(&VecDeque<Stream>) -> T) -> (u64, T) {
        let streams = self.streams.lock();
        (streams.version, look(&streams.all))
    }

    /// Tells of new versions.
    pub(super) fn changes(self: &Arc<Self>) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

fn find(all: &mut VecDeque<Stream>, id: u64) -> Option<&mut Stream> {
    let place = all.binary_search_by_key(&id, |stream| stream.id).ok()?;
    all.get_mut(place)
}
