//! `tidewire serve`, the real binary on a free port, seen from outside.
//!
//! | open | for |
//! |---|---|
//! | [`round_trip`] | publish, subscribe, health, the demo's answers |
//! | [`signals`] | SIGTERM, a second one, kill -9 and a new start |
//! | [`leaving`] | the phases of a drain; SIGHUP |
//! | [`place`] | where the log is when nothing, something or nonsense is said |
//! | [`durable`] | a log on disk over restarts |
//! | [`demo`] | the demo's answers over restarts |
//! | [`demo_upstream`] | the demo's upstream for the relay |
//! | [`lost_folder`] | the log's folder goes while the server runs |
//! | [`kills`] | kill -9, again and again, while some publish and others read |
//! | [`access`] | tokens and CORS as the settings say |
//! | [`bodies`] | many large bodies at a time |
//! | [`sending`] | many large events that readers do not take |
//! | [`crowds`] | more connections than there may be |
//! | [`relay`] | answers of an upstream: routes, keys, measures, logs |
//! | [`troubles`] | what goes wrong again and again is logged once |
//! | [`gone`] | which clients count as gone |
//! | [`observed`] | metrics, stats, and logs without secrets |
//! | [`binary`] | starts and ends it |
//!
//! Tests that need no process start the library: `crates/server/tests/http`.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod access;
mod binary;
#[cfg(target_os = "linux")]
mod bodies;
#[path = "../../../doors/tests/http/client.rs"]
mod client;
mod crowds;
mod demo;
mod demo_upstream;
mod durable;
mod gone;
mod kills;
mod leaving;
mod lost_folder;
mod observed;
mod place;
mod relay;
mod round_trip;
#[cfg(target_os = "linux")]
mod sending;
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod troubles;
#[path = "../../../relay/tests/http/upstream.rs"]
mod upstream;
