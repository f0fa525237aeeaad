//! Segments whose files are gone although nothing has let them go.
//!
//! - **With its index** a missing segment stays in the list, so that whoever reads over it is told of exactly what is lost, and
//!   retention lets it go in its turn. An index that retention has left behind is of no use: everything that it names is gone by the
//!   list of topics, which is written down before a file is removed. It is removed.
//! - **Without it** only the numbers tell: a segment begins right after the one in front of it, or after what the list of topics says
//!   was let go, unless its header says that records were taken out. Nobody knows then whose events are lost, so all topics count as having lost some.

use std::{io, sync::Arc};

use super::{
    damage::{Damage, is_damage},
    disk::Disk,
    format::{LogId, SegmentHeader},
    index::Sealed,
    segment::{Body, FOLDER, SealedSegment, index_name, numbered, segment_name},
    topics::Topics,
};
use crate::Seq;

/// Indexes without a segment, of which something is not gone, in order.
pub(crate) fn segments(
    disk: &dyn Disk,
    log: &LogId,
    bases: &[Seq],
    topics: Option<&Topics>,
) -> io::Result<Vec<SealedSegment>> {
    let mut missing = Vec::new();
    for base in numbered(disk, FOLDER, ".idx")? {
        if bases.binary_search(&base).is_ok() {
            continue;
        }
        match segment(disk, log, base, topics) {
            Ok(Some(segment)) => missing.push(segment),
            // It cannot be removed: that does no harm.
            Ok(None) => drop(disk.remove(&index_name(base))),
            Err(error) => return Err(error),
        }
    }
    Ok(missing)
}

/// The segment that an index without one belongs to. None if nothing tells that it should be there.
pub(crate) fn segment(
    disk: &dyn Disk,
    log: &LogId,
    base: Seq,
    topics: Option<&Topics>,
) -> io::Result<Option<SealedSegment>> {
    let file = disk.open(&index_name(base))?;
    let opened = Sealed::of_any_length(Arc::clone(&file), log, base).and_then(|index| {
        let mut left = topics.map_or(Ok(false), |topics| is_left(&index, base, topics))?;
        if left && let Ok(now) = Topics::load(disk, log) {
            // A server that runs may have let it go since.
            left = is_left(&index, base, &now)?;
        }
        Ok((index, left))
    });
    match opened {
        Ok((index, true)) => {
            let header = SegmentHeader::new(*log, base, false);
            let body = Body { header, file, len: 0 };
            Ok(Some(SealedSegment::new(body, index)))
        }
        Ok((_, false)) => Ok(None),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether something that it names is not gone.
fn is_left(index: &Sealed, base: Seq, topics: &Topics) -> io::Result<bool> {
    for line in index.topics() {
        let (topic, line) = line?;
        let start = topics.start(&topic);
        let gone = match start.0.checked_sub(base.0) {
            Some(delta) => index.rank(&line, u32::try_from(delta).unwrap_or(u32::MAX))?,
            None => 0,
        };
        if gone < line.count {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The numbers that are missing in front of a segment: from the first to the last.
pub(crate) fn between(before: Seq, header: &SegmentHeader) -> Option<(Seq, Seq)> {
    let first = before.next();
    (first < header.base && !header.has_holes).then(|| (first, header.base.before()))
}

/// Takes note of what is missing between segments, and in front of the first.
pub(crate) fn tell(
    sealed: &[Arc<SealedSegment>],
    active: &SegmentHeader,
    topics: &mut Topics,
    damage: &Damage,
) {
    let mut before = topics.let_go();
    let headers = sealed.iter().map(|segment| (&segment.body.header, Some(segment)));
    for (header, segment) in headers.chain([(active, None)]) {
        if let Some((first, last)) = before.and_then(|before| between(before, header)) {
            let what = format!(
                "in front of {} records are missing: there are no numbers {} to {}",
                segment_name(header.base),
                first.0,
                last.0
            );
            damage.note(header.base, &what);
            topics.miss(last);
        }
        let Some(segment) = segment else { break };
        if segment.body.is_missing() {
            damage.note(header.base, &format!("{} is missing", segment_name(header.base)));
        }
        before = Some(segment.index.totals.last);
    }
}
