//! What a request needs: the one place that says which paths are for whom.
//!
//! Doors declare their routes: each method of a path with its [`Need`]. Invariant: below a path's first segment that
//! is declared, a method or a path without a declaration needs the highest right, so that a route that is added
//! without one cannot be open by accident. Other paths need nothing: they are an app author's own, or do not exist.

use http::Method;

use crate::plain;

/// The right that a request needs, where tokens of that kind are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, under any name of the server: a probe does not know its names.
    Probe,
    /// Nothing.
    Open,
    /// Nothing but that no page of any origin (CORS `*`) may do it, for it changes something.
    Change,
    /// A reader's token or a publisher's.
    Read,
    /// A reader's token or a publisher's, also where reading is public: who is there is nobody else's business.
    Presence,
    /// A reader's token or a publisher's, also where reading is public: the upstream's work is asked for.
    Ask,
    /// A publisher's token.
    Publish,
    /// A publisher's token.
    Purge,
    /// A publisher's token: it tells how the server is.
    Operate,
}

/// The most that anything needs.
const HIGHEST: Need = Need::Operate;

/// A route with what each of its methods needs.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// Its path as the router takes it, such as `/events/{*topic}`.
    pub path: &'static str,
    /// Its methods. Others are refused.
    pub methods: &'static [(&'static str, Need)],
}

/// The check of the callers of a route to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteAuth {
    /// The server: a request needs one of its tokens, wherever it has any.
    #[default]
    Token,
    /// The upstream, by what its callers send.
    Upstream,
}

/// Routes whose declarations hold in every server that a guard protects.
const DOORS: [&[Declared]; 3] = [&plain::ROUTES, &RELAY, &OPERATIONS];

/// What a server that embeds the doors may tell of itself; ours does.
const OPERATIONS: [Declared; 2] = [
    Declared::new("/stats", &[("GET", Need::Operate), ("HEAD", Need::Operate)]),
    Declared::new("/metrics", &[("GET", Need::Operate), ("HEAD", Need::Operate)]),
];

/// The routes that every relay has, with what each of them needs. Those to upstreams are declared to a guard apart
/// ([`Guard::routes`](super::Guard::routes)).
pub const RELAY: [Declared; 1] = [Declared::new(
    "/relay/{stream}",
    &[
        ("GET", Need::Open),
        ("HEAD", Need::Open),
        ("DELETE", Need::Change),
    ],
)];

impl Declared {
    /// A route with what each of its methods needs.
    #[must_use]
    pub const fn new(path: &'static str, methods: &'static [(&'static str, Need)]) -> Self {
        Self { path, methods }
    }

    /// `OPTIONS` tells what there is, or is a preflight for an app's own CORS layer.
    fn of(&self, method: &Method) -> Option<Need> {
        if *method == Method::OPTIONS {
            return Some(Need::Open);
        }
        let mut methods = self.methods.iter();
        methods
            .find(|(name, _)| *name == method.as_str())
            .map(|(_, need)| *need)
    }

    fn is_at(&self, path: &str) -> bool {
        let mut rest = Some(path);
        for wanted in self.path.split('/') {
            let Some(left) = rest else { return false };
            if wanted.starts_with("{*") {
                return !left.is_empty();
            }
            let (segment, after) = match left.split_once('/') {
                Some((segment, after)) => (segment, Some(after)),
                None => (left, None),
            };
            let fits = match wanted.starts_with('{') {
                true => !segment.is_empty(),
                false => segment == wanted,
            };
            if !fits {
                return false;
            }
            rest = after;
        }
        rest.is_none()
    }
}

/// A route of the relay, with all that is below its path.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    auth: RouteAuth,
    is_keyed: bool,
}

/// What all routes need.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    declared: Vec<Declared>,
    asked: Vec<Asked>,
}

/// What one request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) need: Need,
    /// It is answered in the name of the server or of a user whom the browser names: pages of any origin may not ask.
    pub(super) is_keyed: bool,
    /// It is for an upstream.
    pub(super) is_relayed: bool,
}

impl Needs {
    pub(super) fn declare(&mut self, routes: impl IntoIterator<Item = Declared>) {
        self.declared.extend(routes);
    }

    pub(super) fn routes(&mut self, routes: impl IntoIterator<Item = (String, RouteAuth, bool)>) {
        self.asked.extend(
            routes
                .into_iter()
                .map(|(path, auth, is_keyed)| Asked { path, auth, is_keyed }),
        );
    }

