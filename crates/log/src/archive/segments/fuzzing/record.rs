//! Records by themselves.

use super::{
    super::format::{SegmentHeader, decode_record, encode_record},
    LOG, byte, made, mend, number,
};
use crate::{Entry, Record, Seq, TopicSet};

/// See the [module](super)'s text.
pub fn record(mut input: &[u8]) {
    let how = byte(&mut input);
    let base = Seq(number(&mut input, 8));
    let mut segment = SegmentHeader::new(LOG, base, false);
    segment.version = if how < 128 { 2 } else { 1 };
    match how % 3 {
        0 => {
            if let Ok(record) = decode_record(input, &segment, None) {
                again(&record, &segment, input);
            }
        }
        1 => {
            let bytes = mend::record(input);
            if let Ok(record) = decode_record(&bytes, &segment, None) {
                again(&record, &segment, &bytes);
            }
        }
        _ => {
            let Some(record) = made(&mut input, Seq(base.0 + u64::from(how))) else {
                return;
            };
            let mut bytes = Vec::new();
            if let Err(why) = encode_record(&record, &segment, &mut bytes) {
                let may_be = segment.version == 1 || matches!(record.entry, Entry::Epoch(_));
                assert!(may_be, "{record:?}: {why}");
                return;
            }
            again(&record, &segment, &bytes);
        }
    }
}

/// The record is written to the bytes that it was read from, and read from them again, whatever topics are known.
#[expect(clippy::panic, reason = "a check that does not hold")]
pub(super) fn again(record: &Record, segment: &SegmentHeader, bytes: &[u8]) {
    let mut written = Vec::new();
    if let Err(why) = encode_record(record, segment, &mut written) {
        panic!("{record:?} was read and cannot be written: {why}");
    }
    assert_eq!(Some(&written[..]), bytes.get(..written.len()), "{record:?}");
    let first = record.topics().iter().next().cloned().map(TopicSet::from);
    for known in [None, record.entry.topic_set(), first.as_ref()] {
        match decode_record(&written, segment, known) {
            Ok(read) => assert_eq!(read, *record),
            Err(why) => panic!("{record:?} was written and cannot be read: {why}"),
        }
    }
}
