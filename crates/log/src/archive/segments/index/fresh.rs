//! The index of a segment that has just been sealed: it answers from memory until it is a file.

use std::{io, sync::OnceLock};

use parking_lot::Mutex;

use super::{
    super::{
        disk::{Disk, DiskFile},
        format::LogId,
        paged::{pages, put},
        segment::index_name,
    },
    Active, seed,
};
use crate::Seq;

/// The file that will be, in memory. Its bytes are made by the first thread that reads it or writes it down, never by the one that
/// appends.
pub(crate) struct Fresh {
    log: LogId,
    base: Seq,
    segment_len: u64,
    active: Mutex<Option<Active>>,
    bytes: OnceLock<Vec<u8>>,
    is_saved: Mutex<bool>,
}

impl Fresh {
    pub(super) fn new(active: Active, log: &LogId, base: Seq, segment_len: u64) -> Self {
        Self {
            log: *log,
            base,
            segment_len,
            active: Mutex::new(Some(active)),
            bytes: OnceLock::new(),
            is_saved: Mutex::new(false),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get_or_init(|| {
            let active = self.active.lock().take().unwrap_or_default();
            let content = active.encode(&self.log, self.base, self.segment_len);
            pages(&content, seed(&self.log, self.base))
        })
    }

    /// Writes it down, safely, unless that was done.
    pub(super) fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        let mut is_saved = self.is_saved.lock();
        if !*is_saved {
            put(disk, &index_name(self.base), self.bytes())?;
            *is_saved = true;
        }
        Ok(())
    }
}

impl DiskFile for Fresh {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = self.bytes().get(from..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
