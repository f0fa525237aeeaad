//! Publishes in a row: when one is refused, so are all behind it.
//!
//! Who has several publishes under way learns of a refusal only when those behind it are on their way, too.
//! In a row, what was accepted is always the first so many of them, and the rest can simply be sent again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::Error;

/// What publishes have in common that belong to one row. Clones are the same row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    broken: Arc<AtomicBool>,
}

impl Row {
    /// Applies a publish of this row, if it has one, unless one in front of it was refused. Only the committer
    /// comes here, which has them in order.
    pub(crate) fn apply<T>(row: Option<&Self>, apply: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let Some(Self { broken }) = row else {
            return apply();
        };
        if broken.load(Ordering::Relaxed) {
            return Err(Error::RowBroken);
        }
        let outcome = apply();
        broken.store(outcome.is_err(), Ordering::Relaxed);
        outcome
    }

    /// A publish of this row that had been applied was taken back.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_refusal_all_are_refused() {
        let row = Row::default();
        let apply = |outcome| Row::apply(Some(&row), || outcome);
        assert_eq!(apply(Ok(1)), Ok(1));
        assert_eq!(apply(Err(Error::Closed)), Err(Error::Closed));
        assert_eq!(apply(Ok(2)), Err(Error::RowBroken));
        assert_eq!(Row::apply(None, || Ok(3)), Ok(3));
        assert_eq!(
            Row::apply(Some(&Row::default()), || Ok(4)),
            Ok(4),
            "a row of its own"
        );
    }
}
