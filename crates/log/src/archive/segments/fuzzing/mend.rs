//! Right checksums for wrong bytes: what a fuzzer changes would otherwise never get past them.

use super::super::format::{BATCH_HEADER, LogId, RECORD_HEADER, SEGMENT_HEADER};

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field) as usize)
}

/// Makes the segment this log's and this base's, and its checksums right, wherever the bytes look like batches and records.
pub(super) fn segment(bytes: &mut [u8], log: &LogId, base: u64) {
    const HEADER: usize = SEGMENT_HEADER as usize;
    if bytes.len() < HEADER {
        return;
    }
    bytes[..8].copy_from_slice(b"TIDEWSEG");
    let version: u32 = if bytes[8] == 1 { 1 } else { 2 };
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[16..32].copy_from_slice(log);
    bytes[32..40].copy_from_slice(&base.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    put(bytes, 60, crc);
    let mut at = HEADER;
    while at + BATCH_HEADER <= bytes.len() {
        if bytes[at..at + 4] != *b"TWBA" {
            // A torn place, perhaps; what follows it may be good.
            at += 1;
            continue;
        }
        let mut seed = crc32c::crc32c(log);
        for number in [base, at as u64] {
            seed = crc32c::crc32c_append(seed, &number.to_le_bytes());
        }
        let crc = crc32c::crc32c_append(seed, &bytes[at..at + 32]);
        put(bytes, at + 32, crc);
        let len = u32_at(bytes, at + 4).unwrap_or_default();
        let start = at + BATCH_HEADER;
        let Some(end) = start.checked_add(len).filter(|end| *end <= bytes.len()) else {
            at += 1;
            continue;
        };
        records(&mut bytes[start..end]);
        at = end;
    }
}

fn records(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(len) = u32_at(bytes, at) {
        let body = at + RECORD_HEADER;
        let Some(end) = body.checked_add(len).filter(|end| *end <= bytes.len()) else {
            return;
        };
        let crc = crc32c::crc32c(&bytes[body..end]);
        put(bytes, at + 4, crc);
        at = end;
    }
}

/// A record of this body.
pub(super) fn record(body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend(crc32c::crc32c(body).to_le_bytes());
    bytes.extend(body);
    bytes
}
