//! A file of pages that each verify alone, so that a part of it can be trusted without reading the whole.
//!
//! A page has [`PAGE`] bytes: [`ROOM`] of content and a checksum, which starts from the page's number and a seed (what the file
//! belongs to), so that no page passes for another.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    disk::{Disk, DiskFile},
    format::LogId,
};

pub(crate) const PAGE: usize = 4096;
pub(crate) const ROOM: usize = PAGE - 4;

fn crc(seed: u32, number: u64, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &number.to_le_bytes()), content)
}

/// The seed of files that belong to a log as a whole.
pub(crate) fn log_seed(log: &LogId) -> u32 {
    crc32c::crc32c(log)
}

/// What the names of files end with that are being made.
pub(crate) const TEMPORARY: &str = ".tmp";

/// The name of a file while it is being made.
pub(crate) fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}

/// Puts a file of pages in the place of the one of this name, safely.
pub(crate) fn replace(disk: &dyn Disk, name: &str, content: &[u8], seed: u32) -> io::Result<()> {
    put(disk, name, &pages(content, seed))
}

/// The same of what has been made pages of.
pub(crate) fn put(disk: &dyn Disk, name: &str, pages: &[u8]) -> io::Result<()> {
    let put = || {
        write_pages(disk, &temporary(name), pages)?;
        disk.rename(&temporary(name), name)?;
        disk.sync_dir(name.rsplit_once('/').map_or("", |(folder, _)| folder))
    };
    // Half a file would only take room, on a disk that may be full.
    put().inspect_err(|_| drop(disk.remove(&temporary(name))))
}

/// Makes a file of pages, and its bytes safe, not its name.
pub(crate) fn write(disk: &dyn Disk, name: &str, content: &[u8], seed: u32) -> io::Result<()> {
    write_pages(disk, name, &pages(content, seed))
}

fn write_pages(disk: &dyn Disk, name: &str, pages: &[u8]) -> io::Result<()> {
    let file = disk.create(name)?;
    file.write_at(pages, 0)?;
    file.sync()
}

/// The content of such a file, with the zeros at its end.
pub(crate) fn read(disk: &dyn Disk, name: &str, seed: u32) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let pages = usize::try_from(file.len()? / PAGE as u64).unwrap_or(usize::MAX);
    let mut content = vec![0; pages.saturating_mul(ROOM)];
    Paged {
        name: name.to_owned(),
        file,
        seed,
        seen: None,
    }
    .read(0, &mut content)?;
    Ok(content)
}

/// Content as pages; the last one is filled with zeros.
pub(crate) fn pages(content: &[u8], seed: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().div_ceil(ROOM) * PAGE);
    for (number, content) in content.chunks(ROOM).enumerate() {
        let start = out.len();
        out.extend(content);
        out.resize(start + ROOM, 0);
        let crc = crc(seed, number as u64, &out[start..]);
        out.extend(crc.to_le_bytes());
    }
    out
}

/// Reads such a file.
pub(crate) struct Paged {
    /// What an error calls it.
    pub(crate) name: String,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) seed: u32,
    /// For one read that looks at the same pages again and again: those that it has seen.
    pub(crate) seen: Option<Mutex<Seen>>,
}

/// Pages by number, at most [`SEEN`].
pub(crate) type Seen = HashMap<u64, Box<[u8; PAGE]>>;

/// 256 KiB a read.
const SEEN: usize = 64;

impl Paged {
    /// The same file for one read, which keeps the pages that it has seen.
    pub(crate) fn for_one_read(&self) -> Self {
        Self {
            name: self.name.clone(),
            file: Arc::clone(&self.file),
            seed: self.seed,
            seen: Some(Mutex::default()),
        }
    }

    /// Fills the buffer with the content from a place on.
    ///
    /// # Errors
    /// `InvalidData` if a page is damaged or not there.
    pub(crate) fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut at, mut rest) = (at, out);
        while !rest.is_empty() {
            let (number, offset) = (at / ROOM as u64, (at % ROOM as u64) as usize);
            let len = rest.len().min(ROOM - offset);
            let (now, later) = rest.split_at_mut(len);
            self.with_page(number, |page| now.copy_from_slice(&page[offset..offset + len]))?;
            at += len as u64;
            rest = later;
        }
        Ok(())
    }

    fn with_page(&self, number: u64, look: impl FnOnce(&[u8; PAGE])) -> io::Result<()> {
        let Some(seen) = &self.seen else {
            let mut page = [0; PAGE];
            self.page(number, &mut page)?;
            look(&page);
            return Ok(());
        };
        let mut seen = seen.lock();
        if seen.len() == SEEN && !seen.contains_key(&number) {
            seen.clear();
        }
        match seen.entry(number) {
            Entry::Occupied(page) => look(page.get()),
            Entry::Vacant(place) => {
                let mut page = Box::new([0; PAGE]);
                self.page(number, &mut page)?;
                look(place.insert(page));
            }
        }
        Ok(())
    }

    /// Reads a page, and verifies it.
    fn page(&self, number: u64, page: &mut [u8; PAGE]) -> io::Result<()> {
        let at = number * PAGE as u64;
        let read = self.file.read_at(page, at)?;
        let (content, sum) = page.split_at(ROOM);
        if read < PAGE || crc(self.seed, number, content).to_le_bytes() != *sum {
            let text = format!("{} at byte {at}: the page is damaged", self.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    pub(crate) fn array<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let mut out = [0; N];
        self.read(at, &mut out)?;
        Ok(out)
    }
}
