//! Handing out what the core, or its file, has.

use super::{CoreQueue, answer};
use crate::queue::Lease;
use crate::queue::backend::has_to_wait;
use crate::queue::core::Core;
use crate::queue::moment::Moment;
use crate::queue::owner::Who;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

impl CoreQueue {
    pub(super) fn take_one_at_once(self: &Arc<Self>) -> Result<Option<Lease>> {
        self.refuse_durable_take()?;
        let mut core = self.core.lock();
        self.check_open(&core)?;
        let now = self.now();
        self.settle_due(&mut core, now);
        let handed = core.pop(now, Who::Worker);
        drop(core);
        self.give_turns();
        Ok(handed.map(|handed| self.lease(handed)))
    }

    pub(super) fn take_at_once(self: &Arc<Self>, most: usize) -> Result<Vec<Lease>> {
        self.refuse_durable_take()?;
        Ok(self.take_in_memory(most, Who::Worker)?.0)
    }

    fn refuse_durable_take(&self) -> Result<()> {
        if self.file.is_some() {
            return Err(has_to_wait("get", "get_async or get_many_async"));
        }
        Ok(())
    }

    pub(super) async fn take_and_wait(
        self: &Arc<Self>,
        most: usize,
        timeout: Option<Duration>,
        who: Who,
    ) -> Result<Vec<Lease>> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let ready = self.ready.listen();
        let mut others = None;
        loop {
            let notified = ready.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (leases, next) = self.take_or_wait(most, who).await?;
            if !leases.is_empty() {
                // One that was served wakes the next: there may be more.
                self.ready.wake(1);
                return Ok(leases);
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("queue {:?} gave no request within {waited} s", self.name)));
            }
            if others.is_none() {
                others = self.notices()?;
                if others.is_some() {
                    // Others tell from now on only: look once more.
                    continue;
                }
            }
            self.sleep(notified, others.as_mut(), next, until).await;
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
        }
    }

    /// What there is now, and when there may be more.
    pub(super) async fn take_or_wait(self: &Arc<Self>, most: usize, who: Who) -> Result<(Vec<Lease>, Option<Moment>)> {
        let Some(file) = &self.file else { return self.take_in_memory(most, who) };
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
            |inner, handed: Vec<_>| handed.into_iter().map(|handed| inner.lease(handed)).collect::<Vec<_>>(),
        );
        let leases = answer(leases).await?;
        let next = self.core.lock().next_event();
        Ok((leases, next))
    }

    fn take_in_memory(self: &Arc<Self>, most: usize, who: Who) -> Result<(Vec<Lease>, Option<Moment>)> {
        let mut core = self.core.lock();
        self.check_open(&core)?;
        let now = self.now();
        self.settle_due(&mut core, now);
        // No lease may be dropped in here: giving it back takes the lock again.
        let mut leases = Vec::with_capacity(most.min(core.ready_count()));
        core.pop_many(most, now, who, |handed| leases.push(self.lease(handed)));
        let next = core.next_event();
        drop(core);
        self.give_turns();
        Ok((leases, next))
    }
}
