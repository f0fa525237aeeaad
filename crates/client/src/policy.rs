//! When to come again, and when to give up.
//!
//! Pure: what happened goes in, a delay or the end comes out. No clock, no socket; chance comes from a
//! generator that can be seeded.
//!
//! The rules, in order:
//! 1. An attempt that brought a new event, or stayed open for [`Retry::stable_after`], is a success: the
//!    count of attempts in vain begins anew.
//! 2. After [`Retry::max_attempts`] attempts in vain in a row the source gives up.
//! 3. After [`Retry::max_fruitless`] answers in a row that were a stream, held nothing and ended at once,
//!    it gives up too: whoever answers so does not get better by being asked for ever.
//! 4. Else it waits: a time drawn evenly between [`Retry::floor`] and the ceiling ("full jitter"). The
//!    ceiling is the server's `retry`, or [`Retry::base`], doubled with each attempt in vain up to
//!    [`Retry::cap`].
//! 5. What `Retry-After` says is waited for at least, up to [`Retry::max_wait`].

use std::time::Duration;

use http::StatusCode;

/// Longer than anybody waits, and yet a time that clocks can count: what is longer means never.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How a source comes again; the module's text has the rules.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The first ceiling, until the server sends a `retry` field. Default: 1 s.
    pub base: Duration,
    /// The ceiling grows up to here. Default: 30 s.
    pub cap: Duration,
    /// No delay is shorter, whatever the server says (`retry: 0`). Default: 100 ms.
    pub floor: Duration,
    /// What a server may ask for at most, with `retry` or `Retry-After`. Default: 10 minutes.
    pub max_wait: Duration,
    /// So many attempts in vain in a row are the last. Default: none, it goes on.
    pub max_attempts: Option<u32>,
    /// So many empty streams in a row are the last. Default: 10.
    pub max_fruitless: Option<u32>,
    /// A connection that was open for so long was a success. Default: 10 s.
    pub stable_after: Duration,
    /// Which statuses are worth another attempt. Default: 429 and all 5xx.
    pub statuses: fn(StatusCode) -> bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            floor: Duration::from_millis(100),
            max_wait: Duration::from_secs(600),
            max_attempts: None,
            max_fruitless: Some(10),
            stable_after: Duration::from_secs(10),
            statuses: |status| status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
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
    /// Attempts in vain in a row.
    failures: u32,
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
        (self.failures, self.fruitless) = (0, 0);
    }

    /// The next attempt's number, counted from the last success.
    pub(crate) fn number(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// What comes after an attempt that went so; `after` is what `Retry-After` said.
    pub(crate) fn next(&mut self, attempt: Attempt, after: Option<Duration>) -> Next {
        match attempt {
            Attempt::Success => self.succeeded(),
            Attempt::Fruitless => {
                self.failures = self.failures.saturating_add(1);
                self.fruitless += 1;
            }
            Attempt::InVain => {
                self.failures = self.failures.saturating_add(1);
                self.fruitless = 0;
            }
        }
        let (attempts, answers) = (self.failures, self.fruitless);
        if attempts > 0 && self.retry.max_attempts.is_some_and(|max| attempts >= max) {
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
        let base = self.asked.map_or(base, |asked| asked.min(max_wait)).max(floor);
        let doublings = self.failures.saturating_sub(1).min(31);
        // A server that asks for more than the cap gets it, but no more than that.
        let ceiling = base.saturating_mul(1 << doublings).min(cap.max(base));
        let jitter = floor + (ceiling - floor).mul_f64(self.random.f64());
        match after {
            // The jitter on top, so that not all come back in the same second.
            Some(after) => after.min(max_wait) + jitter.min(base),
            None => jitter,
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
    fn the_ceiling_doubles_up_to_the_cap_and_delays_are_drawn_from_all_below_it() {
        for (failures, ceiling) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (60, 30)] {
            let (shortest, longest) = spread(failures, None);
            let ceiling = SECOND * ceiling;
            assert!(
                longest <= ceiling && longest > ceiling.mul_f64(0.98),
                "{longest:?}"
            );
            let floor = Duration::from_millis(100);
            assert!(
                shortest >= floor && shortest < floor + ceiling / 50,
                "{shortest:?}"
            );
        }
    }

    #[test]
    fn a_servers_retry_is_the_first_ceiling() {
        let (_, longest) = spread(1, Some(SECOND * 5));
        assert!(longest <= SECOND * 5 && longest > SECOND * 4);
    }

    #[test]
    fn a_servers_retry_above_the_cap_is_kept_to_but_does_not_grow() {
        let (_, longest) = spread(4, Some(SECOND * 60));
        assert!(longest <= SECOND * 60 && longest > SECOND * 58);
        let (_, longest) = spread(1, Some(SECOND * 1_000_000));
        assert!(longest <= SECOND * 600, "max_wait bounds it");
    }

    #[test]
    fn retry_0_has_a_floor_and_still_grows() {
        let (shortest, longest) = spread(1, Some(Duration::ZERO));
        assert_eq!((shortest, longest), (SECOND / 10, SECOND / 10));
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
        assert!(delay <= SECOND);
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
        assert!(matches!(
            backoff.next(Attempt::InVain, None),
            Next::Wait { number: 3, .. }
        ));
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
        assert!(waited >= SECOND * 20 && waited <= SECOND * 21, "{waited:?}");
        let waited = delay(backoff.next(Attempt::InVain, Some(SECOND * 100_000)));
        assert!(waited <= SECOND * 601, "{waited:?}");
    }
}
