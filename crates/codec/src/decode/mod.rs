//! Bytes read as events.
//!
//! A chunk goes through three steps, each in a file of its own:
//!
//! | file | does |
//! |---|---|
//! | `utf8` | bytes → text, with U+FFFD for what is no UTF-8 (WHATWG Encoding § 6, "UTF-8 decode") |
//! | `field` | a line → its field (WHATWG HTML § 9.2.6) |
//! | `feed` | lines → items, over one chunk: the loop, the block that is being read, the limits |
//! | `decoder` | what outlives a chunk: the options, the unfinished line and block, the last event id |
//! | `item` | what comes out |
//!
//! Invariants:
//! - The items depend on the bytes only, never on how they are cut into chunks.
//! - An item is handed out as soon as the byte that completes it has been fed.
//! - Every byte is looked at a constant number of times, and copied at most once, into the buffer
//!   where it stays until its event is complete. An event that lies within one chunk and has one
//!   `data` line is not copied at all.

mod decoder;
mod feed;
mod field;
mod item;
mod utf8;

pub use decoder::{Decoder, Unfinished};
pub use feed::{Feed, Messages};
pub use item::{EventView, Item, Message};
