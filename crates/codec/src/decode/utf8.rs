//! Bytes to text, across chunks.
//!
//! What is no UTF-8 becomes U+FFFD, one for each maximal subpart, as the WHATWG decoder does it and
//! [`String::from_utf8_lossy`] too; here a sequence may also be cut by a chunk's end.

use std::str::from_utf8;

/// The first bytes of a character whose other bytes have not come yet: a valid beginning, or empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carry {
    bytes: [u8; 3],
    len: u8,
}

impl Carry {
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    fn new(bytes: &[u8]) -> Self {
        let mut carry = Self::default();
        for (to, from) in carry.bytes.iter_mut().zip(bytes) {
            *to = *from;
            carry.len += 1;
        }
        carry
    }

    /// Takes bytes from the front of `input` until they complete or break the character, and leaves
    /// the carry empty; or takes all of them and stays.
    #[cold]
    pub(super) fn complete(&mut self, input: &mut &[u8]) -> Option<char> {
        let kept = usize::from(self.len);
        let mut sequence = [0; 4];
        sequence[..kept].copy_from_slice(&self.bytes[..kept]);
        let mut len = kept;
        while len < sequence.len() {
            let Some((&byte, rest)) = input.split_first() else {
                *self = Self::new(&sequence[..len]);
                return None;
            };
            sequence[len] = byte;
            match from_utf8(&sequence[..=len]) {
                Ok(text) => {
                    *input = rest;
                    *self = Self::default();
                    return text.chars().next();
                }
                // Still a beginning.
                Err(error) if error.error_len().is_none() => *input = rest,
                // This byte is no part of the sequence and is left for what follows.
                Err(_) => break,
            }
            len += 1;
        }
        *self = Self::default();
        Some(char::REPLACEMENT_CHARACTER)
    }
}

/// The front of `bytes` as text.
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Whether an invalid sequence stood behind the text; it is not part of `rest`.
    pub(super) broken: bool,
    /// Not looked at yet.
    pub(super) rest: &'a [u8],
    /// What stood at the very end and may become a character.
    pub(super) carry: Carry,
}

/// Takes as much text as there is before the first invalid sequence.
#[inline]
pub(super) fn take(bytes: &[u8]) -> Piece<'_> {
    let (body, tail) = bytes.split_at(whole_characters(bytes));
    // Takes a sixth off the instructions of the whole decoder in English, a quarter in Chinese.
    match simdutf8::compat::from_utf8(body) {
        Ok(text) => Piece {
            text,
            broken: false,
            rest: &[],
            carry: Carry::new(tail),
        },
        Err(error) => {
            let valid = error.valid_up_to();
            // No length: the sequence goes to the end of `body`, and the tail does not continue it.
            let broken = error.error_len().unwrap_or(body.len() - valid);
            Piece {
                text: from_utf8(&body[..valid]).unwrap_or_default(),
                broken: true,
                rest: &bytes[valid + broken..],
                carry: Carry::default(),
            }
        }
    }
}

/// Where the unfinished character at the end of `bytes` begins, or their length. Cut off before
/// they are validated, so that text in any script is validated in one go.
#[inline]
fn whole_characters(bytes: &[u8]) -> usize {
    match bytes.last() {
        None | Some(0..0x80) => bytes.len(),
        Some(_) => cut(bytes),
    }
}

fn cut(bytes: &[u8]) -> usize {
    let len = bytes.len();
    // A character has four bytes at most, so an unfinished one has three.
    let lead = (len.saturating_sub(3)..len).rev().find(|&at| bytes[at] >= 0xC0);
    match lead {
        Some(at) if matches!(from_utf8(&bytes[at..]), Err(e) if e.error_len().is_none()) => at,
        _ => len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of `chunks`, the way a feed reads them.
    fn read(chunks: &[&[u8]]) -> String {
        let mut text = String::new();
        let mut carry = Carry::default();
        for &chunk in chunks {
            let mut rest = chunk;
            while !rest.is_empty() {
                if !carry.is_empty() {
                    text.extend(carry.complete(&mut rest));
                    continue;
                }
                let piece = take(rest);
                text.push_str(piece.text);
                if piece.broken {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
                (rest, carry) = (piece.rest, piece.carry);
            }
        }
        if !carry.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        text
    }

    #[test]
    fn w1_every_cut_reads_as_the_whole() {
        let samples: [&[u8]; 9] = [
            "aé世🌊z".as_bytes(),
            b"\xF0\x9F\x8C",
            b"\xF0\x9F\x8CA\xE4\xBD\xC3\xA9",
            b"\xE0\x80\x80\xED\xA0\x80\xED\x9F\xBF", // overlong form, surrogate, last before it
            b"\xF4\x90\x80\x80\xF5\x80\xC0\xAF",     // beyond U+10FFFF, no lead bytes
            b"\x80\xBF\xBF\xBF\xC2\xC2\x80",
            b"\xF0\x80\x80\x80\xF1\x80\x80\xF1\x80A",
            b"\xEF\xBB\xBF\xEF\xBB\xBF\xEF\xBB",
            b"\xFF\xFE\xF8\x88\x80\x80\x80\xE4\xE4\xBD\xA0",
        ];
        for bytes in samples {
            let expected = String::from_utf8_lossy(bytes);
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(read(&chunks), expected, "{bytes:x?} cut at {first}, {second}");
                }
            }
            let bytewise: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(read(&bytewise), expected, "{bytes:x?} byte by byte");
        }
    }
}
