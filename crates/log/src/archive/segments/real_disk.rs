//! A log's folder on a real disk, held by one process at a time.
//!
//! What a log holds is for its owner alone: folders that are made here have mode 0700, files 0600. Owns the folder, its `LOCK` file and what the system calls are; knows nothing of what the files hold. Errors keep
//! their [`io::ErrorKind`] (`StorageFull`, `QuotaExceeded`, `NotFound`) and say which file they are about.

use std::{
    collections::HashMap,
    fs::{self, File, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::disk::{Disk, DiskFile};
use crate::archive::shortage::Told;

/// The file that is locked, with the number of the process that holds it. Its name is not for logs.
const LOCK: &str = "LOCK";

/// The modes of what is made: nobody but its owner reads a log.
const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// See the module's text.
#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
    /// Folders whose names are made safe, open: where descriptors run out, what was begun can still be ended.
    folders: Mutex<HashMap<PathBuf, Arc<File>>>,
    /// Locked as long as it is open; `None` when read-only.
    lock: Option<Arc<File>>,
}

impl RealDisk {
    /// Takes a folder for this process alone, and makes it if it is not there.
    ///
    /// # Errors
    /// What the system says, or [`io::ErrorKind::ResourceBusy`] if another, or this process, has the folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let folder = path.as_ref().to_path_buf();
        make_folders(&folder).map_err(|error| about("make the folder", &folder, &error))?;
        let lock = lock(&folder)?;
        close_to_others(&folder);
        Ok(Self {
            folder,
            folders: Mutex::default(),
            lock: Some(Arc::new(lock)),
        })
    }

    /// Looks at a folder that another process may be writing to, and changes nothing there.
    ///
    /// # Errors
    /// What the system says, first of all if there is no such folder.
    pub fn read_only(path: impl AsRef<Path>) -> io::Result<Self> {
        let folder = path.as_ref().to_path_buf();
        fs::read_dir(&folder).map_err(|error| about("read the folder", &folder, &error))?;
        Ok(Self {
            folder,
            folders: Mutex::default(),
            lock: None,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a name stands for: never outside of the folder, never the lock.
    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']);
        match name != LOCK && name.split('/').all(is_plain) {
            true => Ok(self.folder.join(name)),
            false => {
                let why = format!("{name:?} is no name for a file in {}", self.folder.display());
                Err(io::Error::new(io::ErrorKind::InvalidInput, why))
            }
        }
    }

    /// As [`RealDisk::path`], where `""` is the folder itself.
    fn folder_path(&self, folder: &str) -> io::Result<PathBuf> {
        match folder {
            "" => Ok(self.folder.clone()),
            _ => self.path(folder),
        }
    }

    /// The path of what is about to change.
    fn writable(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name)?;
        match self.lock {
            Some(_) => Ok(path),
            None => {
                let why = format!("{} was opened to be read only", self.folder.display());
                Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, why))
            }
        }
    }

    fn file(&self, path: PathBuf, options: &fs::OpenOptions) -> io::Result<Arc<dyn DiskFile>> {
        let file = options
            .open(&path)
            .map_err(|error| about("open", &path, &error))?;
        Ok(Arc::new(RealFile {
            file,
            path,
            _lock: self.lock.clone(),
        }))
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, folder: &str) -> io::Result<()> {
        let path = self.writable(folder)?;
        match make_folder(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made.map_err(|error| about("make the folder", &path, &error)),
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE);
        self.file(self.writable(name)?, &options)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = File::options();
        options.read(true).write(self.lock.is_some());
        self.file(self.path(name)?, &options)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let path = self.folder_path(folder)?;
        let list = || {
            let mut names = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                // A name that is no text is none of ours.
                if let Ok(name) = entry.file_name().into_string()
                    && entry.file_type()?.is_file()
                    && !(folder.is_empty() && name == LOCK)
                {
                    names.push(name);
                }
            }
            Ok(names)
        };
        list().map_err(|error: io::Error| about("list", &path, &error))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.writable(from)?, self.writable(to)?);
        fs::rename(&from, &to).map_err(|error| about("rename", &from, &error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.writable(name)?;
        fs::remove_file(&path).map_err(|error| about("remove", &path, &error))
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let path = self.folder_path(folder)?;
        let sync = || {
            let known = self.folders.lock().get(&path).cloned();
            let file = match known {
                Some(file) => file,
                None => {
                    let file = Arc::new(File::open(&path)?);
                    self.folders.lock().insert(path.clone(), Arc::clone(&file));
                    file
                }
            };
            file.sync_all()
        };
        sync().map_err(|error: io::Error| about("sync the folder", &path, &error))
    }

    fn in_place(&self) -> io::Result<()> {
        let folders = self.folders.lock();
        folders.iter().try_for_each(|(path, file)| in_place(path, file))
    }
}

