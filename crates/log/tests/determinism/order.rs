//! An order of random entries: batches of three runs, some of them twice, some too early, and holes between their places.

use std::collections::VecDeque;

use fastrand::Rng;
use tidewire_codec::{Event, EventId, EventName};
use tidewire_log::{
    Door, Entry, IdempotencyKey, Millis, Namespace, Seq, Settings, Topic, TopicSet, batch::Proposed,
    machine::Origin, settings::RULES,
};

/// A batch that has its place.
#[derive(Debug, Clone)]
pub struct Ordered {
    pub position: u64,
    pub first: Seq,
    pub time: Millis,
    pub origin: Origin,
    pub number: u64,
    pub entries: Vec<Proposed>,
}

pub const BEGAN: Millis = 1_700_000_000_000;
const TOPICS: usize = 9;

pub struct Order {
    rng: Rng,
    position: u64,
    time: Millis,
    runs: Vec<Run>,
    settings: Settings,
}

struct Run {
    origin: Origin,
    number: u64,
    /// What was proposed and not ordered in its turn: it comes again.
    lost: VecDeque<(u64, Vec<Proposed>)>,
    /// The last batch that was ordered.
    last: Option<(u64, Vec<Proposed>)>,
    /// What the run before had under way when it ended.
    old: Option<(Origin, u64, Vec<Proposed>)>,
}

pub fn topic(number: usize) -> Topic {
    let namespace = if number.is_multiple_of(4) {
        Namespace::Relay
    } else {
        Namespace::Events
    };
    Topic::new(namespace, &format!("t{number}")).unwrap()
}

pub fn all_topics() -> impl Iterator<Item = Topic> {
    (0..TOPICS).map(topic)
}

impl Order {
    pub fn new(mut rng: Rng) -> Self {
        let run = |node| Run {
            origin: Origin { node, incarnation: 1 },
            number: 0,
            lost: VecDeque::new(),
            last: None,
            old: None,
        };
        Self {
            position: 0,
            time: BEGAN,
            runs: [7, 8, 9].map(run).into(),
            settings: settings(&mut rng),
            rng,
        }
    }

    /// The next batch. A node proposes to forget what it keeps nothing of.
    pub fn next(&mut self, idle: impl FnOnce() -> Vec<Topic>) -> Ordered {
        let rng = &mut self.rng;
        self.position += rng.u64(1..4);
        // The clocks of those that propose are not one.
        self.time = match rng.u8(..20) {
            0 => self.time + rng.u64(..5_000),
            1 => self.time - rng.u64(..1_000),
            _ => self.time + rng.u64(..200),
        };
        let is_first = self.runs.iter().all(|run| run.last.is_none());
        let mut which = rng.usize(..self.runs.len());
        if is_first {
            which = 0;
        } else if rng.u8(..20) == 0 {
            // The node is started again; what it had lost is lost.
            let run = &mut self.runs[which];
            let old = run
                .last
                .take()
                .map(|(number, entries)| (run.origin, number + 1, entries));
            run.old = old;
            run.origin.incarnation += 1;
            run.number = 0;
            run.lost.clear();
        }
        let old = if rng.u8(..4) == 0 {
            self.runs[which].old.take()
        } else {
            None
        };
        let (origin, number, entries) = match (rng.u8(..12), self.runs[which].last.clone()) {
            _ if old.is_some() => old.unwrap(),
            (0, Some((number, entries))) => (self.runs[which].origin, number, entries),
            (1, _) if !is_first => {
                let lost = self.entries(Vec::new());
                let next = self.entries(Vec::new());
                let run = &mut self.runs[which];
                run.number += 2;
                run.lost.push_back((run.number - 1, lost));
                run.lost.push_back((run.number, next.clone()));
                (run.origin, run.number, next)
            }
            (chance, _) => {
                let idle = if chance == 2 { idle() } else { Vec::new() };
                let lost = self.runs[which].lost.pop_front();
                let (number, entries) = lost.unwrap_or_else(|| {
                    self.runs[which].number += 1;
                    let mut entries = self.entries(idle);
                    if is_first {
                        entries.splice(..0, [self.epoch(), Entry::Settings(self.settings)].map(alone));
                    }
                    (self.runs[which].number, entries)
                });
                self.runs[which].last = Some((number, entries.clone()));
                (self.runs[which].origin, number, entries)
            }
        };
        Ordered {
            position: self.position,
            first: Seq(self.position << 12),
            time: self.time,
            origin,
            number,
            entries,
        }
    }

