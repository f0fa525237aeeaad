//! What the server does when its log can no longer be written.

use serde::{Deserialize, Serialize};

/// See the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnPoison {
    /// Readers are served on; `/readyz` is red.
    Stay,
    /// `/healthz` is red too, for supervisors that restart by it.
    Unhealthy,
    /// The server drains and ends with exit code 1, for supervisors that restart what has ended.
    Exit,
}
