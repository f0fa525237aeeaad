//! What the page shows, as it comes: an event stream of updates.
//!
//! An update is made when something has changed and the page has taken the update before, [`PACE`] later at the earliest:
//! so a page that is slow gets fewer updates, not older ones. What has left the store in the meantime is counted (`lost`).
//! The first update is the whole state, so a page that comes again needs no cursor.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tidewire_codec::Event;
use tidewire_doors::Sse;
use tokio::{sync::watch, time::sleep};

use super::{
    item::Item,
    store::Store,
    stream::{Stream, Summary},
};

/// Between two updates.
const PACE: Duration = Duration::from_millis(100);

/// How many items, and how many chunks, an update has at most; the rest comes with the next.
const MAX_ITEMS: usize = 500;
const MAX_CHUNKS: usize = 64;

/// When a page whose feed broke comes again.
const RETRY: Duration = Duration::from_millis(500);

/// Of which stream the page shows what.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Wanted {
    stream: Option<u64>,
    /// Its chunks too.
    #[serde(default)]
    raw: bool,
}

#[derive(Serialize)]
struct Update<'a> {
    /// Requests that went through the tap.
    passed: u64,
    /// The streams that are kept, oldest first.
    ids: Vec<u64>,
    /// Those that have changed.
    streams: Vec<Summary<'a>>,
    /// Of the wanted stream.
    items: Vec<&'a Item>,
    chunks: Vec<Raw<'a>>,
    /// Items that went before they could be shown.
    lost: u64,
}

/// A chunk as it came.
#[derive(Serialize)]
struct Raw<'a> {
    n: usize,
    at: u64,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Raw<'a> {
    fn new(n: usize, (at, bytes): &'a (u64, Bytes)) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        Self {
            n,
            at: *at,
            size: bytes.len(),
            text,
            base64: text.is_none().then(|| BASE64_STANDARD.encode(bytes)),
        }
    }
}

/// Where a page is.
struct Feed {
    store: Arc<Store>,
    changes: watch::Receiver<u64>,
    wanted: Wanted,
    /// The store's version that it has seen; none at first.
    seen: Option<u64>,
    /// The last item, and how many chunks.
    item: u64,
    chunks: usize,
    /// There was more than an update holds.
    has_more: bool,
}

pub(super) async fn feed(State(store): State<Arc<Store>>, Query(wanted): Query<Wanted>) -> Response {
    let feed = Feed {
        changes: store.changes(),
        store,
        wanted,
        seen: None,
        item: 0,
        chunks: 0,
        has_more: false,
    };
    let updates = stream::unfold(feed, |mut feed| async move {
        feed.news().await?;
        let update = feed.update();
        Some((Ok::<_, Infallible>(Event::new(update)), feed))
    });
    Sse::new(updates).retry(RETRY).into_response()
}

impl Feed {
    /// Waits for something to tell; none if there will be nothing any more.
    async fn news(&mut self) -> Option<()> {
        if self.seen.is_some() && !self.has_more {
            self.changes.changed().await.ok()?;
            sleep(PACE).await;
        }
        self.changes.mark_unchanged();
        Some(())
    }

    fn update(&mut self) -> String {
        let Wanted { stream, raw } = self.wanted;
        let (seen, item, chunks) = (self.seen.unwrap_or_default(), self.item, self.chunks);
        let passed = self.store.passed();
        let (version, (text, last, more)) = self.store.look_at_all(|streams| {
            let wanted = streams.iter().find(|candidate| Some(candidate.id) == stream);
            let items = wanted
                .filter(|_| !raw)
                .map(|stream| stream.items.after(item, MAX_ITEMS));
            let items = items.unwrap_or_default();
            let raw = wanted
                .filter(|_| raw)
                .map(|stream| stream.kept.after(chunks, MAX_CHUNKS));
            let raw = raw.unwrap_or_default();
            let last = items.last().map_or(item, |item| item.n);
            let update = Update {
                passed,
                ids: streams.iter().map(|stream| stream.id).collect(),
                streams: streams
                    .iter()
                    .filter(|stream| stream.changed > seen)
                    .map(Stream::summary)
                    .collect(),
                lost: items.first().map_or(0, |first| first.n - item - 1),
                items: items.iter().map(|item| &**item).collect(),
                chunks: (chunks..)
                    .zip(raw)
                    .map(|(n, chunk)| Raw::new(n + 1, chunk))
                    .collect(),
            };
            // Fails only for map keys that are no text; there are none.
            let text = serde_json::to_string(&update).unwrap_or_default();
            let more = items.len() == MAX_ITEMS || raw.len() == MAX_CHUNKS;
            (text, (last, chunks + raw.len()), more)
        });
        self.seen = Some(version);
        (self.item, self.chunks) = last;
        self.has_more = more;
        text
    }
}
