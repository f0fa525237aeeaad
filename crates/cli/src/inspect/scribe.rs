//! Reads what was seen of one stream into the store. One task a stream; it ends with the stream, or when the store has
//! let go of it.

use std::sync::Arc;

use super::{reading::Reading, store::Store, stream::Kept, watched::Told};
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
            self.read(seen.at, &seen.bytes);
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

    fn read(&mut self, at: u64, bytes: &[u8]) {
        if !self.unpack.is_packed() {
            return self.reading.chunk(at, bytes.len(), bytes);
        }
        let readable = self.unpack.feed(bytes);
        self.unpack.forget();
        if self.unpack.has_failed() {
            self.reading.packed(at);
        }
        self.reading.chunk(at, bytes.len(), &readable);
    }

    /// The view fell behind.
    fn missed(&mut self, at: u64, bytes: u64) {
        self.reading.hole(at, bytes);
        if self.unpack.is_packed() {
            self.reading.packed(at);
        }
        self.tell(Kept::close);
    }

    fn tell(&mut self, keep: impl FnOnce(&mut Kept)) -> bool {
        let news = self.reading.take_news();
        self.store.change(self.id, |stream| {
            stream.read(self.reading.counts(), self.reading.last_event_id(), news);
            keep(&mut stream.kept);
        })
    }
}
