//! A log as its readers would see it after a start: opened on an [`Overlay`].

use std::{io, ops::ControlFlow, sync::Arc};

use tidewire_codec::EventId;

use super::{
    LookError, Loss, meta,
    overlay::Overlay,
    salvage::{Salvaged, salvage},
};
use crate::{
    Gap, GapReason, Position, Record, Seq, Start, Topic, TopicSet,
    archive::{
        Reads as _, Scan, nth_last,
        segments::{
            Disk, Segments, Settings,
            damage::is_damage,
            meta::Meta,
            segment::{SealedSegment, bases},
            topics::Topics,
        },
    },
    ids::Epochs,
};

/// How often opening is tried while a server changes the log. The same answer twice is the answer.
const TRIES: usize = 50;

/// As much is read at once, in bytes.
const BUDGET: usize = 1 << 20;

/// A log that is only read. It stands still, whatever a server appends or removes meanwhile.
pub struct ReadOnly {
    pub(super) log: Segments,
    /// As it is on disk.
    pub(super) meta: Meta,
    pub(super) epochs: Epochs,
    /// What was left out so that it could be opened.
    losses: Vec<Loss>,
}

/// What a reader gets.
#[derive(Debug)]
pub enum Dumped<'a> {
    /// Events are missing before what follows.
    Gap(&'a Gap),
    /// An event, with the id that readers see.
    Event(&'a Record, EventId),
}

impl ReadOnly {
    /// Opens the log on this disk.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn open(disk: &Arc<dyn Disk>) -> Result<Self, LookError> {
        Self::open_in_time(disk, false)
    }

    /// Reads the whole log on this disk, and opens what is good of it: [`ReadOnly::losses`] says what is not.
    ///
    /// # Errors
    /// [`LookError`]; damage is one only of the file `meta`.
    pub fn salvage(disk: &Arc<dyn Disk>) -> Result<Self, LookError> {
        match Self::open(disk) {
            // What is open stays as it is while it is read, however fast a server writes meanwhile.
            Ok(log) if log.is_sound(&**disk)? => Ok(log),
            Err(error) if !error.is_damage() => Err(error),
            Ok(_) | Err(_) => Self::open_in_time(disk, true),
        }
    }

    /// Whether nothing of it is damaged or missing.
    fn is_sound(&self, disk: &dyn Disk) -> io::Result<bool> {
        match Topics::load(disk, &self.meta.log) {
            Err(error) if is_damage(&error) => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let sealed = Arc::clone(&self.log.log.state.read().sealed);
        for SealedSegment { body, index, .. } in sealed.iter().map(|segment| &**segment) {
            match index.check() {
                Err(error) if is_damage(&error) => return Ok(false),
                checked => checked?,
            }
            let mut last = body.header.base.before();
            let walked = body.walk(|record, _, _| last = record.number().unwrap_or(last))?;
            if walked.stopped_by.is_some() || last != index.totals.last {
                return Ok(false);
            }
        }
        Ok(self.passed_over().is_empty())
    }

    fn open_in_time(disk: &Arc<dyn Disk>, salvages: bool) -> Result<Self, LookError> {
        let mut before = None;
        for _ in 1..TRIES {
            let error = match Self::try_open(disk, salvages) {
                Ok(Some(log)) => return Ok(log),
                Ok(None) => continue,
                Err(error) => error,
            };
            // A segment that goes while it is opened, or a batch that is being written, is gone or whole the next time.
            let text = error.to_string();
            if matches!(error, LookError::NoLog) || before.as_ref() == Some(&text) {
                return Err(error);
            }
            before = Some(text);
        }
        let busy = "the log changes faster than it can be opened: try again when there is less to do";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, busy).into())
    }

    /// None if a segment or an epoch was begun meanwhile: what was read first may not fit what was read last.
    fn try_open(disk: &Arc<dyn Disk>, salvages: bool) -> Result<Option<Self>, LookError> {
        let meta = meta(&**disk)?;
        let newest = || Ok::<_, io::Error>(bases(&**disk)?.pop());
        let was = newest()?;
        let overlay: Arc<dyn Disk> = Arc::new(Overlay::over(Arc::clone(disk)));
        let salvaged = match salvages {
            true => salvage(&*overlay, &meta.log)?,
            false => Salvaged::default(),
        };
        let mut log = Segments::open(overlay, Settings::default())?;
        log.history.last = salvaged.tell(&mut log.log.state.write().topics);
        let epochs = Epochs::of_log(meta.epochs.clone());
        // With the first record after a start, `meta` gets the epoch to which it belongs.
        let stands_still = was == newest()? && meta == self::meta(&**disk)?;
        Ok(stands_still.then_some(Self {
            log,
            meta,
            epochs,
            losses: salvaged.losses,
        }))
    }

    /// What was left out so that it could be opened.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Damaged places that were met since it was opened, and passed over, in words.
    #[must_use]
    pub fn passed_over(&self) -> Vec<String> {
        self.log.log.state.read().damage.list()
    }

    /// The last record.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.log.history.last
    }

    /// Whether the log knows of a topic: events of it are kept, or were.
    #[must_use]
    pub fn knows(&self, topic: &Topic) -> bool {
        self.log.log.state.read().topics.place(topic).is_some()
    }

    /// The cursor with this number.
    #[must_use]
    pub fn position(&self, seq: Seq) -> Position {
        self.epochs.position(seq)
    }

    /// Gives what a reader of these topics would get now, until `each` says that it is enough. [`Start::Live`] is all that is kept.
    ///
    /// # Errors
    /// When it cannot be read; `InvalidData` if a file is damaged.
    pub fn dump(
        &self,
        topics: &TopicSet,
        start: &Start,
        each: &mut dyn FnMut(Dumped<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let (mut after, reason) = self.place(topics, start)?;
        if let (Some(reason), Start::After(requested)) = (reason, start) {
            let gap = Gap::new(requested, self.position(after), reason);
            if each(Dumped::Gap(&gap)).is_break() {
                return Ok(());
            }
        }
        while after < self.last() {
            let scan = self.scan(topics, after, BUDGET)?;
            if scan.is_damaged {
                let requested = self.position(after).to_string();
                let gap = Gap::new(
                    &requested,
                    self.position(scan.goes_on_after()),
                    GapReason::Damaged,
                );
                if each(Dumped::Gap(&gap)).is_break() {
                    return Ok(());
                }
            }
            for record in &scan.records {
                let Some(event) = record.event() else { continue };
                let id = event.id.clone();
                let id = id.unwrap_or_else(|| self.position(record.seq).into());
                if each(Dumped::Event(record, id)).is_break() {
                    return Ok(());
                }
            }
            after = scan.through;
        }
        Ok(())
    }

    fn scan(&self, topics: &TopicSet, after: Seq, budget: usize) -> io::Result<Scan> {
        self.log.scan(topics, after, self.last(), budget)
    }

    /// The cursor to begin after, and why events are missing there. As a hub places its readers.
    fn place(&self, topics: &TopicSet, start: &Start) -> io::Result<(Seq, Option<GapReason>)> {
        let oldest = || Ok::<_, io::Error>(self.scan(topics, Seq::ZERO, 1)?.goes_on_after());
        let id = match start {
            Start::Live => return Ok((oldest()?, None)),
            Start::Last(count) => {
                let first = nth_last(&self.log, topics, *count, self.last())?;
                return Ok((first.map_or(self.last(), Seq::before), None));
            }
            Start::After(id) if id == Start::EARLIEST => return Ok((oldest()?, None)),
            Start::After(id) => id,
        };
        let cursor = match id.parse::<Position>() {
            Ok(position) => self.epochs.place(position, self.last()).ok_or(GapReason::Reset),
            Err(_) if id.starts_with('~') => Err(GapReason::Unknown),
            Err(_) => {
                let id = EventId::new(id.as_str()).ok();
                let found = id.map(|id| self.log.find(topics, &id)).transpose()?.flatten();
                found.ok_or(GapReason::Unknown)
            }
        };
        match cursor {
            Err(reason) => Ok((oldest()?, Some(reason))),
            Ok(cursor) => {
                let scan = self.scan(topics, cursor, 1)?;
                match scan.floors.highest() > cursor {
                    true => Ok((scan.goes_on_after(), Some(GapReason::Expired))),
                    false if scan.is_damaged => Ok((scan.goes_on_after(), Some(GapReason::Damaged))),
                    false => Ok((cursor, None)),
                }
            }
        }
    }
}
