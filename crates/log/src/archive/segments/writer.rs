//! Writing: batches to the end of the log, one after another, and a new segment when one is full.
//!
//! A batch is one write and, with [`Durability::Always`], one sync before it counts. After a failed sync nobody knows what
//! is on the disk: nothing more is acknowledged until the log is opened anew. After any other failure the next batch is
//! tried again, when what is left of the failed one has been taken back.

use std::{collections::VecDeque, io, sync::Arc};

use parking_lot::{Mutex, RwLock};

use super::{
    Durability, Settings,
    base::Base,
    disk::{Disk, DiskFile},
    format::{
        BATCH_HEADER, BatchHeader, Damaged, LogId, SEGMENT_HEADER, SegmentHeader, VERSION, encode_record,
    },
    index::{MAX_DELTA, Sealed, len32},
    meta::Meta,
    recover::{UNSYNCED, UNSYNCED_READY, make_segment},
    retain::Leaving,
    rewrite::Rewriting,
    segment::{Body, FOLDER, SealedSegment, segment_name, step, take_room},
    snapshot::Snapshots,
    state::State,
};
use crate::{
    Entry, Record, Seq,
    archive::{AppendError, shortage::is_shortage},
    trouble::Trouble,
};

/// A segment is never longer: offsets have 32 bits.
const MAX_SEGMENT: u64 = u32::MAX as u64;

/// What only whoever writes needs.
pub(crate) struct Writer {
    /// Everything up to here is safe.
    synced: Seq,
    /// Everything up to here is written.
    written: Seq,
    /// Up to where room is taken in the segment that is written. 0: it is not known.
    room: u64,
    poisoned: Option<String>,
    /// What a write that failed has left. Nothing is written before it is gone.
    owed: Option<Owed>,
    /// The machine is to tell what it remembers.
    pub(crate) wants_snapshot: bool,
    /// The last try to write it down has failed.
    pub(crate) owes_snapshot: bool,
    pub(crate) snapshots: Snapshots,
    pub(crate) meta: Meta,
    /// `meta` is not on disk yet as this opening has it. Written with the first record, it does not keep a log on a full disk from
    /// being opened and read.
    pub(crate) owes_meta: bool,
    /// Up to which record the list of topics is written down.
    pub(crate) listed: Seq,
    /// Segments that are gone, but for their files: the oldest first.
    pub(crate) leaving: VecDeque<Leaving>,
    /// The segment that was written when it was asked last how urgent it is to let go.
    pub(crate) seen: Seq,
    /// From so many bytes on it is so again that appending must wait.
    pub(crate) overdue_at: u64,
    /// So many bytes more may wait to be removed: what is known beside the records is written down in proportion to them.
    pub(crate) slack: u64,
}

/// What could not be taken back at once.
#[derive(Clone, Copy)]
enum Owed {
    /// The beginning of a batch, behind the last one. It must not stand there when the next one is shorter.
    Tail,
    /// The file of a half-made segment. Behind the one that goes on being written, it would make that one look sealed.
    Segment(Seq),
}

/// What writing works on.
pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) id: LogId,
    pub(crate) settings: Settings,
    pub(crate) state: RwLock<State>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) rewriting: Mutex<Rewriting>,
    /// Held, before the writer's lock, by whoever writes down what is gone.
    pub(crate) cutting: Mutex<Base>,
    pub(crate) troubles: Troubles,
}

/// What goes wrong again and again, by what is tried.
#[derive(Default)]
pub(crate) struct Troubles {
    pub(crate) trim: Trouble,
    pub(crate) rules: Trouble,
    pub(crate) base: Trouble,
    pub(crate) books: Trouble,
    pub(crate) compact: Trouble,
    pub(crate) snapshot: Trouble,
}

impl Writer {
    pub(crate) fn new(last: Seq, listed: Seq, snapshots: Snapshots, meta: Meta) -> Self {
        Self {
            synced: last,
            written: last,
            room: 0,
            poisoned: None,
            owed: None,
            wants_snapshot: false,
            owes_snapshot: false,
            snapshots,
            meta,
            owes_meta: true,
            listed,
            leaving: VecDeque::new(),
            seen: Seq::ZERO,
            overdue_at: 0,
            slack: 0,
        }
    }

