//! `tidewire log import`: a log made of the lines of an export.
//!
//! It is made beside its place, under a name that ends with `.importing`, and moved there when it is whole and safe.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use tidewire_hub::archive::segments::{
    RealDisk,
    inspect::{self, ImportError},
};

use super::{
    CannotLook, args,
    line::{EndLine, Line},
    progress, show,
};
use crate::cmd::stderr;

/// A record has at most 80 MiB, and a byte of it at most six characters.
const MAX_LINE: u64 = 512 << 20;

/// What a log's folder may hold: what else stands in one that is called so is not ours to remove.
const OURS: [&str; 5] = ["LOCK", "log", "snap", "topics", "meta"];

/// Makes the log.
pub(super) fn run(args: &args::Import) -> anyhow::Result<()> {
    let folder = args.folder.path();
    let beside = beside(folder)?;
    is_free(folder)?;
    let (input, len): (Box<dyn BufRead>, _) = match args.file == Path::new("-") {
        true => (Box::new(io::stdin().lock()), None),
        false => {
            let file = File::open(&args.file);
            let file =
                file.map_err(|error| CannotLook(format!("cannot read {}: {error}", args.file.display())))?;
            let len = file.metadata().ok().map(|metadata| metadata.len());
            (Box::new(BufReader::with_capacity(1 << 16, file)), len)
        }
    };
    let disk = RealDisk::open(&beside)?;
    clear(&beside)?;
    let made = read(input, len, disk).and_then(|made| {
        place(&beside, folder)?;
        Ok(made)
    });
    if made.is_err() {
        drop(fs::remove_dir_all(&beside));
    }
    let ended = made?;
    stderr::say(format_args!(
        "{} record{}, {} topic{} and {} idempotency key{} are in {}; the next start begins a new epoch after them",
        show::count(ended.records),
        show::plural(ended.records),
        show::count(ended.topics),
        show::plural(ended.topics),
        show::count(ended.keys),
        show::plural(ended.keys),
        folder.display()
    ));
    Ok(())
}

/// Where it is made.
pub(super) fn beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let name = folder.file_name().map(OsString::from);
    let mut name = name.ok_or_else(|| CannotLook(format!("{} is no folder's name", folder.display())))?;
    name.push(".importing");
    Ok(folder.with_file_name(name))
}

/// The log gets a folder of its own.
pub(super) fn is_free(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    let above = std::path::absolute(folder)
        .ok()
        .and_then(|folder| folder.parent().map(Path::to_owned));
    let above = above
        .and_then(|above| fs::canonicalize(above).ok())
        .unwrap_or_default();
    let mut around = above.ancestors();
    if let Some(log) = around.find(|above| above.join("meta").is_file() && above.join("log").is_dir()) {
        let log = log.display();
        return Err(CannotLook(format!(
            "{shown} is inside the log {log}: give a folder elsewhere"
        ))
        .into());
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CannotLook(format!("cannot read {shown}: {error}")).into()),
    };
    if entries.count() == 0 {
        return Ok(());
    }
    let what = match folder.join("meta").exists() {
        true => "has a log already",
        false => "is not empty",
    };
    Err(CannotLook(format!("{shown} {what}: give a new folder")).into())
}

/// Removes what an import that was broken off has left.
pub(super) fn clear(beside: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(beside)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours = OURS.contains(&&*name) || name.ends_with(".tmp");
        ensure!(
            is_ours,
            "{} holds {name:?}, which is none of ours: move it away",
            beside.display()
        );
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if name != "LOCK" => fs::remove_file(entry.path())?,
            false => {}
        }
    }
    Ok(())
}

/// Moves it to its place.
pub(super) fn place(beside: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::rename(beside, folder).with_context(|| {
        format!(
            "cannot move the log to {} (is it the root of a file system, such as a volume? then name a folder in it)",
            folder.display()
        )
    })?;
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Reads all lines into a log on this disk.
fn read(input: Box<dyn BufRead>, len: Option<u64>, disk: RealDisk) -> anyhow::Result<EndLine> {
    let bar = progress::bar("importing", len);
    let mut lines = Lines {
        input,
        line: Vec::new(),
        number: 0,
        crc: 0,
    };
    let read = read_lines(&mut lines, Arc::new(disk), |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    read.with_context(|| format!("line {}", lines.number))
}

fn read_lines(lines: &mut Lines, disk: Arc<RealDisk>, progress: impl Fn(u64)) -> anyhow::Result<EndLine> {
    ensure!(lines.next()?, "there is none: nothing to import");
    let Line::Log(head) = lines.parse()? else {
        bail!("an export begins with a line of the kind `log`, which says what it is");
    };
    let mut import = inspect::Import::begin(disk, head.read().map_err(anyhow::Error::msg)?)?;
    let mut count = EndLine {
        topics: 0,
        keys: 0,
        records: 0,
        crc32c: 0,
    };
    loop {
        progress(lines.line.len() as u64);
        count.crc32c = lines.crc;
        ensure!(
            lines.next()?,
            "the file ends here, without a line of the kind `end`: it was cut off"
        );
        let text = anyhow::Error::msg::<String>;
        let taken: Result<(), ImportError> = match lines.parse()? {
            Line::Topic(topic) => {
                count.topics += 1;
                import.topic(topic.read().map_err(text)?)
            }
            Line::Key(key) => {
                count.keys += 1;
                import.key(key.read().map_err(text)?)
            }
            Line::Book(book) => import.book(book.read().map_err(text)?),
            Line::Fact(fact) => {
                let (door, seq, time, data) = fact.read().map_err(text)?;
                import.fact(door, seq, time, data.into())
            }
            Line::Record(record) => {
                count.records += 1;
                import.record(record.read().map_err(text)?)
            }
            Line::End(end) => {
                check(end, count)?;
                break;
            }
            Line::Log(_) => bail!("a second line of the kind `log`: two exports cannot be joined"),
        };
        taken?;
    }
    ensure!(!lines.next()?, "there is more behind the line of the kind `end`");
    lines.number -= 1;
    import.finish()?;
    Ok(count)
}

fn check(end: EndLine, count: EndLine) -> anyhow::Result<()> {
    let counts = |line: EndLine| (line.topics, line.keys, line.records);
    ensure!(
        counts(end) == counts(count),
        "it says {} topics, {} keys and {} records, but {}, {} and {} came before it: lines are missing or too many",
        end.topics,
        end.keys,
        end.records,
        count.topics,
        count.keys,
        count.records
    );
    ensure!(
        end.crc32c == count.crc32c,
        "the lines before it are not what was exported: their checksum is {}, not {}",
        count.crc32c,
        end.crc32c
    );
    Ok(())
}

/// The lines of the input.
struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    /// Of the line that was read last; the first is 1.
    number: u64,
    /// Of all lines up to it.
    crc: u32,
}

impl Lines {
    /// Reads the next line; false at the end.
    fn next(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        self.number += 1;
        let mut bounded = (&mut self.input).take(MAX_LINE + 1);
        bounded
            .read_until(b'\n', &mut self.line)
            .context("cannot read it")?;
        ensure!(
            self.line.len() as u64 <= MAX_LINE,
            "it has more than {MAX_LINE} bytes"
        );
        self.crc = crc32c::crc32c_append(self.crc, &self.line);
        Ok(!self.line.is_empty())
    }

    fn parse(&self) -> anyhow::Result<Line<'_>> {
        serde_json::from_slice(&self.line).map_err(|error| {
            let text = error.to_string();
            // It was given one line, and calls it the first.
            let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
            anyhow!(
                "it is no line of an export: {what} (at character {})",
                error.column()
            )
        })
    }
}
