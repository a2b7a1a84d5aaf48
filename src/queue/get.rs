//! Handing requests out.

use super::owner::Who;
use super::{Lease, RequestQueue};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

impl RequestQueue {
    /// Hands out the next request of a queue in memory, if there is one now.
    ///
    /// # Errors
    /// `QueueClosed`; `InvalidArgument` where the queue is durable: a hand-out there waits for the disk.
    pub fn try_get(&self) -> Result<Option<Lease>> {
        Arc::clone(&self.backend).take_one_now()
    }

    /// Hands out up to `most` requests of a queue in memory, as many as there are now.
    ///
    /// # Errors
    /// As [`RequestQueue::try_get`].
    pub fn try_get_many(&self, most: usize) -> Result<Vec<Lease>> {
        Arc::clone(&self.backend).take_now(most)
    }

    /// Hands out the next request, waiting for one.
    ///
    /// # Errors
    /// `Timeout` where none comes in time, `QueueClosed`, `Store`.
    pub async fn get_async(&self, timeout: Option<Duration>) -> Result<Lease> {
        let mut leases = self.get_many_async(1, timeout).await?;
        leases.pop().ok_or_else(|| Error::Timeout("no request came".into()))
    }

    /// Hands out up to `most` requests, as many as there are, waiting for the first.
    ///
    /// # Errors
    /// As [`RequestQueue::get_async`].
    pub async fn get_many_async(&self, most: usize, timeout: Option<Duration>) -> Result<Vec<Lease>> {
        Arc::clone(&self.backend).take(most, timeout, Who::Worker).await
    }

    /// Hands out up to `most` requests that `acquire` put in a process that has died since, waiting for the first. In
    /// memory there are none: what was put there has died with its process.
    ///
    /// # Errors
    /// As [`RequestQueue::get_async`].
    pub async fn adopt(&self, most: usize, timeout: Option<Duration>) -> Result<Vec<Lease>> {
        let heir = self.backend.owner();
        Arc::clone(&self.backend).take(most, timeout, Who::Heir { heir }).await
    }
}
