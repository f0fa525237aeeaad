//! What a command line asks for, as a source of the client.

use std::{
    fs::File,
    io::{self, Read},
};

use anyhow::Context as _;
use reqwest::{
    Method, Url,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use tidewire_client::{EventSource, Prime};

use super::args::{Stream, Tail};
use crate::{cli::UsageError, cmd::header::Header, http::topic_url};

/// The longest body that is sent.
const MAX_BODY: u64 = 64 << 20;

/// A source, and what it was made of.
pub(super) struct Asked {
    pub(super) source: EventSource,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

pub(super) fn build(args: &Tail) -> anyhow::Result<Asked> {
    let request = &args.request;
    let (mut url, prime) = match &args.stream {
        Stream::Topic(topic) => (topic_url(&args.server.url, topic), Prime::Always),
        Stream::Path(path) => (path_url(&args.server.url, path)?, Prime::Auto),
        // Others are not asked for what only Tidewire has, until they have said that they are one.
        Stream::Url(url) => (url.clone(), Prime::Auto),
    };
    if let Some(last) = request.last {
        url.query_pairs_mut().append_pair("last", &last.to_string());
    }
    let body = request.data.as_deref().map(read_body).transpose()?;
    let default = if body.is_some() { Method::POST } else { Method::GET };
    let method = request.method.clone().unwrap_or(default);

    let mut headers = HeaderMap::new();
    for Header { name, value } in &request.headers {
        headers.insert(name, value.clone());
    }
    if let Some(body) = &body {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        let kind = if is_json {
            "application/json"
        } else {
            "text/plain; charset=utf-8"
        };
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(kind));
    }
    if args.save.is_some() || args.show.raw {
        // What is shown and saved is what came.
        headers
            .entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
    }

    let mut source = EventSource::request(method.clone(), url.as_str())
        .prime(prime)
        .comments(args.show.comments)
        .chunks(args.save.is_some() || args.show.raw || args.show.count);
    if let Some(token) = args.server.token_for(&url) {
        source = source.bearer(token.reveal());
    }
    for (name, value) in &headers {
        source = source.header(name, value);
    }
    if let Some(body) = body {
        source = source.body(body);
    }
    if let Some(id) = &request.last_event_id {
        source = source.last_event_id(id.as_str());
    }
    Ok(Asked {
        source: source.build()?,
        method,
        url,
        headers,
    })
}

/// A path on the server, below that of its own address.
fn path_url(server: &Url, path: &str) -> anyhow::Result<Url> {
    let mut base = server.clone();
    base.set_query(None);
    base.set_fragment(None);
    let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
    url.parse().with_context(|| format!("{url} is no URL"))
}

/// The body that `-d` names.
fn read_body(data: &str) -> anyhow::Result<Vec<u8>> {
    let Some(file) = data.strip_prefix('@') else {
        return Ok(data.into());
    };
    let mut body = Vec::new();
    let read = match file {
        "-" => io::stdin().take(MAX_BODY + 1).read_to_end(&mut body),
        file => File::open(file).and_then(|file| file.take(MAX_BODY + 1).read_to_end(&mut body)),
    };
    read.with_context(|| format!("--data {data}"))?;
    if body.len() as u64 > MAX_BODY {
        return Err(UsageError("--data: a body has at most 64 MiB").into());
    }
    Ok(body)
}
