//! The user behind a request, where an app has users of its own, and which topics this user may touch.
//!
//! An app implements [`Access`]; the guard asks it once a request, and the doors ask the answer
//! ([`Principal::may`](super::Principal::may)) with the topics that they have parsed. So a topic is judged in the
//! same way whether it stands in a path, a query or a body, and no rule of an app compares paths.

use std::{fmt, pin::Pin, sync::Arc};

use http::request::Parts;
use tidewire_hub::Topic;

use crate::Problem;

/// The operation of a request on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Reads its events, or counts what is kept of them.
    Subscribe,
    /// Adds events to it.
    Publish,
    /// Ends it for good (`?end`): it takes no more events.
    End,
    /// Sees the topic's readers.
    Presence,
    /// Deletes what is kept of it.
    Purge,
}

impl Action {
    /// The action as problems name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::End => "end",
            Self::Presence => "presence",
            Self::Purge => "purge",
        }
    }
}

/// Which topics a user may touch. It answers at once: look up what it needs in [`Access::identify`].
pub trait Grants: Send + Sync + 'static {
    /// Whether the user may do this with the topic.
    fn allows(&self, action: Action, topic: &Topic) -> bool;
}

impl<F: Fn(Action, &Topic) -> bool + Send + Sync + 'static> Grants for F {
    fn allows(&self, action: Action, topic: &Topic) -> bool {
        self(action, topic)
    }
}

/// A user, or a request without one.
#[derive(Clone)]
pub struct Identity {
    pub(super) subject: Option<Arc<str>>,
    pub(super) grants: Arc<dyn Grants>,
}

impl Identity {
    /// A user by an id that does not change. A topic that is not granted is 403.
    pub fn user(subject: impl Into<Arc<str>>, grants: impl Grants) -> Self {
        Self {
            subject: Some(subject.into()),
            grants: Arc::new(grants),
        }
    }

    /// A request of nobody that is known. A topic that is not granted is 401.
    pub fn anonymous(grants: impl Grants) -> Self {
        Self {
            subject: None,
            grants: Arc::new(grants),
        }
    }

    /// A request of nobody that is known, which may touch no topic.
    #[must_use]
    pub fn nobody() -> Self {
        Self::anonymous(|_: Action, _: &Topic| false)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.subject).finish()
    }
}

/// An app that knows its users: by a session cookie, a token, a header.
///
/// - A handler of the app's own learns the user by [`Principal::of`](super::Principal::of) if its route is declared with
///   [`Need::Read`](super::Need::Read) ([`Guard::declare`](super::Guard::declare)).
/// - A stream that is open stays open when its user's rights change.
/// - Nothing bounds the time of `identify` but the app. A panic closes the connection.
/// - A route of the relay passes on what the app knows its users by, unless its settings name these headers.
/// - A guard compares paths from their start: protect the router first, then nest it. A door that is nested behind the
///   guard refuses everybody.
///
/// ```
/// use std::collections::HashMap;
///
/// use http::request::Parts;
/// use tidewire_doors::{Problem, guard::{Access, Action, Guard, Identity}};
///
/// /// The users by the secrets of their sessions.
/// struct Sessions(HashMap<String, String>);
///
/// impl Access for Sessions {
///     async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
///         let cookie = head.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
///         let session = cookie.and_then(|cookie| cookie.strip_prefix("session="));
///         let Some(user) = session.and_then(|session| self.0.get(session)) else {
///             return Ok(Identity::nobody());
///         };
///         let own = format!("users/{user}/");
///         Ok(Identity::user(user.as_str(), move |action: Action, topic: &tidewire_hub::Topic| {
///             action == Action::Subscribe && topic.name().starts_with(&own)
///         }))
///     }
/// }
///
/// let guard = Guard::default().access(Sessions(HashMap::new()));
/// ```
pub trait Access: Send + Sync + 'static {
    /// Finds the user of a request by its head. The guard asks only for requests on declared routes that touch topics or
    /// ask an upstream; on others [`Principal::may`](super::Principal::may) refuses. A token of the server is not in
    /// question here. Headers that say where a request came from are there only if a trusted proxy wrote them; the
    /// [`Principal`](super::Principal) in the extensions has the address.
    ///
    /// # Errors
    /// The answer to the request, for example 503 where the users cannot be looked up. It must not be
    /// [`Identity::nobody`] then: an app that cannot tell who asks lets nobody in.
    fn identify(&self, head: &Parts) -> impl Future<Output = Result<Identity, Problem>> + Send;
}

/// The future of [`Access::identify`].
type Found<'a> = Pin<Box<dyn Future<Output = Result<Identity, Problem>> + Send + 'a>>;

/// [`Access`] behind a pointer.
pub(super) trait DynAccess: Send + Sync {
    fn identify<'a>(&'a self, head: &'a Parts) -> Found<'a>;
}

impl<A: Access> DynAccess for A {
    fn identify<'a>(&'a self, head: &'a Parts) -> Found<'a> {
        Box::pin(Access::identify(self, head))
    }
}
