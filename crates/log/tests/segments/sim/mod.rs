//! A disk in memory whose plug can be pulled.
//!
//! It promises what [`Disk`] promises and not a byte more: whatever was not synced may be lost, torn, turned into zeros,
//! garbage or old bytes from elsewhere, in any order. The same seed and the same calls give the same disk.
//!
//! - [`SimDisk::stop_at`] stops dead at an operation; [`SimDisk::crash`] gives the disk as it is found afterwards.
//! - [`SimDisk::kill`] ends the process only: the system goes on, so nothing is lost, and nothing is safe that was not.
//! - [`SimDisk::set_room`] makes it full; [`SimDisk::fail_sync`] makes a sync fail, after which what it should have made
//!   safe is never safe again, although it may still be read (as Linux does it).
//! - [`SimDisk::set_short`] makes operations fail for want of descriptors or memory, now and then: nothing is wrong with the disk.

mod content;
mod names;
mod tests;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use fastrand::Rng;
use rustix::io::Errno;
use tidewire_log::archive::segments::{Disk, DiskFile};

use content::{Change, Content};
use names::{Names, Node};

/// How many writes are remembered, as old bytes that may turn up again elsewhere.
const REMEMBERED: usize = 64;

/// See the module's text. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

struct World {
    files: Vec<Content>,
    names: Names,
    old: VecDeque<Vec<u8>>,
    rng: Rng,
    operations: u64,
    syncs: u64,
    stop_at: Option<u64>,
    fail_sync: Option<u64>,
    room: Option<u64>,
    /// One of so many operations finds the system short of something.
    short: Option<u64>,
    off: bool,
}

/// What becomes of an operation.
#[derive(PartialEq)]
enum Fate {
    Done,
    /// The machine goes off at it: it may have been done or not.
    Last,
}

fn off() -> io::Error {
    io::Error::other("the machine is off")
}

fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full")
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{name} is not on the simulated disk"),
    )
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self::of(World {
            files: Vec::new(),
            names: Names::default(),
            old: VecDeque::new(),
            rng: Rng::with_seed(seed),
            operations: 0,
            syncs: 0,
            stop_at: None,
            fail_sync: None,
            room: None,
            short: None,
            off: false,
        })
    }

    fn of(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Stops dead at the `n`-th operation from now on; 1 is the next.
    pub fn stop_at(&self, n: u64) {
        let mut world = self.world();
        world.stop_at = Some(world.operations + n);
    }

    pub fn is_off(&self) -> bool {
        self.world().off
    }

    /// The `n`-th sync from now on fails, of a file or a folder; 1 is the next.
    pub fn fail_sync(&self, n: u64) {
        let mut world = self.world();
        world.fail_sync = Some(world.syncs + n);
    }

    /// Whether a sync has failed.
    pub fn has_failed(&self) -> bool {
        let world = self.world();
        world.fail_sync.is_some_and(|n| n <= world.syncs)
    }

    /// Nothing that was to happen will happen.
    pub fn calm(&self) {
        let mut world = self.world();
        (world.stop_at, world.fail_sync, world.short) = (None, None, None);
    }

    /// Whether there is a bound on how many bytes there is room for.
    pub fn is_full(&self) -> bool {
        self.world().room.is_some()
    }

    /// How many bytes there is room for in all; `None` is no bound.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.world().room = bytes;
    }

    /// Of so many operations one fails for want of descriptors or memory; 1 is all of them. Not syncs of files: those that
    /// have begun write.
    pub fn set_short(&self, one_of: Option<u64>) {
        self.world().short = one_of;
    }

    /// Whether operations fail for that.
    pub fn is_short(&self) -> bool {
        self.world().short.is_some()
    }

    /// How many bytes the files take.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// Pulls the plug: the disk as it is found when power is back. This one is off from now on.
    pub fn crash(&self, rng: &mut Rng) -> Self {
        let mut world = self.world();
        world.off = true;
        let old: Vec<_> = world.old.iter().cloned().collect();
        let names = world.names.after_crash(rng);
        let files = world.files.iter().map(|file| file.after_crash(rng, &old));
        let files = files.collect();
        Self::of(World {
            files,
            names,
            old: world.old.clone(),
            ..Self::fresh(rng)
        })
    }

    /// Ends the process that has the disk, not the system. This one is off from now on.
    pub fn kill(&self) -> Self {
        let killed = self.copy();
        self.world().off = true;
        killed
    }

    /// A disk of its own with what this one shows at the moment.
    pub fn copy(&self) -> Self {
        let mut world = self.world();
        let rng = &mut world.rng.fork();
        Self::of(World {
            files: world.files.clone(),
            names: world.names.clone(),
            old: world.old.clone(),
            room: world.room,
            ..Self::fresh(rng)
        })
    }

    fn fresh(rng: &mut Rng) -> World {
        let disk = Self::new(rng.u64(..));
        Arc::into_inner(disk.0).unwrap().into_inner().unwrap()
    }

    /// All files there are, with their folders.
    pub fn files(&self) -> Vec<String> {
        self.world().names.files().map(|(name, _)| name.clone()).collect()
    }

    /// A file's bytes, whether they are safe or not.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let world = self.world();
        world.files[world.names.file(name).unwrap()].live.clone()
    }

    /// Puts safe bytes into a file, behind the back of who uses the disk; makes it if it is not there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world();
        let id = world.add(Content::of(bytes));
        world.names.put(name, Node::File(id));
    }

    /// Takes a file away, behind the back of who uses the disk.
    pub fn take(&self, name: &str) {
        self.world().names.take(name);
    }
}

