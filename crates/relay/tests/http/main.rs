//! The relay over real sockets, before a scripted upstream: A1 to A5, S5.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, missing_docs, reason = "nobody can reach into a test anyway")]
#![allow(dead_code, reason = "the support is that of the other doors, too")]

#[path = "../../../doors/tests/http/client.rs"]
mod client;
#[path = "../../../doors/tests/http/server.rs"]
mod server;

mod answers;
mod askers;
mod bounds;
mod cancel;
mod credentials;
mod dialects;
mod ends;
mod faults;
mod hostile;
mod lines;
mod lost;
mod members;
mod pages;
mod passed;
mod readers;
mod refusals;
mod restart;
mod resumed_upstream;
mod returned;
mod secure;
mod twins;
mod uploads;
mod upstream;
mod users;
mod websockets;

use std::{net::Ipv4Addr, time::Duration};

use axum::{Extension, Router, extract::Request};
use tidewire_doors::guard::{Guard, Peer, Principal, Rights};
use tidewire_hub::{
    Clock, Hub,
    archive::{Memory, Retention, Store},
};
use tidewire_relay::{Config, Relay, Route, config::Times, refuse};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::{
    client::{Reader, Response, request},
    server::Server,
};
pub use upstream::{Call, Upstream};

/// A relay in front of a scripted upstream.
pub struct Relayed {
    pub upstream: Upstream,
    pub relay: Relay,
    pub server: Server,
    pub hub: Hub,
}

impl Relayed {
    pub fn open() -> Self {
        Self::with(|_| {})
    }

    /// With a route that is like this.
    pub fn with(change: impl FnOnce(&mut Route)) -> Self {
        Self::built(|config| change(&mut config.routes[0]))
    }

    /// With bounds and routes like these.
    pub fn built(change: impl FnOnce(&mut Config)) -> Self {
        let upstream = Upstream::start();
        let archive = Memory::new(Retention::default());
        Self::over(Runtime::new().unwrap(), upstream, archive, change)
    }

    /// Behind a trusted proxy.
    pub fn proxied(change: impl FnOnce(&mut Route)) -> Self {
        Self::called_by(by_proxy(), change)
    }

    /// Behind a guard that says so of each request's caller.
    pub fn called_by(caller: Principal, change: impl FnOnce(&mut Route)) -> Self {
        let change = |config: &mut Config| change(&mut config.routes[0]);
        let (runtime, upstream) = (Runtime::new().unwrap(), Upstream::start());
        let archive = Memory::new(Retention::default());
        Self::behind(caller, runtime, upstream, archive, change)
    }

    /// Behind this guard, which sees where its callers come from.
    pub fn guarded(guard: Guard, change: impl FnOnce(&mut Config)) -> Self {
        let (runtime, upstream) = (Runtime::new().unwrap(), Upstream::start());
        let archive = Memory::new(Retention::default());
        Self::served(Clock::system(), runtime, upstream, archive, change, |router| {
            let local = Peer((Ipv4Addr::LOCALHOST, 1).into());
            guard
                .refuse_on_routes(refuse)
                .protect(router)
                .layer(Extension(local))
        })
    }

    /// In this app, before an upstream.
    pub fn wrapped(app: impl FnOnce(Router) -> Router) -> Self {
        let (runtime, upstream) = (Runtime::new().unwrap(), Upstream::start());
        let archive = Memory::new(Retention::default());
        Self::served(Clock::system(), runtime, upstream, archive, |_| {}, app)
    }

    /// Over this archive.
    pub fn over<A: Store>(
        runtime: Runtime,
        upstream: Upstream,
        archive: A,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::served(Clock::system(), runtime, upstream, archive, change, |router| {
            router
        })
    }

    /// Behind a guard that says so of each request's caller, over this archive.
    pub fn behind<A: Store>(
        caller: Principal,
        runtime: Runtime,
        upstream: Upstream,
        archive: A,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let guard = axum::middleware::map_request(move |mut request: Request| {
            if let Some(address) = caller.address() {
                request.extensions_mut().insert(Peer((address, 1).into()));
            }
            request.extensions_mut().insert(caller.clone());
            std::future::ready(request)
        });
        Self::served(Clock::system(), runtime, upstream, archive, change, |router| {
            router.layer(guard)
        })
    }

    /// With a clock of the test's.
    pub fn by_clock(clock: Clock, change: impl FnOnce(&mut Route)) -> Self {
        let change = |config: &mut Config| change(&mut config.routes[0]);
        let (runtime, upstream) = (Runtime::new().unwrap(), Upstream::start());
        let archive = Memory::new(Retention::default());
        Self::served(clock, runtime, upstream, archive, change, |router| router)
    }

