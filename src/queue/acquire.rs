//! A turn of one's own: a request that is put, and handed to the caller that put it and to nobody else.
//!
//! In order, limits and fairness it is like every other request. It ends with its caller: whoever drops the wait, or the
//! lease, removes the request, on any thread. Where nothing is in the way, put and take are one look at the state.

use super::backend::QueueBackend;
use super::base::QueueBase;
use super::core::{HandedOut, Route};
use super::entry::Status;
use super::{Lease, PutOptions, RequestQueue};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How a request whose turn has come is to wait for another: the pause before a retry, the way to a fallback.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// How long until it may be its turn again.
    pub delay: Duration,
    /// The provider that it will call then; None: as before.
    pub provider: Option<Arc<str>>,
    /// The model that it will call then; None: as before.
    pub model: Option<Arc<str>>,
    /// The tokens that it is expected to take then; None: as before.
    pub estimated_tokens: Option<u64>,
    /// The tokens that it has taken, for limits; None: as estimated.
    pub used_tokens: Option<u64>,
}

impl Again {
    pub(super) fn route(&self) -> Route {
        Route { provider: self.provider.clone(), model: self.model.clone(), tokens: self.estimated_tokens }
    }
}

impl RequestQueue {
    /// Puts a request and waits for its turn, which nobody else is given.
    ///
    /// Where nothing is in the way it is ready at its first poll. Dropping the future, or the lease, removes the request;
    /// the lease lasts as long as its holder keeps it.
    ///
    /// # Errors
    /// `Timeout` where its turn does not come within `timeout`, which leaves nothing behind; `QueueClosed`,
    /// `RequestCancelled`, `Store`; `InvalidArgument` where `options` have a key or a deadline.
    ///
    /// ```
    /// use headrace::Payload;
    /// use headrace::queue::{PutOptions, QueueConfig, RequestQueue};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let queue = RequestQueue::open("memory://", QueueConfig::default())?;
    /// let turn = queue.acquire(Payload::bytes([]), PutOptions::default(), None).await?;
    /// // ... the work ...
    /// turn.ack_async(None, Some(1200)).await?;
    /// # Ok::<(), headrace::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acquire(&self, payload: Payload, options: PutOptions, timeout: Option<Duration>) -> Result<Lease> {
        if options.key.is_some() || options.deadline.is_some() {
            return Err(Error::invalid("acquire takes no key and no deadline: give a timeout"));
        }
        Arc::clone(&self.backend).acquire(payload, options, timeout).await
    }
}

pub(super) enum Entered {
    Turn(Lease),
    Waits(Waits),
    Full,
}

/// A request that waits for its turn; dropped, it is removed.
pub(super) struct Waits {
    backend: Arc<dyn QueueBackend>,
    id: u64,
    turn: oneshot::Receiver<HandedOut>,
    came: bool,
}

impl Waits {
    pub(super) fn new(backend: Arc<dyn QueueBackend>, id: u64) -> Self {
        let turn = backend.base().turns.expect(id);
        Self { backend, id, turn, came: false }
    }

    pub(super) async fn turn(mut self) -> Result<Lease> {
        let backend = Arc::clone(&self.backend);
        let turn = tokio::select! {
            biased;
            turn = &mut self.turn => turn,
            () = Arc::clone(&backend).watch_turns() => return Err(backend.base().closed()),
        };
        // Either way there is nothing left to remove: a lease is the caller's, and without one the request has ended.
        self.came = true;
        match turn {
            Ok(handed) => Ok(Lease::new(backend, handed)),
            Err(_) => Err(backend.base().why_no_turn(self.id)),
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.came {
            Arc::clone(&self.backend).leave(self.id, None);
        }
    }
}

impl QueueBase {
    fn why_no_turn(&self, id: u64) -> Error {
        let core = self.core.lock();
        match core.status(id) {
            _ if core.closed => self.closed(),
            Some(Status::Cancelled) => Error::RequestCancelled(format!(
                "request {} was cancelled while it waited for its turn",
                super::RequestId(id)
            )),
            _ => super::core::lost(id, 0),
        }
    }
}

impl Lease {
    /// Gives back a turn that `acquire` gave, and waits for another of the same request.
    ///
    /// Its room under the limits is free at once. It keeps its place in line, counts as one more request when its turn
    /// comes again, and is no failed attempt. Dropping the future removes the request.
    ///
    /// # Errors
    /// `LeaseLost`, `QueueClosed`, `RequestCancelled`, `Store`; `InvalidArgument` for a lease of a worker: nack that.
    pub async fn again(self, again: Again) -> Result<Self> {
        if self.handed.owner != self.backend.owner() {
            return Err(Error::invalid("again is for a lease that acquire gave: nack this one"));
        }
        let entered = Arc::clone(&self.backend).again(&self, again).await?;
        match entered {
            Entered::Turn(lease) => Ok(lease),
            Entered::Waits(waits) => waits.turn().await,
            Entered::Full => Err(self.backend.base().closed()),
        }
    }

    /// Ends a lease that `acquire` gave: there will be no result, and the request is cancelled. Dropping the lease does
    /// the same, where nothing is known of the tokens that were used. Never waits.
    pub fn cancel(self, used_tokens: Option<u64>) {
        self.set_settled();
        Arc::clone(&self.backend).leave(self.handed.id, used_tokens);
    }
}

pub(super) async fn within(timeout: Option<Duration>, turn: impl Future<Output = Result<Lease>>) -> Result<Lease> {
    match timeout {
        None => turn.await,
        Some(timeout) => tokio::time::timeout(timeout, turn).await.unwrap_or_else(|_| Err(too_late(Some(timeout)))),
    }
}

pub(super) fn too_late(timeout: Option<Duration>) -> Error {
    let waited = timeout.unwrap_or_default().as_secs_f64();
    Error::Timeout(format!("no turn came within {waited} s: raise timeout=, or look at the queue's stats()"))
}
