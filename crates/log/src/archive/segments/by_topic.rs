//! Letting go by topic: what the rules of single topics no longer keep.
//!
//! Only floors rise here; the room is given back when whole segments go, or are rewritten. A look costs as much as what it lets go:
//! segments of which a topic loses everything are not read, in the last one the records that go are.
//!
//! Nothing is written down: when a log is opened, the rules are applied before anything is read. (Whoever gives room back
//! saves the floors first.)

use std::io;

use super::{
    index::{Line, Posting},
    segment::{Body, SealedSegment},
    state::View,
    writer::Log,
};
use crate::{
    Millis, Seq, Topic,
    archive::{
        ruled::{LOOKS, Load},
        rules::{Allowed, Rule},
    },
};

/// How many postings are taken at once.
const CHUNK: u32 = 256;

impl Log {
    /// See [`Store::trim_topics`](crate::archive::Store::trim_topics).
    pub(crate) fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        let mut writer = self.writer.lock();
        if writer.poisoned().is_some() {
            return Vec::new();
        }
        let gone = self.apply_rules(now, LOOKS);
        // Once a second is often enough to try what has failed.
        writer.wants_snapshot |= writer.owes_snapshot;
        gone
    }

    /// Looks at so many topics. Whoever calls it is the only one that writes.
    fn apply_rules(&self, now: Millis, looks: usize) -> Vec<(Topic, Seq)> {
        let (mut gone, mut failed) = (Vec::new(), None);
        for _ in 0..looks {
            let Some((topic, load, allowed)) = self.state.write().ruled.next(now) else {
                break;
            };
            let cut = match self.cut(&topic, load, &allowed) {
                Ok(cut) => cut,
                Err(error) => {
                    self.state.read().damage.wish(&error);
                    failed.get_or_insert(error);
                    self.state.write().ruled.looked(&topic, load, Some(now), now);
                    continue;
                }
            };
            let mut state = self.state.write();
            if cut.cleared > Seq::ZERO {
                state.topics.raise(&topic, cut.floor, cut.cleared);
            }
            state.ruled.looked(&topic, cut.load, cut.oldest, now);
            if cut.cleared > Seq::ZERO {
                gone.push((topic, cut.cleared));
            }
        }
        // A topic that cannot be looked at now has its turn again later: until then it is not well.
        if let Some(error) = failed {
            let trouble = &self.troubles.rules;
            trouble.note("tell which events of a topic are too many", Some(&error));
        }
        gone
    }

    /// Counts what is kept, and lets go what is too much at this time: before anybody reads.
    pub(crate) fn begin_rules(&self, now: Millis) -> io::Result<()> {
        let _writer = self.writer.lock();
        if self.state.read().ruled.is_off() {
            return Ok(());
        }
        let view = View::of(&self.state, &[]);
        for segment in view.sealed.iter() {
            let since = segment.body.first_time();
            for line in segment.index.topics() {
                let (topic, line) = line?;
                let (start, has_rule) = {
                    let state = self.state.read();
                    (state.topics.start(&topic), state.ruled.rule(&topic).is_some())
                };
                if has_rule {
                    self.count_part(&topic, since, kept_of(segment, &line, start)?);
                }
            }
        }
        let topics: Vec<Topic> = self
            .state
            .read()
            .index
            .topics()
            .map(|(topic, ..)| topic.clone())
            .collect();
        let since = view.active.first_time();
        for topic in topics {
            let part = self.kept_of_active(&view.active, &topic)?;
            self.count_part(&topic, since, part);
        }
        self.apply_rules(now, usize::MAX);
        Ok(())
    }

    fn count_part(&self, topic: &Topic, since: Millis, part: Load) {
        if part != Load::default() {
            self.state.write().ruled.count(topic, since, part);
        }
    }

    /// A topic has lost what was kept of it, but for the last of it.
    pub(crate) fn count_again(&self, topic: &Topic) -> io::Result<()> {
        if self.state.read().ruled.rule(topic).is_none() {
            return Ok(());
        }
        let view = View::of(&self.state, std::slice::from_ref(topic));
        let start = view.starts.first().copied().unwrap_or_default();
        let mut load = self.kept_of_active(&view.active, topic)?;
        for segment in view.sealed_after(start) {
            if let Some(line) = segment.index.topic(topic)? {
                load.add(kept_of(segment, &line, start)?);
            }
        }
        self.state.write().ruled.set(topic, load);
        Ok(())
    }

    /// What a segment that goes has of a topic that was counted.
    pub(crate) fn counted(
        &self,
        segment: &SealedSegment,
        topic: &Topic,
        line: &Line,
    ) -> io::Result<Option<Load>> {
        let (start, load, wants_bytes) = {
            let state = self.state.read();
            let Some(rule) = state.ruled.rule(topic) else {
                return Ok(None);
            };
            let (start, load) = (state.topics.start(topic), state.ruled.load(topic));
            (start, load, rule.max_bytes.is_some())
        };
        let mut part = kept_of(segment, line, start)?;
        if part.slack > 0 && load.slack == 0 && wants_bytes {
            part.bytes = measured(segment, line, start)?;
        }
        Ok(Some(part))
    }

    /// Finds out what a topic has to let go.
    fn cut(&self, topic: &Topic, load: Load, allowed: &Allowed) -> io::Result<Cut> {
        let view = View::of(&self.state, std::slice::from_ref(topic));
        let start = view.starts.first().copied().unwrap_or_default();
        let needs = match self.state.read().ruled.rule(topic) {
            Some(Rule {
                max_bytes, max_age, ..
            }) => Needs {
                bytes: max_bytes.is_some(),
                records: max_bytes.is_some() || max_age.is_some(),
            },
            None => Needs::default(),
        };
        let mut load = load;
        if needs.bytes && load.slack > 0 {
            let bytes = self.bytes_around(&view, topic, start)?;
            load.bytes = load.bytes.saturating_sub(load.slack) + bytes;
            load.slack = 0;
        }
        let mut cutting = Cutting {
            allowed: *allowed,
            reads: needs.records,
            cut: Cut {
                load,
                ..Cut::default()
            },
        };
        for segment in view.sealed_after(start) {
            if let Some(line) = segment.index.topic(topic)?
                && !cutting.cut_sealed(segment, &line, start)?
            {
                return Ok(cutting.cut);
            }
        }
        let postings = self.state.read().postings(topic, start, Seq(u64::MAX)).to_vec();
        cutting.cut_postings(&view.active, &postings)?;
        Ok(cutting.cut)
    }

    /// What is kept of a topic in the segment that is written: exactly, for more is going to be counted there.
    fn kept_of_active(&self, active: &Body, topic: &Topic) -> io::Result<Load> {
        let (postings, mut bytes, is_rest) = {
            let state = self.state.read();
            let start = state.topics.start(topic);
            let postings = state.postings(topic, start, Seq(u64::MAX)).to_vec();
            let wants_bytes = state
                .ruled
                .rule(topic)
                .is_some_and(|rule| rule.max_bytes.is_some());
            (
                postings,
                state.index.bytes(topic),
                wants_bytes && start >= active.header.base,
            )
        };
        if is_rest {
            bytes = bytes_of(active, &postings)?;
        }
        Ok(load_of(&postings, bytes, false))
    }

    /// The bytes of what is kept of a topic where reading begins: in the sealed segment that holds `start`.
    fn bytes_around(&self, view: &View, topic: &Topic, start: Seq) -> io::Result<u64> {
        let around = view.sealed_after(start).next();
        let Some(segment) = around.filter(|segment| segment.body.header.base <= start) else {
            return Ok(0);
        };
        match segment.index.topic(topic)? {
            Some(line) => measured(segment, &line, start),
            None => Ok(0),
        }
    }
}

