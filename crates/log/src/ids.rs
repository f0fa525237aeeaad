//! Sequence numbers, epochs, and the positions that readers hold: `~{epoch}-{seq}`.
//!
//! A reader's whole position, over any number of topics, is one [`Seq`]. An [`Epoch`] names one
//! history. The order begins one; that of a single node at each opening of the log, which may have lost
//! its end, or be an older copy put back, and then gives its numbers to other events.

use std::{fmt, str::FromStr, sync::Arc};

use parking_lot::RwLock;
use tidewire_codec::EventId;

/// The place of an event in the hub's order: strictly increasing, gaps allowed. 0 is before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The next number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The cursor just before this event.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// One history of a log, named by 40 random bits: 8 characters of Crockford's base32, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; Self::LEN]);

impl Epoch {
    const LEN: usize = 8;
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// A new epoch from the system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let bits = getrandom::u64()?;
        Ok(Self(std::array::from_fn(|i| {
            Self::ALPHABET[(bits >> (5 * i)) as usize & 31]
        })))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Epoch {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().map_err(|_| NotAPosition)?;
        match bytes.iter().all(|b| Self::ALPHABET.contains(b)) {
            true => Ok(Self(bytes)),
            false => Err(NotAPosition),
        }
    }
}

/// A cursor as readers hold it: the id of an event that its publisher gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The history that the number belongs to.
    pub epoch: Epoch,
    /// Everything up to here has been read.
    pub seq: Seq,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{}-{}", self.epoch, self.seq.0)
    }
}

impl From<Position> for EventId {
    #[expect(clippy::expect_used, reason = "base32, a dash and digits hold no line end")]
    fn from(position: Position) -> Self {
        Self::new(position.to_string()).expect("a position is a valid id")
    }
}

/// A text that starts like a position but is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (epoch, seq) = text
            .strip_prefix('~')
            .and_then(|rest| rest.split_once('-'))
            .ok_or(NotAPosition)?;
        // Only what `Display` writes: no sign, no leading zero, so that a position has one spelling.
        let canonical = seq == "0" || (!seq.starts_with('0') && seq.bytes().all(|b| b.is_ascii_digit()));
        let seq = seq.parse().ok().filter(|_| canonical).ok_or(NotAPosition)?;
        Ok(Self {
            epoch: epoch.parse()?,
            seq: Seq(seq),
        })
    }
}

/// The most histories that are remembered. A cursor of an older one is answered with a gap (`reset`).
pub const MAX_EPOCHS: usize = 1024;

/// The histories that a log has had, and where each began. Clones are the same table: machine, tail and hub share it.
#[derive(Debug, Clone, Default)]
pub struct Epochs(Arc<RwLock<Vec<(Epoch, Seq)>>>);

impl Epochs {
    /// A log's histories, oldest first.
    #[must_use]
    pub fn of_log(epochs: Vec<(Epoch, Seq)>) -> Self {
        Self(Arc::new(RwLock::new(epochs)))
    }

