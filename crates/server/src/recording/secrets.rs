//! What a recording and the inspector's page leave out: whatever lets who finds it act as somebody else.
//!
//! Names decide, because values do not tell. Secrets in a path or a body are nobody's to know: `docs/recording.md` says
//! so.

use std::borrow::Cow;

/// A name with one of these in it is a secret's.
const TELLING: [&str; 9] = [
    "authorization",
    "cookie",
    "api-key",
    "apikey",
    "api_key",
    "token",
    "secret",
    "password",
    "signature",
];

/// Names of query parameters that are secrets' as a whole; in other names they mean nothing.
const WHOLE: [&str; 6] = ["key", "auth", "sig", "jwt", "code", "pass"];

/// Whether a header of this name is left out.
pub(super) fn is_secret_header(name: &str) -> bool {
    tells(name)
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|telling| name.contains(telling))
}

/// The target of a request (path and query, or a whole URL), with `***` for the values of secret parameters.
pub(crate) fn without_secrets(target: &str) -> Cow<'_, str> {
    let Some((path, query)) = target.split_once('?') else {
        return Cow::Borrowed(target);
    };
    let is_secret = |name: &str| tells(name) || WHOLE.iter().any(|whole| name.eq_ignore_ascii_case(whole));
    let kept = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if is_secret(name) => Cow::Owned(format!("{name}=***")),
        _ => Cow::Borrowed(parameter),
    });
    let kept: Vec<_> = kept.collect();
    Cow::Owned(format!("{path}?{}", kept.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_and_nothing_else() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "X-Api-Key",
            "x-goog-api-key",
            "X-Auth-Token",
        ] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["last-event-id", "accept", "tidewire-stream", "content-type"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }

    #[test]
    fn a_query_keeps_its_names_and_loses_its_secrets() {
        for (target, kept) in [
            ("/events/a", "/events/a"),
            ("/events?topic=a&last=2", "/events?topic=a&last=2"),
            (
                "/e?access_token=abc&topic=a&KEY=x",
                "/e?access_token=***&topic=a&KEY=***",
            ),
            ("/e?monkey=1&key", "/e?monkey=1&key"),
            ("/e?", "/e?"),
        ] {
            assert_eq!(without_secrets(target), kept);
        }
    }
}
