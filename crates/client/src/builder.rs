//! What a source is to do, until it is built.

use std::{future::Future, pin::Pin, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tidewire_codec::{EventId, Limits};
use tower::Service;
use url::Url;

use crate::{
    error::{BoxError, Error, Shown},
    policy::Retry,
    source::EventSource,
    transport::{self, Transport},
};

/// How long the head of an answer may take, unless said otherwise.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How many redirects are followed, unless said otherwise; browsers follow 20.
const MAX_REDIRECTS: u32 = 20;

/// Makes the headers of one attempt.
pub(crate) type Headers =
    Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<HeaderMap, BoxError>> + Send>> + Send>;

/// Whether the request is sent again where nobody knows what became of it: no answer came, a stream broke, or a 5xx.
/// (After 408, 425, 429 and 503 any is, as nothing was done.)
///
/// GET, HEAD, OPTIONS, QUERY, REPORT, SEARCH and PROPFIND only read, and one with an `Idempotency-Key` is known again by its
/// server; any other may do something twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// A request that only reads or has a key, always. Any other, if the server has said that it resumes
    /// (`Tidewire-Stream` or `Tidewire-Resume`). An answer of another server to a POST is complete when it ends.
    #[default]
    IfResumable,
    /// Always, also when the stream has ended: the caller knows that nothing is done twice.
    Always,
    /// Not once a stream has opened.
    Never,
}

/// Whether to ask for a primed cursor: with `?prime=1` a Tidewire server sends an id before the first event, so
/// that a drop before that event resumes as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prime {
    /// Once a response had the header `Tidewire-Resume`, for GETs without a last event id. No other server ever
    /// sees the parameter.
    #[default]
    Auto,
    /// From the first GET on: the server is known to be one.
    Always,
    /// Not at all.
    Never,
}

/// What a session goes by.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) body: Option<Bytes>,
    pub(crate) headers: HeaderMap,
    pub(crate) last_event_id: Option<EventId>,
    pub(crate) limits: Limits,
    pub(crate) retry: Retry,
    pub(crate) repeat: Repeat,
    pub(crate) prime: Prime,
    pub(crate) max_redirects: u32,
    pub(crate) head_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) progress_timeout: Option<Duration>,
    pub(crate) comments: bool,
    pub(crate) chunks: bool,
    /// A function of the caller's makes headers for each attempt.
    pub(crate) renews: bool,
}

/// Builds an [`EventSource`]; begun with [`EventSource::get`] or [`EventSource::request`].
///
/// What is wrong with a value is told by [`build`](Self::build).
#[must_use = "nothing happens until the source is built and polled"]
pub struct Builder {
    pub(crate) config: Result<Config, Error>,
    fresh: Option<Headers>,
    transport: Option<Transport>,
}

impl Builder {
    pub(crate) fn new(method: Method, url: &str) -> Self {
        Self {
            config: parse(url).map(|(url, headers)| Config {
                url,
                method,
                body: None,
                headers,
                last_event_id: None,
                limits: Limits::default(),
                retry: Retry::default(),
                repeat: Repeat::default(),
                prime: Prime::default(),
                max_redirects: MAX_REDIRECTS,
                head_timeout: Some(HEAD_TIMEOUT),
                idle_timeout: None,
                progress_timeout: None,
                comments: false,
                chunks: false,
                renews: false,
            }),
            fresh: None,
            transport: None,
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Config)) -> Self {
        if let Ok(config) = &mut self.config {
            set(config);
        }
        self
    }

    fn try_set(mut self, set: impl FnOnce(&mut Config) -> Result<(), Error>) -> Self {
        if let Ok(config) = &mut self.config
            && let Err(error) = set(config)
        {
            self.config = Err(error);
        }
        self
    }

