//! The right to work on a request for a time.

use super::core::{HandedOut, Transition};
use super::entry::{RequestId, Status};
use super::inner::Inner;
use super::journal::{self, Move};
use super::options::Priority;
use super::owner::NOBODY;
use crate::{Error, Payload, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A request that was handed out. Dropped before it was accepted or settled, it goes back as if it had not left.
pub struct Lease {
    pub(super) inner: Arc<Inner>,
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
    pub(super) fn new(inner: &Arc<Inner>, handed: HandedOut) -> Self {
        Self { inner: Arc::clone(inner), handed, kept: AtomicBool::new(false), settled: AtomicBool::new(false) }
    }

    pub(super) fn set_payload(&mut self, payload: Payload) {
        self.handed.payload = Some(payload);
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
        static EMPTY: LazyLock<Payload> = LazyLock::new(|| Payload::bytes([]));
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
        self.inner.core.lock().tenant(self.handed.flow)
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.handed.attempt
    }

    /// When it was put, since 1970 UTC.
    #[must_use]
    pub fn enqueued_at(&self) -> Duration {
        self.inner.to_wall(self.handed.enqueued)
    }

    /// How long it was ready before it was handed out.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.handed.waited
    }

    /// Whether settling it waits for a disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.inner.journal.is_some()
    }

    /// Ends the lease in memory: the work is done.
    ///
    /// # Errors
    /// `LeaseLost`; `InvalidArgument` where the queue is durable: an ack there waits for the disk.
    pub fn ack(&self, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        if self.is_durable() {
            return Err(Error::invalid("a durable ack waits for the disk: use ack_async"));
        }
        self.finish(result, tokens)
    }

    fn finish(&self, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        let inner = &self.inner;
        let mut core = inner.core.lock();
        let now = inner.now();
        core.ack(self.handed.id, self.handed.attempt, result, tokens, now)?;
        let idle = core.open_count() == 0;
        drop(core);
        self.set_settled();
        inner.wake_after_finish(self.handed.id, idle);
        inner.dispatch();
        Ok(())
    }

    /// Ends the lease: the work is done. `tokens` corrects what was estimated for the limits.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn ack_async(&self, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        let inner = &self.inner;
        let Some(journal) = &inner.journal else { return self.finish(result, tokens) };
        inner.core.lock().check_lease(self.handed.id, self.handed.attempt, inner.now())?;
        let done = Move { result, ..self.change(Status::Done) };
        self.hold(journal::answer(journal.transition(done)).await?)?;
        // A lease that ended while the disk worked was acked all the same: the disk has the last word.
        let _ = self.finish(None, tokens);
        self.set_settled();
        Ok(())
    }

    fn change(&self, status: Status) -> Move {
        let (id, attempt, wall) = (self.handed.id, self.handed.attempt, self.inner.wall());
        Move {
            id,
            attempt,
            attempt_after: attempt,
            status,
            ready_at: None,
            at: wall,
            lease_until: None,
            expired_by: None,
            history: None,
            result: None,
        }
    }

    fn hold(&self, held: bool) -> Result<()> {
        if held {
            return Ok(());
        }
        self.disown();
        self.inner.reload(&[self.handed.id])?;
        Err(super::core::lost(self.handed.id, self.handed.attempt))
    }

    /// Ends the lease: the work failed. It is tried again after `delay` (None: exponential backoff with full jitter),
    /// or goes to the dead letters where `retry` is false or the attempts are used up.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn nack_async(&self, error: &str, delay: Option<Duration>, retry: bool) -> Result<()> {
        let transition = self.plan_nack(error, delay, retry)?;
        if let Some(journal) = &self.inner.journal {
            let ready_at = self.inner.to_wall(transition.ready_at);
            let change = Move::new(&transition, ready_at, self.inner.wall());
            self.hold(journal::answer(journal.transition(change)).await?)?;
        }
        self.apply(transition);
        Ok(())
    }

    /// The same, at once, for a queue in memory.
    ///
    /// # Errors
    /// `LeaseLost`; `InvalidArgument` where the queue is durable.
    pub fn nack(&self, error: &str, delay: Option<Duration>, retry: bool) -> Result<()> {
        if self.is_durable() {
            return Err(Error::invalid("a durable nack waits for the disk: use nack_async"));
        }
        let transition = self.plan_nack(error, delay, retry)?;
        self.apply(transition);
        Ok(())
    }

    fn plan_nack(&self, error: &str, delay: Option<Duration>, retry: bool) -> Result<Transition> {
        let inner = &self.inner;
        let (now, wall_ms) = (inner.now(), inner.wall_ms());
        inner.core.lock().plan_nack(self.handed.id, self.handed.attempt, error, delay, retry, now, wall_ms)
    }

    fn apply(&self, transition: Transition) {
        let mut core = self.inner.core.lock();
        core.apply(transition, self.inner.now());
        let idle = core.open_count() == 0;
        drop(core);
        self.set_settled();
        self.inner.wake_after_finish(self.handed.id, idle);
        self.inner.dispatch();
    }

    /// Makes the lease last `by` from now.
    ///
    /// # Errors
    /// `LeaseLost`, `Store`.
    pub async fn extend_async(&self, by: Duration) -> Result<()> {
        let inner = &self.inner;
        inner.core.lock().check_lease(self.handed.id, self.handed.attempt, inner.now())?;
        if let Some(journal) = &inner.journal {
            let longer = Move { lease_until: Some(inner.wall().saturating_add(by)), ..self.change(Status::Leased) };
            self.hold(journal::answer(journal.transition(longer)).await?)?;
        }
        inner.core.lock().extend(self.handed.id, self.handed.attempt, by, inner.now())?;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Acquire) {
            return;
        }
        let inner = &self.inner;
        if self.handed.owner != NOBODY {
            return inner.leave(self.handed.id, None);
        }
        if let Some(journal) = &inner.journal {
            let attempt_after = self.handed.attempt.saturating_sub(1);
            drop(journal.transition(Move { attempt_after, ..self.change(Status::Waiting) }));
        }
        inner.core.lock().give_back(self.handed.id, self.handed.attempt, inner.now());
        inner.dispatch();
        inner.ready.wake(1);
    }
}