    pub(crate) fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    fn poison(&mut self, what: &str, error: &io::Error) -> AppendError {
        let text = format!(
            "{what} failed ({error}): what is on the disk is not known, so nothing more is acknowledged"
        );
        tracing::error!("{text}; restart the server when the disk is sound");
        self.poisoned = Some(text.clone());
        AppendError::Poisoned(text)
    }

    /// A restart would not find what is written from now on.
    fn lose(&mut self, error: &io::Error) -> AppendError {
        let text = format!(
            "{error}: nothing more is acknowledged. Put it back (mount the volume), then restart the server: a restart \
             without it begins a new log"
        );
        self.poisoned = Some(text.clone());
        AppendError::Poisoned(text)
    }
}

impl Log {
    /// See [`Store::append`](crate::archive::Store::append).
    pub(crate) fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(());
        };
        let mut writer = self.writer.lock();
        if let Some(text) = &writer.poisoned {
            return Err(AppendError::Poisoned(text.clone()));
        }
        self.settle(&mut writer)?;
        let mut before = self.state.read().last();
        for record in batch {
            if let Entry::Epoch(epoch) = record.entry {
                writer.meta.begin_epoch(epoch, before.next());
                writer.owes_meta = true;
            }
            // As the machine counts.
            before = before.max(record.through());
        }
        // Before the first record of the epoch. The table of epochs stands in `meta`, whatever becomes of segments and snapshots.
        if writer.owes_meta {
            self.save_meta(&mut writer)?;
        }
        self.renew(&mut writer, self.next_base(first.seq, last.seq))?;
        if self.is_far(first.seq, last.seq) {
            self.roll(&mut writer, self.next_base(first.seq, last.seq))?;
        }
        let mut encoded = self.encode(batch, first.seq, writer.synced)?;
        if !self.fits(encoded.bytes.len()) {
            self.roll(&mut writer, self.next_base(first.seq, last.seq))?;
            encoded = self.encode(batch, first.seq, writer.synced)?;
        }
        if encoded.bytes.len() == BATCH_HEADER {
            return Ok(()); // It only begins an epoch.
        }
        let mut body = self.state.read().active.clone();
        self.take_room(&mut writer, &body, body.len + encoded.bytes.len() as u64);
        if let Err(error) = body.file.write_at(&encoded.bytes, body.len) {
            writer.owed = Some(Owed::Tail);
            // What cannot be taken back now is when the next batch comes.
            drop(self.settle(&mut writer));
            return Err(match writer.poisoned() {
                Some(why) => AppendError::Poisoned(why.to_owned()),
                None => refused(error),
            });
        }
        let numbers = batch.iter().filter_map(|record| record.number());
        writer.written = writer.written.max(numbers.max().unwrap_or_default());
        let synced = match self.settings.durability.is_always() {
            true => self.sync_active(&mut writer),
            false => Ok(()),
        };
        let kept = synced.and_then(|()| body.file.in_place().map_err(|error| writer.lose(&error)));
        if let Err(error) = kept {
            // The system may go on to show what it could not write: the next process would take it for safe. Nobody has been told
            // of the batch, so it goes.
            drop(body.file.set_len(body.len));
            return Err(error);
        }
        let at = body.len;
        body.len += encoded.bytes.len() as u64;
        let mut state = self.state.write();
        let base = body.header.base;
        for (record, (place, len)) in batch.iter().zip(encoded.places) {
            let offset = u32::try_from(at + place).unwrap_or(u32::MAX);
            state.index.add(record, base, offset, len);
            state.topics.note(record);
            state.ruled.add(record, len);
        }
        state.active = body;
        Ok(())
    }

    /// Sees to it that what is written is a segment of this version: one of an older release gets no record any more.
    fn renew(&self, writer: &mut Writer, next: Seq) -> Result<(), AppendError> {
        let (header, len) = {
            let state = self.state.read();
            (state.active.header, state.active.len)
        };
        if header.version == VERSION {
            return Ok(());
        }
        if len > SEGMENT_HEADER {
            return self.roll(writer, next);
        }
        // It holds nothing, and its successor has the same name.
        let header = SegmentHeader::new(header.log, header.base, header.has_holes);
        let made = make_segment(&*self.disk, header, step(self.settings.segment_bytes));
        writer.room = 0;
        self.state.write().active = made.map_err(refused)?;
        Ok(())
    }

    /// Takes room for a batch that ends there, a step at a time. Where there is none, writing takes what it needs, or says that the
    /// disk is full.
    fn take_room(&self, writer: &mut Writer, body: &Body, end: u64) {
        if end > writer.room {
            let most = self.settings.segment_bytes.min(MAX_SEGMENT);
            let step = (end + step(most)).min(most.max(end));
            writer.room = take_room(&*body.file, body.len, step);
        }
    }

    /// Takes back what a write that failed has left.
    fn settle(&self, writer: &mut Writer) -> Result<(), AppendError> {
        match writer.owed {
            None => return Ok(()),
            Some(Owed::Tail) => {
                let body = self.state.read().active.clone();
                body.file.set_len(body.len).map_err(refused)?;
                writer.room = body.len;
            }
            Some(Owed::Segment(base)) => {
                let removed = self.disk.remove(&segment_name(base)).or_else(not_there);
                removed.map_err(refused)?;
                // So that it does not turn up again either.
                self.disk
                    .sync_dir(FOLDER)
                    .map_err(|error| match is_shortage(&error) {
                        true => refused(error),
                        false => writer.poison("taking a half-made segment back", &error),
                    })?;
            }
        }
        writer.owed = None;
        Ok(())
    }

    /// Takes back what is left of a write that failed, and makes safe the rest: nothing more is written.
    pub(crate) fn end(&self) -> Result<(), AppendError> {
        let mut writer = self.writer.lock();
        if writer.poisoned().is_none() {
            self.settle(&mut writer)?;
        }
        self.sync_written(&mut writer)?;
        match std::mem::replace(&mut writer.meta.is_whole, true) {
            true => Ok(()),
            false => self.save_meta(&mut writer),
        }
    }

    pub(crate) fn save_meta(&self, writer: &mut Writer) -> Result<(), AppendError> {
        writer.meta.save(&*self.disk).map_err(refused)?;
        writer.owes_meta = false;
        Ok(())
    }

    /// See [`Store::poisoned`](crate::archive::Store::poisoned).
    pub(crate) fn poisoned(&self) -> Option<String> {
        let mut writer = self.writer.lock();
        if writer.poisoned.is_none()
            && let Err(error) = self.in_place()
        {
            writer.lose(&error);
        }
        writer.poisoned.clone()
    }

    fn in_place(&self) -> io::Result<()> {
        self.disk.in_place()?;
        let active = Arc::clone(&self.state.read().active.file);
        active.in_place()
    }

    /// Makes safe what has been written since.
    pub(crate) fn sync(&self) -> Result<(), AppendError> {
        self.sync_written(&mut self.writer.lock())
    }

    pub(crate) fn sync_written(&self, writer: &mut Writer) -> Result<(), AppendError> {
        match writer.poisoned() {
            Some(why) => Err(AppendError::Poisoned(why.to_owned())),
            None if writer.synced < writer.written => self.sync_active(writer),
            None => Ok(()),
        }
    }

    fn sync_active(&self, writer: &mut Writer) -> Result<(), AppendError> {
        let file = Arc::clone(&self.state.read().active.file);
        self.sync_file(writer, &*file)
    }

    fn sync_file(&self, writer: &mut Writer, file: &dyn DiskFile) -> Result<(), AppendError> {
        match file.sync() {
            Ok(()) => {
                writer.synced = writer.written;
                Ok(())
            }
            Err(error) => {
                if !self.settings.durability.is_always() {
                    // What was acknowledged may be shown on, and never become safe: the next process writes it once more.
                    let marked = self.disk.rename(UNSYNCED_READY, UNSYNCED);
                    drop(marked.or_else(|_| self.disk.create(UNSYNCED).map(drop)));
                }
                Err(writer.poison("syncing the log", &error))
            }
        }
    }

    /// Whether a batch is too far from the first number of the segment that is being written.
    fn is_far(&self, first: Seq, last: Seq) -> bool {
        let base = self.state.read().active.header.base;
        first > base && last.0 - base.0 > MAX_DELTA
    }

    /// Where a segment for a batch begins: right after the one in front of it, so that one that is missing is missed, also where
    /// numbers were not given. Where that is too far away it begins with the batch, and its header says that numbers are missing.
    fn next_base(&self, first: Seq, last: Seq) -> Seq {
        let next = self.state.read().last().next();
        match last.0.saturating_sub(next.0) > MAX_DELTA {
            true => first,
            false => next.min(first),
        }
    }

    /// Whether so many bytes go into the segment that is being written. What is longer than a segment has one of its own.
    fn fits(&self, len: usize) -> bool {
        let written = self.state.read().active.len;
        written == SEGMENT_HEADER || written + len as u64 <= self.settings.segment_bytes.min(MAX_SEGMENT)
    }

    /// # Errors
    /// The batch, or a record of it, is larger than there can be.
    fn encode(&self, batch: &[Arc<Record>], first: Seq, synced_through: Seq) -> Result<Encoded, AppendError> {
        let too_large = |why| AppendError::Failed(io::Error::new(io::ErrorKind::InvalidInput, why));
        let (header, at) = {
            let state = self.state.read();
            (state.active.header, state.active.len)
        };
        let mut bytes = vec![0; BATCH_HEADER];
        let mut places = Vec::with_capacity(batch.len());
        let mut count = 0;
        for record in batch {
            let place = bytes.len() as u64;
            // Where epochs begin stands in `meta`.
            if !matches!(record.entry, Entry::Epoch(_)) {
                encode_record(record, &header, &mut bytes).map_err(too_large)?;
                count += 1;
            }
            places.push((place, bytes.len() as u64 - place));
        }
        if SEGMENT_HEADER + bytes.len() as u64 > MAX_SEGMENT {
            return Err(too_large(Damaged("the batch is longer than a segment may be")));
        }
        let head = BatchHeader {
            len: len32(bytes.len() - BATCH_HEADER),
            count,
            first,
            synced_through,
        };
        bytes[..BATCH_HEADER].copy_from_slice(&head.encode(&header, at));
        Ok(Encoded { bytes, places })
    }

    /// Seals the segment that is being written, and begins another at `next`. Readers go on meanwhile. Its index becomes a file
    /// [later](Log::keep_books).
    pub(crate) fn roll(&self, writer: &mut Writer, next: Seq) -> Result<(), AppendError> {
        self.catch_up().map_err(refused)?;
        let active = self.seal(writer, next)?;
        let mut guard = self.state.write();
        let state = &mut *guard;
        let body = std::mem::replace(&mut state.active, active);
        let index = std::mem::take(&mut state.index);
        let parts = index.parts.of_file(body.len, index.totals.events);
        let index = Sealed::fresh(index, &self.id, body.header.base, body.len);
        let sealed = SealedSegment::new(body, index);
        let _ = sealed.parts.set(parts);
        let mut list = Vec::clone(&state.sealed);
        list.push(Arc::new(sealed));
        state.sealed = Arc::new(list);
        Ok(())
    }

    /// Makes safe what is in the segment that is being written, and makes the next one.
    fn seal(&self, writer: &mut Writer, next: Seq) -> Result<Body, AppendError> {
        self.settle(writer)?;
        // In another folder the new segment would miss the ones before it.
        self.in_place().map_err(|error| writer.lose(&error))?;
        let (body, last) = {
            let state = self.state.read();
            (state.active.clone(), state.last())
        };
        // Room that was taken in advance is given back, so that the file ends where its records do.
        writer.room = 0;
        body.file.set_len(body.len).map_err(refused)?;
        self.sync_file(writer, &*body.file)?;
        let header = SegmentHeader::new(self.id, next, next > last.next());
        make_segment(&*self.disk, header, step(self.settings.segment_bytes)).map_err(|error| {
            writer.owed = Some(Owed::Segment(next));
            drop(self.settle(writer));
            match writer.poisoned() {
                Some(why) => AppendError::Poisoned(why.to_owned()),
                None => refused(error),
            }
        })
    }
}

/// Nothing of a batch was kept, and what was kept before is as it was.
fn refused(error: io::Error) -> AppendError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => AppendError::Full(error),
        _ if is_shortage(&error) => AppendError::Short(error),
        _ => AppendError::Failed(error),
    }
}

pub(crate) fn not_there(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

struct Encoded {
    bytes: Vec<u8>,
    /// Where each record stands in them, and how long it is.
    places: Vec<(u64, u64)>,
}

impl Durability {
    /// Whether a batch is safe before it counts.
    pub(crate) fn is_always(self) -> bool {
        self == Self::Always
    }
}
