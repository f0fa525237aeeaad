//! Letting go: whole segments, the oldest first.
//!
//! What is gone is written down before it is removed: a floor that is on disk for an event that is still there does no harm, the
//! other way round a reader would not be told. And the log is made safe before that: what is written down must not know of records
//! that a crash may take.

use std::{io, ops::ControlFlow, sync::Arc};

use super::{
    reads,
    segment::{FOLDER, SealedSegment, index_name, segment_name},
    writer::{Log, Writer},
};
use crate::{Millis, Seq, TopicSet, clock::millis, stats::Held};

impl Log {
    /// See [`Archive::trim`](crate::archive::Archive::trim).
    pub(crate) fn trim(&self, now: Millis) {
        let mut writer = self.writer.lock();
        if writer.poisoned().is_some() {
            return;
        }
        if let Err(error) = self.let_go(&mut writer, now) {
            tracing::warn!(%error, "cannot let old events go: trying again");
        }
    }

    fn let_go(&self, writer: &mut Writer, now: Millis) -> io::Result<()> {
        let retention = &self.settings.retention;
        let oldest = retention.max_age.map_or(0, |age| now.saturating_sub(millis(age)));
        let (last, is_old) = {
            let state = self.state.read();
            let totals = state.index.totals;
            (state.last(), totals.records > 0 && totals.last_time < oldest)
        };
        if is_old {
            self.roll(writer, last.next()).map_err(io::Error::other)?;
        }
        let drop = {
            let state = self.state.read();
            let mut bytes: u64 =
                state.sealed.iter().map(|segment| segment.body.len).sum::<u64>() + state.active.len;
            let mut events: u64 = state
                .sealed
                .iter()
                .map(|segment| segment.index.totals.events)
                .sum::<u64>()
                + state.index.totals.events;
            let is_too_much = |segment: &&Arc<SealedSegment>| {
                let totals = segment.index.totals;
                // The newest event stays, however large it is.
                let over = bytes > retention.max_bytes as u64 && events > totals.events
                    || retention
                        .max_events
                        .is_some_and(|max| events - totals.events >= max as u64)
                    || totals.last_time < oldest;
                bytes -= segment.body.len;
                events -= totals.events;
                over
            };
            state.sealed.iter().take_while(is_too_much).count()
        };
        if drop > 0 {
            self.sync_written(writer).map_err(io::Error::other)?;
            self.remove_oldest(drop)
        } else {
            Ok(())
        }
    }

    fn remove_oldest(&self, count: usize) -> io::Result<()> {
        let sealed = Arc::clone(&self.state.read().sealed);
        let (old, kept) = sealed.split_at(count);
        let mut topics = self.state.read().topics.clone();
        for segment in old {
            for line in segment.index.topics() {
                let (topic, line) = line?;
                let event = line.last_event.map(u64::from);
                let floor = event.map_or(Seq::ZERO, |delta| Seq(segment.body.header.base.0 + delta));
                topics.raise(&topic, floor, segment.index.totals.last);
            }
        }
        topics.save(&*self.disk, &self.id)?;
        {
            let mut state = self.state.write();
            state.topics = topics;
            state.sealed = Arc::new(kept.to_vec());
        }
        for segment in old {
            let base = segment.body.header.base;
            self.disk.remove(&segment_name(base))?;
            self.disk.remove(&index_name(base))?;
        }
        self.disk.sync_dir(FOLDER)
    }

    /// See [`Archive::purge`](crate::archive::Archive::purge).
    pub(crate) fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        let _writer = self.writer.lock();
        let mut count = 0;
        reads::walk_back(&self.state, topics, through, |_, is_event| {
            count += usize::from(is_event);
            ControlFlow::Continue(())
        })?;
        let mut last_events = Vec::new();
        for topic in topics {
            let mut last = Seq::ZERO;
            let set = TopicSet::from(topic.clone());
            reads::walk_back(&self.state, &set, through, |seq, is_event| match is_event {
                true => {
                    last = seq;
                    ControlFlow::Break(())
                }
                false => ControlFlow::Continue(()),
            })?;
            last_events.push(last);
        }
        let mut state = self.state.write();
        for (topic, event) in topics.iter().zip(last_events) {
            state.topics.purge(topic, event, through);
        }
        Ok(count)
    }

    /// See [`Archive::held`](crate::archive::Archive::held).
    pub(crate) fn held(&self) -> Held {
        let state = self.state.read();
        let records: u64 = state
            .sealed
            .iter()
            .map(|segment| segment.index.totals.records)
            .sum();
        let bytes: u64 = state.sealed.iter().map(|segment| segment.body.len).sum();
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Held {
            records: whole(records + state.index.totals.records),
            bytes: whole(bytes + state.active.len),
        }
    }
}
