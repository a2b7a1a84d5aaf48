//! What a durable store must do for a queue. One trait; every store passes the same conformance suite.

use super::core::Transition;
use super::entry::{Failure, Status};
use super::options::{Priority, PutOptions};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// An answer that comes when it is on disk.
pub(super) type Pending<T> = oneshot::Receiver<Result<T>>;

/// Waits for an answer.
pub(super) async fn answer<T>(pending: Pending<T>) -> Result<T> {
    pending.await.unwrap_or_else(|_| Err(Error::Store("the store was closed: open the queue again".into())))
}

/// A request to be stored. Times are since 1970 UTC.
#[derive(Debug, Clone)]
pub(super) struct NewRequest {
    pub(super) payload: Payload,
    pub(super) priority: Priority,
    pub(super) tenant: Arc<str>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    pub(super) tokens: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) max_attempts: u32,
    pub(super) enqueued: Duration,
    pub(super) ready_at: Duration,
    pub(super) deadline: Option<Duration>,
}

impl NewRequest {
    pub(super) fn all(payloads: Vec<Payload>, options: &PutOptions, max_attempts: u32, wall: Duration) -> Vec<Self> {
        let tenant = options.tenant.clone().unwrap_or_else(|| Arc::from("default"));
        payloads
            .into_iter()
            .map(|payload| Self {
                payload,
                priority: options.priority,
                tenant: tenant.clone(),
                provider: options.provider.clone(),
                model: options.model.clone(),
                tokens: options.estimated_tokens,
                key: options.key.clone(),
                max_attempts,
                enqueued: wall,
                ready_at: wall.saturating_add(options.delay),
                deadline: options.deadline.map(|deadline| wall.saturating_add(deadline)),
            })
            .collect()
    }
}

/// The id of a stored request, and whether it is new or its key was known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) id: u64,
    pub(super) fresh: bool,
}

/// A change of state that holds only if the request is open and at `attempt`.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) id: u64,
    pub(super) attempt: u32,
    /// The attempt after it: one less where a lease is given back.
    pub(super) attempt_after: u32,
    pub(super) status: Status,
    /// None where it stays as it is.
    pub(super) ready_at: Option<Duration>,
    pub(super) at: Duration,
    pub(super) lease_until: Option<Duration>,
    /// It holds only if the lease is over on disk by then: its worker may be in another process and have extended it.
    pub(super) expired_by: Option<Duration>,
    pub(super) history: Option<Vec<Failure>>,
    pub(super) result: Option<Payload>,
}

impl Move {
    pub(super) fn new(transition: &Transition, ready_at: Duration, at: Duration) -> Self {
        Self {
            id: transition.id,
            attempt: transition.attempt,
            attempt_after: transition.attempt,
            status: transition.status,
            ready_at: Some(ready_at),
            at,
            lease_until: None,
            expired_by: None,
            history: Some(transition.history.clone()),
            result: transition.result.clone(),
        }
    }
}

/// A request as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) status: Status,
    pub(super) size: usize,
    pub(super) priority: Priority,
    pub(super) tenant: Arc<str>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    pub(super) tokens: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) enqueued: Duration,
    pub(super) ready_at: Duration,
    pub(super) deadline: Option<Duration>,
    pub(super) lease_until: Option<Duration>,
    pub(super) history: Vec<Failure>,
}

/// A durable store of one queue.
pub(super) trait Journal: Send + Sync {
    /// Stores requests, all or none.
    fn put(&self, requests: Vec<NewRequest>) -> Pending<Vec<Stored>>;
    /// Leases requests that are open, not leased, and one attempt short of the one named; gives their payloads.
    fn claim(&self, claims: Vec<(u64, u32)>, at: Duration, lease_until: Duration) -> Pending<Vec<Option<Payload>>>;
    /// Changes a state; whether it held.
    fn transition(&self, change: Move) -> Pending<bool>;
    /// Makes a dead request wait again; whether it was dead.
    fn revive(&self, id: u64, at: Duration) -> Pending<bool>;
    /// What has changed since this was asked before.
    fn changes(&self) -> Result<Vec<Row>>;
    /// Requests as they are now.
    fn rows(&self, ids: &[u64]) -> Result<Vec<Row>>;
    /// The payload of a request.
    fn payload(&self, id: u64) -> Result<Option<Payload>>;
    /// The result of a request.
    fn result(&self, id: u64) -> Result<Option<Payload>>;
    /// Forgets finished requests that are older than what is kept.
    fn purge(&self, without_key_before: Duration, with_key_before: Duration) -> Pending<usize>;
    /// Whether a failed sync has made every promise void.
    fn check(&self) -> Result<()>;
}
