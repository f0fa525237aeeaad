//! A client of event streams (`text/event-stream`, WHATWG HTML § 9.2) that comes back.
//!
//! | open | for |
//! |---|---|
//! | [`EventSource`] | the source: a `Stream` of items, `restart`, `close`, `last_event_id` |
//! | [`Builder`] | any method, body and headers; limits, timeouts, transport |
//! | [`Item`] | what comes: `Open`, `Event`, `Gap`, `Reconnecting`, … |
//! | [`Retry`] | when it comes again, and when it gives up |
//! | [`Error`], [`Cause`] | why it ended; why it comes again |
//! | [`Events`], [`Json`], [`Text`] | only the events, their data as JSON, an AI's answer as text |
//!
//! # The text of an AI's answer
//!
//! ```no_run
//! use futures_util::TryStreamExt;
//! use tidewire_client::{EventSource, Method};
//!
//! # async fn run(key: String) -> Result<(), Box<dyn std::error::Error>> {
//! let mut answer = EventSource::request(Method::POST, "https://api.openai.com/v1/chat/completions")
//!     .bearer(&key)
//!     .json(&serde_json::json!({
//!         "model": "gpt-5-mini", "stream": true,
//!         "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
//!     }))
//!     .build()?
//!     .text();
//! while let Some(piece) = answer.try_next().await? {
//!     print!("{piece}");
//! }
//! # Ok(()) }
//! ```
//!
//! # A stream that is never to end
//!
//! It comes back by itself, with the last event id. Where events are gone for good, it says so.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt;
//! use tidewire_client::{EventSource, Item};
//!
//! let mut source = EventSource::get("http://127.0.0.1:8420/events/greeting").build()?;
//! while let Some(item) = source.next().await {
//!     match item {
//!         Ok(Item::Event(event)) => println!("{}: {}", event.name, event.data),
//!         Ok(Item::Gap(gap)) => println!("{gap}"),
//!         Ok(Item::Reconnecting(again)) => println!("{}, again in {:?}", again.cause, again.delay),
//!         Ok(_) => {}
//!         Err(error) if error.is_final() => return Err(error.into()),
//!         Err(error) => println!("{error}"),
//!     }
//! }
//! # Ok(()) }
//! ```

mod answer;
mod builder;
mod counters;
mod error;
mod events;
mod halves;
mod item;
mod json;
mod liveness;
mod policy;
mod redirect;
mod session;
mod source;
mod text;
mod transport;
#[cfg(test)]
mod vectors;

pub use builder::{Builder, Prime, Repeat};
pub use counters::Counters;
pub use error::{BoxError, Cause, Error, Refusal};
pub use events::Events;
pub use http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use item::{Gap, Item, Open, Reconnecting};
pub use json::Json;
pub use policy::Retry;
pub use session::ReadyState;
pub use source::EventSource;
pub use text::Text;
pub use tidewire_codec::{Limit, Limits, Message, Overlong};
