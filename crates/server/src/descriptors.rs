//! How many files the process may open. A connection is one, and the usual limit is far too low for a server.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides connections.
pub(crate) const OTHERS: u64 = 64;

/// Raises the limit as far as the system lets us; what it is then, or none.
pub(crate) fn raise() -> Option<u64> {
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
