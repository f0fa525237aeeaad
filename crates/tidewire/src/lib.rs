//! Tidewire for app authors: Server-Sent Events that survive.
//!
//! This crate is a facade. It holds no logic, only the names that an app needs.
//!
//! | to … | use |
//! |---|---|
//! | send any stream of events as a response | [`Sse`] |
//! | keep events for readers that come back, over any number of topics | [`Hub`] |
//! | serve a hub with plain HTTP: `GET /events/{topic}`, `POST /events/{topic}` | [`plain::router`] |
//! | know who reads, and hear of who comes and goes | [`Hub::presence`], [`Hub::watch_presence`] |
//! | refuse foreign hosts and origins, allow some (CORS), ask for tokens | [`guard::Guard`] |
//! | write or read event streams as bytes | [`codec`] |
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
