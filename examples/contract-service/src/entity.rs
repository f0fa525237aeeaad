//! A running stream: its items become callbacks.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tidewire_client::{Cause, Error, EventSource, Item};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinSet,
};

/// Restarts that may wait; another one would change nothing.
const MAX_RESTARTS: usize = 4;

/// A stream that runs until this is dropped.
pub(crate) struct Entity {
    restarts: Sender<()>,
    _task: JoinSet<()>,
}

impl Entity {
    pub(crate) fn start(source: EventSource, client: reqwest::Client, callback_url: String) -> Self {
        let (restarts, asked) = mpsc::channel(MAX_RESTARTS);
        let mut task = JoinSet::new();
        let callbacks = Callbacks {
            client,
            url: callback_url,
            number: 0,
        };
        task.spawn(run(source, asked, callbacks));
        Self {
            restarts,
            _task: task,
        }
    }

    /// Connects anew.
    pub(crate) fn restart(&self) {
        // Full: it is about to. Closed: the stream is over.
        let _ = self.restarts.try_send(());
    }
}

async fn run(mut source: EventSource, mut restarts: Receiver<()>, mut callbacks: Callbacks) {
    loop {
        let item = tokio::select! {
            item = source.next() => item,
            Some(()) = restarts.recv() => {
                source.restart();
                continue;
            }
        };
        let Some(item) = item else {
            return;
        };
        if let Some(message) = message(item) {
            callbacks.send(&message).await;
        }
    }
}

/// What the harness is told of an item, if anything.
fn message(item: Result<Item, Error>) -> Option<Value> {
    // The suite's text calls an error's text `comment`, its program `error`.
    let error = |text: String| json!({ "kind": "error", "error": text, "comment": text });
    match item {
        Ok(Item::Event(event)) => Some(json!({
            "kind": "event",
            "event": { "type": event.name, "data": event.data, "id": event.last_event_id },
        })),
        Ok(Item::Comment(text)) => Some(json!({ "kind": "comment", "comment": text })),
        Ok(Item::Reconnecting(again)) => match again.cause {
            Cause::Restarted => None,
            cause => Some(error(cause.to_string())),
        },
        Ok(_) => None,
        Err(wrong) => Some(error(wrong.to_string())),
    }
}

/// The harness's ear. Messages are numbered from 1, and sent one after the other.
struct Callbacks {
    client: reqwest::Client,
    url: String,
    number: u64,
}

impl Callbacks {
    async fn send(&mut self, message: &Value) {
        self.number += 1;
        let url = format!("{}/{}", self.url, self.number);
        // A harness that does not listen any more has ended its test.
        let _ = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(message.to_string())
            .send()
            .await;
    }
}