struct RealFile {
    file: File,
    /// The name it was opened under: a rename does not change it.
    path: PathBuf,
    /// Who can still write keeps other processes out.
    _lock: Option<Arc<File>>,
}

impl RealFile {
    fn about(&self, what: &str, error: &io::Error) -> io::Error {
        about(what, &self.path, error)
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        let metadata = self.file.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|error| self.about("ask for the length of", &error))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], at + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.about("read", &error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let written = self.file.write_all_at(bytes, at);
        written.map_err(|error| self.about("write", &error))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let set = self.file.set_len(len);
        set.map_err(|error| self.about("set the length of", &error))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(()); // fallocate takes it for a mistake.
        }
        loop {
            match fallocate(&self.file, FallocateFlags::empty(), 0, len) {
                Err(Errno::INTR) => {}
                // A file system that cannot: NFS, some that live in memory or behind FUSE.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) if self.len()? < len => return self.set_len(len),
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
                Err(error) => return Err(self.about("take room for", &error.into())),
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.file.sync_data();
        synced.map_err(|error| self.about("sync", &error))
    }

    fn in_place(&self) -> io::Result<()> {
        in_place(&self.path, &self.file)
    }
}

/// Fails if a path no longer stands for what was opened under it. Two calls of the system, about 2 µs.
fn in_place(path: &Path, file: &File) -> io::Result<()> {
    use io::ErrorKind::{NotADirectory, NotFound, StaleNetworkFileHandle};
    let fate = match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(own)) if (there.dev(), there.ino()) != (own.dev(), own.ino()) => "replaced",
        (Err(error), _) | (_, Err(error))
            if matches!(error.kind(), NotFound | NotADirectory | StaleNetworkFileHandle) =>
        {
            "removed"
        }
        // Another error says nothing about the file: writing and syncing tell whether the disk fails.
        _ => return Ok(()),
    };
    let why = format!("{} was {fate} while it was in use", path.display());
    Err(io::Error::new(NotFound, why))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(FOLDER).create(folder)
}

/// Closes the folder of a log to other users. Earlier releases left it open to them; a folder that is open to a group only
/// is so on purpose, and one with the sticky bit (`/tmp`) is everybody's.
fn close_to_others(folder: &Path) {
    let Ok(mode) = fs::metadata(folder).map(|metadata| metadata.permissions().mode() & 0o7777) else {
        return;
    };
    if mode & 0o007 == 0 || mode & 0o1000 != 0 {
        return;
    }
    let shown = folder.display();
    let close = || match holds_only_a_log(folder)? {
        true => fs::set_permissions(folder, Permissions::from_mode(FOLDER)),
        false => Err(io::Error::other("it holds other files too")),
    };
    match close() {
        Ok(()) => {
            tracing::info!("{shown} had mode {mode:04o}, so every user could read the log: now it has 0700");
        }
        Err(error) => tracing::warn!(
            "{shown} has mode {mode:04o}, so other users may look into it, and that is left as it is ({error}): `chmod 700` it, or \
             give the log a folder of its own"
        ),
    }
}

