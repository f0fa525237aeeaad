//! The bytes of a file: those that can be read, those that are safe, and what lies between.

use fastrand::Rng;

/// What has been done to a file and is not safe.
#[derive(Clone)]
pub(super) enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Len(u64),
}

#[derive(Clone, Default)]
pub(super) struct Content {
    /// What is read.
    pub(super) live: Vec<u8>,
    /// Up to where room on the disk is taken.
    pub(super) taken: u64,
    /// What a crash leaves in any case, but where a pending write lies above it.
    safe: Vec<u8>,
    pending: Vec<Change>,
}

impl Content {
    /// Bytes that are safe.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            live: bytes.to_vec(),
            taken: bytes.len() as u64,
            safe: bytes.to_vec(),
            pending: Vec::new(),
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        self.taken = match &change {
            Change::Write { at, bytes } => self.taken.max(at + bytes.len() as u64),
            Change::Len(len) => self.taken.min(*len),
        };
        apply(&mut self.live, &change);
        self.pending.push(change);
    }

    /// Only what is pending becomes safe: what a failed sync has lost is read, but never safe.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.safe, &change);
        }
    }

    /// The system gives up what is pending. It may be read on, as long as nobody needs the memory.
    pub(super) fn fail_to_sync(&mut self, rng: &mut Rng, old: &[Vec<u8>]) {
        self.safe = self.after_losses(rng, old);
        self.pending.clear();
        if rng.bool() {
            self.live.clone_from(&self.safe);
        }
    }

    /// The file when power is back.
    pub(super) fn after_crash(&self, rng: &mut Rng, old: &[Vec<u8>]) -> Self {
        Self::of(&self.after_losses(rng, old))
    }

    fn after_losses(&self, rng: &mut Rng, old: &[Vec<u8>]) -> Vec<u8> {
        let mut found = self.safe.clone();
        let mut pending = self.pending.clone();
        match rng.u8(..8) {
            0 => {}
            1 => pending.iter().for_each(|change| apply(&mut found, change)),
            2 => {
                // In order, up to a byte somewhere.
                pending.truncate(rng.usize(..=pending.len()));
                if let Some(Change::Write { bytes, .. }) = pending.last_mut() {
                    bytes.truncate(rng.usize(..=bytes.len()));
                }
                pending.iter().for_each(|change| apply(&mut found, change));
            }
            way => {
                if way == 3 {
                    rng.shuffle(&mut pending);
                }
                for change in pending {
                    scatter(&mut found, change, rng, old);
                }
            }
        }
        found
    }
}

/// Does a change in pieces, each of which is done or lost by itself.
fn scatter(found: &mut Vec<u8>, change: Change, rng: &mut Rng, old: &[Vec<u8>]) {
    let Change::Write { mut at, bytes } = change else {
        if rng.bool() {
            apply(found, &change);
        }
        return;
    };
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let len = match rng.u8(..4) {
            0 => rng.usize(1..=rest.len()),
            1 => rng.usize(1..=rest.len().min(16)),
            _ => rest.len(),
        };
        let (piece, later) = rest.split_at(len);
        let found_there = match rng.u8(..8) {
            0..4 => Some(piece.to_vec()),
            4 | 5 => None,
            6 => Some(vec![0; len]),
            _ => Some(garbage(len, rng, old)),
        };
        if let Some(bytes) = found_there {
            apply(found, &Change::Write { at, bytes });
        }
        at += len as u64;
        rest = later;
    }
}

/// Noise, or bytes that were written elsewhere before.
fn garbage(len: usize, rng: &mut Rng, old: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
    if let Some(old) = rng.choice(old)
        && rng.bool()
    {
        let from = if rng.bool() { 0 } else { rng.usize(..old.len()) };
        let len = len.min(old.len() - from);
        bytes[..len].copy_from_slice(&old[from..from + len]);
    }
    bytes
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Len(len) => content.resize(usize::try_from(*len).unwrap(), 0),
        Change::Write { at, bytes } => {
            let at = usize::try_from(*at).unwrap();
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at..end].copy_from_slice(bytes);
        }
    }
}
