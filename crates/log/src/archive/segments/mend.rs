//! Indexes that turn out to be damaged while a log is open: made anew from their segments, whose records say all that they do.
//!
//! Who has met one tries again afterwards. Only where records are damaged too is it unknown whose they were: then events of any topic
//! may be missing up to there.

use std::{collections::BTreeSet, io, sync::Arc};

use super::{
    damage::is_damage,
    good::{self, Until},
    index::{Active, Sealed},
    paged::temporary,
    segment::{FOLDER, SealedSegment, index_name},
    writer::Log,
};

impl Log {
    /// Reads, and once more when the index that was in the way has been made anew.
    pub(crate) fn mending<T>(&self, read: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match read() {
            Err(error) if is_damage(&error) => {
                self.mend()?;
                read()
            }
            read => read,
        }
    }

    /// Makes anew what was met by those who hold the writer's lock.
    pub(crate) fn mend_if_asked(&self) {
        let is_asked = self.state.read().damage.take_wish();
        if is_asked && let Err(error) = self.mend() {
            tracing::warn!(%error, "cannot make a damaged index anew: trying again");
        }
    }

    /// Makes all indexes anew that cannot be read.
    pub(crate) fn mend(&self) -> io::Result<()> {
        let _alone = self.rewriting.lock();
        let sealed = Arc::clone(&self.state.read().sealed);
        for segment in sealed.iter() {
            match segment.index.check() {
                Ok(()) => {}
                Err(error) if is_damage(&error) => {
                    tracing::warn!(%error, "an index is damaged: it is made anew");
                    self.mend_one(segment)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn mend_one(&self, segment: &Arc<SealedSegment>) -> io::Result<()> {
        let (body, totals) = (&segment.body, segment.index.totals);
        let base = body.header.base;
        let mut index = Active::default();
        let lost = match body.is_missing() {
            true => Vec::new(),
            false => good::records(
                body,
                &BTreeSet::new(),
                Until::Sealed {
                    next: totals.last.next(),
                    last: Some(totals.last),
                },
                |record, at, len| {
                    let at = u32::try_from(at).map_err(io::Error::other)?;
                    index.add(record, base, at, len);
                    Ok(())
                },
            )?,
        };
        // It is known how far the segment goes, whatever is lost at its end.
        (index.totals.last, index.totals.last_time) = (totals.last, totals.last_time);
        let name = index_name(base);
        index.prepare(&*self.disk, &temporary(&name), &self.id, base, body.len)?;
        let _writer = self.writer.lock();
        let mut list = Vec::clone(&self.state.read().sealed);
        let Some(place) = list.iter_mut().find(|one| Arc::ptr_eq(one, segment)) else {
            return self.disk.remove(&temporary(&name));
        };
        self.disk.rename(&temporary(&name), &name)?;
        self.disk.sync_dir(FOLDER)?;
        let index = Sealed::open(self.disk.open(&name)?, &self.id, base, body.len)?;
        *place = Arc::new(SealedSegment::new(body.clone(), index));
        let mut state = self.state.write();
        state.sealed = Arc::new(list);
        if body.is_missing() {
            state.topics.miss(totals.last);
        }
        for lost in lost {
            let last = lost.before.map_or(totals.last, crate::Seq::before);
            state.topics.miss(last);
            state
                .damage
                .note(base, &body.damaged(lost.at, lost.why).to_string());
        }
        Ok(())
    }
}
