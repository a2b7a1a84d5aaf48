//! What a store of requests does. Whoever implements it decides by itself: order, turns, room, limits, the pause and the
//! clock are the store's, and hold for all processes that share it.
//!
//! The pure core is one implementation, in memory or beside a file ([`super::RequestQueue::store`]); a server that decides
//! by itself can be another. `tests/conformance/queue.rs` is what each of them has to pass.

use super::entry::{DeadLetter, RequestId, Status};
use super::inner::{QueueInner, answer};
use super::options::{Priority, PutOptions};
use super::owner::{NOBODY, Who};
use super::stats::QueueStats;
use super::{Lease, RequestQueue};
use crate::{Payload, Result};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// A request that a store has handed out.
#[derive(Debug, Clone)]
pub struct Handout {
    /// Its name.
    pub id: RequestId,
    /// Which attempt this is, from 1. With the id it names the lease.
    pub attempt: u32,
    /// What was put.
    pub payload: Payload,
    /// How urgent it was put.
    pub priority: Priority,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// When it was put, since 1970 UTC.
    pub enqueued_at: Duration,
    /// How long it was ready before it was handed out.
    pub waited: Duration,
}

/// What the ack of a request was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// The result, where the ack had one.
    pub result: Option<Payload>,
}

/// How a lease ends before its time is over.
#[derive(Debug, Clone)]
pub enum LeaseEnd {
    /// The work is done.
    Ack {
        /// What `result` gives.
        result: Option<Payload>,
        /// What it really took, for limits.
        tokens: Option<u64>,
    },
    /// The work failed.
    Nack {
        /// Why.
        error: String,
        /// How long until it is tried again; None: exponential backoff with full jitter.
        delay: Option<Duration>,
        /// False sends it to the dead letters.
        retry: bool,
    },
}

/// A store of one queue. No call waits for room, for requests or for results: `watch` tells when to ask again.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Puts requests with the same options, all or none. A key that was seen before puts nothing and gives the first id.
    ///
    /// # Errors
    /// `QueueFull` where there is no room now, `QueueClosed`, `Store`.
    async fn put(&self, batch: Vec<Payload>, options: PutOptions) -> Result<Vec<RequestId>>;

    /// Hands out up to `most` requests whose turn it is, as far as the limits let them; none where there are none.
    ///
    /// # Errors
    /// `QueueClosed`, `Store`.
    async fn take(&self, most: usize) -> Result<Vec<Handout>>;

    /// Ends a lease.
    ///
    /// # Errors
    /// `LeaseLost` where it is over, `Store`.
    async fn settle(&self, id: RequestId, attempt: u32, how: LeaseEnd) -> Result<()>;

    /// Makes a lease last `by` from now.
    ///
    /// # Errors
    /// `LeaseLost` where it is over, `Store`.
    async fn extend(&self, id: RequestId, attempt: u32, by: Duration) -> Result<()>;

    /// Cancels an open request, leased ones too; whether it was open.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    async fn cancel(&self, id: RequestId) -> Result<bool>;

    /// Puts a dead letter back, with all its attempts before it.
    ///
    /// # Errors
    /// `InvalidArgument` where it is unknown or not dead, `Store`.
    async fn revive(&self, id: RequestId) -> Result<()>;

    /// Where a request is; None where it is unknown.
    ///
    /// # Errors
    /// `Store`.
    async fn look(&self, id: RequestId) -> Result<Option<Status>>;

    /// What the ack was given, by a request that is done; None while it is open.
    ///
    /// # Errors
    /// `RequestFailed`, `RequestCancelled`, `InvalidArgument` for an unknown id, `Store`.
    async fn result(&self, id: RequestId) -> Result<Option<Acked>>;

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// `Store`.
    async fn dead(&self) -> Result<Vec<DeadLetter>>;

    /// Counts and durations.
    ///
    /// # Errors
    /// `Store`.
    async fn stats(&self) -> Result<QueueStats>;

    /// Stops handing out, or hands out again.
    ///
    /// # Errors
    /// `Store`.
    async fn pause(&self, paused: bool) -> Result<()>;

    /// Forgets what was finished long enough ago.
    ///
    /// # Errors
    /// `Store`.
    async fn purge(&self) -> Result<()>;

    /// Ends when something may have changed since the call: time has come, or another has done something.
    ///
    /// # Errors
    /// `Store`.
    async fn watch(&self) -> Result<()>;
}

