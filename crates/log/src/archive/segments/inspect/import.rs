//! A log made of the parts of another: numbers, ids, times, ends, floors and keys stay as they were, so that what readers and
//! publishers were told of the old log holds here; the next start begins a new epoch after them.
//!
//! It is no log before [`Import::finish`]: `meta` is written last. The new log has an id of its own, so that no file of the
//! old one passes for one of it.

use std::{io, sync::Arc};

use super::{FORMAT, Head, KnownBook, KnownKey, KnownTopic};
use crate::{
    Door, Entry, Epoch, Millis, Record, Seq, Topic,
    archive::{
        AppendError, Retention,
        ruled::Ruled,
        segments::{
            Durability, Log, Settings, Troubles, Writer,
            disk::Disk,
            format::{LogId, SegmentHeader},
            index::{Active, MAX_DELTA},
            meta::Meta,
            recover::{log_id, make_segment},
            segment::{FOLDER, step},
            snapshot::{self, Snapshots},
            state::State,
            topics::{Place, Topics},
        },
        shares::Each,
    },
    dedup,
    ids::Epochs,
    ledger::{Absent, Ledgers},
    machine::{self, Machine},
    record, settings,
    topic::Namespace,
};

/// Records are written together, as many as this or [`BATCH_BYTES`].
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 4 << 20;

/// Records whose numbers are further apart are not written together: a segment may have to begin between them.
const FAR: u64 = MAX_DELTA / 2;

/// Why a log cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A part cannot be, or does not fit what came before it.
    #[error("{0}")]
    Wrong(String),
    /// A file cannot be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The system has no randomness to name a log or an epoch.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl From<AppendError> for ImportError {
    fn from(error: AppendError) -> Self {
        Self::Io(io::Error::other(error))
    }
}

/// A log that is being made. Give it topics and keys, and records in order.
pub struct Import {
    disk: Arc<dyn Disk>,
    id: LogId,
    head: Head,
    topics: Topics,
    machine: Machine,
    /// Made when the first record says where it begins.
    log: Option<Log>,
    batch: Vec<Arc<Record>>,
    batch_bytes: usize,
    /// Number and time of the last record.
    last: (Seq, u64),
}

