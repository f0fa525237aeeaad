//! Entries and batches from other nodes.

use super::{byte, made, number};
use crate::{Seq, batch::Proposed, machine::Origin, wire};

/// See the [module](super)'s text.
#[expect(clippy::panic, reason = "a check that does not hold")]
pub fn wire(mut input: &[u8]) {
    match byte(&mut input) % 4 {
        0 => {
            if let Ok(entry) = wire::decode(input) {
                assert_eq!(wire::encode(&entry).as_deref(), Ok(input), "{entry:?}");
            }
        }
        1 => {
            if let Ok(batch) = wire::Batch::decode(input) {
                assert_eq!(batch.encode().as_deref(), Ok(input), "{batch:?}");
            }
        }
        2 => {
            let Some(entry) = made(&mut input, Seq(1)).map(|record| record.entry) else {
                return;
            };
            let bytes = wire::encode(&entry).unwrap_or_else(|why| panic!("{entry:?}: {why}"));
            again(wire::decode(&bytes), &entry);
        }
        _ => {
            let origin = Origin {
                node: number(&mut input, 8),
                incarnation: number(&mut input, 2),
            };
            let mut batch = wire::Batch {
                origin,
                number: number(&mut input, 8),
                entries: Vec::new(),
            };
            while !input.is_empty() {
                let session = byte(&mut input).into();
                let entry = made(&mut input, Seq(1)).map(|record| record.entry);
                batch
                    .entries
                    .extend(entry.map(|entry| Proposed { entry, session }));
            }
            let bytes = batch.encode().unwrap_or_else(|why| panic!("{batch:?}: {why}"));
            again(wire::Batch::decode(&bytes), &batch);
        }
    }
}

/// What was written is read, but for what no publisher may say.
#[expect(clippy::panic, reason = "a check that does not hold")]
fn again<T: PartialEq + std::fmt::Debug>(read: Result<T, wire::WireError>, was: &T) {
    match read {
        Ok(read) => assert_eq!(read, *was),
        Err(wire::WireError::Refused(_)) => {}
        Err(why) => panic!("{was:?} was written and cannot be read: {why}"),
    }
}