/// Whether a folder has nothing but what a log has. Nobody wants `/` closed because a log was put there.
fn holds_only_a_log(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_ours = |name: &str| {
            let name = name.strip_suffix(".tmp").unwrap_or(name);
            matches!(name, LOCK | "log" | "snap" | "meta" | "topics" | "unsynced")
        };
        if !name.to_str().is_some_and(is_ours) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a folder and those above it, and makes it safe that they are there.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => Path::new("/"),
    };
    if above != folder {
        make_folders(above)?;
    }
    match make_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !folder.is_dir() {
                let why = format!("{} is a file", folder.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, why));
            }
        }
        made => made?,
    }
    sync_folder(above)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Locks the folder, or says who has it.
fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE);
    let mut file = options
        .open(&path)
        .map_err(|error| about("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let why = match holder(&mut file) {
                Holder::ThisProcess => format!(
                    "this process has the log in {} open already: drop the hub that has it, and its readers, first",
                    folder.display()
                ),
                Holder::Another(number) => format!(
                    "another process{number} keeps its log in {}: stop it, or choose another folder",
                    folder.display()
                ),
            };
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
        }
        Err(TryLockError::Error(error)) => return Err(about("lock", &path, &error)),
    }
    // Who it is helps whoever finds the folder taken; nothing depends on it, not even on a full disk.
    let _ = file.set_len(0);
    let _ = file.write_all(format!("{} {}", std::process::id(), mark()).as_bytes());
    Ok(file)
}

/// Who has a folder.
enum Holder {
    ThisProcess,
    /// ` (number 123)`, if the lock file says so.
    Another(String),
}

/// Tells this process from one of the same number in another container.
fn mark() -> u64 {
    static MARK: OnceLock<u64> = OnceLock::new();
    *MARK.get_or_init(|| getrandom::u64().unwrap_or_default())
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.take(60).read_to_string(&mut text);
    let text = if read.is_ok() { text } else { String::new() };
    let (number, marked) = text.split_once(' ').unwrap_or((&text, ""));
    match number.parse::<u32>() {
        Ok(_) if marked == mark().to_string() => Holder::ThisProcess,
        Ok(number) => Holder::Another(format!(" (number {number})")),
        Err(_) => Holder::Another(String::new()),
    }
}

