//! What an operator does to a queue: look, cancel, requeue, pause, drain, close.

use super::core::unknown;
use super::entry::{DeadLetter, RequestId, Status};
use super::entry::{Entry, State};
use super::journal::{self, Move, Row};
use super::options::PutOptions;
use super::{RequestQueue, core::Core};
use crate::{Error, Result};
use std::time::Duration;

impl RequestQueue {
    /// How many requests are open: waiting, scheduled or leased.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn len(&self) -> Result<usize> {
        self.inner.sync()?;
        let mut core = self.inner.core.lock();
        let now = self.inner.clock.monotonic();
        self.inner.settle_due(&mut core, now);
        Ok(core.open_count())
    }

    /// Whether nothing is open.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Where a request is.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    pub fn status(&self, id: RequestId) -> Result<Status> {
        self.inner.sync()?;
        let mut core = self.inner.core.lock();
        let now = self.inner.clock.monotonic();
        self.inner.settle_due(&mut core, now);
        core.status(id.0).ok_or_else(|| unknown(id.0))
    }

    /// Cancels an open request, leased ones too; whether it was open.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    pub async fn cancel_async(&self, id: RequestId) -> Result<bool> {
        let inner = &self.inner;
        inner.sync()?;
        let planned = inner.core.lock().plan_cancel(id.0, inner.clock.monotonic())?;
        let Some(transition) = planned else { return Ok(false) };
        if let Some(journal) = &inner.journal {
            let change = Move::new(&transition, inner.wall(), inner.wall());
            if !journal::answer(journal.transition(change)).await? {
                return Ok(false);
            }
        }
        let mut core = inner.core.lock();
        core.apply(transition, inner.clock.monotonic());
        let idle = core.open_count() == 0;
        drop(core);
        inner.wake_after_finish(id.0, idle);
        Ok(true)
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn dead(&self) -> Result<Vec<DeadLetter>> {
        let inner = &self.inner;
        inner.sync()?;
        let mut letters = {
            let mut core = inner.core.lock();
            inner.settle_due(&mut core, inner.clock.monotonic());
            core.dead()
        };
        if let Some(journal) = &inner.journal {
            for letter in &mut letters {
                letter.payload = journal.payload(letter.id.0)?;
            }
        }
        Ok(letters)
    }

    /// Puts a dead letter back, with all its attempts before it.
    ///
    /// # Errors
    /// `InvalidArgument` where it is unknown or not dead, `Store`.
    pub async fn requeue_async(&self, id: RequestId) -> Result<()> {
        let inner = &self.inner;
        inner.sync()?;
        if let Some(journal) = &inner.journal
            && inner.core.lock().status(id.0) == Some(Status::Dead)
            && !journal::answer(journal.revive(id.0, inner.wall())).await?
        {
            return Err(Error::invalid(format!("request {id} is no longer dead: another process took it")));
        }
        inner.core.lock().requeue(id.0, inner.clock.monotonic())?;
        inner.wake_getter();
        Ok(())
    }

    /// Stops handing out; what is leased goes on.
    pub fn pause(&self) {
        self.inner.core.lock().paused = true;
    }

    /// Hands out again.
    pub fn resume(&self) {
        self.inner.core.lock().paused = false;
        self.inner.ready.get().notify_waiters();
        self.inner.ready.get().notify_one();
    }

    /// Waits until nothing is open.
    ///
    /// # Errors
    /// `Timeout`, `QueueClosed`, `Store`.
    pub async fn drain_async(&self, timeout: Option<Duration>) -> Result<()> {
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.clock.monotonic().saturating_add(timeout));
        loop {
            let idle = inner.idle.get();
            let notified = idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (open, next) = {
                let mut core = inner.core.lock();
                inner.check_not_closed(&core)?;
                inner.settle_due(&mut core, inner.clock.monotonic());
                (core.open_count(), core.next_event())
            };
            if open == 0 {
                return Ok(());
            }
            if until.is_some_and(|until| until <= inner.clock.monotonic()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("{open} requests were still open after {waited} s")));
            }
            inner.sleep(notified, next, until).await;
            inner.sync()?;
        }
    }

    /// Ends the queue for everyone who shares this object; a durable one keeps its requests.
    pub fn close(&self) {
        self.inner.core.lock().closed = true;
        self.inner.ready.get().notify_waiters();
        self.inner.ready.get().notify_one();
        self.inner.room.get().notify_waiters();
        self.inner.idle.get().notify_waiters();
        for (_, waiting) in self.inner.results.lock().drain() {
            waiting.notify_waiters();
        }
    }
}

impl Core {
    /// Takes in a row of the store; the id where this finished a request that was open here.
    pub(super) fn merge(&mut self, row: Row, now: Duration, wall: Duration) -> Option<u64> {
        let id = row.id;
        let moment = |at: Duration| now.saturating_add(at.saturating_sub(wall)).saturating_sub(wall.saturating_sub(at));
        let known = self.known(id);
        match known {
            // A lease that was read from the store and was then given back there.
            Some((attempt, _)) if row.attempt < attempt && row.status.is_open() && self.is_leased_elsewhere(id) => {
                self.forget(id, now);
            }
            // What is here is newer: the row was read while a change of ours was under way.
            Some((attempt, status)) if row.attempt < attempt || (row.attempt == attempt && status == row.status) => {
                return None;
            }
            Some((_, status)) if !status.is_open() && status != Status::Dead => return None,
            Some((_, status)) if status.is_open() && !row.status.is_open() => {
                let leave = super::core::Transition {
                    id,
                    attempt: row.attempt,
                    status: row.status,
                    ready_at: now,
                    history: row.history,
                    result: None,
                };
                self.apply(leave, now);
                return Some(id);
            }
            Some(_) => self.forget(id, now),
            None => {}
        }
        let options = PutOptions {
            priority: row.priority,
            tenant: Some(row.tenant),
            provider: row.provider,
            model: row.model,
            ..PutOptions::default()
        };
        let (flow, tenant) = self.flow(&options);
        let entry = Entry {
            payload: None,
            size: row.size,
            priority: row.priority,
            tenant,
            flow,
            tokens: row.tokens,
            key: row.key,
            order: 0,
            enqueued: moment(row.enqueued),
            ready_at: moment(row.ready_at),
            deadline: row.deadline.map(moment),
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            history: row.history,
            state: State::Cancelled,
        };
        match row.status {
            Status::Waiting | Status::Scheduled => self.adopt(id, entry, now),
            Status::Leased => self.adopt_leased(id, entry, row.lease_until.map_or(now, moment), now),
            status => self.adopt_finished(id, entry, status, now),
        }
        None
    }
}
