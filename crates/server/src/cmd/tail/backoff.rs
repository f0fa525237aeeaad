//! How long to wait before the next connection. Logic only: chance is an argument.

use std::time::Duration;

/// Waits grow up to this, unless the server asks for more.
const MOST: Duration = Duration::from_secs(30);

/// What a server can ask for.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(3600);

/// Grows with each attempt that failed, starts again after one that worked.
#[derive(Debug)]
pub(super) struct Backoff {
    retry: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self {
            retry: Duration::from_secs(1),
            failures: 0,
        }
    }

    /// Takes the stream's `retry`, within bounds: no storm of connections, no wait for years.
    pub(super) fn set_retry(&mut self, millis: u64) {
        self.retry = Duration::from_millis(millis).clamp(RETRY_MIN, RETRY_MAX);
    }

    /// A connection brought something. Says whether that followed a wait.
    pub(super) fn worked(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }

    /// The next wait: at least `retry` and at least half of `retry` doubled with each failure, where
    /// in between is up to `chance` (0 to 1), so that readers cut together do not come back together.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = self.retry.saturating_mul(2_u32.saturating_pow(self.failures));
        let most = doubled.min(MOST.max(self.retry));
        let least = self.retry.max(most / 2);
        least + (most - least).mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, MOST, RETRY_MAX, RETRY_MIN};

    fn seconds(chance: f64, backoff: &mut Backoff) -> Vec<u64> {
        (0..7).map(|_| backoff.next(chance).as_secs()).collect()
    }

    #[test]
    fn doubles_up_to_thirty_seconds() {
        assert_eq!(seconds(0.0, &mut Backoff::new()), [1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(seconds(1.0, &mut Backoff::new()), [2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn starts_again_after_success() {
        let mut backoff = Backoff::new();
        seconds(0.0, &mut backoff);
        backoff.worked();
        assert_eq!(backoff.next(0.0), Duration::from_secs(1));
    }

    #[test]
    fn never_sooner_than_the_server_asks() {
        let mut backoff = Backoff::new();
        backoff.set_retry(40_000);
        assert_eq!(seconds(0.0, &mut backoff), [40; 7]);
        backoff.worked();
        assert_eq!(
            seconds(1.0, &mut backoff),
            [40; 7],
            "nor much later: it is above {MOST:?}"
        );
    }

    #[test]
    fn a_server_cannot_ask_for_a_storm_or_for_ever() {
        let mut backoff = Backoff::new();
        backoff.set_retry(0);
        assert_eq!(backoff.next(0.0), RETRY_MIN);
        backoff.set_retry(u64::MAX);
        assert_eq!(backoff.next(1.0), RETRY_MAX);
    }
}
