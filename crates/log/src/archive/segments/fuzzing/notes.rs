//! The files beside the segments: topics, meta, snapshots.

use std::fmt::Debug;

use super::{
    super::{
        damage::is_newer,
        meta::Meta,
        paged::{log_seed, pages, read},
        snapshot::Snapshots,
        topics::Topics,
    },
    LOG, byte,
    mem::MemDisk,
    number,
    segment::unreadable,
};
use crate::Seq;

/// See the [module](super)'s text.
pub fn notes(mut input: &[u8]) {
    let disk = MemDisk::default();
    let put = |name: &str, content: &[u8], seed| disk.put(name, &pages(content, seed));
    match byte(&mut input) % 4 {
        0 => {
            put("topics", input, log_seed(&LOG));
            let load = || Topics::load(&disk, &LOG);
            if let Ok(topics) = load() {
                ok(topics.save(&disk, &LOG));
                assert_eq!(ok(load()), topics);
            }
        }
        1 => {
            put("meta", input, super::super::meta::SEED);
            if let Ok(Some(meta)) = Meta::load(&disk) {
                ok(meta.save(&disk));
                assert_eq!(ok(Meta::load(&disk)), Some(meta));
                let written = ok(read(&disk, "meta", super::super::meta::SEED));
                let len = input.len().min(written.len());
                // It is of this version now.
                assert_eq!(written[..len.min(8)], input[..len.min(8)]);
                assert_eq!(written[12..len.max(12)], input[12..len.max(12)]);
            }
        }
        2 => {
            let seq = Seq(number(&mut input, 8));
            put(&format!("snap/{:020}.snap", seq.0), input, log_seed(&LOG));
            // One of a newer release is refused.
            let Some(before) = known(Snapshots::load(&disk, &LOG, seq.before())) else {
                return;
            };
            let before = before.0;
            assert!(before.is_none() || seq == Seq::ZERO);
            let Some((newest, mut good)) = known(Snapshots::load(&disk, &LOG, seq)) else {
                return;
            };
            if let Some((found, state)) = newest {
                assert_eq!(found, seq);
                ok(good.save(&disk, &LOG, seq, &state));
                assert_eq!(ok(Snapshots::load(&disk, &LOG, seq)).0, Some((seq, state)));
            }
        }
        _ => {
            // As the bytes are, without right checksums.
            disk.put("topics", input);
            disk.put("meta", input);
            let _ = (Topics::load(&disk, &LOG).is_ok(), Meta::load(&disk).is_ok());
        }
    }
}

fn known<T: Debug>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Err(error) if is_newer(&error) => None,
        result => Some(ok(result)),
    }
}

fn ok<T: Debug>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|why| unreadable(&why))
}
