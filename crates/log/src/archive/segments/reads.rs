//! Reading: in order from a cursor on, and by a publisher's id.
//!
//! A reader goes through segments one by one and asks each for its topics' postings; a topic among thousands costs a few pages of
//! the index, not a scan. Records are read where the postings say.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    ops::{ControlFlow, Range},
    sync::Arc,
};

use parking_lot::RwLock;
use tidewire_codec::EventId;

use super::{
    damage::{Damage, is_damage},
    format::Damaged,
    index::{Line, Posting, Sealed, len32, partition},
    segment::{Body, SealedSegment},
    state::{State, View},
};
use crate::{Record, Seq, Topic, TopicSet, archive::Scan};

/// How many postings are taken at once.
const CHUNK: u32 = 256;

/// In how many indexes a topic is looked up before a scan says how far it is; one of many topics has them for all together.
const LOOKS: usize = 4096;

/// See [`Reads::scan`](crate::archive::Reads::scan).
pub(crate) fn scan(
    state: &RwLock<State>,
    topics: &TopicSet,
    after: Seq,
    through: Seq,
    budget: usize,
) -> io::Result<Scan> {
    let mut taken = Taken {
        records: Vec::new(),
        cost: 0,
        budget,
        is_damaged: false,
    };
    let (mut from, mut looks) = (after, 0);
    loop {
        let view = View::of(state, topics);
        let first = view
            .sealed
            .partition_point(|segment| segment.index.totals.last <= from);
        for segment in &view.sealed[first..] {
            if segment.body.header.base > through {
                break;
            }
            let has_some = |topic: usize| {
                view.starts[topic].max(from) < segment.index.totals.last
                    && view.lasts[topic] >= segment.body.header.base
            };
            let some = (0..topics.len()).filter(|topic| has_some(*topic)).count();
            looks += some;
            if looks > LOOKS && looks > some {
                return Ok(taken.scan(from, state, topics));
            }
            let flow = scan_sealed(segment, topics, &view, has_some, (from, through), &mut taken);
            if flow?.is_break() {
                return Ok(taken.stopped(state, topics, after));
            }
            from = from.max(segment.index.totals.last);
        }
        let (postings, has_more) = {
            let state = state.read();
            if state.active.header != view.active.header {
                continue; // It has been sealed meanwhile.
            }
            let postings = topics.iter().zip(&view.starts);
            let postings = postings.map(|(topic, start)| state.postings(topic, from.max(*start), through));
            first_of(postings, CHUNK as usize)
        };
        // What is in the index now may lie beyond where the file was when it was looked at.
        let mut body = view.active;
        body.len = u64::MAX;
        let flow = taken.read(&body, &postings, topics, &view.damage)?;
        if flow.is_break() {
            return Ok(taken.stopped(state, topics, after));
        }
        match postings.last() {
            Some(last) if has_more => from = body.seq(*last),
            _ => break,
        }
    }
    Ok(taken.scan(through.max(after), state, topics))
}

/// The first so many of sorted runs, each once, and whether there are more.
fn first_of<'a>(runs: impl Iterator<Item = &'a [Posting]>, count: usize) -> (Vec<Posting>, bool) {
    use itertools::Itertools as _;
    let runs = runs.map(|run| run.iter().copied());
    let mut all = runs.kmerge_by(|a, b| a.delta() < b.delta()).dedup();
    let first = all.by_ref().take(count).collect();
    (first, all.next().is_some())
}

/// What a reader has got so far.
struct Taken {
    records: Vec<Arc<Record>>,
    cost: usize,
    budget: usize,
    /// Something was passed over in front of the first record.
    is_damaged: bool,
}

impl Taken {
    /// Reads what the postings say. In front of a damaged record it stops, if it has got something, so that the next read begins
    /// there; otherwise it goes on behind it.
    fn read(
        &mut self,
        body: &Body,
        postings: &[Posting],
        topics: &TopicSet,
        damage: &Damage,
    ) -> io::Result<ControlFlow<()>> {
        if !self.has_room() && !postings.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        let mut left = postings;
        loop {
            let mut passed = 0;
            let read = body.read(left, Some(topics), |record| {
                passed += 1;
                self.cost += record.cost();
                self.records.push(Arc::new(record));
                self.has_room()
            });
            left = left.get(passed..).unwrap_or_default();
            match read {
                Ok(_) if left.is_empty() => return Ok(ControlFlow::Continue(())),
                Ok(_) => return Ok(ControlFlow::Break(())),
                Err(error) => {
                    if self.pass(damage, body.header.base, error)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    left = left.get(1..).unwrap_or_default();
                }
            }
        }
    }

    /// Something of a segment is damaged: breaks off where it is told only later.
    fn pass(&mut self, damage: &Damage, base: Seq, error: io::Error) -> io::Result<ControlFlow<()>> {
        if !is_damage(&error) {
            return Err(error);
        }
        if !self.records.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        damage.note(base, &error.to_string());
        self.is_damaged = true;
        Ok(ControlFlow::Continue(()))
    }

    fn has_room(&self) -> bool {
        self.cost < self.budget || self.records.is_empty()
    }

    fn stopped(self, state: &RwLock<State>, topics: &TopicSet, after: Seq) -> Scan {
        let through = self.records.last().map_or(after, |last| last.seq);
        self.scan(through, state, topics)
    }

    fn scan(self, through: Seq, state: &RwLock<State>, topics: &TopicSet) -> Scan {
        Scan {
            records: self.records,
            through,
            floors: state.read().floors(topics),
            is_damaged: self.is_damaged,
        }
    }
}

