//! Reads a segment from its first byte to its last, goes on behind what is bad, and compares the index with the records.

use std::io;

use super::{
    beside,
    verify::{Finding, Gravity, RESTORE, note},
};
use crate::{
    Millis, Record, Seq,
    archive::segments::{
        disk::Disk,
        format::{
            BATCH_HEADER, BatchHeader, Damaged, LogId, RECORD_HEADER, SEGMENT_HEADER, SegmentHeader,
            decode_record, record_len,
        },
        good::search,
        index::{Active, MAX_DELTA},
        recover::{bytes_at, is_unfinished},
        segment::{Body, WINDOW, Window, segment_name},
    },
};

/// What to read.
pub(super) struct Walk<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) log: &'a LogId,
    pub(super) base: Seq,
    /// It is the one that is written, and was safe up to this number.
    pub(super) safe: Option<Seq>,
    /// Number and time of the last record before it.
    pub(super) after: (Seq, Millis),
}

/// What was found.
pub(super) struct Checked {
    pub(super) base: Seq,
    /// None if it cannot be read.
    pub(super) header: Option<SegmentHeader>,
    /// Of its good records.
    pub(super) index: Active,
    /// Number and time of its last record, or of the one before it.
    pub(super) end: (Seq, Millis),
    /// Bytes.
    pub(super) read: u64,
    pub(super) findings: Vec<Finding>,
}

impl Checked {
    pub(super) fn is_whole(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.gravity == Gravity::Note)
    }

    fn find(&mut self, gravity: Gravity, offset: u64, what: String, advice: &'static str) {
        self.findings.push(Finding {
            gravity,
            file: segment_name(self.base),
            offset: Some(offset),
            what,
            advice,
        });
    }
}

/// A bad place, and where what it belongs to ends, if that is known.
struct Bad {
    at: u64,
    why: Damaged,
    /// It belongs to a batch that ends here.
    end: Option<u64>,
}

impl Walk<'_> {
    /// Reads it all.
    ///
    /// # Errors
    /// When it cannot be read, or is not there (`NotFound`).
    pub(super) fn check(&self, progress: &mut dyn FnMut(u64)) -> io::Result<Checked> {
        let mut checked = Checked {
            base: self.base,
            header: None,
            index: Active::default(),
            end: self.after,
            read: 0,
            findings: Vec::new(),
        };
        let body = match Body::open(self.disk, self.base) {
            Ok(body) if body.header.log == *self.log => body,
            Ok(_) => {
                let what = "it belongs to another log: the log is not opened".into();
                checked.find(Gravity::Damage, 0, what, RESTORE);
                return Ok(checked);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.headless(&mut checked, &error)?;
                return Ok(checked);
            }
            Err(error) => return Err(error),
        };
        checked.header = Some(body.header);
        checked.read = self.batches(&body, &mut checked, progress)?;
        if self.safe.is_none() && checked.is_whole() {
            let read = beside::index(self.disk, self.log, &body, &checked.index, &mut checked.findings)?;
            progress(read);
            checked.read += read;
        }
        Ok(checked)
    }

    fn headless(&self, checked: &mut Checked, error: &io::Error) -> io::Result<()> {
        if self.safe.is_some() && is_unfinished(self.disk, self.log, self.base)? {
            let what =
                "it was being made when the process died, and holds nothing: the next start removes it";
            checked.findings.push(note(segment_name(self.base), what));
            return Ok(());
        }
        let text = error.to_string();
        let why = text.rsplit_once(": ").map_or(&*text, |(_, why)| why);
        let what = format!("{why}: the log is not opened, for none of its records can be told from others");
        checked.find(Gravity::Damage, 0, what, RESTORE);
        Ok(())
    }

    /// Reads all batches; where they end.
    fn batches(&self, body: &Body, checked: &mut Checked, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
        let mut at = SEGMENT_HEADER;
        while at < body.len {
            let mut window = Window::default();
            let mut records = Vec::new();
            let mut read = batch(body, &mut window, at, &mut records)?;
            if read.is_err()
                && let Some(safe) = self.safe
            {
                let next = checked.end.0.max(self.base.before()).next();
                if safe < next && !body.is_covered(at, next)? {
                    self.tail(body, checked, at)?;
                    progress(body.len - at);
                    return Ok(at);
                }
                // It may have been written since it was read.
                records.clear();
                read = batch(body, &mut Window::default(), at, &mut records)?;
            }
            let next = match read {
                Ok((end, header)) => {
                    in_order(&header, &records, at, checked);
                    end
                }
                Err(bad) => self.skip(body, checked, at, &bad)?,
            };
            for (record, place, len) in records {
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                if record.seq.0 - self.base.0 <= MAX_DELTA && record.seq > checked.index.totals.last {
                    checked.index.add(&record, self.base, place, len);
                }
                if record.number().is_none_or(|number| number > checked.end.0) {
                    checked.end = (record.number().unwrap_or(checked.end.0), record.time);
                }
            }
            progress(next - at);
            at = next;
        }
        if let Some(safe) = self
            .safe
            .filter(|safe| *safe > checked.end.0 && checked.is_whole())
        {
            let what = format!(
                "the segment ends too early: records up to {} were safe, so the log is not opened",
                safe.0
            );
            checked.find(Gravity::Damage, at, what, RESTORE);
        }
        Ok(at)
    }

    /// What stands behind the last good batch, and was never acknowledged.
    fn tail(&self, body: &Body, checked: &mut Checked, at: u64) -> io::Result<()> {
        let torn = bytes_at(body, at)?;
        if torn > 0 {
            let what = format!(
                "a torn tail of {torn} bytes: they were being written when the process died, or are being written now, and nobody has \
                 been told of them. The next start cuts them off"
            );
            let mut finding = note(segment_name(self.base), what);
            finding.offset = Some(at);
            checked.findings.push(finding);
        }
        Ok(())
    }

    /// Tells what is bad, and finds where the next good batch begins, or the end.
    fn skip(&self, body: &Body, checked: &mut Checked, at: u64, bad: &Bad) -> io::Result<u64> {
        let next = match bad.end {
            Some(end) => end,
            None => search(body, at + 1)?,
        };
        let meaning = match self.safe.is_some() {
            true => "what stood here was acknowledged, so the log is not opened",
            false => "readers that come here are told (`damaged`) and go on behind it",
        };
        let rest = match next < body.len {
            true => format!("good records may follow at byte {next}"),
            false => "nothing good follows in this file".into(),
        };
        let what = format!("{}: {meaning}; {rest}", bad.why);
        checked.find(Gravity::Damage, bad.at, what, RESTORE);
        Ok(next)
    }
}

