//! `tidewire pub`: one event from the command line, or one for each line of standard input.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::stdout;
use crate::cli::{Publish, UsageError};
use crate::http::{body, cause, client, error_text, topic_url};
use crate::secrets;

/// The server must have answered by then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A line may be as long as the largest event that a server can be set to take.
const MAX_LINE: u64 = 64 << 20;

/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Publishes what the command line says.
pub(crate) async fn run(args: Publish) -> anyhow::Result<()> {
    let data = args.data.as_deref().filter(|data| *data != "-");
    if args.data.is_none() && io::stdin().is_terminal() {
        return Err(UsageError("DATA is missing: give the event's data, or `-` to type lines").into());
    }
    if data.is_none() && args.id.is_some() {
        return Err(UsageError("--id names one event, so it needs DATA").into());
    }
    let url = topic_url(&args.server.url, &args.topic);
    let publisher = Publisher {
        client: client(&url, args.server.token_for(&url))?,
        url,
        quiet: args.quiet,
    };
    match data {
        Some(data) => publisher.publish(data.to_owned(), &query(&args, args.end)).await,
        None => publish_lines(&publisher, &args).await,
    }
}

/// Publishes a line as soon as it is complete.
async fn publish_lines(publisher: &Publisher, args: &Publish) -> anyhow::Result<()> {
    let mut lines = Lines {
        input: BufReader::new(tokio::io::stdin()),
        number: 0,
    };
    while let Some(line) = lines.next().await? {
        let ends = args.end && lines.at_end().await?;
        let published = publisher.publish(line, &query(args, ends)).await;
        published.with_context(|| format!("line {} (those before it are published)", lines.number))?;
    }
    ensure!(
        !args.end || lines.number > 0,
        "standard input is empty: no event to end the stream with"
    );
    Ok(())
}

/// The parameters of one event.
fn query(args: &Publish, end: bool) -> Vec<(&'static str, String)> {
    let retry = args.retry.map(|retry| retry.get().as_millis().to_string());
    let end = end.then(|| "true".to_owned());
    [
        ("event", args.event.clone()),
        ("id", args.id.clone()),
        ("retry", retry),
        ("end", end),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

struct Publisher {
    client: Client,
    url: Url,
    quiet: bool,
}

/// What the server says of a published event.
#[derive(Deserialize)]
struct Published {
    id: String,
}

impl Publisher {
    /// Publishes one event and prints its id. The connection is kept for the next one.
    async fn publish(&self, data: String, query: &[(&str, String)]) -> anyhow::Result<()> {
        let mut url = self.url.clone();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self
            .client
            .post(url)
            .header("content-type", "text/plain; charset=utf-8")
            .timeout(ANSWER_TIMEOUT)
            .body(data);
        let mut response = request.send().await.map_err(|error| self.no_answer(&error))?;
        if !response.status().is_success() {
            bail!("the server refused it: {}", error_text(response).await);
        }
        let body = body(&mut response)
            .await
            .map_err(|error| self.no_answer(&error))?;
        let Ok(Published { id }) = serde_json::from_slice(&body) else {
            bail!(
                "{} is no Tidewire server: its answer has no event id",
                secrets::shown(&self.url)
            );
        };
        if self.quiet {
            return Ok(());
        }
        stdout::print(&format!("{}\n", stdout::shown(&id)))
    }

    fn no_answer(&self, error: &reqwest::Error) -> anyhow::Error {
        anyhow!(
            "no answer from {}: {} (is the server running?)",
            secrets::shown(&self.url),
            cause(error)
        )
    }
}

/// The lines of an input, each without its line end.
struct Lines<R> {
    input: R,
    /// Of the line that was read last; the first is 1.
    number: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    async fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = Vec::new();
        // One byte more tells a line that is too long; two are for its CR and LF.
        let mut bounded = (&mut self.input).take(MAX_LINE + 3 + BOM.len() as u64);
        if bounded
            .read_until(b'\n', &mut line)
            .await
            .context("cannot read standard input")?
            == 0
        {
            return Ok(None);
        }
        self.number += 1;
        // Editors and PowerShell begin a text with it; it is no part of the first event.
        if self.number == 1 && line.starts_with(BOM) {
            line.drain(..BOM.len());
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
        }
        ensure!(
            line.len() as u64 <= MAX_LINE,
            "line {} has more than {MAX_LINE} bytes",
            self.number
        );
        let line = String::from_utf8(line);
        line.map(Some)
            .with_context(|| format!("line {} is no UTF-8 text", self.number))
    }

    /// Waits for another line to begin, or for the end.
    async fn at_end(&mut self) -> anyhow::Result<bool> {
        Ok(self
            .input
            .fill_buf()
            .await
            .context("cannot read standard input")?
            .is_empty())
    }
}
