//! Settings of the plain door.

use std::time::Duration;

/// See the fields.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a stream may be silent before a heartbeat goes out.
    pub heartbeat: Duration,
    /// How long clients are told to wait before they come again.
    pub retry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: crate::respond::HEARTBEAT,
            retry: Duration::from_secs(1),
        }
    }
}
