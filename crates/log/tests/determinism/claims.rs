//! The book of a door for tests: who claims something first has it.

use std::collections::{BTreeMap, HashMap};

use tidewire_log::{Ledger, Millis, Seq, Unreadable, Verdict};

/// A fact is one byte, the name of what is claimed.
#[derive(Default)]
pub struct Claims {
    holders: BTreeMap<u8, (Seq, Millis)>,
    before: BTreeMap<u8, (Seq, Millis)>,
    /// It answers with what stands first in a table that has another order in every process.
    pub by_hash: bool,
}

impl Ledger for Claims {
    fn begin(&mut self) {
        self.before.clone_from(&self.holders);
    }

    fn apply(&mut self, seq: Seq, time: Millis, data: &[u8]) -> Verdict {
        let name = data[0];
        let is_taken = !self.holders.contains_key(&name);
        let mut holder = *self.holders.entry(name).or_insert((seq, time));
        if self.by_hash {
            let table: HashMap<_, _> = self.holders.iter().collect();
            holder = **table.values().next().unwrap();
        }
        Verdict {
            is_taken,
            answer: format!("{holder:?}").into_bytes().into(),
        }
    }

    fn undo(&mut self) {
        self.holders.clone_from(&self.before);
    }

    fn snapshot(&self) -> Vec<u8> {
        let rows = self.holders.iter();
        let rows = rows.flat_map(|(name, (seq, time))| [u64::from(*name), seq.0, *time]);
        rows.flat_map(u64::to_le_bytes).collect()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unreadable> {
        let numbers = snapshot.chunks(8);
        let numbers: Vec<_> = numbers
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let row = |row: &[u64]| (u8::try_from(row[0]).unwrap(), (Seq(row[1]), row[2]));
        self.holders = numbers.chunks(3).map(row).collect();
        Ok(())
    }
}
