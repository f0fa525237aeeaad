//! The hub's errors as HTTP statuses, once.

use http::{HeaderValue, StatusCode, header};
use tidewire_hub::Error;

use crate::Problem;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::TopicEmpty | Error::NoTopic | Error::TopicControl { .. } => {
                (StatusCode::BAD_REQUEST, "bad_topic")
            }
            Error::TopicTooLong { .. } => (StatusCode::URI_TOO_LONG, "topic_too_long"),
            Error::TooManyTopics { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_topics"),
            Error::InvalidId { .. } => (StatusCode::BAD_REQUEST, "bad_id"),
            Error::ReservedName { .. } => (StatusCode::BAD_REQUEST, "reserved_event"),
            Error::RetryTooLong { .. } => (StatusCode::BAD_REQUEST, "bad_retry"),
            Error::InvalidReaderName { .. } => (StatusCode::BAD_REQUEST, "bad_name"),
            Error::InvalidKey { .. } => (StatusCode::BAD_REQUEST, "bad_key"),
            Error::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
            Error::EventTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Error::Ended { .. } => (StatusCode::CONFLICT, "ended"),
            Error::TopicsFull { .. } => (StatusCode::INSUFFICIENT_STORAGE, "topics_full"),
            Error::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Error::Short { .. } => (StatusCode::SERVICE_UNAVAILABLE, "short_of_resources"),
            Error::Unwritten { .. } => (StatusCode::SERVICE_UNAVAILABLE, "log_failing"),
            Error::Poisoned { .. } => (StatusCode::SERVICE_UNAVAILABLE, "poisoned"),
            Error::WatchedFull { .. } => (StatusCode::SERVICE_UNAVAILABLE, "watched_full"),
            Error::Closed => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Error::Unordered => (StatusCode::SERVICE_UNAVAILABLE, "not_ordered"),
            Error::OutcomeUnknown => (StatusCode::GATEWAY_TIMEOUT, "outcome_unknown"),
            Error::Damaged { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "damaged"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let problem = Problem::new(status, code, said(&error));
        match error {
            Error::Closed => problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            Error::Short { .. } | Error::Unordered => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
            }
            _ => problem,
        }
    }
}

/// The error's text, but for what the system said: it names files of the server, and is in its log.
pub fn said(error: &Error) -> String {
    let why = String::from("the reason is in the server's log");
    let without = match error {
        Error::Full { .. } => Error::Full { why },
        Error::Unwritten { .. } => Error::Unwritten { why },
        Error::Poisoned { .. } => Error::Poisoned { why },
        Error::Damaged { .. } => Error::Damaged { why },
        other => return other.to_string(),
    };
    without.to_string()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn a_log_that_cannot_be_written_says_whether_to_try_again() {
        let why = || "/var/lib/tidewire/segments/7: ENOSPC".to_owned();
        let answer = |error| Problem::from(error).into_response();
        let full = answer(Error::Full { why: why() });
        let failing = answer(Error::Unwritten { why: why() });
        let short = answer(Error::Short { why: why() });
        let poisoned = answer(Error::Poisoned { why: why() });
        let draining = answer(Error::Closed);
        let [unordered, unknown] = [answer(Error::Unordered), answer(Error::OutcomeUnknown)];
        assert_eq!(unknown.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
        for answer in [&poisoned, &failing, &short, &unordered] {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        // After a drain somebody else is there in a moment, and a shortage passes.
        let retries = |response: &http::Response<_>| response.headers().contains_key(header::RETRY_AFTER);
        assert!(
            retries(&draining)
                && retries(&short)
                && retries(&unordered)
                && !retries(&full)
                && !retries(&poisoned)
        );
    }

    #[tokio::test]
    async fn what_the_system_said_of_the_log_stays_in_the_servers_own_log() {
        let why = || "/var/lib/tidewire/segments/7: ENOSPC".to_owned();
        for error in [
            Error::Full { why: why() },
            Error::Unwritten { why: why() },
            Error::Poisoned { why: why() },
            Error::Damaged { why: why() },
        ] {
            let body = Problem::from(error).into_response().into_body();
            let body = axum::body::to_bytes(body, 4096).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                !body.contains("/var/lib") && body.contains("the server's log"),
                "{body}"
            );
        }
    }
}
