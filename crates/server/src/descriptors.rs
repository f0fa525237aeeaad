//! How many files the process may open, and what for. A connection is one, and the usual limit is far too low for a server.
//!
//! The system gives each new file the lowest number that is free. So connections and refusals, which are closed at once when
//! their number is `Budget::kept_from` or more, never take what is kept for the log and for the relay's upstreams.

use std::os::fd::RawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files of the process itself: standard streams, the listener, the runtime's.
const OWN: u64 = 32;

/// Files that the log opens for a moment: a new segment, an index, a snapshot, a segment that is rewritten.
const MOMENTARY: u64 = 16;

/// With fewer nothing is left for connections.
const LEAST: u64 = 128;

/// What the files are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) connections: u64,
    /// Answers of upstreams that run at a time, which have a connection each. A quarter as many connections wait for the next
    /// answer.
    pub(crate) upstreams: u64,
    /// From this number on files are kept for the log and the upstreams.
    pub(crate) kept_from: RawFd,
}

impl Budget {
    /// Shares out `files`, for a log of so many segments and at most so many `upstreams`.
    ///
    /// # Errors
    /// There are too few.
    pub(crate) fn of(files: u64, segments: u64, upstreams: u64) -> Result<Self, String> {
        if files < LEAST {
            return Err(format!(
                "the system allows {files} open files, and the server needs {LEAST} at least: raise the limit (`ulimit -n`, \
                 systemd's LimitNOFILE=)"
            ));
        }
        // A segment and its index stay open. A log of so many that little would be left has to do with half.
        let log = (MOMENTARY + 2 * segments).min(files / 2);
        // Of what is left a quarter, with those that wait: connections need more.
        let upstreams = upstreams.min((files - log) / 5);
        let kept = files - log - upstreams - upstreams / 4;
        Ok(Self {
            connections: kept - OWN,
            upstreams,
            kept_from: RawFd::try_from(kept).unwrap_or(RawFd::MAX),
        })
    }
}

/// Raises the limit as far as the system lets us; what it is then, or none.
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: maximum,
        maximum,
    };
    // Some systems have another bound that this one must not exceed; then the limit stays.
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_its_files_whatever_the_limit_is() {
        let few = Budget::of(128, 34, 10_000).unwrap();
        assert_eq!((few.connections, few.upstreams, few.kept_from), (17, 12, 49));
        let many = Budget::of(1 << 20, 34, 10_000).unwrap();
        assert_eq!(
            (many.upstreams, many.kept_from),
            (10_000, (1 << 20) - 84 - 12_500)
        );
        let unlimited = Budget::of(u64::MAX, u64::MAX / 4, 10_000).unwrap();
        assert_eq!(unlimited.kept_from, RawFd::MAX);
        let error = Budget::of(40, 34, 10_000).unwrap_err();
        assert!(
            error.contains("allows 40") && error.contains("128 at least"),
            "{error}"
        );
    }
}
