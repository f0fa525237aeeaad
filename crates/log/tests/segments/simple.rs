//! The simplest log that keeps its word, and the slowest: everything is one file, written anew for every batch, synced,
//! and renamed into its place. Its reads are the model's.
//!
//! It proves the judges: whole, it must pass them; with each [`Flaw`], it must be caught.

use crate::records::Derived as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tidewire_codec::{Event, EventId, EventName};
use tidewire_log::{
    Change, Entry, IdempotencyKey, Millis, Record, Seq, Topic, TopicSet,
    archive::{AppendError, Back, Held, History, Reads, Retention, Scan, Store, Urgency, segments::Disk},
};

use crate::{model::Model, records};

const NAME: &str = "log";
const TEMPORARY: &str = "log.tmp";

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    ForgetsToSyncTheFile,
    ForgetsToSyncTheFolder,
    AcknowledgesBeforeItWrites,
    WritesInPlace,
    GoesOnAfterAFailedSync,
    IgnoresAFailedSync,
    KeepsWhatItRefused,
    ForgetsFloors,
    ForgetsPurges,
    ForgetsTheLastNumber,
    ForgetsTheKey,
    TrimsTheYoung,
    NumbersASnapshotWrong,
    TrustsWhatIsNotSafe,
    GoesOnInItsEpoch,
    StopsAtAFullDisk,
    ForgetsWhatNoSnapshotHas,
    KeepsMoreThanARuleAllows,
    KeepsLessThanARuleAllows,
}

impl Flaw {
    pub const ALL: [Self; 19] = [
        Self::ForgetsToSyncTheFile,
        Self::ForgetsToSyncTheFolder,
        Self::AcknowledgesBeforeItWrites,
        Self::WritesInPlace,
        Self::GoesOnAfterAFailedSync,
        Self::IgnoresAFailedSync,
        Self::KeepsWhatItRefused,
        Self::ForgetsFloors,
        Self::ForgetsPurges,
        Self::ForgetsTheLastNumber,
        Self::ForgetsTheKey,
        Self::TrimsTheYoung,
        Self::NumbersASnapshotWrong,
        Self::TrustsWhatIsNotSafe,
        Self::GoesOnInItsEpoch,
        Self::StopsAtAFullDisk,
        Self::ForgetsWhatNoSnapshotHas,
        Self::KeepsMoreThanARuleAllows,
        Self::KeepsLessThanARuleAllows,
    ];
}

pub struct Simple {
    disk: Arc<dyn Disk>,
    retention: Retention,
    flaw: Flaw,
    inner: Mutex<Inner>,
}

#[derive(Clone)]
struct Inner {
    model: Model,
    /// Everything that is not trimmed or in no snapshot, also what has been purged, and the purges.
    log: BTreeMap<Seq, Arc<Record>>,
    forgotten: BTreeSet<Topic>,
    history: History,
    poisoned: Option<String>,
    full: bool,
}

impl Simple {
    pub fn open(disk: Arc<dyn Disk>, retention: Retention, flaw: Flaw) -> Result<Self, String> {
        let file = match disk.open(NAME) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.to_string()),
        };
        let inner = match &file {
            None => Inner::new(),
            Some(file) => {
                let len = file.len().map_err(|error| error.to_string())?;
                let mut text = vec![0; usize::try_from(len).unwrap()];
                file.read_at(&mut text, 0).map_err(|error| error.to_string())?;
                let value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
                Inner::decode(&value).ok_or("damaged")?
            }
        };
        let log = Self {
            disk,
            retention,
            flaw,
            inner: Mutex::new(inner),
        };
        // What this process has found may have been written by one that died before it had made it safe.
        let safe = match &file {
            Some(_) if flaw == Flaw::TrustsWhatIsNotSafe => Ok(()),
            Some(file) => file.sync().and_then(|()| log.disk.sync_dir("")),
            None => log.write(&log.inner.lock().unwrap()),
        };
        safe.map_err(|error| error.to_string())?;
        let time = log.history().time;
        log.trim_topics(time); // Before anybody reads.
        Ok(log)
    }

    fn write(&self, inner: &Inner) -> io::Result<()> {
        let text = inner.encode(self.flaw).to_string();
        let in_place = self.flaw == Flaw::WritesInPlace;
        let file = self.disk.create(if in_place { NAME } else { TEMPORARY })?;
        file.write_at(text.as_bytes(), 0)?;
        if self.flaw != Flaw::ForgetsToSyncTheFile {
            self.unless_ignored(file.sync())?;
        }
        if !in_place {
            self.disk.rename(TEMPORARY, NAME)?;
        }
        if self.flaw != Flaw::ForgetsToSyncTheFolder {
            self.unless_ignored(self.disk.sync_dir(""))?;
        }
        Ok(())
    }

    fn unless_ignored(&self, synced: io::Result<()>) -> io::Result<()> {
        match self.flaw {
            Flaw::IgnoresAFailedSync => Ok(()),
            _ => synced,
        }
    }

    fn is_over(&self, inner: &Inner, oldest: &Record, now: Millis) -> bool {
        let Retention {
            max_bytes,
            max_events,
            max_age,
            ..
        } = self.retention;
        let held = inner.held();
        let too_old = |age: std::time::Duration| {
            let age = u64::try_from(age.as_millis()).unwrap();
            let age = if self.flaw == Flaw::TrimsTheYoung {
                age / 2
            } else {
                age
            };
            oldest.time < now.saturating_sub(age)
        };
        held.bytes > max_bytes && held.records > 1
            || max_events.is_some_and(|max| held.records > max)
            || max_age.is_some_and(too_old)
    }
}

