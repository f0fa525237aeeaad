//! Reads one stream over as many connections as it takes.
//!
//! A finished body or a 204 is the end. A cut, a silence of several heartbeats, a 429 or a 5xx is
//! followed by another connection, which goes on after the last event id. Anything else is final.
//! The client crate will take this file's place.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use tidewire_codec::{Decoder, Item, Unfinished};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::print::Printer;
use crate::cmd::http::{cause, client, error_text};
use crate::cmd::stderr::say;
use crate::config::secret::Secret;

/// A server sends the headers of a stream at once; this much is for the network.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that is silent for this many heartbeats is dead.
const SILENT_HEARTBEATS: u32 = 3;

const EVENT_STREAM: &str = "text/event-stream";

/// Where to begin.
pub(super) enum Start {
    Live,
    /// With the last N events.
    Last(u64),
    /// After the event with this id; `earliest` is the oldest that is kept.
    From(String),
}

pub(super) struct Reader {
    client: Client,
    url: Url,
    start: Start,
    /// The stream has given an id or an event, so `start` is done with.
    begun: bool,
    decoder: Decoder,
    backoff: Backoff,
}

/// How an attempt ended.
enum Attempt {
    /// The stream ended, or all that was wanted has been printed.
    Done,
    /// The text says why; the time is what the server asks to wait.
    Again(String, Option<Duration>),
}

impl Reader {
    pub(super) fn new(mut url: Url, start: Start, token: Option<Secret>) -> anyhow::Result<Self> {
        // A primed stream gives an id before its first event, so that a cut in between loses nothing.
        if !url.query_pairs().any(|(name, _)| name == "prime") {
            url.query_pairs_mut().append_pair("prime", "1");
        }
        Ok(Self {
            client: client(&url, token)?,
            url,
            start,
            begun: false,
            decoder: Decoder::new().with_comments().with_retry(),
            backoff: Backoff::new(),
        })
    }

    /// Prints the stream to its end.
    pub(super) async fn read_to_end(&mut self, printer: &mut Printer) -> anyhow::Result<()> {
        loop {
            let Attempt::Again(why, asked) = self.attempt(printer).await? else {
                return Ok(());
            };
            let wait = self.backoff.next(fastrand::f64()).max(asked.unwrap_or_default());
            say(format_args!(
                "{why}; connecting again in {:.1} s",
                wait.as_secs_f64()
            ));
            sleep(wait).await;
        }
    }

    async fn attempt(&mut self, printer: &mut Printer) -> anyhow::Result<Attempt> {
        let response = match timeout(HEADERS_TIMEOUT, self.request().send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_builder() || error.is_redirect() => {
                return Err(error).context("cannot ask for the stream");
            }
            Ok(Err(error)) => {
                return Ok(Attempt::Again(format!("cannot connect: {}", cause(&error)), None));
            }
            Err(_) => return Ok(Attempt::Again("the server does not answer".into(), None)),
        };
        match response.status() {
            StatusCode::OK => self.read(response, printer).await,
            StatusCode::NO_CONTENT => Ok(Attempt::Done),
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                let asked = seconds(response.headers(), RETRY_AFTER.as_str());
                Ok(Attempt::Again(error_text(response).await, asked))
            }
            _ => bail!("the server refused it: {}", error_text(response).await),
        }
    }

    fn request(&self) -> RequestBuilder {
        let mut url = self.url.clone();
        let cursor = match &self.start {
            Start::From(id) if !self.begun => Some(id.as_str()),
            Start::Last(last) if !self.begun => {
                url.query_pairs_mut().append_pair("last", &last.to_string());
                None
            }
            _ => Some(self.decoder.last_event_id()).filter(|id| !id.is_empty()),
        };
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(EVENT_STREAM))]);
        if let Some(id) = cursor {
            match HeaderValue::from_bytes(id.as_bytes()) {
                Ok(value) => drop(headers.insert("last-event-id", value)),
                // A header cannot hold every id; the query can.
                Err(_) => drop(url.query_pairs_mut().append_pair("last_event_id", id)),
            }
        }
        self.client.get(url).headers(headers)
    }

    async fn read(&mut self, mut response: Response, printer: &mut Printer) -> anyhow::Result<Attempt> {
        check_type(response.headers())?;
        let silence = seconds(response.headers(), "tidewire-heartbeat")
            .filter(|heartbeat| !heartbeat.is_zero())
            .map_or(Duration::MAX, |heartbeat| {
                heartbeat.saturating_mul(SILENT_HEARTBEATS)
            });
        let attempt = loop {
            match timeout(silence, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    if self.backoff.worked() {
                        say(format_args!("connected again"));
                    }
                    let shown = self.show(&chunk, printer);
                    printer.flush()?;
                    if shown.is_break() {
                        return Ok(Attempt::Done);
                    }
                }
                Ok(Ok(None)) => break Attempt::Done,
                Ok(Err(error)) => {
                    break Attempt::Again(format!("the connection was cut: {}", cause(&error)), None);
                }
                Err(_) => break Attempt::Again("the connection is silent".into(), None),
            }
        };
        // An event that the cut left unfinished comes again, whole.
        self.decoder.finish(Unfinished::Drop);
        Ok(attempt)
    }

    fn show(&mut self, chunk: &[u8], printer: &mut Printer) -> ControlFlow<()> {
        let mut items = self.decoder.feed(chunk);
        while let Some(item) = items.next() {
            match item {
                Item::Retry(millis) => self.backoff.set_retry(millis),
                Item::Event(_) => self.begun = true,
                Item::Comment(_) | Item::Overlong(_) => {}
            }
            printer.show(item)?;
        }
        self.begun |= !self.decoder.last_event_id().is_empty();
        ControlFlow::Continue(())
    }
}

/// A 200 that is something else, such as a page, would be read as a stream without events.
fn check_type(headers: &HeaderMap) -> anyhow::Result<()> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let found = headers
        .get(CONTENT_TYPE)
        .map_or_else(|| "of no type".into(), text);
    let essence = found.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(EVENT_STREAM) {
        bail!("the answer is {found}, not an event stream ({EVENT_STREAM})");
    }
    Ok(())
}

/// A header that holds a number of seconds.
fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    headers
        .get(name)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
