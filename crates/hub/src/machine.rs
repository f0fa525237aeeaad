//! What the log remembers about topics, and whether a publish is accepted.
//!
//! The machine sees every publish in order and answers the same on every run: it reads no clock (the
//! time is an argument, clamped so that it never goes back) and draws nothing at random. So replaying
//! the same publishes builds the same state, on this node or another.

use std::collections::HashMap;

use tidewire_codec::Event;

use crate::{
    Change, Draft, Epoch, Error, Millis, Outcome, Position, Receipt, Record, Seq, Stats, Topic, TopicSet,
    dedup::{self, Dedup},
    record::text_len,
};

pub(crate) struct Machine {
    epoch: Epoch,
    bounds: Bounds,
    last: Seq,
    time: Millis,
    /// Every topic that holds events or a floor, and where it ended.
    topics: HashMap<Topic, Option<Seq>>,
    dedup: Dedup,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max_topics: usize,
    /// In bytes.
    pub(crate) max_event: usize,
    pub(crate) keys: dedup::Bounds,
}

/// A draft that was accepted.
pub(crate) enum Applied {
    /// It has its place in the order, and this is the answer to it.
    Record(Record, Receipt),
    /// It has been accepted before.
    Replayed(Receipt),
}

impl Machine {
    pub(crate) fn new(epoch: Epoch, bounds: Bounds) -> Self {
        Self {
            epoch,
            bounds,
            last: Seq::ZERO,
            time: 0,
            topics: HashMap::new(),
            dedup: Dedup::new(bounds.keys),
        }
    }

    /// Gives the draft its place in the order, or says why it gets none. A refused draft changes
    /// nothing.
    pub(crate) fn apply(&mut self, draft: Draft, now: Millis) -> Result<Applied, Error> {
        let Draft {
            topics,
            event,
            change,
            keyed,
        } = draft;
        // First of all: a retry is answered as the first try was, whatever has happened since.
        if let Some(keyed) = &keyed
            && let Some((seq, id)) = self.dedup.replayed(&topics, keyed, event.as_ref())?
        {
            let outcome = Outcome::Replayed;
            return Ok(Applied::Replayed(Receipt { seq, id, outcome }));
        }
        if change != Some(Change::Purges) {
            self.admit(&topics, event.as_ref())?;
        }
        self.last = self.last.next();
        self.time = self.time.max(now);
        self.note(&topics, change);
        let receipt = self.receipt(event.as_ref());
        if let Some(keyed) = keyed.clone() {
            let place = (receipt.seq, receipt.id.clone());
            self.dedup
                .remember(&topics, keyed, event.as_ref(), place, self.time);
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

    /// Whether an event or an end may be published to these topics.
    fn admit(&self, topics: &TopicSet, event: Option<&Event>) -> Result<(), Error> {
        let len = event.map_or(0, text_len);
        let Bounds {
            max_event,
            max_topics,
            ..
        } = self.bounds;
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
        for topic in topics {
            match change {
                Some(Change::Ends) => drop(self.topics.insert(topic.clone(), Some(self.last))),
                // A topic that is not known has nothing that could be purged.
                Some(Change::Purges) => {
                    if let Some(end) = self.topics.get_mut(topic) {
                        *end = None;
                    }
                }
                None if self.topics.contains_key(topic) => {}
                None => drop(self.topics.insert(topic.clone(), None)),
            }
        }
    }

    fn receipt(&self, event: Option<&Event>) -> Receipt {
        let (epoch, seq) = (self.epoch, self.last);
        let given = event.and_then(|event| event.id.clone());
        Receipt {
            seq,
            id: given.unwrap_or_else(|| Position { epoch, seq }.into()),
            outcome: Outcome::Appended,
        }
    }

    /// Where a topic ended, if it has.
    pub(crate) fn ended_at(&self, topic: &Topic) -> Option<Seq> {
        self.topics.get(topic).copied().flatten()
    }

    /// How many of these topics have not ended at or before `through`, and the last end among the others.
    pub(crate) fn open(&self, topics: &TopicSet, through: Seq) -> (usize, Seq) {
        let ends = topics
            .iter()
            .filter_map(|topic| self.ended_at(topic))
            .filter(|end| *end <= through);
        ends.fold((topics.len(), Seq::ZERO), |(open, last), end| {
            (open - 1, last.max(end))
        })
    }

    pub(crate) fn read_into(&self, stats: &mut Stats) {
        stats.topics = self.topics.len();
        stats.keys = self.dedup.len();
    }

    /// The time of the last record.
    pub(crate) fn time(&self) -> Millis {
        self.time
    }

    /// Whether new topics would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.topics.len() >= self.bounds.max_topics
    }

    /// Forgets a topic of which nothing is kept: it may be used anew.
    pub(crate) fn forget(&mut self, topic: &Topic) {
        self.topics.remove(topic);
    }
}

#[cfg(test)]
mod tests {
    use tidewire_codec::Event;