    /// What this method on this path needs. The path is taken as it was sent: one that is encoded in another way is
    /// no route either.
    pub(super) fn of(&self, method: &Method, path: &str) -> Needed {
        if let Some(route) = self.asked(path) {
            let need = match route.auth {
                RouteAuth::Token => Need::Ask,
                RouteAuth::Upstream => Need::Open,
            };
            return Needed {
                need,
                is_keyed: route.is_keyed,
                is_relayed: true,
            };
        }
        let declared = || DOORS.into_iter().flatten().chain(&self.declared);
        let found = declared().filter(|route| route.is_at(path));
        let need = found.filter_map(|route| route.of(method)).next();
        let is_ours = || {
            let first = first_segment(path);
            !first.is_empty() && declared().any(|route| first_segment(route.path) == first)
        };
        let need = need.unwrap_or_else(|| match is_ours() {
            true => HIGHEST,
            false => Need::Open,
        });
        Needed {
            need,
            is_keyed: false,
            is_relayed: false,
        }
    }

    /// The route of the relay that a path belongs to; of several the most exact one, as the router takes it.
    fn asked(&self, path: &str) -> Option<&Asked> {
        let is_below = |route: &&Asked| {
            path.strip_prefix(route.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.asked
            .iter()
            .filter(is_below)
            .max_by_key(|route| route.path.len())
    }
}

fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or_default();
    path.split_once('/').map_or(path, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(needs: &Needs, method: &str, path: &str) -> Need {
        needs
            .of(&Method::from_bytes(method.as_bytes()).unwrap(), path)
            .need
    }

    #[test]
    fn every_path_and_method_needs_what_its_door_declares() {
        use Need::{Change, Open, Operate, Presence, Publish, Purge, Read};
        const EVENTS: [Need; 7] = [Read, Read, Read, Publish, Purge, Operate, Open];
        for (path, needs) in [
            // GET, HEAD, QUERY, POST, DELETE, PUT, OPTIONS
            ("/events", EVENTS),
            ("/events/", EVENTS),
            ("/events/a", EVENTS),
            ("/events/a/b", EVENTS),
            ("/events//a", EVENTS),
            (
                "/subscribe",
                [Operate, Operate, Read, Read, Operate, Operate, Open],
            ),
            (
                "/presence",
                [Presence, Presence, Operate, Operate, Operate, Operate, Open],
            ),
            (
                "/presence/a",
                [Presence, Presence, Operate, Operate, Operate, Operate, Open],
            ),
            (
                "/stats",
                [Operate, Operate, Operate, Operate, Operate, Operate, Open],
            ),
            (
                "/metrics",
                [Operate, Operate, Operate, Operate, Operate, Operate, Open],
            ),
            ("/stats/more", [Operate; 7]),
            ("/relay/x", [Open, Open, Operate, Operate, Change, Operate, Open]),
            ("/relay/x/y", [Operate; 7]),
            ("/relay", [Operate; 7]),
            ("/healthz", [Open; 7]),
            ("/", [Open; 7]),
            ("/assets/style.css", [Open; 7]),
            ("/event/a", [Open; 7]),
            ("/eventsa", [Open; 7]),
            ("//events/a", [Open; 7]),
            ("/a/events/a", [Open; 7]),
            ("/%65vents/a", [Open; 7]),
            ("*", [Open; 7]),
            ("", [Open; 7]),
        ] {
            let methods = ["GET", "HEAD", "QUERY", "POST", "DELETE", "PUT", "OPTIONS"];
            for (method, expected) in methods.into_iter().zip(needs) {
                assert_eq!(need(&Needs::default(), method, path), expected, "{method} {path}");
            }
        }
    }

    #[test]
    fn routes_of_the_relay_need_what_they_say_and_the_most_exact_one_counts() {
        let mut needs = Needs::default();
        needs.routes([
            ("/v1".into(), RouteAuth::Upstream, false),
            ("/v1/paid".into(), RouteAuth::Token, true),
        ]);
        for (path, expected, is_keyed, is_relayed) in [
            ("/v1", Need::Open, false, true),
            ("/v1/x", Need::Open, false, true),
            ("/v1/paid", Need::Ask, true, true),
            ("/v1/paid/x", Need::Ask, true, true),
            ("/v1/paidx", Need::Open, false, true),
            ("/v1x", Need::Open, false, false),
        ] {
            for method in ["GET", "POST", "DELETE", "TRACE", "INVENTED"] {
                let found = needs.of(&method.parse().unwrap(), path);
                let expected = Needed {
                    need: expected,
                    is_keyed,
                    is_relayed,
                };
                assert_eq!(found, expected, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_a_server_declares_beside_the_doors_closes_what_is_below_it() {
        let mut needs = Needs::default();
        needs.declare([
            Declared::new("/healthz", &[("GET", Need::Probe)]),
            Declared::new("/demo/answers", &[("POST", Need::Change)]),
        ]);
        assert_eq!(need(&needs, "GET", "/healthz"), Need::Probe);
        assert_eq!(need(&needs, "POST", "/demo/answers"), Need::Change);
        for (method, path) in [
            ("POST", "/healthz"),
            ("GET", "/healthz/x"),
            ("GET", "/demo/answers"),
            ("GET", "/demo"),
            ("POST", "/demo/new"),
        ] {
            assert_eq!(need(&needs, method, path), Need::Operate, "{method} {path}");
        }
    }
}
