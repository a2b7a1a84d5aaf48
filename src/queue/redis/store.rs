//! A server as a store.

use super::{PATIENCE, RedisQueue};
use crate::queue::entry::{DeadLetter, RequestId, Status};
use crate::queue::options::PutOptions;
use crate::queue::owner::Who;
use crate::queue::put::refuse_shared_key;
use crate::queue::stats::QueueStats;
use crate::queue::store::{Acked, Handout, LeaseEnd, QueueStore, handout};
use crate::store::StoreReach;
use crate::store::redis::on_redis;
use crate::{Payload, Result};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

#[async_trait]
impl QueueStore for Arc<RedisQueue> {
    async fn put(&self, batch: Vec<Payload>, options: PutOptions) -> Result<Vec<RequestId>> {
        refuse_shared_key(&options, batch.len())?;
        self.put_and_wait(batch, options, None, false).await
    }

    async fn take(&self, most: usize) -> Result<Vec<Handout>> {
        Ok(self.take_once(most, Who::Worker, PATIENCE).await?.0.iter().map(handout).collect())
    }

    async fn settle(&self, id: RequestId, attempt: u32, how: LeaseEnd) -> Result<()> {
        self.end_by_name(id.0, attempt, how).await
    }

    async fn extend(&self, id: RequestId, attempt: u32, by: Duration) -> Result<()> {
        self.extend_by_name(id.0, attempt, by).await
    }

    async fn cancel(&self, id: RequestId) -> Result<bool> {
        self.withdraw(id.0).await
    }

    async fn revive(&self, id: RequestId) -> Result<()> {
        self.put_back(id.0).await
    }

    async fn look(&self, id: RequestId) -> Result<Option<Status>> {
        self.status(id.0).await
    }

    async fn result(&self, id: RequestId) -> Result<Option<Acked>> {
        Ok(self.outcome(id.0, false, PATIENCE).await?.0)
    }

    async fn dead(&self) -> Result<Vec<DeadLetter>> {
        self.dead_letters().await
    }

    async fn stats(&self) -> Result<QueueStats> {
        self.shared_counts().await
    }

    async fn pause(&self, paused: bool) -> Result<()> {
        self.set_paused(paused).await
    }

    async fn purge(&self) -> Result<()> {
        self.forget_finished().await
    }

    async fn reach(&self) -> Option<StoreReach> {
        let queue = Self::clone(self);
        on_redis(async move { Ok(queue.link.reach().await) }).await.ok()
    }

    async fn watch(&self) -> Result<()> {
        self.await_change().await
    }
}
