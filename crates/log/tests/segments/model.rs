//! What an archive must answer, kept in the most obvious way and looked up slowly.

use crate::records::Derived as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fastrand::Rng;
use tidewire_codec::EventId;
use tidewire_log::{
    Floors, Record, Seq, Topic, TopicSet,
    archive::{Back, Store},
};

use crate::records::{seqs, topic};

#[derive(Clone, Default)]
pub struct Model {
    pub standing: BTreeMap<Seq, Standing>,
    /// The last event that is gone of each topic.
    pub gone: BTreeMap<Topic, Seq>,
    /// The last record, whatever has become of it.
    pub last: Seq,
    /// Topics have been forgotten: floors may be too high, up to here.
    pub loose: Option<Seq>,
}

/// A record, and the topics in which it still stands.
#[derive(Clone)]
pub struct Standing {
    pub record: Arc<Record>,
    pub topics: BTreeSet<Topic>,
}

impl Standing {
    fn is_in(&self, topics: &TopicSet) -> bool {
        self.topics.iter().any(|topic| topics.contains(topic))
    }
}

impl Model {
    pub fn append(&mut self, batch: &[Arc<Record>]) {
        for record in batch {
            self.last = record.through();
            if !record.entry.is_kept() {
                continue; // Nothing to read.
            }
            let topics = record.topics().iter().cloned().collect();
            let record = Arc::clone(record);
            self.standing.insert(record.seq, Standing { record, topics });
        }
    }

    pub fn purge(&mut self, topics: &TopicSet, through: Seq) -> usize {
        let gone: Vec<_> = self
            .standing
            .range(..=through)
            .filter(|(_, standing)| standing.is_in(topics))
            .map(|(seq, standing)| (*seq, standing.record.event().is_some()))
            .collect();
        for (seq, _) in &gone {
            for topic in topics {
                self.remove(*seq, topic);
            }
        }
        gone.iter().filter(|(_, is_event)| *is_event).count()
    }

    /// Takes a record out of a topic.
    pub fn remove(&mut self, seq: Seq, topic: &Topic) {
        let Some(standing) = self.standing.get_mut(&seq) else {
            return;
        };
        if standing.topics.remove(topic) && standing.record.event().is_some() {
            let floor = self.gone.entry(topic.clone()).or_default();
            *floor = seq.max(*floor);
        }
        if standing.topics.is_empty() {
            self.standing.remove(&seq);
        }
    }

    /// Takes everything up to a number out of a topic.
    pub fn clear(&mut self, topic: &Topic, through: Seq) {
        let gone: Vec<Seq> = self.standing.range(..=through).map(|(seq, _)| *seq).collect();
        for seq in gone {
            self.remove(seq, topic);
        }
    }

    /// How many events of a topic come after a number.
    pub fn events_after(&self, topic: &Topic, seq: Seq) -> usize {
        let set = TopicSet::from(topic.clone());
        let after = self.read(&set, seq, Seq(u64::MAX));
        after.filter(|record| record.event().is_some()).count()
    }

    /// More than the bytes of a topic's records from a number on can be, however an archive counts them.
    pub fn at_most(&self, topic: &Topic, from: Seq) -> usize {
        let set = TopicSet::from(topic.clone());
        let records = self.read(&set, from.before(), Seq(u64::MAX));
        let text = |record: &Arc<Record>| record.event().map_or(0, |event| event.data.len());
        records.map(|record| 600 + text(record)).sum()
    }

    /// Lets go what the archive has let go: the oldest of each topic, if it `may` have gone.
    pub fn adopt(&mut self, archive: &dyn Store, may: impl Fn(&Self, &Record, &Topic) -> bool) {
        for topic in self.topics() {
            let set = TopicSet::from(topic.clone());
            let there = archive
                .scan(&set, Seq::ZERO, Seq(u64::MAX), usize::MAX)
                .unwrap()
                .records;
            let expected: Vec<_> = self.read(&set, Seq::ZERO, Seq(u64::MAX)).cloned().collect();
            let gone = expected.len().saturating_sub(there.len());
            let same_as_expected = |there: &Record, expected: &Record| there == expected;
            let is_the_rest = there.len() + gone == expected.len()
                && there
                    .iter()
                    .zip(&expected[gone..])
                    .all(|(a, b)| same_as_expected(a, b));
            assert!(
                is_the_rest,
                "what is left of {topic:?} is {:?}, not the last of {:?}",
                seqs(&there),
                seqs(&expected)
            );
            for record in &expected[..gone] {
                let may = may(self, record, &topic);
                assert!(may, "{:?} of {topic:?} must be kept", record.seq);
            }
            for record in &expected[..gone] {
                self.remove(record.seq, &topic);
            }
        }
    }

    /// Forgets topics, and what is kept of them up to `through`.
    pub fn forget(&mut self, topics: &TopicSet, through: Seq) {
        self.purge(topics, through);
        self.loose = Some(self.last);
    }

    /// All topics that were ever used.
    pub fn topics(&self) -> BTreeSet<Topic> {
        let standing = self.standing.values().flat_map(|standing| &standing.topics);
        standing.chain(self.gone.keys()).cloned().collect()
    }

    pub fn read(&self, topics: &TopicSet, after: Seq, through: Seq) -> impl Iterator<Item = &Arc<Record>> {
        let range = after.next()..=through.max(after.next());
        let records = self.standing.range(range);
        records
            .filter(move |(seq, standing)| **seq <= through && standing.is_in(topics))
            .map(|(_, standing)| &standing.record)
    }

