//! What a store of requests does. Whoever implements it decides by itself: order, turns, room, limits, the pause and the
//! clock are the store's, and hold for all processes that share it.
//!
//! There are two ([`super::RequestQueue::store`]): the pure core, in memory or beside a file, and Redis, which decides by
//! itself. `tests/conformance/queue.rs` is what each of them has to pass.

use super::entry::{DeadLetter, RequestId, Status};
use super::options::{Priority, PutOptions};
use super::stats::QueueStats;
use super::{Lease, RequestQueue};
use crate::store::StoreReach;
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

    /// Whether the server answers that it is kept on; None where it is on none.
    async fn reach(&self) -> Option<StoreReach> {
        None
    }

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
        Arc::clone(&self.store)
    }
}

/// A lease that is its taker's for certain, by its name.
pub(super) fn handout(lease: &Lease) -> Handout {
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
