//! Ordered logs of records: what is in them, what accepts them, what keeps them.
//!
//! | open | for |
//! |---|---|
//! | [`topic`], [`ids`] | names and positions |
//! | [`entry`], [`record`] | what is proposed, and what was accepted |
//! | [`machine`], [`dedup`] | what a log remembers about topics and keys; accepts or refuses a publish |
//! | [`batch`] | what a log makes of entries that are ordered together |
//! | [`wire`] | entries as bytes, on their way to other nodes |
//! | [`settings`], [`ledger`] | what is accepted and remembered, as the log says it; the books of doors |
//! | [`snapshot`] | the same as bytes, for a restart |
//! | [`recall`] | the machine of a log that is opened |
//! | [`resume`] | where a reader starts, and what it is told |
//! | [`timekeeper`] | by which time records expire; leaps of the clock |
//! | [`archive`] | what is kept for replay, behind two traits |
//! | [`floors`] | what is gone of each topic, and to whom that is news |
//! | [`trouble`] | what a loop meets again and again is logged once |
//! | [`ring`] | the structure that the archive in memory and a window share: entries in order, found by topic |
//!
//! There is no async here, no socket and no reader. Time comes from a [`Clock`]; nothing else reads one.

pub mod archive;
pub mod batch;
mod bytes;
pub mod clock;
pub mod dedup;
pub mod entry;
pub mod error;
pub mod floors;
mod idle;
pub mod ids;
pub mod ledger;
pub mod machine;
pub mod recall;
pub mod record;
pub mod resume;
pub mod ring;
pub mod settings;
pub mod snapshot;
pub mod timekeeper;
pub mod topic;
pub mod trouble;
pub mod wire;

pub use clock::{Clock, Millis};
pub use dedup::IdempotencyKey;
pub use entry::{Change, Entry};
pub use error::Error;
pub use floors::Floors;
pub use ids::{Epoch, Position, Seq};
pub use ledger::{Door, Ledger, Verdict};
pub use record::{Draft, MAX_RETRY, Outcome, Proposal, Receipt, Record};
pub use resume::{Gap, GapReason, Resume, Start};
pub use settings::Settings;
pub use snapshot::Unreadable;
pub use timekeeper::Times;
pub use topic::{Namespace, Topic, TopicSet};
