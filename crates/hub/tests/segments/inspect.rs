//! Looking at a log while it is written: what is half there at one moment is no damage at the next.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tidewire_hub::archive::{
    Archive as _,
    segments::{
        Disk, DiskFile, Segments, Settings,
        inspect::{Finding, Gravity, ReadOnly, verify},
    },
};

use crate::{
    records::{batch, event},
    sim::SimDisk,
};

/// A disk that somebody else writes to: what is new comes to light only when it is read again.
struct Late {
    disk: SimDisk,
    /// In segments, what is new begins here.
    from: u64,
    /// It comes to light for all at once. If not, each opened file shows it late again, as if there were always more.
    once: Option<Arc<AtomicBool>>,
}

struct LateFile {
    file: Arc<dyn DiskFile>,
    from: u64,
    is_shown: Arc<AtomicBool>,
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is only looked at")
}

impl Disk for Late {
    fn create_dir(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        Err(refused())
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        if !name.ends_with(".seg") {
            return Ok(file);
        }
        Ok(Arc::new(LateFile {
            file,
            from: self.from,
            is_shown: self.once.clone().unwrap_or_default(),
        }))
    }
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
}

impl DiskFile for LateFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, at)?;
        let hidden = at.max(self.from);
        if hidden < at + read as u64 && !self.is_shown.swap(true, Ordering::Relaxed) {
            buffer[(hidden - at) as usize..read].fill(0);
        }
        Ok(read)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn sync(&self) -> io::Result<()> {
        Err(refused())
    }
}

#[test]
fn a_batch_that_is_written_while_it_is_read_is_no_damage() {
    let disk = SimDisk::new(1);
    let log = {
        let settings = Settings {
            segment_bytes: 64 << 10,
            ..Settings::default()
        };
        Segments::open(Arc::new(disk.clone()), settings).unwrap()
    };
    for seq in 1..=20 {
        log.append(&batch([event(seq, "a")])).unwrap();
    }
    let held = log.held().bytes as u64;
    for from in (64..held).step_by(13) {
        let late = |once| Late {
            disk: disk.clone(),
            from,
            once,
        };
        let mut damage = Vec::new();
        let mut found = |finding: Finding| {
            if finding.gravity == Gravity::Damage {
                damage.push(finding);
            }
        };
        let verified = verify(&late(None), &mut |_| (), &mut found).unwrap();
        assert_eq!(damage, [], "what is new begins at {from}");
        assert!(verified.records >= 19, "the last batch may come too late: {from}");
        let late: Arc<dyn Disk> = Arc::new(late(Some(Arc::default())));
        let opened = ReadOnly::open(&late).unwrap_or_else(|error| panic!("{from}: {error}"));
        assert!(opened.last().0 >= 19, "{from}");
    }
}
