//! A request's way to the upstream, and the answer's way back. Nothing is changed but what belongs to a connection, and
//! what names the tap (`hop`).
//!
//! Where a client asks for an event stream, or gets a stream, the answer's body is watched, whatever it is: an error in
//! place of a stream is what one wants to see.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, Method, Response, StatusCode, Version,
        header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE},
        response::Parts,
    },
    response::IntoResponse as _,
};
use tidewire_doors::{Problem, guard::Guard};
use tidewire_hub::clock::{Clock, millis};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    hop,
    reading::{Form, Reading},
    scribe::Scribe,
    store::Store,
    stream::Opened,
    tunnel::{self, Tunnel},
    upstream::{Client, Upstream},
    watched::{Watched, Watcher, cause, watch},
};
use crate::{
    recording::{self, Head},
    secrets::Secrets,
    unpack::Unpack,
};

pub(super) struct Tap {
    upstream: Arc<Upstream>,
    client: Client,
    store: Arc<Store>,
    tasks: TaskTracker,
    secrets: Secrets,
    clock: Clock,
}

/// Everything goes through. A `Host` that is not loopback is 421: it would be a page that an attacker's name brought here.
pub(super) fn router(tap: Tap) -> Router {
    let tap = Arc::new(tap);
    let through = Router::new().fallback(move |request: Request| {
        let tap = Arc::clone(&tap);
        async move { tap.pass(request).await }
    });
    Guard::loopback().protect_hosts(through)
}

/// What the view wants to know of a request, from before it was sent.
struct Asked {
    request: recording::Request,
    wants_events: bool,
    came_with: Option<String>,
    is_head: bool,
    time: u64,
    sent: Instant,
}

impl Tap {
    pub(super) fn new(
        upstream: Arc<Upstream>,
        store: Arc<Store>,
        tasks: TaskTracker,
        secrets: Secrets,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: upstream.client()?,
            upstream,
            store,
            tasks,
            secrets,
            clock: Clock::system(),
        })
    }

    async fn pass(&self, mut request: Request) -> Response<Body> {
        self.store.pass();
        if request.method() == Method::CONNECT {
            let detail = format!(
                "this is a tap of {}, no proxy: ask it as you would ask the upstream",
                self.upstream
            );
            return Problem::new(StatusCode::NOT_IMPLEMENTED, "no_proxy", detail).into_response();
        }
        let tunnel = Tunnel::asked_for(&mut request);
        match self.upstream.uri(request.uri().path_and_query()) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return unreachable(&self.upstream, &error).into_response(),
        }
        *request.version_mut() = Version::HTTP_11;
        hop::leave_connection(request.headers_mut());
        hop::call_upstream_by_name(request.headers_mut(), &self.upstream);
        if tunnel.is_some() {
            tunnel::upgrade(request.headers_mut());
        }
        let asked = self.asked(&request);
        match self.client.ask(request).await {
            Ok(mut response) => {
                if let Some(tunnel) = tunnel.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS)
                {
                    return tunnel.open(&mut response, &self.tasks);
                }
                let (mut head, body) = response.into_parts();
                let watcher = self.watch(asked, &head);
                hop::leave_connection(&mut head.headers);
                let body = match watcher {
                    Some(watcher) => Body::new(Watched::new(body, watcher)),
                    None => Body::new(body),
                };
                Response::from_parts(head, body)
            }
            Err(error) => {
                let response = unreachable(&self.upstream, &error).into_response();
                let (head, body) = response.into_parts();
                if let Some(watcher) = self.watch(asked, &head) {
                    watcher.failed(format!("the upstream cannot be asked: {}", cause(&error)));
                }
                Response::from_parts(head, body)
            }
        }
    }

    fn asked(&self, request: &Request) -> Asked {
        let headers = request.headers();
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let came_with = headers.get("last-event-id");
        Asked {
            request: recording::Request {
                method: request.method().to_string(),
                url: self.secrets.url(&format!("{}{path}", self.upstream)).into_owned(),
                headers: self.secrets.headers(headers),
            },
            wants_events: text(headers, &ACCEPT)
                .to_ascii_lowercase()
                .contains("text/event-stream"),
            came_with: came_with.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            is_head: request.method() == Method::HEAD,
            time: self.clock.now(),
            sent: Instant::now(),
        }
    }

    /// Begins to watch an answer, if it is one to watch.
    fn watch(&self, asked: Asked, answered: &Parts) -> Option<Watcher> {
        let form = Form::of(text(&answered.headers, &CONTENT_TYPE));
        if asked.is_head || (form == Form::Other && !asked.wants_events) {
            return None;
        }
        let now = Instant::now();
        let response = recording::Response {
            after: millis(now - asked.sent),
            version: format!("{:?}", answered.version),
            status: answered.status.as_u16(),
            headers: self.secrets.headers(&answered.headers),
        };
        let id = self.store.open(Opened {
            form,
            sent: asked.sent,
            head: Head::new(asked.time, asked.request, response),
            came_with: asked.came_with,
        });
        let (watcher, told) = watch(now);
        let encoding = text(&answered.headers, &CONTENT_ENCODING)
            .trim()
            .to_ascii_lowercase();
        let scribe = Scribe {
            store: Arc::clone(&self.store),
            id,
            told,
            reading: Reading::new(form, self.store.bounds().items),
            unpack: Unpack::new(Some(&encoding)),
        };
        self.tasks.spawn(scribe.run());
        Some(watcher)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &axum::http::HeaderName) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn unreachable(upstream: &Upstream, error: &dyn std::error::Error) -> Problem {
    let detail = format!(
        "the tap cannot ask {upstream}: {}. Is the upstream running, and its address right?",
        cause(error)
    );
    Problem::new(StatusCode::BAD_GATEWAY, "upstream_unreachable", detail)
}