/// Says what could not be done to which file.
fn about(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let text = format!("cannot {what} {}: {error}", path.display());
    Told::of(error, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn read(file: &dyn DiskFile) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    }

    fn error_of<T>(result: io::Result<T>) -> io::Error {
        match result {
            Ok(_) => panic!("no error"),
            Err(error) => error,
        }
    }

    #[test]
    fn bytes_are_written_read_cut_and_synced() {
        let folder = folder();
        let disk = RealDisk::open(folder.path()).unwrap();
        disk.create_dir("log").unwrap();
        disk.create_dir("log").unwrap();
        let file = disk.create("log/1").unwrap();
        file.write_at(b"hello", 3).unwrap();
        file.sync().unwrap();
        disk.sync_dir("log").unwrap();
        disk.sync_dir("").unwrap();
        assert_eq!(read(&*disk.open("log/1").unwrap()), b"\0\0\0hello");
        let mut buffer = [9; 4];
        assert_eq!(file.read_at(&mut buffer, 6).unwrap(), 2, "as much as there is");
        assert_eq!(buffer, *b"lo\x09\x09");
        assert_eq!(file.read_at(&mut buffer, 99).unwrap(), 0);
        file.set_len(4).unwrap();
        assert_eq!(read(&*file), b"\0\0\0h");
        assert_eq!(
            disk.create("log/1").unwrap().len().unwrap(),
            0,
            "emptied when made anew"
        );
    }

    #[test]
    fn only_the_owner_reads_a_log() {
        let above = folder();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let data = above.path().join("data");
        {
            let disk = RealDisk::open(&data).unwrap();
            disk.create_dir("log").unwrap();
            disk.create("log/1").unwrap();
            for (path, expected) in [("", 0o700), ("log", 0o700), ("log/1", 0o600), ("LOCK", 0o600)] {
                assert_eq!(mode(&data.join(path)), expected, "{path:?}");
            }
        }
        // As an earlier release left it; for a group, on purpose; everybody's.
        for (was, is) in [(0o755, 0o700), (0o750, 0o750), (0o1777, 0o1777)] {
            fs::set_permissions(&data, Permissions::from_mode(was)).unwrap();
            drop(RealDisk::open(&data).unwrap());
            assert_eq!(mode(&data), is, "{was:o}");
        }
        fs::write(data.join("photo"), "").unwrap();
        fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
        drop(RealDisk::open(&data).unwrap());
        assert_eq!(mode(&data), 0o755, "it is not only the log's");
    }

    #[test]
    fn taking_room_makes_a_file_longer_and_never_shorter() {
        let folder = folder();
        let disk = RealDisk::open(folder.path()).unwrap();
        let file = disk.create("1").unwrap();
        file.allocate(0).unwrap();
        file.write_at(b"abc", 0).unwrap();
        file.allocate(8).unwrap();
        assert_eq!(read(&*file), b"abc\0\0\0\0\0");
        file.allocate(2).unwrap();
        assert_eq!(file.len().unwrap(), 8);
    }

    #[test]
    fn names_are_listed_renamed_and_removed() {
        let folder = folder();
        let disk = RealDisk::open(folder.path()).unwrap();
        disk.create_dir("log").unwrap();
        disk.create("old").unwrap().write_at(b"old", 0).unwrap();
        let new = disk.create("new").unwrap();
        new.write_at(b"new", 0).unwrap();
        disk.rename("new", "old").unwrap();
        assert_eq!(
            disk.list("").unwrap(),
            ["old"],
            "neither the lock nor the folder is a file of the log"
        );
        assert_eq!(read(&*disk.open("old").unwrap()), b"new");
        disk.remove("old").unwrap();
        assert_eq!(disk.list("").unwrap(), [""; 0]);
        assert_eq!(read(&*new), b"new", "its name is gone, not the file");
        let missing = error_of(disk.open("old"));
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("old"), "{missing}");
    }

    #[test]
    fn no_name_leads_out_of_the_folder_or_to_the_lock() {
        let folder = folder();
        let disk = RealDisk::open(folder.path()).unwrap();
        for name in [
            "",
            "..",
            "../x",
            "log/../../x",
            "/etc/x",
            "a//b",
            "./a",
            "a/",
            "LOCK",
            "a\0b",
        ] {
            for error in [
                error_of(disk.create(name)),
                error_of(disk.open(name)),
                error_of(disk.remove(name)),
                error_of(disk.rename(name, "a")),
                error_of(disk.rename("a", name)),
                error_of(disk.create_dir(name)),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}: {error}");
            }
        }
        assert_eq!(error_of(disk.list("..")).kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_folder_belongs_to_one_at_a_time() {
        let folder = folder();
        let path = folder.path().join("deep/data");
        let first = RealDisk::open(&path).unwrap();
        let error = error_of(RealDisk::open(&path));
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        let text = error.to_string();
        for part in [path.to_str().unwrap(), "this process", "drop the hub"] {
            assert!(text.contains(part), "{text}");
        }
        fs::write(path.join(LOCK), "123 4").unwrap();
        let text = error_of(RealDisk::open(&path)).to_string();
        for part in [
            path.to_str().unwrap(),
            "(number 123)",
            "stop it",
            "another folder",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let file = first.create("1").unwrap();
        drop(first);
        error_of(RealDisk::open(&path)); // An open file can still be written to.
        drop(file);
        RealDisk::open(&path).unwrap();
    }

    #[test]
    fn a_reader_takes_no_lock_and_changes_nothing() {
        let folder = folder();
        let disk = RealDisk::open(folder.path()).unwrap();
        disk.create("1").unwrap().write_at(b"abc", 0).unwrap();
        let reader = RealDisk::read_only(folder.path()).unwrap();
        let file = reader.open("1").unwrap();
        assert_eq!(read(&*file), b"abc");
        file.write_at(b"x", 0).unwrap_err();
        for error in [
            error_of(reader.create("1")),
            error_of(reader.remove("1")),
            error_of(reader.rename("1", "2")),
            error_of(reader.create_dir("log")),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        }
        assert_eq!(read(&*file), b"abc");
        let missing = error_of(RealDisk::read_only(folder.path().join("no")));
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(!folder.path().join("no").exists());
    }
}
