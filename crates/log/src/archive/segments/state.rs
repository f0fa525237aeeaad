//! What a log is made of while it is open: sealed segments, the one that is written, and what is known of topics.
//!
//! One writer changes it (append, trim, purge hold the writer's lock); readers take what they need under the state's lock, which is
//! never held while a disk is asked.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{
    damage::Damage,
    index::{Active, Posting},
    segment::{Body, SealedSegment},
    topics::Topics,
};
use crate::{
    Floors, Seq, Topic, TopicSet,
    archive::{ruled::Ruled, shares::Each},
};

pub(crate) struct State {
    /// In order. Readers take the list as it is; whoever changes it makes a new one.
    pub(crate) sealed: Arc<Vec<Arc<SealedSegment>>>,
    /// Its `len` is where the next batch goes.
    pub(crate) active: Body,
    pub(crate) index: Active,
    pub(crate) topics: Topics,
    pub(crate) ruled: Ruled,
    /// Of each namespace, the first number of the last sealed segment of which nothing is kept any more, nor of those before it.
    pub(crate) cut: Each<Seq>,
    pub(crate) damage: Arc<Damage>,
}

/// A log as a reader sees it.
pub(crate) struct View {
    pub(crate) sealed: Arc<Vec<Arc<SealedSegment>>>,
    pub(crate) active: Body,
    /// After which record reading of each topic begins.
    pub(crate) starts: Vec<Seq>,
    /// The last record of each topic.
    pub(crate) lasts: Vec<Seq>,
    pub(crate) damage: Arc<Damage>,
}

impl View {
    pub(crate) fn of<'a>(state: &RwLock<State>, topics: impl IntoIterator<Item = &'a Topic>) -> Self {
        let state = state.read();
        let places = topics.into_iter().map(|topic| {
            let last = state.topics.place(topic).map(|place| place.last);
            (state.topics.start(topic), last.unwrap_or_default())
        });
        let (starts, lasts) = places.unzip();
        Self {
            sealed: Arc::clone(&state.sealed),
            active: state.active.clone(),
            starts,
            lasts,
            damage: Arc::clone(&state.damage),
        }
    }

    /// The sealed segments that hold records after a number.
    pub(crate) fn sealed_after(&self, seq: Seq) -> impl Iterator<Item = &Arc<SealedSegment>> {
        let first = self
            .sealed
            .partition_point(|segment| segment.index.totals.last <= seq);
        self.sealed.iter().skip(first)
    }
}

impl State {
    pub(crate) fn floors(&self, topics: &TopicSet) -> Floors {
        self.topics.floors(topics)
    }

    /// The postings of a topic in the segment that is written, with numbers in `(after, through]`.
    pub(crate) fn postings(&self, topic: &Topic, after: Seq, through: Seq) -> &[Posting] {
        let postings = self.index.postings(topic);
        let until = |seq: Seq| match self.active.delta(seq) {
            Some(delta) => postings.partition_point(|posting| posting.delta() <= delta),
            None => 0,
        };
        let (from, to) = (until(after), until(through));
        postings.get(from..to).unwrap_or_default()
    }

    /// Where the log begins: everything in front of this number was let go, or is missing.
    pub(crate) fn first(&self) -> Seq {
        let sealed = self.sealed.first();
        sealed.map_or(self.active.header.base, |segment| segment.body.header.base)
    }

    /// The last record that was appended, whether it is still there or not.
    pub(crate) fn last(&self) -> Seq {
        self.topics.last
    }
}
