//! Typing: each event when it is due. It stops when its client goes, whose connection owns it, or when the server does.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderValue, Response,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};
use futures_util::stream;
use tidewire_hub::Hub;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};

use super::{Step, ask::Pace};

/// The connection breaks, so that no client takes what it has for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut")]
struct Cut;

struct Typist {
    steps: std::vec::IntoIter<Step>,
    /// Breaks off after this one.
    last: usize,
    due: Due,
    hub: Hub,
    _permit: OwnedSemaphorePermit,
}

pub(super) fn stream(
    steps: Vec<Step>,
    pace: Pace,
    breaks: bool,
    hub: Hub,
    permit: OwnedSemaphorePermit,
) -> Response<Body> {
    let typist = Typist {
        last: if breaks { steps.len() / 2 } else { 0 },
        steps: steps.into_iter(),
        due: Due::new(pace),
        hub,
        _permit: permit,
    };
    let events = stream::try_unfold(typist, async |mut typist| {
        if typist.last > 0 && typist.steps.len() == typist.last {
            return Err(Cut);
        }
        let Some(step) = typist.steps.next() else {
            return Ok(None);
        };
        tokio::select! {
            () = typist.hub.closing() => return Err(Cut),
            () = typist.due.wait(step.typed) => {}
        }
        let mut bytes = Vec::with_capacity(step.event.encoded_len());
        step.event.encode(&mut bytes);
        Ok(Some((bytes, typist)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// As long as so much takes, when it is not shown before it is whole.
pub(super) async fn pause(characters: usize, pace: Pace, hub: &Hub) {
    let due = Due::new(pace);
    tokio::select! {
        () = hub.closing() => {}
        () = due.wait(characters) => {}
    }
}

/// When what is due. It is reckoned from the beginning: waits that are too long do not add up.
struct Due {
    begin: Instant,
    cps: f64,
}

impl Due {
    fn new(pace: Pace) -> Self {
        Self {
            begin: Instant::now() + pace.first,
            cps: pace.cps,
        }
    }

    async fn wait(&self, typed: usize) {
        let after = Duration::from_secs_f64(typed as f64 / self.cps);
        sleep_until(self.begin + after).await;
    }
}
