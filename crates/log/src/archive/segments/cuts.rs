//! What was let go of a segment since the list of topics was written down: `log/{base}.cut`, laid out as that list is, with the
//! topics of the segment only.
//!
//! It is written before anything is removed, and takes no longer however many topics are known. The next time that the list is
//! written down it has all of it, and the cuts go. Its last number says up to where the log's beginning had gone with the segment.

use std::io;

use super::{
    disk::Disk,
    format::LogId,
    index::Line,
    segment::{FOLDER, SealedSegment, numbered},
    topics::Topics,
    writer::Log,
};
use crate::{Seq, Topic};

const SUFFIX: &str = ".cut";

/// How many topics are looked at, or changed, while appending waits.
pub(crate) const CHUNK: usize = 512;

fn name(base: Seq) -> String {
    format!("{FOLDER}/{:020}{SUFFIX}", base.0)
}

/// The segments that have one.
pub(crate) fn all(disk: &dyn Disk) -> io::Result<Vec<Seq>> {
    numbered(disk, FOLDER, SUFFIX)
}

/// What they say.
pub(crate) fn load(disk: &dyn Disk, log: &LogId) -> io::Result<Vec<Topics>> {
    let load = |base| Topics::load_from(disk, &name(base), log);
    all(disk)?.into_iter().map(load).collect()
}

/// Removes those that the list of topics has. One that comes back after a crash says what is so.
pub(crate) fn remove(disk: &dyn Disk, bases: &[Seq]) -> io::Result<()> {
    bases.iter().try_for_each(|base| disk.remove(&name(*base)))
}

impl Log {
    /// Writes down what is gone of a segment, and that what it has of some topics is going, and everything in front of `first`.
    pub(crate) fn save_cut(
        &self,
        segment: &SealedSegment,
        lines: &[(Topic, Line)],
        goes: impl Fn(&Topic) -> bool,
        first: Seq,
    ) -> io::Result<()> {
        let name = name(segment.body.header.base);
        // The segment may have been written anew since: then what it has lost stands only here.
        let mut cut = match Topics::load_from(&*self.disk, &name, &self.id) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Topics::default(),
            loaded => loaded?,
        };
        cut.last = cut.last.max(first.before());
        for chunk in lines.chunks(CHUNK) {
            let state = self.state.read();
            for (topic, line) in chunk {
                let mut place = state.topics.place_of(topic);
                if goes(topic) {
                    place.let_go(floor_of(segment, line), segment.index.totals.last);
                }
                let before = cut.place_of(topic);
                place.let_go(before.floor, before.cleared);
                cut.learn(topic.clone(), place);
            }
        }
        // What is written down must not know of a purge that a crash may take.
        self.sync().map_err(io::Error::other)?;
        self.begin_list()?;
        cut.save_as(&*self.disk, &name, &self.id).map(drop)
    }

    /// Writes an empty list of topics if there is none: a log with cuts and without one has lost it.
    fn begin_list(&self) -> io::Result<()> {
        if self.writer.lock().listed > Seq::ZERO {
            return Ok(());
        }
        match self.disk.open(Topics::NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Topics::default()
                .save_as(&*self.disk, Topics::NAME, &self.id)
                .map(drop),
            opened => opened.map(drop),
        }
    }

    /// Lets go what a segment has of some topics, and everything in front of `first`: writes it down, and then lets no reader read
    /// it any more.
    pub(crate) fn cut_segment(
        &self,
        segment: &SealedSegment,
        goes: impl Fn(&Topic) -> bool,
        first: Seq,
    ) -> io::Result<()> {
        let mut lines = segment.index.topics().collect::<io::Result<Vec<_>>>()?;
        self.save_cut(segment, &lines, &goes, first)?;
        lines.retain(|(topic, _)| goes(topic));
        for chunk in lines.chunks(CHUNK) {
            let _writer = self.writer.lock();
            let counted = |(topic, line): &(Topic, Line)| self.counted(segment, topic, line);
            let counted = chunk.iter().map(counted).collect::<io::Result<Vec<_>>>()?;
            let mut state = self.state.write();
            for ((topic, line), part) in chunk.iter().zip(counted) {
                let floor = floor_of(segment, line);
                state.topics.raise(topic, floor, segment.index.totals.last);
                if let Some(part) = part {
                    state.ruled.take(topic, part);
                }
            }
        }
        self.state.write().topics.begins_with(first);
        Ok(())
    }
}

/// The last event that a segment has of a topic.
fn floor_of(segment: &SealedSegment, line: &Line) -> Seq {
    let event = line.last_event.map(u64::from);
    event.map_or(Seq::ZERO, |delta| Seq(segment.body.header.base.0 + delta))
}
