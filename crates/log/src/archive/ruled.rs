//! Which topics are over what their [rules](super::rules) allow.
//!
//! A topic that has a rule is counted while it is appended to. Only those that are over their bound, and those whose oldest
//! record may be too old by now, are looked at: what a look costs does not grow with the topics that are within theirs.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

#[cfg(feature = "disk")]
use super::rules::Rule;
use super::rules::{Allowed, Rules};
use crate::{Millis, Record, Topic, clock::millis};

/// How many topics are looked at in one go; the others have to wait for the next.
pub(crate) const LOOKS: usize = 2_000;

/// A topic's age is looked at again after this part of what its rule allows, or later.
const PATIENCE: u64 = 64;

/// It is looked at again after a minute at most.
const LONGEST: Millis = 60_000;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Ruled {
    rules: Rules,
    topics: HashMap<Topic, Counted>,
    over: VecDeque<Topic>,
    /// With what is due no longer: see [`Counted::due`].
    due: BinaryHeap<Reverse<(Millis, Topic)>>,
    /// Whose turn it is: those that are over, or those that are due.
    is_dues_turn: bool,
}

struct Counted {
    rule: usize,
    load: Load,
    /// It stands in `over`.
    is_over: bool,
    /// When it is due, if it is: what stands in `due` with another time does not count.
    due: Option<Millis>,
}

/// What is kept of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    pub(crate) events: u64,
    /// Of all its records, if its rule bounds them.
    pub(crate) bytes: u64,
    /// How many of the bytes are of the one segment of which only some is kept: so many they are at most.
    pub(crate) slack: u64,
}

impl Load {
    pub(crate) fn add(&mut self, part: Self) {
        self.events += part.events;
        self.bytes += part.bytes;
        self.slack += part.slack;
    }