fn scan_sealed(
    segment: &SealedSegment,
    topics: &TopicSet,
    view: &View,
    has_some: impl Fn(usize) -> bool,
    (after, through): (Seq, Seq),
    taken: &mut Taken,
) -> io::Result<ControlFlow<()>> {
    let mut merge = Merge::new(segment, topics, has_some, |topic| after.max(view.starts[topic]))?;
    let last = segment.body.delta(through);
    loop {
        let mut postings = Vec::new();
        while postings.len() < CHUNK as usize
            && let Some(posting) = merge.next()?
            && last.is_some_and(|last| posting.delta() <= last)
        {
            postings.push(posting);
        }
        if postings.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        if taken
            .read(&segment.body, &postings, topics, &view.damage)?
            .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
}

/// The postings of several topics of a sealed segment in order, each once.
struct Merge<'a> {
    body: &'a Body,
    index: Sealed,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(u32, usize)>>,
    last: Option<u32>,
}

struct Run {
    line: Line,
    next: u32,
    ready: std::vec::IntoIter<Posting>,
    head: Option<Posting>,
}

impl<'a> Merge<'a> {
    fn new(
        segment: &'a SealedSegment,
        topics: &TopicSet,
        has_some: impl Fn(usize) -> bool,
        after: impl Fn(usize) -> Seq,
    ) -> io::Result<Self> {
        let mut merge = Self {
            body: &segment.body,
            index: segment.index.for_one_read(),
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            last: None,
        };
        for (number, topic) in topics.iter().enumerate().filter(|(number, _)| has_some(*number)) {
            let Some(line) = merge.index.topic(topic)? else {
                continue;
            };
            let next = match segment.body.delta(after(number)) {
                Some(delta) => merge.index.rank(&line, delta)?,
                None => 0,
            };
            merge.runs.push(Run {
                line,
                next,
                ready: Vec::new().into_iter(),
                head: None,
            });
            merge.advance(merge.runs.len() - 1)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, number: usize) -> io::Result<()> {
        let run = &mut self.runs[number];
        if run.ready.as_slice().is_empty() && run.next < run.line.count {
            let more = self.index.read_postings(&run.line, run.next, CHUNK)?;
            run.next += CHUNK.min(run.line.count - run.next);
            run.ready = more.into_iter();
        }
        run.head = run.ready.next();
        if let Some(head) = run.head {
            self.heads.push(Reverse((head.delta(), number)));
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Posting>> {
        while let Some(Reverse((delta, number))) = self.heads.pop() {
            let posting = self.runs[number].head;
            self.advance(number)?;
            if Some(delta) < self.last {
                let why = Damaged("an index has a topic's records in another order");
                return Err(self.body.damaged(0, why));
            }
            if self.last != Some(delta) {
                self.last = Some(delta);
                return Ok(posting);
            }
        }
        Ok(None)
    }
}

/// See [`Reads::find`](crate::archive::Reads::find).
pub(crate) fn find(state: &RwLock<State>, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
    loop {
        let view = View::of(state, topics);
        let known = || {
            let places = view.starts.iter().zip(&view.lasts);
            topics
                .iter()
                .zip(places)
                .filter(|(_, (start, last))| last > start)
        };
        for segment in view.sealed.iter() {
            let (body, index) = (&segment.body, segment.index.for_one_read());
            let mut found = None;
            for (topic, (start, last)) in known() {
                if *start >= index.totals.last || *last < body.header.base {
                    continue;
                }
                let places = index.ids(topic, id)?;
                match earliest(places, |number| index.place(number), body, (topic, id), *start) {
                    // It may be the earliest. A later one would stand for another place in the log.
                    Err(error) if is_damage(&error) => {
                        index.check()?;
                        view.damage.note(body.header.base, &error.to_string());
                        return Ok(None);
                    }
                    seq => found = [found, seq?].into_iter().flatten().min(),
                }
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        let mut body = view.active.clone();
        body.len = u64::MAX;
        let mut found = None;
        for (topic, (start, _)) in known() {
            let places = {
                let state = state.read();
                match state.active.header == body.header {
                    true => state.index.ids(topic, id),
                    false => break, // It has been sealed meanwhile.
                }
            };
            let place = |number: u32| Ok(places.get(number as usize).copied().unwrap_or_default());
            match earliest(0..len32(places.len()), place, &body, (topic, id), *start) {
                Err(error) if is_damage(&error) => {
                    view.damage.note(body.header.base, &error.to_string());
                    return Ok(None);
                }
                seq => found = [found, seq?].into_iter().flatten().min(),
            }
        }
        if state.read().active.header == body.header {
            return Ok(found);
        }
    }
}

/// The first event after `start` that really has the id in the topic, of those that may: they stand in order.
fn earliest(
    numbers: Range<u32>,
    place: impl Fn(u32) -> io::Result<u32>,
    body: &Body,
    (topic, id): (&Topic, &EventId),
    start: Seq,
) -> io::Result<Option<Seq>> {
    let known = TopicSet::from(topic.clone());
    let record = |number| body.record_at(place(number)?, Some(&known));
    let first = partition(numbers.start, numbers.end, |number| {
        Ok(record(number)?.seq <= start)
    })?;
    for number in first..numbers.end {
        let record = record(number)?;
        let given = record.event().and_then(|event| event.id.as_ref());
        if given == Some(id) && record.topics().contains(topic) {
            return Ok(Some(record.seq));
        }
    }
    Ok(None)
}
