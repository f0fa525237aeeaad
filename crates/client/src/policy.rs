//! When to come again, and when to give up.
//!
//! Pure: what happened goes in, a delay or the end comes out. No clock, no socket; chance comes from a
//! generator that can be seeded.
//!
//! The rules, in order (`vectors/session.json` has them as data; the npm package runs the same file):
//! 1. An attempt that brought a new event, or stayed open for [`Retry::stable_after`], is a success: the
//!    count of attempts that failed begins anew, with its own end as the first.
//! 2. When [`Retry::max_attempts`] attempts in a row have failed, the source gives up.
//! 3. After [`Retry::max_fruitless`] answers in a row that were a stream, held nothing and ended at once,
//!    it gives up too.
//! 4. Else it waits at least for the server's `retry` (or [`Retry::base`]), and up to twice as much after each attempt that
//!    failed, up to [`Retry::cap`]. Chance decides where in the upper half: jitter only adds, so that readers that were cut
//!    together do not come back together, and never sooner than the server asked.
//! 5. A longer `Retry-After` is waited for, up to [`Retry::max_wait`], and jitter adds to it, too.

use std::time::Duration;

use http::StatusCode;

/// Longer than anybody waits, and yet a time that clocks can count: what is longer means never.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How a source comes again; the module's text has the rules.
#[derive(Debug, Clone)]
pub struct Retry {
    /// How long to wait at least, until the server sends a `retry` field. Default: 1 s.
    pub base: Duration,
    /// Waits grow up to this, unless the server asks for more. Default: 30 s.
    pub cap: Duration,
    /// No delay is shorter, whatever the server says (`retry: 0`). Default: 100 ms.
    pub floor: Duration,
    /// What a server may ask for at most, with `retry` or `Retry-After`. Default: an hour.
    pub max_wait: Duration,
    /// When so many attempts in a row have failed, it gives up; the end of a stream that brought something is the first of
    /// a row. Default: none, it goes on.
    pub max_attempts: Option<u32>,
    /// So many empty streams in a row are the last. Default: none, it goes on.
    pub max_fruitless: Option<u32>,
    /// A connection that was open for so long was a success. Default: 10 s.
    pub stable_after: Duration,
    /// Which statuses are worth another attempt. Default: 408, 425, 429 and all 5xx but 501 and 505. After a 5xx other than
    /// 503 only a request that may be repeated is sent again, as nobody knows what became of it.
    pub statuses: fn(StatusCode) -> bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            floor: Duration::from_millis(100),
            max_wait: Duration::from_secs(3600),
            max_attempts: None,
            max_fruitless: None,
            stable_after: Duration::from_secs(10),
            statuses: |status| match status.as_u16() {
                408 | 425 | 429 => true,
                501 | 505 => false,
                _ => status.is_server_error(),
            },
        }
    }
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It brought a new event, or was open for long enough.
    Success,
    /// It was an empty stream that ended at once.
    Fruitless,
    /// Anything else.
    InVain,
}

/// What comes after an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another one, the `number`th in a row, after `delay`.
    Wait { number: u32, delay: Duration },
    /// Nothing: `attempts` in a row were in vain.
    GiveUp { attempts: u32 },
    /// Nothing: `answers` in a row were empty streams.
    Fruitless { answers: u32 },
}

