//! The wall clock, judged by the monotonic one: a leap of the wall clock lets nothing expire.
//!
//! Records are stamped by the wall clock, and expire by it as long as it goes on as the monotonic clock does. After a leap, and
//! at a start more than [`FAR`] from the newest record, whatever the wall clock says may be wrong: until an operator confirms it,
//! or it has lasted [`PATIENCE`], records expire by the earlier of the wall clock and of the time that the leap left.
//!
//! Smaller leaps than `SLACK` count at once: they let records expire that much too early or too late.

use std::fmt;

use parking_lot::Mutex;

use crate::{Clock, Millis, clock::Reading};

/// The largest leap that is none. Clocks that are set right from time to time leap by seconds.
const SLACK: Millis = 60_000;

/// How far the clock may be from the newest record when a log is opened.
pub const FAR: Millis = 24 * 60 * 60 * 1000;

/// A leap that lasts this long is believed.
pub const PATIENCE: Millis = 60 * 60 * 1000;

/// The time, for two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For what happens now: the wall clock's.
    pub stamp: Millis,
    /// For what is kept: it expires by this time.
    pub expiry: Millis,
}

/// See the module's text.
pub struct Timekeeper {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    /// When the wall clock was believed last.
    anchor: Reading,
    leap: Option<Leap>,
}

/// The wall clock has leapt, and is not believed.
#[derive(Clone, Copy)]
struct Leap {
    /// On the monotonic clock.
    since: Millis,
    /// Backward, it is negative.
    by: i64,
}

