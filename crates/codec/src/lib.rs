//! The bytes of an event stream (`text/event-stream`, WHATWG HTML § 9.2), and nothing else.
//!
//! | open | for |
//! |---|---|
//! | [`text`] | [`EventId`] and [`EventName`]: field values that cannot break a stream |
//! | [`encode`] | [`Event`] and its borrowed form, written as bytes |
//!
//! This crate does no I/O, reads no clock and knows no async runtime: bytes are arguments.

pub mod encode;
pub mod text;

pub use encode::{Event, EventRef};
pub use text::{EventId, EventName, InvalidText};
