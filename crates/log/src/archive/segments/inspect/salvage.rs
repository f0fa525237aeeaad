//! Brings a damaged log into a state in which it can be opened, on an overlay: its good records stay. Once it is open, its list of topics
//! learns what is lost, so that readers are told.
//!
//! Whose events are lost is told by the index of their segment. Where nothing tells, all topics count as having lost some.

use std::{collections::BTreeSet, io};

use crate::{
    Record, Seq, Topic,
    archive::segments::{
        damage::{is_damage, is_newer},
        disk::Disk,
        format::{LogId, SegmentHeader},
        good::{self, Lost, Until},
        index::Sealed,
        missing::{self, between},
        recover::{is_unfinished, make_segment, proven},
        rewrite::Copy,
        segment::{Body, FOLDER, SealedSegment, bases, index_name, segment_name},
        topics::Topics,
    },
};

/// Something of a log that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The file, in the log's folder.
    pub file: String,
    /// Where in it.
    pub offset: Option<u64>,
    /// What is wrong there.
    pub what: String,
    /// The numbers of which records may be lost, from the first to the last; none if no record is.
    pub numbers: Option<(Seq, Seq)>,
}

/// What was lost, for a log that has been opened after it.
#[derive(Default)]
pub(super) struct Salvaged {
    /// In order.
    pub(super) losses: Vec<Loss>,
    /// Events that are missing: of a topic the last one; of any topic where up to.
    misses: Vec<(Option<Topic>, Seq)>,
    /// The last number that was given.
    last: Seq,
}

impl Salvaged {
    /// Tells the list of topics. Returns the last number.
    pub(super) fn tell(&self, topics: &mut Topics) -> Seq {
        for (topic, seq) in &self.misses {
            match topic {
                Some(topic) => topics.miss_of(topic, *seq),
                None => topics.miss(*seq),
            }
        }
        if !self.losses.is_empty() {
            topics.last = topics.last.max(self.last);
        }
        topics.last
    }
}

/// See the module's text.
///
/// # Errors
/// When it cannot be read, or a later release wrote it.
pub(super) fn salvage(disk: &dyn Disk, log: &LogId) -> io::Result<Salvaged> {
    let mut losses = Vec::new();
    let topics = match Topics::load(disk, log) {
        Ok(topics) => Some(topics),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if is_damage(&error) && !is_newer(&error) => {
            let text = error.to_string();
            losses.push(Loss {
                file: Topics::NAME.into(),
                offset: None,
                what: text.strip_prefix("topics: ").unwrap_or(&text).to_owned(),
                numbers: None,
            });
            None
        }
        Err(error) => return Err(error),
    };
    let bases = bases(disk)?;
    let safe = proven(disk, log, &bases, topics.as_ref())?.seq;
    let mut missing = missing::segments(disk, log, &bases, topics.as_ref())?
        .into_iter()
        .peekable();
    let mut salvage = Salvage {
        disk,
        log,
        safe,
        losses,
        misses: Vec::new(),
        let_go: topics.as_ref().and_then(Topics::let_go),
        before: None,
    };
    for (number, base) in bases.iter().enumerate() {
        while let Some(segment) = missing.next_if(|segment| segment.body.header.base < *base) {
            salvage.missing(&segment)?;
        }
        let next = bases.get(number + 1).map(|next| {
            let missing = missing.peek().map(|segment| segment.body.header.base);
            missing.map_or(*next, |missing| missing.min(*next))
        });
        salvage.segment(*base, next)?;
    }
    for segment in missing {
        salvage.missing(&segment)?;
    }
    if bases.is_empty() && safe > Seq::ZERO && salvage.before.is_none() {
        salvage.nothing_left();
    }
    salvage.end()
}

struct Salvage<'a> {
    disk: &'a dyn Disk,
    log: &'a LogId,
    safe: Seq,
    losses: Vec<Loss>,
    misses: Vec<(Option<Topic>, Seq)>,
    /// What the list of topics says was let go, if there is one.
    let_go: Option<Seq>,
    before: Option<Before>,
}

/// What stands in front of a segment.
#[derive(Clone, Copy)]
struct Before {
    /// The last number of the segment, lost or not.
    last: Seq,
    /// The last one that is left.
    left: Seq,
    /// What is missing behind it has been told.
    is_told: bool,
}

