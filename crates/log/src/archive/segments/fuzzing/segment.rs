//! Segments: batches and what stands between them.

use super::{
    super::{
        format::{BATCH_HEADER, BatchHeader, SEGMENT_HEADER, SegmentHeader},
        segment::Body,
    },
    LOG, byte,
    mem::MemFile,
    mend,
    record::again,
};
use crate::Seq;

/// See the [module](super)'s text.
pub fn segment(mut input: &[u8]) {
    let how = byte(&mut input);
    let base = Seq(u64::from(byte(&mut input)));
    let mut bytes = input.to_vec();
    if how & 1 == 0 {
        mend::segment(&mut bytes, &LOG, base.0);
    }
    let Ok(header) = SegmentHeader::decode(&bytes) else {
        return;
    };
    assert_eq!(header.encode()[..], bytes[..SEGMENT_HEADER as usize]);
    let body = Body {
        header,
        file: MemFile::of(&bytes),
        len: bytes.len() as u64,
    };
    let end = batches(&body, &bytes);
    for seq in [Seq::ZERO, Seq(header.base.0 + u64::from(how))] {
        let covered = body.is_covered(end, seq).unwrap_or_else(|why| unreadable(&why));
        assert_eq!(covered, is_covered(&header, &bytes, end, seq));
    }
}

/// Everything up to where good batches end is written again to the same bytes, and its numbers grow.
fn batches(body: &Body, bytes: &[u8]) -> u64 {
    let mut last = None;
    let mut stood = SEGMENT_HEADER;
    let walked = body.walk(|record, at, len| {
        assert!(
            last < Some(record.seq) && body.header.base <= record.seq,
            "{last:?}, then {:?}",
            record.seq
        );
        last = last.max(record.number());
        assert!(at == stood || at == stood + BATCH_HEADER as u64);
        stood = at + len;
        again(record, &body.header, &bytes[at as usize..(at + len) as usize]);
    });
    let walked = walked.unwrap_or_else(|why| unreadable(&why));
    let mut at = SEGMENT_HEADER;
    while at < walked.end {
        let head = &bytes[at as usize..];
        let Ok(header) = BatchHeader::decode(head, &body.header, at) else {
            unreadable(&"a batch")
        };
        assert_eq!(header.encode(&body.header, at), head[..BATCH_HEADER]);
        at += BATCH_HEADER as u64 + u64::from(header.len);
    }
    assert_eq!(at, walked.end);
    assert!(walked.stopped_by.is_some() || walked.end == bytes.len() as u64);
    walked.end
}

/// The slow way to tell.
fn is_covered(segment: &SegmentHeader, bytes: &[u8], from: u64, seq: Seq) -> bool {
    (from..bytes.len() as u64).any(|at| {
        let header = BatchHeader::decode(&bytes[at as usize..], segment, at);
        header.is_ok_and(|header| header.synced_through >= seq && header.first > seq)
    })
}

#[expect(clippy::panic, reason = "a check that does not hold")]
pub(super) fn unreadable(what: &dyn std::fmt::Display) -> ! {
    panic!("cannot read what is there: {what}")
}
