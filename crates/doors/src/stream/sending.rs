//! The budget of send buffers: how many bytes of large chunks are on their way to readers at a time.
//!
//! A chunk counts from when it is handed to the connection until the connection drops its bytes: when they are
//! written, or when the reader is gone. Readers at the same place of the log have the same allocation, which counts
//! once, however many they are; in the share of callers without a token, and in that of a network, once for the
//! readers of that share.
//!
//! A reader without room for its chunk is cut, and comes again with its cursor. It does not wait: a chunk's size is
//! known only when its bytes are there, so that readers that wait would hold what there is no room for.
//!
//! A share of which nothing is taken has room for one chunk of any size: no event is too large to be read.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use tidewire_hub::Cut;

use crate::{
    guard::Principal,
    shares::{self, Holder, Share, Shares},
};

/// Chunks up to here do not count: the hub lays out no more at once, but for a single event.
const SMALL: usize = 64 << 10;

/// The budget of send buffers. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SendBuffers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shares: Shares,
    taken: Mutex<Taken>,
    refused: AtomicU64,
}

/// A share and a chunk stand here only while they count.
#[derive(Debug, Default)]
struct Taken {
    bytes: shares::Taken,
    /// How many readers of a share have a chunk.
    readers: HashMap<(Share, Place), usize>,
}

/// Where a chunk's bytes are: no other chunk is there while they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    address: usize,
    len: usize,
}

/// The room that a reader's chunks take.
#[derive(Debug, Clone)]
pub struct Outbox {
    buffers: SendBuffers,
    holder: Holder,
}

/// A chunk that counts for as long as this lives.
struct Counted {
    outbox: Outbox,
    chunk: Bytes,
}

impl Default for SendBuffers {
    /// That of [`Shares`].
    fn default() -> Self {
        Self::new(Shares::default())
    }
}

impl SendBuffers {
    /// A budget of which nothing is taken.
    #[must_use]
    pub fn new(shares: Shares) -> Self {
        Self(Arc::new(Inner {
            shares,
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
        }))
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.taken.lock().bytes.of(Share::All)
    }

    /// How many readers were cut for want of room, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// For a stream to this caller.
    pub fn outbox(&self, caller: &Principal) -> Outbox {
        Outbox {
            buffers: self.clone(),
            holder: Holder::of(caller),
        }
    }
}

impl Outbox {
    /// The chunk, which counts until its bytes are dropped.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn take(&self, chunk: Bytes) -> Result<Bytes, Cut> {
        if chunk.len() <= SMALL {
            return Ok(chunk);
        }
        let place = Place::of(&chunk);
        let inner = &*self.buffers.0;
        let mut taken = inner.taken.lock();
        if !self
            .shares()
            .all(|(share, max)| taken.has_room(share, max, place))
        {
            inner.refused.fetch_add(1, Relaxed);
            return Err(Cut::Short);
        }
        self.shares().for_each(|(share, _)| taken.add(share, place));
        drop(taken);
        let outbox = self.clone();
        Ok(Bytes::from_owner(Counted { outbox, chunk }))
    }

    fn shares(&self) -> impl Iterator<Item = (Share, usize)> {
        self.buffers.0.shares.of(self.holder)
    }
}

impl Taken {
    fn has_room(&self, share: Share, max: usize, place: Place) -> bool {
        let held = self.bytes.of(share);
        held == 0 || self.readers.contains_key(&(share, place)) || held.saturating_add(place.len) <= max
    }

    fn add(&mut self, share: Share, place: Place) {
        let readers = self.readers.entry((share, place)).or_default();
        *readers += 1;
        if *readers == 1 {
            self.bytes.change(share, 0, place.len);
        }
    }

    fn remove(&mut self, share: Share, place: Place) {
        let Some(readers) = self.readers.get_mut(&(share, place)) else {
            return;
        };
        *readers -= 1;
        if *readers > 0 {
            return;
        }
        self.readers.remove(&(share, place));
        self.bytes.change(share, place.len, 0);
    }
}

impl Place {
    fn of(chunk: &Bytes) -> Self {
        Self {
            address: chunk.as_ptr().addr(),
            len: chunk.len(),
        }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.chunk
    }
}

impl Drop for Counted {
    /// Before the bytes go, so that nothing else is at their place while they count.
    fn drop(&mut self) {
        let place = Place::of(&self.chunk);
        let mut taken = self.outbox.buffers.0.taken.lock();
        self.outbox
            .shares()
            .for_each(|(share, _)| taken.remove(share, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn budget() -> SendBuffers {
        SendBuffers::new(Shares {
            max: 8 * MIB,
            max_without_token: Some(6 * MIB),
            max_per_network: Some(3 * MIB),
        })
    }

    fn of(buffers: &SendBuffers, network: Option<&str>) -> Outbox {
        Outbox {
            buffers: buffers.clone(),
            holder: Holder {
                has_token: network.is_none(),
                network: network.map(|network| network.parse().unwrap()),
            },
        }
    }

    fn chunk(len: usize) -> Bytes {
        vec![b'x'; len].into()
    }

    #[test]
    fn chunks_are_counted_in_all_and_by_share_and_given_back() {
        let buffers = budget();
        let take = |network, len| of(&buffers, network).take(chunk(len));
        let first = take(Some("10.0.0.1"), 2 * MIB).unwrap();
        assert!(
            take(Some("10.0.0.1"), 2 * MIB).is_err(),
            "its network has 1 MiB left"
        );
        let second = take(Some("10.0.0.1"), MIB).unwrap();
        let other = take(Some("10.0.0.2"), 3 * MIB).unwrap();
        assert!(take(Some("10.0.0.3"), MIB).is_err(), "the rest is for tokens");
        take(Some("10.0.0.3"), SMALL).expect("small ones do not count");
        let holder = take(None, 2 * MIB).unwrap();
        assert!(take(None, MIB).is_err());
        assert_eq!((buffers.held(), buffers.refused()), (8 * MIB, 3));
        let part = first.slice(5..9);
        drop((first, second, other, holder));
        assert_eq!(buffers.held(), 2 * MIB, "a part holds the whole");
        drop(part);
        let taken = buffers.0.taken.lock();
        assert!(taken.bytes.is_empty() && taken.readers.is_empty(), "{taken:?}");
    }

    #[test]
    fn a_chunk_of_many_readers_counts_once_in_each_share() {
        let buffers = budget();
        let shared = chunk(2 * MIB);
        let take = |network, chunk: &Bytes| of(&buffers, network).take(chunk.clone()).unwrap();
        let mut held: Vec<_> = (0..1000).map(|_| take(Some("10.0.0.1"), &shared)).collect();
        held.extend((0..1000).map(|_| take(Some("10.0.0.2"), &shared)));
        held.extend((0..1000).map(|_| take(None, &shared)));
        assert_eq!(buffers.held(), 2 * MIB);
        let more = of(&buffers, Some("10.0.0.2")).take(chunk(2 * MIB));
        assert!(more.is_err(), "the second network has it as well");
        drop(held.drain(..2000));
        assert_eq!(buffers.held(), 2 * MIB);
        assert!(of(&buffers, Some("10.0.0.2")).take(chunk(2 * MIB)).is_ok());
        drop(held);
        assert_eq!(buffers.held(), 0);
    }

    #[test]
    fn an_event_that_is_larger_than_a_share_is_read_alone() {
        let buffers = budget();
        let reader = of(&buffers, Some("10.0.0.1"));
        let large = reader.take(chunk(9 * MIB)).unwrap();
        assert!(reader.take(chunk(MIB)).is_err());
        drop(large);
        reader.take(chunk(MIB)).unwrap();
    }
}
