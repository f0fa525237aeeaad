//! `tidewire log export`: the whole log as lines of JSON.
//!
//! A file is whole or not there: it is written under another name, made safe, and renamed.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufWriter, IsTerminal as _, Write},
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use tidewire_hub::{Clock, archive::segments::inspect::ReadOnly};

use super::{
    about, about_io,
    args::Export,
    left_out,
    line::{BookLine, EndLine, FactLine, KeyLine, Line, LogLine, RecordLine, TopicLine},
    progress, salvage, show, words,
};
use crate::{
    cli::UsageError,
    cmd::{stderr, stdout, visible::visible_json},
};

/// Writes what the command line says.
pub(super) fn run(args: &Export) -> anyhow::Result<()> {
    let folder = args.folder.path();
    if args.file == Path::new("-") {
        let log = salvage(folder)?;
        let mut out = Lines::new(BufWriter::with_capacity(1 << 16, io::stdout().lock()));
        out.is_terminal = io::stdout().is_terminal();
        let ended = write(&log, folder, &mut out, stdout::failed)?;
        out.to.flush().map_err(stdout::failed)?;
        tell(ended, "standard output");
        return left_out(folder, &losses(&log));
    }
    if args.file.exists() && !args.force {
        return Err(UsageError("the file is there already: give another, or --force to replace it").into());
    }
    let log = salvage(folder)?;
    let (file, temporary) = create(&args.file)?;
    let written = write_file(&log, args, file, &temporary);
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    tell(written?, &args.file.display().to_string());
    left_out(folder, &losses(&log))
}

fn losses(log: &ReadOnly) -> Vec<String> {
    log.losses().iter().map(words).collect()
}

fn tell(ended: EndLine, place: &str) {
    stderr::say(format_args!(
        "{} record{}, {} topic{} and {} idempotency key{} written to {place}",
        show::count(ended.records),
        show::plural(ended.records),
        show::count(ended.topics),
        show::plural(ended.topics),
        show::count(ended.keys),
        show::plural(ended.keys)
    ));
}

/// The file that becomes `path`. Only its owner may read it: it holds everything.
fn create(path: &Path) -> anyhow::Result<(File, PathBuf)> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    let cannot = || format!("cannot write {}", temporary.display());
    let file = options.open(&temporary).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another export writes {}", temporary.display()),
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    file.set_len(0).with_context(cannot)?;
    Ok((file, temporary))
}

fn write_file(log: &ReadOnly, args: &Export, file: File, temporary: &Path) -> anyhow::Result<EndLine> {
    let path = &args.file;
    let cannot = |error: io::Error| anyhow!("cannot write {}: {error}", path.display());
    let mut out = Lines::new(BufWriter::with_capacity(1 << 16, file));
    let ended = write(log, args.folder.path(), &mut out, cannot)?;
    let file = out.to.into_inner().map_err(|error| cannot(error.into_error()))?;
    file.sync_all().map_err(cannot)?;
    if path.exists() && !args.force {
        bail!(
            "{} is there meanwhile: give another file, or --force to replace it",
            path.display()
        );
    }
    fs::rename(temporary, path).map_err(cannot)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(ended)
}

/// Writes all lines. `cannot` says what an error of writing is.
fn write<W: Write>(
    log: &ReadOnly,
    folder: &Path,
    out: &mut Lines<W>,
    cannot: impl Fn(io::Error) -> anyhow::Error,
) -> anyhow::Result<EndLine> {
    let known = log.memory().map_err(|error| about(folder, error))?;
    let head = log.head(&known);
    let now = show::time(Clock::system().now());
    out.write(&Line::Log(LogLine::new(&head, now))).map_err(&cannot)?;
    for topic in &known.topics {
        out.write(&Line::Topic(TopicLine::new(topic))).map_err(&cannot)?;
    }
    for key in &known.keys {
        out.write(&Line::Key(KeyLine::new(key))).map_err(&cannot)?;
    }
    for book in &known.books {
        out.write(&Line::Book(BookLine::new(book))).map_err(&cannot)?;
        for fact in FactLine::all(book) {
            out.write(&Line::Fact(fact)).map_err(&cannot)?;
        }
    }
    let bar = progress::bar("exporting", Some(log.bytes()));
    let mut records = 0;
    let mut written = Ok(());
    let read = log.records(&mut |record, bytes| {
        records += 1;
        bar.set_position(bytes);
        written = out.write(&Line::Record(RecordLine::new(&record)));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    bar.finish_and_clear();
    written.map_err(&cannot)?;
    read.map_err(|error| about_io(folder, error))?;
    let ended = EndLine {
        topics: known.topics.len() as u64,
        keys: known.keys.len() as u64,
        records,
        crc32c: out.crc,
    };
    out.write(&Line::End(ended)).map_err(&cannot)?;
    Ok(ended)
}

/// Lines with a running checksum.
struct Lines<W> {
    to: W,
    is_terminal: bool,
    crc: u32,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            is_terminal: false,
            crc: 0,
            line: Vec::new(),
        }
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.crc = crc32c::crc32c_append(self.crc, &self.line);
        match std::str::from_utf8(&self.line) {
            // The line means the same, so its checksum is that of the line as it is in a file.
            Ok(line) if self.is_terminal => self.to.write_all(visible_json(line).as_bytes()),
            _ => self.to.write_all(&self.line),
        }
    }
}