impl World {
    /// Counts an operation, and says whether it is done, or the last.
    fn operate(&mut self) -> io::Result<Fate> {
        if self.off {
            return Err(off());
        }
        self.operations += 1;
        match self.stop_at == Some(self.operations) {
            true => {
                self.off = true;
                Ok(Fate::Last)
            }
            false => Ok(Fate::Done),
        }
    }

    /// Fails if the system is short of something at the moment.
    fn want(&mut self, errno: Errno) -> io::Result<()> {
        match self.short {
            Some(one_of) if self.rng.u64(..one_of) == 0 => Err(errno.into()),
            _ => Ok(()),
        }
    }

    /// An operation that is done whole or not at all.
    fn whole(&mut self, apply: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.want(Errno::NOMEM)?;
        match self.operate()? {
            Fate::Done => apply(self),
            Fate::Last => {
                if self.rng.bool() {
                    apply(self)?;
                }
                Err(off())
            }
        }
    }

    /// Counts a sync. `false`: it is to fail.
    fn sync(&mut self) -> io::Result<bool> {
        if self.operate()? == Fate::Last {
            return Err(off()); // What it would have made safe may be there all the same.
        }
        self.syncs += 1;
        Ok(self.fail_sync != Some(self.syncs))
    }

    fn add(&mut self, content: Content) -> usize {
        self.files.push(content);
        self.files.len() - 1
    }

    fn used(&self) -> u64 {
        self.names.files().map(|(_, id)| self.files[id].taken).sum()
    }

