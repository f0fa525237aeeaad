//! Binary data as the text of an event: a data URL (RFC 2397), which says by itself how to read it.
//!
//! | size | written as |
//! |---|---|
//! | up to [`GZIP_ABOVE`], or where gzip does not help | `data:application/octet-stream;base64,…` |
//! | above | `data:application/gzip;base64,…`: the same bytes, gzipped (RFC 1952) |
//!
//! The media type is about the writing only: who wants to send a gzip file sends its bytes like any
//! others. What the bytes are is for the event's name to tell.
//!
//! Reading is bounded by the caller, before anything is decoded: base64 by its length, gzip byte by
//! byte, so that a small text cannot become a large buffer.
//!
//! ```
//! use tidewire_codec::binary;
//!
//! let text = binary::write(&[0x00, 0xFF]);
//! assert_eq!(text, "data:application/octet-stream;base64,AP8=");
//! assert_eq!(binary::read(&text, 1024)?, [0x00, 0xFF]);
//! # Ok::<(), binary::BinaryError>(())
//! ```

use std::fmt;
use std::io::{self, Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// The size in bytes above which [`write()`] tries gzip. Below it gzip gains little: its header and
/// trailer alone take 18 bytes.
pub const GZIP_ABOVE: usize = 1024;

const PLAIN: &str = "data:application/octet-stream;base64,";
const GZIP: &str = "data:application/gzip;base64,";

/// Writes bytes as a data URL; gzipped if they are more than [`GZIP_ABOVE`] and fewer that way.
#[must_use]
pub fn write(bytes: &[u8]) -> String {
    write_with(bytes, GZIP_ABOVE)
}

/// [`write()`] with a size of one's own; `usize::MAX` never gzips.
#[must_use]
pub fn write_with(bytes: &[u8], gzip_above: usize) -> String {
    if bytes.len() > gzip_above
        && let Ok(gzip) = gzip(bytes)
        && gzip.len() < bytes.len()
    {
        return url(GZIP, &gzip);
    }
    url(PLAIN, bytes)
}

/// Whether a text is one that [`write()`] may have written, by its first characters.
#[must_use]
pub fn is_binary(text: &str) -> bool {
    text.starts_with(PLAIN) || text.starts_with(GZIP)
}

/// Reads back what [`write()`] wrote.
///
/// # Errors
/// [`BinaryError`]: the text is no such data URL, it is damaged, or it holds more than `max` bytes.
pub fn read(text: &str, max: usize) -> Result<Vec<u8>, BinaryError> {
    if let Some(base64) = text.strip_prefix(PLAIN) {
        return unbase64(base64, max);
    }
    let base64 = text.strip_prefix(GZIP).ok_or(BinaryError::NotBinary)?;
    // Written only where it is shorter than the bytes; some slack, for writers who do not compare.
    let gzip = unbase64(base64, max.saturating_add(GZIP_ABOVE)).map_err(|error| match error {
        BinaryError::TooLarge { .. } => BinaryError::TooLarge { max },
        other => other,
    })?;
    gunzip(&gzip, max)
}

fn url(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
    text.push_str(prefix);
    BASE64_STANDARD.encode_string(bytes, &mut text);
    text
}

fn unbase64(text: &str, max: usize) -> Result<Vec<u8>, BinaryError> {
    let padding = text.bytes().rev().take(2).filter(|&byte| byte == b'=').count();
    if (text.len() / 4 * 3).saturating_sub(padding) > max {
        return Err(BinaryError::TooLarge { max });
    }
    BASE64_STANDARD.decode(text).map_err(BinaryError::Base64)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn gunzip(gzip: &[u8], max: usize) -> Result<Vec<u8>, BinaryError> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more; a `max` of u64::MAX cannot be exceeded.
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(gzip)
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(BinaryError::Gzip)?;
    if bytes.len() > max {
        return Err(BinaryError::TooLarge { max });
    }
    Ok(bytes)
}

/// Why a text cannot be read as binary data.
#[derive(Debug)]
#[non_exhaustive]
pub enum BinaryError {
    /// It is no data URL of the two forms: read it as text.
    NotBinary,
    /// Its base64 is damaged: ask the publisher.
    Base64(base64::DecodeError),
    /// Its gzip is damaged or cut off: ask the publisher.
    Gzip(io::Error),
    /// It holds more bytes than the reader allows: raise the limit to read it.
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
}

impl fmt::Display for BinaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBinary => f.write_str("this is no binary data: read it as text"),
            Self::Base64(_) => f.write_str("the binary data has broken base64"),
            Self::Gzip(_) => f.write_str("the binary data has broken gzip"),
            Self::TooLarge { max } => {
                write!(
                    f,
                    "the binary data takes more than {max} bytes: raise the limit to read it"
                )
            }
        }
    }
}

impl std::error::Error for BinaryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Base64(error) => Some(error),
            Self::Gzip(error) => Some(error),
            Self::NotBinary | Self::TooLarge { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w5_small_binary_is_base64() {
        for bytes in [&b""[..], b"\0", b"\xFF\xFE", b"\r\n\0", &[7; GZIP_ABOVE]] {
            let text = write(bytes);
            assert!(text.starts_with(PLAIN), "{text}");
            assert!(is_binary(&text));
            assert_eq!(read(&text, bytes.len()).unwrap(), bytes);
        }
    }

    #[test]
    fn w5_large_binary_is_gzip_where_that_is_shorter() {
        let bytes = [7; GZIP_ABOVE + 1];
        let text = write(&bytes);
        assert!(text.starts_with(GZIP) && text.len() < 100, "{text}");
        assert_eq!(read(&text, bytes.len()).unwrap(), bytes);

        // Bytes without pattern: gzip cannot help, and a gzip file is bytes like any others.
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(5000)
        .collect();
        let text = write(&noise);
        assert!(text.starts_with(PLAIN));
        assert_eq!(read(&text, 5000).unwrap(), noise);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn w5_a_limit_is_met_before_memory_is_taken() {
        let plain = write(&[0; 10]);
        assert!(read(&plain, 10).is_ok());
        assert!(matches!(read(&plain, 9), Err(BinaryError::TooLarge { max: 9 })));

        let bomb = write(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20 << 10, "10 MiB in a small text");
        let error = read(&bomb, 100 << 10).unwrap_err();
        assert!(matches!(error, BinaryError::TooLarge { max: 102_400 }), "{error}");
        assert!(error.to_string().contains("102400"));
        assert_eq!(read(&bomb, 10 << 20).unwrap().len(), 10 << 20);
    }

    #[test]
    fn w5_what_is_damaged_or_text_is_said_to_be() {
        assert!(!is_binary("data:text/plain,hi"));
        assert!(matches!(read("hello", 9), Err(BinaryError::NotBinary)));
        for damaged in ["!", "AP8", "AP8=AP8=", "AP 8"] {
            let read = read(&format!("{PLAIN}{damaged}"), 99);
            assert!(matches!(read, Err(BinaryError::Base64(_))), "{damaged}: {read:?}");
        }
        let whole = gzip(b"hello, hello, hello").unwrap();
        for gzip in [&whole[..whole.len() - 1], &whole[..5], b"no gzip", b""] {
            let read = read(&url(GZIP, gzip), 99);
            assert!(matches!(read, Err(BinaryError::Gzip(_))), "{gzip:x?}: {read:?}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let error = read(&url(GZIP, &flipped), 99).unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "{error}");
    }
}
