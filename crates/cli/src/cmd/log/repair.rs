//! `tidewire log repair`: a sound copy of a log that is damaged.
//!
//! It is made as an import is: beside its place, and moved there when it is whole and safe. The log itself is only read.

use std::{fs, ops::ControlFlow, path::Path, sync::Arc};

use tidewire_hub::archive::segments::{
    RealDisk,
    inspect::{Import, ImportError, ReadOnly},
};

use super::{
    about, about_io, args,
    import::{beside, clear, is_free, place},
    progress, salvage, show, words,
};
use crate::cmd::stderr;

/// Makes the copy.
pub(super) fn run(args: &args::Repair) -> anyhow::Result<()> {
    let (folder, to) = (args.folder.path(), &*args.to);
    let beside = beside(to)?;
    is_free(to)?;
    let log = salvage(folder)?;
    let disk = RealDisk::open(&beside)?;
    clear(&beside)?;
    let made = copy(&log, folder, disk).and_then(|made| {
        place(&beside, to)?;
        Ok(made)
    });
    if made.is_err() {
        drop(fs::remove_dir_all(&beside));
    }
    let records = made?;
    for loss in log.losses() {
        stderr::say(format_args!("lost: {}", words(loss)));
    }
    if log.losses().is_empty() {
        stderr::say(format_args!("nothing is lost"));
    }
    stderr::say(format_args!(
        "{} record{} are in {}. Start the server on it: --data {}",
        show::count(records),
        show::plural(records),
        to.display(),
        to.display()
    ));
    Ok(())
}

fn copy(log: &ReadOnly, folder: &Path, disk: RealDisk) -> anyhow::Result<u64> {
    let known = log.memory().map_err(|error| about(folder, error))?;
    let mut import = Import::begin(Arc::new(disk), log.head(&known))?;
    known
        .topics
        .into_iter()
        .try_for_each(|topic| import.topic(topic))?;
    known.keys.into_iter().try_for_each(|key| import.key(key))?;
    known.books.into_iter().try_for_each(|book| import.book(book))?;
    let bar = progress::bar("copying", Some(log.bytes()));
    let (mut records, mut taken) = (0, Ok::<(), ImportError>(()));
    let read = log.records(&mut |record, bytes| {
        records += 1;
        bar.set_position(bytes);
        taken = import.record(record);
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    bar.finish_and_clear();
    taken?;
    read.map_err(|error| about_io(folder, error))?;
    import.finish()?;
    Ok(records)
}
