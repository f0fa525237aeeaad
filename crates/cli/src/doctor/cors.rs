//! What a page of another origin may do (Fetch § 3.3). `EventSource` needs the response's own headers only; clients built
//! on fetch that set `Last-Event-ID` or `Authorization` need the preflight too.

use reqwest::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, VARY,
};
use reqwest::{Method, Url};

use super::finding::Finding;
use super::observation::{Head, Observation};
use super::words::{quoted, some};

/// The headers that a preflight asks for.
pub(crate) const ASKED: [&str; 2] = ["last-event-id", "authorization"];

pub(super) fn look(observation: &Observation) -> Vec<Finding> {
    let (Some(origin), Some(head)) = (&observation.origin, &observation.head) else {
        return Vec::new();
    };
    if is_same(&observation.url, origin) {
        return vec![Finding::fine(
            "cors",
            "the page has the stream's origin: no CORS is needed",
        )];
    }
    let mut found = vec![match allowed(head, origin) {
        Ok(()) => Finding::fine("cors", format!("pages of {origin} may read it")),
        Err(what) => Finding::error("cors", what)
            .why("The browser opens the stream and lets no page of that origin read it: EventSource fires `error` and does not come back.")
            .mend("the server", format!("Access-Control-Allow-Origin: {origin}"))
            .mend("Express", format!("app.use(cors({{ origin: '{origin}', credentials: true }}))"))
            .mend("Tidewire", format!("--cors-origin {origin}")),
    }];
    let any = head.text(ACCESS_CONTROL_ALLOW_ORIGIN).as_deref() == Some("*");
    let credentials = head.text(ACCESS_CONTROL_ALLOW_CREDENTIALS).as_deref() == Some("true");
    if any && credentials {
        found.push(
            Finding::warning(
                "cors-credentials",
                "Every origin (*) is allowed, and credentials too; the two do not go together.",
            )
            .why("With `withCredentials: true` (cookies) the browser refuses the answer.")
            .mend("the server", format!("Access-Control-Allow-Origin: {origin}")),
        );
    }
    let vary = head.list(VARY);
    if !any
        && found
            .iter()
            .all(|finding| finding.code != "cors" || finding.severity == super::Severity::Fine)
        && !vary.iter().any(|name| name == "origin" || name == "*")
    {
        found.push(
            Finding::note(
                "cors-vary",
                "One origin is allowed, and there is no `Vary: Origin`.",
            )
            .why("A cache may give an answer for one origin to pages of another, which then may not read it.")
            .mend("the server", "Vary: Origin"),
        );
    }
    found
}

fn is_same(url: &Url, origin: &str) -> bool {
    url.origin().ascii_serialization() == origin
}

fn allowed(head: &Head, origin: &str) -> Result<(), String> {
    match head.text(ACCESS_CONTROL_ALLOW_ORIGIN) {
        None => Err(format!(
            "Pages of {origin} may not read it: there is no Access-Control-Allow-Origin."
        )),
        Some(value) if value == "*" || value == origin => Ok(()),
        Some(value) => Err(format!(
            "Pages of {origin} may not read it: Access-Control-Allow-Origin is {}.",
            quoted(&value)
        )),
    }
}

/// What the answer to a preflight means. `must_pass` says that the request cannot be sent without it.
pub(super) fn preflight(
    origin: &str,
    method: &Method,
    must_pass: bool,
    answer: Result<&Head, String>,
) -> Finding {
    let wrong = match answer {
        Err(why) => Some(format!("there was no answer ({why})")),
        Ok(head) => refused(head, origin, method),
    };
    let Some(wrong) = wrong else {
        return Finding::fine(
            "preflight",
            format!("{method} with {} is allowed", ASKED.join(", ")),
        );
    };
    let what = format!(
        "A preflight for {method} with {} fails: {wrong}.",
        ASKED.join(", ")
    );
    let (finding, why) = match must_pass {
        true => (
            Finding::error("preflight", what),
            "The browser does not send such a request at all.",
        ),
        false => (
            Finding::warning("preflight", what),
            "EventSource does without; clients built on fetch, which show a token or resume, cannot read the stream.",
        ),
    };
    let allowed = format!("{}, Content-Type", ASKED.join(", "));
    finding
        .why(why)
        .mend("the server", "answer OPTIONS with 204 and these:")
        .mend("the server", format!("Access-Control-Allow-Origin: {origin}"))
        .mend("the server", format!("Access-Control-Allow-Methods: {method}"))
        .mend("the server", format!("Access-Control-Allow-Headers: {allowed}"))
}

fn refused(head: &Head, origin: &str, method: &Method) -> Option<String> {
    if !head.status.is_success() {
        return Some(format!("the status is {}", head.status));
    }
    if let Err(why) = allowed(head, origin) {
        return Some(why.trim_end_matches('.').to_owned());
    }
    let methods = head.list(ACCESS_CONTROL_ALLOW_METHODS);
    let is_plain = [Method::GET, Method::HEAD, Method::POST].contains(method);
    let named = |list: &[String], name: &str| list.iter().any(|item| item.eq_ignore_ascii_case(name));
    if !is_plain && !named(&methods, method.as_str()) && !named(&methods, "*") {
        return Some(format!("the method {method} is not allowed"));
    }
    let headers = head.list(ACCESS_CONTROL_ALLOW_HEADERS);
    // The star stands for all but `Authorization`.
    let is_allowed = |name: &str| named(&headers, name) || (named(&headers, "*") && name != "authorization");
    let missing: Vec<_> = ASKED.into_iter().filter(|name| !is_allowed(name)).collect();
    (!missing.is_empty()).then(|| format!("Access-Control-Allow-Headers lacks {}", some(missing)))
}