impl Import {
    /// Begins a log on a disk that has none.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn begin(disk: Arc<dyn Disk>, head: Head) -> Result<Self, ImportError> {
        check_head(&head)?;
        if !super::is_nothing(&*disk)? {
            return Err(wrong("there is a log already"));
        }
        for folder in [FOLDER, snapshot::FOLDER] {
            disk.create_dir(folder)?;
        }
        disk.sync_dir("")?;
        let epochs = Epochs::of_log(head.epochs.clone());
        let mut machine = Machine::new(epochs, settings::Settings::UNBOUNDED, Ledgers::new());
        if let Some(settings) = head.settings {
            machine.hold(settings);
        }
        machine.reached = head.reached.clone();
        let mut topics = Topics::default();
        topics.raise_absent(head.floor);
        Ok(Self {
            disk,
            id: log_id()?,
            topics,
            machine,
            head,
            log: None,
            batch: Vec::new(),
            batch_bytes: 0,
            last: (Seq::ZERO, 0),
        })
    }

    /// Takes what was remembered of a topic.
    ///
    /// # Errors
    /// [`ImportError::Wrong`] if it came before, or tells of what comes after the log's end.
    pub fn topic(&mut self, known: KnownTopic) -> Result<(), ImportError> {
        let KnownTopic {
            topic,
            last_event: event,
            last,
            floor,
            cleared,
            ended,
            changed,
        } = known;
        self.ends_with([event, last, floor, cleared, ended.unwrap_or_default(), changed])?;
        let place = Place {
            event,
            last,
            floor,
            cleared,
        };
        if !self.topics.learn(topic.clone(), place) {
            return Err(wrong("the topic came before"));
        }
        let known = machine::Known {
            last: ended.unwrap_or(changed),
            has_ended: ended.is_some(),
        };
        self.machine.topics.insert(topic, known);
        Ok(())
    }

    /// Takes what a door has said to itself.
    ///
    /// # Errors
    /// [`ImportError::Wrong`] if it came before, or tells of what comes after the log's end.
    pub fn book(&mut self, known: KnownBook) -> Result<(), ImportError> {
        let KnownBook {
            door,
            snapshot,
            facts,
        } = known;
        if self.machine.absent.contains_key(&door) {
            return Err(wrong("the door came before"));
        }
        self.machine.absent.insert(door, Absent::of(snapshot, Vec::new()));
        let mut facts = facts.into_iter();
        facts.try_for_each(|(seq, time, data)| self.fact(door, seq, time, data))
    }

    /// Takes the next fact of a door, which has said those of its book before.
    ///
    /// # Errors
    /// [`ImportError::Wrong`] if its door did not come before, or if it does not come after the one before it, or comes after the
    /// log's end.
    pub fn fact(&mut self, door: Door, seq: Seq, time: Millis, data: Box<[u8]>) -> Result<(), ImportError> {
        self.ends_with([seq])?;
        let book = self
            .machine
            .absent
            .get_mut(&door)
            .ok_or_else(|| wrong("its door did not come before"))?;
        if book.facts.last().is_some_and(|(last, ..)| *last >= seq.0) {
            return Err(wrong(
                "its number does not come after that of the fact in front of it",
            ));
        }
        book.facts.push((seq.0, time, data));
        Ok(())
    }

    /// Takes what was remembered of an idempotency key. They come in the order in which they were first seen.
    ///
    /// # Errors
    /// [`ImportError::Wrong`] if it tells of what comes after the log's end.
    pub fn key(&mut self, known: KnownKey) -> Result<(), ImportError> {
        self.ends_with([known.first.0, known.last.0])?;
        let seen = dedup::Seen {
            fingerprint: known.fingerprint,
            first: known.first,
            last: known.last,
            next: known.next,
        };
        let before = self.machine.keys.count();
        self.machine
            .keys
            .restore(known.since, (known.topics, known.key), seen);
        match self.machine.keys.count() > before {
            true => Ok(()),
            false => Err(wrong("the key came before, for these topics")),
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn record(&mut self, record: Record) -> Result<(), ImportError> {
        self.ends_with([record.seq])?;
        let (last, time) = self.last;
        if record.seq <= last {
            let text = format!("the number {} does not come after {}", record.seq.0, last.0);
            return Err(wrong(&text));
        }
        if record.time < time || record.time > self.head.time {
            return Err(wrong(
                "its time lies before that of the record in front of it, or after the log's end",
            ));
        }
        if !(record.entry.is_kept() || matches!(record.entry, Entry::Purge { .. })) {
            return Err(wrong("no publisher says this"));
        }
        check_event(&record)?;
        self.last = (record.seq, record.time);
        if let Some(first) = self.batch.first()
            && record.seq.0 - first.seq.0 > FAR
        {
            self.write()?;
        }
        self.batch_bytes += record.cost();
        self.batch.push(Arc::new(record));
        match self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Makes it a log, and safe.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn finish(mut self) -> Result<(), ImportError> {
        self.write()?;
        let Head { last, time, .. } = self.head;
        let is_empty = self.log.is_none();
        let log = self.log(last.next())?;
        if !is_empty {
            seal_with_holes(log, last.next())?;
        }
        (self.topics.last, self.topics.time) = (last, time);
        self.machine.go_on_after(last, time);
        self.topics.save(&*self.disk, &self.id)?;
        Snapshots::default().save(&*self.disk, &self.id, last, &self.machine.snapshot())?;
        let mut meta = Meta {
            log: self.id,
            epochs: self.head.epochs,
            is_whole: true,
        };
        meta.begin_epoch(Epoch::random()?, last.next());
        meta.save(&*self.disk)?;
        Ok(())
    }

    fn write(&mut self) -> Result<(), ImportError> {
        let Some(first) = self.batch.first() else {
            return Ok(());
        };
        let first = first.seq;
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        Ok(self.log(first)?.append(&batch)?)
    }

    /// The log, which begins at this number if nothing is there yet.
    fn log(&mut self, first: Seq) -> Result<&mut Log, ImportError> {
        let log = match self.log.take() {
            Some(log) => log,
            None => begin(Arc::clone(&self.disk), self.id, first)?,
        };
        Ok(self.log.insert(log))
    }

    fn ends_with<const N: usize>(&self, numbers: [Seq; N]) -> Result<(), ImportError> {
        match numbers.into_iter().find(|number| *number > self.head.last) {
            None => Ok(()),
            Some(beyond) => {
                let (beyond, last) = (beyond.0, self.head.last.0);
                let text = format!("the number {beyond} lies beyond the log's end, which is {last}");
                Err(wrong(&text))
            }
        }
    }
}

fn begin(disk: Arc<dyn Disk>, id: LogId, first: Seq) -> io::Result<Log> {
    let settings = Settings {
        // It becomes safe as a whole, in the end.
        durability: Durability::Never,
        retention: Retention {
            max_bytes: usize::MAX,
            max_events: None,
            max_age: None,
            ..Retention::default()
        },
        ..Settings::default()
    };
    let header = SegmentHeader::new(id, first, false);
    let state = State {
        sealed: Arc::default(),
        active: make_segment(&*disk, header, step(settings.segment_bytes))?,
        index: Active::default(),
        topics: Topics::default(),
        ruled: Ruled::default(),
        cut: Each::default(),
        damage: Arc::default(),
    };
    let meta = Meta {
        log: id,
        epochs: Vec::new(),
        is_whole: true,
    };
    let mut writer = Writer::new(first.before(), Seq::ZERO, Snapshots::default(), meta);
    // It is no log before the end.
    writer.owes_meta = false;
    Ok(Log {
        disk,
        id,
        settings,
        state: parking_lot::RwLock::new(state),
        writer: parking_lot::Mutex::new(writer),
        rewriting: parking_lot::Mutex::default(),
        cutting: parking_lot::Mutex::default(),
        troubles: Troubles::default(),
    })
}

/// Ends the last segment, makes all of them safe, and notes in each that records may be missing: an export has none of
/// those that were purged.
fn seal_with_holes(log: &Log, next: Seq) -> Result<(), ImportError> {
    log.roll(&mut log.writer.lock(), next)?;
    for segment in &*Arc::clone(&log.state.read().sealed) {
        let header = SegmentHeader {
            has_holes: true,
            ..segment.body.header
        };
        segment.body.file.write_at(&header.encode(), 0)?;
        segment.body.file.sync()?;
    }
    Ok(())
}

fn check_head(head: &Head) -> Result<(), ImportError> {
    if !(1..=FORMAT).contains(&head.format) {
        let text = format!(
            "it is of format {}, and this release reads up to {FORMAT}: use the release that it was made for",
            head.format
        );
        return Err(wrong(&text));
    }
    if head
        .settings
        .is_some_and(|settings| settings.rules > settings::RULES)
    {
        return Err(wrong("its rules are those of a newer Tidewire: use that"));
    }
    let firsts = head.epochs.iter().map(|(_, first)| *first);
    let names = head.epochs.iter().map(|(epoch, _)| epoch.to_string());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let is_named_once = names.windows(2).all(|pair| pair[0] != pair[1]);
    let in_order = firsts.clone().is_sorted() && firsts.clone().all(|first| first <= head.last.next());
    match in_order && is_named_once && head.floor <= head.last && head.last < Seq(u64::MAX - 1) {
        true => Ok(()),
        false => Err(wrong(
            "the epochs are not in order, or do not fit where the log ends",
        )),
    }
}

/// What no publisher may say, no file may either: readers would take it for the server's word.
fn check_event(record: &Record) -> Result<(), ImportError> {
    let is_plain = |topics: &[Topic]| topics.iter().all(|topic| topic.namespace() == Namespace::Events);
    match record.event() {
        Some(event) if is_plain(record.topics()) => {
            record::check(event).map_err(|error| wrong(&error.to_string()))
        }
        _ => Ok(()),
    }
}

fn wrong(text: &str) -> ImportError {
    ImportError::Wrong(text.to_owned())
}
