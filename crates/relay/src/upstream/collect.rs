//! An answer that is no stream and has a key: its upstream's bytes go to its asker, and are kept for its twins.

use std::sync::Arc;

use futures_util::{StreamExt as _, future::ready, stream};
use http::StatusCode;
use reqwest::Response;
use tokio::{sync::oneshot::Sender, time::Instant};

use super::{
    super::{
        Relay,
        answer::Answer,
        pass::{Place, pieces, with_place},
        returned::passed_headers,
        whole::{Pieces, Whole},
    },
    Head, Over,
    watch::Watch,
};

/// How the bytes came to an end here.
enum Came {
    All,
    /// The upstream broke off or took too long, or nobody is there any more.
    Broken,
    /// They are too many to be kept, or the server leaves: what is left is passed on.
    Left(Pieces),
}

/// Reads it to its end.
pub(super) async fn keep_whole(
    relay: &Relay,
    answer: &Arc<Answer>,
    watch: &mut Watch,
    response: Response,
    asked_at: Instant,
    head: Sender<Head>,
) {
    let (route, answers) = (relay.route(answer), &relay.inner.answers);
    let make_room = || answers.forget_whole();
    let begun = match may_be_kept(&response, route.limits.max_answer) {
        true => {
            let headers = passed_headers(route, response.headers());
            Whole::begin(&relay.inner.bodies, response.status(), headers, make_room)
        }
        false => None,
    };
    let Some(whole) = begun else {
        let place = Place::of(relay.clone(), Arc::clone(answer));
        let _ = head.send(Head::Other(response, asked_at, place));
        return;
    };
    let bytes = pieces(response, route, asked_at);
    let _ = head.send(Head::Whole(Arc::clone(&whole)));
    match collect(&whole, watch, bytes, route.limits.max_answer, make_room).await {
        Came::All => {
            // In this order: whoever has seen the end may ask again.
            answers.keep_whole(answer, &whole, relay.times().stamp);
            whole.finish();
        }
        Came::Broken => {
            answers.release(answer);
            whole.cut();
        }
        Came::Left(rest) => {
            let place = Place::of(relay.clone(), Arc::clone(answer));
            whole.pass(with_place(rest, place));
        }
    }
}

async fn collect(
    whole: &Whole,
    watch: &mut Watch,
    mut bytes: Pieces,
    max: usize,
    make_room: impl Fn() -> bool,
) -> Came {
    let mut came = 0_usize;
    loop {
        let piece = match watch.until_over(bytes.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => return Came::All,
            Err(Over::Leaving) => return Came::Left(bytes),
            Ok(Some(Err(_))) | Err(_) => return Came::Broken,
        };
        came = came.saturating_add(piece.len());
        if came > max || !whole.take(&piece, &make_room) {
            let first = stream::once(ready(Ok(piece)));
            return Came::Left(Box::pin(first.chain(bytes)));
        }
    }
}

/// Whether another request may get it: not a part of a body, for which this one asked, nor what says that it is too large.
fn may_be_kept(response: &Response, max: usize) -> bool {
    let status = response.status();
    let is_part = status == StatusCode::PARTIAL_CONTENT || status == StatusCode::NOT_MODIFIED;
    !is_part && response.content_length().is_none_or(|len| len <= max as u64)
}