    pub(crate) fn take(&mut self, events: u64, bytes: u64) {
        self.events = self.events.saturating_sub(events);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether the oldest record, of this time, must go.
    pub(crate) fn is_over(&self, allowed: &Allowed, oldest: Millis) -> bool {
        oldest < allowed.since || self.is_too_much(allowed)
    }

    /// Whether it is too much, whatever its age.
    fn is_too_much(&self, allowed: &Allowed) -> bool {
        self.events > allowed.events || (self.bytes > allowed.bytes && self.events > 1)
    }
}

impl Ruled {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// Whether no topic has a rule.
    pub(crate) fn is_off(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule for a topic.
    #[cfg(feature = "disk")]
    pub(crate) fn rule(&self, topic: &Topic) -> Option<&Rule> {
        match self.topics.get(topic) {
            Some(counted) => self.rules.get(counted.rule),
            None => self.rules.of(topic),
        }
    }

    /// Counts a record that was appended and takes so many bytes.
    pub(crate) fn add(&mut self, record: &Record, bytes: u64) {
        if self.is_off() || !record.entry.is_kept() {
            return;
        }
        let load = Load {
            events: record.event().is_some().into(),
            bytes,
            slack: 0,
        };
        for topic in record.topics() {
            self.count(topic, record.time, load);
        }
    }

    /// More of a topic is no longer kept.
    pub(crate) fn take(&mut self, topic: &Topic, part: Load) {
        if let Some(counted) = self.topics.get_mut(topic) {
            let load = &mut counted.load;
            // What was counted with slack goes with it.
            let bytes = match (part.slack, load.slack) {
                (0, _) | (_, 0) => part.bytes,
                _ => std::mem::take(&mut load.slack),
            };
            load.take(part.events, bytes);
        }
    }

    /// What is kept of a topic, after it has lost more than was counted.
    #[cfg(feature = "disk")]
    pub(crate) fn set(&mut self, topic: &Topic, load: Load) {
        if let Some(counted) = self.topics.get_mut(topic) {
            counted.load = load;
        }
        self.list(topic);
    }

    #[cfg(feature = "disk")]
    pub(crate) fn load(&self, topic: &Topic) -> Load {
        self.topics
            .get(topic)
            .map(|counted| counted.load)
            .unwrap_or_default()
    }

    /// Nothing of it is kept, and it is not known any more.
    pub(crate) fn forget(&mut self, topic: &Topic) {
        self.topics.remove(topic);
        if self.due.len() > 2 * self.topics.len() + LOOKS {
            let topics = &self.topics;
            let counts =
                |(at, topic): &(Millis, Topic)| topics.get(topic).is_some_and(|known| known.due == Some(*at));
            self.due.retain(|Reverse(entry)| counts(entry));
        }
    }

    /// More of a topic is kept, of which nothing is older than `since`.
    pub(crate) fn count(&mut self, topic: &Topic, since: Millis, part: Load) {
        if !self.topics.contains_key(topic) {
            let Some(rule) = self.rules.number_of(topic) else {
                return;
            };
            let counted = Counted {
                rule,
                load: Load::default(),
                is_over: false,
                due: None,
            };
            self.topics.insert(topic.clone(), counted);
        }
        if let Some(counted) = self.topics.get_mut(topic) {
            counted.load.add(part);
            // Only what is older goes, hence one more.
            let age = self.rules.get(counted.rule).and_then(|rule| rule.max_age);
            if let (Some(age), None) = (age, counted.due) {
                let due = since.saturating_add(millis(age) + 1);
                counted.due = Some(due);
                self.due.push(Reverse((due, topic.clone())));
            }
        }
        self.list(topic);
    }

    /// Lists a topic if it holds too much.
    fn list(&mut self, topic: &Topic) {
        let Some(counted) = self.topics.get_mut(topic) else {
            return;
        };
        let Some(rule) = self.rules.get(counted.rule) else {
            return;
        };
        if !counted.is_over && counted.load.is_too_much(&rule.allows(0)) {
            counted.is_over = true;
            self.over.push_back(topic.clone());
        }
    }

    /// The next topic to look at: it may hold more than is allowed. Whoever asks looks, and then says
    /// [what it found](Self::looked).
    pub(crate) fn next(&mut self, now: Millis) -> Option<(Topic, Load, Allowed)> {
        loop {
            self.is_dues_turn = !self.is_dues_turn;
            let is_due = self.due.peek().is_some_and(|Reverse((due, _))| *due <= now);
            let topic = if is_due && (self.is_dues_turn || self.over.is_empty()) {
                let Reverse((due, topic)) = self.due.pop()?;
                let counted = self.topics.get_mut(&topic);
                if counted
                    .and_then(|counted| counted.due.take_if(|at| *at == due))
                    .is_none()
                {
                    continue;
                }
                topic
            } else {
                let topic = self.over.pop_front()?;
                // It may have been forgotten, and be known again.
                let counted = self.topics.get_mut(&topic);
                if !counted.is_some_and(|counted| std::mem::take(&mut counted.is_over)) {
                    continue;
                }
                topic
            };
            let counted = self.topics.get(&topic)?;
            let allowed = self.rules.get(counted.rule)?.allows(now);
            return Some((topic, counted.load, allowed));
        }
    }

    /// A topic has been looked at: what is kept of it, and the time of its oldest record that is.
    pub(crate) fn looked(&mut self, topic: &Topic, load: Load, oldest: Option<Millis>, now: Millis) {
        let Some(counted) = self.topics.get_mut(topic) else {
            return;
        };
        counted.load = load;
        let age = self.rules.get(counted.rule).and_then(|rule| rule.max_age);
        if let (Some(age), Some(oldest), None) = (age.map(millis), oldest, counted.due) {
            let patience = (age / PATIENCE).clamp(1, LONGEST);
            let due = oldest.saturating_add(age + 1).max(now.saturating_add(patience));
            counted.due = Some(due);
            self.due.push(Reverse((due, topic.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Entry, Namespace, Seq};

    fn topic(name: &str) -> Topic {
        Topic::new(Namespace::Events, name).unwrap()
    }

    fn ruled(max_events: Option<usize>, max_age: Option<u64>) -> Ruled {
        let rule = Rule {
            namespace: Namespace::Events,
            prefix: "r/".into(),
            max_events,
            max_bytes: None,
            max_age: max_age.map(Duration::from_millis),
        };
        Ruled::new(Rules::new([rule]).unwrap())
    }

    fn event(name: &str, time: Millis) -> Record {
        Record {
            seq: Seq(time),
            time,
            entry: Entry::event(topic(name), tidewire_codec::Event::new("x")),
        }
    }

    #[test]
    fn only_topics_over_their_bound_are_looked_at() {
        let mut ruled = ruled(Some(2), None);
        for time in 1..=3 {
            ruled.add(&event("r/a", time), 10);
            ruled.add(&event("other", time), 10);
        }
        (1..=2).for_each(|time| ruled.add(&event("r/b", time), 10));
        let (found, load, allowed) = ruled.next(9).unwrap();
        assert_eq!((found, load.events, allowed.events), (topic("r/a"), 3, 2));
        let left = Load { events: 2, ..load };
        ruled.looked(&topic("r/a"), left, Some(2), 9);
        assert!(ruled.next(9).is_none());
        assert!(!ruled.topics.contains_key(&topic("other")), "it has no rule");
    }

    #[test]
    fn a_topic_comes_up_when_its_oldest_record_is_too_old() {
        let mut ruled = ruled(None, Some(6_400));
        ruled.add(&event("r/a", 1_000), 10);
        ruled.add(&event("r/a", 2_000), 10);
        assert!(ruled.next(7_400).is_none());
        assert!(ruled.next(7_401).is_some());
        ruled.looked(&topic("r/a"), Load::default(), Some(1_001), 7_401);
        assert!(
            ruled.next(7_500).is_none(),
            "a little later, so that not every event costs a look"
        );
        assert!(ruled.next(7_501).is_some());
        ruled.looked(&topic("r/a"), Load::default(), None, 7_501);
        assert!(ruled.next(u64::MAX).is_none(), "nothing is left");
        ruled.add(&event("r/a", 9_000), 10);
        ruled.forget(&topic("r/a"));
        assert!(ruled.next(u64::MAX).is_none(), "forgotten");
    }

    #[test]
    fn topics_that_come_and_go_leave_nothing_behind() {
        let mut ruled = ruled(Some(1), Some(1 << 40));
        for time in 1..=3 * LOOKS as u64 {
            ruled.add(&event(&format!("r/{time}"), time), 10);
            ruled.forget(&topic(&format!("r/{time}")));
        }
        assert!(ruled.due.len() <= LOOKS && ruled.topics.is_empty());
    }

    #[test]
    fn what_is_too_old_does_not_wait_for_what_is_too_much() {
        let mut ruled = ruled(Some(1), Some(1_000));
        for number in 0..100 {
            (1..=2).for_each(|time| ruled.add(&event(&format!("r/over {number}"), time), 10));
        }
        ruled.add(&event("r/old", 1), 10);
        let next: Vec<_> = (0..250).map_while(|_| ruled.next(5_000)).collect();
        assert!(next[..3].iter().any(|(found, ..)| *found == topic("r/old")));
        assert_eq!(next.len(), 201, "each once for either reason");
    }
}
