//! The clocks, read in one place.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Where records get their time from.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Reading>>>);

/// Both clocks at a time.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub(crate) wall: Millis,
    /// Since some moment. Nobody sets it, and it goes on while the machine is suspended, where the system has such a clock.
    pub monotonic: Millis,
}

/// The system's clock says a time before 1970, which no record, cookie or HTTP date can have.
#[derive(Debug, thiserror::Error)]
#[error("the system's clock is {} seconds before 1970: set it (NTP, `date -s`), then start again", .0.as_secs())]
pub struct Before1970(Duration);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it: for tests and simulations.
    #[must_use]
    pub fn manual(start: Millis) -> Self {
        let reading = Reading {
            wall: start,
            monotonic: 0,
        };
        Self(Some(Arc::new(Mutex::new(reading))))
    }

    /// The time now. Before 1970 it is 0.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.read().wall
    }

    pub(crate) fn read(&self) -> Reading {
        match &self.0 {
            Some(at) => *at.lock(),
            None => Reading {
                wall: wall().duration_since(UNIX_EPOCH).map_or(0, millis),
                monotonic: monotonic(),
            },
        }
    }

    /// Whether the system's clock says a time that there is in the log and in HTTP. A manual one always does.
    ///
    /// # Errors
    /// [`Before1970`].
    pub fn check(&self) -> Result<(), Before1970> {
        match &self.0 {
            Some(_) => Ok(()),
            None => check(wall()),
        }
    }

    /// Moves a manual clock forward; the system's clock goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.0 {
            let mut at = at.lock();
            at.wall = at.wall.saturating_add(millis(by));
            at.monotonic = at.monotonic.saturating_add(millis(by));
        }
    }

    /// Sets a manual clock forward or back by so many milliseconds, in no time.
    pub fn leap(&self, by: i64) {
        if let Some(at) = &self.0 {
            let mut at = at.lock();
            at.wall = at.wall.saturating_add_signed(by);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn wall() -> SystemTime {
    SystemTime::now()
}

fn monotonic() -> Millis {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let now = clock_gettime(CLOCK);
    millis(Duration::try_from(now).unwrap_or_default())
}

fn check(wall: SystemTime) -> Result<(), Before1970> {
    match wall.duration_since(UNIX_EPOCH) {
        Ok(_) => Ok(()),
        Err(before) => Err(Before1970(before.duration())),
    }
}

/// A duration in milliseconds; what does not fit is the longest there is.
pub fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Clock::manual"
        } else {
            "Clock::system"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_is_refused() {
        check(UNIX_EPOCH).unwrap();
        let refused = check(UNIX_EPOCH - Duration::from_secs(5))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("5 seconds before 1970: set it"), "{refused}");
    }

    #[test]
    fn the_monotonic_clock_goes_on() {
        let clock = Clock::system();
        let before = clock.read().monotonic;
        while clock.read().monotonic == before {
            std::thread::yield_now();
        }
        assert!(clock.read().monotonic > before);
    }
}
