//! Putting requests in.

use super::{PutOptions, RequestId, RequestQueue};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;

impl RequestQueue {
    /// Puts into a queue in memory, at once.
    ///
    /// # Errors
    /// `QueueFull`, `QueueClosed`; `InvalidArgument` where the queue is durable: a put there waits for the disk.
    pub fn put(&self, payload: Payload, options: &PutOptions) -> Result<RequestId> {
        self.backend.put_now(payload, options)
    }

    /// Puts many requests with the same options into a queue in memory at once, all or none. A `key` belongs to one
    /// request: give it with one only.
    ///
    /// # Errors
    /// As [`RequestQueue::put`]; `InvalidArgument` for a key with several payloads.
    pub fn put_many(&self, payloads: Vec<Payload>, options: &PutOptions) -> Result<Vec<RequestId>> {
        refuse_shared_key(options, payloads.len())?;
        self.backend.put_many_now(payloads, options)
    }

    /// Puts one request; waits for room, and where the queue is durable for the disk.
    ///
    /// # Errors
    /// `QueueFull` where there is no room within `timeout` (None waits as long as it takes), `QueueClosed`, `Store`.
    pub async fn put_async(
        &self,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<RequestId> {
        let ids = self.put_many_async(vec![payload], options, timeout).await?;
        ids.into_iter().next().ok_or_else(|| Error::Store("a put gave no id".into()))
    }

    /// Puts many requests with the same options, all or none. A `key` belongs to one request: give it with one only.
    ///
    /// # Errors
    /// As [`RequestQueue::put_async`]; `InvalidArgument` for a key with several payloads.
    pub async fn put_many_async(
        &self,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        refuse_shared_key(&options, payloads.len())?;
        Arc::clone(&self.backend).put(payloads, options, timeout).await
    }
}

pub(super) fn refuse_shared_key(options: &PutOptions, count: usize) -> Result<()> {
    if options.key.is_some() && count > 1 {
        return Err(Error::invalid("key= names one request: put them one by one, each with its key"));
    }
    Ok(())
}
