//! Writing: batches to the end of the log, one after another, and a new segment when one is full.
//!
//! A batch is one write and, with [`Durability::Always`], one sync before it counts. After a failed sync nobody knows what
//! is on the disk: nothing more is acknowledged until the log is opened anew.

use std::{io, sync::Arc};

use parking_lot::{Mutex, RwLock};

use super::{
    Durability, Settings,
    disk::{Disk, DiskFile},
    format::{BATCH_HEADER, BatchHeader, LogId, SEGMENT_HEADER, encode_record},
    index::{Active, MAX_DELTA, Sealed},
    recover::{UNSYNCED, make_segment},
    segment::{Body, FOLDER, SealedSegment, index_name, segment_name},
    state::State,
};
use crate::{Record, Seq, archive::AppendError};

/// A segment is never longer: offsets have 32 bits.
const MAX_SEGMENT: u64 = u32::MAX as u64;

/// What only whoever writes needs.
pub(crate) struct Writer {
    /// Everything up to here is safe.
    synced: Seq,
    /// Everything up to here is written.
    written: Seq,
    poisoned: Option<String>,
    /// A segment has been sealed since the machine's state was written down.
    pub(crate) wants_snapshot: bool,
}

/// What writing works on.
pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) id: LogId,
    pub(crate) settings: Settings,
    pub(crate) state: RwLock<State>,
    pub(crate) writer: Mutex<Writer>,
}

impl Writer {
    pub(crate) fn new(last: Seq) -> Self {
        Self {
            synced: last,
            written: last,
            poisoned: None,
            wants_snapshot: false,
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
}

impl Log {
    /// See [`Archive::append`](crate::archive::Archive::append).
    pub(crate) fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(());
        };
        let mut writer = self.writer.lock();
        if let Some(text) = &writer.poisoned {
            return Err(AppendError::Poisoned(text.clone()));
        }
        let encoded = self.encode(batch, first.seq, writer.synced);
        let (mut body, encoded) = match encoded {
            Some(encoded) if self.fits(encoded.bytes.len(), last.seq) => {
                (self.state.read().active.clone(), encoded)
            }
            _ => {
                self.roll(&mut writer, first.seq)?;
                let encoded = self.encode(batch, first.seq, writer.synced);
                let too_long =
                    || AppendError::Full(io::Error::other("the batch is longer than a segment may be"));
                (self.state.read().active.clone(), encoded.ok_or_else(too_long)?)
            }
        };
        if let Err(error) = body.file.write_at(&encoded.bytes, body.len) {
            // What has been written of it must not stand there when the next one is shorter.
            return Err(match body.file.set_len(body.len) {
                Ok(()) => AppendError::Full(error),
                Err(error) => writer.poison("taking a half-written batch back", &error),
            });
        }
        writer.written = last.seq;
        if self.settings.durability.is_always()
            && let Err(error) = self.sync_active(&mut writer)
        {
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
        }
        state.active = body;
        Ok(())
    }

    /// Makes safe what has been written since.
    pub(crate) fn sync(&self) -> Result<(), AppendError> {
        self.sync_written(&mut self.writer.lock())
    }

    pub(crate) fn sync_written(&self, writer: &mut Writer) -> Result<(), AppendError> {
        match writer.poisoned() {
            None if writer.synced < writer.written => self.sync_active(writer),
            _ => Ok(()),
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
                    drop(self.disk.create(UNSYNCED));
                }
                Err(writer.poison("syncing the log", &error))
            }
        }
    }

    /// Whether so many bytes, up to this record, go into the segment that is being written.
    fn fits(&self, len: usize, last: Seq) -> bool {
        let state = self.state.read();
        let end = state.active.len + len as u64;
        let is_near = last.0 - state.active.header.base.0 <= MAX_DELTA;
        is_near
            && (state.active.len == SEGMENT_HEADER && end <= MAX_SEGMENT
                || end <= self.settings.segment_bytes)
    }

    /// None if a record is too far from the segment's first number.
    fn encode(&self, batch: &[Arc<Record>], first: Seq, synced_through: Seq) -> Option<Encoded> {
        let (header, at) = {
            let state = self.state.read();
            (state.active.header, state.active.len)
        };
        let mut bytes = vec![0; BATCH_HEADER];
        let mut places = Vec::with_capacity(batch.len());
        for record in batch {
            let place = bytes.len() as u64;
            encode_record(record, header.base, &mut bytes).ok()?;
            places.push((place, bytes.len() as u64 - place));
        }
        let head = BatchHeader {
            len: u32::try_from(bytes.len() - BATCH_HEADER).ok()?,
            count: u32::try_from(batch.len()).ok()?,
            first,
            synced_through,
        };
        bytes[..BATCH_HEADER].copy_from_slice(&head.encode(&header, at));
        Some(Encoded { bytes, places })
    }

    /// Seals the segment that is being written, and begins another at `next`. Readers go on meanwhile.
    pub(crate) fn roll(&self, writer: &mut Writer, next: Seq) -> Result<(), AppendError> {
        let (sealed, active) = self.seal(writer, next)?;
        let mut state = self.state.write();
        let mut list = Vec::clone(&state.sealed);
        list.push(Arc::new(sealed));
        state.sealed = Arc::new(list);
        state.active = active;
        state.index = Active::default();
        writer.wants_snapshot = true;
        Ok(())
    }

    fn seal(&self, writer: &mut Writer, next: Seq) -> Result<(SealedSegment, Body), AppendError> {
        // Nobody else writes, so this keeps no reader out.
        let state = self.state.read();
        let body = state.active.clone();
        // Room that was taken in advance is given back, so that the file ends where its records do.
        body.file.set_len(body.len).map_err(AppendError::Full)?;
        self.sync_file(writer, &*body.file)?;
        let base = body.header.base;
        let name = index_name(base);
        let index = || {
            state.index.seal(&*self.disk, &name, &self.id, base, body.len)?;
            Sealed::open(self.disk.open(&name)?, &self.id, base, body.len)
        };
        let index = index().map_err(AppendError::Full)?;
        let active = match make_segment(&*self.disk, &self.id, next, self.settings.segment_bytes) {
            Ok(active) => active,
            // An unfinished segment behind the one that goes on being written would make that one look sealed.
            Err(error) => match self.take_back(next) {
                Ok(()) => return Err(AppendError::Full(error)),
                Err(error) => return Err(writer.poison("taking a half-made segment back", &error)),
            },
        };
        Ok((SealedSegment { body, index }, active))
    }

    /// Removes a half-made segment, so that it does not turn up again either.
    fn take_back(&self, base: Seq) -> io::Result<()> {
        self.disk.remove(&segment_name(base)).or_else(not_there)?;
        self.disk.sync_dir(FOLDER)
    }
}

fn not_there(error: io::Error) -> io::Result<()> {
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
