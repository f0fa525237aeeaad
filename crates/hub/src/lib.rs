//! Ordered logs of events, and the cursors that read them.
//!
//! **A stream is a log; a subscriber is a cursor on it.** There is one way in, [`Hub::append`], and
//! one way out, [`Subscription`]. A publisher's request never touches a subscriber.
//!
//! ```text
//!  append ─► packer ─► order ─► machine ─► archive ─► tail (window, channels) ─► subscriptions
//!            batches   place    accepts    keeps      routes, wakes              cursor, chunks of bytes
//! ```
//!
//! | open | for |
//! |---|---|
//! | [`hub`] | the handle: start, append, subscribe, drain |
//! | [`order`] | the place of entries: by this node alone, or together with others |
//! | [`session`] | a publisher that has several proposals under way, in order |
//! | `proposals`, `tickets` | batches on their way, and who waits for the answers |
//! | `apply` | the one loop: machine, archive, tail, answers |
//! | [`health`] | whether what is published can be kept |
//! | `tail`, `channel` | recent events, who waits for them, the splice |
//! | `placing`, `pool` | where a reader starts; reads that may wait for a disk |
//! | [`subscription`] | a reader: what it gets |
//! | [`presence`] | who reads a topic |
//! | [`stats`] | what a hub holds and has done |
//!
//! What is kept and accepted is in [`tidewire_log`]; its names that a caller needs stand here too. HTTP is not known here. Time comes from a [`Clock`]; nothing else reads one.

mod apply;
mod channel;
mod compaction;
mod encoding;
mod error;
pub mod health;
pub mod hub;
pub mod order;
mod placing;
mod pool;
pub mod presence;
mod proposals;
pub mod session;
pub mod stats;
pub mod subscription;
mod tail;
mod tickets;

pub use encoding::Encoding;
pub use error::StartError;
pub use health::Health;
pub use hub::{Builder, Config, Hub, Kept};
pub use presence::{Presence, PresenceChange, PresenceWatch, ReaderName};
pub use proposals::{Pending, size};
pub use session::AppendSession;
pub use stats::Stats;
pub use subscription::{Cut, Cutter, Subscribed, Subscription};
pub use tidewire_log::{
    Change, Clock, Door, Draft, Entry, Epoch, Error, Floors, Gap, GapReason, IdempotencyKey, MAX_RETRY,
    Millis, Namespace, Outcome, Position, Proposal, Receipt, Record, Resume, Seq, Start, Times, Topic,
    TopicSet, Unreadable, Verdict, archive, clock, ids, record, resume, topic, trouble,
};
