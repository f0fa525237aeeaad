//! Where a reader starts, and what it is told of what is gone.

use std::{io, sync::Arc};

use tidewire_codec::EventId;
use tidewire_log::archive::{Reads, Scan, Walk};

use crate::{
    Encoding, Error, Floors, Gap, GapReason, Kept, ReaderName, Resume, Seq, Start, Subscribed, Subscription,
    TopicSet,
    hub::Inner,
    stats::Departure,
    tail::{Standing, Tail},
};

/// Where a reader starts.
pub(crate) struct Place {
    pub(crate) cursor: Seq,
    /// What is gone up to here is no news to the reader.
    pub(crate) known: Floors,
    pub(crate) resume: Resume,
}

impl Place {
    fn new(cursor: Seq, resume: Resume) -> Self {
        Self {
            cursor,
            known: Floors::default(),
            resume,
        }
    }

    fn what_is_left(scan: Scan) -> Self {
        Self {
            cursor: scan.goes_on_after(),
            known: scan.floors,
            resume: Resume::Resumed,
        }
    }

    /// Whether the reader comes with a cursor that means nothing here, as far as is known.
    fn is_of_an_unknown_cursor(&self) -> bool {
        matches!(&self.resume, Resume::Gap(gap) if matches!(gap.reason, GapReason::Unknown | GapReason::Reset))
    }
}