impl Timekeeper {
    /// Starts at the time of the newest record, if there is one.
    pub fn start(clock: Clock, newest: Option<Millis>) -> Self {
        let now = clock.read();
        let anchor = Reading {
            wall: newest.unwrap_or(now.wall),
            ..now
        };
        let by = difference(now.wall, anchor.wall);
        let state = match by.unsigned_abs() > FAR {
            true => {
                tracing::warn!(
                    "the clock is {} the newest record of the log: nothing expires by it until it has gone on so for an hour. If \
                     the clock is right, SIGUSR1 to this process confirms it at once; if not, set it",
                    Shown(by)
                );
                let since = now.monotonic;
                State {
                    anchor,
                    leap: Some(Leap { since, by }),
                }
            }
            false => State {
                anchor: now,
                leap: None,
            },
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    /// The time now.
    pub fn read(&self) -> Times {
        let mut state = self.state.lock();
        let now = self.clock.read();
        state.judge(now);
        Times {
            stamp: now.wall,
            expiry: state.expiry(now),
        }
    }

    /// Whether the wall clock is not believed.
    pub fn is_in_doubt(&self) -> bool {
        let mut state = self.state.lock();
        state.judge(self.clock.read());
        state.leap.is_some()
    }

    /// An operator says that the wall clock is right. Whether it was in doubt.
    pub fn confirm(&self) -> bool {
        let mut state = self.state.lock();
        let now = self.clock.read();
        state.judge(now);
        let was_in_doubt = state.leap.is_some();
        (state.anchor, state.leap) = (now, None);
        was_in_doubt
    }
}

impl State {
    fn judge(&mut self, now: Reading) {
        let by = difference(now.wall, self.steady(now));
        match self.leap {
            _ if by.unsigned_abs() <= SLACK => {
                if self.leap.is_some() {
                    tracing::info!("the clock is where it should be: records expire by it again");
                }
                (self.anchor, self.leap) = (now, None);
            }
            Some(leap) if by.abs_diff(leap.by) <= SLACK => {
                if now.monotonic.saturating_sub(leap.since) >= PATIENCE {
                    tracing::warn!(
                        "the clock has stayed where it leapt to for an hour: records expire by it again"
                    );
                    (self.anchor, self.leap) = (now, None);
                }
            }
            _ => {
                tracing::warn!(
                    "the clock has leapt: it is {} where it should be. Nothing expires by it until it has gone on so for an hour. If \
                     the clock is right, SIGUSR1 to this process confirms it at once; if not, set it",
                    Shown(by)
                );
                self.leap = Some(Leap {
                    since: now.monotonic,
                    by,
                });
            }
        }
    }

    /// Where the wall clock would be without a leap.
    fn steady(&self, now: Reading) -> Millis {
        let passed = now.monotonic.saturating_sub(self.anchor.monotonic);
        self.anchor.wall.saturating_add(passed)
    }

    fn expiry(&self, now: Reading) -> Millis {
        match self.leap {
            Some(_) => self.steady(now).min(now.wall),
            None => now.wall,
        }
    }
}

fn difference(a: Millis, b: Millis) -> i64 {
    let clamp = |value: Millis| i64::try_from(value).unwrap_or(i64::MAX);
    clamp(a) - clamp(b)
}

/// How far before or after another time, for people.
struct Shown(i64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds")];
        let seconds = self.0.unsigned_abs() / 1000;
        let side = if self.0 < 0 { "before" } else { "after" };
        let unit = UNITS.into_iter().find(|(length, _)| seconds >= 2 * length);
        let (length, name) = unit.unwrap_or((1, "seconds"));
        write!(f, "{} {name} {side}", seconds / length)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Millis = FAR;
    const NOW: Millis = 1000 * DAY;

    fn kept_at(now: Millis, newest: impl Into<Option<Millis>>) -> (Timekeeper, Clock) {
        let clock = Clock::manual(now);
        (Timekeeper::start(clock.clone(), newest.into()), clock)
    }

    fn pass(clock: &Clock, time: Millis) {
        clock.advance(Duration::from_millis(time));
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let (keeper, clock) = kept_at(NOW, NOW - DAY);
        for _ in 0..10 {
            pass(&clock, 3 * DAY);
            clock.leap(SLACK.cast_signed()); // Set right, by little.
            let Times { stamp, expiry } = keeper.read();
            assert_eq!((stamp, expiry), (clock.now(), clock.now()));
        }
        assert!(!keeper.confirm());
    }

    #[test]
    fn a_leap_counts_when_it_has_lasted_an_hour() {
        let (keeper, clock) = kept_at(NOW, None);
        clock.leap(8 * DAY.cast_signed());
        assert_eq!(
            keeper.read(),
            Times {
                stamp: NOW + 8 * DAY,
                expiry: NOW
            }
        );
        pass(&clock, PATIENCE - 1);
        assert_eq!(keeper.read().expiry, NOW + PATIENCE - 1, "time passes meanwhile");
        pass(&clock, 1);
        assert_eq!(keeper.read().expiry, NOW + 8 * DAY + PATIENCE);
    }

    #[test]
    fn a_leap_that_is_taken_back_never_counts() {
        let (keeper, clock) = kept_at(NOW, None);
        clock.leap(8 * DAY.cast_signed());
        keeper.read();
        pass(&clock, PATIENCE / 2);
        clock.leap(-8 * DAY.cast_signed());
        let now = NOW + PATIENCE / 2;
        assert_eq!(
            keeper.read(),
            Times {
                stamp: now,
                expiry: now
            }
        );
        assert!(!keeper.confirm());
    }

    #[test]
    fn each_leap_has_its_own_hour() {
        let (keeper, clock) = kept_at(NOW, None);
        for _ in 0..3 {
            clock.leap(DAY.cast_signed());
            keeper.read();
            pass(&clock, PATIENCE / 2);
        }
        assert_eq!(keeper.read().expiry, NOW + PATIENCE / 2 * 3);
    }

    #[test]
    fn an_operator_confirms_a_leap() {
        let (keeper, clock) = kept_at(NOW, None);
        assert!(!keeper.is_in_doubt());
        clock.leap(8 * DAY.cast_signed());
        assert!(keeper.is_in_doubt());
        assert!(keeper.confirm());
        assert!(!keeper.is_in_doubt());
        assert_eq!(keeper.read().expiry, NOW + 8 * DAY);
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nothing_expire_early() {
        let (keeper, clock) = kept_at(NOW, None);
        clock.leap(-8 * DAY.cast_signed());
        let back = NOW - 8 * DAY;
        assert_eq!(
            keeper.read(),
            Times {
                stamp: back,
                expiry: back
            }
        );
        assert!(keeper.confirm(), "it is a leap too");
        // Set right again: that is one more.
        clock.leap(8 * DAY.cast_signed());
        assert_eq!(
            keeper.read(),
            Times {
                stamp: NOW,
                expiry: back
            }
        );
    }

    #[test]
    fn at_a_start_far_from_the_newest_record_nothing_expires_for_an_hour() {
        let (keeper, clock) = kept_at(NOW, NOW - 3 * DAY);
        assert_eq!(
            keeper.read(),
            Times {
                stamp: NOW,
                expiry: NOW - 3 * DAY
            }
        );
        pass(&clock, PATIENCE);
        assert_eq!(keeper.read().expiry, NOW + PATIENCE);

        let (keeper, _) = kept_at(NOW, NOW + 3 * DAY);
        assert_eq!(
            keeper.read(),
            Times {
                stamp: NOW,
                expiry: NOW
            }
        );
        assert!(keeper.confirm());
        let (keeper, _) = kept_at(NOW, NOW - DAY);
        assert_eq!(keeper.read().expiry, NOW, "a day is not far");
    }

    #[test]
    fn a_distance_is_shown_for_people() {
        for (by, shown) in [
            (8 * DAY.cast_signed(), "8 days after"),
            (-90 * 60_000, "90 minutes before"),
            (61_000, "61 seconds after"),
        ] {
            assert_eq!(Shown(by).to_string(), shown);
        }
    }
}
