//! A body as a browser would unpack it, as far as it is kept here.

use tidewire_unpack::{Packing, Unpack as Packed};

/// What all of a body may be when it is unpacked.
const MOST: usize = 64 << 20;

/// One body.
pub(crate) enum Unpack {
    /// It is not packed.
    Plain,
    /// With how much more may come of it.
    Packed(Box<Packed>, usize),
    /// Nobody asked for this encoding, or the bytes are not what they are said to be, or too many.
    Failed,
}

impl Unpack {
    /// For a `Content-Encoding`.
    pub(crate) fn new(encoding: Option<&str>) -> Self {
        match encoding.map_or(Ok(Packing::None), Packing::named) {
            Ok(Packing::None) => Self::Plain,
            Ok(packing) => Self::Packed(Box::new(Packed::new(packing)), MOST),
            Err(_) => Self::Failed,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    pub(crate) fn is_packed(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// For a body of which nothing is held: what was read so far counts no more.
    pub(crate) fn forget(&mut self) {
        if let Self::Packed(_, left) = self {
            *left = MOST;
        }
    }

    /// What can be read now that `bytes` have come too.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (body, left) = match self {
            Self::Plain => return bytes.to_vec(),
            Self::Failed => return Vec::new(),
            Self::Packed(body, left) => (body, left),
        };
        match body.feed(bytes, *left) {
            Ok(readable) => {
                *left -= readable.len();
                readable
            }
            Err(_) => {
                *self = Self::Failed;
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_that_browsers_ask_for_is_known() {
        for (encoding, known) in [
            ("gzip", true),
            ("deflate", true),
            ("br", true),
            ("zstd", true),
            ("compress", false),
        ] {
            assert_eq!(!Unpack::new(Some(encoding)).has_failed(), known, "{encoding}");
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_fails() {
        let mut unpack = Unpack::new(Some("gzip"));
        assert_eq!(unpack.feed(b"data: not packed at all\n\n"), b"");
        assert!(unpack.has_failed());
    }
}
