//! An answer's events on their way to the log, in order, a bounded number at a time; and what is written down about it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidewire_codec::{Event, EventName};
use tidewire_hub::{
    AppendSession, Draft, Error, Hub, Namespace, Topic, TopicSet,
    session::{Bounds, Refused},
};

use super::{answer::Answer, config::Route, dialect::Dialect, measures::Ending};

/// The most of one answer that is under way.
const BOUNDS: Bounds = Bounds {
    proposals: 256,
    bytes: 1 << 20,
};

/// Where it is written down which answers there are. No stream can have this name.
const CONTROL: &str = "#answers";

/// The longest line about an answer.
const MAX_NOTE: usize = 64 << 10;

/// Why the log takes no more of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the server is shutting down")]
    Leaving,
    #[error("{}", tidewire_doors::plain::said(.0))]
    Refused(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        match error {
            Error::Closed => Self::Leaving,
            error => Self::Refused(error),
        }
    }
}

impl From<Refused> for Lost {
    fn from(refused: Refused) -> Self {
        refused.error.into()
    }
}

/// What is written down of an answer, so that a restart finds it. Nothing in it is a key, a body or a header with a secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Note {
    Began {
        stream: String,
        /// The route's path.
        route: String,
        owner: String,
        request: String,
        key: Option<String>,
        chat: Option<String>,
        /// None as long as it is not decided; then the note is written again.
        #[serde(alias = "shape", default)]
        dialect: Option<Dialect>,
        headers: Vec<(String, String)>,
    },
    Ended {
        stream: String,
        why: Ending,
    },
}

/// The topic of the notes.
pub(super) fn control() -> Result<TopicSet, Error> {
    Ok(Topic::new(Namespace::Relay, CONTROL)?.into())
}

pub(super) struct Publisher {
    hub: Hub,
    session: AppendSession,
    answer: Arc<Answer>,
    count: u64,
    /// What could not even be sent.
    failed: Option<Lost>,
}

impl Publisher {
    pub(super) fn new(hub: Hub, answer: Arc<Answer>) -> Self {
        Self {
            session: hub.append_session(BOUNDS),
            hub,
            answer,
            count: 0,
            failed: None,
        }
    }

    /// How many events of the upstream it has sent off.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes down that there is such an answer.
    pub(super) async fn head(&mut self, route: &Route) {
        let named = self.answer.named;
        let headers = self.answer.headers();
        let headers = headers.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        let note = Note::Began {
            stream: named.stream.to_string(),
            route: route.path.clone(),
            owner: named.owner.to_string(),
            request: named.request.to_string(),
            key: named.key.map(|key| key.to_string()),
            chat: named.chat.map(|chat| chat.to_string()),
            dialect: self.answer.dialect(),
            headers: headers.collect(),
        };
        if let Err(lost) = self.note(&note).await {
            self.failed = Some(lost);
        }
    }

    /// Sends an event off, as soon as there is room for it.
    pub(super) async fn event(&mut self, name: Option<&str>, data: &str) -> Result<(), Lost> {
        let mut event = Event::new(data);
        event.name = name.and_then(|name| EventName::new(name.to_owned()).ok());
        self.count += 1;
        self.own(event).await
    }

    /// Ends the answer, with these events in place of what was to come.
    pub(super) async fn end(&mut self, last: Vec<Event>, why: Ending) -> Result<(), Lost> {
        for event in last {
            self.own(event).await?;
        }
        self.session.land_all().await?;
        let end = Draft::end(self.answer.topics.clone());
        self.hub.append(end).await?;
        let stream = self.answer.named.stream.to_string();
        self.note(&Note::Ended { stream, why }).await?;
        Ok(self.session.land_all().await?)
    }

    async fn own(&mut self, mut event: Event) -> Result<(), Lost> {
        event.id = self.answer.named.stream.event(self.answer.next_number());
        let draft = Draft::event(self.answer.topics.clone(), event)?.up_to(usize::MAX);
        self.session.send(draft, ()).await?;
        // One that was not sent takes no number.
        self.answer.took_number();
        Ok(())
    }

    async fn note(&mut self, note: &Note) -> Result<(), Lost> {
        let text = serde_json::to_string(note).unwrap_or_default();
        let draft = Draft::event(control()?, Event::new(text))?.up_to(MAX_NOTE);
        Ok(self.session.send(draft, ()).await?)
    }

    /// Waits for the log's answer to the oldest; for ever if there is none. Loses nothing when it is dropped.
    pub(super) async fn land(&mut self) -> Result<(), Lost> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        Ok(self.session.land().await?)
    }
}
