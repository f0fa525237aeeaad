//! Reads a segment behind what is bad: every record that is sure to be one, and between which numbers others are lost.
//!
//! A record is one if its checksum is right and it stands where a record begins: right behind another, where the index has one, or,
//! without an index, where the lengths of a batch lead to its end and to its count. Any other bytes with the right checksum may be the
//! data of an event.

use std::{collections::BTreeSet, io};

use super::{
    damage::is_damage,
    format::{BATCH_HEADER, BatchHeader, Damaged, RECORD_HEADER, SEGMENT_HEADER, decode_record, record_len},
    index::{MAX_DELTA, Sealed},
    segment::{Body, WINDOW, Window},
};
use crate::{Record, Seq};

/// Something of a segment that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) at: u64,
    pub(crate) why: Damaged,
    /// The last record in front of it, or the number in front of the segment.
    pub(crate) after: Seq,
    /// The first record behind it; none if nothing good follows in the segment.
    pub(crate) before: Option<Seq>,
}

/// Where the index says that records begin. Empty if it cannot be read.
pub(crate) fn places(index: &Sealed) -> BTreeSet<u64> {
    let read = || -> io::Result<BTreeSet<u64>> {
        let mut places = BTreeSet::new();
        for line in index.topics() {
            let (_, line) = line?;
            let postings = index.read_postings(&line, 0, u32::MAX)?;
            places.extend(postings.iter().map(|posting| u64::from(posting.offset)));
        }
        Ok(places)
    };
    read().unwrap_or_default()
}

/// How far a segment goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// It is sealed: `next` is not in it any more, and it ended with `last`, if that is known.
    Sealed { next: Seq, last: Option<Seq> },
    /// It is the one that is written, and was safe up to this number. What stands behind its last good batch and was not is a torn tail.
    Safe(Seq),
}

/// Gives the good records, in order, with their offsets and lengths.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn records(
    body: &Body,
    places: &BTreeSet<u64>,
    until: Until,
    mut each: impl FnMut(&Record, u64, u64) -> io::Result<()>,
) -> io::Result<Vec<Lost>> {
    let mut lost: Vec<Lost> = Vec::new();
    let mut last = body.header.base.before();
    let mut at = SEGMENT_HEADER;
    while at < body.len {
        let batch = read_batch(body, places, at)?;
        let is_bad = !batch.bad.is_empty();
        if is_bad
            && let Until::Safe(safe) = until
            && safe <= last
            && !body.is_covered(at, last.next())?
        {
            return Ok(lost);
        }
        let mut bad = batch.bad.into_iter().peekable();
        for (record, place, len) in batch.records {
            while let Some((at, why)) = bad.next_if(|(at, _)| *at < place) {
                lost.push(Lost {
                    at,
                    why,
                    after: last,
                    before: None,
                });
            }
            let is_beyond = matches!(until, Until::Sealed { next, .. } if record.number() >= Some(next));
            if record.seq <= last || is_beyond || record.seq.0 - body.header.base.0 > MAX_DELTA {
                let why = Damaged("a record's number does not come after the one before");
                let (at, after) = (place, last);
                lost.push(Lost {
                    at,
                    why,
                    after,
                    before: None,
                });
                continue;
            }
            let open = lost.iter_mut().rev().take_while(|lost| lost.before.is_none());
            open.for_each(|lost| lost.before = Some(record.seq));
            each(&record, place, len)?;
            last = record.number().unwrap_or(last);
        }
        lost.extend(bad.map(|(at, why)| Lost {
            at,
            why,
            after: last,
            before: None,
        }));
        at = batch.end;
    }
    let end = match until {
        Until::Sealed { last, .. } => last,
        Until::Safe(safe) => Some(safe),
    };
    if let Some(end) = end
        && end > last
        && lost.iter().all(|lost| lost.before.is_some())
    {
        let why = Damaged("the segment ends too early");
        let before = Some(end.next());
        let (at, after) = (body.len, last);
        lost.push(Lost {
            at,
            why,
            after,
            before,
        });
    }
    Ok(lost)
}

/// A batch, or what stands where one should.
struct Batch {
    end: u64,
    records: Vec<(Record, u64, u64)>,
    bad: Vec<(u64, Damaged)>,
}

