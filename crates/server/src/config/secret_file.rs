//! Files that hold secrets: nobody else may write them, and it is said when everybody can read them.

use std::{
    fs::{File, Metadata},
    io::Read as _,
    path::Path,
};

/// Reads a file of secrets that the setting `name` names.
///
/// # Errors
/// It cannot be read, or every user can write it.
pub(super) fn read(name: &str, path: &Path) -> Result<String, String> {
    let cannot = |error| format!("{name}: cannot read {}: {error}", path.display());
    let mut file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    refuse_shared(name, path, &metadata)?;
    if let Some(mode) = open_to_others(&metadata) {
        tracing::warn!(
            "{name}: {} has mode {mode:04o}, so other users can {} it: `chmod 600` it",
            path.display(),
            if mode & 0o020 == 0 { "read" } else { "change" }
        );
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

/// Refuses a file that every user can write. One that is not there may still come.
pub(super) fn check(name: &str, path: Option<&Path>) -> Result<(), String> {
    match path.and_then(|path| Some((path, path.metadata().ok()?))) {
        Some((path, metadata)) => refuse_shared(name, path, &metadata),
        None => Ok(()),
    }
}

fn refuse_shared(name: &str, path: &Path, metadata: &Metadata) -> Result<(), String> {
    match mode(metadata) {
        Some(mode) if mode & 0o002 != 0 => Err(format!(
            "{name}: {} has mode {mode:04o}, so every user of this machine can write a token into it: `chmod 600` it, and \
             make new tokens if somebody may have",
            path.display()
        )),
        _ => Ok(()),
    }
}

/// The mode of a file that every user can read, or its group can write. A group that reads is a deployment's way to give
/// a service its tokens.
fn open_to_others(metadata: &Metadata) -> Option<u32> {
    mode(metadata).filter(|mode| mode & 0o024 != 0)
}

/// The permission bits; pipes and devices (`<(…)`, `/dev/stdin`) have none that count.
#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.is_file().then(|| metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}
