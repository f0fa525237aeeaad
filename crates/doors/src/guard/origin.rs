//! The `Origin` of a request: which page's script sent it, if a script did.

use std::str::FromStr;

use http::{HeaderValue, Uri, uri::Authority};

/// The origin of pages: scheme, host and port, as browsers write it.
///
/// Invariant: lower case, no path, no default port, so that equal origins are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that no browser would send as an `Origin`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: give scheme, host and, if it is not the usual one, port, for example `https://app.example.com`"
)]
pub struct InvalidOrigin(String);

impl Origin {
    /// The origin as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was made of a text.
        self.0.to_str().unwrap_or_default()
    }

    /// As it stands in headers.
    pub(super) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let parse = || {
            let (scheme, authority) = text.split_once("://")?;
            let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
            let usual = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            let authority = Authority::try_from(authority).ok()?;
            let (host, port) = (authority.host(), authority.port_u16());
            // What has a user, or a colon without a number, is longer than its host and its port.
            let plain = port.map_or(host.to_owned(), |port| format!("{host}:{port}"));
            if !named
                || !scheme.chars().all(usual)
                || host.is_empty()
                || host.contains('*')
                || plain != authority.as_str()
            {
                return None;
            }
            let scheme = scheme.to_ascii_lowercase();
            let host = host.to_ascii_lowercase();
            let origin = match port {
                Some(port) if default_port(&scheme) != Some(port) => format!("{scheme}://{host}:{port}"),
                _ => format!("{scheme}://{host}"),
            };
            HeaderValue::try_from(origin).ok().map(Self)
        };
        parse().ok_or_else(|| InvalidOrigin(text.to_owned()))
    }
}

/// Whether an `Origin` is the one that `host` serves. The scheme is not compared: a proxy in front may
/// speak TLS where we do not.
pub(super) fn is_same(origin: &[u8], host: Option<&Authority>) -> bool {
    let (Ok(origin), Some(host)) = (Uri::try_from(origin), host) else {
        return false;
    };
    let Some(theirs) = origin.authority() else {
        return false;
    };
    let Some(default) = origin.scheme_str().and_then(default_port) else {
        return false;
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    theirs.host().eq_ignore_ascii_case(host.host()) && port(theirs) == port(host)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:5173", "http://[::1]:5173"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("tauri://localhost", "tauri://localhost"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().header(), origin);
        }
        for text in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example/page",
            "https://app.example?x",
            "https://user@app.example",
            "https://app.example:",
            "https://app.example:99999",
            "https://app example",
            "://app.example",
            "1://app.example",
            "https://app.example, https://b.example",
            "https://*.example",
        ] {
            let error = text.parse::<Origin>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no origin")), "{error}");
        }
    }

    #[test]
    fn an_origin_is_ours_if_host_and_port_are() {
        let same = |origin: &str, host: &'static str| {
            is_same(origin.as_bytes(), Some(&Authority::from_static(host)))
        };
        for (origin, host) in [
            ("http://localhost:8420", "localhost:8420"),
            ("https://tide.example", "tide.example"),
            ("https://tide.example", "tide.example:443"),
            ("http://tide.example", "TIDE.example:80"),
        ] {
            assert!(same(origin, host), "{origin} {host}");
        }
        for foreign in [
            "http://evil.example",
            "http://localhost:9999",
            "http://127.0.0.1:8420",
            "http://app.localhost:8420",
            "null",
            "file://",
            "",
        ] {
            assert!(!same(foreign, "localhost:8420"), "{foreign}");
        }
        assert!(!is_same(b"http://localhost", None));
    }
}