    fn entries(&mut self, idle: Vec<Topic>) -> Vec<Proposed> {
        let mut entries: Vec<_> = (0..self.rng.usize(..7))
            .map(|_| Proposed {
                entry: self.entry(),
                session: self.rng.u16(..6).saturating_sub(3),
            })
            .collect();
        if let Ok(topics) = TopicSet::new(idle) {
            let through = Seq(self.position << 12).before();
            entries.push(alone(Entry::Forget { topics, through }));
        }
        entries
    }

    fn entry(&mut self) -> Entry {
        let topics = topics(&mut self.rng);
        let rng = &mut self.rng;
        let key = |rng: &mut Rng| {
            let name = rng.u8(..6);
            let key = IdempotencyKey::new(&format!("key-{name}")).unwrap();
            (rng.u8(..3) == 0).then_some((key, rng.u64(..3)))
        };
        match rng.u8(..32) {
            0 | 1 => Entry::end(topics).with_key(key(rng)),
            2..5 => Entry::purge(topics).with_key(key(rng)),
            5 | 6 => Entry::Forget {
                topics,
                through: Seq(self.position.saturating_sub(rng.u64(..20)) << 12),
            },
            7 => Entry::ForgetKeys {
                before: self.time.saturating_sub(rng.u64(..5_000)),
            },
            8 if rng.bool() => {
                self.settings = settings(rng);
                Entry::Settings(self.settings)
            }
            9 if rng.bool() => self.epoch(),
            10..14 => Entry::Fact {
                door: if rng.bool() { Door::RELAY } else { Door::GRANTS },
                data: [rng.u8(..12)].into(),
            },
            chance => {
                let key = key(rng);
                // A retry mostly says the same again.
                let data = match &key {
                    Some((key, number)) if rng.u8(..8) > 0 => format!("{}/{number}", key.as_str()),
                    _ => "x".repeat(rng.usize(..60)),
                };
                let mut event = Event::new(data);
                if rng.u8(..4) == 0 {
                    event.id = Some(EventId::new(format!("id-{}", rng.u8(..9))).unwrap());
                    event.name = Some(EventName::new("n").unwrap());
                }
                // Retries are known by their topics too.
                let topics = key.as_ref().map_or(topics, |_| topic(1).into());
                let entry = Entry::event(topics, event).with_key(key);
                if chance == 14 { entry.ending() } else { entry }
            }
        }
    }

    fn epoch(&mut self) -> Entry {
        let name: String = (0..8).map(|_| char::from(b'0' + self.rng.u8(..10))).collect();
        Entry::Epoch(name.parse().unwrap())
    }
}

/// Of no append session.
pub fn alone(entry: Entry) -> Proposed {
    Proposed { entry, session: 0 }
}

fn topics(rng: &mut Rng) -> TopicSet {
    let count = if rng.u8(..4) == 0 { 2 } else { 1 };
    TopicSet::new((0..count).map(|_| topic(rng.usize(..TOPICS)))).unwrap()
}

/// So narrow that entries are refused and keys forgotten.
pub fn settings(rng: &mut Rng) -> Settings {
    Settings {
        rules: RULES,
        max_topics: rng.u64(5..10),
        max_keys: rng.u64(2..6),
        max_key_bytes: rng.u64(600..4_000),
        keep_keys: rng.u64(500..5_000),
    }
}
