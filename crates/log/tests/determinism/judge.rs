//! Runs an order through nodes, and compares them.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use fastrand::Rng;
use tidewire_log::{Entry, Record, Seq, Topic, TopicSet};

use crate::{
    node::{Answer, Flaw, Node, is_replayed},
    order::{Order, Ordered, all_topics, settings},
};

const NODES: usize = 4;

/// What there was to judge.
#[derive(Debug, Default)]
pub struct Judged {
    batches: usize,
    accepted: usize,
    refused: usize,
    replayed: usize,
    /// Batches that had no turn.
    passed: usize,
    restarts: usize,
    /// Batches that were applied again, as a crash had taken them.
    again: usize,
    /// Records that a node no longer had.
    gone: usize,
    forgotten: usize,
}

impl AddAssign for Judged {
    fn add_assign(&mut self, other: Self) {
        self.batches += other.batches;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.replayed += other.replayed;
        self.passed += other.passed;
        self.restarts += other.restarts;
        self.again += other.again;
        self.gone += other.gone;
        self.forgotten += other.forgotten;
    }
}

impl Judged {
    pub fn has_all(&self) -> bool {
        let all = [
            self.accepted,
            self.refused,
            self.replayed,
            self.passed,
            self.restarts,
            self.again,
            self.gone,
            self.forgotten,
        ];
        all.iter().all(|count| *count > 0)
    }
}

/// What readers are to find, if all is kept.
#[derive(Default)]
struct Shelf {
    records: BTreeMap<Seq, Arc<Record>>,
    /// What was purged or forgotten of a topic: up to here.
    cut: BTreeMap<Topic, Seq>,
}

impl Shelf {
    fn put(&mut self, record: &Arc<Record>) {
        match &record.entry {
            Entry::Purge { topics, .. } | Entry::Forget { topics, .. } => {
                let cuts = topics.iter().map(|topic| (topic.clone(), record.seq));
                self.cut.extend(cuts);
            }
            entry if entry.is_kept() => drop(self.records.insert(record.seq, Arc::clone(record))),
            _ => {}
        }
    }

    fn of(&self, topics: &TopicSet) -> impl Iterator<Item = &Arc<Record>> {
        let stands = |record: &Record, topic: &Topic| {
            let cut = self.cut.get(topic).copied().unwrap_or_default();
            topics.contains(topic) && record.seq > cut
        };
        let records = self.records.values();
        records.filter(move |record| record.topics().iter().any(|topic| stands(record, topic)))
    }
}

/// An error says what was not the same.
pub fn run(seed: u64, flaw: Flaw) -> Result<Judged, String> {
    // With a flaw, also what does not go on is caught.
    let run = AssertUnwindSafe(|| Run::new(seed, flaw).run());
    match (flaw, catch_unwind(run)) {
        (_, Ok(result)) => result,
        (Flaw::None, Err(panic)) => std::panic::resume_unwind(panic),
        (_, Err(_)) => Err("a panic".into()),
    }
}

struct Run {
    rng: Rng,
    nodes: Vec<Node>,
    order: Order,
    /// What was ordered, and the answers of the first node.
    history: Vec<(Ordered, Option<Vec<Answer>>)>,
    shelf: Shelf,
    judged: Judged,
}

macro_rules! same {
    ($a:expr, $b:expr, $($what:tt)*) => {{
        let (a, b) = (&$a, &$b);
        if a != b {
            return Err(format!("{}: {a:?} and {b:?}", format_args!($($what)*)));
        }
    }};
}

impl Run {
    fn new(seed: u64, flaw: Flaw) -> Self {
        let mut rng = Rng::with_seed(seed);
        let node = |number| {
            let mut rng = Rng::with_seed(seed << 8 | number as u64);
            let config = settings(&mut rng);
            Node::new(number, rng, config, flaw)
        };
        Self {
            nodes: (0..NODES).map(node).collect(),
            order: Order::new(rng.fork()),
            rng,
            history: Vec::new(),
            shelf: Shelf::default(),
            judged: Judged::default(),
        }
    }

    fn run(mut self) -> Result<Judged, String> {
        for _ in 0..self.rng.usize(20..90) {
            self.step()?;
        }
        // Whatever was written down by then, and wherever replay begins.
        for number in 0..NODES {
            self.restart(number)?;
        }
        self.compare()?;
        self.read()?;
        Ok(self.judged)
    }