impl RequestQueue {
    /// The queue as a store, without the waiting.
    #[must_use]
    pub fn store(&self) -> Arc<dyn QueueStore> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl QueueStore for RequestQueue {
    async fn put(&self, batch: Vec<Payload>, options: PutOptions) -> Result<Vec<RequestId>> {
        if self.inner.remote.is_some() {
            super::put::refuse_shared_key(&options, batch.len())?;
            return Box::pin(self.inner.put_remote(batch, options, None, false)).await;
        }
        let Some(file) = &self.inner.file else { return self.put_many(batch, &options) };
        super::put::refuse_shared_key(&options, batch.len())?;
        self.inner.check_open(&self.inner.core.lock())?;
        let put = self.inner.change(file, move |change| change.put(&batch, &options, NOBODY), |_, put| put);
        Ok(answer(put).await??.into_iter().map(RequestId).collect())
    }

    async fn take(&self, most: usize) -> Result<Vec<Handout>> {
        let leases = if self.inner.remote.is_some() {
            Box::pin(self.inner.take_remote(most, Who::Worker, super::redis::PATIENCE)).await?.0
        } else {
            self.inner.take_or_wait(most, Who::Worker).await?.0
        };
        Ok(leases.iter().map(handout).collect())
    }

    async fn settle(&self, id: RequestId, attempt: u32, how: LeaseEnd) -> Result<()> {
        match how {
            LeaseEnd::Ack { result, tokens } => self.inner.ack(id.0, attempt, result, tokens).await,
            LeaseEnd::Nack { error, delay, retry } => self.inner.nack(id.0, attempt, &error, delay, retry).await,
        }
    }

    async fn extend(&self, id: RequestId, attempt: u32, by: Duration) -> Result<()> {
        self.inner.extend(id.0, attempt, by).await
    }

    async fn cancel(&self, id: RequestId) -> Result<bool> {
        self.cancel_async(id).await
    }

    async fn revive(&self, id: RequestId) -> Result<()> {
        self.requeue_async(id).await
    }

    async fn look(&self, id: RequestId) -> Result<Option<Status>> {
        if self.inner.remote.is_some() {
            return self.inner.status_remote(id.0).await;
        }
        self.inner.refresh().await?;
        Ok(self.inner.core.lock().status(id.0))
    }

    async fn result(&self, id: RequestId) -> Result<Option<Acked>> {
        if self.inner.remote.is_some() {
            return Ok(self.inner.outcome_remote(id.0, false, super::redis::PATIENCE).await?.0);
        }
        self.inner.refresh().await?;
        self.inner.outcome(id.0)
    }

    async fn dead(&self) -> Result<Vec<DeadLetter>> {
        if self.inner.remote.is_some() {
            return self.inner.dead_remote().await;
        }
        self.inner.refresh().await?;
        self.inner.dead_letters()
    }

    async fn stats(&self) -> Result<QueueStats> {
        if self.inner.remote.is_some() {
            return self.inner.stats_remote().await;
        }
        self.inner.refresh().await?;
        Ok(self.inner.stats())
    }

    async fn pause(&self, paused: bool) -> Result<()> {
        self.set_paused_async(paused).await
    }

    async fn purge(&self) -> Result<()> {
        match &self.inner.file {
            _ if self.inner.remote.is_some() => self.inner.purge_remote().await,
            Some(file) => self.inner.purge_all(file).await,
            None => self.inner.refresh().await,
        }
    }

    async fn watch(&self) -> Result<()> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return Box::pin(inner.wait_remote()).await;
        }
        let mut others = inner.watch()?;
        let (ready, room) = (inner.ready.listen(), inner.room.listen());
        let next = inner.core.lock().next_event();
        let told = async {
            tokio::select! {
                () = ready.notified() => {}
                () = room.notified() => {}
            }
        };
        inner.sleep(told, others.as_mut(), next, None).await;
        Ok(())
    }
}

/// A lease that is its taker's for certain, by its name.
fn handout(lease: &Lease) -> Handout {
    lease.accept();
    Handout {
        id: lease.id(),
        attempt: lease.attempt(),
        payload: lease.payload().clone(),
        priority: lease.priority(),
        tenant: lease.tenant(),
        enqueued_at: lease.enqueued_at(),
        waited: lease.waited(),
    }
}

/// How leases end, by their names.
impl QueueInner {
    pub(super) async fn ack(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        result: Option<Payload>,
        tokens: Option<u64>,
    ) -> Result<()> {
        if self.remote.is_some() {
            return Box::pin(self.ack_remote(id, attempt, result.as_ref(), tokens)).await;
        }
        let Some(file) = &self.file else { return self.ack_now(id, attempt, result, tokens) };
        let done = self.change(file, move |change| change.ack(id, attempt, result.as_ref(), tokens), |_, done| done);
        answer(done).await?
    }

    pub(super) fn ack_now(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        result: Option<Payload>,
        tokens: Option<u64>,
    ) -> Result<()> {
        let mut core = self.core.lock();
        let now = self.now();
        core.ack(id, attempt, result, tokens, now)?;
        let idle = core.open_count() == 0;
        drop(core);
        self.wake_after_finish(id, idle);
        self.dispatch();
        Ok(())
    }

    pub(super) async fn nack(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<()> {
        if self.remote.is_some() {
            return Box::pin(self.nack_remote(id, attempt, error, delay, retry)).await;
        }
        let Some(file) = &self.file else { return self.nack_now(id, attempt, error, delay, retry) };
        let error = error.to_owned();
        let done = self.change(file, move |change| change.nack(id, attempt, &error, delay, retry), |_, done| done);
        answer(done).await?
    }

    pub(super) fn nack_now(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<()> {
        let (now, wall_ms) = (self.now(), self.wall_ms());
        let mut core = self.core.lock();
        let transition = core.plan_nack(id, attempt, error, delay, retry, now, wall_ms)?;
        core.apply(transition, now);
        let idle = core.open_count() == 0;
        drop(core);
        self.wake_after_finish(id, idle);
        self.dispatch();
        Ok(())
    }

    pub(super) async fn extend(self: &Arc<Self>, id: u64, attempt: u32, by: Duration) -> Result<()> {
        if self.remote.is_some() {
            return Box::pin(self.extend_remote(id, attempt, by)).await;
        }
        let Some(file) = &self.file else { return self.core.lock().extend(id, attempt, by, self.now()) };
        answer(self.change(file, move |change| change.extend(id, attempt, by), |_, done| done)).await?
    }
}
