//! What requests to all doors say in the same way: the last event that a reader has, idempotency keys, WebSockets.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header::UPGRADE};

/// The parameters that hold the id of the last event that a reader has, as libraries spell them.
pub const LAST_EVENT_ID: [&str; 5] = [
    "last_event_id",
    "lastEventId",
    "lastEventID",
    "Last-Event-ID",
    "last-event-id",
];

/// Whether a GET with these headers asks for a WebSocket, or a response agrees to one.
pub fn wants_websocket(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(UPGRADE).iter();
    let mut protocols = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// An `Idempotency-Key`. Its draft (draft-ietf-httpapi-idempotency-key-header) makes it a string of RFC 9651, in quotes; many
/// clients send it bare. Both are the same key.
pub fn idempotency_key(value: &HeaderValue) -> Cow<'_, [u8]> {
    let bare = value.as_bytes();
    match unquoted(bare) {
        Some(key) => Cow::Owned(key),
        None => Cow::Borrowed(bare),
    }
}

/// What a string of RFC 9651 (§ 4.2.5) holds; none if it is no such string.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?.iter();
    let mut key = Vec::with_capacity(inner.len());
    while let Some(byte) = inner.next() {
        key.push(match byte {
            b'\\' => *inner.next().filter(|escaped| matches!(escaped, b'"' | b'\\'))?,
            b' '..=b'~' if *byte != b'"' => *byte,
            _ => return None,
        });
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_quotes_is_what_they_hold() {
        for (sent, key) in [
            ("k1", "k1"),
            (r#""k1""#, "k1"),
            (r#""a b""#, "a b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#""""#, ""),
            // No strings: taken as they are.
            (r#"""#, r#"""#),
            (r#""k1"#, r#""k1"#),
            (r#""a"b""#, r#""a"b""#),
            (r#""a\b""#, r#""a\b""#),
            (r#""a\""#, r#""a\""#),
            (r#""k1";x=1"#, r#""k1";x=1"#),
        ] {
            let value = HeaderValue::from_static(sent);
            assert_eq!(idempotency_key(&value), key.as_bytes(), "{sent}");
        }
    }
}
