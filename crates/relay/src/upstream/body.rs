//! The bytes of an upstream's answer.

use std::{io, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::Response;
use tidewire_unpack::{Packing, Unpacked};
use tokio::time::timeout;

use super::{Over, broken, causes};

/// How long the next piece of an error may take.
const NEXT_PIECE: Duration = Duration::from_secs(5);

/// How much of an error is read that comes when the answer has begun.
const MAX_REFUSAL: usize = 64 << 10;

/// The body's bytes, unpacked if the upstream packed them though nobody asked it to.
pub(super) fn unpacked(response: Response) -> Result<Unpacked, Over> {
    let packing = Packing::of(response.headers()).or_else(|other| {
        let other = tidewire_doors::problem::shorten(&other);
        broken(
            "upstream_encoding",
            format!("the upstream packed its answer as {other:?}, which nobody asked for"),
        )
    })?;
    let bytes = response
        .bytes_stream()
        .map_err(|error| io::Error::other(causes(&error)));
    Ok(Unpacked::new(packing, bytes))
}

/// An error's body, as far as it is shown. What cannot be unpacked is not.
pub(super) async fn text(response: Response) -> String {
    let mut bytes = Vec::new();
    let Ok(mut body) = unpacked(response) else {
        return String::new();
    };
    while let Ok(Some(Ok(piece))) = timeout(NEXT_PIECE, body.next()).await {
        bytes.extend_from_slice(&piece);
        if bytes.len() >= MAX_REFUSAL {
            bytes.truncate(MAX_REFUSAL);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
