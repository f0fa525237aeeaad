//! Damaged places that have been met while a log is open: told to operators, once each, and counted.
//!
//! Reading goes on behind them. A place is forgotten when its segment goes, which would have taken its records anyway.
//! Bound: [`MOST`] places; more are passed over like these, and no longer counted.

use std::{
    collections::BTreeSet,
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use parking_lot::Mutex;

use crate::Seq;

const MOST: usize = 10_000;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Damage {
    places: Mutex<BTreeSet<(Seq, String)>>,
    /// An index is to be made anew.
    wish: AtomicBool,
}

impl Damage {
    /// Takes note of a place in the segment that begins with this number, or in its index.
    pub(crate) fn note(&self, base: Seq, what: &str) {
        let mut places = self.places.lock();
        if places.len() < MOST && places.insert((base, what.to_owned())) {
            drop(places);
            tracing::error!(
                "the log is damaged: {what}; readers that come there are told (`damaged`) and go on behind it. \
                 `tidewire log verify --data DIR` tells all that is damaged, `tidewire log repair --data DIR --to NEW` makes a \
                 sound copy"
            );
        }
    }

    /// How many places are known.
    pub(crate) fn places(&self) -> usize {
        self.places.lock().len()
    }

    /// Asks for indexes to be made anew, if this is what an error is about.
    pub(crate) fn wish(&self, error: &io::Error) {
        self.wish.fetch_or(is_damage(error), Relaxed);
    }

    pub(crate) fn take_wish(&self) -> bool {
        self.wish.swap(false, Relaxed)
    }

    /// Those that are known, in words.
    pub(crate) fn list(&self) -> Vec<String> {
        self.places.lock().iter().map(|(_, what)| what.clone()).collect()
    }

    /// Whether a segment has one.
    pub(crate) fn is_in(&self, base: Seq) -> bool {
        let places = self.places.lock();
        let mut from = places.range((base, String::new())..);
        from.next().is_some_and(|(found, _)| *found == base)
    }

    /// The segment that begins with this number has gone.
    pub(crate) fn forget(&self, base: Seq) {
        self.places.lock().retain(|(found, _)| *found != base);
    }
}

/// Whether bytes are not what was written; any other error is one of reading, which may do the next time.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// Whether a later release wrote what was read.
pub(crate) fn is_newer(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_once_and_as_long_as_its_segment_is_there() {
        let damage = Damage::default();
        for (base, what) in [(1, "a"), (1, "b"), (1, "a"), (7, "c")] {
            damage.note(Seq(base), what);
        }
        assert_eq!(damage.places(), 3);
        assert!(damage.is_in(Seq(1)) && damage.is_in(Seq(7)) && !damage.is_in(Seq(3)));
        damage.forget(Seq(1));
        assert_eq!((damage.places(), damage.is_in(Seq(1))), (1, false));
    }
}
