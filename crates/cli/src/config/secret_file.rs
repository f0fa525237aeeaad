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
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot)?;
    text(bytes).map_err(|why| format!("{name}: {} {why}", path.display()))
}

/// UTF-8 without the byte order mark that editors on Windows write: it would be part of the first secret.
fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("is UTF-16: save it as UTF-8");
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8: save it as UTF-8")?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_secret() {
        assert_eq!(text(b"\xef\xbb\xbftoken\r\n".to_vec()).unwrap(), "token\r\n");
        assert_eq!(text(b"token\n".to_vec()).unwrap(), "token\n");
        assert_eq!(text(Vec::new()).unwrap(), "");
        let twice = "\u{feff}\u{feff}token";
        assert_eq!(text(twice.into()).unwrap(), "\u{feff}token", "one is a mark");
    }

    #[test]
    fn another_encoding_is_refused_by_its_name() {
        for bytes in [&b"\xff\xfet\0"[..], b"\xfe\xff\0t"] {
            assert!(text(bytes.to_vec()).unwrap_err().contains("UTF-16"));
        }
        assert!(text(b"t\xe9".to_vec()).unwrap_err().contains("not UTF-8"));
    }
}
