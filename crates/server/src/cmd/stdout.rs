//! Standard output, where a reader that goes away is no failure.

use std::io::{self, Write as _};

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
struct StdoutError(io::Error);

/// Writes and flushes `text`, so that the next program in a pipe has it at once.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| StdoutError(error).into())
}

/// Whether `error` says that nobody reads standard output any more (`tidewire tail … | head`).
pub(crate) fn has_closed(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StdoutError(why)) if why.kind() == io::ErrorKind::BrokenPipe)
}
