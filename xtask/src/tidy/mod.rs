//! Rules for committed files that no linter knows: nothing unfinished, nothing of one machine, clean lock files.
//!
//! This module finds the files; [`rules`] judges one file at a time.

pub mod rules;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::command::Cmd;
use rules::File;

/// What the rules say of a whole tree.
#[derive(Debug, Default)]
pub struct Findings {
    /// Lines that must go, as `path:line: what`.
    pub problems: Vec<String>,
    /// What deserves a second thought but fails nothing.
    pub notes: Vec<String>,
}

/// Judges every text file under `root` that git tracks or would track.
///
/// # Errors
/// `root` is not in a git work tree, or a file cannot be read.
pub fn check(root: &Path) -> Result<Findings> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let paths = Cmd::new("git").args(list).dir(root).output()?;
    let mut findings = Findings::default();
    for path in paths.split_terminator('\0') {
        let on_disk = root.join(path);
        // A tracked file that was just removed, or a link to a folder.
        if !on_disk.is_file() {
            continue;
        }
        let bytes = fs::read(&on_disk).with_context(|| on_disk.display().to_string())?;
        if let Ok(text) = String::from_utf8(bytes) {
            let file = File { path, text: &text };
            findings.problems.extend(rules::problems(&file));
            findings.notes.extend(rules::too_long(&file));
        }
    }
    Ok(findings)
}
