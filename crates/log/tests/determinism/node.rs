//! A node: a machine beside an archive, as a hub has them, but without a hub.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tidewire_log::{
    Door, Entry, Epoch, Error, Ledger, Millis, Namespace, Outcome, Receipt, Record, Seq, Settings, Topic,
    TopicSet,
    archive::{
        self, Memory, Retention, Rule, Rules, Store as _,
        segments::{self, Durability, Segments},
    },
    batch::{self, Made},
    ids::Epochs,
    ledger::Ledgers,
    machine::{Applied, Arrival, Machine},
    recall::recall,
};

use crate::{
    claims::Claims,
    order::{Ordered, all_topics, alone},
    sim::SimDisk,
};

/// Something that one node decides, of what it has and the others may not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    /// A stream that has ended begins anew where nothing of it is kept.
    AdmitsByTheArchive,
    /// What retention has let go whole is forgotten.
    ForgetsWhatItTrims,
    /// Keys are too old by this node's clock.
    ExpiresKeysByItsClock,
    /// A publish has the time at which it came here.
    StampsByItsClock,
    /// The bound of topics is this node's own.
    BoundsTopicsByItsConfig,
    /// What a ledger says depends on the order in a table of hashes.
    AsksATableOfHashes,
    /// A refused entry takes a number, on one of the nodes.
    NumbersWhatItRefuses,
    /// What comes behind a refusal in an append session is accepted, on one of the nodes.
    GoesOnInABrokenSession,
    /// The log has a proposal to forget as it came, and after a restart also what had come meanwhile is forgotten.
    ForgetsMoreWhenItRestarts,
    /// After a restart it does not know which batches it has applied.
    ForgetsBatches,
    /// It applies whatever is handed out.
    AppliesTwice,
    /// A batch in front of which one is missing is applied.
    AppliesTooEarly,
    /// An epoch begins with every start of a node.
    BeginsAnEpochAtStarts,
    /// It keeps no facts of a door that is not there.
    DropsFactsOfOthers,
    /// Readers of one of the nodes see what was purged until it is started again.
    PurgesOnlyTheMachine,
    /// Retention of one of the nodes lets go more than it should.
    TrimsTheYoung,
}

impl Flaw {
    pub const ALL: [Self; 16] = [
        Self::AdmitsByTheArchive,
        Self::ForgetsWhatItTrims,
        Self::ExpiresKeysByItsClock,
        Self::StampsByItsClock,
        Self::BoundsTopicsByItsConfig,
        Self::AsksATableOfHashes,
        Self::NumbersWhatItRefuses,
        Self::GoesOnInABrokenSession,
        Self::ForgetsMoreWhenItRestarts,
        Self::ForgetsBatches,
        Self::AppliesTwice,
        Self::AppliesTooEarly,
        Self::BeginsAnEpochAtStarts,
        Self::DropsFactsOfOthers,
        Self::PurgesOnlyTheMachine,
        Self::TrimsTheYoung,
    ];
}

pub type Answer = Result<Receipt, Error>;

pub struct Node {
    flaw: Flaw,
    rng: Rng,
    config: Settings,
    /// How far its clock is ahead, in milliseconds.
    skew: i64,
    pub machine: Machine,
    pub archive: Arc<dyn archive::Store>,
    /// All up to here is applied and kept.
    pub visible: Seq,
    /// It keeps all.
    pub is_whole: bool,
    store: Store,
    /// The bytes of some of its states.
    snapshots: Vec<(Seq, Vec<u8>)>,
}

enum Store {
    /// The log stands beside it.
    Memory(Vec<Arc<Record>>),
    Segments(SimDisk, segments::Settings),
}

fn retention(rng: &mut Rng) -> Retention {
    let mut rule = |prefix: &str, namespace| Rule {
        namespace,
        prefix: prefix.into(),
        max_events: Some(rng.usize(1..9)),
        max_bytes: None,
        max_age: rng.bool().then(|| Duration::from_millis(rng.u64(300..9_000))),
    };
    let rules = [rule("t1", Namespace::Events), rule("", Namespace::Relay)];
    Retention {
        max_bytes: rng.usize(2_000..30_000),
        max_events: rng.bool().then(|| rng.usize(2..60)),
        max_age: rng.bool().then(|| Duration::from_millis(rng.u64(300..9_000))),
        relay_percent: rng.u8(10..90),
        rules: Rules::new(rules).unwrap(),
    }
}