    /// One begins with this number. Those that would begin there or later have no record, and are replaced.
    pub fn begin(&self, epoch: Epoch, first: Seq) {
        let mut epochs = self.0.write();
        // The order may have said so already, when nothing had been published yet.
        if epochs.last().is_some_and(|(last, _)| *last == epoch) {
            return;
        }
        epochs.retain(|(_, began)| *began < first);
        epochs.push((epoch, first));
        let forgotten = epochs.len().saturating_sub(MAX_EPOCHS);
        epochs.drain(..forgotten);
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<(Epoch, Seq)> {
        self.0.read().clone()
    }

    /// Becomes this list.
    pub(crate) fn set(&self, list: Vec<(Epoch, Seq)>) {
        *self.0.write() = list;
    }

    /// The one to which a number belongs. Before the first event is the first history.
    ///
    /// A log without any gives nothing out: its numbers belong to the epoch `00000000`.
    #[must_use]
    pub fn of(&self, seq: Seq) -> Epoch {
        let epochs = self.0.read();
        let later = epochs.partition_point(|(_, first)| *first <= seq);
        let found = epochs.get(later.saturating_sub(1));
        found.map_or(Epoch([b'0'; Epoch::LEN]), |(epoch, _)| *epoch)
    }

    /// The cursor with this number.
    #[must_use]
    pub fn position(&self, seq: Seq) -> Position {
        Position {
            epoch: self.of(seq),
            seq,
        }
    }

    /// The cursor that a position stands for in this log, which ends at `last`. `None` if the log does not have its
    /// epoch, or if the epoch ended before it here: the number was given out by another copy of the log, or was lost.
    #[must_use]
    pub fn place(&self, position: Position, last: Seq) -> Option<Seq> {
        let epochs = self.0.read();
        let mut all = epochs.iter();
        all.find(|(epoch, _)| *epoch == position.epoch)?;
        let end = all.next().map_or(last, |(_, next_began)| next_began.before());
        (position.seq <= end).then_some(position.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Result<Position, NotAPosition> {
        text.parse()
    }

    #[test]
    fn positions_have_one_spelling() {
        assert_eq!(position("~k3m9x2ab-17").unwrap().to_string(), "~k3m9x2ab-17");
        assert_eq!(position("~k3m9x2ab-0").unwrap().seq, Seq::ZERO);
        for wrong in [
            "",
            "~",
            "k3m9x2ab-17",
            "~k3m9x2ab",
            "~k3m9x2ab-",
            "~k3m9x2ab-+1",
            "~k3m9x2ab-01",
            "~k3m9x2ab-1x",
            "~K3M9X2AB-1",
            "~k3m9x2a-1",
            "~k3m9x2abc-1",
            "~k3m9x2ab-99999999999999999999",
        ] {
            assert_eq!(position(wrong), Err(NotAPosition), "{wrong}");
        }
    }

    #[test]
    fn a_random_epoch_reads_back() {
        let epoch = Epoch::random().unwrap();
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
    }

    #[test]
    fn a_cursor_is_valid_up_to_where_its_epoch_ended_in_this_log() {
        let [old, new, foreign] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map(|e| e.parse::<Epoch>().unwrap());
        let epochs = Epochs::of_log(vec![(old, Seq(1)), (new, Seq(11))]);
        let place = |epoch, seq| epochs.place(Position { epoch, seq: Seq(seq) }, Seq(12));
        assert_eq!(place(old, 10), Some(Seq(10)), "the last event of the old epoch");
        assert_eq!(
            place(old, 11),
            None,
            "a number that the old history used for something else"
        );
        assert_eq!(place(new, 12), Some(Seq(12)), "the end of the log");
        assert_eq!(place(new, 13), None, "a number that this log has not given out");
        assert_eq!(place(foreign, 1), None);
    }

    #[test]
    fn a_number_belongs_to_the_epoch_in_which_it_was_given() {
        let [a, b, c] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map(|e| e.parse::<Epoch>().unwrap());
        let epochs = Epochs::of_log(vec![(a, Seq(1)), (b, Seq(5)), (c, Seq(9))]);
        let of = [0, 1, 4, 5, 8, 9, 99].map(|seq| epochs.of(Seq(seq)));
        assert_eq!(of, [a, a, a, b, b, c, c]);
        assert_eq!(epochs.list().last(), Some(&(c, Seq(9))));
    }

    #[test]
    fn an_epoch_without_a_record_is_replaced() {
        let [a, b, c] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map(|e| e.parse::<Epoch>().unwrap());
        let epochs = Epochs::default();
        for (epoch, first) in [(a, 1), (b, 5), (c, 5), (c, 7)] {
            epochs.begin(epoch, Seq(first));
        }
        assert_eq!(
            epochs.list(),
            [(a, Seq(1)), (c, Seq(5))],
            "and said twice it is one"
        );
    }
}
