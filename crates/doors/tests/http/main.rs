//! The doors over real sockets: exact bytes, exact ends.
//!
//! | open | for the rows of the product's table |
//! |---|---|
//! | [`streams`] | S1, S2: headers, event forms |
//! | [`resume`] | S4: cursors, gaps, several topics |
//! | [`ends`] | S2, S4: end of stream, drain |
//! | [`heartbeat`] | S3 |
//! | [`responder`] | S2, S5: `Sse`, for app authors |
//! | [`publish`], [`refused`], [`bad_input`] | S10, S8: what is taken, and what is not |
//! | [`bulk`], [`bulk_refused`] | S10: many events in one request |
//! | [`subscribe_body`] | S6: parameters in bodies, `QUERY` and `POST` |
//! | [`formats`] | S9: NDJSON, by negotiation |
//! | [`packed`] | bodies that are packed |
//! | [`bodies`] | what bodies hold, and how long they take |
//! | [`sending`] | what large events on their way to readers hold |
//! | [`keys`] | S10: publishes that count once |
//! | [`kept`] | S10: `HEAD` and `DELETE` |
//! | [`presence`] | S11: who reads |
//! | [`access`] | users of an app, and what they may touch |
//! | [`guard`], [`cors`] | S7: tokens, pages of other origins |
//! | [`connections`] | HTTP/1.0, keep-alive, slow readers, broken requests |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod access;
mod bad_input;
mod bodies;
mod bulk;
mod bulk_refused;
mod client;
mod connections;
mod cors;
mod ends;
mod formats;
mod guard;
mod heartbeat;
mod kept;
mod keys;
mod packed;
mod presence;
mod publish;
mod refused;
mod responder;
mod resume;
mod sending;
mod server;
mod streams;
mod subscribe_body;
