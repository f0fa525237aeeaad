//! What a log knows beside its records: its last number, and of each topic its last event and up to where it is gone.
//!
//! Written down as one file (`topics`) from time to time; what has come since is found in the log, and what has gone since in
//! [`cuts`]. Bound: the hub's `max_topics`.

use std::{collections::HashMap, io};

use super::{
    cuts,
    disk::Disk,
    format::{Damaged, Fields, LogId, MAX_SEQ, VERSION, version},
    paged::{log_seed, read, replace},
};
use crate::{Entry, Floors, Millis, Namespace, Record, Seq, Topic, TopicSet, idle::Idle};

const MAGIC: [u8; 8] = *b"TIDEWTOP";

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    known: HashMap<Topic, Place>,
    /// The floor of topics that are not known.
    absent_floor: Seq,
    /// The last record of the log, whether it is still there or not, and its time.
    pub(crate) last: Seq,
    pub(crate) time: Millis,
    /// The last record that the file knows.
    pub(crate) listed: Seq,
    /// Purges that are in the log but that no reader has been told of yet.
    purging: Vec<Purge>,
    /// While the list is made anew: where reading begins of topics that come up.
    anew: Option<Seq>,
    /// Meanwhile: up to where topics are gone that were forgotten.
    forgotten: HashMap<Topic, Seq>,
    /// It was made anew: topics may be missing of which nothing is left.
    pub(crate) is_anew: bool,
    /// Events of any topic may be missing up to here, as was found since the log was opened.
    pub(crate) missed: Seq,
    /// Counts what has been let go.
    pub(crate) raised: u64,
    /// Everything up to here was let go since the log was opened. The file says it of each topic as what is cleared of it.
    let_go: Seq,
    /// What was let go since the file was written: floor and cleared. Some topics are known only when the records after the file are.
    later: HashMap<Topic, (Seq, Seq)>,
    idle: Idle,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The last event.
    pub(crate) event: Seq,
    /// The last record: an event, or the end.
    pub(crate) last: Seq,
    /// Events up to here are gone: a reader before it has missed one.
    pub(crate) floor: Seq,
    /// Everything up to here is gone. That may be more than the floor says: nobody misses the end of a stream. It is less only
    /// where the list was made anew, and nobody knows any more what is gone.
    pub(crate) cleared: Seq,
}

impl Place {
    /// Nothing is left.
    fn is_idle(&self) -> bool {
        self.last <= self.cleared
    }

