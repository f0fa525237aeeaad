//! The bytes of an event stream (`text/event-stream`, WHATWG HTML § 9.2), and nothing else.
//!
//! | open | for |
//! |---|---|
//! | [`text`] | [`EventId`] and [`EventName`]: field values that cannot break a stream |
//! | [`encode`] | [`Event`] and its borrowed form, written as bytes |
//! | [`decode`] | [`Decoder`]: bytes in any chunks, read as events |
//! | [`limits`] | [`Limits`]: what a reader is ready to hold, and the report when it is more |
//! | [`content_type`] | which `Content-Type` says that a body is an event stream |
//! | [`protocol`] | names of headers, media types and events that both ends use |
//! | `binary` | bytes as text: data URLs, gzipped where large (feature `binary`, on by default) |
//!
//! This crate does no I/O, reads no clock and knows no async runtime: bytes are arguments.
//!
//! ```
//! use tidewire_codec::{Decoder, Event, Item};
//!
//! let mut bytes = Vec::new();
//! Event::new("Hello,\nworld").encode(&mut bytes);
//!
//! let mut decoder = Decoder::new();
//! for chunk in bytes.chunks(5) {
//!     let mut items = decoder.feed(chunk);
//!     while let Some(item) = items.next() {
//!         let Item::Event(event) = item else { continue };
//!         assert_eq!((event.name, event.data), ("message", "Hello,\nworld"));
//!     }
//! }
//! ```

#[cfg(feature = "binary")]
pub mod binary;
pub mod content_type;
pub mod decode;
pub mod encode;
pub mod limits;
pub mod protocol;
pub mod text;

pub use decode::{Decoder, EventView, Item, Message, Unfinished};
pub use encode::{Event, EventRef};
pub use limits::{Limit, Limits, Overlong};
pub use text::{EventId, EventName, InvalidText};
