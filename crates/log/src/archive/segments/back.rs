//! Going back from the end: how many events there are, and where the last so many begin.
//!
//! A step looks at one segment. What it passes whole it counts by the index's lines; single postings are read only where the walk
//! ends within a segment, where a segment holds ends of streams, and where events stand in several topics.

use std::{borrow::Cow, collections::BinaryHeap, io, rc::Rc};

use parking_lot::RwLock;

use super::{
    damage::is_damage,
    format::{Damaged, RECORD_HEADER},
    index::{Line, Posting, Sealed},
    segment::{Body, SealedSegment},
    state::{State, View},
};
use crate::{Seq, Topic, TopicSet, archive::Back};

/// The most postings that a step passes one by one.
const STEP: usize = 16 << 10;

/// How many postings are read at once: where the walk may end with any of them, and where all count.
const CHUNK: u32 = 256;
const BULK: u32 = 4096;

/// See [`Reads::back`](crate::archive::Reads::back).
pub(crate) fn back(state: &RwLock<State>, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
    loop {
        let view = View::of(state, topics);
        // Most topics are quiet: the walk begins where the last of them has something.
        let kept = view.starts.iter().zip(&view.lasts);
        let last = kept.filter(|(start, last)| last > start).map(|(_, last)| *last);
        let through = through.min(last.max().unwrap_or_default());
        if view.starts.iter().all(|start| *start >= through) {
            return Ok(Back::default());
        }
        let (body, passed) = if through >= view.active.header.base {
            let state = state.read();
            if state.active.header != view.active.header {
                continue; // It has been sealed meanwhile.
            }
            let part = Part::of_active(&state, topics, &view, through)?;
            (&view.active, part.back(count)?)
        } else {
            let older = view
                .sealed
                .partition_point(|segment| segment.body.header.base <= through);
            let Some(segment) = view.sealed[..older].last() else {
                return Ok(Back::default());
            };
            let part = Part::of_sealed(segment, topics, &view, through);
            let passed = match part.and_then(|part| part.back(count)) {
                Err(error) if is_damage(&error) && segment.body.is_missing() => (0, None),
                passed => passed?,
            };
            (&segment.body, passed)
        };
        let (events, reached) = passed;
        let reached = reached.map_or(body.header.base, |reached| body.seq(reached));
        return Ok(Back {
            events,
            through: reached.before(),
        });
    }
}

/// The last event of a topic up to `through` that is kept.
pub(crate) fn last_event(state: &RwLock<State>, topic: &Topic, through: Seq) -> io::Result<Option<Seq>> {
    let place = state.read().topics.place(topic).unwrap_or_default();
    if place.event <= through {
        return Ok(Some(place.event).filter(|event| *event > place.cleared));
    }
    // There is one that is not visible yet.
    let (topics, mut through) = (TopicSet::from(topic.clone()), through);
    while through > Seq::ZERO {
        let back = back(state, &topics, through, 1)?;
        if back.events > 0 {
            return Ok(Some(back.through.next()));
        }
        through = back.through;
    }
    Ok(None)
}

/// What a segment has of the topics that are asked for, from where reading begins to where the walk is.
struct Part<'a> {
    body: &'a Body,
    runs: Vec<Run<'a>>,
    /// Whether an event may stand in several of them.
    is_shared: bool,
}

/// A topic's postings in `from..to`.
struct Run<'a> {
    source: Source<'a>,
    from: u32,
    to: u32,
    events: usize,
    /// The last of them that have been read, in order.
    ready: Vec<Posting>,
}

enum Source<'a> {
    Sealed(Rc<Sealed>, Line),
    Active(&'a [Posting]),
}

impl Source<'_> {
    fn read(&self, from: u32, to: u32) -> io::Result<Cow<'_, [Posting]>> {
        Ok(match self {
            Self::Sealed(index, line) => index.read_postings(line, from, to - from)?.into(),
            Self::Active(all) => all.get(from as usize..to as usize).unwrap_or_default().into(),
        })
    }
}

impl<'a> Run<'a> {
    /// Of a topic that has `count` postings in all, `events` of them events.
    fn new(source: Source<'a>, (from, to): (u32, u32), (count, events): (u32, u32)) -> io::Result<Self> {
        let mut run = Self {
            source,
            from,
            to,
            events: events as usize,
            ready: Vec::new(),
        };
        if to.saturating_sub(from) < count {
            run.events = to.saturating_sub(from) as usize;
            if events < count {
                run.events = 0;
                let mut counted = 0;
                run.each(|posting| counted += usize::from(posting.is_event()))?;
                run.events = counted;
            }
        }
        Ok(run)
    }

    fn each(&self, mut each: impl FnMut(Posting)) -> io::Result<()> {
        for from in (self.from..self.to).step_by(BULK as usize) {
            let some = self.source.read(from, self.to.min(from + BULK))?;
            some.iter().for_each(|posting| each(*posting));
        }
        Ok(())
    }

