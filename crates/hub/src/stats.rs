//! What a hub holds right now, and what it has done since it started.
//!
//! Counters are plain atomics: they are read seldom, and none of them decides anything.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

pub use tidewire_log::archive::Held;
use tidewire_log::record::text_len;

use crate::{GapReason, Record};

/// See the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Readers that are subscribed.
    pub readers: usize,
    /// Distinct sets of topics that they read, by encoding.
    pub channels: usize,
    /// Topics that are known.
    pub topics: usize,
    /// Recent events that are shared.
    pub window_events: usize,
    /// Their memory in bytes, about.
    pub window_bytes: usize,
    /// What the archive keeps.
    pub archive: Held,
    /// Damaged places of the archive that are known.
    pub damaged: usize,
    /// Whether the clock is in doubt after a leap, so that nothing expires by it.
    pub is_clock_in_doubt: bool,
    /// Idempotency keys that are remembered.
    pub keys: usize,
    /// What is remembered of them, in bytes.
    pub key_bytes: usize,
    /// How often an event was encoded for the window's readers, since the start.
    pub encoded: u64,
    /// Events that were appended, since the start.
    pub events: u64,
    /// The bytes of their data, ids and names.
    pub bytes: u64,
    /// Publishes that were refused, since the start.
    pub refused: u64,
    /// Publishes that came again under their idempotency key, since the start.
    pub replayed: u64,
    /// How many records were committed together.
    pub batches: Histogram,
    /// Readers told of a gap, since the start, by reason.
    pub gaps: Vec<(GapReason, u64)>,
    /// How far behind, in positions of the log, readers were that the window could not serve: one observation
    /// for each read of the archive.
    pub lag: Histogram,
    /// Streams that were over, since the start, by reason.
    pub departures: Vec<(Departure, u64)>,
}

/// Why a reader is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Departure {
    /// It has read its stream to the end.
    Ended,
    /// The hub was drained.
    Drained,
    /// It went, or was cut because it took nothing.
    Gone,
    /// The server has ended it: see [`Cutter`](crate::Cutter).
    Dismissed,
}

impl Departure {
    /// Every reason, in order.
    pub const ALL: [Self; 4] = [Self::Ended, Self::Drained, Self::Gone, Self::Dismissed];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Drained => "drained",
            Self::Gone => "gone",
            Self::Dismissed => "dismissed",
        }
    }
}

/// A count of observations by size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many observations were at most [`Histogram::BOUNDS`], and in the last place how many were above all.
    pub counts: [u64; Histogram::BOUNDS.len() + 1],
    /// All observations together.
    pub sum: u64,
}

impl Histogram {
    /// The bounds of the buckets, each included in its own.
    pub const BOUNDS: [u64; 10] = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 1_048_576];
}

#[derive(Default)]
struct Observed {
    counts: [AtomicU64; Histogram::BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Observed {
    fn add(&self, value: u64) {
        let bucket = Histogram::BOUNDS.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self) -> Histogram {
        Histogram {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Relaxed)),
            sum: self.sum.load(Relaxed),
        }
    }
}

/// What is counted as it happens.
#[derive(Default)]
pub(crate) struct Counters {
    events: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
    replayed: AtomicU64,
    batches: Observed,
    gaps: [AtomicU64; GapReason::ALL.len()],
    lag: Observed,
    departures: [AtomicU64; Departure::ALL.len()],
}

impl Counters {
    /// A batch was kept.
    pub(crate) fn committed(&self, records: &[Arc<Record>]) {
        let numbered = records.iter().filter(|record| !record.entry.is_note());
        match numbered.count() {
            0 => return,
            count => self.batches.add(count as u64),
        }
        let (mut events, mut bytes) = (0, 0);
        for event in records.iter().filter_map(|record| record.event()) {
            events += 1;
            bytes += text_len(event) as u64;
        }
        self.events.fetch_add(events, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn replayed(&self) {
        self.replayed.fetch_add(1, Relaxed);
    }

    pub(crate) fn gap(&self, reason: GapReason) {
        self.gaps[reason as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn behind_the_window(&self, by: u64) {
        self.lag.add(by);
    }

    pub(crate) fn departed(&self, why: Departure) {
        self.departures[why as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn read_into(&self, stats: &mut Stats) {
        stats.events = self.events.load(Relaxed);
        stats.bytes = self.bytes.load(Relaxed);
        stats.refused = self.refused.load(Relaxed);
        stats.replayed = self.replayed.load(Relaxed);
        stats.batches = self.batches.read();
        stats.lag = self.lag.read();
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        stats.gaps = GapReason::ALL
            .into_iter()
            .zip(self.gaps.iter().map(read))
            .collect();
        stats.departures = Departure::ALL
            .into_iter()
            .zip(self.departures.iter().map(read))
            .collect();
    }
}