/// Postings that are kept of a part, all or the last ones of what it has.
fn load_of(postings: &[Posting], bytes: u64, is_rest: bool) -> Load {
    match postings.is_empty() {
        true => Load::default(),
        false => Load {
            events: postings.iter().filter(|posting| posting.is_event()).count() as u64,
            bytes,
            slack: if is_rest { bytes } else { 0 },
        },
    }
}

/// What is kept of a topic in a sealed segment. There is slack in the one where reading begins, also if nothing is dead in it:
/// it may have been rewritten since the topic was counted.
fn kept_of(segment: &SealedSegment, line: &Line, start: Seq) -> io::Result<Load> {
    let is_rest = segment.body.header.base <= start;
    let from = rank(segment, line, start)?;
    if from == 0 || from == line.count || line.events == line.count {
        let kept = line.count - from;
        return Ok(Load {
            events: if from == 0 { line.events } else { kept }.into(),
            bytes: if kept == 0 { 0 } else { line.bytes },
            slack: if is_rest && kept > 0 { line.bytes } else { 0 },
        });
    }
    let postings = segment.index.read_postings(line, from, u32::MAX)?;
    Ok(load_of(&postings, line.bytes, is_rest))
}

/// The bytes of what is kept of a topic in a sealed segment.
fn measured(segment: &SealedSegment, line: &Line, start: Seq) -> io::Result<u64> {
    let from = rank(segment, line, start)?;
    if from == 0 {
        return Ok(line.bytes);
    }
    let postings = segment.index.read_postings(line, from, u32::MAX)?;
    bytes_of(&segment.body, &postings)
}

