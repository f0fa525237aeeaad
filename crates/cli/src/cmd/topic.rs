//! A topic on the command line, told from the addresses that are given in its place.

use std::net::IpAddr;

/// What a text may be instead of a topic.
pub(super) enum Form<'a> {
    Topic(&'a str),
    /// The path of a stream on the server, with its query.
    Path(&'a str),
    /// `http://…`
    Url,
    /// `localhost:8420/events/news`, which lacks its scheme.
    Address,
}

impl<'a> Form<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let paths = ["/events/", "/events?", "/relay/"];
        if text.contains("://") {
            Self::Url
        } else if paths.iter().any(|path| text.starts_with(path)) {
            Self::Path(text)
        } else if is_address(text) {
            Self::Address
        } else {
            Self::Topic(text)
        }
    }
}

/// `HOST:PORT`, alone or with a path, or `HOST/events/…`, where the host is one by its looks. `user:42` is a topic.
fn is_address(text: &str) -> bool {
    let (authority, path) = match text.find('/') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, true),
        _ => (authority, false),
    };
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_host =
        host == "localhost" || ip.is_ok() || (host.contains('.') && !host.contains(char::is_whitespace));
    is_host && (port || path.starts_with("/events/") || path.starts_with("/relay/"))
}

/// The topic of `tidewire pub`.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    match Form::of(text) {
        Form::Topic(topic) => Ok(topic.to_owned()),
        Form::Path(path) => match path.strip_prefix("/events/") {
            Some(topic) if !topic.is_empty() && !topic.contains(['?', '#', '%']) => Ok(topic.to_owned()),
            _ => Err("this is a path: give the topic's name, for example `news/today`".into()),
        },
        Form::Url | Form::Address => Err(
            "this is an address: give the topic's name, and where the server is with --server, for example `--server \
             http://127.0.0.1:8420 news/today`"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, parse};

    #[test]
    fn topics_are_told_from_addresses_and_paths() {
        for topic in [
            "news",
            "news/today",
            "a.b/c",
            "user:42",
            "user:42/x",
            "events/news",
            "/x",
            "localhost",
            "10.0.0.1",
            "v1.2",
        ] {
            assert!(matches!(Form::of(topic), Form::Topic(_)), "{topic}");
            assert_eq!(parse(topic).as_deref(), Ok(topic));
        }
        for address in [
            "localhost:8420",
            "localhost:8420/events/news",
            "localhost/events/news",
            "127.0.0.1:8420/x",
            "[::1]:8420/events/a",
            "live.example.com/events/news",
            "live.example.com:443",
            "http://localhost:8420/events/news",
        ] {
            assert!(
                matches!(Form::of(address), Form::Address | Form::Url),
                "{address}"
            );
            assert!(parse(address).unwrap_err().contains("--server"), "{address}");
        }
        for path in ["/events/news", "/events?topic=a", "/relay/abc"] {
            assert!(matches!(Form::of(path), Form::Path(_)), "{path}");
        }
        assert_eq!(parse("/events/news/today").as_deref(), Ok("news/today"));
        for path in [
            "/events/",
            "/events?topic=a",
            "/relay/abc",
            "/events/a%20b",
            "/events/a?last=1",
        ] {
            assert!(parse(path).unwrap_err().contains("the topic's name"), "{path}");
        }
    }
}