    /// The last posting that has not been taken.
    fn pop(&mut self, ahead: u32) -> io::Result<Option<Posting>> {
        if self.ready.is_empty() && self.from < self.to {
            let from = self.from.max(self.to.saturating_sub(ahead));
            self.ready = self.source.read(from, self.to)?.into_owned();
            self.to = from;
        }
        Ok(self.ready.pop())
    }
}

impl<'a> Part<'a> {
    fn of_active(state: &'a State, topics: &TopicSet, view: &'a View, through: Seq) -> io::Result<Self> {
        let mut runs = Vec::new();
        for (topic, start) in topics.iter().zip(&view.starts) {
            let (postings, events) = (state.postings(topic, *start, through), state.index.events(topic));
            let all = state.index.postings(topic).len();
            let run = Run::new(
                Source::Active(postings),
                (0, len(postings.len())),
                (len(all), events),
            )?;
            runs.push(run);
        }
        Ok(Self {
            body: &view.active,
            runs,
            is_shared: state.index.is_shared(),
        })
    }

    fn of_sealed(
        segment: &'a SealedSegment,
        topics: &TopicSet,
        view: &View,
        through: Seq,
    ) -> io::Result<Self> {
        let (body, totals) = (&segment.body, segment.index.totals);
        let index = Rc::new(segment.index.for_one_read());
        let mut runs = Vec::new();
        for ((topic, start), last) in topics.iter().zip(&view.starts).zip(&view.lasts) {
            if *start >= totals.last || *last < body.header.base {
                continue;
            }
            let Some(line) = index.topic(topic)? else { continue };
            let from = match body.delta(*start) {
                Some(start) => index.rank(&line, start)?,
                None => 0,
            };
            let to = match body.delta(through) {
                Some(delta) if through < totals.last => index.rank(&line, delta)?,
                _ => line.count,
            };
            let source = Source::Sealed(Rc::clone(&index), line);
            runs.push(Run::new(source, (from, to), (line.count, line.events))?);
        }
        Ok(Self {
            body,
            is_shared: runs.len() > 1 && segment.index.is_shared()?,
            runs,
        })
    }

    /// Passes at most `count` events, and not many more postings than a step may: how many events, and the last posting that was
    /// passed, if the walk has stopped there.
    fn back(mut self, count: usize) -> io::Result<(usize, Option<Posting>)> {
        let most = self.runs.iter().map(|run| run.events).max().unwrap_or_default();
        if most < count {
            let all = match self.is_shared {
                true => self.distinct()?,
                false => self.runs.iter().map(|run| run.events).sum(),
            };
            if all < count {
                return Ok((all, None));
            }
        }
        let ahead = u32::try_from(count).map_or(CHUNK, |count| count.clamp(1, CHUNK));
        let mut heads = BinaryHeap::new();
        for (number, run) in self.runs.iter_mut().enumerate() {
            let head = run.pop(ahead)?;
            heads.extend(head.map(|head| Head(head, number)));
        }
        let (mut events, mut passed, mut last) = (0, 0, None::<Posting>);
        while let Some(Head(posting, number)) = heads.pop() {
            let next = self.runs[number].pop(ahead)?;
            heads.extend(next.map(|next| Head(next, number)));
            match last {
                Some(last) if last.delta() == posting.delta() => continue,
                Some(last) if last.delta() < posting.delta() => {
                    let why = Damaged("an index has a topic's records in another order");
                    return Err(self.body.damaged(0, why));
                }
                _ => last = Some(posting),
            }
            passed += 1;
            events += usize::from(posting.is_event());
            if events == count || passed == STEP {
                return Ok((events, last));
            }
        }
        Ok((events, None))
    }

    /// How many events there are, each once: a bit for each place where one can begin. A record takes more than its header.
    fn distinct(&self) -> io::Result<usize> {
        let place = |posting: Posting| posting.offset as usize / RECORD_HEADER;
        let mut seen = vec![0_u64; usize::try_from(self.body.len).unwrap_or(0) / RECORD_HEADER / 64 + 1];
        let (mut count, mut is_beyond) = (0, false);
        for run in &self.runs {
            run.each(|posting| match seen.get_mut(place(posting) / 64) {
                _ if !posting.is_event() => {}
                Some(bits) => {
                    let bit = 1 << (place(posting) % 64);
                    count += usize::from(*bits & bit == 0);
                    *bits |= bit;
                }
                None => is_beyond = true,
            })?;
        }
        match is_beyond {
            true => Err(self
                .body
                .damaged(0, Damaged("an index has a record beyond the end"))),
            false => Ok(count),
        }
    }
}

/// The last posting of a run, by its place.
struct Head(Posting, usize);

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.delta(), self.1).cmp(&(other.0.delta(), other.1))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

fn len(len: usize) -> u32 {
    super::index::len32(len)
}