    use super::*;
    use crate::{IdempotencyKey, Namespace};

    fn topic(name: &str) -> Topic {
        Topic::new(Namespace::Events, name).unwrap()
    }

    fn event(name: &str) -> Draft {
        Draft::event(topic(name), Event::new("x")).unwrap()
    }

    fn machine(max_topics: usize) -> Machine {
        let keys = dedup::Bounds {
            max_keys: 10,
            keep: 1000,
        };
        let bounds = Bounds {
            max_topics,
            max_event: 10,
            keys,
        };
        Machine::new(Epoch::random().unwrap(), bounds)
    }

    impl Machine {
        fn accept(&mut self, draft: Draft, now: Millis) -> Record {
            match self.apply(draft, now) {
                Ok(Applied::Record(record, _)) => record,
                _ => panic!("not accepted"),
            }
        }

        fn refuse(&mut self, draft: Draft) -> Error {
            match self.apply(draft, 0) {
                Err(error) => error,
                Ok(_) => panic!("accepted"),
            }
        }
    }

    #[test]
    fn an_ended_topic_takes_no_more_and_a_refused_publish_takes_no_number() {
        let mut machine = machine(10);
        assert_eq!(machine.accept(event("a").and_end(), 5).seq, Seq(1));
        assert_eq!(machine.refuse(event("a")), Error::Ended { topic: topic("a") });
        let both = TopicSet::new([topic("a"), topic("b")]).unwrap();
        let draft = Draft::event(both.clone(), Event::new("x")).unwrap();
        assert_eq!(
            machine.refuse(draft),
            Error::Ended { topic: topic("a") },
            "one ended topic of two is enough"
        );
        assert_eq!(machine.accept(event("b"), 5).seq, Seq(2));
        assert_eq!(machine.open(&both, Seq(2)), (1, Seq(1)));
        assert_eq!(
            machine.open(&both, Seq(0)),
            (2, Seq(0)),
            "ends that are not visible yet do not count"
        );
    }

    #[test]
    fn a_purged_topic_begins_anew() {
        let mut machine = machine(1);
        machine.accept(event("a").and_end(), 0);
        machine.accept(Draft::purge(topic("a")), 0);
        assert_eq!(machine.ended_at(&topic("a")), None);
        machine.accept(event("a"), 0);
        machine.accept(Draft::purge(topic("unknown")), 0);
        assert!(!machine.topics.contains_key(&topic("unknown")));
    }

    #[test]
    fn a_retry_is_answered_as_the_first_try_even_after_the_end() {
        let mut machine = machine(10);
        let keyed = || {
            event("a")
                .and_end()
                .with_key(IdempotencyKey::new("k").unwrap(), 0)
        };
        let Ok(Applied::Record(_, first)) = machine.apply(keyed(), 0) else {
            panic!("not accepted");
        };
        let Ok(Applied::Replayed(again)) = machine.apply(keyed(), 0) else {
            panic!("not replayed");
        };
        assert_eq!((again.seq, &again.id), (first.seq, &first.id));
        assert_eq!(again.outcome, Outcome::Replayed);
        let other = Draft::event(topic("a"), Event::new("y")).unwrap();
        let other = other.with_key(IdempotencyKey::new("k").unwrap(), 0);
        assert_eq!(machine.refuse(other), Error::KeyReused);
    }

    #[test]
    fn time_never_goes_back() {
        let mut machine = machine(10);
        assert_eq!(machine.accept(event("a"), 7).time, 7);
        assert_eq!(machine.accept(event("a"), 3).time, 7);
    }

    #[test]
    fn topics_are_bounded_and_may_be_forgotten() {
        let mut machine = machine(1);
        machine.accept(event("a"), 0);
        assert!(machine.is_full());
        assert_eq!(machine.refuse(event("b")), Error::TopicsFull { max: 1 });
        machine.accept(event("a"), 0);
        machine.forget(&topic("a"));
        machine.accept(event("b"), 0);
    }

    #[test]
    fn an_event_over_the_limit_is_refused() {
        let draft = Draft::event(topic("a"), Event::new("12345678901")).unwrap();
        let error = Error::EventTooLarge { len: 11, max: 10 };
        assert_eq!(machine(1).refuse(draft), error);
    }
}
