//! The relay door: requests go to an upstream, and answers that are event streams become streams of the log, which survive
//! their client, its network and a restart.
//!
//! | request | does |
//! |---|---|
//! | any on a route | asks the upstream; a stream is answered from the log, anything else is passed on untouched |
//! | the same with `Last-Event-ID`, or with the same `Idempotency-Key` | goes on with the answer that there is |
//! | `GET /relay/{stream}` | reads an answer, from its first event or after `Last-Event-ID` |
//! | `DELETE /relay/{stream}` | stops it |
//! | `HEAD /relay/{stream}` | says what `GET` would, without the answer |
//! | `GET`, `HEAD`, `DELETE` on `{route}/{chat}/stream` | the same for the answer that a chat is at |
//!
//! | file | holds |
//! |---|---|
//! | `config` | routes and bounds |
//! | `client` | the HTTP client of a route, with its TLS |
//! | `call` | a request: the answer that there is, or a call of the upstream |
//! | `forward`, `forwarded` | addresses and headers of requests; those that say where a request came from |
//! | `path` | paths that stay below their route |
//! | `refusal` | problems of ours, as the upstream's clients read errors |
//! | `returned` | headers of answers |
//! | `websocket` | tunnels |
//! | `upload` | bodies of requests, held or passed on |
//! | `pass` | an answer that is no stream, passed on |
//! | `lines` | answers that are streams of lines (NDJSON) |
//! | `whole` | an answer that is no stream, kept for its idempotency key |
//! | `upstream`, `publisher` | reading the upstream, as a task of its own, into the log |
//! | `read` | reading answers, and stopping them |
//! | `answer`, `answers` | an answer; all of them, and what they are found by |
//! | `asker`, `asking` | which client asks, and what becomes of its answer when it has gone; its wait for the head |
//! | `scope`, `stream` | whose a key is; names of answers |
//! | `dialect` | what is known of a provider's traffic |
//! | `recover` | after a restart |
//! | `measures` | numbers |
//! | `pick` | a value out of a request's JSON |

mod answer;
mod answers;
mod asker;
mod asking;
mod call;
mod client;
pub mod config;
mod dialect;
mod forward;
mod forwarded;
mod lines;
pub mod measures;
mod pass;
mod path;
mod pick;
mod publisher;
mod read;
mod recover;
mod refusal;
mod returned;
mod scope;
mod stream;
mod upload;
mod upstream;
mod websocket;
mod whole;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    response::Response,
    routing::any,
};
use futures_util::stream::{StreamExt as _, iter};
use http::Method;
use tidewire_doors::Problem;
use tidewire_hub::{Draft, Error, Hub, Times};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use self::{
    answer::Answer, answers::Answers, measures::Measures, refusal::Refusal, stream::StreamId, whole::Budget,
};
pub use config::{Config, InvalidRoute, Route};
pub use dialect::Dialect;
pub use measures::{Ending, RouteStats};
pub use refusal::refuse;

/// How often answers are looked at that have been kept long enough.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How many answers are ended or let go at a time, where there are many.
const AT_A_TIME: usize = 256;

