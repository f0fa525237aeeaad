//! The files under a log, behind a trait, so that tests can pull the plug.
//!
//! What a [`Disk`] promises is what a POSIX file system promises, no more:
//! - bytes are safe after [`DiskFile::sync`]; until then a crash may lose them, tear them, or keep them in any order;
//! - that a name exists, or another stands for it, is safe after [`Disk::sync_dir`] of its folder;
//! - a rename puts one file in the place of another at once: after a crash there is the one or the other.
//!
//! Names are relative to the log's folder, with `/`. Calls block.

use std::{io, sync::Arc};

/// A folder that holds a log.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder, unless it is there.
    fn create_dir(&self, folder: &str) -> io::Result<()>;

    /// Makes a file, or empties the one that is there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that is there, for reading, and for writing unless the disk is read-only.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// The names of the files in a folder, without the folder's, in no order.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Puts a file in the place of another.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes safe which names a folder has. `""` is the log's own folder.
    fn sync_dir(&self, folder: &str) -> io::Result<()>;

    /// Whether the folders that were synced are still the ones that stand under their names.
    ///
    /// # Errors
    /// One of them was removed or replaced. A disk that cannot tell returns none.
    fn in_place(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An open file. It can be read after its name is gone.
#[expect(
    clippy::len_without_is_empty,
    reason = "nobody asks a file whether it is empty"
)]
pub trait DiskFile: Send + Sync + 'static {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads from a place on until the buffer is full or the file ends; returns how many bytes.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all, from a place on. After an error, any part of it may have been written.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts or extends it; new bytes are zero.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes room on the disk up to this length, so that writing there does not fail for want of it; the length becomes
    /// at least that, and new bytes are zero. A disk that cannot do it may do [`DiskFile::set_len`].
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Makes its bytes and its length safe (fdatasync).
    fn sync(&self) -> io::Result<()>;

    /// Whether the name that it was made or opened under still stands for it.
    ///
    /// # Errors
    /// It was removed or replaced. A disk that cannot tell returns none.
    fn in_place(&self) -> io::Result<()> {
        Ok(())
    }
}
