//! What a reader asks for, whether its parameters stand in the query, in a form or in JSON.

use http::{HeaderMap, Uri};
use tidewire_hub::{ReaderName, Start, TopicSet};

use super::{
    body_parameters::BodyParameters,
    parameters::{Parameters, bad},
    wire,
};
use crate::Problem;

/// A subscription as it was asked for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) topics: TopicSet,
    pub(super) start: Start,
    /// With a cursor first, so that a connection lost before its first event can resume.
    pub(super) prime: bool,
    /// With each event's topics.
    pub(super) shows_topics: bool,
    /// The name for presence.
    pub(super) name: Option<ReaderName>,
}

impl Ask {
    /// Reads the query and the body together: topics of both add up (one in the path stands alone), and what may
    /// stand once may stand once in both.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, body: BodyParameters<'_>) -> Result<Self, Problem> {
        let query = Parameters::of_query(uri)?;
        let topics = wire::some_topics(uri, &query, body.topics)?;
        let parameters = query.and(body.others);
        Ok(Self {
            topics: TopicSet::new(topics)?,
            start: wire::start(headers, &parameters)?,
            prime: parameters.flag("prime")?,
            shows_topics: match parameters.one("show")? {
                None => false,
                Some("topic") => true,
                Some(other) => return Err(bad("show", other, "topic")),
            },
            name: parameters.one("as")?.map(ReaderName::new).transpose()?,
        })
    }
}
