//! Reads what was seen of one stream into the store. One task a stream; it ends with the stream, or when the store has
//! let go of it.

use std::sync::Arc;

use super::{reading::Reading, store::Store, watched::Told};
use crate::unpack::Unpack;

pub(super) struct Scribe {
    pub(super) store: Arc<Store>,
    pub(super) id: u64,
    pub(super) told: Told,
    pub(super) reading: Reading,
    pub(super) unpack: Unpack,
}

impl Scribe {
    pub(super) async fn run(mut self) {
        while let Some(seen) = self.told.chunk().await {
            if seen.missed > 0 {
                self.missed(seen.at, seen.missed);
            }
            match self.unpack.feed(&seen.bytes) {
                Some(bytes) => self.reading.chunk(seen.at, seen.bytes.len(), &bytes),
                None => {
                    self.reading.packed(seen.at);
                    self.reading.chunk(seen.at, seen.bytes.len(), &[]);
                }
            }
            if !self.tell(|kept| kept.push(seen.at, &seen.bytes)) {
                return;
            }
        }
        let Some(over) = self.told.over().cloned() else {
            return;
        };
        if over.missed > 0 {
            self.missed(over.at, over.missed);
        }
        self.reading.end(over.at);
        self.tell(|_| {});
        self.store.change(self.id, |stream| stream.end(over));
    }

    /// The view fell behind.
    fn missed(&mut self, at: u64, bytes: u64) {
        self.reading.hole(at, bytes);
        if self.unpack.is_packed() {
            self.reading.packed(at);
        }
        self.tell(super::stream::Kept::close);
    }

    fn tell(&mut self, keep: impl FnOnce(&mut super::stream::Kept)) -> bool {
        let news = self.reading.take_news();
        self.store.change(self.id, |stream| {
            stream.read(self.reading.counts(), self.reading.last_event_id(), news);
            keep(&mut stream.kept);
        })
    }
}
