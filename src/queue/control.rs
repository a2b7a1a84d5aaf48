//! What an operator does to a queue: look, cancel, requeue, pause, drain, close.

use super::RequestQueue;
use super::core::unknown;
use super::entry::{DeadLetter, RequestId, Status};
use crate::store::StoreReach;
use crate::{Payload, Result, blocking};
use std::sync::Arc;
use std::time::Duration;

impl RequestQueue {
    /// How many requests are open: waiting, scheduled or leased.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn len(&self) -> Result<usize> {
        blocking::block_on(Arc::clone(&self.backend).open_count())
    }

    /// Whether nothing is open.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Where a request is.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    pub fn status(&self, id: RequestId) -> Result<Status> {
        blocking::block_on(self.store.look(id))?.ok_or_else(|| unknown(id.0))
    }

    /// Cancels an open request, leased ones too; whether it was open.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    pub async fn cancel_async(&self, id: RequestId) -> Result<bool> {
        self.store.cancel(id).await
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn dead(&self) -> Result<Vec<DeadLetter>> {
        blocking::block_on(self.store.dead())
    }

    /// Puts a dead letter back, with all its attempts before it.
    ///
    /// # Errors
    /// `InvalidArgument` where it is unknown or not dead, `Store`.
    pub async fn requeue_async(&self, id: RequestId) -> Result<()> {
        self.store.revive(id).await
    }

    /// Stops handing out, or hands out again; what is leased goes on. The same, told to the store.
    ///
    /// # Errors
    /// `Store` where it cannot be written.
    pub async fn set_paused_async(&self, paused: bool) -> Result<()> {
        self.store.pause(paused).await
    }

    /// What the ack of a request was given; waits until the request is finished.
    ///
    /// # Errors
    /// `RequestFailed`, `RequestCancelled`, `Timeout`; `InvalidArgument` for an unknown id; `QueueClosed`, `Store`.
    pub async fn result_async(&self, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>> {
        Arc::clone(&self.backend).result(id, timeout).await
    }

    /// Waits until nothing is open.
    ///
    /// # Errors
    /// `Timeout`, `QueueClosed`, `Store`.
    pub async fn drain_async(&self, timeout: Option<Duration>) -> Result<()> {
        Arc::clone(&self.backend).drain(timeout).await
    }

    /// Whether the server answers that it is kept on; None where it is on none.
    pub async fn reach(&self) -> Option<StoreReach> {
        self.store.reach().await
    }

    /// Ends the queue for everyone who shares this object; a durable one keeps its requests.
    pub fn close(&self) {
        self.backend.base().close();
    }
}
