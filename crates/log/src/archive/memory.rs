//! The archive in memory: nothing survives the process.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    io,
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use tidewire_codec::EventId;

use super::{
    AppendError, Back, History, Reads, Scan, Store, Urgency, nth_last,
    ruled::{LOOKS, Load, Ruled},
    rules::{Allowed, Rules},
    shares::{Each, Part, beyond, namespace_of},
};
use crate::{
    Millis, Namespace, Record, Seq, Topic, TopicSet,
    archive::Held,
    clock::millis,
    ring::{Placed, TopicRing},
};

/// The most records that a step back passes, about, while nothing can be appended.
const STEP: usize = 16 << 10;

/// How much is kept. Each bound holds by itself; the oldest events go first.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Bytes, with what an event costs beside its text. The newest event is always kept.
    pub max_bytes: usize,
    /// Events.
    pub max_events: Option<usize>,
    /// Age.
    pub max_age: Option<Duration>,
    /// The part of the bytes and events that answers of the relay are sure of, in percent; topics of `/events` are of the rest.
    /// What one does not use the other may.
    pub relay_percent: u8,
    /// What holds besides for single topics.
    pub rules: Rules,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_events: None,
            max_age: None,
            relay_percent: 50,
            rules: Rules::default(),
        }
    }
}

/// See the module's text.
pub struct Memory {
    retention: Retention,
    kept: RwLock<Kept>,
}

struct Kept {
    records: TopicRing<Arc<Record>>,
    /// Where publishers' ids stand, by what [`Kept::mark`] makes of them. A publisher may repeat one, in a topic or in
    /// many: the earliest that is kept counts. Each stands here by itself, so that one that stands here a million times
    /// is let go as fast as any other. The texts are in the records only.
    ids: BTreeSet<(u64, Seq)>,
    /// Drawn for this archive, so that nobody can choose ids that meet in one mark.
    marks: RandomState,
    ruled: Ruled,
    parts: Each<Part>,
    /// In the ring, no record of a namespace stands before this position.
    oldest: Each<u64>,
}

impl Placed for Arc<Record> {
    fn seq(&self) -> Seq {
        self.seq
    }
    fn topics(&self) -> &[Topic] {
        Record::topics(self)
    }
    fn cost(&self) -> usize {
        Record::cost(self)
    }
    fn is_event(&self) -> bool {
        self.event().is_some()
    }
}

impl Memory {
    /// An empty archive.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        let kept = Kept {
            records: TopicRing::default(),
            ids: BTreeSet::new(),
            marks: RandomState::new(),
            ruled: Ruled::new(retention.rules.clone()),
            parts: Each::default(),
            oldest: Each::default(),
        };
        Self {
            retention,
            kept: RwLock::new(kept),
        }
    }
}

impl Kept {
    fn push(&mut self, record: &Arc<Record>) {
        if !record.entry.is_kept() {
            return;
        }
        if let Some(id) = id_of(record) {
            for topic in record.topics() {
                self.ids.insert((self.mark(id, topic), record.seq));
            }
        }
        self.ruled.add(record, record.cost() as u64);
        let part = self.parts.of_mut(namespace_of(record.topics()));
        part.add(Part {
            bytes: record.cost() as u64,
            events: 1,
        });
        self.records.push(Arc::clone(record));
    }

    fn pop(&mut self) {
        let leave = |record: &Arc<Record>, topic: &Topic| {
            let is_event = record.event().is_some();
            self.ruled.take(topic, load_of(record));
            // The end of a stream is no event: a reader that has missed only that has missed nothing.
            is_event
        };
        let before = (self.records.cost(), self.records.len());
        let Some(record) = self.records.pop(leave, true) else {
            return;
        };
        self.uncount(namespace_of(record.topics()), before);
        self.forget_id(&record, |_| true);
    }

    /// Something of a namespace has left the ring, which had this cost and length.
    fn uncount(&mut self, namespace: Namespace, (cost, len): (usize, usize)) {
        let part = self.parts.of_mut(namespace);
        part.bytes = part.bytes.saturating_sub((cost - self.records.cost()) as u64);
        part.events = part.events.saturating_sub((len - self.records.len()) as u64);
    }

