//! Bytes of an open stream as items.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tidewire_codec::{self as codec, Decoder, Unfinished};

use super::{Phase, Session};
use crate::{
    builder::Config,
    error::Error,
    item::{self, Item},
};

/// So many bytes are decoded at a time, so that few items wait however large a chunk is: the shortest event
/// takes 7 bytes, and an item a hundred.
const STEP: usize = 4 << 10;

/// What was read and not decoded yet.
#[derive(Debug)]
pub(super) struct Inbox {
    decoder: Decoder,
    bytes: Bytes,
    /// When they came.
    at: Option<Instant>,
}

impl Inbox {
    pub(super) fn new(config: &Config) -> Self {
        let mut decoder = Decoder::new().with_limits(config.limits).with_retry();
        if config.comments {
            decoder = decoder.with_comments();
        }
        if let Some(id) = &config.last_event_id {
            decoder = decoder.with_last_event_id(id);
        }
        Self {
            decoder,
            bytes: Bytes::new(),
            at: None,
        }
    }

    pub(super) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    pub(super) fn put(&mut self, bytes: Bytes, now: Instant) {
        debug_assert!(
            self.bytes.is_empty(),
            "bytes are asked for when all have been decoded"
        );
        self.bytes = bytes;
        self.at = Some(now);
    }

    /// The stream is over: an unfinished event is dropped, and the last event id kept.
    pub(super) fn end(&mut self) {
        self.decoder.finish(Unfinished::Drop);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.end();
    }
}

impl Session {
    /// Decodes until something is ready. `false`: there is nothing left to decode.
    pub(super) fn decode(&mut self) -> bool {
        let before = self.ready.len();
        while !self.inbox.bytes.is_empty() {
            let step = self.inbox.bytes.split_to(STEP.min(self.inbox.bytes.len()));
            let mut feed = self.inbox.decoder.feed(&step);
            while let Some(item) = feed.next() {
                let item = match item {
                    codec::Item::Event(event) => {
                        if let Phase::Open(opened) = &mut self.phase {
                            opened.ends_with_retry = false;
                        }
                        Ok(item::of_message(event.to_message()))
                    }
                    codec::Item::Comment(text) => Ok(Item::Comment(text.to_owned())),
                    codec::Item::Retry(millis) => {
                        self.backoff.set_base(Duration::from_millis(millis));
                        if let Phase::Open(opened) = &mut self.phase {
                            opened.is_empty = false;
                            opened.ends_with_retry = true;
                        }
                        if !self.config.comments {
                            continue;
                        }
                        Ok(Item::Retry(Duration::from_millis(millis)))
                    }
                    codec::Item::Overlong(overlong) => Err(Error::Overlong(overlong)),
                };
                self.ready.push_back(item);
            }
            if self.ready.len() > before {
                return true;
            }
        }
        false
    }

    /// An item is handed out.
    pub(super) fn given(&mut self, item: &Result<Item, Error>, now: Instant) {
        self.yielded_at.get_or_insert(now);
        match item {
            Ok(Item::Event(event)) => {
                let is_end = item::is_end(event);
                let is_new = !event.has_id || event.last_event_id != self.last_event_id;
                event.last_event_id.clone_into(&mut self.last_event_id);
                self.counters.events += 1;
                if let Some(at) = self.inbox.at {
                    self.counters.lag = now.saturating_duration_since(at);
                }
                self.progressed(is_new, now);
                if let Phase::Open(opened) = &mut self.phase {
                    opened.is_end = is_end;
                    opened.has_event |= is_new;
                }
            }
            Ok(Item::Gap(gap)) => {
                gap.last_event_id.clone_into(&mut self.last_event_id);
                self.counters.gaps += 1;
                self.progressed(true, now);
            }
            Err(Error::Overlong(_)) => {
                self.counters.overlong += 1;
                self.progressed(false, now);
            }
            _ => {}
        }
    }

    fn progressed(&mut self, is_new: bool, now: Instant) {
        if let Phase::Open(opened) = &mut self.phase {
            opened.liveness.event(now);
            opened.is_empty = false;
            opened.is_fruitful |= is_new;
            opened.is_end = false;
        }
    }

    /// All items are handed out: what data-less blocks said of the id counts now, too.
    pub(super) fn commit_id(&mut self) {
        let id = self.inbox.decoder.last_event_id();
        // After `close` it may be that of an event that was never handed out.
        if id != self.last_event_id && !matches!(self.phase, Phase::Closed) {
            id.clone_into(&mut self.last_event_id);
            if let Phase::Open(opened) = &mut self.phase {
                opened.is_empty = false;
                opened.is_fruitful = true;
            }
        }
    }
}