impl Node {
    /// The first keeps all, in memory.
    pub fn new(number: usize, mut rng: Rng, config: Settings, flaw: Flaw) -> Self {
        let is_whole = number == 0 || (number == 1 && rng.bool());
        let all = Retention {
            max_bytes: usize::MAX,
            ..Retention::default()
        };
        let retention = if is_whole { all } else { retention(&mut rng) };
        let (archive, store): (Arc<dyn archive::Store>, _) = if number.is_multiple_of(2) {
            (Arc::new(Memory::new(retention)), Store::Memory(Vec::new()))
        } else {
            let disk = SimDisk::new(rng.u64(..));
            let durability = if rng.bool() {
                Durability::Always
            } else {
                Durability::Never
            };
            let settings = segments::Settings {
                durability,
                segment_bytes: rng.u64(500..3_000),
                retention,
            };
            let log = Segments::open(Arc::new(disk.clone()), settings.clone()).unwrap();
            (Arc::new(log), Store::Segments(disk, settings))
        };
        // The first node of those that a flaw of one node concerns.
        let is_of_one = matches!(
            flaw,
            Flaw::NumbersWhatItRefuses
                | Flaw::GoesOnInABrokenSession
                | Flaw::PurgesOnlyTheMachine
                | Flaw::TrimsTheYoung
        );
        let flaw = if is_of_one && number != 1 {
            Flaw::None
        } else {
            flaw
        };
        Self {
            machine: Machine::new(Epochs::default(), config, ledgers(flaw)),
            skew: rng.i64(-3_000..3_000),
            flaw,
            rng,
            config,
            archive,
            visible: Seq::ZERO,
            is_whole,
            store,
            snapshots: Vec::new(),
        }
    }

    fn clock(&self, time: Millis) -> Millis {
        time.checked_add_signed(self.skew).unwrap()
    }

    /// Applies what the order hands out. None: it has no turn.
    pub fn take(&mut self, ordered: &Ordered) -> Option<Vec<Answer>> {
        let Ordered {
            position,
            first,
            time,
            origin,
            number,
            ..
        } = *ordered;
        match self.machine.arrive(position, origin, number) {
            Arrival::Next => {}
            Arrival::Again if self.flaw == Flaw::AppliesTwice && self.rng.bool() => {}
            Arrival::Early if self.flaw == Flaw::AppliesTooEarly && self.rng.bool() => {}
            Arrival::Again | Arrival::Early => return None,
        }
        let now = match self.flaw {
            Flaw::StampsByItsClock => self.clock(time),
            _ => time,
        };
        self.machine.begin();
        let note = Entry::Batch {
            position,
            origin,
            number,
        };
        let note = (self.flaw != Flaw::ForgetsBatches).then_some(note);
        let mut entries = ordered.entries.clone();
        if self.flaw == Flaw::GoesOnInABrokenSession {
            entries.iter_mut().for_each(|proposed| proposed.session = 0);
        }
        let is_its_own = self.flaw == Flaw::ExpiresKeysByItsClock;
        if is_its_own {
            let before = self.clock(time).saturating_sub(self.config.keep_keys);
            entries.insert(0, alone(Entry::ForgetKeys { before }));
        }
        let mut wasted = 0;
        let apply = |seq: Seq, entry| self.apply(Seq(seq.0 + wasted), now, entry, &mut wasted);
        let Made {
            mut records,
            mut outcomes,
        } = batch::apply(first, entries, note, apply);
        outcomes.drain(..usize::from(is_its_own));
        if self.flaw == Flaw::DropsFactsOfOthers {
            records
                .retain(|record| !matches!(record.entry, Entry::Fact { door, .. } if door == Door::GRANTS));
        }
        if !records.is_empty() {
            self.archive.append(&records).unwrap();
        }
        let through = records.iter().map(|record| record.through()).max();
        self.visible = self.visible.max(through.unwrap_or_default());
        for record in &records {
            match &record.entry {
                Entry::Purge { topics, .. } if self.flaw != Flaw::PurgesOnlyTheMachine => {
                    self.archive.purge(topics, record.seq).unwrap();
                }
                Entry::Forget { topics, .. } => self.archive.forget(topics, record.seq),
                _ => {}
            }
        }
        if let Store::Memory(log) = &mut self.store {
            log.extend(records);
        }
        if self.archive.wants_snapshot() {
            self.snapshot();
        }
        Some(outcomes)
    }

    /// `wasted` counts the numbers that refused entries took since the last record.
    fn apply(&mut self, seq: Seq, now: Millis, entry: Entry, wasted: &mut u64) -> Result<Applied, Error> {
        if matches!(entry, Entry::Event { .. } | Entry::End { .. }) {
            self.admit(seq, now, &entry)?;
        }
        let proposed = entry.clone();
        let mut applied = self.machine.apply(seq, now, entry);
        match &mut applied {
            Ok(Applied::Record(record, _)) => {
                *wasted = 0;
                let forgets = matches!(proposed, Entry::Forget { .. });
                if forgets && self.flaw == Flaw::ForgetsMoreWhenItRestarts {
                    record.entry = proposed;
                }
            }
            Err(_) if self.flaw == Flaw::NumbersWhatItRefuses => *wasted += 1,
            _ => {}
        }
        applied
    }

