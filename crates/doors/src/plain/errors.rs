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
            Error::InvalidReaderName { .. } => (StatusCode::BAD_REQUEST, "bad_name"),
            Error::InvalidKey { .. } => (StatusCode::BAD_REQUEST, "bad_key"),
            Error::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
            Error::EventTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Error::Ended { .. } => (StatusCode::CONFLICT, "ended"),
            Error::TopicsFull { .. } => (StatusCode::INSUFFICIENT_STORAGE, "topics_full"),
            Error::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Error::Poisoned { .. } => (StatusCode::SERVICE_UNAVAILABLE, "poisoned"),
            Error::Closed => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Error::Damaged { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "damaged"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let problem = Problem::new(status, code, error.to_string());
        match error {
            Error::Closed => problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => problem,
        }
    }
}
