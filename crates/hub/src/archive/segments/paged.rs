//! A file of pages that each verify alone, so that a part of it can be trusted without reading the whole.
//!
//! A page has [`PAGE`] bytes: [`ROOM`] of content and a checksum, which starts from the page's number and a seed (what the file
//! belongs to), so that no page passes for another.

use std::{io, sync::Arc};

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
    let put = || {
        write(disk, &temporary(name), content, seed)?;
        disk.rename(&temporary(name), name)?;
        disk.sync_dir(name.rsplit_once('/').map_or("", |(folder, _)| folder))
    };
    // Half a file would only take room, on a disk that may be full.
    put().inspect_err(|_| drop(disk.remove(&temporary(name))))
}

/// Makes a file of pages, and its bytes safe, not its name.
pub(crate) fn write(disk: &dyn Disk, name: &str, content: &[u8], seed: u32) -> io::Result<()> {
    let file = disk.create(name)?;
    file.write_at(&pages(content, seed), 0)?;
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
}

impl Paged {
    /// Fills the buffer with the content from a place on.
    ///
    /// # Errors
    /// `InvalidData` if a page is damaged or not there.
    pub(crate) fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (mut at, mut rest) = (at, out);
        let mut page = [0; PAGE];
        while !rest.is_empty() {
            let number = at / ROOM as u64;
            let offset = (at % ROOM as u64) as usize;
            let read = self.file.read_at(&mut page, number * PAGE as u64)?;
            let (content, sum) = page.split_at(ROOM);
            if read < PAGE || crc(self.seed, number, content).to_le_bytes() != *sum {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} at byte {}: the page is damaged",
                        self.name,
                        number * PAGE as u64
                    ),
                ));
            }
            let len = rest.len().min(ROOM - offset);
            let (now, later) = rest.split_at_mut(len);
            now.copy_from_slice(&content[offset..offset + len]);
            at += len as u64;
            rest = later;
        }
        Ok(())
    }

    pub(crate) fn array<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let mut out = [0; N];
        self.read(at, &mut out)?;
        Ok(out)
    }
}
