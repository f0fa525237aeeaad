//! A Tidewire server as a library: [`Server::start`] with a [`Config`] of typed values, and a handle on what runs.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tidewire_server::StartError> {
//! use tidewire_server::{Config, Server};
//!
//! let server = Server::start(Config::default()).await?;
//! println!("listening on http://{}", server.address());
//! server.drain().await;
//! # Ok(())
//! # }
//! ```
//!
//! Settings, signals, output and choices for a whole process are the binary's (`crates/cli`).
//!
//! | open | for |
//! |---|---|
//! | [`Config`], [`Server`] | starting and stopping it |
//! | `app`, [`listen`] | what is served, and how connections are |
//! | `drain` | how it leaves |
//! | `demo`, [`pages`] | the typing answer and the page that shows it |
//! | [`descriptors`] | how many files the process may open |
//! | `metrics`, `stats` | how the server is, for Prometheus and for people |
//! | `requests` | the log line of each request |

mod app;
mod config;
mod demo;
pub mod descriptors;
mod drain;
pub mod listen;
mod metrics;
pub mod pages;
mod requests;
mod server;
mod stats;

pub use config::{Config, Log};
pub use server::{Server, StartError};