    /// Events are gone up to `floor`, and everything is up to `cleared`.
    pub(crate) fn let_go(&mut self, floor: Seq, cleared: Seq) {
        self.floor = self.floor.max(floor);
        self.cleared = self.cleared.max(cleared).max(floor);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Purge {
    topic: Topic,
    /// The last event before it.
    event: Seq,
    through: Seq,
    /// The topic is forgotten, too.
    forgets: bool,
}

impl Topics {
    /// The file.
    pub(crate) const NAME: &str = "topics";

    /// The list is missing, and is made anew from what is left: events up to `floor` may be gone, and what is kept comes after
    /// `start`.
    pub(crate) fn anew(floor: Seq, start: Seq) -> Self {
        Self {
            absent_floor: floor,
            anew: Some(start),
            // Where nothing can be gone, nothing can be missing.
            is_anew: floor > Seq::ZERO,
            ..Self::default()
        }
    }

    /// All that is left has been noted.
    pub(crate) fn is_complete(&mut self) {
        self.anew = None;
        self.forgotten = HashMap::new();
    }

    /// Whether it has a place for a topic, or cannot tell.
    pub(crate) fn knows(&self, topic: &Topic) -> bool {
        self.is_anew || self.known.contains_key(topic)
    }

    /// Takes note of a record, in order. A purge counts only when it is done: [`Topics::purge`], [`Topics::settle`].
    pub(crate) fn note(&mut self, record: &Record) {
        if !record.entry.is_note() {
            (self.last, self.time) = (record.seq, record.time);
        }
        let (through, forgets) = match &record.entry {
            Entry::Forget { through, .. } => (*through, true),
            _ => (record.seq, false),
        };
        for topic in record.topics() {
            if !record.entry.is_kept() {
                self.purging.extend(self.known.get(topic).map(|place| Purge {
                    topic: topic.clone(),
                    event: place.event,
                    through,
                    forgets,
                }));
                continue;
            }
            if !self.known.contains_key(topic) {
                let start = |start: Seq| self.forgotten.get(topic).map_or(start, |gone| start.max(*gone));
                let place = Place {
                    floor: self.absent_floor,
                    cleared: self.anew.map_or(self.absent_floor, start),
                    ..Place::default()
                };
                self.known.insert(topic.clone(), place);
            }
            if let Some(place) = self.known.get_mut(topic) {
                place.last = record.seq;
                if record.event().is_some() {
                    place.event = record.seq;
                }
            }
        }
    }

    /// Does the purges that were noted.
    pub(crate) fn settle(&mut self) {
        for purge in std::mem::take(&mut self.purging) {
            self.raise(&purge.topic, purge.event, purge.through);
            if purge.forgets {
                self.forget(&purge.topic, purge.through);
            }
        }
    }

    /// Does a purge of a topic: `event` is the last event that it takes.
    pub(crate) fn purge(&mut self, topic: &Topic, event: Seq, through: Seq) {
        self.purging
            .retain(|purge| purge.through > through || purge.topic != *topic);
        self.raise(topic, event, through);
    }

    pub(crate) fn floor(&self, topic: &Topic) -> Seq {
        self.known
            .get(topic)
            .map_or(self.absent_floor, |place| place.floor)
    }

    pub(crate) fn floors(&self, topics: &TopicSet) -> Floors {
        topics.iter().map(|topic| self.floor(topic)).collect()
    }

    /// After which record reading of a topic begins.
    pub(crate) fn start(&self, topic: &Topic) -> Seq {
        let later = || self.later.get(topic).map_or(Seq::ZERO, |(_, cleared)| *cleared);
        self.known
            .get(topic)
            .map_or_else(|| self.absent_floor.max(later()), |place| place.cleared)
    }

    /// Takes what the cuts say, as far as the topics are known.
    pub(crate) fn take_cuts(&mut self, cuts: Vec<Self>) {
        for cut in cuts {
            self.let_go = self.let_go.max(cut.last);
            for (topic, place) in cut.known {
                self.raise(&topic, place.floor, place.cleared);
                let later = self.later.entry(topic).or_default();
                *later = (later.0.max(place.floor), later.1.max(place.cleared));
            }
        }
    }

    /// The topics are known of which something was let go since the file was written.
    pub(crate) fn settle_cuts(&mut self) {
        for (topic, (floor, cleared)) in std::mem::take(&mut self.later) {
            self.raise(&topic, floor, cleared);
        }
    }

    /// Events of the topic are gone up to `floor`, and everything is up to `cleared`.
    pub(crate) fn raise(&mut self, topic: &Topic, floor: Seq, cleared: Seq) {
        if let Some(place) = self.known.get_mut(topic) {
            place.let_go(floor, cleared);
            self.raised += 1;
            if place.is_idle() {
                self.note_idle(topic.clone());
            }
        }
    }

    fn note_idle(&mut self, topic: Topic) {
        let known = &self.known;
        let is_idle = |topic: &Topic| known.get(topic).is_some_and(Place::is_idle);
        self.idle.push(topic, known.len(), is_idle);
    }

    /// Events of any topic may be missing up to here; those that are there are read.
    pub(crate) fn miss(&mut self, through: Seq) {
        if through == Seq::ZERO {
            return;
        }
        self.missed = self.missed.max(through);
        self.absent_floor = self.absent_floor.max(through);
        for place in self.known.values_mut() {
            place.floor = place.floor.max(through);
        }
    }

    /// An event of the topic is missing; those around it are read.
    pub(crate) fn miss_of(&mut self, topic: &Topic, event: Seq) {
        if let Some(place) = self.known.get_mut(topic) {
            place.floor = place.floor.max(event);
        }
    }

    pub(crate) fn raise_absent(&mut self, floor: Seq) {
        self.absent_floor = self.absent_floor.max(floor);
    }

    /// The log begins with this number now: what stood in front of it was let go.
    pub(crate) fn begins_with(&mut self, first: Seq) {
        self.let_go = self.let_go.max(first.before());
    }

    /// Up to where retention has let the log's beginning go, or further: a purge may have taken more of a topic. None if no topic is
    /// known that could tell.
    pub(crate) fn let_go(&self) -> Option<Seq> {
        let places = self.known.values();
        let places = places.map(|place| place.floor.max(place.cleared));
        let later = self.later.values().map(|(_, cleared)| *cleared);
        let gone = places.chain(later).max()?;
        Some(gone.max(self.absent_floor).max(self.let_go))
    }

    /// What is known of a topic, if it is.
    pub(crate) fn place(&self, topic: &Topic) -> Option<Place> {
        self.known.get(topic).copied()
    }

    /// The same; of one that is not known, up to where it must be gone.
    pub(crate) fn place_of(&self, topic: &Topic) -> Place {
        self.place(topic).unwrap_or(Place {
            floor: self.absent_floor,
            cleared: self.absent_floor,
            ..Place::default()
        })
    }

    /// Every topic that is known.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Topic, Place)> {
        self.known.iter().map(|(topic, place)| (topic, *place))
    }

    /// The floor of topics that are not known.
    pub(crate) fn absent_floor(&self) -> Seq {
        self.absent_floor
    }

    /// What another log knew of a topic. False if it is known already.
    pub(crate) fn learn(&mut self, topic: Topic, place: Place) -> bool {
        let is_new = self.known.insert(topic.clone(), place).is_none();
        if place.is_idle() {
            self.note_idle(topic);
        }
        is_new
    }

    /// At most so many topics of which nothing is left.
    pub(crate) fn idle(&mut self, most: usize) -> Vec<Topic> {
        let known = &self.known;
        self.idle
            .first(most, |topic| known.get(topic).is_some_and(Place::is_idle))
    }

    /// Forgets a topic that has got nothing after `through`; its floor goes into that of the unknown.
    pub(crate) fn forget(&mut self, topic: &Topic, through: Seq) {
        self.purging
            .retain(|purge| purge.through > through || purge.topic != *topic);
        if self.known.get(topic).is_some_and(|place| place.last <= through)
            && let Some(place) = self.known.remove(topic)
        {
            // Also the end of a purged stream, which may still stand in a segment, lies below.
            // What a cut says is newer than this: it is of the topic that begins anew.
            let floor = place.floor.min(through);
            self.absent_floor = self.absent_floor.max(floor).max(place.last);
            if self.anew.is_some() {
                self.forgotten.insert(topic.clone(), place.last);
            }
        }
    }

    /// Writes it down, and returns how many bytes that are. Purges that are in the log are done there: whoever opens it knows of
    /// them.
    pub(crate) fn save(&self, disk: &dyn Disk, log: &LogId) -> io::Result<u64> {
        let known_cuts = cuts::all(disk)?;
        let bytes = match self.purging.is_empty() {
            true => self.save_as(disk, Self::NAME, log)?,
            false => {
                let mut settled = self.clone();
                settled.settle();
                settled.save_as(disk, Self::NAME, log)?
            }
        };
        cuts::remove(disk, &known_cuts)?;
        Ok(bytes)
    }

    pub(crate) fn save_as(&self, disk: &dyn Disk, name: &str, log: &LogId) -> io::Result<u64> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(u32::try_from(self.known.len()).unwrap_or(u32::MAX).to_le_bytes());
        for number in [self.last.0, self.time, self.absent_floor.0] {
            out.extend(number.to_le_bytes());
        }
        for (topic, place) in &self.known {
            out.push(topic.namespace().code());
            #[expect(clippy::cast_possible_truncation, reason = "Topic::MAX_LEN")]
            out.extend((topic.name().len() as u16).to_le_bytes());
            out.extend(topic.name().as_bytes());
            let cleared = place.cleared.max(self.let_go);
            for number in [place.event, place.last, place.floor, cleared] {
                out.extend(number.0.to_le_bytes());
            }
        }
        replace(disk, name, &out, log_seed(log))?;
        Ok(out.len() as u64)
    }

