//! The lines of an export, as `docs/log.md` has them: first what the log is, then what it remembers of topics, keys and doors, then its
//! records, and in the end how many there were and a checksum.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tidewire_codec::{Event, EventId, EventName};
use tidewire_hub::{
    Change, Door, Entry, Epoch, IdempotencyKey, Millis, Namespace, Record, Seq, Topic, TopicSet,
    archive::segments::inspect::{Head, KnownBook, KnownKey, KnownTopic, Origin, Reached, Settings},
};

use super::show;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Log(LogLine<'a>),
    Topic(TopicLine<'a>),
    Key(KeyLine<'a>),
    Book(BookLine<'a>),
    Fact(FactLine<'a>),
    Record(RecordLine<'a>),
    End(EndLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLine<'a> {
    format: u32,
    log: Cow<'a, str>,
    /// When it was exported; for people.
    exported: Cow<'a, str>,
    epochs: Vec<EpochLine>,
    last: u64,
    time: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    floor: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    #[serde(default, skip_serializing_if = "is_zero")]
    position: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<OriginLine>,
}

/// Of which batches of a run are in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginLine {
    /// Hexadecimal: programs that read JSON round numbers as large as this.
    node: String,
    incarnation: u64,
    number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochLine {
    epoch: String,
    first: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicLine<'a> {
    topic: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    last_event: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    last: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    floor: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    cleared: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    /// If it is not `last`: a purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyLine<'a> {
    key: Cow<'a, str>,
    topics: Vec<Cow<'a, str>>,
    since: u64,
    fingerprint: Cow<'a, str>,
    first: (u64, Cow<'a, str>),
    last: (u64, Cow<'a, str>),
    next: u64,
}

/// What a door has written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BookLine<'a> {
    door: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Cow<'a, str>>,
}

/// What a door has said since: behind its book.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactLine<'a> {
    door: u8,
    seq: u64,
    time: u64,
    data: Cow<'a, str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordLine<'a> {
    seq: u64,
    time: u64,
    topics: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<ChangeWord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<(Cow<'a, str>, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChangeWord {
    Ends,
    Purges,
}

/// The last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) topics: u64,
    pub(super) keys: u64,
    pub(super) records: u64,
    /// CRC-32C of all bytes before this line.
    pub(super) crc32c: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> LogLine<'a> {
    pub(super) fn new(head: &'a Head, exported: String) -> Self {
        let epoch = |(epoch, first): &(Epoch, Seq)| EpochLine {
            epoch: epoch.to_string(),
            first: first.0,
        };
        Self {
            format: head.format,
            log: head.log.as_str().into(),
            exported: exported.into(),
            epochs: head.epochs.iter().map(epoch).collect(),
            last: head.last.0,
            time: head.time,
            floor: head.floor.0,
            settings: head.settings,
            position: head.reached.position,
            origins: head.reached.numbers.iter().map(OriginLine::new).collect(),
        }
    }

    pub(super) fn read(self) -> Result<Head, String> {
        let epoch = |line: EpochLine| {
            let epoch = line.epoch.parse();
            let epoch = epoch.map_err(|_| format!("{:?} is no name of an epoch", line.epoch))?;
            Ok((epoch, Seq(line.first)))
        };
        Ok(Head {
            format: self.format,
            log: self.log.into_owned(),
            epochs: self
                .epochs
                .into_iter()
                .map(epoch)
                .collect::<Result<_, String>>()?,
            last: Seq(self.last),
            time: self.time,
            floor: Seq(self.floor),
            settings: self.settings,
            reached: Reached {
                position: self.position,
                numbers: self
                    .origins
                    .into_iter()
                    .map(OriginLine::read)
                    .collect::<Result<_, String>>()?,
            },
        })
    }
}

impl OriginLine {
    fn new((origin, number): (&Origin, &u64)) -> Self {
        Self {
            node: format!("{:016x}", origin.node),
            incarnation: origin.incarnation,
            number: *number,
        }
    }

    fn read(self) -> Result<(Origin, u64), String> {
        let node = u64::from_str_radix(&self.node, 16);
        let origin = Origin {
            node: node.map_err(|_| format!("{:?} is no name of a node", self.node))?,
            incarnation: self.incarnation,
        };
        Ok((origin, self.number))
    }
}

impl BookLine<'_> {
    pub(super) fn new(known: &KnownBook) -> Self {
        Self {
            door: known.door.0,
            snapshot: known.snapshot.as_deref().map(base64),
        }
    }

    pub(super) fn read(self) -> Result<KnownBook, String> {
        Ok(KnownBook {
            door: Door(self.door),
            snapshot: self.snapshot.as_deref().map(bytes).transpose()?,
            facts: Vec::new(),
        })
    }
}

impl FactLine<'_> {
    /// Those of a book.
    pub(super) fn all(known: &KnownBook) -> impl Iterator<Item = Self> {
        known.facts.iter().map(|(seq, time, data)| Self {
            door: known.door.0,
            seq: seq.0,
            time: *time,
            data: base64(data),
        })
    }

    pub(super) fn read(self) -> Result<(Door, Seq, Millis, Vec<u8>), String> {
        Ok((Door(self.door), Seq(self.seq), self.time, bytes(&self.data)?))
    }
}

impl TopicLine<'_> {
    pub(super) fn new(known: &KnownTopic) -> Self {
        Self {
            topic: show::path(&known.topic).into(),
            last_event: known.last_event.0,
            last: known.last.0,
            floor: known.floor.0,
            cleared: known.cleared.0,
            ended: known.ended.map(|seq| seq.0),
            changed: (known.changed != known.last).then_some(known.changed.0),
        }
    }

    pub(super) fn read(self) -> Result<KnownTopic, String> {
        Ok(KnownTopic {
            topic: topic(&self.topic)?,
            last_event: Seq(self.last_event),
            last: Seq(self.last),
            floor: Seq(self.floor),
            cleared: Seq(self.cleared),
            ended: self.ended.map(Seq),
            changed: Seq(self.changed.unwrap_or(self.last)),
        })
    }
}

impl<'a> KeyLine<'a> {
    pub(super) fn new(known: &'a KnownKey) -> Self {
        let place = |(seq, id): &'a (Seq, EventId)| (seq.0, id.as_str().into());
        Self {
            key: known.key.as_str().into(),
            topics: paths(known.topics.as_slice()),
            since: known.since,
            fingerprint: format!("{:032x}", known.fingerprint).into(),
            first: place(&known.first),
            last: place(&known.last),
            next: known.next,
        }
    }

    pub(super) fn read(self) -> Result<KnownKey, String> {
        let place = |(seq, text): (u64, Cow<'_, str>)| Ok::<_, String>((Seq(seq), id(&text)?));
        let fingerprint = u128::from_str_radix(&self.fingerprint, 16);
        Ok(KnownKey {
            key: key(&self.key)?,
            topics: topics(&self.topics)?,
            since: self.since,
            fingerprint: fingerprint.map_err(|_| "the fingerprint is no hexadecimal number".to_owned())?,
            first: place(self.first)?,
            last: place(self.last)?,
            next: self.next,
        })
    }
}

impl<'a> RecordLine<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        let event = record.event();
        let id = event.and_then(|event| event.id.as_ref());
        let name = event.and_then(|event| event.name.as_ref());
        let key = record.key();
        Self {
            seq: record.seq.0,
            time: record.time,
            topics: paths(record.topics()),
            id: id.map(|id| id.as_str().into()),
            event: name.map(|name| name.as_str().into()),
            retry: event.and_then(|event| event.retry),
            change: match record.change() {
                Some(Change::Ends) => Some(ChangeWord::Ends),
                Some(Change::Purges) => Some(ChangeWord::Purges),
                _ => None,
            },
            key: key.map(|(key, number)| (key.as_str().into(), *number)),
            data: event.map(|event| event.data.as_str().into()),
        }
    }

    pub(super) fn read(self) -> Result<Record, String> {
        let has_parts = self.id.is_some() || self.event.is_some() || self.retry.is_some();
        if self.data.is_none() && has_parts {
            return Err("it has `id`, `event` or `retry`, but no `data`".to_owned());
        }
        let name = |text: Cow<'_, str>| {
            EventName::new(&*text).map_err(|_| format!("{text:?} is no name of an event"))
        };
        let event = match self.data {
            None => None,
            Some(data) => Some(Event {
                id: self.id.map(|text| id(&text)).transpose()?,
                name: self.event.map(name).transpose()?,
                retry: self.retry,
                data: data.into_owned(),
            }),
        };
        let keyed = self
            .key
            .map(|(text, number)| Ok::<_, String>((key(&text)?, number)));
        let change = self.change.map(|change| match change {
            ChangeWord::Ends => Change::Ends,
            ChangeWord::Purges => Change::Purges,
        });
        if event.is_some() && change == Some(Change::Purges) {
            return Err("a purge has no data".to_owned());
        }
        let entry = Entry::of_parts(topics(&self.topics)?, event, change, keyed.transpose()?);
        let entry =
            entry.ok_or("there is no event, no end and no purge: one of `data`, `change` is missing")?;
        Ok(Record {
            seq: Seq(self.seq),
            time: self.time,
            entry,
        })
    }
}

fn base64(bytes: &[u8]) -> Cow<'static, str> {
    STANDARD.encode(bytes).into()
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|_| "it holds a text that is no base64".to_owned())
}

fn paths(topics: &[Topic]) -> Vec<Cow<'static, str>> {
    topics.iter().map(|topic| show::path(topic).into()).collect()
}

fn topic(path: &str) -> Result<Topic, String> {
    let (door, name) = path.split_once('/').unwrap_or((path, ""));
    let known = [Namespace::Events, Namespace::Relay];
    let namespace = known
        .into_iter()
        .find(|namespace| show::namespace(*namespace) == door);
    let namespace =
        namespace.ok_or_else(|| format!("{path:?} is no topic: it begins with `events/` or `relay/`"))?;
    Topic::new(namespace, name).map_err(|error| error.to_string())
}

fn topics(paths: &[Cow<'_, str>]) -> Result<TopicSet, String> {
    let topics = paths
        .iter()
        .map(|path| topic(path))
        .collect::<Result<Vec<_>, _>>()?;
    TopicSet::new(topics).map_err(|error| error.to_string())
}

fn id(text: &str) -> Result<EventId, String> {
    EventId::new(text).map_err(|_| format!("{text:?} is no id of an event"))
}

fn key(text: &str) -> Result<IdempotencyKey, String> {
    IdempotencyKey::new(text).map_err(|error| error.to_string())
}
