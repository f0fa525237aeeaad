//! Settings of the plain door.

use std::time::Duration;

use crate::{BodyBounds, sending::SendBuffers};

/// See the fields.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a stream may be silent before a heartbeat goes out.
    pub heartbeat: Duration,
    /// How long clients are told to wait before they come again.
    pub retry: Duration,
    /// How long bodies of requests may take, and how much of them is held at a time.
    pub bodies: BodyBounds,
    /// How many bytes of large events are on their way to readers at a time.
    pub send_buffers: SendBuffers,
    /// The most bytes of the body of a subscription (413).
    pub max_subscribe_body: usize,
    /// The most topics that streams of one address read at a time without a token while nothing is known of them (429).
    /// None: they do not count. An address is known only behind a [`Guard`](crate::guard::Guard), of a request with a
    /// [`Peer`](crate::guard::Peer).
    pub max_unknown_topics_per_address: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: crate::stream::respond::HEARTBEAT,
            retry: Duration::from_secs(1),
            bodies: BodyBounds::default(),
            send_buffers: SendBuffers::default(),
            max_subscribe_body: 512 << 10,
            max_unknown_topics_per_address: None,
        }
    }
}
