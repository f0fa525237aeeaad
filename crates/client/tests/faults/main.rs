//! The client on real sockets, before a server that fails in every way there is.
//!
//! | open | for |
//! |---|---|
//! | [`server`] | the server: raw bytes, cuts, resets |
//! | [`reconnect`] | nothing is lost or repeated, however streams break |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod reconnect;
mod server;

use std::time::Duration;

use futures_util::StreamExt as _;
use tidewire_client::{Builder, Error, EventSource, Item, Retry};

/// Comes again at once, or nearly.
pub fn soon() -> Retry {
    Retry {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(5),
        floor: Duration::from_millis(1),
        ..Retry::default()
    }
}

/// A source that comes again at once.
pub fn get(url: &str) -> Builder {
    EventSource::get(url).retry(soon())
}

/// The next item, which comes before long.
pub async fn next(source: &mut EventSource) -> Option<Result<Item, Error>> {
    tokio::time::timeout(Duration::from_secs(20), source.next())
        .await
        .expect("nothing came")
}

/// The next item that is no `Open` and no `Reconnecting`.
pub async fn event(source: &mut EventSource) -> String {
    loop {
        match next(source).await.expect("it ended").expect("it failed") {
            Item::Event(event) => return event.data,
            Item::Open(_) | Item::Reconnecting(_) => {}
            other => return format!("{other:?}"),
        }
    }
}
