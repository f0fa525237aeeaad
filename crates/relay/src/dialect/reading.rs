//! What the events of an answer say of its end: a last word, an error that the provider reports, neither.
//!
//! `crates/client/vectors/answers.json` is the specification, which both clients run too.

use std::collections::BTreeMap;

use super::{
    Dialect,
    member::{Member, Members},
};

/// So many choices of one request are told apart; OpenAI makes at most 128.
const MAX_CHOICES: usize = 1024;

/// An answer after its events so far.
#[derive(Debug)]
pub(crate) struct Reading {
    dialect: Dialect,
    /// An end before a last word would be too early.
    must: bool,
    is_whole: bool,
    is_stopped: bool,
    failed: Option<String>,
    /// Of choices that are told together, by index: whether each is finished.
    finished: BTreeMap<u64, bool>,
    /// The number that an error of ours has, where events are numbered.
    next_number: u64,
}

/// What the end of an answer is, if it comes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// In order: it has said its last word.
    Whole,
    /// In order: the provider says that somebody stopped it.
    Stopped,
    /// The provider has reported an error.
    Failed,
    /// Its last word is missing.
    Truncated,
    /// In order, as far as its dialect tells.
    Ended,
}

impl Reading {
    /// Of an answer of this dialect, if its request or its head told.
    pub(crate) fn new(known: Option<Dialect>) -> Self {
        let dialect = known.unwrap_or_default();
        Self {
            dialect,
            must: dialect.must_say_last_word(),
            is_whole: false,
            is_stopped: false,
            failed: None,
            finished: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Takes one event, or one line of an answer in lines.
    pub(crate) fn see(&mut self, name: &str, data: &str) {
        if data.trim() == "[DONE]" {
            self.is_whole = true;
            return;
        }
        let event = Members::of(data);
        let kind = &*event.kind;
        if let Some(number) = event.sequence_number.number() {
            self.next_number = number.saturating_add(1);
        }
        if !self.must && !self.dialect.resumes_itself() {
            self.recognise(name, &event);
        }
        if self.failed.is_none() {
            self.failed = failure(self.dialect, name, &event, data);
        }
        let is_first_of_run = matches!(
            kind,
            "RUN_STARTED" | "response.created" | "message_start" | "message-start" | "start"
        );
        match self.dialect {
            Dialect::Langgraph => self.is_whole |= name == "end",
            Dialect::Ollama => self.is_whole |= event.done.is_true() || event.status.is("success"),
            Dialect::Gemini => {
                self.is_whole |= event.is_blocked() && event.candidates.is_null();
                self.choices(event.candidates, "finishReason");
            }
            dialect if dialect.is_chat_completions() => self.choices(event.choices, "finish_reason"),
            // Another one in the same body.
            _ if is_first_of_run => self.is_whole = false,
            Dialect::OpenaiResponses => {
                self.is_whole |= matches!(kind, "response.completed" | "response.incomplete");
                self.is_stopped |= kind == "response.cancelled";
            }
            Dialect::Anthropic => self.is_whole |= kind == "message_stop",
            Dialect::Cohere => self.is_whole |= kind == "message-end",
            Dialect::AiSdkUi => self.is_whole |= matches!(kind, "finish" | "abort"),
            Dialect::AgUi => self.is_whole |= kind == "RUN_FINISHED",
            _ => {}
        }
    }

    /// What the end is, if it comes now.
    pub(crate) fn outcome(&self) -> Outcome {
        match () {
            () if self.failed.is_some() => Outcome::Failed,
            () if self.is_stopped => Outcome::Stopped,
            () if self.is_whole => Outcome::Whole,
            () if self.must => Outcome::Truncated,
            () => Outcome::Ended,
        }
    }

    /// Whether nothing has to come any more: an end now needs no word of ours, however it comes.
    pub(crate) fn may_end(&self) -> bool {
        matches!(
            self.outcome(),
            Outcome::Whole | Outcome::Stopped | Outcome::Failed
        )
    }

    /// The number that an error of ours has, where events are numbered.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> (Dialect, bool, Option<&str>) {
        (
            self.dialect,
            self.outcome() == Outcome::Whole,
            self.failed.as_deref(),
        )
    }

    /// Finds out by an event of which dialect the answer is, and whether such a one has a last word.
    fn recognise(&mut self, name: &str, event: &Members<'_>) {
        let Some(dialect) = Dialect::of_members(name, event) else {
            return;
        };
        if self.dialect == Dialect::Unknown {
            self.dialect = dialect;
        }
        // `start` alone is a common name.
        self.must |= dialect == self.dialect && dialect.must_say_last_word() && event.kind != "start";
    }

    /// Each choice says when it is finished.
    fn choices(&mut self, choices: Member<'_>, reason: &str) {
        choices.each(|choice| {
            let [index, why] = choice.members(["index", reason]);
            let index = index.number().unwrap_or(0);
            self.must |= reason == "finish_reason" && why.is_there();
            let why = why.text().unwrap_or_default();
            let is_finished = !matches!(&*why, "" | "CONTINUATION");
            if choice.is_object() && (self.finished.len() < MAX_CHOICES || self.finished.contains_key(&index))
            {
                // A finished choice may be told once more, with its usage.
                *self.finished.entry(index).or_default() |= is_finished;
            }
        });
        if !self.finished.is_empty() {
            self.is_whole |= self.finished.values().all(|&is| is);
        }
    }
}

/// The message of an error that an event reports.
fn failure(dialect: Dialect, name: &str, event: &Members<'_>, data: &str) -> Option<String> {
    match dialect {
        // An error answers one of the requests that the stream is for.
        Dialect::Mcp => return None,
        // The state of a graph may have any members.
        Dialect::Langgraph if name != "error" => return None,
        _ => {}
    }
    let kind = &*event.kind;
    let error = match kind {
        "response.failed" => event.response.member("error"),
        "message-end" => event.delta.member("error"),
        _ if event.error.is_null() => event.choices.first().member("error"),
        _ => event.error,
    };
    let reason = event.delta.member("finish_reason").text();
    let reason = reason.filter(|_| kind == "message-end");
    let is_of_cohere = matches!(reason.as_deref(), Some("ERROR" | "ERROR_TOXIC" | "TIMEOUT"));
    // vLLM and Mistral give errors a name of their own kind in `type`, and say in `object` that they are errors.
    let is_failure = name == "error"
        || matches!(kind, "error" | "response.failed" | "RUN_ERROR")
        || event.object.is("error")
        || is_of_cohere
        || is_said(error);
    is_failure.then(|| {
        let said = [
            error.member("message"),
            event.message,
            event.error_text,
            error,
            Member::of(data),
        ];
        let text = said.into_iter().find_map(Member::text).or(reason);
        text.map_or_else(|| data.to_owned(), Into::into)
    })
}

/// Some send an empty or false `error` with each event.
fn is_said(error: Member<'_>) -> bool {
    !error.is_null() && !matches!(error.as_written(), "false" | "0" | "\"\"")
}

/// The message of an answer that is no stream but an error, as JSON (Google sends it in a list).
pub(crate) fn failure_of_body(body: &str) -> Option<String> {
    let body = body.trim_start_matches('\u{feff}');
    let whole = Member::of(body);
    let said = if whole.is_list() { whole.first() } else { whole };
    let event = Members::of(said.as_written());
    (is_said(event.error) || event.object.is("error")).then(|| failure(Dialect::Unknown, "", &event, body))?
}
