//! Standard output, where a reader that goes away is no failure.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::Style;

use super::visible::{visible, visible_json};

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

/// What writing much to standard output, piece by piece, has failed with.
pub(crate) fn failed(error: io::Error) -> anyhow::Error {
    StdoutError(error).into()
}

/// Text from the network as it may be printed: as it is for a program, made visible on a terminal.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() {
        visible(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// The same for JSON, which stays JSON.
pub(crate) fn shown_json(json: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() {
        visible_json(json)
    } else {
        Cow::Borrowed(json)
    }
}

/// A style as standard output can show it. Knows `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb` and their kin.
pub(crate) fn style(style: Style) -> Style {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => Style::new(),
        _ => style,
    }
}

/// Whether `error` says that nobody reads standard output any more (`tidewire tail … | head`).
pub(crate) fn has_closed(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StdoutError(why)) if why.kind() == io::ErrorKind::BrokenPipe)
}
