//! Is the connection alive, and does it get anywhere?
//!
//! Two clocks, both fed with `now`: **idle** runs since the last byte of any kind, **progress** since the last
//! event. Neither runs while nobody asks for bytes: a reader that is slow itself does not blame the server.

use std::time::{Duration, Instant};

use http::HeaderMap;
use tidewire_codec::protocol::TIDEWIRE_HEARTBEAT;

use crate::error::Cause;

/// So many heartbeats may fail to come.
const MISSED_HEARTBEATS: u32 = 3;

/// What a server may announce as its heartbeat.
const HEARTBEATS: std::ops::RangeInclusive<f64> = 0.1..=3600.0;

#[derive(Debug)]
pub(crate) struct Liveness {
    idle: Option<Duration>,
    progress: Option<Duration>,
    last_byte: Instant,
    last_event: Instant,
}

impl Liveness {
    /// For a stream that opened now. A limit of the caller's own goes before what the server announces.
    pub(crate) fn new(
        idle: Option<Duration>,
        progress: Option<Duration>,
        headers: &HeaderMap,
        now: Instant,
    ) -> Self {
        Self {
            idle: idle.or_else(|| announced(headers)),
            progress,
            last_byte: now,
            last_event: now,
        }
    }

    pub(crate) fn byte(&mut self, now: Instant) {
        self.last_byte = now;
    }

    pub(crate) fn event(&mut self, now: Instant) {
        self.last_event = now;
    }

    /// Bytes are asked for again. `since` is when the first item was handed out that they had made: what the
    /// reader took for these does not count.
    pub(crate) fn resume(&mut self, since: Instant, now: Instant) {
        let away = now.saturating_duration_since(since);
        self.last_byte = (self.last_byte + away).min(now);
        self.last_event = (self.last_event + away).min(now);
    }

    /// When to look again, if nothing comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let idle = self.idle.and_then(|limit| self.last_byte.checked_add(limit));
        let progress = self.progress.and_then(|limit| self.last_event.checked_add(limit));
        idle.into_iter().chain(progress).min()
    }

    /// What is over now.
    pub(crate) fn expired(&self, now: Instant) -> Option<Cause> {
        let over = |since: Instant, limit: Option<Duration>| {
            limit.filter(|&limit| now.saturating_duration_since(since) >= limit)
        };
        if let Some(limit) = over(self.last_byte, self.idle) {
            return Some(Cause::Silent(limit));
        }
        over(self.last_event, self.progress).map(Cause::NoProgress)
    }
}

/// The idle limit that follows from `Tidewire-Heartbeat` (seconds).
fn announced(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(TIDEWIRE_HEARTBEAT)?.to_str().ok()?;
    let seconds: f64 = value.trim().parse().ok()?;
    HEARTBEATS
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds) * MISSED_HEARTBEATS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "any moment will do: time is passed in")]
    fn start() -> Instant {
        Instant::now()
    }

    fn headers(heartbeat: &'static str) -> HeaderMap {
        let value = http::HeaderValue::from_static(heartbeat);
        HeaderMap::from_iter([(http::HeaderName::from_static(TIDEWIRE_HEARTBEAT), value)])
    }

    #[test]
    fn any_byte_feeds_idle_and_only_an_event_feeds_progress() {
        let start = start();
        let mut liveness = Liveness::new(Some(SECOND * 2), Some(SECOND * 5), &HeaderMap::new(), start);
        for second in 1..5 {
            assert!(liveness.expired(start + SECOND * second).is_none());
            liveness.byte(start + SECOND * second);
        }
        assert_eq!(liveness.deadline(), Some(start + SECOND * 5));
        assert!(matches!(
            liveness.expired(start + SECOND * 5),
            Some(Cause::NoProgress(_))
        ));
        liveness.event(start + SECOND * 5);
        assert!(liveness.expired(start + SECOND * 5).is_none());
        assert!(matches!(
            liveness.expired(start + SECOND * 6),
            Some(Cause::Silent(_))
        ));
    }

    #[test]
    fn three_announced_heartbeats_may_be_missed() {
        let start = start();
        let liveness = Liveness::new(None, None, &headers("15"), start);
        assert_eq!(liveness.deadline(), Some(start + SECOND * 45));
        let own = Liveness::new(Some(SECOND), None, &headers("15"), start);
        assert_eq!(
            own.deadline(),
            Some(start + SECOND),
            "the caller's own limit wins"
        );
        for wrong in ["", "soon", "-1", "0", "1e9", "NaN", "inf"] {
            let liveness = Liveness::new(None, None, &headers(wrong), start);
            assert_eq!(liveness.deadline(), None, "{wrong}");
        }
    }

    #[test]
    fn a_slow_reader_does_not_blame_the_server() {
        let start = start();
        let mut liveness = Liveness::new(Some(SECOND), None, &HeaderMap::new(), start);
        let later = start + SECOND * 60;
        liveness.resume(start, later);
        assert!(liveness.expired(later).is_none());
        assert_eq!(liveness.deadline(), Some(later + SECOND));
    }
}
