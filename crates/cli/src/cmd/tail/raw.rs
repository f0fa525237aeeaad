//! Bytes as they come, with their times.

use std::fmt::Write as _;

use anstyle::Style;
use tokio::time::Instant;

use crate::cmd::stdout;

const HEAD: Style = Style::new().dimmed();

pub(super) struct Raw {
    /// When the stream opened.
    zero: Instant,
}

impl Raw {
    pub(super) fn new() -> Self {
        Self { zero: Instant::now() }
    }

    /// Times count from here.
    pub(super) fn open(&mut self) {
        self.zero = Instant::now();
    }

    /// Prints a chunk under a line that says when it came and how large it is.
    pub(super) fn print(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = String::new();
        let (at, len) = (self.zero.elapsed().as_secs_f64(), bytes.len());
        let style = stdout::style(HEAD);
        let _ = writeln!(out, "{style}--- {at:.3} s, {len} bytes ---{style:#}");
        let text = String::from_utf8_lossy(bytes);
        // Else a lone CR would not be seen, and would hide its line.
        out += &stdout::shown(&text.replace('\r', "\\r"));
        if !text.ends_with('\n') {
            out += "\\\n";
        }
        stdout::print(&out)
    }
}
