//! A file as it grows, line by line.
//!
//! - **Rotated** (another file has taken the name): the old one is read to its end, then comes
//!   `event: rotated`, then the new one from its beginning.
//! - **Cut** (shorter than what was read of it): `event: rotated`, and from its beginning. A file that was
//!   cut and has grown beyond that place since cannot be told from one that only grew.
//! - **Resumed** with an id of another file, or beyond the file's end: the same.
//! - A line without an end is sent when it has got one; one longer than [`MAX_LINE`] comes in pieces.

use std::{fs::Metadata, io, io::SeekFrom, mem, path::PathBuf, time::Duration};

use tidewire::{Event, EventId, EventName};
use tokio::{
    fs::{self, File},
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, BufReader},
    time::sleep,
};

const MAX_LINE: usize = 64 << 10;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A place in a file.
pub(crate) struct Follow {
    path: PathBuf,
    file: BufReader<File>,
    /// Which file it is, whatever its name.
    number: u64,
    /// Where the next line begins.
    at: u64,
    /// What there is of the next line.
    line: Vec<u8>,
    /// Nothing more is to come than what this file still has.
    is_over: bool,
    says_rotated: bool,
}

impl Follow {
    /// Goes on where an id says, else begins with the `last` lines.
    pub(crate) async fn start(path: PathBuf, id: Option<&str>, last: usize) -> io::Result<Self> {
        let mut follow = Self::open(path).await?;
        let file = follow.file.get_mut();
        let len = file.metadata().await?.len();
        match id.map(place) {
            None => follow.at = last_lines(file, len, last).await?,
            Some(Some((number, at))) if number == follow.number && at <= len => follow.at = at,
            Some(_) => follow.says_rotated = true,
        }
        follow.file.seek(SeekFrom::Start(follow.at)).await?;
        Ok(follow)
    }

    async fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path).await?;
        Ok(Self {
            path,
            number: number(&file.metadata().await?),
            file: BufReader::new(file),
            at: 0,
            line: Vec::new(),
            is_over: false,
            says_rotated: false,
        })
    }

    /// The next line, as soon as it is whole.
    pub(crate) async fn next(&mut self) -> io::Result<Event> {
        loop {
            if mem::take(&mut self.says_rotated) {
                return Ok(Event::new("").with_name(EventName::from_static("rotated")));
            }
            let room = (MAX_LINE - self.line.len()) as u64;
            let mut line = (&mut self.file).take(room);
            let len = line.read_until(b'\n', &mut self.line).await?;
            let is_whole = self.line.ends_with(b"\n") || self.line.len() == MAX_LINE;
            if is_whole || (self.is_over && !self.line.is_empty()) {
                return self.take_line();
            }
            match (len, self.is_over) {
                (0, true) => {
                    *self = Self::open(self.path.clone()).await?;
                    self.says_rotated = true;
                }
                (0, false) => self.look().await?,
                _ => {} // The line may have come in two writes.
            }
        }
    }

    fn take_line(&mut self) -> io::Result<Event> {
        let line = mem::take(&mut self.line);
        self.at += line.len() as u64;
        let id = EventId::new(format!("{}-{}", self.number, self.at)).map_err(io::Error::other)?;
        let text = String::from_utf8_lossy(&line);
        Ok(Event::new(text.trim_end_matches(['\r', '\n'])).with_id(id))
    }

    /// Waits, or finds that the file has been rotated or cut.
    async fn look(&mut self) -> io::Result<()> {
        let len = self.file.get_ref().metadata().await?.len();
        let is_cut = len < self.at + self.line.len() as u64;
        // While files are exchanged, there may be none of this name.
        let now = fs::metadata(&self.path).await;
        self.is_over = is_cut || now.is_ok_and(|now| number(&now) != self.number);
        if !self.is_over {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// The file and the offset of an id.
fn place(id: &str) -> Option<(u64, u64)> {
    let (number, at) = id.split_once('-')?;
    Some((number.parse().ok()?, at.parse().ok()?))
}

/// Where the last so many lines of a file begin.
async fn last_lines(file: &mut File, len: u64, count: usize) -> io::Result<u64> {
    let (mut at, mut block, mut seen) = (len, [0; 8 << 10], 0);
    while at > 0 {
        let size = block.len().min(usize::try_from(at).unwrap_or(usize::MAX));
        at -= size as u64;
        file.seek(SeekFrom::Start(at)).await?;
        file.read_exact(&mut block[..size]).await?;
        for end in (0..size).rev().filter(|&index| block[index] == b'\n') {
            if seen == count {
                return Ok(at + end as u64 + 1);
            }
            seen += 1;
        }
    }
    Ok(0)
}

#[cfg(unix)]
fn number(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

/// Elsewhere only the name tells files apart, so that a rotation shows as a cut.
#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}
