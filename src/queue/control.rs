//! What an operator does to a queue: look, cancel, requeue, pause, drain, close.

use super::RequestQueue;
use super::core::unknown;
use super::entry::{DeadLetter, RequestId, Status};
use super::inner::{QueueInner, answer};
use super::sqlite::DAMAGED;
use crate::{Error, Result, blocking};
use std::time::Duration;

impl RequestQueue {
    /// How many requests are open: waiting, scheduled or leased.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn len(&self) -> Result<usize> {
        if self.inner.remote.is_some() {
            return blocking::block_on(self.inner.len_remote());
        }
        self.inner.refresh_and_wait()?;
        Ok(self.inner.core.lock().open_count())
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
        if self.inner.remote.is_some() {
            return blocking::block_on(self.inner.status_remote(id.0))?.ok_or_else(|| unknown(id.0));
        }
        self.inner.refresh_and_wait()?;
        self.inner.core.lock().status(id.0).ok_or_else(|| unknown(id.0))
    }

    /// Cancels an open request, leased ones too; whether it was open.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown id, `Store`.
    pub async fn cancel_async(&self, id: RequestId) -> Result<bool> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return inner.cancel_remote(id.0).await;
        }
        if let Some(file) = &inner.file {
            return answer(inner.change(file, move |change| change.cancel(id.0), |_, done| done)).await?;
        }
        let planned = inner.core.lock().plan_cancel(id.0, inner.now())?;
        let Some(transition) = planned else { return Ok(false) };
        let mut core = inner.core.lock();
        core.apply(transition, inner.now());
        let idle = core.open_count() == 0;
        drop(core);
        inner.wake_after_finish(id.0, idle);
        inner.dispatch();
        Ok(true)
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn dead(&self) -> Result<Vec<DeadLetter>> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return blocking::block_on(inner.dead_remote());
        }
        inner.refresh_and_wait()?;
        inner.dead_letters()
    }

    /// Puts a dead letter back, with all its attempts before it.
    ///
    /// # Errors
    /// `InvalidArgument` where it is unknown or not dead, `Store`.
    pub async fn requeue_async(&self, id: RequestId) -> Result<()> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return inner.revive_remote(id.0).await;
        }
        if let Some(file) = &inner.file {
            return answer(inner.change(file, move |change| change.requeue(id.0), |_, done| done)).await?;
        }
        inner.core.lock().requeue(id.0, inner.now())?;
        inner.ready.wake(1);
        Ok(())
    }

    /// Stops handing out, or hands out again; what is leased goes on. The same, told to the store.
    ///
    /// # Errors
    /// `Store` where it cannot be written.
    pub async fn set_paused_async(&self, paused: bool) -> Result<()> {
        if self.inner.remote.is_some() {
            return self.inner.pause_remote(paused).await;
        }
        if let Some(file) = &self.inner.file {
            return answer(self.inner.change(file, move |change| change.set_paused(paused), |_, ()| ())).await;
        }
        self.inner.core.lock().paused = paused;
        if !paused {
            self.inner.dispatch();
            self.inner.ready.wake_all();
        }
        Ok(())
    }

    /// Waits until nothing is open.
    ///
    /// # Errors
    /// `Timeout`, `QueueClosed`, `Store`.
    pub async fn drain_async(&self, timeout: Option<Duration>) -> Result<()> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return inner.drain_remote(timeout).await;
        }
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let idle = inner.idle.listen();
        let mut others = inner.watch()?;
        loop {
            let notified = idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
            inner.refresh().await?;
            let (open, next) = {
                let core = inner.core.lock();
                inner.check_open(&core)?;
                (core.open_count(), core.next_event())
            };
            if open == 0 {
                return Ok(());
            }
            if until.is_some_and(|until| until <= inner.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("{open} requests were still open after {waited} s")));
            }
            inner.sleep(notified, others.as_mut(), next, until).await;
        }
    }

    /// Ends the queue for everyone who shares this object; a durable one keeps its requests.
    pub fn close(&self) {
        self.inner.core.lock().closed = true;
        self.inner.turns.forget_all();
        self.inner.ready.wake_all();
        self.inner.room.wake_all();
        self.inner.idle.wake_all();
        self.inner.outcomes.wake_all();
    }
}

impl QueueInner {
    /// The dead letters with what they carried, as far as that is whole.
    pub(super) fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        let mut letters = self.core.lock().dead();
        if let Some(file) = &self.file {
            for letter in &mut letters {
                letter.payload = file.payload(letter.id.0)?;
                if letter.payload.is_none() {
                    letter.reason = DAMAGED.into();
                }
            }
        }
        Ok(letters)
    }
}
