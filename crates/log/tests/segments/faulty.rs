//! A disk that leaves out one thing that segments ask for, as if they had not asked: what they would do wrong without it must
//! be caught. Or that refuses something.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tidewire_log::archive::segments::{Disk, DiskFile};

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// A rewritten segment takes the old one's place before it is safe.
    CopiesAreNotSynced,
    /// What is gone is written down one time too late: after it was removed.
    FloorsAreLate,
    /// Snapshots count before they are there.
    SnapshotsAreLost,
    /// Epochs count before they are there.
    EpochsAreLost,
    /// No file can be removed, and it says so: a disk may be like that.
    CannotRemove,
}

impl Fault {
    /// Those that a judge must catch.
    pub const ALL: [Self; 4] = [
        Self::CopiesAreNotSynced,
        Self::FloorsAreLate,
        Self::SnapshotsAreLost,
        Self::EpochsAreLost,
    ];
}

pub struct Faulty {
    disk: Arc<dyn Disk>,
    fault: Fault,
    is_mended: AtomicBool,
    /// The floors that were to be written down last.
    floors: Mutex<Option<Vec<u8>>>,
}

impl Faulty {
    pub fn new(disk: Arc<dyn Disk>, fault: Fault) -> Self {
        Self {
            disk,
            fault,
            is_mended: AtomicBool::new(false),
            floors: Mutex::default(),
        }
    }

    /// From now on nothing is wrong.
    pub fn mend(&self) {
        self.is_mended.store(true, Relaxed);
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault && !self.is_mended.load(Relaxed)
    }

    /// Puts the floors of the last time into a file, and keeps its own for the next.
    fn delay(&self, name: &str) -> io::Result<()> {
        let file = self.disk.open(name)?;
        let mut now = vec![0; usize::try_from(file.len()?).unwrap()];
        file.read_at(&mut now, 0)?;
        if let Some(before) = self.floors.lock().unwrap().replace(now) {
            file.set_len(0)?;
            file.write_at(&before, 0)?;
            file.sync()?;
        }
        Ok(())
    }
}

impl Disk for Faulty {
    fn create_dir(&self, folder: &str) -> io::Result<()> {
        self.disk.create_dir(folder)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create(name)?;
        match self.has(Fault::CopiesAreNotSynced) && name.ends_with(".seg.tmp") {
            true => Ok(Arc::new(Unsynced(file))),
            false => Ok(file),
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if self.has(Fault::FloorsAreLate) && to == "topics" {
            self.delay(from)?;
        }
        if self.has(Fault::SnapshotsAreLost) && to.starts_with("snap/") {
            return Ok(());
        }
        // But for the first, which makes it a log.
        if self.has(Fault::EpochsAreLost) && to == "meta" && self.disk.open(to).is_ok() {
            return Ok(());
        }
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.has(Fault::CannotRemove) {
            true => Err(io::Error::other("this cannot be removed")),
            false => self.disk.remove(name),
        }
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_dir(folder)
    }
}

struct Unsynced(Arc<dyn DiskFile>);

impl DiskFile for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(buffer, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
