//! The doctor's own connections, a few at the same time, as tabs of a browser would have them:
//!
//! - the look itself, from the beginning to the end;
//! - one that asks for the same without compression, if the answer is compressed;
//! - from half-time on, one that resumes, so that the first one shows what it should get;
//! - if the stream ends, one that comes back as `EventSource` does;
//! - a preflight, if there is an origin.
//!
//! Only a GET is sent again: anything else may do something.
//!
//! | open | for |
//! |---|---|
//! | `ask` | the request, as a browser would send it |
//! | `look` | one connection, observed while it lasts |

mod ask;
mod look;

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue,
};
use tidewire_codec::{Decoder, Item};
use tokio::time::Instant;

pub(crate) use ask::Ask;
use ask::{LAST_EVENT_ID, Sender};
use look::Look;

use super::observation::{End, Head, Observation};
use super::resume::Plan;
use super::{Examination, Finding, cors, examine, flow, resume, sort};

/// How long to look at what comes after the end, and at least at a connection that resumes.
const AFTERWARDS: Duration = Duration::from_secs(4);
const PREFLIGHT: Duration = Duration::from_secs(10);

/// Looks at a stream for so long; a few seconds longer if it ends, or is slow to give two events.
pub(crate) async fn visit(ask: &Ask, wait: Duration) -> anyhow::Result<Examination> {
    let sender = ask.sender()?;
    let begin = Instant::now();
    let (half, until) = (begin + wait / 2, begin + wait);
    let mut first = Look::open(&sender, ask, &HeaderMap::new(), until).await;
    let repeat = ask.method == Method::GET && first.observation().head.is_some();
    let is_packed = first.is_packed();

    let plain = async {
        match repeat && is_packed {
            true => Some(once(&sender, ask, &unpacked(), until, |_| false).await),
            false => None,
        }
    };
    let whole = async {
        first.read(half, |_| false).await;
        let plan = resume::plan(first.observation()).filter(|_| repeat);
        let again = async {
            match &plan {
                Some(plan) => Some(come_again(&sender, ask, plan, until).await),
                None => None,
            }
        };
        let (again, ()) = tokio::join!(again, first.read(until, |_| false));
        (plan, again)
    };
    let (plain, (mut plan, mut again)) = tokio::join!(plain, whole);
    let observation = first.close();

    if plan.is_none() && repeat {
        plan = resume::plan(&observation);
        if let Some(plan) = &plan {
            again = Some(come_again(&sender, ask, plan, Instant::now() + AFTERWARDS.max(wait / 2)).await);
        }
    }
    let mut examination = examine(&observation);
    let findings = &mut examination.findings;
    let is_known = |findings: &[Finding]| {
        findings
            .iter()
            .any(|finding| finding.code == "compression-delays")
    };
    if let Some(plain) = plain
        && !is_known(findings)
        && let Some(finding) = flow::compare(&observation, &plain)
    {
        findings.retain(|finding| {
            !matches!(
                finding.code,
                "flow" | "buffered" | "bunched" | "compression" | "late-head"
            )
        });
        findings.push(finding);
    }
    if let (Some(plan), Some(again)) = (&plan, &again) {
        findings.push(resume::compare(&observation, plan, again));
    }
    if repeat && has_ended(&observation) {
        let back = come_back(&sender, ask, &examination.summary.last_event_id).await;
        findings.retain(|finding| !matches!(finding.code, "end" | "ended" | "empty"));
        findings.push(resume::come_back(&observation, &back));
    }
    if observation.head.is_some() {
        findings.extend(preflight(&sender, ask).await?);
    }
    sort(findings);
    Ok(examination)
}

fn has_ended(observation: &Observation) -> bool {
    let is_stream = observation.head.as_ref().is_some_and(Head::is_event_stream);
    is_stream && observation.is_finished()
}

async fn once(
    sender: &Sender,
    ask: &Ask,
    extra: &HeaderMap,
    until: Instant,
    enough: impl FnMut(&Observation) -> bool,
) -> Observation {
    let mut look = Look::open(sender, ask, extra, until).await;
    look.read(until, enough).await;
    look.close()
}

/// Resumes after an event, until all that followed has come.
async fn come_again(sender: &Sender, ask: &Ask, plan: &Plan, until: Instant) -> Observation {
    let mut headers = unpacked();
    headers.extend(last_event_id(&plan.id));
    once(sender, ask, &headers, until, after_events(plan.missed)).await
}

/// Comes back after the end, until there is an event.
async fn come_back(sender: &Sender, ask: &Ask, last: &Option<String>) -> Observation {
    let mut headers = unpacked();
    headers.extend(last.as_deref().and_then(last_event_id));
    once(
        sender,
        ask,
        &headers,
        Instant::now() + AFTERWARDS,
        after_events(1),
    )
    .await
}

/// Enough when so many events have come.
fn after_events(mut left: usize) -> impl FnMut(&Observation) -> bool {
    let mut decoder = Decoder::new();
    move |observation| {
        let Some(chunk) = observation.chunks.last() else {
            return false;
        };
        let mut items = decoder.feed(&chunk.bytes);
        while let Some(item) = items.next() {
            if let Item::Event(_) = item {
                left = left.saturating_sub(1);
            }
        }
        left == 0
    }
}

fn unpacked() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))])
}

/// No header can hold an id with a control character; browsers send none then.
fn last_event_id(id: &str) -> Option<(reqwest::header::HeaderName, HeaderValue)> {
    Some((LAST_EVENT_ID, HeaderValue::from_bytes(id.as_bytes()).ok()?))
}

async fn preflight(sender: &Sender, ask: &Ask) -> anyhow::Result<Option<Finding>> {
    let Some(origin) = ask.origin.as_deref() else {
        return Ok(None);
    };
    if ask.url.origin().ascii_serialization() == origin {
        return Ok(None);
    }
    let question = Ask {
        method: Method::OPTIONS,
        headers: HeaderMap::new(),
        body: None,
        ..ask.clone()
    };
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
    let wanted = [
        (ACCESS_CONTROL_REQUEST_METHOD, ask.method.to_string()),
        (ACCESS_CONTROL_REQUEST_HEADERS, cors::ASKED.join(",")),
    ];
    for (name, value) in wanted {
        headers.insert(name, value.parse()?);
    }
    let answer = Look::open(sender, &question, &headers, Instant::now() + PREFLIGHT)
        .await
        .close();
    let head = match (&answer.head, &answer.end) {
        _ if !answer.redirects.is_empty() => {
            Err("it is redirected, which browsers do not follow here".to_owned())
        }
        (Some(head), _) => Ok(head),
        (None, End::Cut(_, why)) => Err(why.clone()),
        (None, _) => Err("nothing came".to_owned()),
    };
    let must_pass = !ask.is_simple();
    Ok(Some(cors::preflight(origin, &ask.method, must_pass, head)))
}
