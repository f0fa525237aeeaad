//! Letting go: whole segments, the oldest first; of a namespace that has more than its [share](crate::archive::shares), what a
//! segment has of it.
//!
//! What is gone is written down before it is removed ([`cuts`](super::cuts)): a floor that is on disk for an event that is still
//! there does no harm, the other way round a reader would not be told. And the log is made safe before that: what is written down
//! must not know of records that a crash may take.
//!
//! Appending goes on meanwhile: floors rise a few at a time, and when all have, the segment leaves the list.
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
    Millis, Namespace, Seq, TopicSet,
    archive::{Held, Urgency},
    archive::{
        Walk,
        shares::{Each, Part, beyond},
    },
    clock::millis,
};

/// A segment that is gone, but for its files.
pub(crate) struct Leaving {
    pub(crate) segment: Arc<SealedSegment>,
}

impl Leaving {
    /// Whether a machine that starts anew, or a list of topics that is brought up to date, may have to be told of its records.
    pub(crate) fn is_needed(&self, writer: &Writer) -> bool {
        self.segment.index.totals.last > writer.snapshots.covered().min(writer.listed)
    }
}

impl Log {
    /// See [`Store::trim`](crate::archive::Store::trim). Beside appending, which waits only for steps of it.
    pub(crate) fn trim(&self, now: Millis) {
        let _cutting = self.cutting.lock();
        if self.writer.lock().poisoned().is_some() {
            return;
        }
        let done = self.let_go(now);
        if let Err(error) = &done {
            self.state.read().damage.wish(error);
        }
        self.troubles.trim.note("let old events go", cause(&done));
    }

    fn let_go(&self, now: Millis) -> io::Result<()> {
        let retention = &self.settings.retention;
        let oldest = retention.max_age.map_or(0, |age| now.saturating_sub(millis(age)));
        self.roll_old(oldest)?;
        let is_too_old = |segment: &&Arc<SealedSegment>| segment.index.totals.last_time < oldest;
        let drop = self.state.read().sealed.iter().take_while(is_too_old).count();
        self.drop_oldest(drop)?;
        while self.is_over() && self.let_one_go()? {}
        self.remove_leaving()
    }

    /// Seals the segment that is being written if all that is in it is older.
    fn roll_old(&self, oldest: Millis) -> io::Result<()> {
        let mut writer = self.writer.lock();
        let (last, totals) = {
            let state = self.state.read();
            (state.last(), state.index.totals)
        };
        match totals.records > 0 && totals.last_time < oldest {
            true => self.roll(&mut writer, last.next()).map_err(io::Error::other),
            false => Ok(()),
        }
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

    /// See [`Store::urgency`](crate::archive::Store::urgency). Files that wait to be removed count: they take room on the disk. So
    /// does what is written down before they are: see [`base`](super::base).
    pub(crate) fn urgency(&self) -> Urgency {
        let mut writer = self.writer.lock();
        let state = self.state.read();
        let sealed = state.sealed.iter().map(|segment| segment.body.len);
        let leaving = writer.leaving.iter().map(|leaving| leaving.segment.body.len);
        let bytes = sealed.chain(leaving).sum::<u64>() + state.active.len;
        let max = self.settings.retention.max_bytes as u64;
        let step = self.settings.segment_bytes;
        let most = max
            .saturating_add(max / 4)
            .saturating_add(writer.slack + 2 * step);
        if bytes > most {
            // What cannot be mended at once is tried again a segment later.
            if bytes >= writer.overdue_at {
                writer.overdue_at = bytes + step;
                return Urgency::Overdue;
            }
        } else {
            writer.overdue_at = 0;
        }
        let newest = state.active.header.base;
        match std::mem::replace(&mut writer.seen, newest) == newest {
            true => Urgency::Idle,
            false => Urgency::Due,
        }
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
    fn let_one_go(&self) -> io::Result<bool> {
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
            self.drop_oldest(drop)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Lets go what a segment has of a namespace. The room comes back when the segment goes, or is rewritten.
    fn cut_part(&self, segment: &SealedSegment, namespace: Namespace) -> io::Result<()> {
        self.cut_segment(segment, |topic| topic.namespace() == namespace, Seq::ZERO)?;
        *self.state.write().cut.of_mut(namespace) = segment.body.header.base;
        Ok(())
    }

    /// Lets the oldest segments go.
    fn drop_oldest(&self, count: usize) -> io::Result<()> {
        let sealed = Arc::clone(&self.state.read().sealed);
        sealed.iter().take(count).try_for_each(|old| self.drop_whole(old))
    }

    /// Lets a segment go that is the oldest, or has nothing that is kept.
    pub(crate) fn drop_whole(&self, old: &Arc<SealedSegment>) -> io::Result<()> {
        let base = old.body.header.base;
        let is_old = |segment: &Arc<SealedSegment>| segment.body.header.base == base;
        let first = {
            let state = self.state.read();
            let kept = state.sealed.iter().find(|segment| !is_old(segment));
            kept.map_or(state.active.header.base, |segment| segment.body.header.base)
        };
        self.cut_segment(old, |_| true, first)?;
        let mut writer = self.writer.lock();
        let mut state = self.state.write();
        let kept = state.sealed.iter().filter(|segment| !is_old(segment)).cloned();
        state.sealed = Arc::new(kept.collect());
        state.damage.forget(base);
        let segment = Arc::clone(old);
        writer.leaving.push_back(Leaving { segment });
        Ok(())
    }

    /// Removes the files of segments that are gone, as far as the machine can do without. What cannot be removed is tried again.
    fn remove_leaving(&self) -> io::Result<()> {
        let next = || {
            let writer = self.writer.lock();
            let next = writer.leaving.front().filter(|next| !next.is_needed(&writer));
            next.map(|next| next.segment.body.header.base)
        };
        while let Some(base) = next() {
            let removed = self.disk.remove(&segment_name(base)).or_else(not_there);
            removed.and_then(|()| self.disk.remove(&index_name(base)).or_else(not_there))?;
            self.disk.sync_dir(FOLDER)?;
            self.writer.lock().leaving.pop_front();
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
