//! The media type of a body, as Fetch reads it from the lines of `Content-Type` ("extract a MIME type"): a proxy or a
//! framework that adds a second one makes a list of it, of which the last one counts.

use crate::protocol::EVENT_STREAM;

/// The essence of the last value that is a media type, in lower case: `text/event-stream`, without parameters.
#[must_use]
pub fn essence<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let lines: Vec<&[u8]> = lines.into_iter().collect();
    let header = lines.join(&b", "[..]);
    let (mut is_quoted, mut is_escaped) = (false, false);
    let values = header.split(|&byte| {
        if std::mem::take(&mut is_escaped) {
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' => is_escaped = is_quoted,
            _ => {}
        }
        byte == b',' && !is_quoted
    });
    values.filter_map(essence_of).last()
}

/// Whether these lines of `Content-Type` say that the body is an event stream.
#[must_use]
pub fn is_event_stream<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> bool {
    essence(lines).as_deref() == Some(EVENT_STREAM)
}

/// Of one value. Any type (`*/*`) is none.
fn essence_of(value: &[u8]) -> Option<String> {
    let essence = value.split(|&byte| byte == b';').next()?.trim_ascii();
    let mut parts = essence.split(|&byte| byte == b'/');
    let (kind, subtype, more) = (parts.next()?, parts.next()?, parts.next());
    let is_type = is_token(kind) && is_token(subtype) && more.is_none() && essence != b"*/*";
    is_type.then(|| String::from_utf8_lossy(essence).to_ascii_lowercase())
}

/// RFC 9110 § 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_char = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_char)
}
