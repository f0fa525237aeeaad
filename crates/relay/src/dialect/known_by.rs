//! What a dialect is recognised by. Paths are compared by their end, since bases differ: `/v1`, `/openai/deployments/X`.

use http::{HeaderMap, Method, header};
use tidewire_codec::protocol::is_ndjson;
use tidewire_doors::intake::media_type;

use super::{
    Dialect,
    member::{Member, Members},
};

/// A request, as far as its dialect goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// At the upstream, as are the query and its parameters.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    fn is_post(&self) -> bool {
        *self.method == Method::POST
    }

    fn has_parameter(&self, parameter: &str) -> bool {
        let query = self.query.unwrap_or_default();
        query.split('&').any(|other| other == parameter)
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn accepts(&self, media_type: &str) -> bool {
        let mut lines = self.headers.get_all(header::ACCEPT).iter();
        lines.any(|line| line.to_str().is_ok_and(|line| line.contains(media_type)))
    }

    /// Members of the body, if that is JSON.
    fn members<const N: usize>(&self, names: [&str; N]) -> [Member<'_>; N] {
        let is_json = media_type(self.headers).ends_with("json");
        let body = std::str::from_utf8(self.body).ok().filter(|_| is_json);
        Member::of(body.unwrap_or_default()).members(names)
    }
}

impl Dialect {
    /// The dialect of the answers to a request, if the request tells.
    pub(crate) fn of_request(request: &Request<'_>) -> Option<Self> {
        let path = request.path;
        let has = |name: &str| request.headers.contains_key(name);
        if has("mcp-protocol-version") || has("mcp-session-id") {
            return Some(Self::Mcp);
        }
        if is_of_langgraph(path) && matches!(*request.method, Method::GET | Method::POST) {
            return Some(Self::Langgraph);
        }
        if path.contains("/responses/") && *request.method == Method::GET {
            return request
                .has_parameter("stream=true")
                .then_some(Self::OpenaiResponses);
        }
        if !request.is_post() {
            return None;
        }
        if path.ends_with("/completions") {
            return Some(match () {
                () if path.ends_with("/chat/completions") && has("x-conversation-id") => Self::LlamaCpp,
                () if request.header("user-agent").starts_with("mistral-client") => Self::Mistral,
                () => Self::OpenaiChat,
            });
        }
        // Other APIs have messages too.
        if path.ends_with("/messages") && (has("anthropic-version") || path.ends_with("/v1/messages")) {
            return Some(Self::Anthropic);
        }
        let is_streaming = [":streamGenerateContent", "%3AstreamGenerateContent"];
        if is_streaming.iter().any(|end| path.ends_with(end)) {
            return request.has_parameter("alt=sse").then_some(Self::Gemini);
        }
        if request.header("x-fern-sdk-name").starts_with("cohere") {
            return Some(Self::Cohere);
        }
        let [streams, version, thread, run] = request.members(["stream", "jsonrpc", "threadId", "runId"]);
        match () {
            () if path.ends_with("/responses") => streams.is_true().then_some(Self::OpenaiResponses),
            () if path.ends_with("/v2/chat") && streams.is_true() => Some(Self::Cohere),
            () if version.is("2.0") => {
                let both = ["application/json", "text/event-stream"];
                let is_mcp = both.iter().all(|media_type| request.accepts(media_type));
                is_mcp.then_some(Self::Mcp)
            }
            () if thread.is_there() && run.is_there() => Some(Self::AgUi),
            () => None,
        }
    }

    /// The dialect of an answer whose request did not tell, if its head tells.
    pub(crate) fn of_head(path: &str, headers: &HeaderMap) -> Option<Self> {
        // An app of one's own may have `/api/chat` too, and answers otherwise.
        let of_ollama = [
            "/api/chat",
            "/api/generate",
            "/api/pull",
            "/api/create",
            "/api/push",
        ];
        let is_lines = is_ndjson(&media_type(headers));
        match () {
            () if headers.contains_key("x-vercel-ai-ui-message-stream") => Some(Self::AiSdkUi),
            () if is_lines && of_ollama.iter().any(|end| path.ends_with(end)) => Some(Self::Ollama),
            () => None,
        }
    }

    /// The dialect that an event is of, if it tells.
    pub(crate) fn of_event(name: &str, data: &str) -> Option<Self> {
        Self::of_members(name, &Members::of(data))
    }

    pub(super) fn of_members(name: &str, event: &Members<'_>) -> Option<Self> {
        let kind = &*event.kind;
        match kind {
            "message_start" => return Some(Self::Anthropic),
            "message-start" | "content-delta" => return Some(Self::Cohere),
            "start" | "start-step" | "text-start" | "text-delta" | "reasoning-start" | "reasoning-delta"
            | "tool-input-start" | "tool-input-delta" => return Some(Self::AiSdkUi),
            "RUN_STARTED" => return Some(Self::AgUi),
            _ if kind.starts_with("response.") => return Some(Self::OpenaiResponses),
            _ if kind.starts_with("content_block_") => return Some(Self::Anthropic),
            _ if kind.starts_with("TEXT_MESSAGE_") => return Some(Self::AgUi),
            _ => {}
        }
        let is_of_chat = event.object.is("chat.completion.chunk") || event.object.is("text_completion");
        match () {
            () if event.choices.is_list() || is_of_chat => Some(Self::OpenaiChat),
            () if event.candidates.is_list() || event.is_blocked() => Some(Self::Gemini),
            () if name == "metadata" && event.run_id.is_there() => Some(Self::Langgraph),
            () => None,
        }
    }
}

fn is_of_langgraph(path: &str) -> bool {
    // `/runs/stream`, `/runs/{id}/stream`, `/runs/{id}/join`, `/threads/{id}/stream/events`. Others have `/stream/events` too.
    let is_below = |path: &str, folder: &str| {
        path.rsplit_once('/')
            .is_some_and(|(rest, _)| rest.ends_with(folder))
    };
    let of_thread = path.strip_suffix("/stream/events");
    let of_run = path
        .strip_suffix("/stream")
        .or_else(|| path.strip_suffix("/join"));
    path.ends_with("/runs/stream")
        || of_thread.is_some_and(|thread| is_below(thread, "/threads"))
        || of_run.is_some_and(|run| is_below(run, "/runs"))
}
