//! Packed bodies of HTTP, unpacked as they stream: for the relay's upstreams, the client and the doctor.
//!
//! | open | for |
//! |---|---|
//! | [`Packing`] | what `Content-Encoding` says |
//! | [`Unpacked`] | a stream of packed bytes as a stream of unpacked ones |
//! | [`Unpack`] | the same for bytes that are there already, without I/O |
//!
//! # Bounds
//! - Beyond [`FREE`] bytes, a body that is more than [`RATIO`] times as large as its packed bytes is an error
//!   ([`Bomb`]). Event streams seldom reach 50 times, because each event is flushed; gzip can reach 1,030, br and zstd
//!   far more.
//! - Beyond `FREE_PACKED` packed bytes, a body of which less than one in `HOLLOW` comes is the same error: members, frames
//!   and blocks may hold nothing, and would be read on for ever. A gzip member for each event of 8 bytes is 4 times as large.
//! - A zstd body may refer back 8 MiB, as RFC 9659 allows; the decoder by itself would keep 128 MiB.
//! - `STEP` bytes are unpacked at a time, and after `AT_A_TIME` other tasks have a turn.
//!
//! How large a body may be is up to its reader.
//!
//! Without the feature `codecs`, every packed body is one that cannot be unpacked ([`Packing::of`]).

mod stream;
mod sync;

use std::io;

use http::{HeaderMap, header};

pub use stream::Unpacked;
pub use sync::Unpack;

/// The encodings to ask for.
pub const ACCEPTED: &str = match cfg!(feature = "codecs") {
    true => "gzip, br, zstd",
    false => "identity",
};

/// So many bytes may come of however few.
pub const FREE: u64 = 16 << 20;

/// How many times larger than its packed bytes a body may be beyond [`FREE`].
pub const RATIO: u64 = 250;

/// Of so many packed bytes nothing need come.
const FREE_PACKED: u64 = 1 << 20;

/// How many times larger than what comes of them packed bytes may be beyond [`FREE_PACKED`].
const HOLLOW: u64 = 8;

/// How much is unpacked at a time.
#[cfg(feature = "codecs")]
const STEP: usize = 16 << 10;

/// How much is unpacked before other tasks have a turn.
const AT_A_TIME: usize = 128 << 10;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// It is not.
    None,
    /// `gzip`
    Gzip,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
    /// `deflate`, in its zlib form.
    Deflate,
}

impl Packing {
    /// What the headers say.
    ///
    /// # Errors
    /// The name of an encoding that cannot be unpacked, in lower case.
    pub fn of(headers: &HeaderMap) -> Result<Self, String> {
        let names = headers.get_all(header::CONTENT_ENCODING).iter();
        let names: Vec<_> = names
            .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
            .collect();
        Self::named(&names.join(", "))
    }

    /// What this `Content-Encoding` stands for.
    ///
    /// # Errors
    /// The name, in lower case, if it cannot be unpacked.
    pub fn named(name: &str) -> Result<Self, String> {
        let name = name.trim().to_ascii_lowercase();
        // `none` is no name of an encoding, but servers write it, and browsers pass over it.
        let is_encoding = |name: &&str| !matches!(*name, "" | "identity" | "none");
        let mut encodings = name.split(',').map(str::trim).filter(is_encoding);
        let (first, more) = (encodings.next().unwrap_or_default(), encodings.next());
        match first {
            // Packed twice over is packed in a way that nobody asked for.
            _ if more.is_some() => Err(name),
            "" => Ok(Self::None),
            _ if !cfg!(feature = "codecs") => Err(name),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            "deflate" => Ok(Self::Deflate),
            _ => Err(name),
        }
    }
}

impl Packing {
    /// The most memory that unpacking takes when so many bytes have come out of a body: the decoder's tables, and what it
    /// keeps to refer back to (RFC 9659 for zstd, RFC 7932 § 9.1 for br), which is touched as it fills.
    #[must_use]
    pub fn memory(self, unpacked: usize) -> usize {
        let (tables, window) = match self {
            Self::None => (0, 0),
            Self::Gzip | Self::Deflate => (96 << 10, 0),
            Self::Zstd => (512 << 10, 1 << stream::ZSTD_WINDOW),
            // Of 256 codes of each kind.
            Self::Brotli => (4 << 20, 16 << 20),
        };
        tables + unpacked.min(window)
    }
}

/// A body that costs much more than its packed bytes, or than what comes of them, and is read no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{packed} packed bytes hold {unpacked}: over {RATIO} times as many, or under one in {HOLLOW}, are not unpacked"
)]
pub struct Bomb {
    /// Its packed bytes so far.
    pub packed: u64,
    /// What came of them.
    pub unpacked: u64,
}

impl Bomb {
    fn check(packed: u64, unpacked: u64) -> io::Result<()> {
        let is_large = unpacked > FREE && unpacked / RATIO > packed;
        let is_hollow = packed > FREE_PACKED && packed / HOLLOW > unpacked;
        match is_large || is_hollow {
            true => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                Self { packed, unpacked },
            )),
            false => Ok(()),
        }
    }
}