/// The state of a [`Retry`] policy.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    /// The server's `retry` field.
    asked: Option<Duration>,
    /// Attempts that failed in a row; the end of a successful one is the first.
    failures: u32,
    /// The row began with a success.
    has_succeeded: bool,
    /// Of these, how many were empty streams, in a row.
    fruitless: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(mut retry: Retry, seed: u64) -> Self {
        let times = [
            &mut retry.base,
            &mut retry.cap,
            &mut retry.floor,
            &mut retry.max_wait,
        ];
        for time in times {
            *time = (*time).min(NEVER);
        }
        Self {
            retry,
            asked: None,
            failures: 0,
            has_succeeded: false,
            fruitless: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// The server sent a `retry` field.
    pub(crate) fn set_base(&mut self, asked: Duration) {
        self.asked = Some(asked);
    }

    /// What was in vain before does not count any more.
    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.fruitless, self.has_succeeded) = (0, 0, true);
    }

    /// The next attempt's number, counted from the last success.
    pub(crate) fn number(&self) -> u32 {
        match self.has_succeeded {
            true => self.failures.max(1),
            false => self.failures.saturating_add(1),
        }
    }

    /// What comes after an attempt that went so; `after` is what `Retry-After` said.
    pub(crate) fn next(&mut self, attempt: Attempt, after: Option<Duration>) -> Next {
        match attempt {
            Attempt::Success => self.succeeded(),
            Attempt::Fruitless => self.fruitless = self.fruitless.saturating_add(1),
            Attempt::InVain => self.fruitless = 0,
        }
        self.failures = self.failures.saturating_add(1);
        let (attempts, answers) = (self.failures, self.fruitless);
        if self.retry.max_attempts.is_some_and(|max| attempts >= max) {
            return Next::GiveUp { attempts };
        }
        if answers > 0 && self.retry.max_fruitless.is_some_and(|max| answers >= max) {
            return Next::Fruitless { answers };
        }
        Next::Wait {
            number: self.number(),
            delay: self.delay(after),
        }
    }

    fn delay(&mut self, after: Option<Duration>) -> Duration {
        let Retry {
            base,
            cap,
            floor,
            max_wait,
            ..
        } = self.retry;
        let base = self.asked.unwrap_or(base).min(max_wait).max(floor);
        // A server that asks for more than the cap gets it, but no more than that.
        let most = base.saturating_mul(1 << self.failures.min(31)).min(cap.max(base));
        let least = base.max(most / 2);
        let wait = least + (most - least).mul_f64(self.random.f64());
        match after {
            Some(after) => wait.max(after.min(max_wait) + base.mul_f64(self.random.f64())),
            None => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff(retry: Retry) -> Backoff {
        Backoff::new(retry, 7)
    }

    fn delay(next: Next) -> Duration {
        match next {
            Next::Wait { delay, .. } => delay,
            other => panic!("{other:?}"),
        }
    }

    /// The longest of many delays drawn at the same stage.
    fn spread(failures: u32, asked: Option<Duration>) -> (Duration, Duration) {
        let mut all: Vec<_> = (0..2000)
            .map(|seed| {
                let mut backoff = Backoff::new(Retry::default(), seed);
                if let Some(asked) = asked {
                    backoff.set_base(asked);
                }
                for _ in 1..failures {
                    backoff.next(Attempt::InVain, None);
                }
                delay(backoff.next(Attempt::InVain, None))
            })
            .collect();
        all.sort();
        (all[0], all[all.len() - 1])
    }

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_only_adds() {
        for (failures, least, most) in [(1, 1, 2), (2, 2, 4), (3, 4, 8), (5, 15, 30), (60, 15, 30)] {
            let (shortest, longest) = spread(failures, None);
            let (least, most) = (SECOND * least, SECOND * most);
            assert!(longest <= most && longest > most.mul_f64(0.98), "{longest:?}");
            assert!(
                shortest >= least && shortest < least.mul_f64(1.02),
                "{shortest:?}"
            );
        }
    }

    #[test]
    fn a_servers_retry_is_a_floor() {
        let (shortest, longest) = spread(1, Some(SECOND * 5));
        assert!(shortest >= SECOND * 5 && longest <= SECOND * 10);
    }

    #[test]
    fn a_servers_retry_above_the_cap_is_kept_to_but_does_not_grow() {
        assert_eq!(spread(4, Some(SECOND * 60)), (SECOND * 60, SECOND * 60));
        let bounded = spread(1, Some(SECOND * 1_000_000));
        assert_eq!(bounded, (SECOND * 3600, SECOND * 3600), "max_wait bounds it");
    }

    #[test]
    fn retry_0_has_a_floor_and_still_grows() {
        let (shortest, longest) = spread(1, Some(Duration::ZERO));
        assert!(shortest >= SECOND / 10 && longest <= SECOND / 5);
        let (_, longest) = spread(5, Some(Duration::ZERO));
        assert!(longest > SECOND, "{longest:?}");
    }

    #[test]
    fn a_success_begins_the_count_anew() {
        let mut backoff = backoff(Retry::default());
        for number in 2..9 {
            let Next::Wait { number: got, .. } = backoff.next(Attempt::InVain, None) else {
                panic!("it goes on");
            };
            assert_eq!(got, number);
        }
        let Next::Wait { number, delay } = backoff.next(Attempt::Success, None) else {
            panic!("it goes on");
        };
        assert_eq!(number, 1);
        assert!(delay <= SECOND * 2);
    }

    #[test]
    fn attempts_end_where_they_are_bounded() {
        let mut backoff = backoff(Retry {
            max_attempts: Some(3),
            ..Retry::default()
        });
        assert!(matches!(
            backoff.next(Attempt::InVain, None),
            Next::Wait { number: 2, .. }
        ));
        backoff.next(Attempt::Success, None);
        assert!(matches!(
            backoff.next(Attempt::InVain, None),
            Next::Wait { number: 2, .. }
        ));
        // The end of the success was the first of three.
        assert_eq!(backoff.next(Attempt::InVain, None), Next::GiveUp { attempts: 3 });
    }

    #[test]
    fn empty_streams_in_a_row_are_the_end() {
        let mut backoff = backoff(Retry {
            max_fruitless: Some(2),
            ..Retry::default()
        });
        assert!(matches!(
            backoff.next(Attempt::Fruitless, None),
            Next::Wait { .. }
        ));
        assert!(matches!(backoff.next(Attempt::InVain, None), Next::Wait { .. }));
        assert!(matches!(
            backoff.next(Attempt::Fruitless, None),
            Next::Wait { .. }
        ));
        assert_eq!(
            backoff.next(Attempt::Fruitless, None),
            Next::Fruitless { answers: 2 }
        );
    }

    #[test]
    fn retry_after_is_waited_for_at_least_and_within_a_bound() {
        let mut backoff = backoff(Retry::default());
        let waited = delay(backoff.next(Attempt::InVain, Some(SECOND * 20)));
        assert!(waited >= SECOND * 20 && waited <= SECOND * 22, "{waited:?}");
        let waited = delay(backoff.next(Attempt::InVain, Some(SECOND * 100_000)));
        assert!(waited >= SECOND * 3600 && waited <= SECOND * 3602, "{waited:?}");
    }
}
