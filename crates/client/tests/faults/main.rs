//! The client on real sockets, before a server that fails in every way there is.
//!
//! | open | for |
//! |---|---|
//! | [`server`] | the server: raw bytes, cuts, resets |
//! | [`answers`] | every status, wrong media types, heads that are slow, endless or no HTTP |
//! | [`cuts`] | a stream cut at every byte of its answer, packed or not |
//! | [`life`] | close, restart and drop: what is left behind, which is nothing |
//! | [`reconnect`] | nothing is lost or repeated, however streams break |
//! | [`redirects`] | chains, loops, other origins |
//! | [`requests`] | bodies, fresh headers, proxies, other transports, HTTP/2 |
//! | [`silence`] | stalls, and servers that are gone without a word |
//! | [`streams`] | events, JSON and text over real streams |
//! | [`vectors`] | the codec's vectors through the client |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod answers;
mod cuts;
mod life;
mod reconnect;
mod redirects;
mod requests;
mod server;
mod silence;
mod streams;
mod vectors;

use std::time::Duration;

use futures_util::StreamExt as _;
use tidewire_client::{Builder, Cause, Error, EventSource, Item, Retry};

/// How long anything may take that is to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

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

/// One client for many sources: to make one takes longer than to read a stream.
pub fn client() -> reqwest::Client {
    // A client of the test's own takes its crypto from the process. Fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder()
        .redirect(none)
        .no_proxy()
        .build()
        .unwrap()
}

/// The next item, which comes before long.
pub async fn next(source: &mut EventSource) -> Option<Result<Item, Error>> {
    tokio::time::timeout(PATIENCE, source.next())
        .await
        .expect("nothing came")
}

/// The next event, whatever reconnections it takes.
pub async fn event(source: &mut EventSource) -> String {
    loop {
        match next(source).await.expect("it ended").expect("it failed") {
            Item::Event(event) => return event.data,
            Item::Open(_) | Item::Reconnecting(_) => {}
            other => return format!("{other:?}"),
        }
    }
}

/// Why it comes again, which is the next item but for the opening.
pub async fn cause(source: &mut EventSource) -> Cause {
    loop {
        match next(source).await.expect("it ended").expect("it failed") {
            Item::Reconnecting(again) => return again.cause,
            Item::Open(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The error that ends it, which is the next item.
pub async fn end(source: &mut EventSource) -> Error {
    let error = next(source).await.expect("it ended").expect_err("it goes on");
    assert!(error.is_final(), "{error}");
    assert!(next(source).await.is_none(), "nothing comes after the end");
    error
}
