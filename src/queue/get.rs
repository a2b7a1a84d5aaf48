//! Handing requests out.

use super::inner::Inner;
use super::journal;
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
        self.take_many(most, timeout, Who::Heir).await
    }

    async fn take_many(&self, most: usize, timeout: Option<Duration>, who: Who) -> Result<Vec<Lease>> {
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let ready = inner.ready.listen();
        loop {
            let notified = ready.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (leases, next) = inner.take(most, who)?;
            if !leases.is_empty() {
                let claimed = inner.claim(leases).await?;
                if !claimed.is_empty() {
                    // One that was served wakes the next: there may be more.
                    inner.ready.wake(1);
                    return Ok(claimed);
                }
                continue;
            }
            if until.is_some_and(|until| until <= inner.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("queue {:?} gave no request within {waited} s", inner.name)));
            }
            inner.sleep(notified, next, until).await;
            inner.sync()?;
        }
    }
}

impl Inner {
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

    /// Makes leases of a durable queue true on disk; those that another process was faster with are let go.
    async fn claim(&self, leases: Vec<Lease>) -> Result<Vec<Lease>> {
        let Some(journal) = &self.journal else { return Ok(leases) };
        let wall = self.wall();
        let until = wall.saturating_add(self.core.lock().config().lease);
        let claims = leases.iter().map(|lease| (lease.id().0, lease.attempt())).collect();
        let payloads = journal::answer(journal.claim(claims, wall, until)).await?;
        let mut claimed = Vec::with_capacity(leases.len());
        let mut missed = Vec::new();
        for (mut lease, payload) in leases.into_iter().zip(payloads) {
            if let Some(payload) = payload {
                lease.set_payload(payload);
                claimed.push(lease);
            } else {
                lease.disown();
                missed.push(lease.id().0);
            }
        }
        self.reload(&missed)?;
        Ok(claimed)
    }
}
