//! A disk in memory: what is written is there.

use std::{collections::BTreeMap, io, sync::Arc};

use parking_lot::Mutex;

use super::super::{Disk, DiskFile};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// See the module's text. Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct MemDisk(Arc<Mutex<BTreeMap<String, Bytes>>>);

/// A file of it.
pub(super) struct MemFile(Bytes);

impl MemFile {
    pub(super) fn of(bytes: &[u8]) -> Arc<dyn DiskFile> {
        Arc::new(Self(Arc::new(Mutex::new(bytes.to_vec()))))
    }
}

impl MemDisk {
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        self.0
            .lock()
            .insert(name.to_owned(), Arc::new(Mutex::new(bytes.to_vec())));
    }

    /// All files there are, by name.
    #[cfg(test)]
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.0.lock();
        files
            .iter()
            .map(|(name, bytes)| (name.clone(), bytes.lock().clone()))
            .collect()
    }

    fn file(&self, name: &str) -> io::Result<Bytes> {
        self.0
            .lock()
            .get(name)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemDisk {
    fn create_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.put(name, &[]);
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(MemFile(self.file(name)?)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let files = self.0.lock();
        let of_folder = files.keys().filter_map(|name| {
            let (of, name) = name.rsplit_once('/').unwrap_or(("", name));
            (of == folder).then(|| name.to_owned())
        });
        Ok(of_folder.collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.file(from)?;
        let mut files = self.0.lock();
        files.remove(from);
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.0.lock().remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, written: &[u8], at: u64) -> io::Result<()> {
        let mut bytes = self.0.lock();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at + written.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[at..end].copy_from_slice(written);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0
            .lock()
            .resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if self.len()? < len {
            self.set_len(len)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
