//! What the log remembers about topics, keys and doors, and whether an entry is accepted.
//!
//! The machine sees every entry in order and answers the same on every run: the number and the time are arguments (the time clamped
//! so that it never goes back), it reads no clock and draws nothing at random, and nothing but earlier entries decides. So the same
//! order builds the same state, on this node or another, whatever each of them keeps.
//!
//! Call, for a batch: [`Machine::begin`], [`Machine::apply`] for each entry, and, where the batch is not kept, [`Machine::undo`].

use std::collections::{BTreeMap, HashMap};

use crate::{
    Change, Entry, Error, Millis, Outcome, Receipt, Record, Seq, Topic, TopicSet,
    dedup::Dedup,
    ids::Epochs,
    ledger::{Absent, Door, Ledgers, Verdict},
    settings::Settings,
};

/// See the module's text.
pub struct Machine {
    pub(crate) epochs: Epochs,
    pub(crate) settings: Settings,
    /// An entry has said them. Until then they are what the machine was started with.
    pub(crate) are_noted: bool,
    /// The last record.
    pub(crate) kept: Seq,
    /// The last number that was given, also to what was taken back.
    last: Seq,
    pub(crate) time: Millis,
    /// Every topic that got a record and was not forgotten since.
    pub(crate) topics: HashMap<Topic, Known>,
    pub(crate) keys: Dedup,
    pub(crate) ledgers: Ledgers,
    pub(crate) absent: BTreeMap<Door, Absent>,
    pub(crate) reached: Reached,
    before: Before,
}

/// What is known of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its last record.
    pub(crate) last: Seq,
    /// That ended its stream.
    pub(crate) has_ended: bool,
}

/// How things were at [`Machine::begin`].
#[derive(Default)]
struct Before {
    kept: Seq,
    time: Millis,
    settings: Option<(Settings, bool)>,
    /// What was known of the topics that have changed, in the order of the changes.
    topics: Vec<(Topic, Option<Known>)>,
}

/// Who proposed a batch: one run of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Drawn at random when the node was made.
    pub node: u64,
    /// Counts its runs.
    pub incarnation: u64,
}

/// How far an order that comes from elsewhere has been applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// The last batch, by its place in the order. 0: none.
    pub position: u64,
    /// The number of the last batch of each node, in its last run: with a batch of the next one, a run is over.
    pub numbers: BTreeMap<Origin, u64>,
}

/// What a batch is that comes from an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next of its run: it is applied.
    Next,
    /// It has been applied before, or belongs to a run that is over.
    Again,
    /// One in front of it is missing: it is passed over, and comes again behind that.
    Early,
}

/// An entry that was accepted.
#[derive(Debug)]
pub enum Applied {
    /// It has its place in the order, and this is the answer to it.
    Record(Record, Receipt),
    /// It changes nothing, and takes no place: it has been accepted before, or its door's ledger had no use for it. The number of such
    /// a fact is passed over: a node without the ledger keeps the fact there.
    Answered(Receipt),
}

impl Machine {
    /// A machine that has seen nothing. The settings hold until an entry says others.
    #[must_use]
    pub fn new(epochs: Epochs, settings: Settings, ledgers: Ledgers) -> Self {
        Self {
            epochs,
            settings,
            are_noted: false,
            kept: Seq::ZERO,
            last: Seq::ZERO,
            time: 0,
            topics: HashMap::new(),
            keys: Dedup::new(&settings),
            ledgers,
            absent: BTreeMap::new(),
            reached: Reached::default(),
            before: Before::default(),
        }
    }

    /// A batch comes from an order. Where it is the next of its run, it counts as applied from here on.
    #[must_use]
    pub fn arrive(&mut self, position: u64, origin: Origin, number: u64) -> Arrival {
        // What was passed over as too early has no turn at its old place any more.
        if position <= self.reached.position {
            return Arrival::Again;
        }
        self.reached.position = position;
        let run = |incarnation| Origin {
            incarnation,
            ..origin
        };
        let runs = self.reached.numbers.range(run(0)..=run(u64::MAX));
        let newest = runs.last().map(|(run, number)| (*run, *number));
        let last = match newest {
            Some((run, _)) if run > origin => return Arrival::Again,
            Some((run, number)) if run == origin => number,
            _ => 0,
        };
        // A batch that is not applied leaves nothing that a restart would not know.
        match number {
            _ if number <= last => Arrival::Again,
            _ if number > last + 1 => Arrival::Early,
            _ => {
                newest.map(|(run, _)| self.reached.numbers.remove(&run));
                self.reached.numbers.insert(origin, number);
                Arrival::Next
            }
        }
    }

