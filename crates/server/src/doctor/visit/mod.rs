//! The doctor's own connections.
//!
//! | open | for |
//! |---|---|
//! | `ask` | the request, as a browser would send it |
//! | `look` | one connection, observed while it lasts |

mod ask;
mod look;

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

pub(crate) use ask::Ask;
use look::Look;

use super::{Examination, examine};

/// Looks at a stream for so long.
pub(crate) async fn visit(ask: &Ask, wait: Duration) -> anyhow::Result<Examination> {
    let until = Instant::now() + wait;
    let mut look = Look::open(ask, &HeaderMap::new(), until).await?;
    look.read(until, |_| false).await;
    Ok(examine(&look.close()))
}
