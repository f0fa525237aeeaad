//! Ordered logs of events, and the cursors that read them.
//!
//! **A stream is a log; a subscriber is a cursor on it.** There is one way in, [`Hub::append`], and
//! one way out, [`Subscription`]. A publisher's request never touches a subscriber.
//!
//! ```text
//!  append ─► sequencer ─► machine ─► archive ─► tail (window, channels) ─► subscriptions
//!            batches      accepts    keeps      routes, wakes              cursor, chunks of bytes
//! ```
//!
//! | open | for |
//! |---|---|
//! | [`hub`] | the handle: start, append, subscribe, drain |
//! | [`topic`], [`ids`], [`record`] | what is published: names, positions, events |
//! | `sequencer`, `committer`, `row` | batches, order, acknowledgement |
//! | `machine`, `dedup` | what a log remembers about topics and keys; accepts or refuses a publish |
//! | `snapshot` | the same as bytes, for a restart |
//! | `timekeeper` | by which time records expire; leaps of the clock |
//! | [`health`] | whether what is published can be kept |
//! | [`archive`] | what is kept for replay, behind one trait |
//! | `tail`, `channel` | recent events, who waits for them, the splice |
//! | [`subscription`], [`resume`] | a reader: where it starts, what it is told, what it gets |
//! | `floors` | what is gone of each topic, and to whom that is news |
//! | [`presence`] | who reads a topic |
//! | [`stats`] | what a hub holds and has done |
//! | [`trouble`] | what a loop meets again and again is logged once |
//! | `ring` | the structure that archive and window share: entries in order, found by topic |
//!
//! HTTP is not known here. Time comes from a [`Clock`]; nothing else reads one.

pub mod archive;
mod channel;
pub mod clock;
mod committer;
mod compaction;
mod dedup;
mod encoding;
mod error;
mod floors;
pub mod health;
pub mod hub;
pub mod ids;
mod machine;
pub mod presence;
pub mod record;
pub mod resume;
mod ring;
mod row;
mod sequencer;
mod snapshot;
pub mod stats;
pub mod subscription;
mod tail;
mod timekeeper;
pub mod topic;
pub mod trouble;

pub use clock::{Clock, Millis};
pub use dedup::IdempotencyKey;
pub use encoding::Encoding;
pub use error::{Error, StartError};
pub use floors::Floors;
pub use health::Health;
pub use hub::{Config, Hub, Kept};
pub use ids::{Epoch, Position, Seq};
pub use presence::{Presence, PresenceChange, PresenceWatch, ReaderName};
pub use record::{Change, Draft, MAX_RETRY, Outcome, Receipt, Record};
pub use resume::{Gap, GapReason, Resume, Start};
pub use row::Row;
pub use sequencer::Pending;
pub use snapshot::Unreadable;
pub use stats::Stats;
pub use subscription::{Cut, Subscribed, Subscription};
pub use timekeeper::Times;
pub use topic::{Namespace, Topic, TopicSet};