    /// Sets a header, in place of one of that name. It is not sent to another origin that a redirect leads to.
    pub fn header(
        self,
        name: impl TryInto<HeaderName, Error: Into<BoxError>>,
        value: impl TryInto<HeaderValue, Error: Into<BoxError>>,
    ) -> Self {
        self.try_set(|config| {
            let wrong = |what: &str, source: BoxError| Error::Request {
                what: what.to_owned(),
                source: Some(source),
            };
            let name = name
                .try_into()
                .map_err(|error| wrong("a header's name", error.into()))?;
            let value = value
                .try_into()
                .map_err(|error| wrong(&format!("the value of the header {name}"), error.into()))?;
            config.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sets `Authorization: Bearer`. For a token that expires there is [`headers_with`](Self::headers_with).
    pub fn bearer(self, token: &str) -> Self {
        self.try_set(|config| {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| Error::request("the token has a character that no header can carry"))?;
            value.set_sensitive(true);
            config.headers.insert(header::AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Asks for headers anew before every attempt, so that tokens are fresh. They go before those of
    /// [`header`](Self::header). An error counts as an attempt in vain; after a 401 they are
    /// made once more, at once.
    pub fn headers_with<F, Fut, E>(mut self, mut make: F) -> Self
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<HeaderMap, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.fresh = Some(Box::new(move || {
            let made = make();
            Box::pin(async move { made.await.map_err(Into::into) })
        }));
        self.set(|config| config.renews = true)
    }

    /// Sets the request's body, sent with every attempt. Its type is `text/plain` unless a header says otherwise.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.set(|config| config.body = Some(body.into()))
    }

    /// Sets the request's body to JSON, and its `Content-Type`.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.try_set(|config| {
            let body = serde_json::to_vec(value).map_err(|error| Error::Request {
                what: "its body is no JSON".into(),
                source: Some(error.into()),
            })?;
            config.body = Some(body.into());
            let json = HeaderValue::from_static("application/json");
            config.headers.insert(header::CONTENT_TYPE, json);
            Ok(())
        })
    }

    /// Begins after this event, as if it had been read already.
    pub fn last_event_id(self, id: impl Into<Box<str>>) -> Self {
        self.try_set(|config| {
            let id = EventId::new(id).map_err(|error| Error::Request {
                what: "the last event id".into(),
                source: Some(error.into()),
            })?;
            config.last_event_id = Some(id);
            Ok(())
        })
    }

    /// Sets what is held of an event at most. One over a limit is an [`Error::Overlong`] in its place.
    pub fn limits(self, limits: Limits) -> Self {
        self.set(|config| config.limits = limits)
    }

    /// Sets how it comes again.
    pub fn retry(self, retry: Retry) -> Self {
        self.set(|config| config.retry = retry)
    }

    /// Sets whether a request that has opened a stream may be sent again.
    pub fn repeat(self, repeat: Repeat) -> Self {
        self.set(|config| config.repeat = repeat)
    }

    /// Sets whether to ask for a primed cursor.
    pub fn prime(self, prime: Prime) -> Self {
        self.set(|config| config.prime = prime)
    }

    /// Sets how many redirects an attempt may follow; 0: none. Default: 20.
    pub fn max_redirects(self, max: u32) -> Self {
        self.set(|config| config.max_redirects = max)
    }

    /// Sets how long the head of an answer may take. Default: a minute. `None`: for ever.
    pub fn head_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.head_timeout = limit.into())
    }

    /// Sets how long a stream may be silent: any byte counts, heartbeats too. Default: three times what the
    /// server announces (`Tidewire-Heartbeat`), else for ever (a connection that is half open is found by TCP).
    /// `Duration::MAX`: for ever, whatever it announces.
    pub fn idle_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.idle_timeout = limit.into())
    }

    /// Sets how long a stream may go without an event, whatever else comes. Default: for ever.
    pub fn progress_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.set(|config| config.progress_timeout = limit.into())
    }

    /// Shows comments and the server's times between attempts, as [`Item::Comment`](crate::Item::Comment) and
    /// [`Item::Retry`](crate::Item::Retry).
    pub fn comments(self, shown: bool) -> Self {
        self.set(|config| config.comments = shown)
    }

    /// Shows the stream's bytes as they come, as [`Item::Chunk`](crate::Item::Chunk).
    pub fn chunks(self, shown: bool) -> Self {
        self.set(|config| config.chunks = shown)
    }

    /// Sends with this client. Build it with `redirect(Policy::none())`: else it follows redirects by its own
    /// rules, which keep the caller's headers across origins (all but the credentials that it knows). A timeout of
    /// its own for whole requests would cut streams.
    #[cfg(feature = "reqwest")]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.transport = Some(transport::http::transport(client));
        self
    }

    /// Sends with this service: a hyper client, a stack of layers, a router in the same process.
    pub fn service<S, In, Out>(mut self, service: S) -> Self
    where
        S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        In: From<Bytes> + Send + 'static,
        Out: http_body::Body<Data = Bytes> + Send + 'static,
        Out::Error: Into<BoxError>,
    {
        self.transport = Some(transport::service::transport(service));
        self
    }

    /// The source. It connects when it is polled for the first time.
    ///
    /// # Errors
    /// [`Error::Request`] names the value that is wrong.
    pub fn build(self) -> Result<EventSource, Error> {
        let config = self.config?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport(&config.url)?,
        };
        Ok(EventSource::new(config, self.fresh, transport))
    }
}

#[cfg(feature = "reqwest")]
fn default_transport(url: &Url) -> Result<Transport, Error> {
    Ok(transport::http::transport(transport::http::client(url)?))
}

#[cfg(not(feature = "reqwest"))]
fn default_transport(_: &Url) -> Result<Transport, Error> {
    Err(Error::request(
        "there is no transport: give a service, or turn the feature `reqwest` on",
    ))
}

/// A URL that can be asked, and the headers that follow from it: `https://user:password@host` is one for
/// `Authorization`, which then is kept from other origins as any header is.
fn parse(url: &str) -> Result<(Url, HeaderMap), Error> {
    let mut url = Url::parse(url).map_err(|error| Error::Request {
        what: "its URL is none: give it as `https://host/path`".into(),
        source: Some(error.into()),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        return Err(Error::request(format!(
            "its URL begins with `{scheme}:`, but only http and https can be asked"
        )));
    }
    let mut headers = HeaderMap::new();
    if !url.username().is_empty() || url.password().is_some() {
        let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
        pair.push(b':');
        pair.extend(percent_decode_str(url.password().unwrap_or_default()));
        let basic = format!("Basic {}", BASE64_STANDARD.encode(pair));
        if let Ok(mut value) = HeaderValue::try_from(basic) {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        without_user(&mut url);
    }
    Ok((url, headers))
}

/// Takes the user and the password out of a URL.
pub(crate) fn without_user(url: &mut Url) {
    // Refused only by URLs without a host, which are no `http` URLs.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// What is asked for, without what may be secret: headers, body, the URL's query.
impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Builder");
        match &self.config {
            Ok(config) => shown
                .field("method", &config.method)
                .field("url", &Shown(&config.url).to_string()),
            Err(error) => shown.field("error", error),
        };
        shown.finish_non_exhaustive()
    }
}
