//! The default transport.

use std::{sync::Arc, time::Duration};

use ::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use reqwest::{Client, redirect::Policy};
use rustls::{
    ClientConfig,
    crypto::{CryptoProvider, ring},
};
use rustls_platform_verifier::Verifier;
use url::{Host, Url};

use super::{Answer, Transport};
use crate::error::{BoxError, Error};

/// Time for a connection to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that has been silent for this long is asked whether it still is one, below HTTP: after this, the
/// next two, and no reply, a half-open connection is found even where nobody sends heartbeats.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A client for streams: no redirects of its own (the session follows them and knows what not to send along), no
/// limit on how long an answer takes, proxies from the environment, but never for this machine itself.
pub(crate) fn client(url: &Url) -> Result<Client, Error> {
    let tls = tls().map_err(|error| cannot_be_set_up(error.into()))?;
    let mut client = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("tidewire-client/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        // Unpacked here, whatever features of reqwest others have turned on.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE / 3)
        .tcp_keepalive_retries(2)
        .http2_keep_alive_interval(KEEPALIVE)
        .http2_keep_alive_timeout(KEEPALIVE / 3);
    if is_loopback(url) {
        client = client.no_proxy();
    }
    client.build().map_err(|error| cannot_be_set_up(error.into()))
}

fn cannot_be_set_up(error: BoxError) -> Error {
    Error::Request {
        what: "the HTTP client cannot be set up".into(),
        source: Some(error),
    }
}

/// TLS with the provider of the process, or else with ring: which one a process has is for its binary to choose.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let verifier = Verifier::new(Arc::clone(&provider))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(config)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Sends with this client.
pub(crate) fn transport(client: Client) -> Transport {
    Box::new(move |request: Request<Bytes>| {
        let client = client.clone();
        Box::pin(async move {
            let is_empty = request.body().is_empty();
            let mut request = reqwest::Request::try_from(request)?;
            if is_empty && request.method().is_safe() {
                *request.body_mut() = None;
            }
            // Its text would hold the URL, and that perhaps a key.
            let response = client
                .execute(request)
                .await
                .map_err(reqwest::Error::without_url)?;
            let url = response.url().clone();
            let (head, body) = ::http::Response::from(response).into_parts();
            let body = body.map_err(|error| error.without_url().into());
            Ok(Answer {
                head,
                url: Some(url),
                body: body.boxed_unsync(),
            })
        })
    })
}
