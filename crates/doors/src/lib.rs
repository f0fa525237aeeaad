//! Tidewire's protocols as axum routers over the hub: one folder a door.
//!
//! | open | for |
//! |---|---|
//! | [`plain`] | `/events/…`: subscribe and publish with plain HTTP |
//! | [`respond`] | [`Sse`]: any stream of events as a response, for app authors |
//! | [`credentials`] | the headers and parameters of requests that are secrets |
//! | [`guard`] | who may talk to the server at all: host, origin, CORS, tokens |
//! | [`problem`] | every error on the wire, as `application/problem+json` |
//! | [`bodies`] | the bytes that bodies of requests may hold at a time |
//! | [`stream`] | a stream as a response: its body, its head, its bound |
//! | [`intake`] | bodies of requests |
//! | [`request`] | what requests to all doors say in the same way |
//! | `json` | objects that clients send |
//!
//! The relay is a door of its own: the crate `tidewire-relay`.
//!
//! Doors know HTTP and the hub's handle, not how the hub keeps its log.

pub mod bodies;
pub mod credentials;
pub mod guard;
pub mod intake;
mod json;
pub mod plain;
pub mod problem;
pub mod request;
mod shares;
pub mod stream;

pub use intake::BodyBounds;
pub use problem::Problem;
pub use stream::{
    respond::{self, Sse},
    sending,
};