fn read_batch(body: &Body, places: &BTreeSet<u64>, at: u64) -> io::Result<Batch> {
    let mut head = [0; BATCH_HEADER];
    let len = body.file.read_at(&mut head, at)?;
    let header = BatchHeader::decode(&head[..len], &body.header, at);
    let header = header.and_then(|header| {
        let end = at + BATCH_HEADER as u64 + u64::from(header.len);
        match end <= body.len {
            true => Ok((end, (header.count, header.first))),
            false => Err(Damaged("a batch is cut off")),
        }
    });
    let (end, count, mut bad) = match header {
        Ok((end, count)) => (end, Some(count), Vec::new()),
        Err(why) => (search(body, at + 1)?, None, vec![(at, why)]),
    };
    let mut records = Vec::new();
    let mut window = Window::default();
    let mut sure = None;
    // Without a header nothing but the index says where a record begins.
    let mut place = match count {
        Some(_) => Some(at + BATCH_HEADER as u64),
        None => next_of(places, at, end),
    };
    while let Some(from) = place.filter(|place| *place < end) {
        match read_record(body, &mut window, from, end)? {
            Ok((record, len)) => {
                records.push((record, from, len));
                place = Some(from + len);
            }
            Err((why, len)) => {
                bad.push((from, why));
                place = next_of(places, from, end);
                if places.is_empty() {
                    sure.get_or_insert(records.len());
                    place = len.map(|len| from + len);
                }
            }
        }
    }
    let reaches_end =
        place == Some(end) && count.map(|(count, _)| count) == u32::try_from(records.len() + bad.len()).ok();
    let begins = |(_, first)| records.first().is_none_or(|(record, ..)| record.seq == first);
    if let Some(sure) = sure.filter(|_| !reaches_end) {
        records.truncate(sure);
        bad.truncate(1);
    } else if bad.is_empty() && !(reaches_end && count.is_some_and(begins)) {
        bad.push((at, Damaged("a batch does not hold what its header says")));
    }
    // The same place may be bad as a batch and as its first record.
    bad.dedup_by_key(|(at, _)| *at);
    Ok(Batch { end, records, bad })
}

fn next_of(places: &BTreeSet<u64>, after: u64, end: u64) -> Option<u64> {
    places.range(after + 1..end).next().copied()
}

/// A record and its length, or why there is none, and the length that it says it has.
type Read = Result<(Record, u64), (Damaged, Option<u64>)>;

fn read_record(body: &Body, window: &mut Window, at: u64, end: u64) -> io::Result<Read> {
    const CUT: Damaged = Damaged("a record is cut off");
    if at + RECORD_HEADER as u64 > end {
        return Ok(Err((CUT, None)));
    }
    let len = match record_len(window.bytes(body, at, RECORD_HEADER, WINDOW)?) {
        Ok(len) if at + len as u64 <= end => len,
        Ok(_) => return Ok(Err((CUT, None))),
        Err(why) => return Ok(Err((why, None))),
    };
    let bytes = match window.bytes(body, at, len, WINDOW) {
        Err(error) if is_damage(&error) => return Ok(Err((CUT, None))),
        bytes => bytes?,
    };
    let len = len as u64;
    Ok(decode_record(bytes, &body.header, None)
        .map(|record| (record, len))
        .map_err(|why| (why, Some(len))))
}

/// Where the next good header of a batch stands, or the file's end.
pub(crate) fn search(body: &Body, from: u64) -> io::Result<u64> {
    let mut at = from;
    let mut chunk = vec![0; 1 << 20];
    while at < body.len {
        let read = body.file.read_at(&mut chunk, at)?;
        let mut looked = 0;
        while let Some(found) = BatchHeader::search(&chunk[looked..read]) {
            let place = at + (looked + found) as u64;
            let mut head = [0; BATCH_HEADER];
            let len = body.file.read_at(&mut head, place)?;
            if BatchHeader::decode(&head[..len], &body.header, place).is_ok() {
                return Ok(place);
            }
            looked += found + 1;
        }
        if read < chunk.len() {
            break;
        }
        // A mark may lie across two chunks.
        at += (read - BATCH_HEADER) as u64;
    }
    Ok(body.len)
}