    /// The events up to `through`, latest first.
    fn events(&self, topics: &TopicSet, through: Seq) -> Vec<Seq> {
        let records = self.read(topics, Seq::ZERO, through);
        let mut events: Vec<_> = records
            .filter(|record| record.event().is_some())
            .map(|record| record.seq)
            .collect();
        events.reverse();
        events
    }

    pub fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> Option<Seq> {
        let events = self.events(topics, through);
        events[..count.min(events.len())].last().copied()
    }

    pub fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> Back {
        let events = self.events(topics, through);
        let through = events.get(count - 1).map_or(Seq::ZERO, |seq| seq.before());
        Back {
            events: count.min(events.len()),
            through,
        }
    }

    pub fn count(&self, topics: &TopicSet, through: Seq) -> usize {
        self.events(topics, through).len()
    }

    pub fn find(&self, topics: &TopicSet, id: &EventId) -> Option<Seq> {
        let mut records = self.read(topics, Seq::ZERO, Seq(u64::MAX));
        let has_id = |record: &&Arc<Record>| record.event().and_then(|event| event.id.as_ref()) == Some(id);
        records.find(has_id).map(|record| record.seq)
    }

    pub fn floor(&self, topic: &Topic) -> Seq {
        self.gone.get(topic).copied().unwrap_or_default()
    }

    pub fn floors(&self, topics: &TopicSet) -> Floors {
        topics.iter().map(|topic| self.floor(topic)).collect()
    }

    /// Compares all that an archive can be asked, from everywhere in it.
    pub fn check(&self, archive: &dyn Store, rng: &mut Rng, ids: &[EventId]) {
        let all: Vec<_> = self.topics().into_iter().collect();
        let last = self.standing.keys().next_back().map_or(0, |seq| seq.0);
        for topic in all.iter().chain([&topic("never used")]) {
            self.check_floor(archive, topic);
        }
        for _ in 0..12 {
            let count = rng.usize(1..=3);
            let some = rng.choose_multiple(&all, count);
            let Ok(topics) = TopicSet::new(some.into_iter().cloned()) else {
                return;
            };
            let after = Seq(if rng.bool() { 0 } else { rng.u64(..=last + 1) });
            let through = Seq(if rng.bool() { last } else { rng.u64(..=last + 1) });
            let budget = [0, 1, 300, 2000, usize::MAX][rng.usize(..5)];
            self.check_scan(archive, &topics, after, through, budget);
            assert_eq!(
                archive.count(&topics, through).unwrap(),
                self.count(&topics, through),
                "count of {topics:?} up to {through:?}"
            );
            let count = rng.usize(..8);
            assert_eq!(
                archive.nth_last(&topics, count, through).unwrap(),
                self.nth_last(&topics, count, through),
                "the last {count} of {topics:?} up to {through:?}"
            );
            if let Some(id) = rng.choice(ids) {
                let found = archive.find(&topics, id).unwrap();
                assert_eq!(found, self.find(&topics, id), "{id:?} in {topics:?}");
            }
        }
    }

    fn check_floor(&self, archive: &dyn Store, topic: &Topic) {
        let set = TopicSet::from(topic.clone());
        let floor = archive
            .scan(&set, Seq::ZERO, Seq::ZERO, 0)
            .unwrap()
            .floors
            .highest();
        let exact = self.floor(topic);
        let highest = self.loose.unwrap_or_default().max(exact);
        let first = self.read(&set, Seq::ZERO, Seq(u64::MAX)).next();
        assert!(
            exact <= floor,
            "the floor of {topic:?} is {floor:?}, but {exact:?} is gone"
        );
        assert!(
            floor <= highest,
            "the floor of {topic:?} is {floor:?}, but only {exact:?} is gone"
        );
        assert!(
            first.is_none_or(|first| first.seq > floor),
            "the floor of {topic:?} is {floor:?}, but {first:?} is there"
        );
    }

    fn check_scan(&self, archive: &dyn Store, topics: &TopicSet, after: Seq, through: Seq, budget: usize) {
        let scan = archive.scan(topics, after, through, budget).unwrap();
        let what = format!("scan of {topics:?} in ({after:?}, {through:?}] with {budget}");
        assert!(scan.through >= after, "{what} goes back to {:?}", scan.through);
        assert!(
            scan.through <= through.max(after),
            "{what} goes on to {:?}",
            scan.through
        );
        let expected: Vec<_> = self.read(topics, after, scan.through).collect();
        assert_eq!(seqs(&scan.records), seqs(expected.iter().copied()), "{what}");
        for (found, expected) in scan.records.iter().zip(expected) {
            assert!(found == expected, "{what}: {found:?} is not {expected:?}");
        }
        if scan.through < through.max(after) {
            let [before @ .., _] = &scan.records[..] else {
                panic!("{what} made no progress");
            };
            let text = |record: &Arc<Record>| record.event().map_or(0, |event| event.data.len());
            let size: usize = before.iter().map(text).sum();
            assert!(size <= budget, "{what} read {size} bytes before its last record");
        }
        if budget == usize::MAX {
            assert_eq!(scan.through, through.max(after), "{what}");
        }
        if self.loose.is_none() {
            assert_eq!(scan.floors, self.floors(topics), "floors of {what}");
        }
    }
}
