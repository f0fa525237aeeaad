//! What a log knows of each topic beside its records: its last event, and up to where its events are gone.
//!
//! Written down as one file (`topics`) when a segment is sealed and before anything is removed; what has come since is
//! found in the log. Bound: the hub's `max_topics`.

use std::{collections::HashMap, io};

use super::{
    disk::Disk,
    format::{Damaged, Fields, LogId, VERSION},
    paged::{Paged, pages},
};
use crate::{Change, Floors, Namespace, Record, Seq, Topic, TopicSet};

const NAME: &str = "topics";
const MAGIC: [u8; 8] = *b"TIDEWTOP";

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    known: HashMap<Topic, Place>,
    /// The floor of topics that are not known.
    absent_floor: Seq,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// The last event.
    last: Seq,
    /// Events up to here are gone.
    floor: Seq,
}

impl Topics {
    /// Takes note of a record, in order.
    pub(crate) fn note(&mut self, record: &Record) {
        for topic in &record.topics {
            if record.change == Some(Change::Purges) {
                if let Some(place) = self.known.get_mut(topic) {
                    place.floor = place.floor.max(place.last);
                }
                continue;
            }
            if !self.known.contains_key(topic) {
                let floor = self.absent_floor;
                self.known.insert(
                    topic.clone(),
                    Place {
                        last: Seq::ZERO,
                        floor,
                    },
                );
            }
            if let Some(place) = self.known.get_mut(topic)
                && record.event.is_some()
            {
                place.last = record.seq;
            }
        }
    }

    pub(crate) fn floor(&self, topic: &Topic) -> Seq {
        self.known
            .get(topic)
            .map_or(self.absent_floor, |place| place.floor)
    }

    pub(crate) fn floors(&self, topics: &TopicSet) -> Floors {
        topics.iter().map(|topic| self.floor(topic)).collect()
    }

    /// Events of the topic are gone up to here.
    pub(crate) fn raise(&mut self, topic: &Topic, floor: Seq) {
        if let Some(place) = self.known.get_mut(topic) {
            place.floor = place.floor.max(floor);
        }
    }

    pub(crate) fn raise_absent(&mut self, floor: Seq) {
        self.absent_floor = self.absent_floor.max(floor);
    }

    /// Forgets topics of which nothing is left; their floors go into that of the unknown.
    pub(crate) fn forget_idle(&mut self) -> Vec<Topic> {
        let mut floor = self.absent_floor;
        let idle = self.known.extract_if(|_, place| place.last <= place.floor);
        let forgotten = idle.map(|(topic, place)| {
            floor = floor.max(place.floor);
            topic
        });
        let forgotten = forgotten.collect();
        self.absent_floor = floor;
        forgotten
    }

    /// Writes it down as it was after the record `seq`.
    pub(crate) fn save(&self, disk: &dyn Disk, log: &LogId, seq: Seq) -> io::Result<()> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(u32::try_from(self.known.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(seq.0.to_le_bytes());
        out.extend(self.absent_floor.0.to_le_bytes());
        for (topic, place) in &self.known {
            out.push(topic.namespace().code());
            #[expect(clippy::cast_possible_truncation, reason = "Topic::MAX_LEN")]
            out.extend((topic.name().len() as u16).to_le_bytes());
            out.extend(topic.name().as_bytes());
            out.extend(place.last.0.to_le_bytes());
            out.extend(place.floor.0.to_le_bytes());
        }
        replace(disk, NAME, &out, seed(log))
    }

    /// As it was written down, and after which record.
    pub(crate) fn load(disk: &dyn Disk, log: &LogId) -> io::Result<(Seq, Self)> {
        let content = read(disk, NAME, seed(log))?;
        Self::decode(&content).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
    }

    fn decode(content: &[u8]) -> Result<(Seq, Self), Damaged> {
        let mut fields = Fields(content);
        if fields.array()? != MAGIC || fields.u32()? != VERSION {
            return Err(Damaged("it is no list of topics of this version"));
        }
        let count = fields.u32()?;
        let seq = Seq(fields.u64()?);
        let mut topics = Self {
            known: HashMap::new(),
            absent_floor: Seq(fields.u64()?),
        };
        for _ in 0..count {
            let [code] = fields.array()?;
            let topic = Namespace::of_code(code).zip(Some(fields.text16()?));
            let topic = topic.and_then(|(namespace, name)| Topic::new(namespace, name).ok());
            let place = Place {
                last: Seq(fields.u64()?),
                floor: Seq(fields.u64()?),
            };
            topics
                .known
                .insert(topic.ok_or(Damaged("a topic's name cannot be"))?, place);
        }
        Ok((seq, topics))
    }
}

fn seed(log: &LogId) -> u32 {
    crc32c::crc32c(log)
}

/// Puts a file of pages in the place of the one of this name, safely.
pub(crate) fn replace(disk: &dyn Disk, name: &str, content: &[u8], seed: u32) -> io::Result<()> {
    let temporary = format!("{name}.tmp");
    let file = disk.create(&temporary)?;
    file.write_at(&pages(content, seed), 0)?;
    file.sync()?;
    disk.rename(&temporary, name)?;
    disk.sync_dir(name.rsplit_once('/').map_or("", |(folder, _)| folder))
}

/// The content of such a file, with the zeros at its end.
pub(crate) fn read(disk: &dyn Disk, name: &str, seed: u32) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let len = Paged::content_len(file.len()?);
    let mut content = vec![0; len];
    Paged { file, seed }.read(0, &mut content)?;
    Ok(content)
}
