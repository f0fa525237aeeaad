//! What `pub`, `tail` and `doctor` need of HTTP: a client, the URL of a topic, and what an error answer says.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cli::UsageError;
use crate::config::secret::Secret;

/// Time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of an answer that is no stream, at most this much is read.
const MAX_BODY: usize = 64 << 10;

/// Time for an error answer to be complete; what it says is shown without waiting any longer.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for requests to `url`, with a token if there is one.
pub(crate) fn client(url: &Url, token: Option<Secret>) -> anyhow::Result<Client> {
    let mut client = builder(url);
    if let Some(token) = token {
        let wrong = |_| UsageError("the token has a character that no header can carry");
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).map_err(wrong)?;
        value.set_sensitive(true);
        client = client.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
    }
    client.build().context("cannot set up the HTTP client")
}

/// What every client for requests to `url` has. It takes proxies from the environment, as curl does, but never for
/// this machine itself.
pub(crate) fn builder(url: &Url) -> ClientBuilder {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("tidewire/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT);
    match is_loopback(url) {
        true => client.no_proxy(),
        false => client,
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Parses an absolute `http` or `https` URL.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    match text.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("give an http or https URL, for example `http://127.0.0.1:8420`".into()),
        Err(error) => Err(format!("{error}: give for example `http://127.0.0.1:8420`")),
    }
}

/// The URL of a topic on a server: `/events/{topic}`, or `/events?topic=` for a name that a path
/// would change (empty and dot segments).
pub(crate) fn topic_url(server: &Url, topic: &str) -> Url {
    let mut url = server.clone();
    url.set_query(None);
    url.set_fragment(None);
    let survives = topic
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."));
    // The error is for URLs without a host, which `parse_url` never gives.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("events");
        if survives {
            path.extend(topic.split('/'));
        }
    }
    if !survives {
        url.query_pairs_mut().append_pair("topic", topic);
    }
    url
}

/// An error answer (RFC 9457), as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// What an error answer says: its status, and the problem's detail or the first line of its text.
pub(crate) async fn error_text(mut response: Response) -> String {
    let status = response.status();
    let body = match timeout(ERROR_TIMEOUT, body(&mut response)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    refusal_text(status, &body)
}

/// The same of a body that is there.
pub(crate) fn refusal_text(status: StatusCode, body: &[u8]) -> String {
    let detail = match serde_json::from_slice(body) {
        Ok(Problem { detail }) => detail,
        Err(_) => String::from_utf8_lossy(body)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    if detail.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {detail}")
    }
}

/// The body of an answer that is no stream, cut at a bound.
pub(crate) async fn body(response: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause, which says what happened ("Connection refused") where the outer ones say
/// during what.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, parse_url, topic_url};

    #[test]
    fn a_topic_becomes_a_url() {
        for (server, topic, url) in [
            ("http://h:1", "news/today", "http://h:1/events/news/today"),
            ("http://h:1/", "a", "http://h:1/events/a"),
            ("https://h/live/", "a", "https://h/live/events/a"),
            ("http://h", "50%/ä ?#", "http://h/events/50%25/%C3%A4%20%3F%23"),
            ("http://h", "a//b", "http://h/events?topic=a%2F%2Fb"),
            ("http://h", "../a", "http://h/events?topic=..%2Fa"),
            ("http://h/?x=1#y", "a", "http://h/events/a"),
        ] {
            assert_eq!(
                topic_url(&parse_url(server).unwrap(), topic).as_str(),
                url,
                "{topic}"
            );
        }
    }

    #[test]
    fn only_http_urls_are_urls() {
        for text in ["127.0.0.1:8420", "ftp://h", "http://", ""] {
            assert!(parse_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for (url, loopback) in [
            ("http://127.0.0.2:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://example.com", false),
        ] {
            assert_eq!(is_loopback(&parse_url(url).unwrap()), loopback, "{url}");
        }
    }
}