    /// Lets the oldest record of a namespace go, unless it is the newest of all.
    fn evict(&mut self, namespace: Namespace) -> bool {
        let mut position = *self.oldest.of(namespace);
        let found = loop {
            let Some((at, record)) = self.records.next_from(position) else {
                break None;
            };
            if namespace_of(record.topics()) == namespace {
                position = at;
                break Some((record.entry.topic_set().cloned(), record.seq));
            }
            position = at + 1;
        };
        *self.oldest.of_mut(namespace) = position;
        let Some((Some(topics), seq)) = found.filter(|_| self.records.next_from(position + 1).is_some())
        else {
            return false;
        };
        // Nothing of these topics stands before it.
        self.purge(&topics, seq);
        true
    }

    /// Lets go what a topic holds beyond what is allowed, and says up to where.
    fn cut(&mut self, topic: &Topic, mut load: Load, allowed: &Allowed, now: Millis) -> Option<Seq> {
        let set = TopicSet::from(topic.clone());
        let (mut through, mut oldest) = (None, None);
        for record in self.records.after(&set, Seq::ZERO) {
            if !load.is_over(allowed, record.time) {
                oldest = Some(record.time);
                break;
            }
            load.take(record.event().is_some().into(), record.cost() as u64);
            through = Some(record.seq);
        }
        if let Some(through) = through {
            self.purge(&set, through);
        }
        self.ruled.looked(topic, load, oldest, now);
        through
    }

    /// Returns how many events left.
    fn purge(&mut self, topics: &TopicSet, through: Seq) -> usize {
        let before = (self.records.cost(), self.records.len());
        let mut gone = Vec::new();
        for topic in topics {
            self.records.purge(topic, through, true, |record| {
                let is_event = record.event().is_some();
                self.ruled.take(topic, load_of(record));
                gone.push(Arc::clone(record));
                is_event
            });
        }
        self.uncount(namespace_of(topics), before);
        gone.sort_unstable_by_key(|record| record.seq);
        gone.dedup_by_key(|record| record.seq);
        for record in &gone {
            self.forget_id(record, |topic| topics.contains(topic));
        }
        gone.iter().filter(|record| record.event().is_some()).count()
    }

    /// Forgets where the id of a record stands, in some of its topics.
    fn forget_id(&mut self, record: &Record, from: impl Fn(&Topic) -> bool) {
        let Some(id) = id_of(record) else { return };
        for topic in record.topics().iter().filter(|topic| from(topic)) {
            self.ids.remove(&(self.mark(id, topic), record.seq));
        }
    }

    /// What stands for an id in a topic.
    fn mark(&self, id: &EventId, topic: &Topic) -> u64 {
        self.marks.hash_one((id, topic))
    }

    /// The earliest event with this id in this topic.
    fn find(&self, id: &EventId, topic: &Topic) -> Option<Seq> {
        let mark = self.mark(id, topic);
        let marked = self.ids.range((mark, Seq::ZERO)..=(mark, Seq(u64::MAX)));
        let topics = TopicSet::from(topic.clone());
        let stands = |seq: &Seq| {
            let here = self.records.back_from(&topics, *seq).next();
            here.is_some_and(|record| record.seq == *seq && id_of(record) == Some(id))
        };
        marked.map(|(_, seq)| *seq).find(stands)
    }

    /// Passes at most `count` events, and [`STEP`] records.
    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> Back {
        if let Some(events) = self.records.events(topics, through).filter(|all| *all < count) {
            return Back {
                events,
                through: Seq::ZERO,
            };
        }
        let mut back = Back::default();
        for (number, record) in self.records.back_from(topics, through).enumerate() {
            back.events += usize::from(record.event().is_some());
            if back.events == count || number == STEP {
                back.through = record.seq.before();
                break;
            }
        }
        back
    }
}

fn id_of(record: &Record) -> Option<&EventId> {
    record.event()?.id.as_ref()
}

