//! A server as what a queue is kept in.

use super::RedisQueue;
use crate::queue::acquire::{Again, Entered, within};
use crate::queue::backend::QueueBackend;
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
impl QueueBackend for RedisQueue {
    fn base(&self) -> &QueueBase {
        self
    }

    fn store(self: Arc<Self>) -> Arc<dyn QueueStore> {
        Arc::new(self)
    }

    fn owner(&self) -> u64 {
        self.owner_here()
    }

    async fn put(
        self: Arc<Self>,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        self.put_and_wait(payloads, options, timeout, true).await
    }

    async fn take(self: Arc<Self>, most: usize, timeout: Option<Duration>, who: Who) -> Result<Vec<Lease>> {
        self.take_and_wait(most, timeout, who).await
    }

    async fn end(self: Arc<Self>, handed: &HandedOut, how: LeaseEnd) -> Result<()> {
        self.end_by_name(handed.id, handed.attempt, how).await?;
        let ran = self.now().since(handed.since);
        self.core.lock().meters.run.record(ran);
        Ok(())
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
        within(timeout, self.acquire_turn(payload, options)).await
    }

    async fn again(self: Arc<Self>, lease: &Lease, again: Again) -> Result<Entered> {
        lease.set_settled();
        self.start_again(lease.handed.id, lease.handed.attempt, again).await
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
        Ok(self.open_now().await?.0)
    }

    async fn result(self: Arc<Self>, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>> {
        self.await_result(id, timeout).await
    }

    async fn drain(self: Arc<Self>, timeout: Option<Duration>) -> Result<()> {
        self.await_idle(timeout).await
    }
}
