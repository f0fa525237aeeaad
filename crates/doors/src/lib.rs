//! Tidewire's protocols as axum routers over the hub: one folder a door.
//!
//! | open | for |
//! |---|---|
//! | [`plain`] | `/events/…`: subscribe and publish with plain HTTP |
//! | [`relay`] | answers of upstreams that survive: configured routes, and `/relay/…` |
//! | [`respond`] | [`Sse`]: any stream of events as a response, for app authors |
//! | [`credentials`] | the headers and parameters of requests that are secrets |
//! | [`guard`] | who may talk to the server at all: host, origin, CORS, tokens |
//! | [`problem`] | every error on the wire, as `application/problem+json` |
//! | [`bodies`] | the bytes that bodies of requests may hold at a time |
//! | [`sending`] | the bytes that may be on their way to readers at a time |
//! | `body` | the body of a stream: heartbeats, retry line, end or cut |
//! | `intake` | bodies of requests |
//! | `request` | what requests to all doors say in the same way |
//! | `json` | objects that clients send |
//! | `negotiate` | what a client accepts |
//!
//! Doors know HTTP and the hub's handle, not how the hub keeps its log.

pub mod bodies;
mod body;
pub mod credentials;
pub mod guard;
mod intake;
mod json;
mod negotiate;
pub mod plain;
pub mod problem;
pub mod relay;
mod request;
pub mod respond;
pub mod sending;
mod shares;

pub use intake::BodyBounds;
pub use problem::Problem;
pub use respond::Sse;