/// What a record is counted as in its topics.
fn load_of(record: &Record) -> Load {
    Load {
        events: record.event().is_some().into(),
        bytes: record.cost() as u64,
        slack: 0,
    }
}

impl Store for Memory {
    fn urgency(&self) -> Urgency {
        Urgency::Idle
    }

    fn history(&self) -> History {
        History::default()
    }

    fn replay(&self, _after: Seq, _each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        Ok(())
    }

    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        let records = &mut self.kept.write().records;
        for (topic, last) in topics {
            records.set_floor(topic, last);
        }
        records.set_absent_floor(history.last);
        Ok(())
    }

    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let mut kept = self.kept.write();
        for record in batch {
            kept.push(record);
        }
        Ok(())
    }

    fn poisoned(&self) -> Option<String> {
        None
    }

    fn trim(&self, now: Millis) {
        let Retention {
            max_bytes,
            max_events,
            max_age,
            relay_percent,
            ..
        } = self.retention;
        let oldest = max_age.map_or(0, |age| now.saturating_sub(millis(age)));
        let mut kept = self.kept.write();
        while let Some(front) = kept.records.front() {
            if front.time < oldest {
                kept.pop();
                continue;
            }
            let whose = namespace_of(front.topics());
            let parts = kept.parts;
            let beyond = if kept.records.cost() > max_bytes && kept.records.len() > 1 {
                let bytes = |namespace| parts.of(namespace).bytes;
                beyond(bytes, max_bytes as u64, relay_percent, whose)
            } else if let Some(max) = max_events.filter(|max| kept.records.len() > *max) {
                beyond(
                    |namespace| parts.of(namespace).events,
                    max as u64,
                    relay_percent,
                    whose,
                )
            } else {
                break;
            };
            if !kept.evict(beyond) {
                break;
            }
        }
    }

    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        let mut kept = self.kept.write();
        let mut gone = Vec::new();
        for _ in 0..LOOKS {
            let Some((topic, load, allowed)) = kept.ruled.next(now) else {
                break;
            };
            let through = kept.cut(&topic, load, &allowed, now);
            gone.extend(through.map(|through| (topic, through)));
        }
        gone
    }

    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        Ok(self.kept.write().purge(topics, through))
    }

    fn idle(&self, most: usize) -> Vec<Topic> {
        self.kept.write().records.idle(most)
    }

    fn forget(&self, topics: &TopicSet, through: Seq) {
        let mut kept = self.kept.write();
        kept.purge(topics, through);
        for topic in topics {
            if kept.records.forget(topic) {
                kept.ruled.forget(topic);
            }
        }
    }

    fn knows(&self, _topic: &Topic) -> bool {
        true
    }

    fn compact(&self, _go_on: &dyn Fn() -> bool) {}

    fn wants_snapshot(&self) -> bool {
        false
    }

    fn snapshot(&self, _seq: Seq, _state: &[u8]) {}

    fn close(&self) {}
}

impl Reads for Memory {
    fn may_block(&self) -> bool {
        false
    }

    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        let kept = self.kept.read();
        let mut scan = Scan {
            records: Vec::new(),
            through: through.max(after),
            floors: kept.records.floors(topics).collect(),
            is_damaged: false,
        };
        let mut cost = 0;
        for record in kept
            .records
            .after(topics, after)
            .take_while(|record| record.seq <= through)
        {
            if cost >= budget && !scan.records.is_empty() {
                scan.through = scan.records.last().map_or(after, |last| last.seq);
                break;
            }
            cost += Placed::cost(record);
            scan.records.push(Arc::clone(record));
        }
        Ok(scan)
    }

    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        Ok(self.kept.read().back(topics, through, count))
    }

    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        nth_last(self, topics, 1, through)
    }

    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        let kept = self.kept.read();
        Ok(topics.iter().filter_map(|topic| kept.find(id, topic)).min())
    }

    fn held(&self) -> Held {
        let kept = self.kept.read();
        Held {
            records: kept.records.len(),
            bytes: kept.records.cost(),
        }
    }

    fn damaged(&self) -> usize {
        0
    }
}