impl Inner {
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        topics: &TopicSet,
        start: &Start,
        encoding: Encoding,
        name: Option<ReaderName>,
    ) -> Result<Subscribed, Error> {
        if self.is_draining() {
            return Err(Error::Closed);
        }
        let (seat, standing) = Tail::register(&self.tail, (topics.clone(), encoding), &self.machine)?;
        let mut place = self.place(topics, start, standing).await?;
        // These answers cannot be taken back: what other nodes may have seen has to be visible first.
        if place.as_ref().is_none_or(Place::is_of_an_unknown_cursor) {
            self.barrier().await?;
            let now = self.tail.standing(&seat.channel);
            if now != standing {
                place = self.place(topics, start, now).await?;
            }
        }
        Ok(match place {
            Some(place) => Subscribed::Open(Subscription::new(Arc::clone(self), seat, place, name)),
            None => {
                self.counters.departed(Departure::Ended);
                Subscribed::Ended
            }
        })
    }

    /// `None`: all topics have ended, and the reader has everything.
    async fn place(
        &self,
        topics: &TopicSet,
        start: &Start,
        standing: Standing,
    ) -> Result<Option<Place>, Error> {
        let Standing { watermark, has_ended } = standing;
        let mut place = match start {
            Start::Live if !has_ended => return Ok(Some(Place::new(watermark, Resume::Live))),
            Start::Live => self.oldest(topics, "").await?,
            Start::Last(count) => {
                let walk = self.walk(topics, watermark, *count).await?;
                let oldest = self.oldest(topics, "").await?;
                match walk.left {
                    0 => Place {
                        cursor: walk.through,
                        resume: Resume::Resumed,
                        ..oldest
                    },
                    _ => oldest,
                }
            }
            Start::After(id) => self.resume(topics, id).await?,
        };
        if has_ended && !matches!(place.resume, Resume::Gap(_)) {
            let last = self.last_event(topics, watermark).await?;
            if last.is_none_or(|last| last <= place.cursor) {
                return Ok(None);
            }
        }
        place.known = place.known.at_most(watermark);
        Ok(Some(place))
    }

    pub(crate) async fn kept(&self, topics: &TopicSet) -> Result<Kept, Error> {
        let watermark = self.tail.watermark();
        let last = self.last_event(topics, watermark).await?;
        Ok(Kept {
            count: self.walk(topics, watermark, usize::MAX).await?.events,
            last: last.map(|seq| self.position(seq)),
        })
    }

    async fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        let topics = topics.clone();
        self.reads
            .read(move |store| store.last_event(&topics, through))
            .await
    }

    /// Goes back over so many events, and lets others have their turn between two steps.
    async fn walk(&self, topics: &TopicSet, through: Seq, count: usize) -> Result<Walk, Error> {
        let mut walk = Walk::new(through, count);
        while walk.goes_on() {
            let (topics, through, left) = (topics.clone(), walk.through, walk.left);
            let step = self.reads.read(move |store| store.back(&topics, through, left));
            walk.step(step.await?);
            tokio::task::yield_now().await;
            if self.is_draining() {
                return Err(Error::Closed);
            }
        }
        Ok(walk)
    }

    /// Reads the store as far as events are visible.
    pub(crate) async fn scan(&self, topics: &TopicSet, after: Seq, budget: usize) -> io::Result<Scan> {
        let (topics, tail) = (topics.clone(), Arc::clone(&self.tail));
        self.reads
            .read(move |store| scan_visible(store, &tail, &topics, after, budget))
            .await
    }

    /// All that is kept. What is damaged in front of it is told.
    async fn oldest(&self, topics: &TopicSet, requested: &str) -> io::Result<Place> {
        let scan = self.scan(topics, Seq::ZERO, 1).await?;
        let is_damaged = scan.is_damaged;
        let place = Place::what_is_left(scan);
        Ok(match is_damaged {
            true => self.gap(requested, GapReason::Damaged, place),
            false => place,
        })
    }

    fn gap(&self, requested: &str, reason: GapReason, place: Place) -> Place {
        Place {
            resume: Resume::Gap(Gap::new(requested, self.position(place.cursor), reason)),
            ..place
        }
    }

    async fn resume(&self, topics: &TopicSet, id: &str) -> io::Result<Place> {
        if id == Start::EARLIEST {
            return self.oldest(topics, id).await;
        }
        let gap = |reason, place| self.gap(id, reason, place);
        Ok(match self.find(topics, id).await? {
            Err(reason) => gap(reason, self.oldest(topics, id).await?),
            Ok(cursor) => {
                let scan = self.scan(topics, cursor, 1).await?;
                match scan.floors.highest() > cursor {
                    true => gap(GapReason::Expired, Place::what_is_left(scan)),
                    false if scan.is_damaged => gap(GapReason::Damaged, Place::what_is_left(scan)),
                    false => Place::new(cursor, Resume::Resumed),
                }
            }
        })
    }

    /// The cursor that a last event id stands for.
    async fn find(&self, topics: &TopicSet, id: &str) -> io::Result<Result<Seq, GapReason>> {
        if id.starts_with('~') {
            let placed = id.parse().map_err(|_| GapReason::Unknown);
            // No reader has a position beyond what is visible, except from another copy of the log.
            let place = |position| {
                self.epochs
                    .place(position, self.tail.watermark())
                    .ok_or(GapReason::Reset)
            };
            return Ok(placed.and_then(place));
        }
        let Ok(id) = EventId::new(id) else {
            return Ok(Err(GapReason::Unknown));
        };
        let topics = topics.clone();
        let found = self.reads.read(move |store| store.find(&topics, &id)).await?;
        Ok(found.ok_or(GapReason::Unknown))
    }
}

/// Reads the store as far as events are visible.
///
/// # Errors
/// Those of [`Reads::scan`].
pub(crate) fn scan_visible(
    store: &dyn Reads,
    tail: &Tail,
    topics: &TopicSet,
    after: Seq,
    budget: usize,
) -> io::Result<Scan> {
    loop {
        let watermark = tail.watermark();
        let scan = store.scan(topics, after, watermark, budget)?;
        // Only what is visible is let go. A floor beyond the watermark therefore means that the
        // watermark has moved meanwhile: look again, or the reader would be told of a gap too early.
        if scan.floors.highest() <= watermark {
            return Ok(scan);
        }
    }
}
