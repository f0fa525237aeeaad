//! Tidewire for app authors: Server-Sent Events that survive.
//!
//! Three things people come for:
//!
//! 1. **[Send a stream](#a-stream-of-your-own)** as a response of your axum app: [`Sse`].
//! 2. **[Keep events for readers that come back](#a-hub-in-your-app)**, and serve them: [`Hub`], [`plain::router`], with
//!    [users of your own](#users-of-your-own): [`guard::Access`].
//! 3. **Put it in front of an AI** (feature `relay`), or **read any event
//!    stream** (feature `client`).
//!
//! | to … | use |
//! |---|---|
//! | serve readers only, and publish by the hub | [`plain::reader`] |
//! | know who reads, and hear of who comes and goes | [`Hub::presence`], [`Hub::watch_presence`] |
//! | refuse foreign hosts and origins, allow some (CORS), ask for tokens | [`guard::Guard`] |
//! | write or read event streams as bytes | [`codec`] |
//!
//! | feature | brings |
//! |---|---|
//! | `disk` | a log that survives restarts: `archive::segments` |
//! | `relay` | answers of upstreams that survive their client. An HTTP client with TLS |
//! | `client` | reading event streams of any server. An HTTP client with TLS |
//! | `unpack` | packed bodies of requests (gzip, br, zstd). Zstd is C |
//! | `binary` | binary data in events, as data URLs: `codec::binary` |
//!
//! None is on by default: then the crate compiles 73 crates and no C.
//!
//! # A stream of your own
//!
//! [`Sse`] makes a response of a stream: headers at once, heartbeats while it is silent, an end when it
//! ends. The stream is dropped when the client goes.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use axum::{Router, routing::get};
//! use futures_util::{Stream, stream};
//! use tidewire::{Event, Sse};
//!
//! async fn countdown() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
//!     Sse::new(stream::iter(["3", "2", "1"].map(|number| Ok(Event::new(number)))))
//! }
//!
//! let app: Router = Router::new().route("/countdown", get(countdown));
//! # use axum::{body::{Body, to_bytes}, extract::Request};
//! # use tower::ServiceExt as _;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let request = Request::get("/countdown").body(Body::empty())?;
//! let response = app.oneshot(request).await?;
//! assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
//! let body = to_bytes(response.into_body(), 1000).await?;
//! assert_eq!(body, "data: 3\n\ndata: 2\n\ndata: 1\n\n");
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # A hub in your app
//!
//! A [`Hub`] keeps what is published, so that a reader that comes back goes on at the next event. The plain
//! door serves it; your own code publishes to the same topics.
//!
//! ```
//! use axum::Router;
//! use tidewire::{Draft, Event, Hub, Namespace, Topic, archive::Memory, hub, plain};
//!
//! # use axum::{body::{Body, to_bytes}, extract::Request};
//! # use tower::ServiceExt as _;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
//! let app: Router = plain::router(hub.clone(), plain::Config::default());
//!
//! let news = Topic::new(Namespace::Events, "news")?;
//! let first = hub.append(Draft::event(news.clone(), Event::new("one"))?).await?;
//! hub.append(Draft::event(news.clone(), Event::new("two"))?).await?;
//! let last = hub.append(Draft::event(news, Event::new("three"))?.and_end()).await?;
//!
//! // A reader that has seen the first event comes back: as `EventSource` does, it says what it saw last.
//! let request = Request::get("/events/news").header("Last-Event-ID", first.id.as_str());
//! let response = app.oneshot(request.body(Body::empty())?).await?;
//! assert_eq!(response.headers()["tidewire-resume"], "resumed");
//! let body = to_bytes(response.into_body(), 1000).await?;
//! let body = str::from_utf8(&body)?;
//! assert!(!body.contains("data: one\n") && body.contains("data: two\n"));
//! assert!(body.ends_with(&format!("id: {}\ndata: three\n\n", last.id)));
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Users of your own
//!
//! An app that knows its users says by topic what they may do. The door asks with the topics that it has parsed: in
//! `GET /events/users/alice?topic=users/bob` a check of the path alone would miss bob's. The example `members` has
//! sessions and a sign-in.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use axum::{Router, http::request::Parts};
//! use tidewire::{Hub, Problem, Topic, archive::Memory, guard::{Access, Action, Guard, Identity}, hub, plain};
//!
//! /// The users by the secrets of their sessions.
//! struct Sessions(HashMap<String, String>);
//!
//! impl Access for Sessions {
//!     async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
//!         let cookie = head.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
//!         let session = cookie.and_then(|cookie| cookie.strip_prefix("session="));
//!         let Some(user) = session.and_then(|session| self.0.get(session)) else {
//!             return Ok(Identity::nobody());
//!         };
//!         let own = format!("users/{user}");
//!         Ok(Identity::user(user.as_str(), move |action: Action, topic: &Topic| {
//!             action == Action::Subscribe && topic.name() == own
//!         }))
//!     }
//! }
//!
//! # use axum::{body::Body, extract::Request};
//! # use tower::ServiceExt as _;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
//! let door = plain::router(hub, plain::Config::default());
//! let sessions = Sessions([("a-secret".to_owned(), "alice".to_owned())].into());
//! let app: Router = Guard::default().access(sessions).protect(door);
//! for (target, status) in [
//!     ("/events/users/alice", 200),
//!     ("/events/users/bob", 403),
//!     ("/events?topic=users/alice&topic=users/bob", 403),
//! ] {
//!     let request = Request::get(target).header("Host", "localhost").header("Cookie", "session=a-secret");
//!     let response = app.clone().oneshot(request.body(Body::empty())?).await?;
//!     assert_eq!(response.status(), status, "{target}");
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # A stream that ends
//!
//! Clients that read with GET ask again after the end of a response, and get all of it once more, for ever.
//! [`Sse::finite`] says that the stream is over, with an event `end` after the last one.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use axum::response::IntoResponse;
//! use futures_util::stream;
//! use tidewire::{Event, Sse};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let events = stream::iter([Ok::<_, Infallible>(Event::new("done"))]);
//! let response = Sse::new(events).finite().into_response();
//! let body = axum::body::to_bytes(response.into_body(), 1000).await?;
//! assert_eq!(body, "data: done\n\nevent: end\ndata: \n\n");
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Retries that publish once
//!
//! A publish that was cut may have happened. With the same [`IdempotencyKey`] it can be tried again.
//!
//! ```
//! use tidewire::{Draft, Event, Hub, IdempotencyKey, Namespace, Outcome, Topic, archive::Memory, hub};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
//! let orders = Topic::new(Namespace::Events, "orders")?;
//! let shipped = || {
//!     let draft = Draft::event(orders.clone(), Event::new("shipped"))?;
//!     Ok::<_, hub::Error>(draft.with_key(IdempotencyKey::new("order-7")?, 0))
//! };
//! let first = hub.append(shipped()?).await?;
//! let again = hub.append(shipped()?).await?;
//! assert_eq!((again.outcome, again.id), (Outcome::Replayed, first.id));
//! assert_eq!(hub.kept(&orders.into()).await?.count, 1);
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "client")]
pub use tidewire_client as client;
pub use tidewire_codec::{self as codec, Event, EventId, EventName};
pub use tidewire_doors::{Problem, Sse, guard, plain, respond};
pub use tidewire_hub::{
    self as hub, Cut, Draft, Encoding, Gap, GapReason, Hub, IdempotencyKey, Kept, Namespace, Outcome,
    Position, Presence, PresenceChange, PresenceWatch, ReaderName, Receipt, Resume, Start, Subscribed,
    Subscription, Topic, TopicSet, archive,
};
#[cfg(feature = "relay")]
pub use tidewire_relay as relay;
