//! What each route has done, in numbers.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The upstream said all.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// Nobody read it any more.
    Abandoned,
    /// The upstream, or the log, broke off.
    Broken,
    /// The server went away.
    Interrupted,
    /// The upstream reported an error in its stream.
    Failed,
    /// The upstream ended in order, but before its last word.
    Truncated,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Stopped,
        Self::Abandoned,
        Self::Broken,
        Self::Interrupted,
        Self::Failed,
        Self::Truncated,
    ];

    /// Whether readers got an error of ours in place of what was to come.
    pub(super) fn is_told_by_us(self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::Abandoned | Self::Broken | Self::Interrupted
        )
    }

    /// Its name in measures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Abandoned => "abandoned",
            Self::Broken => "broken",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Truncated => "truncated",
        }
    }
}

/// The upper bounds of the classes in which times are counted, in seconds.
pub const BUCKETS: [f64; 12] = [
    0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0,
];

/// Times by class, as Prometheus counts them.
#[derive(Debug, Default)]
struct Times {
    classes: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Times {
    fn note(&self, time: Duration) {
        let class = BUCKETS.partition_point(|bound| *bound < time.as_secs_f64());
        self.classes[class].fetch_add(1, Relaxed);
        self.micros
            .fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    fn read(&self) -> TimesRead {
        TimesRead {
            classes: self.classes.each_ref().map(|class| class.load(Relaxed)),
            #[expect(clippy::cast_precision_loss, reason = "a sum of times need not be exact")]
            seconds: self.micros.load(Relaxed) as f64 / 1e6,
        }
    }
}

/// Times by class at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimesRead {
    /// How many fell into each class of [`BUCKETS`], and beyond the last.
    pub classes: [u64; BUCKETS.len() + 1],
    /// All of them together.
    pub seconds: f64,
}

#[derive(Debug, Default)]
pub(super) struct Measures {
    requests: AtomicU64,
    upstream_calls: AtomicU64,
    streams: AtomicU64,
    joined: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    endings: [AtomicU64; Ending::ALL.len()],
    first_event: Times,
    duration: Times,
    pub(super) readers: AtomicU64,
}

/// A route's measures at a moment.
#[derive(Debug, Clone, Default)]
pub struct RouteStats {
    /// The route's path.
    pub route: String,
    /// Requests to the route, whatever came of them.
    pub requests: u64,
    /// Calls of the upstream.
    pub upstream_calls: u64,
    /// Answers that were streams.
    pub streams: u64,
    /// Requests that were answered with an answer that was there: calls of the upstream that were saved.
    pub joined: u64,
    /// Events of upstreams.
    pub events: u64,
    /// Their data, in bytes.
    pub bytes: u64,
    /// Who reads an answer right now, or waits for one that another request has asked for.
    pub readers: u64,
    /// Answers that run right now.
    pub running: u64,
    /// How many ended in each of the ways of [`Ending::ALL`].
    pub endings: [u64; Ending::ALL.len()],
    /// From the request to the first event.
    pub first_event: TimesRead,
    /// From the request to the end.
    pub duration: TimesRead,
}

impl Measures {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn called(&self) {
        self.upstream_calls.fetch_add(1, Relaxed);
    }

    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    pub(super) fn began(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    pub(super) fn first_event(&self, after: Duration) {
        self.first_event.note(after);
    }

    pub(super) fn event(&self, bytes: usize) {
        self.events.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn ended(&self, how: Ending, after: Duration) {
        self.endings[how as usize].fetch_add(1, Relaxed);
        self.duration.note(after);
    }

    pub(super) fn read(&self, route: &str) -> RouteStats {
        let endings = self.endings.each_ref().map(|count| count.load(Relaxed));
        let streams = self.streams.load(Relaxed);
        RouteStats {
            route: route.to_owned(),
            requests: self.requests.load(Relaxed),
            upstream_calls: self.upstream_calls.load(Relaxed),
            streams,
            joined: self.joined.load(Relaxed),
            events: self.events.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            readers: self.readers.load(Relaxed),
            running: streams.saturating_sub(endings.iter().sum()),
            endings,
            first_event: self.first_event.read(),
            duration: self.duration.read(),
        }
    }
}