    /// What a node with a flaw does before an entry is accepted.
    fn admit(&mut self, next: Seq, now: Millis, entry: &Entry) -> Result<(), Error> {
        let through = Seq(u64::MAX);
        match self.flaw {
            Flaw::AdmitsByTheArchive => {
                for topic in entry.topics() {
                    let topics = TopicSet::from(topic.clone());
                    let is_gone = archive::count(&*self.archive, &topics, through).unwrap() == 0;
                    if self.machine.ended_at(topic).is_some() && is_gone {
                        let forget = Entry::Forget { topics, through };
                        drop(self.machine.apply(next, now, forget));
                    }
                }
            }
            Flaw::BoundsTopicsByItsConfig => {
                let max = usize::try_from(self.config.max_topics).unwrap();
                let is_new = entry.topics().iter().any(|topic| !self.machine.knows(topic));
                if is_new && self.machine.topic_count() >= max {
                    return Err(Error::TopicsFull { max });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn snapshot(&mut self) {
        let state = self.machine.snapshot();
        self.archive.snapshot(self.visible, &state);
        self.snapshots.push((self.visible, state));
    }

    /// What a node does by itself, at moments of its own.
    pub fn keep_house(&mut self, time: Millis) {
        let now = self.clock(time);
        if self.rng.u8(..6) == 0 {
            self.snapshot();
        }
        if self.rng.u8(..3) == 0 {
            let early = if self.flaw == Flaw::TrimsTheYoung {
                60_000
            } else {
                0
            };
            self.archive.trim(now + early);
            drop(self.archive.trim_topics(now + early));
            if self.flaw == Flaw::TrimsTheYoung {
                let topics = TopicSet::new(all_topics()).unwrap();
                self.archive
                    .purge(&topics, Seq(self.machine.last().0 / 2))
                    .unwrap();
            }
        }
        if self.flaw == Flaw::ForgetsWhatItTrims
            && let Ok(topics) = TopicSet::new(self.idle())
        {
            let (next, through) = (self.machine.last().next(), self.machine.last());
            let forget = Entry::Forget { topics, through };
            drop(self.machine.apply(next, time, forget));
        }
    }

    /// What it has written from a number on, where its log stands beside it.
    pub fn written(&self, from: Seq) -> Vec<Arc<Record>> {
        match &self.store {
            Store::Memory(log) => log.iter().filter(|record| record.seq >= from).cloned().collect(),
            Store::Segments(..) => Vec::new(),
        }
    }

    /// The topics of which it keeps nothing.
    pub fn idle(&self) -> Vec<Topic> {
        self.archive.idle(Entry::MOST_FORGOTTEN)
    }

    /// Ends, in order or not, and is there again. The order hands out anew what came after [`Machine::reached`].
    pub fn restart(&mut self) {
        let ledgers = ledgers(self.flaw);
        match &mut self.store {
            Store::Memory(log) => {
                let (mut after, mut machine) =
                    (Seq::ZERO, Machine::new(Epochs::default(), self.config, ledgers));
                if !self.snapshots.is_empty() {
                    let (last, state) = &self.snapshots[self.rng.usize(..self.snapshots.len())];
                    machine = machine.restore(*last, state).unwrap();
                    after = *last;
                }
                let rest = log.iter().filter(|record| record.seq > after);
                rest.for_each(|record| machine.replay(record));
                // As `recall` does.
                machine.go_on_after(self.visible, machine.time());
                self.machine = machine;
            }
            Store::Segments(disk, settings) => {
                *disk = match self.rng.u8(..3) {
                    0 => {
                        self.archive.close();
                        disk.kill()
                    }
                    1 => disk.kill(),
                    _ => disk.crash(&mut self.rng),
                };
                let log = Segments::open(Arc::new(disk.clone()), settings.clone()).unwrap();
                self.visible = log.history().last;
                self.machine = recall(&log, log.history(), self.config, ledgers).unwrap();
                self.archive = Arc::new(log);
            }
        }
        if self.flaw == Flaw::BeginsAnEpochAtStarts {
            let epoch = Entry::Epoch(Epoch::random().unwrap());
            let next = self.machine.last().next();
            drop(self.machine.apply(next, self.machine.time(), epoch));
        }
    }
}

/// One door is there, the other is not.
fn ledgers(flaw: Flaw) -> Ledgers {
    let mut claims = Box::new(Claims::default());
    claims.by_hash = flaw == Flaw::AsksATableOfHashes;
    let claims: Box<dyn Ledger> = claims;
    [(Door::RELAY, claims)].into()
}

/// Whether it is the answer to a retry.
pub fn is_replayed(answer: &Answer) -> bool {
    matches!(answer, Ok(receipt) if receipt.outcome == Outcome::Replayed)
}
