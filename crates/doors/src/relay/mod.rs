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
//! | `call` | a request: the answer that there is, or a call of the upstream |
//! | `forward`, `forwarded` | addresses and headers of requests; those that say where a request came from |
//! | `returned` | headers of answers |
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
pub mod config;
mod dialect;
mod forward;
mod forwarded;
mod lines;
pub mod measures;
mod pass;
mod pick;
mod publisher;
mod read;
mod recover;
mod returned;
mod scope;
mod stream;
mod upstream;
mod whole;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    routing::any,
};
use futures_util::stream::{StreamExt as _, iter};
use http::Method;
use tidewire_hub::{Clock, Draft, Error, Hub, Millis};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use self::{answer::Answer, answers::Answers, measures::Measures, stream::StreamId, whole::Budget};
use crate::{
    Problem,
    guard::{Declared, Need},
};
pub use config::{Config, InvalidRoute, Route};
pub use dialect::Dialect;
pub use measures::{Ending, RouteStats};

/// How often answers are looked at that have been kept long enough.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How many answers are ended or let go at a time, where there are many.
const AT_A_TIME: usize = 256;

/// The routes that every relay has, with what each of them needs. Those to upstreams are declared to a guard apart
/// ([`Guard::routes`](crate::guard::Guard::routes)).
pub const ROUTES: [Declared; 1] = [Declared::new(
    "/relay/{stream}",
    &[
        ("GET", Need::Open),
        ("HEAD", Need::Open),
        ("DELETE", Need::Change),
    ],
)];

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
    measures: Vec<Measures>,
    answers: Answers,
    /// The bytes of answers that are no streams and have a key.
    bodies: Arc<Budget>,
    tasks: TaskTracker,
    /// Those of them that ask upstreams. When it is closed, no more are asked.
    calls: TaskTracker,
    clock: Clock,
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
        let client = |route| client(route, config.max_idle());
        let clients = config.routes.iter().map(client).collect::<Result<_, _>>()?;
        let measures = config.routes.iter().map(|_| Measures::default()).collect();
        let bodies = Budget::new(config.max_kept_bodies);
        let relay = Self {
            inner: Arc::new(Inner {
                hub,
                config,
                clients,
                measures,
                answers: Answers::default(),
                bodies,
                tasks: tasks.clone(),
                calls: TaskTracker::new(),
                clock: Clock::system(),
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
                move |State(relay): State<Self>, request: Request| call::call(relay, number, request);
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

    fn now(&self) -> Millis {
        self.inner.clock.now()
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
            due = self.inner.answers.expire(&self.inner.config, self.now());
        }
    }

    /// Has the log let go of an answer's events, if it still has some.
    async fn let_go(&self, stream: StreamId) {
        let hub = &self.inner.hub;
        let purged = async {
            let topics = stream.topics()?;
            match hub.kept(&topics)?.count {
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

async fn answer_by_name(
    State(relay): State<Relay>,
    Path(name): Path<String>,
    request: Request,
) -> Result<axum::response::Response, Problem> {
    match *request.method() {
        Method::GET | Method::HEAD | Method::DELETE => read::named(relay, name, request).await,
        _ => Problem::other_method(request.method(), "GET, HEAD, DELETE"),
    }
}

/// The client for a route's upstream: no redirects, nothing tried again, nothing unpacked.
fn client(route: &Route, max_idle: usize) -> reqwest::Result<reqwest::Client> {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(route.times.connect)
        .pool_max_idle_per_host(max_idle)
        .tcp_nodelay(true);
    let is_here = match route.upstream.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match is_here {
        true => client.no_proxy().build(),
        false => client.build(),
    }
}
