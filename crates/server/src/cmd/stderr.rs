//! Messages to the person at the terminal; events and ids go to standard output.

use std::fmt;
use std::io::{self, Write as _};

/// Writes one message. Where nobody reads them, there is nobody to tell.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "tidewire: {message}");
}
