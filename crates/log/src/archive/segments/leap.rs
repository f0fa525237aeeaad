//! Leaps of the clock that the times of records tell of.
//!
//! A log that is closed within the hour in which a leap is not believed yet says so by itself: a record more than a day after the
//! one before it, and nothing since that is an hour later. So a restart does not make a wrong clock a right one.

use super::{segment::Body, state::State};
use crate::{
    Millis,
    timekeeper::{FAR, PATIENCE},
};

/// The time that was believed when the newest record was appended.
pub(crate) fn believed(state: &State) -> Millis {
    let newest = state.topics.time;
    let sealed = &state.sealed;
    let is_old = |last: Millis| last.saturating_add(PATIENCE) <= newest;
    let young = sealed.partition_point(|segment| is_old(segment.index.totals.last_time));
    let (old, young) = sealed.split_at(young);
    let mut trace = Trace {
        last: old.last().map(|segment| segment.index.totals.last_time),
        leap: None,
    };
    for segment in young {
        trace.follow(&segment.body, segment.index.totals.last_time);
    }
    if state.index.totals.records > 0 {
        trace.follow(&state.active, state.index.totals.last_time);
    }
    match trace.leap {
        Some((before, since)) if !is_old(since) => before + newest.saturating_sub(since),
        _ => newest,
    }
}

/// Times in order.
struct Trace {
    last: Option<Millis>,
    /// The last leap: from which time to which.
    leap: Option<(Millis, Millis)>,
}

impl Trace {
    fn note(&mut self, time: Millis) {
        if let Some(last) = self.last
            && time.saturating_sub(last) > FAR
        {
            self.leap = Some((last, time));
        }
        self.last = Some(time);
    }

    /// Goes through a segment, record by record only if there may be a leap within it.
    fn follow(&mut self, body: &Body, last: Millis) {
        let first = body.first_time();
        self.note(first);
        if last.saturating_sub(first) > FAR {
            // A segment that cannot be read to its end is another's matter.
            drop(body.walk(|record, _, _| self.note(record.time)));
        }
        self.note(last);
    }
}