    /// Up to where a file may grow that wants to reach `end`.
    fn grant(&self, id: usize, end: u64) -> u64 {
        let taken = self.files[id].taken;
        let Some(room) = self.room else { return end };
        let more = room.saturating_sub(self.used());
        end.min(taken + more).max(taken.min(end))
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, folder: &str) -> io::Result<()> {
        self.world().whole(|world| {
            world.names.make_folder(folder);
            Ok(())
        })
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut id = None;
        self.world().want(Errno::MFILE)?;
        self.world().whole(|world| {
            world.names.check_folder(name)?;
            id = match world.names.file(name) {
                Some(there) => {
                    world.files[there].change(Change::Len(0));
                    Some(there)
                }
                None if world.room.is_some_and(|room| room <= world.used()) => return Err(no_room()),
                None => {
                    let new = world.add(Content::default());
                    world.names.set(name, new);
                    Some(new)
                }
            };
            Ok(())
        })?;
        self.file(name, id.ok_or_else(off)?)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let id = {
            let mut world = self.world();
            if world.off {
                return Err(off());
            }
            world.want(Errno::NFILE)?;
            world.names.file(name).ok_or_else(|| not_found(name))?
        };
        self.file(name, id)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut world = self.world();
        if world.off {
            return Err(off());
        }
        world.want(Errno::MFILE)?;
        let mut names = world.names.list(folder)?;
        world.rng.shuffle(&mut names);
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.world().whole(|world| world.names.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.world().whole(|world| world.names.remove(name))
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut world = self.world();
        world.want(Errno::MFILE)?;
        match world.sync()? {
            true => world.names.sync(folder),
            false => Err(io::Error::other("the sync of a folder has failed")),
        }
    }

    fn in_place(&self) -> io::Result<()> {
        let world = self.world();
        ["log", "snap"].into_iter().try_for_each(|folder| {
            let list = world.names.list(folder);
            list.map(drop)
        })
    }
}

impl SimDisk {
    #[expect(clippy::unnecessary_wraps, reason = "what the trait's methods return")]
    fn file(&self, name: &str, id: usize) -> io::Result<Arc<dyn DiskFile>> {
        let (disk, name) = (self.clone(), name.to_owned());
        Ok(Arc::new(SimFile { disk, name, id }))
    }
}

struct SimFile {
    disk: SimDisk,
    /// That it was made or opened under.
    name: String,
    id: usize,
}

impl SimFile {
    fn live(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.disk.world();
        match world.off {
            true => Err(off()),
            false => Ok(world),
        }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.files[self.id].live.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let world = self.live()?;
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = world.files[self.id].live.get(from..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let short = world.want(Errno::NOMEM).err();
        let fate = world.operate()?;
        let granted = world.grant(self.id, at + bytes.len() as u64).saturating_sub(at);
        let mut granted = usize::try_from(granted).unwrap().min(bytes.len());
        if short.is_some() {
            granted = world.rng.usize(..=granted).min(bytes.len().saturating_sub(1));
        }
        let written = match fate {
            Fate::Done => granted,
            Fate::Last => world.rng.usize(..=granted),
        };
        if written > 0 {
            let bytes = bytes[..written].to_vec();
            world.old.push_back(bytes.clone());
            if world.old.len() > REMEMBERED {
                world.old.pop_front();
            }
            world.files[self.id].change(Change::Write { at, bytes });
        }
        match fate {
            Fate::Last => Err(off()),
            Fate::Done if short.is_some() => short.map_or(Ok(()), Err),
            Fate::Done if written < bytes.len() => Err(no_room()),
            Fate::Done => Ok(()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.world().whole(|world| {
            world.files[self.id].change(Change::Len(len));
            Ok(())
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.world().whole(|world| {
            if world.grant(self.id, len) < len {
                return Err(no_room());
            }
            let file = &mut world.files[self.id];
            file.taken = file.taken.max(len);
            if (file.live.len() as u64) < len {
                file.change(Change::Len(len));
            }
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = self.disk.world();
        let world = &mut *guard;
        if world.sync()? {
            world.files[self.id].sync();
            return Ok(());
        }
        let old: Vec<_> = world.old.iter().cloned().collect();
        world.files[self.id].fail_to_sync(&mut world.rng, &old);
        Err(io::Error::other("the sync of a file has failed"))
    }

    fn in_place(&self) -> io::Result<()> {
        let world = self.disk.world();
        match world.off || world.names.file(&self.name) == Some(self.id) {
            true => Ok(()), // A machine that is off says so elsewhere.
            false => Err(not_found(&self.name)),
        }
    }
}
