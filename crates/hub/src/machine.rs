//! What the log remembers about topics, and whether a publish is accepted.
//!
//! The machine sees every publish in order and answers the same on every run: it reads no clock (the
//! time is an argument, clamped so that it never goes back) and draws nothing at random. So replaying
//! the same publishes builds the same state, on this node or another.

use std::collections::HashMap;

use crate::{Error, Millis, Record, Seq, Topic, TopicSet, record::Draft};

pub(crate) struct Machine {
    last: Seq,
    time: Millis,
    /// Every topic that holds events or a floor, and where it ended.
    topics: HashMap<Topic, Option<Seq>>,
    max_topics: usize,
    max_event: usize,
}

impl Machine {
    pub(crate) fn new(max_topics: usize, max_event: usize) -> Self {
        Self {
            last: Seq::ZERO,
            time: 0,
            topics: HashMap::new(),
            max_topics,
            max_event,
        }
    }

    /// Gives the draft its place in the order, or says why it gets none. A refused draft changes
    /// nothing.
    pub(crate) fn apply(&mut self, draft: Draft, now: Millis) -> Result<Record, Error> {
        let len = draft.len();
        if len > self.max_event {
            return Err(Error::EventTooLarge {
                len,
                max: self.max_event,
            });
        }
        if let Some(topic) = draft.topics.iter().find(|topic| self.ended_at(topic).is_some()) {
            return Err(Error::Ended { topic: topic.clone() });
        }
        let unknown = draft
            .topics
            .iter()
            .filter(|topic| !self.topics.contains_key(topic))
            .count();
        if self.topics.len() + unknown > self.max_topics {
            return Err(Error::TopicsFull { max: self.max_topics });
        }
        self.last = self.last.next();
        self.time = self.time.max(now);
        for topic in &draft.topics {
            if draft.ends || unknown > 0 {
                self.topics.insert(topic.clone(), draft.ends.then_some(self.last));
            }
        }
        Ok(Record {
            seq: self.last,
            time: self.time,
            topics: draft.topics,
            event: draft.event,
            ends: draft.ends,
        })
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

    /// The time of the last record.
    pub(crate) fn time(&self) -> Millis {
        self.time
    }

    /// Whether new topics would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.topics.len() >= self.max_topics
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
    use crate::Namespace;

    fn topic(name: &str) -> Topic {
        Topic::new(Namespace::Events, name).unwrap()
    }

    fn event(name: &str) -> Draft {
        Draft::event(topic(name), Event::new("x")).unwrap()
    }

    #[test]
    fn an_ended_topic_takes_no_more_and_a_refused_publish_takes_no_number() {
        let mut machine = Machine::new(10, 10);
        assert_eq!(machine.apply(event("a").and_end(), 5).unwrap().seq, Seq(1));
        assert_eq!(
            machine.apply(event("a"), 5).unwrap_err(),
            Error::Ended { topic: topic("a") }
        );
        let both = TopicSet::new([topic("a"), topic("b")]).unwrap();
        let draft = Draft::event(both.clone(), Event::new("x")).unwrap();
        assert!(
            machine.apply(draft, 5).is_err(),
            "one ended topic of two is enough"
        );
        assert_eq!(machine.apply(event("b"), 5).unwrap().seq, Seq(2));
        assert_eq!(machine.open(&both, Seq(2)), (1, Seq(1)));
        assert_eq!(
            machine.open(&both, Seq(0)),
            (2, Seq(0)),
            "ends that are not visible yet do not count"
        );
    }

    #[test]
    fn time_never_goes_back() {
        let mut machine = Machine::new(10, 10);
        assert_eq!(machine.apply(event("a"), 7).unwrap().time, 7);
        assert_eq!(machine.apply(event("a"), 3).unwrap().time, 7);
    }

    #[test]
    fn topics_are_bounded_and_may_be_forgotten() {
        let mut machine = Machine::new(1, 10);
        machine.apply(event("a"), 0).unwrap();
        assert!(machine.is_full());
        assert_eq!(
            machine.apply(event("b"), 0).unwrap_err(),
            Error::TopicsFull { max: 1 }
        );
        machine.apply(event("a"), 0).unwrap();
        machine.forget(&topic("a"));
        machine.apply(event("b"), 0).unwrap();
    }

    #[test]
    fn an_event_over_the_limit_is_refused() {
        let mut machine = Machine::new(1, 10);
        let draft = Draft::event(topic("a"), Event::new("12345678901")).unwrap();
        assert_eq!(
            machine.apply(draft, 0).unwrap_err(),
            Error::EventTooLarge { len: 11, max: 10 }
        );
    }
}