    /// The log's histories. The table is shared.
    #[must_use]
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// How far an order that comes from elsewhere has been applied.
    #[must_use]
    pub fn reached(&self) -> &Reached {
        &self.reached
    }

    /// A batch begins: what was applied until now is not taken back any more.
    pub fn begin(&mut self) {
        (self.before.kept, self.before.time) = (self.kept, self.time);
        self.before.settings = None;
        self.before.topics.clear();
        self.keys.begin();
        self.ledgers.values_mut().for_each(|ledger| ledger.begin());
        self.absent.values_mut().for_each(Absent::begin);
    }

    /// Takes back what was applied since [`Machine::begin`]. Its numbers are not used again.
    pub fn undo(&mut self) {
        (self.kept, self.time) = (self.before.kept, self.before.time);
        if let Some((settings, are_noted)) = self.before.settings.take() {
            (self.settings, self.are_noted) = (settings, are_noted);
        }
        for (topic, was) in self.before.topics.drain(..).rev() {
            match was {
                Some(was) => self.topics.insert(topic, was),
                None => self.topics.remove(&topic),
            };
        }
        self.keys.undo(&self.settings);
        self.ledgers.values_mut().for_each(|ledger| ledger.undo());
        self.absent.retain(|_, book| book.undo());
    }

    /// Gives the entry the place `seq`, or says why it gets none. A refused entry changes nothing. A note is always accepted, and
    /// the next entry has the same `seq`.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::TopicsFull`], [`Error::KeyReused`].
    pub fn apply(&mut self, seq: Seq, now: Millis, entry: Entry) -> Result<Applied, Error> {
        // First of all: a retry is answered as the first try was, whatever has happened since.
        if let (Some(topics), Some(keyed)) = (entry.topic_set(), entry.key())
            && let Some((seq, id)) = self.keys.replayed(topics, keyed, &entry)?
        {
            let outcome = Outcome::Replayed;
            return Ok(Applied::Answered(Receipt { seq, id, outcome }));
        }
        let entry = match entry {
            Entry::Event { .. } | Entry::End { .. } => {
                self.admit(entry.topics())?;
                entry
            }
            Entry::Forget { topics, through } => {
                let quiet = topics
                    .iter()
                    .filter(|topic| self.is_quiet(topic, through))
                    .cloned();
                match TopicSet::new(quiet) {
                    Ok(topics) => Entry::Forget { topics, through },
                    Err(_) => return Ok(Applied::Answered(self.nothing())),
                }
            }
            entry => entry,
        };
        let time = self.time.max(now);
        let verdict = self.take(seq, time, &entry);
        let mut receipt = self.receipt(&entry, seq);
        if let Some(verdict) = verdict {
            let is_taken = verdict.is_taken;
            receipt.outcome = Outcome::Told(verdict);
            if !is_taken {
                return Ok(Applied::Answered(receipt));
            }
        }
        let record = Record { seq, time, entry };
        self.go_on_after(record.through(), time);
        Ok(Applied::Record(record, receipt))
    }

    /// Is told of a record that was accepted before a restart. It answers from then on as if it had been there.
    pub fn replay(&mut self, record: &Record) {
        self.begin();
        // A topic that had ended and has events again had been forgotten in between: `take` opens it.
        self.take(record.seq, record.time, &record.entry);
        self.go_on_after(record.through(), record.time);
    }

    /// What comes next has later numbers and times.
    pub fn go_on_after(&mut self, last: Seq, time: Millis) {
        self.kept = self.kept.max(last);
        self.last = self.last.max(last);
        self.time = self.time.max(time);
    }

    /// Whether an event or an end may be published to these topics.
    fn admit(&self, topics: &[Topic]) -> Result<(), Error> {
        if let Some(topic) = topics.iter().find(|topic| self.ended_at(topic).is_some()) {
            return Err(Error::Ended { topic: topic.clone() });
        }
        let unknown = topics
            .iter()
            .filter(|topic| !self.topics.contains_key(*topic))
            .count();
        match unknown > 0 && (self.topics.len() + unknown) as u64 > self.settings.max_topics {
            true => Err(Error::TopicsFull {
                max: usize::try_from(self.settings.max_topics).unwrap_or(usize::MAX),
            }),
            false => Ok(()),
        }
    }

