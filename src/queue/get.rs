//! Handing requests out.

use super::core::Core;
use super::inner::{QueueInner, answer};
use super::moment::Moment;
use super::owner::Who;
use super::{Lease, RequestQueue};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

impl RequestQueue {
    /// Hands out the next request of a queue in memory, if there is one now.
    ///
    /// # Errors
    /// `QueueClosed`; `InvalidArgument` where the queue is durable: a hand-out there waits for the disk.
    pub fn try_get(&self) -> Result<Option<Lease>> {
        self.refuse_durable_get()?;
        let inner = &self.inner;
        let mut core = inner.core.lock();
        inner.check_open(&core)?;
        let now = inner.now();
        inner.settle_due(&mut core, now);
        let handed = core.pop(now, Who::Worker);
        drop(core);
        inner.dispatch();
        Ok(handed.map(|handed| Lease::new(inner, handed)))
    }

    /// Hands out up to `most` requests of a queue in memory, as many as there are now.
    ///
    /// # Errors
    /// As [`RequestQueue::try_get`].
    pub fn try_get_many(&self, most: usize) -> Result<Vec<Lease>> {
        self.refuse_durable_get()?;
        Ok(self.inner.take(most, Who::Worker)?.0)
    }

    fn refuse_durable_get(&self) -> Result<()> {
        if self.is_durable() {
            return Err(Error::invalid("a durable get waits for the disk: use get_async or get_many_async"));
        }
        Ok(())
    }

    /// Hands out the next request, waiting for one.
    ///
    /// # Errors
    /// `Timeout` where none comes in time, `QueueClosed`, `Store`.
    pub async fn get_async(&self, timeout: Option<Duration>) -> Result<Lease> {
        let mut leases = self.get_many_async(1, timeout).await?;
        leases.pop().ok_or_else(|| Error::Timeout("no request came".into()))
    }

    /// Hands out up to `most` requests, as many as there are, waiting for the first.
    ///
    /// # Errors
    /// As [`RequestQueue::get_async`].
    pub async fn get_many_async(&self, most: usize, timeout: Option<Duration>) -> Result<Vec<Lease>> {
        self.take_many(most, timeout, Who::Worker).await
    }

    /// Hands out up to `most` requests that `acquire` put in a process that has died since, waiting for the first. In
    /// memory there are none: what was put there has died with its process.
    ///
    /// # Errors
    /// As [`RequestQueue::get_async`].
    pub async fn adopt(&self, most: usize, timeout: Option<Duration>) -> Result<Vec<Lease>> {
        self.take_many(most, timeout, Who::Heir { heir: self.inner.owner() }).await
    }

    async fn take_many(&self, most: usize, timeout: Option<Duration>, who: Who) -> Result<Vec<Lease>> {
        let inner = &self.inner;
        if inner.remote.is_some() {
            return Box::pin(inner.take_many_remote(most, timeout, who)).await;
        }
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let ready = inner.ready.listen();
        let mut others = None;
        loop {
            let notified = ready.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (leases, next) = inner.take_or_wait(most, who).await?;
            if !leases.is_empty() {
                // One that was served wakes the next: there may be more.
                inner.ready.wake(1);
                return Ok(leases);
            }
            if until.is_some_and(|until| until <= inner.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("queue {:?} gave no request within {waited} s", inner.name)));
            }
            if others.is_none() {
                others = inner.watch()?;
                if others.is_some() {
                    // Others tell from now on only: look once more.
                    continue;
                }
            }
            inner.sleep(notified, others.as_mut(), next, until).await;
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
        }
    }
}

impl QueueInner {
    /// What there is now, and when there may be more.
    pub(super) async fn take_or_wait(self: &Arc<Self>, most: usize, who: Who) -> Result<(Vec<Lease>, Option<Moment>)> {
        let Some(file) = &self.file else { return self.take(most, who) };
        self.check_open(&self.core.lock())?;
        let ready = |core: &Core| core.ready_count() > 0 && !core.paused;
        if !ready(&self.core.lock()) {
            self.refresh().await?;
            let core = self.core.lock();
            if !ready(&core) {
                return Ok((Vec::new(), core.next_event()));
            }
        }
        let leases = self.change(
            file,
            move |change| {
                let handed = change.take(most, who)?;
                if let Who::Heir { heir } = who
                    && !handed.is_empty()
                {
                    change.renew(heir)?;
                }
                Ok(handed)
            },
            |inner, handed: Vec<_>| handed.into_iter().map(|handed| Lease::new(inner, handed)).collect::<Vec<_>>(),
        );
        let leases = answer(leases).await?;
        let next = self.core.lock().next_event();
        Ok((leases, next))
    }

    fn take(self: &Arc<Self>, most: usize, who: Who) -> Result<(Vec<Lease>, Option<Moment>)> {
        let mut core = self.core.lock();
        self.check_open(&core)?;
        let now = self.now();
        self.settle_due(&mut core, now);
        // No lease may be dropped in here: giving it back takes the lock again.
        let mut leases = Vec::with_capacity(most.min(core.ready_count()));
        core.pop_many(most, now, who, |handed| leases.push(Lease::new(self, handed)));
        let next = core.next_event();
        drop(core);
        self.dispatch();
        Ok((leases, next))
    }
}
