//! Bytes as lines, in whatever pieces they come: line ends, UTF-8, numbers and the longest line, once for
//! both formats.

use std::str;

use http::StatusCode;
use memchr::{memchr, memchr2};

use super::fault::Fault;
use crate::Problem;

/// A buffer that grew beyond this for one line is given back after it.
const KEPT_CAPACITY: usize = 64 << 10;

/// A line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    pub(super) text: &'a str,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// CR, LF or CRLF.
    Any,
    /// LF; a CR in front of it belongs to the line.
    Lf,
}

/// Cuts pieces of a body into lines.
#[derive(Debug)]
pub(super) struct Lines {
    ends: Ends,
    /// The most bytes of a line.
    max: usize,
    /// How many lines have ended.
    complete: u64,
    /// What has come of the line that has not ended.
    begun: Vec<u8>,
    /// `begun` has been handed out, and goes when the next line is asked for.
    shown: bool,
    /// The last line ended with CR: an LF that comes next belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new(ends: Ends, max: usize) -> Self {
        Self {
            ends,
            max,
            complete: 0,
            begun: Vec::new(),
            shown: false,
            after_cr: false,
        }
    }

    /// The number of the line that is being read.
    pub(super) fn current(&self) -> u64 {
        self.complete + 1
    }

    /// How many bytes have come of the line that has not ended.
    pub(super) fn begun(&self) -> usize {
        match self.shown {
            true => 0,
            false => self.begun.len(),
        }
    }

    /// The next line that ends in `rest`, which loses what has been read; none when all has been.
    pub(super) fn next<'s, 'r: 's>(&'s mut self, rest: &mut &'r [u8]) -> Result<Option<Line<'s>>, Fault> {
        self.forget_shown();
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            *rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        let end = match self.ends {
            Ends::Any => memchr2(b'\n', b'\r', rest),
            Ends::Lf => memchr(b'\n', rest),
        };
        let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if piece.len() > self.max - self.begun.len() {
            return Err(self.too_long());
        }
        let Some((end, behind)) = behind.split_first() else {
            self.begun.extend_from_slice(piece);
            *rest = &[];
            return Ok(None);
        };
        *rest = behind;
        self.after_cr = *end == b'\r';
        self.complete += 1;
        if self.begun.is_empty() {
            return text(self.complete, piece).map(Some);
        }
        self.begun.extend_from_slice(piece);
        self.shown = true;
        text(self.complete, &self.begun).map(Some)
    }

    /// When the body is complete: what stands behind its last line end.
    pub(super) fn last(&mut self) -> Result<Option<Line<'_>>, Fault> {
        self.forget_shown();
        if self.begun.is_empty() {
            return Ok(None);
        }
        self.complete += 1;
        self.shown = true;
        text(self.complete, &self.begun).map(Some)
    }

    fn forget_shown(&mut self) {
        if std::mem::take(&mut self.shown) {
            self.begun.clear();
            self.begun.shrink_to(KEPT_CAPACITY);
        }
    }

    fn too_long(&self) -> Fault {
        let detail = format!(
            "the line is longer than {} bytes, more than an event may need (limits.max_event)",
            self.max
        );
        Fault::at(
            self.current(),
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail),
        )
    }
}

fn text(number: u64, bytes: &[u8]) -> Result<Line<'_>, Fault> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let detail =
            format!("no UTF-8 at byte {at} of the line: send text, binary as base64 or as a data URL");
        Fault::at(number, Problem::bad_request("not_utf8", detail))
    })?;
    Ok(Line { number, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<'a>(ends: Ends, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(u64, String)> {
        let mut lines = Lines::new(ends, 100);
        let mut seen = Vec::new();
        for mut rest in pieces {
            while let Some(line) = lines.next(&mut rest).unwrap() {
                seen.push((line.number, line.text.to_owned()));
            }
            assert!(rest.is_empty());
        }
        let last = lines.last().unwrap();
        seen.extend(last.map(|line| (line.number, line.text.to_owned())));
        seen
    }

    #[test]
    fn lines_and_their_numbers_do_not_depend_on_the_pieces() {
        let body = "a\r\n\r\rž\n\nb\r\nlast".as_bytes();
        for (ends, wanted) in [
            (Ends::Any, &["a", "", "", "ž", "", "b", "last"][..]),
            (Ends::Lf, &["a\r", "\r\rž", "", "b\r", "last"]),
        ] {
            let wanted: Vec<_> = (1..).zip(wanted.iter().map(|&line| line.to_owned())).collect();
            assert_eq!(lines(ends, [body]), wanted);
            assert_eq!(lines(ends, body.chunks(1)), wanted);
            for at in 0..=body.len() {
                assert_eq!(lines(ends, [&body[..at], &[], &body[at..]]), wanted, "{at}");
            }
        }
    }

    #[test]
    fn a_line_is_handed_out_with_its_cr_and_a_complete_last_line_leaves_nothing() {
        let mut lines = Lines::new(Ends::Any, 100);
        let line = lines.next(&mut &b"a\r"[..]).unwrap().unwrap();
        assert_eq!((line.number, line.text), (1, "a"));
        assert_eq!(lines.next(&mut &b"\n"[..]).unwrap(), None);
        assert_eq!(lines.last().unwrap(), None);
    }

    #[test]
    fn the_longest_line_is_taken_and_no_longer_one() {
        for piece in [1, 7] {
            let mut lines = Lines::new(Ends::Lf, 6);
            let mut outcome = Ok(());
            for mut rest in b"123456\n1234567".chunks(piece) {
                while let Some(_line) = match lines.next(&mut rest) {
                    Ok(line) => line,
                    Err(fault) => {
                        outcome = Err(fault.place());
                        None
                    }
                } {}
            }
            assert_eq!(outcome, Err(2));
        }
    }

    #[test]
    fn memory_for_a_long_line_is_given_back() {
        let mut lines = Lines::new(Ends::Lf, 1 << 20);
        for piece in [&vec![b'x'; 1 << 20][..], b"\n", b"y"] {
            let mut rest = piece;
            while lines.next(&mut rest).unwrap().is_some() {}
        }
        assert!(lines.begun.capacity() <= KEPT_CAPACITY);
    }
}