    /// As it was written down, with what was let go since.
    ///
    /// # Errors
    /// Also when a cut cannot be read: then it is not known what is gone.
    pub(crate) fn load(disk: &dyn Disk, log: &LogId) -> io::Result<Self> {
        let mut topics = Self::load_from(disk, Self::NAME, log)?;
        topics.listed = topics.last;
        topics.take_cuts(cuts::load(disk, log)?);
        Ok(topics)
    }

    /// Nothing was written down yet, but of what was let go.
    pub(crate) fn begin(disk: &dyn Disk, log: &LogId) -> io::Result<Self> {
        let mut topics = Self::default();
        topics.take_cuts(cuts::load(disk, log)?);
        Ok(topics)
    }

    pub(crate) fn load_from(disk: &dyn Disk, name: &str, log: &LogId) -> io::Result<Self> {
        let content = read(disk, name, log_seed(log))?;
        let named = |why: Damaged| io::Error::new(why.kind(), format!("{name}: {why}"));
        Self::decode(&content).map_err(named)
    }

    fn decode(content: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields(content);
        if fields.array()? != MAGIC {
            return Err(Damaged("it is no list of topics"));
        }
        version(fields.u32()?)?;
        let count = fields.u32()?;
        let mut topics = Self {
            last: Seq(fields.u64()?),
            time: fields.u64()?,
            absent_floor: Seq(fields.u64()?),
            ..Self::default()
        };
        for _ in 0..count {
            let [code] = fields.array()?;
            let topic = Namespace::of_code(code).zip(Some(fields.text16()?));
            let topic = topic.and_then(|(namespace, name)| Topic::new(namespace, name).ok());
            let place = Place {
                event: Seq(fields.u64()?),
                last: Seq(fields.u64()?),
                floor: Seq(fields.u64()?),
                cleared: Seq(fields.u64()?),
            };
            let topic = topic.ok_or(Damaged("a topic's name cannot be"))?;
            if topics.known.insert(topic, place).is_some() {
                return Err(Damaged("a topic is listed twice"));
            }
        }
        let idle = topics.known.iter().filter(|(_, place)| place.is_idle());
        topics.idle = idle.map(|(topic, _)| topic.clone()).collect();
        fields.end()?;
        if topics.last > MAX_SEQ {
            return Err(Damaged("the last number cannot be"));
        }
        Ok(topics)
    }
}
