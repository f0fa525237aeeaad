//! What the log remembers about topics, and whether a publish is accepted.
//!
//! The machine sees every publish in order and answers the same on every run: it reads no clock (the
//! time is an argument, clamped so that it never goes back) and draws nothing at random. So replaying
//! the same publishes builds the same state, on this node or another.

use std::collections::HashMap;

use tidewire_codec::Event;

use crate::{
    Change, Draft, Error, Millis, Outcome, Receipt, Record, Seq, Topic, TopicSet,
    dedup::{self, Dedup},
    ids::Epochs,
    record::text_len,
};

/// See the module's text.
pub struct Machine {
    epochs: Epochs,
    bounds: Bounds,
    last: Seq,
    pub(crate) time: Millis,
    /// Every topic that holds events or a floor, and where it ended.
    pub topics: HashMap<Topic, Option<Seq>>,
    /// What is remembered of keys.
    pub dedup: Dedup,
    before: Before,
}

/// How things were at [`Machine::begin`].
#[derive(Default)]
struct Before {
    time: Millis,
    /// What was known of the topics that have changed, in the order of the changes.
    topics: Vec<Was>,
}

/// A topic, and its entry.
type Was = (Topic, Option<Option<Seq>>);

/// What a machine takes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most topics that are remembered.
    pub max_topics: usize,
    /// In bytes.
    pub max_event: usize,
    /// Of keys.
    pub keys: dedup::Bounds,
}

/// A draft that was accepted.
pub enum Applied {
    /// It has its place in the order, and this is the answer to it.
    Record(Record, Receipt),
    /// It has been accepted before.
    Replayed(Receipt),
}

impl Machine {
    /// A machine that has seen nothing.
    pub fn new(epochs: Epochs, bounds: Bounds) -> Self {
        Self {
            epochs,
            bounds,
            last: Seq::ZERO,
            time: 0,
            topics: HashMap::new(),
            dedup: Dedup::new(bounds.keys),
            before: Before::default(),
        }
    }

    /// A batch begins: what was applied until now is not taken back any more.
    pub fn begin(&mut self) {
        self.before.time = self.time;
        self.before.topics.clear();
        self.dedup.begin();
    }

    /// Takes back what was applied since [`Machine::begin`]. Its numbers are not used again.
    pub fn undo(&mut self) {
        self.time = self.before.time;
        for (topic, was) in self.before.topics.drain(..).rev() {
            match was {
                Some(was) => self.topics.insert(topic, was),
                None => self.topics.remove(&topic),
            };
        }
        self.dedup.undo();
    }

    /// Gives the draft its place in the order, or says why it gets none. A refused draft changes
    /// nothing.
    pub fn apply(&mut self, draft: Draft, now: Millis) -> Result<Applied, Error> {
        let Draft {
            topics,
            event,
            change,
            keyed,
            max,
        } = draft;
        // First of all: a retry is answered as the first try was, whatever has happened since.
        if let Some(keyed) = &keyed
            && let Some((seq, id)) = self.dedup.replayed(&topics, keyed, (event.as_ref(), change))?
        {
            let outcome = Outcome::Replayed;
            return Ok(Applied::Replayed(Receipt { seq, id, outcome }));
        }
        if change != Some(Change::Purges) {
            self.admit(&topics, event.as_ref(), max)?;
        }
        self.last = self.last.next();
        self.time = self.time.max(now);
        self.note(&topics, change);
        let receipt = self.receipt(event.as_ref());
        if let Some(keyed) = keyed.clone() {
            let place = (receipt.seq, receipt.id.clone());
            self.dedup
                .remember(&topics, keyed, (event.as_ref(), change), place, self.time);
        }
        let record = Record {
            seq: self.last,
            time: self.time,
            topics,
            event,
            change,
            key: keyed,
        };
        Ok(Applied::Record(record, receipt))
    }

    /// Is told of a record that was accepted before a restart. It answers from then on as if it had been there.
    pub fn replay(&mut self, record: &Record) {
        self.begin();
        self.go_on_after(record.seq, record.time);
        // A topic that had ended and has events again had been forgotten in between: `note` opens it.
        self.note(&record.topics, record.change);
        if let Some(keyed) = record.key.clone() {
            let Receipt { seq, id, .. } = self.receipt(record.event.as_ref());
            self.dedup.remember(
                &record.topics,
                keyed,
                (record.event.as_ref(), record.change),
                (seq, id),
                self.time,
            );
        }
    }

    /// What comes next has later numbers and times.
    pub fn go_on_after(&mut self, last: Seq, time: Millis) {
        self.last = self.last.max(last);
        self.time = self.time.max(time);
    }

    /// Whether an event or an end may be published to these topics.
    fn admit(&self, topics: &TopicSet, event: Option<&Event>, max: Option<usize>) -> Result<(), Error> {
        let len = event.map_or(0, text_len);
        let max_topics = self.bounds.max_topics;
        let max_event = max.unwrap_or(self.bounds.max_event);
        if len > max_event {
            return Err(Error::EventTooLarge { len, max: max_event });
        }
        if let Some(topic) = topics.iter().find(|topic| self.ended_at(topic).is_some()) {
            return Err(Error::Ended { topic: topic.clone() });
        }
        let unknown = topics.iter().filter(|topic| !self.topics.contains_key(topic));
        match self.topics.len() + unknown.count() > max_topics {
            true => Err(Error::TopicsFull { max: max_topics }),
            false => Ok(()),
        }
    }

    /// Notes what the record at `last` does to its topics.
    fn note(&mut self, topics: &TopicSet, change: Option<Change>) {
        let ends = (change == Some(Change::Ends)).then_some(self.last);
        for topic in topics {
            let was = self.topics.get(topic).copied();
            // A topic that is not known has nothing that could be purged.
            if was == Some(ends) || (was.is_none() && change == Some(Change::Purges)) {
                continue;
            }
            self.topics.insert(topic.clone(), ends);
            self.before.topics.push((topic.clone(), was));
        }
    }

    fn receipt(&self, event: Option<&Event>) -> Receipt {
        let given = event.and_then(|event| event.id.clone());
        Receipt {
            seq: self.last,
            id: given.unwrap_or_else(|| self.epochs.position(self.last).into()),
            outcome: Outcome::Appended,
        }
    }

    /// Where a topic ended, if it has.
    pub fn ended_at(&self, topic: &Topic) -> Option<Seq> {
        self.topics.get(topic).copied().flatten()
    }

    /// How many of these topics have not ended at or before `through`, and the last end among the others.
    pub fn open(&self, topics: &TopicSet, through: Seq) -> (usize, Seq) {
        let ends = topics
            .iter()
            .filter_map(|topic| self.ended_at(topic))
            .filter(|end| *end <= through);
        ends.fold((topics.len(), Seq::ZERO), |(open, last), end| {
            (open - 1, last.max(end))
        })
    }

    /// The last number that was given.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Whether new topics would be refused.
    pub fn is_full(&self) -> bool {
        self.topics.len() >= self.bounds.max_topics
    }

    /// Forgets a topic of which nothing is kept: it may be used anew.
    pub fn forget(&mut self, topic: &Topic) {
        self.topics.remove(topic);
    }
}

#[cfg(test)]
mod tests;
