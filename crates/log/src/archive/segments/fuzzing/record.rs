//! Records by themselves.

use super::{
    super::format::{decode_record, encode_record},
    byte, made, mend, number,
};
use crate::{Record, Seq, TopicSet};

/// See the [module](super)'s text.
#[expect(clippy::panic, reason = "a check that does not hold")]
pub fn record(mut input: &[u8]) {
    let how = byte(&mut input);
    let base = Seq(number(&mut input, 8));
    match how % 3 {
        0 => {
            if let Ok(record) = decode_record(input, base, None) {
                again(&record, base, input);
            }
        }
        1 => {
            let bytes = mend::record(input);
            if let Ok(record) = decode_record(&bytes, base, None) {
                again(&record, base, &bytes);
            }
        }
        _ => {
            let Some(record) = made(&mut input, Seq(base.0 + u64::from(how))) else {
                return;
            };
            let mut bytes = Vec::new();
            if let Err(why) = encode_record(&record, base, &mut bytes) {
                panic!("{record:?}: {why}");
            }
            again(&record, base, &bytes);
        }
    }
}

/// The record is written to the bytes that it was read from, and read from them again, whatever topics are known.
#[expect(clippy::panic, reason = "a check that does not hold")]
pub(super) fn again(record: &Record, base: Seq, bytes: &[u8]) {
    let mut written = Vec::new();
    if let Err(why) = encode_record(record, base, &mut written) {
        panic!("{record:?} was read and cannot be written: {why}");
    }
    assert_eq!(Some(&written[..]), bytes.get(..written.len()), "{record:?}");
    let first = record.topics().iter().next().cloned().map(TopicSet::from);
    for known in [None, record.entry.topic_set(), first.as_ref()] {
        match decode_record(&written, base, known) {
            Ok(read) => assert_eq!(read, *record),
            Err(why) => panic!("{record:?} was written and cannot be read: {why}"),
        }
    }
}
