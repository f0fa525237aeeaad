//! What a request needs: the one place that says which paths are for whom.
//!
//! A path that is not listed here needs nothing: pages, the demo, an app author's own routes, and what
//! does not exist. The same holds for a method that its path does not have, which is answered 405.

use http::Method;

/// Whose token a request needs, where one is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody's.
    Open,
    /// A reader's or a publisher's.
    Read,
    /// A reader's or a publisher's, also where reading is public: who is there is nobody else's business.
    Presence,
    /// A publisher's: it changes what is kept, or tells how the server is.
    Publish,
}

/// What this method on this path needs. The path is taken as it was sent: one that is encoded in
/// another way is no route either.
pub(super) fn needed(method: &Method, path: &str) -> Access {
    let reads = *method == Method::GET || *method == Method::HEAD;
    match first_segment(path) {
        "events" if reads || method.as_str() == "QUERY" => Access::Read,
        "events" if *method == Method::POST || *method == Method::DELETE => Access::Publish,
        "subscribe" if *method == Method::POST => Access::Read,
        "presence" if reads => Access::Presence,
        "stats" | "metrics" if reads => Access::Publish,
        _ => Access::Open,
    }
}

fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or_default();
    path.split_once('/').map_or(path, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_method_needs_what_the_table_says() {
        use Access::{Open, Presence, Publish, Read};
        for (path, needs) in [
            // GET, HEAD, QUERY, POST, DELETE, PUT, OPTIONS
            ("/events", [Read, Read, Read, Publish, Publish, Open, Open]),
            ("/events/", [Read, Read, Read, Publish, Publish, Open, Open]),
            ("/events/a", [Read, Read, Read, Publish, Publish, Open, Open]),
            ("/events/a/b", [Read, Read, Read, Publish, Publish, Open, Open]),
            ("/events//a", [Read, Read, Read, Publish, Publish, Open, Open]),
            ("/subscribe", [Open, Open, Open, Read, Open, Open, Open]),
            ("/presence", [Presence, Presence, Open, Open, Open, Open, Open]),
            ("/presence/a", [Presence, Presence, Open, Open, Open, Open, Open]),
            ("/stats", [Publish, Publish, Open, Open, Open, Open, Open]),
            ("/metrics", [Publish, Publish, Open, Open, Open, Open, Open]),
            ("/healthz", [Open; 7]),
            ("/readyz", [Open; 7]),
            ("/", [Open; 7]),
            ("/assets/style.css", [Open; 7]),
            ("/demo/answers", [Open; 7]),
            ("/event/a", [Open; 7]),
            ("/eventsa", [Open; 7]),
            ("//events/a", [Open; 7]),
            ("/a/events/a", [Open; 7]),
            ("/%65vents/a", [Open; 7]),
            ("*", [Open; 7]),
            ("", [Open; 7]),
        ] {
            let methods = ["GET", "HEAD", "QUERY", "POST", "DELETE", "PUT", "OPTIONS"];
            for (method, needs) in methods.into_iter().zip(needs) {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                assert_eq!(needed(&method, path), needs, "{method} {path}");
            }
        }
    }
}
