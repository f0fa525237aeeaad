//! A disk on top of another that is only read: what is written stays in memory, and is gone with it.
//!
//! So a log can be opened as the server opens it, with its tail cut off and its missing indexes made anew, and not one byte of
//! it changes. In memory stands what opening writes: little, but for indexes that are missing.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use crate::archive::segments::{Disk, DiskFile};

const PAGE: u64 = 4096;

/// See the module's text.
pub(super) struct Overlay {
    under: Arc<dyn Disk>,
    /// Files that were opened or made here; none for what was removed.
    files: Mutex<HashMap<String, Option<Arc<OverlayFile>>>>,
}

impl Overlay {
    pub(super) fn over(under: Arc<dyn Disk>) -> Self {
        Self {
            under,
            files: Mutex::default(),
        }
    }
}

impl Disk for Overlay {
    fn create_dir(&self, _folder: &str) -> io::Result<()> {
        Ok(()) // Listing one that is not there finds nothing.
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = Arc::new(OverlayFile::default());
        self.files.lock().insert(name.to_owned(), Some(Arc::clone(&file)));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock();
        if let Some(known) = files.get(name) {
            let file = known.clone().ok_or_else(|| not_there(name))?;
            return Ok(file);
        }
        let file = Arc::new(OverlayFile::over(self.under.open(name)?)?);
        files.insert(name.to_owned(), Some(Arc::clone(&file)));
        Ok(file)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = match self.under.list(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for (path, file) in &*self.files.lock() {
            let (in_folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if in_folder == folder {
                names.retain(|other| other != name);
                names.extend(file.is_some().then(|| name.to_owned()));
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.open(from)?;
        let mut files = self.files.lock();
        let file = files.insert(from.to_owned(), None).flatten();
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.open(name)?;
        self.files.lock().insert(name.to_owned(), None);
        Ok(())
    }

    fn sync_dir(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }
}

fn not_there(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {name}"))
}

#[derive(Default)]
struct OverlayFile {
    under: Option<Arc<dyn DiskFile>>,
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    len: u64,
    /// As much of the file below still shows.
    shown: u64,
    /// Pages that were written, by number; zeros where nothing was.
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
}

impl OverlayFile {
    fn over(under: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = under.len()?;
        let content = Content {
            len,
            shown: len,
            ..Content::default()
        };
        Ok(Self {
            under: Some(under),
            content: RwLock::new(content),
        })
    }

    /// Fills the buffer with what shows of the file below, and zeros.
    fn read_under(&self, content: &Content, buffer: &mut [u8], at: u64) -> io::Result<()> {
        buffer.fill(0);
        let shown = usize::try_from(content.shown.saturating_sub(at)).unwrap_or(usize::MAX);
        let shown = shown.min(buffer.len());
        match &self.under {
            Some(under) if shown > 0 => under.read_at(&mut buffer[..shown], at).map(drop),
            _ => Ok(()),
        }
    }

    fn change(&self, content: &mut Content, number: u64, change: impl FnOnce(&mut [u8])) -> io::Result<()> {
        if !content.pages.contains_key(&number) {
            let mut page = Box::new([0; PAGE as usize]);
            self.read_under(content, &mut page[..], number * PAGE)?;
            content.pages.insert(number, page);
        }
        if let Some(page) = content.pages.get_mut(&number) {
            change(&mut page[..]);
        }
        Ok(())
    }
}

/// The part of a page that bytes from `at` on begin in: its number, and where in it.
fn place(at: u64) -> (u64, usize) {
    (at / PAGE, (at % PAGE) as usize)
}

impl DiskFile for OverlayFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.read().len)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let content = self.content.read();
        let len = usize::try_from(content.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = len.min(buffer.len());
        let buffer = &mut buffer[..len];
        self.read_under(&content, buffer, at)?;
        let end = at + len as u64;
        for (number, page) in content.pages.range(at / PAGE..end.div_ceil(PAGE)) {
            let start = number * PAGE;
            let (from, to) = (start.max(at), (start + PAGE).min(end));
            let page = &page[(from - start) as usize..(to - start) as usize];
            buffer[(from - at) as usize..(to - at) as usize].copy_from_slice(page);
        }
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut content = self.content.write();
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let (number, offset) = place(at);
            let (now, later) = rest.split_at(rest.len().min(PAGE as usize - offset));
            self.change(&mut content, number, |page| {
                page[offset..offset + now.len()].copy_from_slice(now);
            })?;
            at += now.len() as u64;
            rest = later;
        }
        content.len = content.len.max(at);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content.write();
        content.shown = content.shown.min(len);
        drop(content.pages.split_off(&len.div_ceil(PAGE)));
        let (number, offset) = place(len);
        if content.pages.contains_key(&number) {
            self.change(&mut content, number, |page| page[offset..].fill(0))?;
        }
        content.len = len;
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut content = self.content.write();
        content.len = content.len.max(len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::segments::RealDisk;

    fn read(file: &dyn DiskFile) -> Vec<u8> {
        let mut bytes = vec![9; usize::try_from(file.len().unwrap()).unwrap()];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    }

    #[test]
    fn every_change_shows_and_none_reaches_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let was: Vec<u8> = (0..10_000).map(|_| random.u8(..)).collect();
        std::fs::write(folder.path().join("a"), &was).unwrap();
        let disk = Overlay::over(Arc::new(RealDisk::read_only(folder.path()).unwrap()));
        let file = disk.open("a").unwrap();
        let mut model = was.clone();
        for _ in 0..500 {
            let at = random.usize(..20_000);
            match random.u8(..4) {
                0 => {
                    file.set_len(at as u64).unwrap();
                    model.resize(at, 0);
                }
                1 => {
                    file.allocate(at as u64).unwrap();
                    model.resize(model.len().max(at), 0);
                }
                _ => {
                    let bytes: Vec<u8> = (0..random.usize(..9000)).map(|_| random.u8(..)).collect();
                    file.write_at(&bytes, at as u64).unwrap();
                    if !bytes.is_empty() {
                        model.resize(model.len().max(at + bytes.len()), 0);
                        model[at..at + bytes.len()].copy_from_slice(&bytes);
                    }
                }
            }
            assert!(read(&*disk.open("a").unwrap()) == model, "at {at}");
        }
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), was);
    }

    #[test]
    fn names_are_made_moved_and_removed_above_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        for name in ["log/1", "log/2", "meta"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let disk = Overlay::over(Arc::new(RealDisk::read_only(folder.path()).unwrap()));
        disk.create("log/3").unwrap().write_at(b"new", 0).unwrap();
        disk.remove("log/1").unwrap();
        disk.rename("log/2", "log/4").unwrap();
        let mut names = disk.list("log").unwrap();
        names.sort();
        assert_eq!(names, ["3", "4"]);
        assert_eq!(read(&*disk.open("log/4").unwrap()), b"log/2");
        assert_eq!(disk.list("").unwrap(), ["meta"]);
        assert_eq!(disk.list("snap").unwrap(), [""; 0]);
        for gone in ["log/1", "log/2", "log/9"] {
            let error = disk.open(gone).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{gone}");
        }
        assert_eq!(std::fs::read_dir(folder.path().join("log")).unwrap().count(), 2);
    }
}
