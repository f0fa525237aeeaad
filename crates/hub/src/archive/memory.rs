//! The archive in memory: nothing survives the process.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::RwLock;
use smallvec::SmallVec;
use tidewire_codec::EventId;

use super::{Archive, Scan};
use crate::{
    Millis, Record, Seq, Topic, TopicSet,
    clock::millis,
    ring::{Entry, TopicRing},
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
    /// Publishers' ids. A publisher may repeat one: the earliest that is kept counts.
    ids: HashMap<EventId, SmallVec<[(Topic, Seq); 1]>>,
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
                ids: HashMap::new(),
            }),
        }
    }
}

impl Kept {
    fn push(&mut self, record: &Arc<Record>) {
        if let Some(id) = record.event.as_ref().and_then(|event| event.id.as_ref()) {
            let places = self.ids.entry(id.clone()).or_default();
            places.extend(record.topics.iter().map(|topic| (topic.clone(), record.seq)));
        }
        self.records.push(Arc::clone(record));
    }

    fn pop(&mut self) {
        // The end of a stream is no event: a reader that has missed only that has missed nothing.
        let Some(record) = self.records.pop(|record| record.event.is_some(), true) else {
            return;
        };
        let Some(id) = record.event.as_ref().and_then(|event| event.id.as_ref()) else {
            return;
        };
        if let Some(places) = self.ids.get_mut(id) {
            places.retain(|(_, seq)| *seq != record.seq);
            if places.is_empty() {
                self.ids.remove(id);
            }
        }
    }
}

impl Archive for Memory {
    fn append(&self, batch: &[Arc<Record>]) {
        let mut kept = self.kept.write();
        for record in batch {
            kept.push(record);
        }
    }

    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> Scan {
        let kept = self.kept.read();
        let mut scan = Scan {
            records: Vec::new(),
            through: through.max(after),
            floor: kept.records.floor(topics),
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
        scan
    }

    fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> Option<Seq> {
        let kept = self.kept.read();
        let events = kept
            .records
            .back_from(topics, through)
            .filter(|record| record.event.is_some());
        events.take(count).last().map(|first| first.seq)
    }

    fn find(&self, topics: &TopicSet, id: &EventId) -> Option<Seq> {
        let kept = self.kept.read();
        let places = kept.ids.get(id)?;
        places
            .iter()
            .find(|(topic, _)| topics.contains(topic))
            .map(|(_, seq)| *seq)
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

    fn forget_idle(&self) -> Vec<Topic> {
        self.kept.write().records.forget_idle()
    }
}
