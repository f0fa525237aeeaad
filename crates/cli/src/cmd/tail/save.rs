//! Recordings of what came: one a connection.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tidewire_client::Open;
use tokio::time::Instant;

use super::ask::Asked;
use crate::{
    recording::{Ending, Head, Request, Response, Taken, Writer},
    secrets::Secrets,
};

/// A recording of a larger body stops taking more, and says so.
const MAX_BYTES: u64 = 4 << 30;

pub(super) struct Saver {
    path: PathBuf,
    request: Request,
    /// The file that is next: made before anything is asked, so that nothing is asked in vain.
    next: Option<File>,
    secrets: Secrets,
    /// How many have been made.
    number: usize,
    /// Since the last attempt began.
    asked: Instant,
    writer: Option<(Writer<File>, Instant)>,
}

impl Saver {
    pub(super) fn new(path: PathBuf, asked: &Asked, secrets: Secrets) -> anyhow::Result<Self> {
        let request = Request {
            method: asked.method.to_string(),
            url: secrets.url(asked.url.as_str()).into_owned(),
            headers: secrets.headers(&asked.headers),
        };
        Ok(Self {
            next: Some(create(&path)?),
            path,
            secrets,
            request,
            number: 1,
            asked: Instant::now(),
            writer: None,
        })
    }

    pub(super) fn open(&mut self, open: &Open) -> anyhow::Result<()> {
        let file = match self.next.take() {
            Some(file) => file,
            None => {
                self.number += 1;
                let mut name = self.path.as_os_str().to_owned();
                name.push(format!(".{}", self.number));
                create(Path::new(&name))?
            }
        };
        let after = self.asked.elapsed();
        let mut headers = open.headers.clone();
        if headers.remove(CONTENT_ENCODING).is_some() {
            // It was packed though nobody asked for it, and has been unpacked.
            headers.remove(CONTENT_LENGTH);
        }
        let response = Response {
            after: millis(after),
            version: format!("{:?}", open.version),
            status: open.status.as_u16(),
            headers: self.secrets.headers(&headers),
        };
        let head = Head::new(
            wall().saturating_sub(millis(after)),
            self.request.clone(),
            response,
        );
        let writer = Writer::begin(file, &head, MAX_BYTES).context("--save")?;
        self.writer = Some((writer, Instant::now()));
        Ok(())
    }

    pub(super) fn chunk(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if let Some((writer, zero)) = &mut self.writer {
            match writer.chunk(millis(zero.elapsed()), bytes).context("--save")? {
                // The last line says it.
                Taken::Yes | Taken::Full => {}
            }
        }
        Ok(())
    }

    /// The stream of a connection is over.
    pub(super) fn finish(&mut self, ending: Ending, why: Option<String>) -> anyhow::Result<()> {
        self.asked = Instant::now();
        if let Some((writer, zero)) = self.writer.take() {
            writer
                .finish(millis(zero.elapsed()), ending, why)
                .context("--save")?;
        }
        Ok(())
    }
}

/// A file that is there may be somebody's only recording of something. Only its owner may read the new one: an answer
/// may hold anything.
fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path);
    file.with_context(|| format!("--save: cannot make the file {}", path.display()))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "a recording says when it was made")]
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}
