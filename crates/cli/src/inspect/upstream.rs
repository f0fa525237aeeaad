//! Who is asked: the upstream's origin, and the client that asks it.
//!
//! hyper's client and not reqwest's, because reqwest has its URLs tidied (`/a/../b`, `'` in a query): the tap passes on
//! what it was given. Each request has a connection of its own, as a client that has just been started would make: one
//! that was kept could be closed by the upstream at the moment it is used, a fault that would be the tap's.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use anyhow::{Context as _, ensure};
use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, Uri, uri::PathAndQuery},
};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use reqwest::Url;

use crate::http::{is_loopback, parse_url};

/// Time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Scheme, host and port. Invariant: http or https, nothing else in it.
#[derive(Debug, Clone)]
pub(crate) struct Upstream(Url);

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = parse_url(text)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare {
            return Err("give scheme, host and port alone, for example `http://127.0.0.1:8420`: the path comes from each request".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("leave the user out: the tap passes on the credentials that its clients send".into());
        }
        Ok(Self(url))
    }
}

/// The origin, as browsers write it.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Upstream {
    /// Asking oneself never ends.
    pub(super) fn is_not(&self, tap: SocketAddr) -> anyhow::Result<()> {
        let is_tap = is_loopback(&self.0) && self.0.port_or_known_default() == Some(tap.port());
        ensure!(
            !is_tap,
            "the upstream {self} is the tap itself: --listen takes another port"
        );
        Ok(())
    }

    /// The address of what is asked for, byte for byte as it was asked for.
    pub(super) fn uri(&self, target: Option<&PathAndQuery>) -> Result<Uri, axum::http::Error> {
        Uri::builder()
            .scheme(self.0.scheme())
            .authority(self.0.authority())
            .path_and_query(target.map_or("/", PathAndQuery::as_str))
            .build()
    }

    /// What the upstream is called where its clients call the tap by name: in `Origin` and `Referer`.
    pub(super) fn origin(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // A character that is typed must not wait for the next.
        http.set_nodelay(true);
        let mut client = legacy::Client::builder(TokioExecutor::new());
        client.pool_max_idle_per_host(0);
        if self.0.scheme() == "http" {
            return Ok(Client::Plain(client.build(http)));
        }
        http.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::ring::default_provider())
            .context("cannot set up TLS: are there no CA certificates on this machine (`ca-certificates`)?")?
            .https_only()
            .enable_http1()
            .wrap_connector(http);
        Ok(Client::Tls(client.build(tls)))
    }
}

/// Asks the upstream. HTTP/1.1, no redirects, no proxy, nothing unpacked.
pub(super) enum Client {
    Plain(legacy::Client<HttpConnector, Body>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Body>),
}

impl Client {
    pub(super) async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, legacy::Error> {
        match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_origin() {
        for (text, shown) in [
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("https://API.example.com:443", "https://api.example.com"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), shown);
        }
        for (text, why) in [
            ("127.0.0.1:8420", "http"),
            ("ftp://h", "http or https"),
            ("http://h/api", "the path comes from each request"),
            ("http://h/?q=1", "scheme, host and port alone"),
            ("http://me:secret@h", "leave the user out"),
        ] {
            let error = text.parse::<Upstream>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_asked_for_stays_as_it_is() {
        let upstream: Upstream = "http://h:1".parse().unwrap();
        for target in ["/", "/a/../b", "/%2e%2e//x?q='&r={1}|2", "/a%2Fb?", "*"] {
            let uri = upstream.uri(Some(&target.parse().unwrap())).unwrap();
            assert_eq!(uri.path_and_query().unwrap().as_str(), target);
        }
    }

    #[test]
    fn the_tap_does_not_ask_itself() {
        let tap: SocketAddr = "127.0.0.1:8421".parse().unwrap();
        for (upstream, fine) in [
            ("http://127.0.0.1:8421", false),
            ("http://localhost:8421", false),
            ("http://127.0.0.1:8420", true),
            ("http://example.com:8421", true),
        ] {
            assert_eq!(
                upstream.parse::<Upstream>().unwrap().is_not(tap).is_ok(),
                fine,
                "{upstream}"
            );
        }
    }
}
