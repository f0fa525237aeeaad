//! What the harness wants a stream to be.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use tidewire_client::{EventSource, Limits, Method, Repeat, Retry};

/// The largest payload of the suite is 128 MiB.
const MAX_EVENT: usize = 256 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params {
    stream_url: String,
    callback_url: String,
    initial_delay_ms: Option<u64>,
    read_timeout_ms: Option<u64>,
    last_event_id: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    method: Option<String>,
    body: Option<String>,
}

impl Params {
    /// The source, and where the harness wants to hear of it; or what is wrong.
    pub(crate) fn source(self) -> Result<(EventSource, String), String> {
        let method = self.method.filter(|method| !method.is_empty());
        let method = method.map_or(Ok(Method::GET), |method| {
            Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())
        })?;
        let mut retry = Retry::default();
        if let Some(millis) = self.initial_delay_ms {
            retry.base = Duration::from_millis(millis);
        }
        let mut builder = EventSource::request(method, &self.stream_url)
            .comments(true)
            .limits(Limits {
                max_line: MAX_EVENT,
                max_event: MAX_EVENT,
                ..Limits::default()
            })
            .retry(retry)
            // The suite breaks the answer to a POST, and wants it asked for again.
            .repeat(Repeat::Always)
            .idle_timeout(self.read_timeout_ms.map(Duration::from_millis));
        for (name, value) in self.headers.unwrap_or_default() {
            builder = builder.header(name, value);
        }
        if let Some(id) = self.last_event_id {
            builder = builder.last_event_id(id);
        }
        if let Some(body) = self.body {
            builder = builder.body(body);
        }
        let source = builder.build().map_err(|error| error.to_string())?;
        if !self.callback_url.starts_with("http") {
            return Err("callbackUrl: give an http URL".into());
        }
        Ok((source, self.callback_url))
    }
}
