//! The answer to a connection for which there is no place: it reads one request, says why, and closes.
//!
//! Bound: [`AT_A_TIME`] are told why; more are closed without a word.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse as _,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tidewire_doors::{Problem, guard::Guard};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use super::{guests::Full, linger::Lingering};

const AT_A_TIME: usize = 256;

/// Time for the request that is answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// When to come again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Who may be told at a time, and which pages may read it.
#[derive(Clone)]
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    guard: Guard,
}

impl Refusals {
    pub(super) fn new(guard: Guard) -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            guard,
        }
    }

    /// Leave to tell one more.
    pub(super) fn one_more(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Answers one request with the reason, and closes.
    pub(super) async fn refuse(
        self,
        stream: TcpStream,
        why: Full,
        max_header: usize,
        stop: CancellationToken,
        _leave: OwnedSemaphorePermit,
    ) {
        let stream = Lingering::new(stream, stop.clone());
        let answer = service_fn(async |request: Request<Incoming>| {
            let mut response = problem(why).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            let (path, method) = (request.uri().path(), request.method());
            let response = self.guard.refuse(request.headers(), method, path, response);
            Ok::<_, Infallible>(response)
        });
        let told = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(max_header)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::select! {
            // Who does not ask, or goes, need not be told.
            _ = told => {}
            () = stop.cancelled() => {}
        }
    }
}

fn problem(why: Full) -> Problem {
    match why {
        Full::InAll(max) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_connections",
            format!("the server has {max} connections, its most (limits.max_connections): come again later"),
        ),
        Full::FromAddress(max) => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_connections_from_address",
            format!(
                "your address has {max} connections, the most for one (limits.max_connections_per_address): \
                 close some, or read many topics over one"
            ),
        ),
    }
}
