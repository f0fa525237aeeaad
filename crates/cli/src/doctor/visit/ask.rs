//! The request, as a browser would send it, and the client that sends it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use tidewire_codec::protocol;

use crate::doctor::observation::Redirect;
use crate::http;
use crate::secrets::Secrets;

/// As many as browsers follow.
const MAX_REDIRECTS: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Go before what a browser would send.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<String>,
    /// The page's origin.
    pub(crate) origin: Option<String>,
    /// How URLs are printed.
    pub(crate) secrets: Secrets,
}

/// Sends requests. Making one takes a while (the system's certificates are read), so it is made before any time counts.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Client,
    followed: Arc<Mutex<Vec<Redirect>>>,
}

impl Ask {
    pub(super) fn sender(&self) -> anyhow::Result<Sender> {
        let followed = Arc::<Mutex<Vec<Redirect>>>::default();
        let notes = Arc::clone(&followed);
        let secrets = self.secrets;
        let policy = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error("more than 20 redirects");
            }
            if let Some(from) = attempt.previous().last() {
                let redirect = Redirect {
                    status: attempt.status(),
                    from: from.clone(),
                    to: attempt.url().clone(),
                    shown: secrets.url(attempt.url().as_str()).into_owned(),
                };
                notes
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(redirect);
            }
            attempt.follow()
        });
        let client = http::builder(&self.url)
            .redirect(policy)
            .pool_max_idle_per_host(0)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Sender { client, followed })
    }

    pub(super) fn request(&self, sender: &Sender, extra: &HeaderMap) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(protocol::EVENT_STREAM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Browsers ask for these two by https only: proxies used to spoil them.
        let encodings = match self.url.scheme() {
            "https" => "gzip, deflate, br, zstd",
            _ => "gzip, deflate",
        };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encodings));
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(origin) = self.origin.as_deref().and_then(|origin| origin.parse().ok()) {
            headers.insert(ORIGIN, origin);
        }
        // A name that is there already is replaced; one that comes several times keeps all its values.
        headers.extend(self.headers.clone());
        headers.extend(extra.clone());
        let request = sender
            .client
            .request(self.method.clone(), self.url.clone())
            .headers(headers);
        match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// Whether `EventSource` could send this: no method, body or header of one's own.
    pub(super) fn is_simple(&self) -> bool {
        self.method == Method::GET && self.body.is_none() && self.headers.is_empty()
    }
}

impl Sender {
    /// The redirects since it was asked last. Only requests of which one is under way at a time can tell.
    pub(super) fn redirects(&self) -> Vec<Redirect> {
        std::mem::take(&mut self.followed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The header by which a reader that comes back says where it was.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(protocol::LAST_EVENT_ID);
