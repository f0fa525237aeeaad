//! Any `tower` service as transport: a hyper client, a stack of layers, or a router in the same process.

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tower::{Service, ServiceExt as _};

use super::{Answer, Transport};
use crate::error::BoxError;

/// Sends with this service. Each request gets a clone of it, once that is ready.
pub(crate) fn transport<S, In, Out>(service: S) -> Transport
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    In: From<Bytes> + Send + 'static,
    Out: http_body::Body<Data = Bytes> + Send + 'static,
    Out::Error: Into<BoxError>,
{
    Box::new(move |request: Request<Bytes>| {
        let service = service.clone();
        Box::pin(async move {
            let response = service.oneshot(request.map(In::from)).await.map_err(Into::into)?;
            let (head, body) = response.into_parts();
            Ok(Answer {
                head,
                url: None,
                body: body.map_err(Into::into).boxed_unsync(),
            })
        })
    })
}
