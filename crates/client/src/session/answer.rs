//! What an answer's head means.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header, response::Parts};

use tidewire_codec::content_type;
use tidewire_unpack::Packing;

use crate::{policy::Retry, redirect};

/// What to do with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read it.
    Stream,
    /// Nothing, and nothing again: 204.
    Stop,
    /// Go where it says.
    Redirect,
    /// It is a stream, but packed in a way that nobody here can unpack.
    Packed(String),
    /// Read what it says, and be done with it.
    Refused(Reject),
}

/// Why an answer is no stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reject {
    /// Its status; perhaps it will be another one `after` a while.
    Status { again: bool, after: Option<Duration> },
    /// Its media type.
    ContentType,
}

impl Kind {
    pub(super) fn of(head: &Parts, retry: &Retry, wall: SystemTime) -> Self {
        let Parts { status, headers, .. } = head;
        match *status {
            StatusCode::NO_CONTENT => Self::Stop,
            // Frameworks answer a POST with 201 or 202. These two say that there is no whole body.
            status
                if status.is_success()
                    && !matches!(status, StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT) =>
            {
                match Packing::of(headers) {
                    _ if !is_event_stream(headers) => Self::Refused(Reject::ContentType),
                    Ok(_) => Self::Stream,
                    Err(encoding) => Self::Packed(encoding),
                }
            }
            status if redirect::is_redirect(status) => Self::Redirect,
            status => Self::Refused(Reject::Status {
                again: (retry.statuses)(status),
                after: retry_after(headers, wall),
            }),
        }
    }
}

/// Parameters do not count (WHATWG HTML § 9.2.2).
fn is_event_stream(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONTENT_TYPE);
    content_type::is_event_stream(lines.iter().map(http::HeaderValue::as_bytes))
}

/// `Retry-After` (RFC 9110 § 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::{HeaderName, HeaderValue, Response};

    use super::*;

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for &(name, value) in headers {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
        response.into_parts().0
    }

    fn kind(status: u16, headers: &[(&'static str, &'static str)]) -> Kind {
        Kind::of(&head(status, headers), &Retry::default(), UNIX_EPOCH)
    }

    #[test]
    fn the_essence_counts_in_any_case_and_with_any_parameters() {
        for value in [
            "text/event-stream",
            "Text/Event-Stream",
            "text/event-stream; charset=utf-8",
            " TEXT/EVENT-STREAM ;charset=latin1; x=y",
        ] {
            assert_eq!(kind(200, &[("content-type", value)]), Kind::Stream, "{value}");
        }
        for value in ["text/html", "text/event-streams", "application/json", ""] {
            let refused = Kind::Refused(Reject::ContentType);
            assert_eq!(kind(200, &[("content-type", value)]), refused, "{value}");
        }
        assert_eq!(kind(200, &[]), Kind::Refused(Reject::ContentType));
    }

    #[test]
    fn a_type_is_read_as_fetch_reads_it() {
        for vector in crate::vectors::read("types.json") {
            let mut head = head(200, &[]);
            for value in vector["values"].as_array().unwrap() {
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                head.headers.append(header::CONTENT_TYPE, value);
            }
            let kind = Kind::of(&head, &Retry::default(), UNIX_EPOCH);
            let is_stream = matches!(kind, Kind::Stream);
            assert_eq!(is_stream, vector["is"] == true, "{}", vector["name"]);
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        for status in 200..600 {
            let expected = match status {
                204 => Kind::Stop,
                200..=203 | 207..=299 => Kind::Stream,
                301 | 302 | 303 | 307 | 308 => Kind::Redirect,
                408 | 425 | 429 | 500 | 502..=504 | 506..600 => Kind::Refused(Reject::Status {
                    again: true,
                    after: None,
                }),
                _ => Kind::Refused(Reject::Status {
                    again: false,
                    after: None,
                }),
            };
            assert_eq!(
                kind(status, &[("content-type", "text/event-stream")]),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_packing_that_cannot_be_undone_is_named() {
        let stream = ("content-type", "text/event-stream");
        for known in [
            "gzip",
            "x-gzip",
            "br",
            "zstd",
            "deflate",
            "GZIP",
            "identity",
            "",
            "none",
            "None",
            "identity, gzip",
        ] {
            assert_eq!(
                kind(200, &[stream, ("content-encoding", known)]),
                Kind::Stream,
                "{known}"
            );
        }
        assert_eq!(
            kind(200, &[stream, ("content-encoding", "compress")]),
            Kind::Packed("compress".into())
        );
        let twice = [stream, ("content-encoding", "gzip"), ("content-encoding", "br")];
        assert_eq!(kind(200, &twice), Kind::Packed("gzip, br".into()));
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_700);
        let after = |value| retry_after(&head(503, &[("retry-after", value)]).headers, now);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(77)),
            "784111777 is that second"
        );
        assert_eq!(
            after("Sun, 06 Nov 1994 08:00:00 GMT"),
            Some(Duration::ZERO),
            "in the past"
        );
        for wrong in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(after(wrong), None, "{wrong}");
        }
    }
}
