//! One connection, observed while it lasts.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::time::{Instant, timeout_at};

use super::ask::{Ask, Sender};
use crate::doctor::observation::{Chunk, End, Head, Observation};
use crate::http::cause;

/// What is kept of one body. A stream that gives more is looked at no longer.
const MAX_BYTES: usize = 32 << 20;
/// Chunks have a cost of their own.
const MAX_CHUNKS: usize = 200_000;

/// A connection, and what was seen of it so far.
pub(super) struct Look {
    began: Instant,
    observation: Observation,
    response: Option<Response>,
    bytes: usize,
}

impl Look {
    /// Sends the request and waits for the head.
    pub(super) async fn open(sender: &Sender, ask: &Ask, extra: &HeaderMap, until: Instant) -> Self {
        let request = ask.request(sender, extra);
        let began = Instant::now();
        let answer = timeout_at(until, request.send()).await;
        let at = began.elapsed();
        let mut look = Self {
            began,
            observation: Observation {
                method: ask.method.clone(),
                url: ask.url.clone(),
                origin: ask.origin.clone(),
                redirects: sender.redirects(),
                head: None,
                chunks: Vec::new(),
                end: End::Open(at),
            },
            response: None,
            bytes: 0,
        };
        match answer {
            Ok(Ok(response)) => look.head(response, at),
            Ok(Err(error)) => look.observation.end = End::Cut(at, cause(&error)),
            Err(_) => {}
        }
        look
    }

    fn head(&mut self, response: Response, at: Duration) {
        self.observation.url = response.url().clone();
        self.observation.head = Some(Head {
            at,
            status: response.status(),
            version: response.version(),
            headers: response.headers().clone(),
        });
        self.response = Some(response);
    }

    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }

    /// Whether the body is compressed, or said to be.
    pub(super) fn is_packed(&self) -> bool {
        let head = self.observation.head.as_ref();
        head.is_some_and(|head| head.headers.contains_key(CONTENT_ENCODING))
    }

    /// Reads until then, until the end, or until `enough` says so of what has come.
    pub(super) async fn read(&mut self, until: Instant, mut enough: impl FnMut(&Observation) -> bool) {
        while let Some(response) = &mut self.response {
            let chunk = timeout_at(until, response.chunk()).await;
            let at = self.began.elapsed();
            let end = match chunk {
                Ok(Ok(Some(bytes))) => {
                    self.bytes += bytes.len();
                    self.observation.chunks.push(Chunk { at, bytes });
                    self.observation.end = End::Open(at);
                    let full = self.bytes >= MAX_BYTES || self.observation.chunks.len() >= MAX_CHUNKS;
                    if full {
                        self.response = None;
                    }
                    match full || enough(&self.observation) {
                        true => return,
                        false => continue,
                    }
                }
                Ok(Ok(None)) => End::Finished(at),
                Ok(Err(error)) => End::Cut(at, cause(&error)),
                Err(_) => {
                    self.observation.end = End::Open(at);
                    return;
                }
            };
            self.observation.end = end;
            self.response = None;
        }
    }

    /// Closes the connection.
    pub(super) fn close(self) -> Observation {
        self.observation
    }
}
