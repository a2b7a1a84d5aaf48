//! The core as what a queue is kept in.

use super::{CoreQueue, answer};
use crate::queue::acquire::{Again, Entered, within};
use crate::queue::backend::{QueueBackend, has_to_wait};
use crate::queue::base::QueueBase;
use crate::queue::core::HandedOut;
use crate::queue::owner::Who;
use crate::queue::store::{LeaseEnd, QueueStore};
use crate::queue::{Lease, PutOptions, RequestId};
use crate::{Payload, Result};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

#[async_trait]
impl QueueBackend for CoreQueue {
    fn base(&self) -> &QueueBase {
        self
    }

    fn store(self: Arc<Self>) -> Arc<dyn QueueStore> {
        Arc::new(self)
    }

    fn owner(&self) -> u64 {
        self.owner_here()
    }

    fn put_now(&self, payload: Payload, options: &PutOptions) -> Result<RequestId> {
        self.put_one_in_memory(payload, options)
    }

    fn put_many_now(&self, payloads: Vec<Payload>, options: &PutOptions) -> Result<Vec<RequestId>> {
        self.put_in_memory(payloads, options)
    }

    fn take_one_now(self: Arc<Self>) -> Result<Option<Lease>> {
        self.take_one_at_once()
    }

    fn take_now(self: Arc<Self>, most: usize) -> Result<Vec<Lease>> {
        self.take_at_once(most)
    }

    fn end_now(self: Arc<Self>, handed: &HandedOut, how: LeaseEnd) -> Result<()> {
        match how {
            LeaseEnd::Ack { .. } if self.durable => Err(has_to_wait("ack", "ack_async")),
            LeaseEnd::Nack { .. } if self.durable => Err(has_to_wait("nack", "nack_async")),
            LeaseEnd::Ack { result, tokens } => self.ack_now(handed.id, handed.attempt, result, tokens),
            LeaseEnd::Nack { error, delay, retry } => self.nack_now(handed.id, handed.attempt, &error, delay, retry),
        }
    }

    async fn put(
        self: Arc<Self>,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        match &self.file {
            Some(file) => self.put_on(file, payloads, options, timeout).await,
            None => self.put_and_wait(payloads, options, timeout).await,
        }
    }

    async fn take(self: Arc<Self>, most: usize, timeout: Option<Duration>, who: Who) -> Result<Vec<Lease>> {
        self.take_and_wait(most, timeout, who).await
    }

    async fn end(self: Arc<Self>, handed: &HandedOut, how: LeaseEnd) -> Result<()> {
        self.end_by_name(handed.id, handed.attempt, how).await
    }

    async fn extend(self: Arc<Self>, id: u64, attempt: u32, by: Duration) -> Result<()> {
        self.extend_by_name(id, attempt, by).await
    }

    async fn acquire(
        self: Arc<Self>,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Lease> {
        match &self.file {
            Some(file) => within(timeout, self.acquire_on(file, payload, options)).await,
            None => self.acquire_in_memory(payload, options, timeout).await,
        }
    }

    async fn again(self: Arc<Self>, lease: &Lease, again: Again) -> Result<Entered> {
        match &self.file {
            Some(file) => answer(self.again_on(file, lease, again)).await?,
            None => Ok(Entered::Waits(self.start_again(lease, &again)?)),
        }
    }

    async fn watch_turns(self: Arc<Self>) {
        self.watch_the_clock().await;
    }

    fn dispatch(self: Arc<Self>) {
        self.give_turns();
    }

    fn leave(self: Arc<Self>, id: u64, used_tokens: Option<u64>) {
        self.remove(id, used_tokens);
    }

    fn give_back(self: Arc<Self>, id: u64, attempt: u32, is_orphan: bool) {
        self.return_to_line(id, attempt, is_orphan);
    }

    async fn open_count(self: Arc<Self>) -> Result<usize> {
        self.refresh().await?;
        Ok(self.core.lock().open_count())
    }

    async fn result(self: Arc<Self>, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>> {
        self.await_result(id, timeout).await
    }

    async fn drain(self: Arc<Self>, timeout: Option<Duration>) -> Result<()> {
        self.await_idle(timeout).await
    }
}
