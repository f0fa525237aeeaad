//! A request's wait for the head of the answer that it has asked for; and what is left of it when its client goes before.
//!
//! SDKs send a request again by themselves when its connection broke before the head. The call of the first try goes on then:
//! it is an orphan for a moment, and the next try adopts it. An orphan has no reader, its head was delivered to nobody, and
//! it goes to one request only: the same bytes with the same credentials, and a retry count that is one higher.

use std::sync::Arc;

use tokio::sync::oneshot::{Receiver, error::TryRecvError};

use super::{
    Relay,
    answer::{Answer, Reader},
    answers::Orphan,
    scope::Hash,
    upstream::Head,
};

/// See the module's text.
pub(super) struct Asking {
    relay: Relay,
    reader: Reader,
    /// None once the head is there.
    head: Option<Receiver<Head>>,
    /// The retry count that may adopt it.
    next_try: Option<u32>,
}

impl Asking {
    pub(super) fn new(relay: &Relay, reader: Reader, head: Receiver<Head>, try_number: Option<u32>) -> Self {
        Self {
            relay: relay.clone(),
            reader,
            head: Some(head),
            next_try: try_number.and_then(|number| number.checked_add(1)),
        }
    }

    /// Adopts what the try before has left, if there is such a thing and it is of use: after an error of ours or of the upstream,
    /// which nobody has seen, the upstream is asked anew.
    pub(super) fn adopted(relay: &Relay, retry: Option<Hash>, try_number: Option<u32>) -> Option<Self> {
        let (retry, number) = retry.zip(try_number.filter(|number| *number > 0))?;
        while let Some((mut orphan, reader)) = relay.inner.answers.adopt(retry, number) {
            let head = match orphan.head.try_recv() {
                Err(TryRecvError::Empty) => Some(orphan.head),
                Ok(head) if head.is_success() => Some(already(head)),
                Ok(_) | Err(TryRecvError::Closed) => None,
            };
            match head {
                Some(head) => return Some(Self::new(relay, reader, head, try_number)),
                None => reader.answer().head_unwanted(),
            }
        }
        None
    }

    /// The head, with a reader of its answer. None if the call was given up.
    pub(super) async fn head(mut self) -> Option<(Reader, Head)> {
        let head = self.head.as_mut()?.await.ok();
        self.head = None;
        self.answer().head_delivered();
        let reader = self.answer().join();
        Some((reader, head?))
    }

    fn answer(&self) -> &Arc<Answer> {
        self.reader.answer()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Before its reader is gone, so that the retry has its whole time.
        if let Some(head) = self.head.take() {
            let answer = Arc::clone(self.answer());
            match self.next_try.filter(|_| answer.named.retry.is_some()) {
                Some(next_try) => self.relay.inner.answers.orphan(Orphan {
                    answer,
                    head,
                    next_try,
                }),
                None => answer.head_unwanted(),
            }
        }
    }
}

/// A head that is there.
fn already(head: Head) -> Receiver<Head> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let _ = sender.send(head);
    receiver
}
