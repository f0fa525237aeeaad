//! WebSockets: once both sides have agreed, bytes go to and fro, and nobody looks at them. Pages under development
//! load themselves anew over one; without it they would not work through the tap.
//!
//! Other protocols are not offered to the upstream (`Upgrade` is the connection's): a stream that went over to HTTP/2
//! could not be seen.

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Response,
        header::{CONNECTION, UPGRADE},
    },
};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio_util::task::TaskTracker;

use super::hop;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADES: HeaderValue = HeaderValue::from_static("upgrade");

/// The client's side of a tunnel that may come to be.
pub(super) struct Tunnel(OnUpgrade);

impl Tunnel {
    pub(super) fn asked_for(request: &mut Request) -> Option<Self> {
        let wants = request.headers().get(UPGRADE)?.to_str().ok()?;
        wants
            .eq_ignore_ascii_case("websocket")
            .then(|| Self(hyper::upgrade::on(request)))
    }

    /// The upstream has agreed.
    pub(super) fn open(self, response: &mut Response<Incoming>, tasks: &TaskTracker) -> Response<Body> {
        let upstream = hyper::upgrade::on(&mut *response);
        tasks.spawn(async move {
            // A side that goes away closes the other; nobody is left to be told.
            if let Ok((client, upstream)) = tokio::try_join!(self.0, upstream) {
                let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
        });
        let mut agreed = Response::new(Body::empty());
        *agreed.status_mut() = response.status();
        *agreed.headers_mut() = std::mem::take(response.headers_mut());
        hop::leave_connection(agreed.headers_mut());
        upgrade(agreed.headers_mut());
        agreed
    }
}

/// What asks for a WebSocket, and what agrees to one.
pub(super) fn upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, UPGRADES);
    headers.insert(UPGRADE, WEBSOCKET);
}