/// What a record takes.
fn size(record: &Record) -> usize {
    256 + record.event().map_or(0, |event| event.data.len())
}

impl Simple {
    /// Lets go what a topic's rule no longer keeps, and says up to where.
    fn cut(&self, inner: &mut Inner, topic: &Topic, now: Millis) -> Option<Seq> {
        let rule = self.retention.rules.of(topic)?;
        let mut through = None;
        let max_events = rule.max_events.map(|max| match self.flaw {
            Flaw::KeepsMoreThanARuleAllows => max + 1,
            Flaw::KeepsLessThanARuleAllows => max - 1,
            _ => max,
        });
        let oldest = rule.max_age.map_or(0, |age| {
            now.saturating_sub(u64::try_from(age.as_millis()).unwrap())
        });
        let records: Vec<_> = inner
            .model
            .read(&topic.clone().into(), Seq::ZERO, Seq(u64::MAX))
            .cloned()
            .collect();
        let mut events = records.iter().filter(|record| record.event().is_some()).count();
        let mut bytes: usize = records.iter().map(|record| size(record)).sum();
        for record in &records {
            let is_over = record.time < oldest
                || max_events.is_some_and(|max| events > max)
                || rule.max_bytes.is_some_and(|max| bytes > max && events > 1);
            if !is_over {
                break;
            }
            events -= usize::from(record.event().is_some());
            bytes -= size(record);
            inner.model.remove(record.seq, topic);
            through = Some(record.seq);
        }
        through
    }
}

impl Inner {
    /// Forgets the oldest records that stand nowhere any more and that a snapshot knows of.
    fn leave(&mut self, flaw: Flaw) {
        let standing = self.model.standing.keys().next().copied();
        let needed = match (&self.history.snapshot, flaw) {
            (_, Flaw::ForgetsWhatNoSnapshotHas) => Seq(u64::MAX),
            (Some((seq, _)), _) => seq.next(),
            (None, _) => Seq::ZERO,
        };
        let end = standing.unwrap_or(Seq(u64::MAX)).min(needed);
        self.log = self.log.split_off(&end);
    }

    fn new() -> Self {
        Self {
            model: Model::default(),
            log: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            history: History::default(),
            poisoned: None,
            full: false,
        }
    }

    fn add(&mut self, batch: &[Arc<Record>], flaw: Flaw) {
        self.model.append(batch);
        for record in batch {
            if let Entry::Epoch(epoch) = record.entry {
                let goes_on = flaw == Flaw::GoesOnInItsEpoch && !self.history.epochs.is_empty();
                self.history
                    .epochs
                    .extend((!goes_on).then_some((epoch, self.history.last.next())));
                continue;
            }
            self.forgotten.retain(|topic| !record.topics().contains(topic));
            self.log.insert(record.seq, Arc::clone(record));
            (self.history.last, self.history.time) = (record.seq, record.time);
        }
    }

    fn held(&self) -> Held {
        let standing = self.model.standing.values();
        Held {
            records: standing.len(),
            bytes: standing.map(|standing| size(&standing.record)).sum(),
        }
    }

    fn encode(&self, flaw: Flaw) -> Value {
        let is_written =
            |record: &&Arc<Record>| flaw != Flaw::ForgetsPurges || record.change() != Some(Change::Purges);
        let records = self.log.values().filter(is_written);
        let gone: Vec<_> = match flaw {
            Flaw::ForgetsFloors => Vec::new(),
            _ => self
                .model
                .gone
                .iter()
                .map(|(topic, seq)| json!([topic.name(), seq.0]))
                .collect(),
        };
        let epochs = self.history.epochs.iter();
        json!({
            "epochs": epochs.map(|(epoch, first)| json!([epoch.to_string(), first.0])).collect::<Vec<_>>(),
            "last": if flaw == Flaw::ForgetsTheLastNumber { self.model.standing.keys().last().map_or(0, |seq| seq.0) } else { self.history.last.0 },
            "time": self.history.time,
            "snapshot": self.history.snapshot.as_ref().map(|(seq, state)| json!([seq.0, hex(state)])),
            "gone": gone,
            "loose": self.model.loose.map(|seq| seq.0),
            "records": records.map(|record| encode(record, flaw)).collect::<Vec<_>>(),
        })
    }

