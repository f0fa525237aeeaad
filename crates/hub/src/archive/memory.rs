//! The archive in memory: nothing survives the process.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use parking_lot::RwLock;
use tidewire_codec::EventId;

use super::{AppendError, Archive, History, Scan};
use crate::{
    Change, Millis, Record, Seq, Topic, TopicSet,
    clock::millis,
    ring::{Entry, TopicRing},
    stats::Held,
};

/// How much is kept. Each bound holds by itself; the oldest events go first.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Bytes, with what an event costs beside its text. The newest event is always kept.
    pub max_bytes: usize,
    /// Events.
    pub max_events: Option<usize>,
    /// Age.
    pub max_age: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_events: None,
            max_age: None,
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
    /// Publishers' ids. A publisher may repeat one, in a topic or in many: the earliest that is kept counts. Each
    /// stands here by itself, so that one that stands here a million times is let go as fast as any other.
    ids: BTreeSet<(EventId, Topic, Seq)>,
}

impl Entry for Arc<Record> {
    fn seq(&self) -> Seq {
        self.seq
    }
    fn topics(&self) -> &TopicSet {
        &self.topics
    }
    fn cost(&self) -> usize {
        Record::cost(self)
    }
}

impl Memory {
    /// An empty archive.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        Self {
            retention,
            kept: RwLock::new(Kept {
                records: TopicRing::new(),
                ids: BTreeSet::new(),
            }),
        }
    }
}

impl Kept {
    fn push(&mut self, record: &Arc<Record>) {
        if record.change == Some(Change::Purges) {
            return; // Nothing to replay: `purge` does it.
        }
        if let Some(id) = record.event.as_ref().and_then(|event| event.id.as_ref()) {
            let places = record.topics.iter();
            self.ids
                .extend(places.map(|topic| (id.clone(), topic.clone(), record.seq)));
        }
        self.records.push(Arc::clone(record));
    }

    fn pop(&mut self) {
        // The end of a stream is no event: a reader that has missed only that has missed nothing.
        let Some(record) = self.records.pop(|record| record.event.is_some(), true) else {
            return;
        };
        self.forget_id(&record, |_| true);
    }

    /// Returns how many events left.
    fn purge(&mut self, topics: &TopicSet, through: Seq) -> usize {
        let mut gone = Vec::new();
        for topic in topics {
            self.records.purge(topic, through, true, |record| {
                gone.push(Arc::clone(record));
                record.event.is_some()
            });
        }
        gone.sort_unstable_by_key(|record| record.seq);
        gone.dedup_by_key(|record| record.seq);
        for record in &gone {
            self.forget_id(record, |topic| topics.contains(topic));
        }
        gone.iter().filter(|record| record.event.is_some()).count()
    }

    /// Forgets where the id of a record stands, in some of its topics.
    fn forget_id(&mut self, record: &Record, from: impl Fn(&Topic) -> bool) {
        let Some(id) = record.event.as_ref().and_then(|event| event.id.as_ref()) else {
            return;
        };
        for topic in record.topics.iter().filter(|topic| from(topic)) {
            self.ids.remove(&(id.clone(), topic.clone(), record.seq));
        }
    }

    /// The events of these topics, latest first.
    fn events_back_from(&self, topics: &TopicSet, through: Seq) -> impl Iterator<Item = &Arc<Record>> {
        let records = self.records.back_from(topics, through);
        records.filter(|record| record.event.is_some())
    }
}

impl Archive for Memory {
    fn history(&self) -> History {
        History::default()
    }

    fn replay(&self, _after: Seq, _each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        Ok(())
    }

    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let mut kept = self.kept.write();
        for record in batch {
            kept.push(record);
        }
        Ok(())
    }

    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        let kept = self.kept.read();
        let mut scan = Scan {
            records: Vec::new(),
            through: through.max(after),
            floors: kept.records.floors(topics).collect(),
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
            cost += Entry::cost(record);
            scan.records.push(Arc::clone(record));
        }
        Ok(scan)
    }

    fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> io::Result<Option<Seq>> {
        let kept = self.kept.read();
        let events = kept.events_back_from(topics, through);
        Ok(events.take(count).last().map(|first| first.seq))
    }

    fn count(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        Ok(self.kept.read().events_back_from(topics, through).count())
    }

    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        let kept = self.kept.read();
        let earliest = |topic: &Topic| {
            let from = (id.clone(), topic.clone(), Seq::ZERO);
            let (found, stands_in, seq) = kept.ids.range(from..).next()?;
            (found == id && stands_in == topic).then_some(*seq)
        };
        Ok(topics.iter().filter_map(earliest).min())
    }

    fn trim(&self, now: Millis) {
        let Retention {
            max_bytes,
            max_events,
            max_age,
        } = self.retention;
        let oldest = max_age.map_or(0, |age| now.saturating_sub(millis(age)));
        let mut kept = self.kept.write();
        while let Some(front) = kept.records.front() {
            let over = kept.records.cost() > max_bytes && kept.records.len() > 1
                || max_events.is_some_and(|max| kept.records.len() > max)
                || front.time < oldest;
            if !over {
                break;
            }
            kept.pop();
        }
    }

    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        Ok(self.kept.write().purge(topics, through))
    }

    fn held(&self) -> Held {
        let kept = self.kept.read();
        Held {
            records: kept.records.len(),
            bytes: kept.records.cost(),
        }
    }

    fn forget_idle(&self) -> Vec<Topic> {
        self.kept.write().records.forget_idle()
    }
}