/// Numbers and times grow, and a batch knows that what came before it may be safe, never itself.
fn in_order(header: &BatchHeader, records: &[(Record, u64, u64)], at: u64, checked: &mut Checked) {
    let (mut seq, mut time) = checked.end;
    let broken = |checked: &mut Checked, at, what: &str| {
        let what = format!("{what}: the bytes are as they were written, so what wrote them is at fault");
        checked.find(Gravity::Damage, at, what, RESTORE);
    };
    let base = checked.base;
    if records
        .first()
        .is_some_and(|(first, _, _)| first.seq != header.first)
        || header.synced_through >= header.first
    {
        broken(checked, at, "the batch's header does not fit its records");
    }
    for (record, place, _) in records {
        if record.seq <= seq || record.seq < base {
            broken(
                checked,
                *place,
                "the record's number does not come after that of the record before it",
            );
            return;
        }
        if record.time < time {
            broken(
                checked,
                *place,
                "the record's time lies before that of the record before it",
            );
            return;
        }
        (seq, time) = (record.number().unwrap_or(seq), record.time);
    }
}

type Batch = Result<(u64, BatchHeader), Bad>;

/// Reads a batch as far as it is good; where it ends. An error is one of reading only.
fn batch(
    body: &Body,
    window: &mut Window,
    at: u64,
    records: &mut Vec<(Record, u64, u64)>,
) -> io::Result<Batch> {
    let bad = |at, why, end| Ok(Err(Bad { at, why, end }));
    let mut head = [0; BATCH_HEADER];
    let len = body.file.read_at(&mut head, at)?;
    let header = match BatchHeader::decode(&head[..len], &body.header, at) {
        Ok(header) => header,
        Err(why) => return bad(at, why, None),
    };
    let mut place = at + BATCH_HEADER as u64;
    let end = place + u64::from(header.len);
    if end > body.len {
        return bad(at, Damaged("a batch is cut off"), None);
    }
    while place < end {
        let record = match record(body, window, place, end)? {
            Ok((record, len)) => {
                records.push((record, place, len));
                len
            }
            Err(why) => return bad(place, why, Some(end)),
        };
        place += record;
    }
    let first = records.first().map(|(record, ..)| record.seq);
    let is_in_order = records.is_sorted_by(|(a, ..), (b, ..)| match a.number() {
        Some(number) => number < b.seq,
        None => a.seq <= b.seq,
    });
    match records.len() == header.count as usize && first == Some(header.first) && is_in_order {
        true => Ok(Ok((end, header))),
        false => bad(
            at,
            Damaged("a batch does not hold what its header says"),
            Some(end),
        ),
    }
}

fn record(body: &Body, window: &mut Window, at: u64, end: u64) -> io::Result<Result<(Record, u64), Damaged>> {
    const CUT: Damaged = Damaged("a record is cut off");
    if at + RECORD_HEADER as u64 > end {
        return Ok(Err(CUT));
    }
    let len = match record_len(window.bytes(body, at, RECORD_HEADER, WINDOW)?) {
        Ok(len) if at + len as u64 <= end => len,
        Ok(_) => return Ok(Err(CUT)),
        Err(why) => return Ok(Err(why)),
    };
    let bytes = window.bytes(body, at, len, WINDOW)?;
    Ok(decode_record(bytes, &body.header, None).map(|record| (record, len as u64)))
}
