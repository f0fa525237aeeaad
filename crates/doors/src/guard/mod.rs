//! Who may talk to the server at all.
//!
//! - `Host` must be loopback or configured: a name that an attacker pointed at this machine (DNS
//!   rebinding) is answered 421.
//! - Requests that change something must not come from a page of another origin: 403. Reading across
//!   origins is stopped by the browser, as no CORS header is sent.

use std::{net::IpAddr, sync::Arc};

use axum::{Router, extract::Request, middleware, response::Response};
use http::{HeaderMap, Method, StatusCode, Uri, Version, header, uri::Authority};

use crate::Problem;

/// The hosts that the server answers for.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    hosts: Arc<[String]>,
}

impl Guard {
    /// Answers for these host names (without port, in any case), and for loopback.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
        }
    }

    /// Puts the guard in front of everything in `router`, also what it does not find.
    pub fn protect<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        router.layer(middleware::from_fn(
            move |request: Request, next: middleware::Next| {
                let guard = self.clone();
                async move {
                    guard.check(&request)?;
                    Ok::<Response, Problem>(next.run(request).await)
                }
            },
        ))
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let host = host(request)?;
        if let Some(host) = &host
            && !self.knows(host.host())
        {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "foreign_host",
                format!(
                    "this server does not answer for {host}: start it with --host {}",
                    host.host()
                ),
            ));
        }
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        match request.headers().get(header::ORIGIN) {
            Some(origin) if changes && !is_same(origin.as_bytes(), host.as_ref()) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                "a page of another origin may not publish here: send the request from this server's own pages or \
                 from a program",
            )),
            _ => Ok(()),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let address = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|ip| ip.is_loopback()) || self.hosts.contains(&name)
    }
}

/// The host that a request names, if any: HTTP/1.0 need not.
fn host(request: &Request) -> Result<Option<Authority>, Problem> {
    let wrong = |why| {
        Problem::bad_request(
            "bad_host",
            format!("{why}: send one Host header with a host and a port"),
        )
    };
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    match single(request.headers(), &header::HOST)
        .map_err(|()| wrong("the request has more than one Host"))?
    {
        Some(host) => Authority::try_from(host)
            .map(Some)
            .map_err(|_| wrong("the Host is none")),
        None if request.version() < Version::HTTP_11 => Ok(None),
        None => Err(wrong("the request has no Host")),
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Result<Option<&'a [u8]>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(http::HeaderValue::as_bytes)),
        _ => Err(()),
    }
}

/// Whether an `Origin` is the one that `host` serves. The scheme is not compared: a proxy in front may
/// speak TLS where we do not.
fn is_same(origin: &[u8], host: Option<&Authority>) -> bool {
    let (Ok(origin), Some(host)) = (Uri::try_from(origin), host) else {
        return false;
    };
    let Some(theirs) = origin.authority() else {
        return false;
    };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    theirs.host().eq_ignore_ascii_case(host.host()) && port(theirs) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, headers: &[(header::HeaderName, &str)]) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    fn status(result: Result<(), Problem>) -> u16 {
        result.map_or_else(
            |problem| {
                axum::response::IntoResponse::into_response(problem)
                    .status()
                    .as_u16()
            },
            |()| 200,
        )
    }

    #[test]
    fn only_loopback_and_configured_hosts_are_answered() {
        let guard = Guard::new(["Tide.example".into()]);
        let answer = |host| status(guard.check(&request(Method::GET, &[(header::HOST, host)])));
        for known in [
            "localhost",
            "LOCALHOST:8420",
            "127.0.0.1:8420",
            "127.9.9.9",
            "[::1]:8420",
            "[::1]",
            "tide.example:443",
            "TIDE.EXAMPLE",
            "localhost.",
        ] {
            assert_eq!(answer(known), 200, "{known}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "127.0.0.1.evil.example",
        ] {
            assert_eq!(answer(foreign), 421, "{foreign}");
        }
        assert_eq!(answer(""), 400);
        assert_eq!(status(guard.check(&request(Method::GET, &[]))), 400);
        let twice = [(header::HOST, "localhost"), (header::HOST, "localhost")];
        assert_eq!(status(guard.check(&request(Method::GET, &twice))), 400);
    }

    #[test]
    fn a_foreign_origin_may_not_change_anything() {
        let answer = |method, origin, host| {
            let headers = [(header::HOST, host), (header::ORIGIN, origin)];
            status(Guard::new(["tide.example".into()]).check(&request(method, &headers)))
        };
        assert_eq!(
            answer(Method::POST, "http://localhost:8420", "localhost:8420"),
            200
        );
        assert_eq!(
            answer(Method::POST, "https://tide.example", "tide.example"),
            200,
            "TLS ends before us"
        );
        assert_eq!(
            answer(Method::POST, "https://tide.example", "tide.example:443"),
            200
        );
        for foreign in [
            "http://evil.example",
            "http://localhost:9999",
            "http://127.0.0.1:8420",
            "null",
            "file://",
            "",
        ] {
            assert_eq!(answer(Method::POST, foreign, "localhost:8420"), 403, "{foreign}");
            assert_eq!(
                answer(Method::DELETE, foreign, "localhost:8420"),
                403,
                "{foreign}"
            );
            assert_eq!(
                answer(Method::GET, foreign, "localhost:8420"),
                200,
                "the browser guards reading"
            );
        }
    }
}