    fn step(&mut self) -> Result<(), String> {
        let asked = self.rng.usize(..NODES);
        let ordered = self.order.next(|| self.nodes[asked].idle());
        let before = self.history.len();
        for number in 0..NODES {
            // What has been handed out may be handed out again.
            if self.rng.u8(..8) == 0 && before > 0 {
                let (late, _) = &self.history[self.rng.usize(..before)];
                same!(
                    self.nodes[number].take(late),
                    None,
                    "{number}: a batch comes again"
                );
            }
            let answers = self.nodes[number].take(&ordered);
            if number == 0 {
                self.count(answers.as_deref());
                self.history.push((ordered.clone(), answers));
            } else {
                let (_, first) = &self.history[self.history.len() - 1];
                same!(answers, *first, "{number}: answers to {ordered:?}");
            }
        }
        self.shelve();
        self.compare()?;
        for node in &mut self.nodes {
            node.keep_house(ordered.time);
        }
        self.compare()?;
        for number in 0..NODES {
            if self.rng.u8(..30) == 0 {
                self.restart(number)?;
                self.compare()?;
            }
        }
        if self.rng.u8(..10) == 0 {
            self.read()?;
        }
        Ok(())
    }

    fn count(&mut self, answers: Option<&[Answer]>) {
        self.judged.batches += 1;
        self.judged.passed += usize::from(answers.is_none());
        for answer in answers.into_iter().flatten() {
            self.judged.refused += usize::from(answer.is_err());
            self.judged.accepted += usize::from(answer.is_ok());
            self.judged.replayed += usize::from(is_replayed(answer));
        }
    }

    /// The first node keeps its whole log.
    fn shelve(&mut self) {
        let Some((ordered, Some(_))) = self.history.last() else {
            return;
        };
        for record in self.nodes[0].written(ordered.first) {
            self.judged.forgotten += usize::from(matches!(record.entry, Entry::Forget { .. }));
            self.shelf.put(&record);
        }
    }

    fn restart(&mut self, number: usize) -> Result<(), String> {
        let node = &mut self.nodes[number];
        node.restart();
        self.judged.restarts += 1;
        let reached = node.machine.reached().position;
        for (ordered, answers) in self
            .history
            .iter()
            .filter(|(ordered, _)| ordered.position > reached)
        {
            let again = node.take(ordered);
            self.judged.again += usize::from(again.is_some());
            same!(again, *answers, "{number}: answers to what a crash had taken");
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), String> {
        let state = |node: &Node| (node.machine.last(), node.visible, node.machine.snapshot());
        let first = state(&self.nodes[0]);
        for (number, node) in self.nodes.iter().enumerate() {
            same!(state(node), first, "{number}: state");
        }
        Ok(())
    }

    /// Readers find the same everywhere, but for what retention has let go.
    fn read(&mut self) -> Result<(), String> {
        let mut sets: Vec<_> = all_topics().map(TopicSet::from).collect();
        sets.push(TopicSet::new(all_topics().step_by(2)).unwrap());
        for (number, node) in self.nodes.iter().enumerate() {
            let last = node.machine.last();
            for topics in &sets {
                let scan = node.archive.scan(topics, Seq::ZERO, last, usize::MAX).unwrap();
                let mut found = scan.records.iter().peekable();
                let mut has_any = false;
                for record in self.shelf.of(topics) {
                    let id = node.machine.epochs().position(record.seq);
                    let first = self.nodes[0].machine.epochs().position(record.seq);
                    same!(id, first, "{number}: the id of an event");
                    if found.next_if(|found| **found == *record).is_some() {
                        has_any = true;
                        continue;
                    }
                    self.judged.gone += 1;
                    let is_told = scan.floors.highest() >= record.seq || record.event().is_none();
                    let may_be_gone = !node.is_whole && (topics.len() > 1 || !has_any);
                    same!(
                        (is_told, may_be_gone),
                        (true, true),
                        "{number}: {record:?} is gone"
                    );
                }
                same!(found.next(), None, "{number}: only this node has it");
            }
        }
        Ok(())
    }
}
