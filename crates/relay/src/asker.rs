//! Which client asks, as its own headers tell, and what becomes of its answer when it has gone.
//!
//! A client that is known not to come back has its upstream stopped when it goes, as without a relay: the answer costs
//! no more than directly. `Accept` says nothing about that: some clients that cannot come back send
//! `text/event-stream`, and some that can send `*/*`.
//!
//! | asker | sign | when it has gone |
//! |---|---|---|
//! | SDKs of OpenAI and Anthropic, all that Stainless makes | `x-stainless-retry-count` | before the head 3 s for the SDK's own retry, after it cancel |
//! | the same without a count of their retries (older than 2024-09) | `x-stainless-lang` | cancel |
//! | SDKs of Google, Cohere, Mistral, Ollama; providers of the AI SDK | `x-goog-api-client`, `x-fern-sdk-name`, `user-agent` | cancel |
//! | clients of MCP | `mcp-protocol-version`, `mcp-session-id` | cancel: the server decides |
//! | any with a key, a cursor or a chat key; browsers; TanStack AI; our own client; all others | | `on_disconnect` of the route |
//! | any with `background: true` (OpenAI's Responses) | the body | the provider goes on, so the relay does |
//! | any that notifies (JSON-RPC without an id: MCP's `notifications/cancelled`) | the body | it has sent all that it had to say |

use http::{HeaderMap, header, request::Parts};

use super::{
    call::LAST_EVENT_ID,
    config::{OnDisconnect, Route},
};

/// The kind of client that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// It can come back for its answer, or nothing is known of it.
    MayReturn,
    /// It sends its request again if the head did not come, and never comes back for an answer that has begun.
    Retries,
    /// It never comes back.
    NeverReturns,
    /// Its upstream does not stop when a connection is closed: it goes on in the background, or was only notified.
    InBackground,
}

impl Asker {
    /// By a request's headers.
    pub(super) fn of(parts: &Parts) -> Self {
        let headers = &parts.headers;
        let has = |name: &str| headers.contains_key(name);
        let is_browser = has("sec-fetch-site") || headers.contains_key(header::ORIGIN);
        let agent = text(headers, "user-agent");
        let can_return = is_browser
            || headers.contains_key(LAST_EVENT_ID)
            || has("x-run-id")
            || agent.starts_with("tidewire-");
        let never_returns = has("x-fern-sdk-name")
            // Of Stainless too, where it counts no retries: before 2024-09, or its user took the count away.
            || has("x-stainless-lang")
            || has("mcp-protocol-version")
            || has("mcp-session-id")
            || text(headers, "x-goog-api-client").contains("google-genai-sdk")
            || agent.starts_with("mistral-client")
            // Its libraries, and its own program.
            || agent.starts_with("ollama-")
            || agent.starts_with("ollama/")
            // `ai-sdk/openai/3…` of version 3, `ai-sdk-openai/4…` of version 4.
            || agent
                .split(' ')
                .any(|product| product.starts_with("ai-sdk/") || product.starts_with("ai-sdk-"));
        match () {
            () if can_return => Self::MayReturn,
            () if has("x-stainless-retry-count") => Self::Retries,
            () if never_returns => Self::NeverReturns,
            () => Self::MayReturn,
        }
    }

    /// The policy for its answer once nobody reads it. A route's `finish` and `cancel` hold for these clients too; they
    /// shorten its grace.
    pub(super) fn on_disconnect(self, route: &Route, is_kept: bool, has_head: bool) -> OnDisconnect {
        use OnDisconnect::{Cancel, Finish, Grace};
        let until_retry = route.times.until_retry;
        match (self, route.on_disconnect) {
            (Self::InBackground, _) => Finish,
            (_, Cancel) => Cancel,
            (_, Finish) if is_kept => Finish,
            (Self::Retries, Grace(grace)) if !has_head => Grace(grace.min(until_retry)),
            (Self::Retries, Finish) if !has_head => Grace(until_retry),
            (Self::MayReturn, grace @ Grace(_)) if is_kept => grace,
            _ => Cancel,
        }
    }
}

