//! What the doctor says: one thing that was looked at, how bad it is, why it matters, how to mend it.

use std::borrow::Cow;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It was looked at, and is as it should be.
    Fine,
    /// Good to know; nothing has to be mended.
    Note,
    /// It works, but not for everybody or not always.
    Warning,
    /// Readers lose events, wait for them, or get none.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A short name that stays the same from version to version; `docs/doctor.md` lists them.
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    /// What was seen, with its numbers. May hold text from the network.
    pub(crate) what: String,
    /// Why it matters; empty where all is fine.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) why: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mend: Vec<Remedy>,
}

/// What to do, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remedy {
    /// `nginx`, `Express`, `the server` …
    pub(crate) place: &'static str,
    /// The line to write there, or what to do.
    pub(crate) line: Cow<'static, str>,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, what: impl Into<String>) -> Self {
        let (what, why, mend) = (what.into(), "", Vec::new());
        Self {
            code,
            severity,
            what,
            why,
            mend,
        }
    }

    pub(super) fn error(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, what)
    }

    pub(super) fn warning(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, what)
    }

    pub(super) fn note(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, what)
    }

    pub(super) fn fine(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Fine, code, what)
    }

    pub(super) fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    pub(super) fn mend(mut self, place: &'static str, line: impl Into<Cow<'static, str>>) -> Self {
        let line = line.into();
        self.mend.push(Remedy { place, line });
        self
    }
}
