//! Messages to the person at the terminal; events and ids go to standard output.

use std::fmt;
use std::io::{self, Write as _};

use super::visible::visible;

/// Writes one message. Where nobody reads them, there is nobody to tell.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let _ = writeln!(io::stderr(), "tidewire: {}", visible(&message));
}
