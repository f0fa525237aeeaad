//! Letting go: whole segments, the oldest first.
//!
//! What is gone is written down before it is removed: a floor that is on disk for an event that is still there does no harm, the
//! other way round a reader would not be told. And the log is made safe before that: what is written down must not know of records
//! that a crash may take.
//!
//! From then on nobody reads the segment, but its files stay until the machine needs none of its records any more: until they are all
//! in both snapshots that a recovery may find. Files go in order, each only when it is safe that the one before it has gone: should
//! the list of topics be lost as well, the oldest that is left says what is gone.

use std::{io, sync::Arc};

use super::{
    back,
    segment::{FOLDER, SealedSegment, index_name, segment_name},
    writer::{Log, Writer, not_there},
};
use crate::{Millis, Seq, TopicSet, archive::Walk, clock::millis, stats::Held};

/// A segment that is gone, but for its files.
pub(crate) struct Leaving {
    base: Seq,
    /// Its last record.
    last: Seq,
}

impl Leaving {
    /// Whether a machine that starts anew may have to be told of its records.
    pub(crate) fn is_needed(&self, writer: &Writer) -> bool {
        self.last > writer.snapshots.covered()
    }
}

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
            self.drop_oldest(writer, drop)?;
        }
        self.remove_leaving(writer)
    }

    /// Lets the oldest segments go. What was written is safe.
    pub(crate) fn drop_oldest(&self, writer: &mut Writer, count: usize) -> io::Result<()> {
        let (sealed, mut topics) = {
            let state = self.state.read();
            (Arc::clone(&state.sealed), state.topics.clone())
        };
        let (old, kept) = sealed.split_at(count.min(sealed.len()));
        let mut uncounted = Vec::new();
        for segment in old {
            for line in segment.index.topics() {
                let (topic, line) = line?;
                let part = self.counted(segment, &topic, &line)?;
                let event = line.last_event.map(u64::from);
                let floor = event.map_or(Seq::ZERO, |delta| Seq(segment.body.header.base.0 + delta));
                topics.raise(&topic, floor, segment.index.totals.last);
                uncounted.extend(part.map(|part| (topic, part)));
            }
        }
        topics.save(&*self.disk, &self.id)?;
        let mut state = self.state.write();
        state.topics = topics;
        state.sealed = Arc::new(kept.to_vec());
        uncounted
            .iter()
            .for_each(|(topic, part)| state.ruled.take(topic, *part));
        writer.leaving.extend(old.iter().map(|segment| Leaving {
            base: segment.body.header.base,
            last: segment.index.totals.last,
        }));
        Ok(())
    }

    /// Removes the files of segments that are gone, as far as the machine can do without. What cannot be removed is tried again.
    fn remove_leaving(&self, writer: &mut Writer) -> io::Result<()> {
        while let Some(Leaving { base, .. }) = writer.leaving.front().filter(|next| !next.is_needed(writer)) {
            let removed = self.disk.remove(&segment_name(*base)).or_else(not_there);
            removed.and_then(|()| self.disk.remove(&index_name(*base)).or_else(not_there))?;
            self.disk.sync_dir(FOLDER)?;
            writer.leaving.pop_front();
        }
        Ok(())
    }

    /// See [`Archive::purge`](crate::archive::Archive::purge).
    pub(crate) fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        let _writer = self.writer.lock();
        let count = Walk::all(through)
            .run(|through, count| back::back(&self.state, topics, through, count))?
            .events;
        let mut last_events = Vec::new();
        for topic in topics {
            last_events.push(back::last_event(&self.state, topic, through)?.unwrap_or_default());
        }
        let mut state = self.state.write();
        for (topic, event) in topics.iter().zip(last_events) {
            state.topics.purge(topic, event, through);
        }
        drop(state);
        topics.iter().try_for_each(|topic| self.count_again(topic))?;
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
