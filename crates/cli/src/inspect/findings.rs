//! What the doctor says of a stream that went through the tap.

use std::{str::FromStr as _, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use reqwest::Url;

use super::stream::{Gone, Snapshot};
use crate::{
    doctor::{
        self, Finding,
        observation::{Chunk, End, Head, Observation},
    },
    recording::{self, Headers},
};

/// Nothing for what is no stream, as nobody could say more than its status does.
pub(super) fn of(snapshot: &Snapshot) -> Vec<Finding> {
    observed(snapshot).map_or_else(Vec::new, |seen| doctor::examine(&seen).findings)
}

fn observed(snapshot: &Snapshot) -> Option<Observation> {
    let recording::Head {
        request, response, ..
    } = &snapshot.head;
    let after = Duration::from_millis(response.after);
    let since_request = |at: u64| after + Duration::from_millis(at);
    let end = match snapshot.gone() {
        Gone::Not => End::Open(snapshot.sent.elapsed()),
        Gone::Unseen(at) => End::Open(since_request(at)),
        Gone::Finished(at) => End::Finished(since_request(at)),
        Gone::Cut(at, why) => End::Cut(since_request(at), why.to_owned()),
    };
    let chunk = |(at, bytes): &(u64, bytes::Bytes)| Chunk {
        at: since_request(*at),
        bytes: bytes.clone(),
    };
    Some(Observation {
        method: Method::from_str(&request.method).ok()?,
        url: Url::parse(&request.url).ok()?,
        origin: value(&request.headers, "origin"),
        redirects: Vec::new(),
        head: Some(Head {
            at: after,
            status: StatusCode::from_u16(response.status).ok()?,
            version: match &*response.version {
                "HTTP/1.0" => Version::HTTP_10,
                _ => Version::HTTP_11,
            },
            headers: map(&response.headers),
        }),
        chunks: snapshot.chunks.iter().map(chunk).collect(),
        end,
    })
}

fn value(headers: &Headers, name: &str) -> Option<String> {
    headers.iter().find(|(candidate, _)| candidate == name)?.1.clone()
}

/// Without secrets, which no finding is about.
fn map(headers: &Headers) -> HeaderMap {
    let kept = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_str(name).ok()?;
        Some((name, HeaderValue::from_str(value.as_ref()?).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in kept {
        map.append(name, value);
    }
    map
}
