//! A stream of events as a response: what every door that sends one shares.
//!
//! | open | for |
//! |---|---|
//! | [`body`] | the body: heartbeats, `retry` line, end or cut |
//! | [`respond`] | [`Sse`](respond::Sse) for app authors, and the heads of stream responses |
//! | [`sending`] | the bytes that may be on their way to readers at a time |
//! | `negotiate` | the media type that a client accepts |

pub mod body;
pub(crate) mod negotiate;
pub mod respond;
pub mod sending;