/// Which try of its SDK a request is, from 0.
pub(super) fn retry_count(headers: &HeaderMap) -> Option<u32> {
    text(headers, "x-stainless-retry-count").parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asker(headers: &[(&str, &str)]) -> Asker {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Asker::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn clients_are_known_by_what_they_send_and_not_by_what_they_accept() {
        let stainless = ("x-stainless-retry-count", "0");
        let stream = ("accept", "text/event-stream");
        let google = ("x-goog-api-client", "google-genai-sdk/2.34.0 gl-python/3.13.1");
        let cohere = ("x-fern-sdk-name", "cohere");
        let mistral = ("user-agent", "mistral-client-typescript/2.7.0 Speakeasy");
        let ollama = ("user-agent", "ollama-python/0.6.3 (x86_64 linux) Python/3.13.1");
        let program = ("user-agent", "ollama/0.13.0 (amd64 linux) Go/go1.25.4");
        let ai = (
            "user-agent",
            "ai/7.0.173 ai-sdk/openai/3.0.141 runtime/node.js/24",
        );
        let ai_4 = (
            "user-agent",
            "ai-sdk-openai/4.0.118 ai-sdk-provider-utils/5.0.81 node.js/v24.1.0",
        );
        let ai_7 = (
            "user-agent",
            "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/v24.1.0",
        );
        let mcp = ("mcp-protocol-version", "2025-06-18");
        for headers in [&[stainless][..], &[stainless, stream], &[stainless, ai]] {
            assert_eq!(asker(headers), Asker::Retries, "{headers:?}");
        }
        let uncounted = ("x-stainless-lang", "python");
        assert_eq!(asker(&[uncounted, stainless]), Asker::Retries);
        for known in [
            uncounted, google, cohere, mistral, ollama, program, ai, ai_4, ai_7, mcp,
        ] {
            assert_eq!(asker(&[known, stream]), Asker::NeverReturns, "{known:?}");
        }
        for unknown in [
            stream,
            ("accept", "*/*"),
            ("user-agent", "curl/8.9"),
            ("user-agent", "node"),
        ] {
            assert_eq!(asker(&[unknown]), Asker::MayReturn, "{unknown:?}");
        }
        for sign in [
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://app.example"),
            ("last-event-id", "x.1"),
            ("x-run-id", "r"),
            ("user-agent", "tidewire-client/0.1.0"),
        ] {
            assert_eq!(asker(&[stainless, sign]), Asker::MayReturn, "{sign:?}");
        }
    }

    #[test]
    fn a_client_that_cannot_come_back_shortens_the_grace_and_overrules_no_word_of_the_route() {
        use OnDisconnect::{Cancel, Finish, Grace};
        let (long, short) = (Grace(Duration::from_secs(30)), Grace(Duration::from_secs(1)));
        let mut of = Route::new("/v1", "http://upstream/v1".parse().unwrap());
        let until_retry = Grace(of.times.until_retry);
        // The asker; the route's word; before the head, after it, and without anything that is kept before the head.
        for (asker, route, before, after, passed) in [
            (Asker::MayReturn, long, long, long, Cancel),
            (Asker::MayReturn, Finish, Finish, Finish, Cancel),
            (Asker::Retries, long, until_retry, Cancel, until_retry),
            (Asker::Retries, short, short, Cancel, short),
            (Asker::Retries, Finish, Finish, Finish, until_retry),
            (Asker::Retries, Cancel, Cancel, Cancel, Cancel),
            (Asker::NeverReturns, long, Cancel, Cancel, Cancel),
            (Asker::NeverReturns, Finish, Finish, Finish, Cancel),
            (Asker::InBackground, Cancel, Finish, Finish, Finish),
        ] {
            of.on_disconnect = route;
            let becomes = |is_kept, has_head| asker.on_disconnect(&of, is_kept, has_head);
            let kept = (becomes(true, false), becomes(true, true));
            assert_eq!(kept, (before, after), "{asker:?} {route:?}");
            assert_eq!(becomes(false, false), passed, "{asker:?} {route:?}");
        }
    }
}