impl Salvage<'_> {
    fn lose(&mut self, file: String, offset: Option<u64>, what: String, numbers: Option<(Seq, Seq)>) {
        self.losses.push(Loss {
            file,
            offset,
            what,
            numbers: numbers.filter(|(first, last)| first <= last),
        });
    }

    /// Topics lose what their events are in these numbers; without an index that tells, all topics do.
    fn miss(&mut self, index: Option<(&Sealed, Seq)>, ranges: &[(Seq, Seq)]) {
        match index.map(|(index, base)| lost_events(index, base, ranges)) {
            Some(Ok(events)) => {
                let of_topics = events.into_iter().map(|(topic, event)| (Some(topic), event));
                self.misses.extend(of_topics);
            }
            Some(Err(_)) | None => {
                let last = ranges.iter().map(|(_, last)| *last).max();
                self.misses.extend(last.map(|last| (None, last)));
            }
        }
    }

    fn missing(&mut self, segment: &SealedSegment) -> io::Result<()> {
        let (base, last) = (segment.body.header.base, segment.index.totals.last);
        let what = format!("it is missing, with {} records", segment.index.totals.records);
        self.lose(segment_name(base), None, what, Some((base, last)));
        self.miss(Some((&segment.index, base)), &[(base, last)]);
        self.disk.remove(&index_name(base))?;
        let left = self.before.map_or(base.before(), |before| before.left);
        self.before = Some(Before {
            last,
            left,
            is_told: true,
        });
        Ok(())
    }

    fn nothing_left(&mut self) {
        let all = (Seq(1), self.safe);
        self.lose(FOLDER.into(), None, "it has no segment".into(), Some(all));
        self.miss(None, &[all]);
    }

    /// One whose file is there; `next` is the first number of the one behind it.
    fn segment(&mut self, base: Seq, next: Option<Seq>) -> io::Result<()> {
        let is_last = next.is_none();
        if self.before.is_some_and(|before| before.last >= base) {
            return self.foreign(base, "it begins before the one in front of it ends");
        }
        let own = SegmentHeader::new(*self.log, base, true);
        let (body, is_bad) = match Body::open(self.disk, base) {
            Ok(body) if body.header.log == *self.log => (body, false),
            Ok(_) => return self.foreign(base, "it belongs to another log"),
            Err(error) if !is_damage(&error) => return Err(error),
            Err(_) if is_last && is_unfinished(self.disk, self.log, base)? => return Ok(()),
            Err(error) => {
                let file = self.disk.open(&segment_name(base))?;
                let len = file.len()?;
                let text = error.to_string();
                let why = text.rsplit_once(": ").map_or(&*text, |(_, why)| why).to_owned();
                // Its batches say with their checksums whose they are.
                self.lose(segment_name(base), Some(0), why, None);
                let body = Body {
                    header: own,
                    file,
                    len,
                };
                (body, true)
            }
        };
        let opened = self
            .disk
            .open(&index_name(base))
            .and_then(|file| Sealed::of_any_length(file, self.log, base));
        let index = match opened {
            Ok(index) => Some(index).filter(|index| next.is_none_or(|next| index.totals.last < next)),
            Err(error) if is_newer(&error) => return Err(error),
            Err(_) => None,
        };
        let places = index.as_ref().map(good::places).unwrap_or_default();
        let known = index.as_ref().map(|index| index.totals.last);
        let until = next.map_or(Until::Safe(self.safe), |next| Until::Sealed { next, last: known });
        let read = || {
            let mut last = base.before();
            let lost = good::records(&body, &places, until, |record, _, _| {
                last = record.number().unwrap_or(last);
                Ok(())
            });
            lost.map(|lost| (lost, last))
        };
        let mut found = read()?;
        if !found.0.is_empty() {
            // It may have been written since.
            found = read()?;
        }
        let (lost, last) = found;
        self.in_front(&body.header)?;
        let end = match (known, next) {
            (_, None) => self.safe.max(last),
            (Some(known), _) => known.max(last),
            (None, Some(next)) => next.before().max(last),
        };
        // Where nothing is lost and no index tells, what is missing behind it is missing between the two.
        let reached = if lost.is_empty() {
            known.unwrap_or(last).max(last)
        } else {
            end
        };
        self.before = Some(Before {
            last: reached,
            left: last,
            is_told: !lost.is_empty(),
        });
        if lost.is_empty() && !is_bad {
            let is_sound = |index: &Sealed| index.totals.last == last && index.check().is_ok();
            if !is_last && index.as_ref().is_some_and(|index| !is_sound(index)) {
                self.disk.remove(&index_name(base))?;
            }
            return Ok(());
        }
        let ranges: Vec<_> = lost.iter().map(|lost| range(lost, end)).collect();
        for (lost, numbers) in lost.iter().zip(&ranges) {
            let why = lost.why.to_string();
            self.lose(segment_name(base), Some(lost.at), why, Some(*numbers));
        }
        let (told, untold): (Vec<_>, Vec<_>) = ranges.iter().partition(|(_, last)| Some(*last) <= known);
        self.miss(index.as_ref().map(|index| (index, base)), &told);
        self.miss(None, &untold);
        self.rewrite(&body, own, &places, until)?;
        if index.is_some() {
            self.disk.remove(&index_name(base))?;
        }
        Ok(())
    }

    /// Numbers that are missing in front of a segment, which nothing has let go.
    fn in_front(&mut self, header: &SegmentHeader) -> io::Result<()> {
        let let_go = self.let_go.map(|last| Before {
            last,
            left: last,
            is_told: false,
        });
        let Some(before) = self.before.or(let_go) else {
            return Ok(());
        };
        if between(before.left, header).is_none() {
            return Ok(());
        }
        if let Some(hole) = between(before.last, header)
            && !before.is_told
        {
            let what = "in front of it a segment is missing".into();
            self.lose(segment_name(header.base), None, what, Some(hole));
            self.miss(None, &[hole]);
        }
        let header = SegmentHeader {
            has_holes: true,
            ..*header
        };
        self.disk
            .open(&segment_name(header.base))?
            .write_at(&header.encode(), 0)
    }

    fn foreign(&mut self, base: Seq, why: &str) -> io::Result<()> {
        self.lose(segment_name(base), Some(0), why.to_owned(), None);
        self.disk.remove(&segment_name(base))
    }

    /// Writes a segment anew, with its good records alone.
    fn rewrite(
        &self,
        body: &Body,
        header: SegmentHeader,
        places: &BTreeSet<u64>,
        until: Until,
    ) -> io::Result<()> {
        // The file that is read stays as it is.
        let mut copy = Copy::begin(self.disk.create(&segment_name(header.base))?, header);
        good::records(body, places, until, |record: &Record, _, _| {
            copy.add_alone(record)
        })?;
        copy.end()
    }

    fn end(self) -> io::Result<Salvaged> {
        let last = self.before.map_or(Seq::ZERO, |before| before.last).max(self.safe);
        let end = bases(self.disk)?.pop();
        let body = end.map(|base| Body::open(self.disk, base)).transpose();
        let mut reached = Seq::ZERO;
        if let Ok(Some(body)) = body {
            reached = body.header.base.before();
            body.walk(|record, _, _| reached = record.number().unwrap_or(reached))?;
        }
        // The numbers that were given are not given again.
        if last > reached && !self.losses.is_empty() {
            let header = SegmentHeader::new(*self.log, last.next(), true);
            make_segment(self.disk, header, 0)?;
        }
        Ok(Salvaged {
            losses: self.losses,
            misses: self.misses,
            last,
        })
    }
}

/// The numbers that may be lost at a place of a segment that ended with `end`.
fn range(lost: &Lost, end: Seq) -> (Seq, Seq) {
    let last = lost.before.map_or(end, Seq::before);
    (lost.after.next(), last)
}

/// The last event of each topic in these numbers.
fn lost_events(index: &Sealed, base: Seq, ranges: &[(Seq, Seq)]) -> io::Result<Vec<(Topic, Seq)>> {
    let mut events = Vec::new();
    for line in index.topics() {
        let (topic, line) = line?;
        let postings = index.read_postings(&line, 0, u32::MAX)?;
        let seqs = postings
            .iter()
            .filter(|posting| posting.is_event())
            .map(|posting| Seq(base.0 + u64::from(posting.delta())));
        let is_lost = |seq: &Seq| ranges.iter().any(|(first, last)| first <= seq && seq <= last);
        events.extend(seqs.rev().find(is_lost).map(|seq| (topic, seq)));
    }
    Ok(events)
}
