//! What is gone of each topic: up to where, and whether that is news to a reader.
//!
//! A floor stands for each topic by itself. The highest of all would not do: a purge of one topic may take what a reader
//! has not read, below the floor of another topic that it has been told of long ago.

use smallvec::SmallVec;

use crate::Seq;

/// The floors of a set of topics, in its order: the last event that is gone of each. None yet is 0 for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Floors(SmallVec<[Seq; 1]>);

impl Floors {
    /// The highest: a cursor at or after it has missed nothing.
    #[must_use]
    pub fn highest(&self) -> Seq {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// Whether something is gone after the cursor that was not gone yet when `known` was.
    pub fn are_news(&self, cursor: Seq, known: &Self) -> bool {
        let known = known.0.iter().copied().chain(std::iter::repeat(Seq::ZERO));
        self.0
            .iter()
            .zip(known)
            .any(|(floor, known)| *floor > cursor.max(known))
    }

    /// As they were for who looked at this moment: what has gone since is not known yet.
    pub fn at_most(mut self, watermark: Seq) -> Self {
        self.0
            .iter_mut()
            .for_each(|floor| *floor = (*floor).min(watermark));
        self
    }
}

impl FromIterator<Seq> for Floors {
    fn from_iter<I: IntoIterator<Item = Seq>>(floors: I) -> Self {
        Self(floors.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors<const N: usize>(of: [u64; N]) -> Floors {
        of.into_iter().map(Seq).collect()
    }

    #[test]
    fn a_floor_below_a_known_one_of_another_topic_is_news() {
        let known = floors([400, 10]);
        assert!(!known.are_news(Seq(300), &known));
        assert!(floors([400, 395]).are_news(Seq(386), &known));
        assert!(!floors([400, 395]).are_news(Seq(395), &known), "has been read");
        assert!(floors([5]).are_news(Seq(4), &Floors::default()));
        assert_eq!(floors([400, 10]).at_most(Seq(9)), floors([9, 9]));
        assert_eq!(
            (known.highest(), Floors::default().highest()),
            (Seq(400), Seq::ZERO)
        );
    }
}
