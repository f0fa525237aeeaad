//! The bytes of an upstream's answer.

use std::{io, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::header;
use reqwest::Response;
use tokio::time::timeout;

use super::{Over, broken, causes};

/// How long the next piece of an error may take.
const NEXT_PIECE: Duration = Duration::from_secs(5);

/// How much of an error is read that comes when the answer has begun.
const MAX_REFUSAL: usize = 64 << 10;

/// The body's bytes, unpacked if the upstream packed them though nobody asked it to.
pub(super) fn unpacked(
    response: Response,
) -> Result<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Over> {
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
    use tokio_util::io::{ReaderStream, StreamReader};

    let encoding = response.headers().get(header::CONTENT_ENCODING);
    let encoding = encoding.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = encoding.trim().to_ascii_lowercase();
    let bytes = response
        .bytes_stream()
        .map_err(|error| io::Error::other(causes(&error)));
    if matches!(&*encoding, "" | "identity") {
        return Ok(Box::pin(bytes));
    }
    let packed = StreamReader::new(bytes);
    Ok(match &*encoding {
        "gzip" | "x-gzip" => Box::pin(ReaderStream::new(GzipDecoder::new(packed))),
        "br" => Box::pin(ReaderStream::new(BrotliDecoder::new(packed))),
        "zstd" => Box::pin(ReaderStream::new(ZstdDecoder::new(packed))),
        "deflate" => Box::pin(ReaderStream::new(ZlibDecoder::new(packed))),
        other => {
            let other = crate::problem::shorten(other);
            return broken(
                "upstream_encoding",
                format!("the upstream packed its answer as {other:?}, which nobody asked for"),
            );
        }
    })
}

/// An error's body, as far as it is shown.
pub(super) async fn text(response: Response) -> String {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Ok(Some(Ok(piece))) = timeout(NEXT_PIECE, body.next()).await {
        bytes.extend_from_slice(&piece);
        if bytes.len() >= MAX_REFUSAL {
            bytes.truncate(MAX_REFUSAL);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