    fn decode(value: &Value) -> Option<Self> {
        let pair = |value: &Value| Some((value[0].as_str()?.to_owned(), Seq(value[1].as_u64()?)));
        let pairs = |value: &Value| value.as_array()?.iter().map(pair).collect::<Option<Vec<_>>>();
        let mut inner = Self::new();
        for record in value["records"].as_array()? {
            let record = Arc::new(decode(record)?);
            inner.add(std::slice::from_ref(&record), Flaw::None);
            match &record.entry {
                Entry::Purge { topics, .. } => drop(inner.model.purge(topics, record.seq)),
                Entry::Forget { topics, through } => inner.model.forget(topics, *through),
                _ => {}
            }
        }
        for (name, seq) in pairs(&value["gone"])? {
            let topic = records::topic(&name);
            inner.model.clear(&topic, seq);
            let floor = inner.model.gone.entry(topic).or_default();
            *floor = seq.max(*floor);
        }
        inner.model.loose = value["loose"].as_u64().map(Seq);
        let epochs = pairs(&value["epochs"])?.into_iter();
        let epochs = epochs.map(|(epoch, first)| Some((epoch.parse().ok()?, first)));
        let snapshot = value["snapshot"].as_array().map(|snapshot| {
            let state = snapshot[1].as_str().unwrap();
            let bytes = (0..state.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&state[at..at + 2], 16));
            (
                Seq(snapshot[0].as_u64().unwrap()),
                bytes.collect::<Result<_, _>>().unwrap(),
            )
        });
        inner.history = History {
            epochs: epochs.collect::<Option<_>>()?,
            last: Seq(value["last"].as_u64()?),
            time: value["time"].as_u64()?,
            believed: value["time"].as_u64()?,
            snapshot,
        };
        Some(inner)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(record: &Record, flaw: Flaw) -> Value {
    let key = record.key().filter(|_| flaw != Flaw::ForgetsTheKey);
    let event = record.event().map(|event| {
        json!({
            "id": event.id.as_ref().map(EventId::as_str),
            "name": event.name.as_ref().map(EventName::as_str),
            "retry": event.retry,
            "data": event.data,
        })
    });
    let forgets = match &record.entry {
        Entry::Forget { through, .. } => Some(through.0),
        _ => None,
    };
    json!({
        "seq": record.seq.0,
        "time": record.time,
        "topics": record.topics().iter().map(Topic::name).collect::<Vec<_>>(),
        "event": event,
        "change": record.change().filter(|change| *change != Change::Forgets).map(|change| change == Change::Ends),
        "forgets": forgets,
        "key": key.map(|(key, number)| json!([key.as_str(), number])),
    })
}

fn decode(value: &Value) -> Option<Record> {
    let event = &value["event"];
    let names = value["topics"].as_array()?.iter();
    let names = names.map(|name| records::topic(name.as_str().unwrap()));
    let change = |ends| if ends { Change::Ends } else { Change::Purges };
    let event = event["data"].as_str().map(|data| Event {
        id: event["id"].as_str().map(records::id),
        name: event["name"].as_str().map(|name| EventName::new(name).unwrap()),
        retry: event["retry"].as_u64(),
        data: data.into(),
    });
    let key = &value["key"];
    let key = key[0].as_str().map(|text| {
        (
            IdempotencyKey::new(text).unwrap(),
            key[1].as_u64().unwrap_or_default(),
        )
    });
    let change = value["change"].as_bool().map(change);
    let topics = TopicSet::new(names).ok()?;
    let entry = match value["forgets"].as_u64().map(Seq) {
        Some(through) => Entry::Forget { topics, through },
        None => Entry::of_parts(topics, event, change, key)?,
    };
    Some(Record {
        seq: Seq(value["seq"].as_u64()?),
        time: value["time"].as_u64()?,
        entry,
    })
}

impl Store for Simple {
    fn urgency(&self) -> Urgency {
        Urgency::Idle
    }

    fn history(&self) -> History {
        self.inner.lock().unwrap().history.clone()
    }

