//! NDJSON, cut into lines.

use super::reading::MAX_EVENT;

/// Cuts bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// The line that has begun is not to be had: its beginning is missing, or it is too long.
    skipping: Skip,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Skip {
    #[default]
    No,
    Hole,
    TooLong,
}

impl Lines {
    /// Gives each line that is whole now; none for one that is too long.
    pub(super) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Option<&[u8]>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            if self.skipping == Skip::No {
                self.begun.extend_from_slice(text);
            }
            if self.begun.len() > MAX_EVENT {
                self.begun = Vec::new();
                self.skipping = Skip::TooLong;
            }
            if is_whole {
                match std::mem::take(&mut self.skipping) {
                    Skip::No => line(Some(&self.begun)),
                    Skip::TooLong => line(None),
                    Skip::Hole => {}
                }
                self.begun.clear();
            }
        }
    }

    /// After a hole: the rest of this line is not to be had.
    pub(super) fn skip(&mut self) {
        self.begun.clear();
        self.skipping = Skip::Hole;
    }

    /// What has begun and does not end.
    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
    }
}
