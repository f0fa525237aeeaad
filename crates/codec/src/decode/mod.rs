//! Bytes read as events.
//!
//! From bytes to events:
//!
//! | file | does |
//! |---|---|
//! | `utf8` | bytes → text, with U+FFFD for what is no UTF-8 (WHATWG Encoding § 6, "UTF-8 decode") |
//! | `chunk` | a chunk → its lines, and what lies on the seam of two chunks |
//! | `tail` | a line that comes in pieces |
//! | `field` | a line → its field (WHATWG HTML § 9.2.6) |
//! | `block` | the fields since the last blank line, and their limits |
//! | `feed` | the loop over one chunk: lines into the block, the block into an event |
//! | `decoder` | the options, and what outlives a chunk |
//! | `item` | what comes out |
//!
//! Invariants:
//! - The items depend on the bytes only, never on how they are cut into chunks.
//! - An item is handed out as soon as the byte that completes it has been fed.
//! - Every byte is looked at a constant number of times, and copied at most once, into the buffer
//!   where it stays until its event is complete. An event that lies within one chunk and has one
//!   `data` line is not copied at all.

mod block;
mod chunk;
mod decoder;
mod feed;
mod field;
mod item;
mod tail;
mod utf8;

pub use decoder::{Decoder, Unfinished};
pub use feed::{Feed, Messages};
pub use item::{EventView, Item, Message};