    /// Does what an accepted entry does. What a ledger says to a fact is returned.
    fn take(&mut self, seq: Seq, time: Millis, entry: &Entry) -> Option<Verdict> {
        match entry {
            Entry::Event { topics, .. } | Entry::End { topics, .. } | Entry::Purge { topics, .. } => {
                self.note(topics, seq, entry.change());
                if let Some(keyed) = entry.key() {
                    let Receipt { seq, id, .. } = self.receipt(entry, seq);
                    self.keys.remember(topics, keyed.clone(), entry, (seq, id), time);
                }
            }
            Entry::Forget { topics, .. } => {
                for topic in topics {
                    let was = self.topics.remove(topic);
                    self.before.topics.push((topic.clone(), was));
                }
            }
            Entry::ForgetKeys { before } => self.keys.forget_before(*before),
            Entry::Settings(settings) => {
                self.before
                    .settings
                    .get_or_insert((self.settings, self.are_noted));
                self.hold(*settings);
            }
            // Right after the last record: no number in between is anything in the history before.
            Entry::Epoch(epoch) => self.epochs.begin(*epoch, self.last.next()),
            Entry::Batch {
                position,
                origin,
                number,
            } => {
                // Applied already, where this node wrote it.
                let _ = self.arrive(*position, *origin, *number);
            }
            Entry::Fact { door, data } => {
                return Some(match self.ledgers.get_mut(door) {
                    Some(ledger) => ledger.apply(seq, time, data),
                    None => self.absent.entry(*door).or_default().apply(seq, time, data),
                });
            }
        }
        None
    }

    /// Notes what the record at `seq` does to its topics.
    fn note(&mut self, topics: &TopicSet, seq: Seq, change: Option<Change>) {
        let known = Known {
            last: seq,
            has_ended: change == Some(Change::Ends),
        };
        for topic in topics {
            let was = match self.topics.get_mut(topic) {
                Some(was) => Some(std::mem::replace(was, known)),
                // A topic that is not known has nothing that could be purged.
                None if change == Some(Change::Purges) => continue,
                None => self.topics.insert(topic.clone(), known),
            };
            self.before.topics.push((topic.clone(), was));
        }
    }

    fn receipt(&self, entry: &Entry, seq: Seq) -> Receipt {
        let given = entry.as_event().and_then(|event| event.id.clone());
        Receipt {
            seq,
            id: given.unwrap_or_else(|| self.epochs.position(seq).into()),
            outcome: Outcome::Appended,
        }
    }

    /// The answer to an entry that had nothing to change.
    fn nothing(&self) -> Receipt {
        Receipt {
            seq: self.last,
            id: self.epochs.position(self.last).into(),
            outcome: Outcome::Appended,
        }
    }

    /// Where a topic ended, if it has.
    #[must_use]
    pub fn ended_at(&self, topic: &Topic) -> Option<Seq> {
        let known = self.topics.get(topic)?;
        known.has_ended.then_some(known.last)
    }

    /// Whether it knows a topic: it got a record, and was not forgotten since.
    #[must_use]
    pub fn knows(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// Whether a topic is known and has got nothing after `through`.
    #[must_use]
    pub fn is_quiet(&self, topic: &Topic, through: Seq) -> bool {
        self.topics.get(topic).is_some_and(|known| known.last <= through)
    }

    /// How many of these topics have not ended at or before `through`, and the last end among the others.
    #[must_use]
    pub fn open(&self, topics: &TopicSet, through: Seq) -> (usize, Seq) {
        let ends = topics
            .iter()
            .filter_map(|topic| self.ended_at(topic))
            .filter(|end| *end <= through);
        ends.fold((topics.len(), Seq::ZERO), |(open, last), end| {
            (open - 1, last.max(end))
        })
    }

    /// Settings hold that an entry has said.
    pub(crate) fn hold(&mut self, settings: Settings) {
        (self.settings, self.are_noted) = (settings, true);
        self.keys.set(&settings);
    }

    /// Every topic that it knows, with its last record.
    pub fn topics(&self) -> impl Iterator<Item = (Topic, Seq)> {
        let known = self.topics.iter();
        known.map(|(topic, known)| (topic.clone(), known.last))
    }

    /// How many topics it knows.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// What is remembered of idempotency keys.
    #[must_use]
    pub fn keys(&self) -> &Dedup {
        &self.keys
    }

    /// The last number that was given: numbers of what was taken back are not used again.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The time of the last record.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.time
    }

    /// The settings in force, if an entry has said them.
    #[must_use]
    pub fn noted_settings(&self) -> Option<Settings> {
        self.are_noted.then_some(self.settings)
    }

    /// The entry that forgets the keys which are too old at this time, if there are such.
    #[must_use]
    pub fn expired_keys(&self, now: Millis) -> Option<Entry> {
        let before = now.checked_sub(self.settings.keep_keys)?;
        self.keys
            .oldest()
            .is_some_and(|since| since < before)
            .then_some(Entry::ForgetKeys { before })
    }
}

#[cfg(test)]
mod tests;