fn bytes_of(body: &Body, postings: &[Posting]) -> io::Result<u64> {
    let mut bytes = 0;
    body.measure(postings, |_, _, len| {
        bytes += len;
        true
    })?;
    Ok(bytes)
}

/// How many of a topic's postings lie at or before a number.
fn rank(segment: &SealedSegment, line: &Line, seq: Seq) -> io::Result<u32> {
    match segment.body.delta(seq) {
        Some(delta) => segment.index.rank(line, delta),
        None => Ok(0),
    }
}

/// What must be known of records to tell whether they are too many.
#[derive(Default)]
struct Needs {
    bytes: bool,
    /// Their times or their lengths: they must be read.
    records: bool,
}

/// What a topic lets go.
#[derive(Default)]
struct Cut {
    /// The last event that goes.
    floor: Seq,
    /// The last record that goes.
    cleared: Seq,
    /// What is left.
    load: Load,
    /// The time of the oldest record that is left, where that matters.
    oldest: Option<Millis>,
}

struct Cutting {
    allowed: Allowed,
    /// Records must be read.
    reads: bool,
    cut: Cut,
}

impl Cutting {
    /// Returns whether everything that the segment has of the topic goes.
    fn cut_sealed(&mut self, segment: &SealedSegment, line: &Line, start: Seq) -> io::Result<bool> {
        let mut from = rank(segment, line, start)?;
        if from == 0 && self.goes_whole(segment, line) {
            self.cut.load.take(line.events.into(), line.bytes);
            let event = line.last_event.map_or(self.cut.floor, |delta| {
                Seq(segment.body.header.base.0 + u64::from(delta))
            });
            (self.cut.floor, self.cut.cleared) = (event, segment.index.totals.last);
            return Ok(true);
        }
        while from < line.count {
            let postings = segment.index.read_postings(line, from, CHUNK)?;
            if !self.cut_postings(&segment.body, &postings)? {
                return Ok(false);
            }
            from += CHUNK;
        }
        Ok(true)
    }

    /// Whether a segment's records of the topic, which are all kept, must all go.
    fn goes_whole(&self, segment: &SealedSegment, line: &Line) -> bool {
        let Load { events, bytes, .. } = self.cut.load;
        let (events_left, bytes_left) = (
            events.saturating_sub(line.events.into()),
            bytes.saturating_sub(line.bytes),
        );
        segment.index.totals.last_time < self.allowed.since
            || events_left >= self.allowed.events
            || (events_left > 0 && bytes_left >= self.allowed.bytes)
    }

    /// Returns whether they all go.
    fn cut_postings(&mut self, body: &Body, postings: &[Posting]) -> io::Result<bool> {
        let Self { allowed, reads, cut } = self;
        let mut step = |posting: Posting, time: Millis, len: u64| {
            if !cut.load.is_over(allowed, time) {
                cut.oldest = Some(time);
                return false;
            }
            cut.load.take(posting.is_event().into(), len);
            cut.cleared = body.seq(posting);
            if posting.is_event() {
                cut.floor = cut.cleared;
            }
            true
        };
        match reads {
            true => body.measure(postings, step),
            false => Ok(postings.iter().all(|posting| step(*posting, Millis::MAX, 0))),
        }
    }
}