    fn begin_behind(&self, _history: &History, _topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        unreachable!("no judge asks it")
    }

    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        let inner = self.inner.lock().unwrap();
        inner
            .log
            .range(after.next()..)
            .for_each(|(_, record)| each(record));
        Ok(())
    }

    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let mut inner = self.inner.lock().unwrap();
        if let Some(why) = &inner.poisoned
            && self.flaw != Flaw::GoesOnAfterAFailedSync
        {
            return Err(AppendError::Poisoned(why.clone()));
        }
        if inner.full && self.flaw == Flaw::StopsAtAFullDisk {
            return Err(AppendError::Full(io::ErrorKind::StorageFull.into()));
        }
        let mut after = inner.clone();
        after.add(batch, self.flaw);
        let to_write = match self.flaw {
            Flaw::AcknowledgesBeforeItWrites => &*inner,
            _ => &after,
        };
        match self.write(to_write) {
            Ok(()) => *inner = after,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                if self.flaw == Flaw::KeepsWhatItRefused {
                    *inner = after;
                }
                inner.full = true;
                return Err(AppendError::Full(error));
            }
            Err(error) => {
                inner.poisoned = Some(error.to_string());
                return Err(AppendError::Poisoned(error.to_string()));
            }
        }
        Ok(())
    }

    fn trim(&self, now: Millis) {
        let mut inner = self.inner.lock().unwrap();
        while let Some((seq, oldest)) = inner.model.standing.first_key_value()
            && self.is_over(&inner, &oldest.record, now)
        {
            let (seq, topics) = (*seq, oldest.topics.clone());
            for topic in topics {
                inner.model.remove(seq, &topic);
            }
        }
        inner.leave(self.flaw);
    }

    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        let mut inner = self.inner.lock().unwrap();
        let mut gone = Vec::new();
        for topic in inner.model.topics() {
            let through = self.cut(&mut inner, &topic, now);
            gone.extend(through.map(|through| (topic, through)));
        }
        inner.leave(self.flaw);
        gone
    }

    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        Ok(self.inner.lock().unwrap().model.purge(topics, through))
    }

    fn idle(&self, most: usize) -> Vec<Topic> {
        let inner = self.inner.lock().unwrap();
        let standing = |topic: &Topic| {
            inner
                .model
                .standing
                .values()
                .any(|one| one.topics.contains(topic))
        };
        let is_idle = |topic: &&Topic| !standing(topic) && !inner.forgotten.contains(topic);
        let idle = inner.model.gone.keys().filter(is_idle).cloned();
        idle.take(most).collect()
    }

    fn forget(&self, topics: &TopicSet, through: Seq) {
        let mut inner = self.inner.lock().unwrap();
        inner.model.forget(topics, through);
        inner.forgotten.extend(topics.iter().cloned());
    }

    fn wants_snapshot(&self) -> bool {
        let inner = self.inner.lock().unwrap();
        inner.history.last.0.is_multiple_of(16)
    }

    fn snapshot(&self, seq: Seq, state: &[u8]) {
        let mut inner = self.inner.lock().unwrap();
        let seq = if self.flaw == Flaw::NumbersASnapshotWrong {
            seq.before()
        } else {
            seq
        };
        inner.history.snapshot = Some((seq, state.to_vec()));
    }

    fn close(&self) {
        let _ = self.write(&self.inner.lock().unwrap());
    }

    fn poisoned(&self) -> Option<String> {
        None
    }

    fn knows(&self, _: &Topic) -> bool {
        true
    }

    fn compact(&self, _: &dyn Fn() -> bool) {}
}

impl Reads for Simple {
    fn may_block(&self) -> bool {
        true
    }

    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        let inner = self.inner.lock().unwrap();
        let mut size = 0;
        let mut records = Vec::new();
        let mut end = through.max(after);
        for record in inner.model.read(topics, after, through) {
            if size >= budget && !records.is_empty() {
                end = records.last().map_or(after, |last: &Arc<Record>| last.seq);
                break;
            }
            size += 256 + record.event().map_or(0, |event| event.data.len());
            records.push(Arc::clone(record));
        }
        let loose = inner.model.loose.unwrap_or_default();
        let floor = |topic: &Topic| {
            let set = topic.clone().into();
            let is_idle = inner.model.read(&set, Seq::ZERO, Seq(u64::MAX)).next().is_none();
            let absent = if is_idle { loose } else { Seq::ZERO };
            inner.model.floor(topic).max(absent)
        };
        Ok(Scan {
            records,
            through: end,
            floors: topics.iter().map(floor).collect(),
            is_damaged: false,
        })
    }

    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        Ok(self.inner.lock().unwrap().model.back(topics, through, count))
    }

    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        Ok(self.inner.lock().unwrap().model.find(topics, id))
    }

    fn held(&self) -> Held {
        self.inner.lock().unwrap().held()
    }

    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        self.nth_last(topics, 1, through)
    }

    fn damaged(&self) -> usize {
        0
    }
}
