//! Letting go: whole segments, the oldest first; of a namespace that has more than its [share](crate::archive::shares), what a
//! segment has of it.
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
    back, cause,
    segment::{FOLDER, SealedSegment, index_name, segment_name},
    writer::{Log, Writer, not_there},
};
use crate::{
    Millis, Namespace, Seq, Topic, TopicSet,
    archive::Held,
    archive::{
        Walk,
        ruled::Load,
        shares::{Each, Part, beyond},
    },
    clock::millis,
};

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
    /// See [`Store::trim`](crate::archive::Store::trim).
    pub(crate) fn trim(&self, now: Millis) {
        let mut writer = self.writer.lock();
        if writer.poisoned().is_some() {
            return;
        }
        let done = self.let_go(&mut writer, now);
        if let Err(error) = &done {
            self.state.read().damage.wish(error);
        }
        self.troubles.trim.note("let old events go", cause(&done));
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
        let is_too_old = |segment: &&Arc<SealedSegment>| segment.index.totals.last_time < oldest;
        let drop = self.state.read().sealed.iter().take_while(is_too_old).count();
        if drop > 0 {
            self.sync_written(writer).map_err(io::Error::other)?;
            self.drop_oldest(writer, drop)?;
        }
        while self.is_over() && self.let_one_go(writer)? {}
        self.remove_leaving(writer)
    }

    /// Whether the files hold more than is to be kept. What they hold is no less than what is kept, and costs less to tell.
    pub(crate) fn is_over(&self) -> bool {
        let retention = &self.settings.retention;
        let state = self.state.read();
        let sealed = state.sealed.iter();
        let bytes: u64 = sealed.clone().map(|segment| segment.body.len).sum();
        let events: u64 = sealed.map(|segment| segment.index.totals.events).sum();
        let max_events = retention.max_events.map_or(u64::MAX, |max| max as u64);
        bytes + state.active.len > retention.max_bytes as u64
            || events + state.index.totals.events > max_events
    }

    /// What a sealed segment has of each namespace. A namespace of which all is gone has nothing there, another all its bytes.
    /// The index does not say it, so that is read whole, once.
    pub(crate) fn parts(&self, segment: &SealedSegment) -> io::Result<Each<Part>> {
        if let Some(parts) = segment.parts.get() {
            return Ok(*parts);
        }
        let (mut parts, mut is_kept) = (Each::<Part>::default(), Each::<bool>::default());
        for line in segment.index.topics() {
            let (topic, line) = line?;
            let namespace = topic.namespace();
            parts.of_mut(namespace).add(Part {
                bytes: line.bytes,
                events: line.events.into(),
            });
            *is_kept.of_mut(namespace) |= self.state.read().topics.start(&topic) < segment.index.totals.last;
        }
        let mut parts = parts.of_file(segment.body.len, segment.index.totals.events);
        for namespace in Namespace::ALL {
            if !is_kept.of(namespace) {
                *parts.of_mut(namespace) = Part::default();
            }
        }
        Ok(*segment.parts.get_or_init(|| parts))
    }

    /// Lets the oldest segment go as far as it is of the namespace that has most beyond its share, and as a whole when nothing
    /// else is in it. False: all bounds hold, or nothing can go.
    fn let_one_go(&self, writer: &mut Writer) -> io::Result<bool> {
        let retention = &self.settings.retention;
        let (sealed, cut, mut parts, active_events) = {
            let state = self.state.read();
            let parts = state
                .index
                .parts
                .of_file(state.active.len, state.index.totals.events);
            (
                Arc::clone(&state.sealed),
                state.cut,
                parts,
                state.index.totals.events,
            )
        };
        let kept_of = |segment: &SealedSegment, namespace| -> io::Result<Part> {
            match segment.body.header.base <= *cut.of(namespace) {
                true => Ok(Part::default()),
                false => Ok(*self.parts(segment)?.of(namespace)),
            }
        };
        let mut oldest = None;
        for segment in sealed.iter() {
            for namespace in Namespace::ALL {
                let part = kept_of(segment, namespace)?;
                parts.of_mut(namespace).add(part);
                if part != Part::default() {
                    oldest.get_or_insert(namespace);
                }
            }
        }
        let Some(oldest) = oldest else { return Ok(false) };
        let all = Namespace::ALL.iter().fold(Part::default(), |mut all, namespace| {
            all.add(*parts.of(*namespace));
            all
        });
        let max_bytes = retention.max_bytes as u64;
        let max_events = retention.max_events.map_or(u64::MAX, |max| max as u64);
        let is_over_bytes = all.bytes > max_bytes;
        let namespace = if is_over_bytes {
            beyond(
                |namespace| parts.of(namespace).bytes,
                max_bytes,
                retention.relay_percent,
                oldest,
            )
        } else if all.events > max_events {
            beyond(
                |namespace| parts.of(namespace).events,
                max_events,
                retention.relay_percent,
                oldest,
            )
        } else {
            return Ok(false);
        };
        for (place, segment) in sealed.iter().enumerate() {
            let part = kept_of(segment, namespace)?;
            if part == Part::default() {
                continue;
            }
            // The newest event stays, however large it is, whosever it is; and no more events go than must.
            let later = sealed.iter().skip(place + 1);
            let has_newest =
                later.map(|segment| segment.index.totals.events).sum::<u64>() + active_events == 0;
            let left = all.events.saturating_sub(part.events);
            if has_newest || !(is_over_bytes && left > 0 || left >= max_events) {
                return Ok(false);
            }
            self.sync_written(writer).map_err(io::Error::other)?;
            self.cut_part(segment, namespace)?;
            let is_empty = |segment: &Arc<SealedSegment>| -> io::Result<bool> {
                let cut = self.state.read().cut;
                let parts = self.parts(segment)?;
                Ok(Namespace::ALL.iter().all(|namespace| {
                    segment.body.header.base <= *cut.of(*namespace)
                        || *parts.of(*namespace) == Part::default()
                }))
            };
            let mut drop = 0;
            for segment in sealed.iter() {
                if !is_empty(segment)? {
                    break;
                }
                drop += 1;
            }
            if drop > 0 {
                self.drop_oldest(writer, drop)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Lets go what a segment has of a namespace. What was written is safe. The room comes back when the segment goes, or is
    /// rewritten.
    fn cut_part(&self, segment: &Arc<SealedSegment>, namespace: Namespace) -> io::Result<()> {
        let is_of = |topic: &Topic| topic.namespace() == namespace;
        let uncounted = self.raise_floors(std::slice::from_ref(segment), is_of, Seq::ZERO)?;
        let mut state = self.state.write();
        *state.cut.of_mut(namespace) = segment.body.header.base;
        uncounted
            .iter()
            .for_each(|(topic, part)| state.ruled.take(topic, *part));
        Ok(())
    }

    /// Lets the oldest segments go. What was written is safe.
    pub(crate) fn drop_oldest(&self, writer: &mut Writer, count: usize) -> io::Result<()> {
        let sealed = Arc::clone(&self.state.read().sealed);
        let (old, _) = sealed.split_at(count.min(sealed.len()));
        self.drop_whole(writer, old)
    }

    /// Lets segments go that are the oldest, or have nothing that is kept. What was written is safe.
    pub(crate) fn drop_whole(&self, writer: &mut Writer, old: &[Arc<SealedSegment>]) -> io::Result<()> {
        let is_old = |segment: &Arc<SealedSegment>| old.iter().any(|old| Arc::ptr_eq(old, segment));
        let first = {
            let state = self.state.read();
            let kept = state.sealed.iter().find(|segment| !is_old(segment));
            kept.map_or(state.active.header.base, |segment| segment.body.header.base)
        };
        let uncounted = self.raise_floors(old, |_| true, first)?;
        let mut state = self.state.write();
        let kept = state.sealed.iter().filter(|segment| !is_old(segment)).cloned();
        state.sealed = Arc::new(kept.collect());
        old.iter()
            .for_each(|segment| state.damage.forget(segment.body.header.base));
        uncounted
            .iter()
            .for_each(|(topic, part)| state.ruled.take(topic, *part));
        writer.leaving.extend(old.iter().map(|segment| Leaving {
            base: segment.body.header.base,
            last: segment.index.totals.last,
        }));
        Ok(())
    }

    /// Writes down that what segments have of some topics is gone, and everything in front of `first`, and lets no reader read it any
    /// more. Returns what was counted of them.
    fn raise_floors(
        &self,
        segments: &[Arc<SealedSegment>],
        goes: impl Fn(&Topic) -> bool,
        first: Seq,
    ) -> io::Result<Vec<(Topic, Load)>> {
        let mut topics = self.state.read().topics.clone();
        let mut uncounted = Vec::new();
        for segment in segments {
            for line in segment.index.topics() {
                let (topic, line) = line?;
                if !goes(&topic) {
                    continue;
                }
                let part = self.counted(segment, &topic, &line)?;
                let event = line.last_event.map(u64::from);
                let floor = event.map_or(Seq::ZERO, |delta| Seq(segment.body.header.base.0 + delta));
                topics.raise(&topic, floor, segment.index.totals.last);
                uncounted.extend(part.map(|part| (topic, part)));
            }
        }
        topics.begins_with(first);
        topics.save(&*self.disk, &self.id)?;
        self.state.write().topics = topics;
        Ok(uncounted)
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

    /// See [`Store::purge`](crate::archive::Store::purge).
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

    /// See [`Reads::held`](crate::archive::Reads::held).
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