/// Why a relay cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A route cannot be.
    #[error(transparent)]
    Route(#[from] InvalidRoute),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client for upstreams cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// TLS cannot be set up.
    #[error("TLS for upstreams cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The answers of before cannot be read.
    #[error("the answers that the log has cannot be read: {0}")]
    Log(#[from] tidewire_hub::Error),
}

/// A running relay. Clones are the same one.
#[derive(Clone)]
pub struct Relay {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    config: Config,
    /// One a route.
    clients: Vec<reqwest::Client>,
    /// One for each route that has WebSockets, for which HTTP/1.1 is needed.
    websockets: Vec<Option<reqwest::Client>>,
    measures: Vec<Measures>,
    answers: Answers,
    /// The bytes of answers that are no streams and have a key.
    bodies: Arc<Budget>,
    tasks: TaskTracker,
    /// Those of them that ask upstreams. When it is closed, no more are asked.
    calls: TaskTracker,
}

impl Relay {
    /// Starts a relay over a hub. Answers that the hub's log has from before are there again; those that were running are
    /// ended. Its tasks run in the tracker and end when the hub is drained.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(hub: Hub, config: Config, tasks: TaskTracker) -> Result<Self, StartError> {
        for (number, route) in config.routes.iter().enumerate() {
            route.check()?;
            if config.routes[..number]
                .iter()
                .any(|other| other.path == route.path)
            {
                return Err(InvalidRoute::twice(&route.path).into());
            }
        }
        let of = |route| client::of(route, config.max_idle());
        let clients = config.routes.iter().map(of).collect::<Result<_, _>>()?;
        let of = |route: &Route| {
            let client = || client::for_websockets(route);
            route.websocket.then(client).transpose()
        };
        let websockets = config.routes.iter().map(of).collect::<Result<_, _>>()?;
        let measures = config.routes.iter().map(|_| Measures::default()).collect();
        let bodies = Budget::new(config.max_kept_bodies);
        let relay = Self {
            inner: Arc::new(Inner {
                hub,
                config,
                clients,
                websockets,
                measures,
                answers: Answers::default(),
                bodies,
                tasks: tasks.clone(),
                calls: TaskTracker::new(),
            }),
        };
        let due = recover::recover(&relay).await?;
        tasks.spawn(relay.clone().keep_house(due));
        Ok(relay)
    }

    /// Its routes. What is not on them is up to the router they are merged into.
    pub fn router(&self) -> Router {
        let mut router = Router::new().route("/relay/{stream}", any(answer_by_name));
        for (number, route) in self.inner.config.routes.iter().enumerate() {
            let handler =
                move |State(relay): State<Self>, request: Request| answer_on_route(relay, number, request);
            let path = &route.path;
            router = router
                .route(path, any(handler))
                .route(&format!("{path}/"), any(handler))
                .route(&format!("{path}/{{*rest}}"), any(handler));
        }
        router.with_state(self.clone())
    }

    /// Asks no upstream any more (503). Answers that run go on, and can be read.
    pub fn close(&self) {
        self.inner.calls.close();
    }

    /// Resolves when it is closed and no answer runs any more.
    pub async fn finished(&self) {
        self.inner.calls.wait().await;
    }

    /// What each route has done.
    #[must_use]
    pub fn stats(&self) -> Vec<RouteStats> {
        let inner = &self.inner;
        let routes = inner.config.routes.iter().zip(&inner.measures);
        routes
            .map(|(route, measures)| measures.read(&route.path))
            .collect()
    }

    /// How many answers there are: running, and in all.
    #[must_use]
    pub fn answers(&self) -> (usize, usize) {
        (self.inner.answers.running(), self.inner.answers.kept())
    }

    /// How many bytes are held of answers that are no streams and have an idempotency key.
    #[must_use]
    pub fn kept_bodies(&self) -> usize {
        self.inner.bodies.held()
    }

    fn route(&self, answer: &Answer) -> &Route {
        &self.inner.config.routes[answer.named.route]
    }

    fn client(&self, answer: &Answer) -> &reqwest::Client {
        &self.inner.clients[answer.named.route]
    }

    fn measures(&self, answer: &Answer) -> &Measures {
        &self.inner.measures[answer.named.route]
    }

    fn times(&self) -> Times {
        self.inner.hub.times()
    }

    /// Lets go what has been kept long enough, from now on and from before.
    async fn keep_house(self, before: Vec<StreamId>) {
        let mut due = before;
        loop {
            // Many at a time: each waits for the disk.
            iter(due)
                .for_each_concurrent(AT_A_TIME, |stream| self.let_go(stream))
                .await;
            tokio::select! {
                () = self.inner.hub.closing() => return,
                () = sleep(HOUSEKEEPING) => {}
            }
            due = self.inner.answers.expire(&self.inner.config, self.times().expiry);
        }
    }

    /// Has the log let go of an answer's events, if it still has some.
    async fn let_go(&self, stream: StreamId) {
        let hub = &self.inner.hub;
        let purged = async {
            let topics = stream.topics()?;
            match hub.kept(&topics).await?.count {
                0 => Ok(()),
                _ => hub.append(Draft::purge(topics)).await.map(drop),
            }
        };
        match purged.await {
            Ok(()) | Err(Error::Closed) => {}
            Err(error) => tracing::warn!(%error, "an answer that is no longer kept cannot be let go"),
        }
    }
}

async fn answer_on_route(relay: Relay, number: usize, request: Request) -> Response {
    let route = &relay.inner.config.routes[number];
    let mut refusal = Refusal::to(Some(route), request.method(), request.uri(), request.headers());
    let answered = call::call(relay.clone(), number, request, &mut refusal).await;
    let mut response = answered.unwrap_or_else(|problem| refusal.response(&problem));
    returned::expose(&mut response, |name| route.is_credential_header(name));
    response
}

async fn answer_by_name(
    State(relay): State<Relay>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD | Method::DELETE => read::named(relay, name, request).await?,
        _ => return Problem::other_method(request.method(), "GET, HEAD, DELETE"),
    };
    // What is kept of the upstream's headers holds no secret.
    returned::expose(&mut response, |_| false);
    Ok(response)
}
