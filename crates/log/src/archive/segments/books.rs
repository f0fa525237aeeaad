//! What is written down later, beside appending and never by the thread that appends: the indexes of sealed segments.
//!
//! An index that a crash has kept from being written is made anew from its segment when the log is opened. So that few are,
//! and that memory does not grow, appending waits when it is [`MOST_BEHIND`] segments ahead.

use std::{io, sync::Arc};

use super::{segment::SealedSegment, writer::Log};

/// So many segments may have an index that is in memory only.
const MOST_BEHIND: usize = 4;

impl Log {
    /// Writes down the indexes that are in memory only. One at a time; whoever calls it does not append.
    pub(crate) fn keep_books(&self) -> io::Result<()> {
        let sealed = Arc::clone(&self.state.read().sealed);
        for segment in sealed.iter().filter(|segment| segment.index.is_fresh()) {
            if let Some(saved) = self.save_index(segment)? {
                let _writer = self.writer.lock();
                self.take_place(segment, saved);
            }
        }
        Ok(())
    }

    /// The same, when nothing more will be appended. What cannot be written now is made anew when the log is opened.
    pub(crate) fn end_books(&self) {
        let _alone = self.rewriting.lock();
        if self.poisoned().is_none()
            && let Err(error) = self.keep_books()
        {
            tracing::warn!(%error, "the index of a segment cannot be written: the next start makes it anew");
        }
    }

    /// Waits for the indexes of segments that were sealed long ago. Whoever calls it is the only one that writes.
    pub(crate) fn catch_up(&self) -> io::Result<()> {
        let sealed = Arc::clone(&self.state.read().sealed);
        let fresh: Vec<_> = sealed.iter().filter(|segment| segment.index.is_fresh()).collect();
        let (late, _) = fresh.split_at((fresh.len() + 1).saturating_sub(MOST_BEHIND));
        for segment in late {
            if let Some(saved) = self.save_index(segment)? {
                self.take_place(segment, saved);
            }
        }
        Ok(())
    }

    /// The segment with its index as a file.
    fn save_index(&self, segment: &SealedSegment) -> io::Result<Option<SealedSegment>> {
        let SealedSegment { body, index, parts } = segment;
        let saved = index.save(&*self.disk, &self.id, body.header.base, body.len)?;
        Ok(saved.map(|index| SealedSegment {
            body: body.clone(),
            index,
            parts: parts.clone(),
        }))
    }

    /// Puts it in the place of the one without, unless that has gone meanwhile. Whoever calls it is the only one that writes.
    fn take_place(&self, segment: &Arc<SealedSegment>, saved: SealedSegment) {
        let mut state = self.state.write();
        let mut list = Vec::clone(&state.sealed);
        if let Some(place) = list.iter_mut().find(|one| Arc::ptr_eq(one, segment)) {
            *place = Arc::new(saved);
            state.sealed = Arc::new(list);
        }
    }
}
