//! The right to work on a request for a time.

use super::backend::QueueBackend;
use super::core::HandedOut;
use super::entry::RequestId;
use super::options::Priority;
use super::owner::NOBODY;
use super::store::LeaseEnd;
use crate::lock::Lazy;
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A request that was handed out. Dropped before it was accepted or settled, it goes back as if it had not left.
pub struct Lease {
    pub(super) backend: Arc<dyn QueueBackend>,
    pub(super) handed: HandedOut,
    /// Accepted or settled: dropping it changes nothing any more.
    kept: AtomicBool,
    settled: AtomicBool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("id", &self.id()).field("attempt", &self.attempt()).finish_non_exhaustive()
    }
}

impl Lease {
    pub(super) fn new(backend: Arc<dyn QueueBackend>, handed: HandedOut) -> Self {
        Self { backend, handed, kept: AtomicBool::new(false), settled: AtomicBool::new(false) }
    }

    pub(super) fn disown(&self) {
        self.kept.store(true, Ordering::Release);
    }

    pub(super) fn set_settled(&self) {
        self.disown();
        self.settled.store(true, Ordering::Release);
    }

    /// Keeps the request for this worker: from here on, only an ack, a nack or the end of its time ends the lease. One
    /// that `acquire` gave is its holder's all the while, and ends with it.
    pub fn accept(&self) {
        if self.handed.owner == NOBODY {
            self.disown();
        }
    }

    /// Whether this lease was acked, nacked or lost through this object.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// The request's id.
    #[must_use]
    pub fn id(&self) -> RequestId {
        RequestId(self.handed.id)
    }

    /// What was put.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        static EMPTY: Lazy<Payload> = Lazy::new(|| Payload::bytes([]));
        self.handed.payload.as_ref().unwrap_or(&EMPTY)
    }

    /// How urgent it was put.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.handed.priority
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> Arc<str> {
        self.backend.base().core.lock().tenant(self.handed.flow)
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.handed.attempt
    }

    /// When it was put, since 1970 UTC.
    #[must_use]
    pub fn enqueued_at(&self) -> Duration {
        self.backend.base().to_wall(self.handed.enqueued)
    }

    /// How long it was ready before it was handed out.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.handed.waited
    }

    /// Whether settling it waits for a disk or a server.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.backend.base().durable
    }

    /// Ends the lease in memory: the work is done.
    ///
    /// # Errors
    /// `LeaseLost`; `InvalidArgument` where the queue is durable: an ack there waits for the disk.
    pub fn ack(&self, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        self.hold(Arc::clone(&self.backend).end_now(&self.handed, LeaseEnd::Ack { result, tokens }))
    }

    /// Ends the lease: the work is done. `tokens` corrects what was estimated for the limits.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn ack_async(&self, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        self.hold(Arc::clone(&self.backend).end(&self.handed, LeaseEnd::Ack { result, tokens }).await)
    }

    /// Notes how the lease ended, if it did.
    fn hold(&self, done: Result<()>) -> Result<()> {
        match done {
            Ok(()) => self.set_settled(),
            Err(Error::LeaseLost(_)) => self.disown(),
            Err(_) => {}
        }
        done
    }

    /// Ends the lease: the work failed. It is tried again after `delay` (None: exponential backoff with full jitter),
    /// or goes to the dead letters where `retry` is false or the attempts are used up.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn nack_async(&self, error: &str, delay: Option<Duration>, retry: bool) -> Result<()> {
        let how = LeaseEnd::Nack { error: error.to_owned(), delay, retry };
        self.hold(Arc::clone(&self.backend).end(&self.handed, how).await)
    }

    /// The same, at once, for a queue in memory.
    ///
    /// # Errors
    /// `LeaseLost`; `InvalidArgument` where the queue is durable.
    pub fn nack(&self, error: &str, delay: Option<Duration>, retry: bool) -> Result<()> {
        let how = LeaseEnd::Nack { error: error.to_owned(), delay, retry };
        self.hold(Arc::clone(&self.backend).end_now(&self.handed, how))
    }

    /// Makes the lease last `by` from now.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn extend_async(&self, by: Duration) -> Result<()> {
        let done = Arc::clone(&self.backend).extend(self.handed.id, self.handed.attempt, by).await;
        if matches!(done, Err(Error::LeaseLost(_))) {
            self.disown();
        }
        done
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Acquire) {
            return;
        }
        let backend = Arc::clone(&self.backend);
        if self.handed.owner != NOBODY && !self.handed.is_orphan {
            return backend.leave(self.handed.id, None);
        }
        backend.give_back(self.handed.id, self.handed.attempt, self.handed.is_orphan);
    }
}