    fn served<A: Store>(
        clock: Clock,
        runtime: Runtime,
        upstream: Upstream,
        archive: A,
        change: impl FnOnce(&mut Config),
        protect: impl FnOnce(Router) -> Router,
    ) -> Self {
        let url = format!("http://{}/v1", upstream.address).parse().unwrap();
        let mut route = Route::new("/v1", url);
        route.times = Times {
            connect: Duration::from_secs(2),
            commit_after: Duration::from_secs(5),
            ..Times::default()
        };
        let mut config = Config::new(vec![route]);
        change(&mut config);
        let (relay, hub) = runtime.block_on(async {
            let bounds = tidewire_hub::Config {
                clock,
                ..tidewire_hub::Config::default()
            };
            let hub = Hub::start(bounds, archive).unwrap();
            let relay = Relay::start(hub.clone(), config, TaskTracker::new())
                .await
                .unwrap();
            (relay, hub)
        });
        let server = Server::start_on(runtime, protect(relay.router()));
        Self {
            upstream,
            relay,
            server,
            hub,
        }
    }

    /// Ends as a process does that is killed, unless its hub has been drained.
    pub fn stop(self) -> Upstream {
        let Self {
            upstream,
            relay,
            server,
            hub,
        } = self;
        drop((relay, hub));
        server.stop();
        upstream
    }

    /// What the client gets for what the upstream does with the request.
    pub fn answered(&self, act: impl FnOnce(Call)) -> Reader {
        self.answered_to("hello", &[], act)
    }

    pub fn answered_to(&self, prompt: &str, headers: &[(&str, &str)], act: impl FnOnce(Call)) -> Reader {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| self.ask_for(prompt, headers));
            act(self.upstream.call());
            asked.join().unwrap()
        })
    }

    /// What a client gets for a request below the route, for what the upstream does with it.
    pub fn posted(&self, asked: &Asked, act: impl FnOnce(Call)) -> Reader {
        std::thread::scope(|scope| {
            let client = scope.spawn(|| self.post(asked));
            act(self.upstream.call());
            client.join().unwrap()
        })
    }

    pub fn post(&self, asked: &Asked) -> Reader {
        let headers = [&[("Content-Type", "application/json")], asked.headers].concat();
        let mut client = self.server.connect();
        client.send(request("POST", asked.target, &headers, asked.body));
        client.reader()
    }

    /// Asks for a stream.
    pub fn ask(&self, headers: &[(&str, &str)]) -> Reader {
        self.ask_for("hello", headers)
    }

    pub fn ask_for(&self, prompt: &str, headers: &[(&str, &str)]) -> Reader {
        let mut client = self.server.connect();
        client.send(chat(prompt, headers));
        client.reader()
    }

    /// A whole answer that is no stream.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.server.connect().ask(request(method, target, headers, body))
    }

    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        self.server.get(target, headers)
    }
}

/// A request with a body of JSON, as a client of some dialect sends it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub target: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
}

/// Requests by which their dialect is known.
pub mod asked {
    use super::Asked;

    const STREAM: &str = r#"{"stream":true}"#;

    pub const CHAT: Asked = of("/v1/chat/completions", &[]);
    pub const RESPONSES: Asked = of("/v1/responses", &[]);
    pub const ANTHROPIC: Asked = of("/v1/messages", &[("anthropic-version", "2023-06-01")]);
    pub const GEMINI: Asked = Asked {
        body: "{}",
        ..of("/v1/models/gemini:streamGenerateContent?alt=sse", &[])
    };
    pub const COHERE: Asked = of("/v1/v2/chat", &[]);
    pub const MISTRAL: Asked = of(
        "/v1/chat/completions",
        &[("User-Agent", "mistral-client-python/3.7.0")],
    );
    pub const LLAMA: Asked = of("/v1/chat/completions", &[("X-Conversation-Id", "c1")]);
    pub const AG_UI: Asked = Asked {
        body: r#"{"threadId":"t","runId":"r","messages":[]}"#,
        ..of("/v1/agent", &[("Accept", "text/event-stream")])
    };
    pub const OLLAMA: Asked = of("/v1/api/chat", &[]);
    pub const MCP: Asked = Asked {
        body: r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        ..of("/v1/mcp", &[("Accept", "application/json, text/event-stream")])
    };
    pub const UNKNOWN: Asked = Asked {
        body: "{}",
        ..of("/v1/custom", &[("Accept", "text/event-stream")])
    };

    const fn of(target: &'static str, headers: &'static [(&'static str, &'static str)]) -> Asked {
        Asked {
            target,
            headers,
            body: STREAM,
        }
    }
}

/// A caller whom a trusted proxy sends, from its own address.
pub fn by_proxy() -> Principal {
    let proxy = [10, 0, 0, 1].into();
    Principal::new(Rights::None, None, Some(proxy), true)
}

/// The bytes of a request for a stream.
pub fn chat(prompt: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let body =
        format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    request("POST", "/v1/chat/completions", &headers, body)
}

/// The name of the answer that a response is.
#[track_caller]
pub fn stream_of(reader: &Reader) -> String {
    let place = reader.head.get("tidewire-stream").expect("no name");
    place.strip_prefix("/relay/").expect("no place").to_owned()
}
