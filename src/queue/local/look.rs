//! What the core knows of requests, and what an operator does to them.

use super::{CoreQueue, answer};
use crate::queue::entry::{DeadLetter, RequestId};
use crate::queue::sqlite::DAMAGED;
use crate::queue::store::Acked;
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;

impl CoreQueue {
    pub(super) async fn cancel(self: &Arc<Self>, id: RequestId) -> Result<bool> {
        if let Some(file) = &self.file {
            return answer(self.change(file, move |change| change.cancel(id.0), |_, done| done)).await?;
        }
        let planned = self.core.lock().plan_cancel(id.0, self.now())?;
        let Some(transition) = planned else { return Ok(false) };
        let mut core = self.core.lock();
        core.apply(transition, self.now());
        let idle = core.open_count() == 0;
        drop(core);
        self.wake_after_finish(id.0, idle);
        self.give_turns();
        Ok(true)
    }

    pub(super) async fn revive(self: &Arc<Self>, id: RequestId) -> Result<()> {
        if let Some(file) = &self.file {
            return answer(self.change(file, move |change| change.requeue(id.0), |_, done| done)).await?;
        }
        self.core.lock().requeue(id.0, self.now())?;
        self.ready.wake(1);
        Ok(())
    }

    pub(super) async fn set_paused(self: &Arc<Self>, paused: bool) -> Result<()> {
        if let Some(file) = &self.file {
            return answer(self.change(file, move |change| change.set_paused(paused), |_, ()| ())).await;
        }
        self.core.lock().paused = paused;
        if !paused {
            self.give_turns();
            self.ready.wake_all();
        }
        Ok(())
    }

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

    /// What the ack of a request was given; None while it is open.
    pub(super) fn outcome(&self, id: u64) -> Result<Option<Acked>> {
        let outcome = self.core.lock().outcome(id);
        match (outcome, &self.file) {
            (None, _) => Ok(None),
            // Results are on disk. One that is not there yet is told of when it is.
            (Some(Ok(_)), Some(file)) => file.result(id),
            (Some(outcome), _) => outcome.map(|result| Some(Acked { result })),
        }
    }

    pub(super) async fn await_result(
        self: &Arc<Self>,
        id: RequestId,
        timeout: Option<Duration>,
    ) -> Result<Option<Payload>> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let expected = self.outcomes.expect(id.0);
        let mut others = self.notices()?;
        loop {
            let notified = expected.finished.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
            self.refresh().await?;
            let next = {
                let core = self.core.lock();
                self.check_open(&core)?;
                core.next_event()
            };
            if let Some(acked) = self.outcome(id.0)? {
                return Ok(acked.result);
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("request {id} was not finished within {waited} s")));
            }
            self.sleep(notified, others.as_mut(), next, until).await;
        }
    }

    pub(super) async fn await_idle(self: &Arc<Self>, timeout: Option<Duration>) -> Result<()> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let idle = self.idle.listen();
        let mut others = self.notices()?;
        loop {
            let notified = idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
            self.refresh().await?;
            let (open, next) = {
                let core = self.core.lock();
                self.check_open(&core)?;
                (core.open_count(), core.next_event())
            };
            if open == 0 {
                return Ok(());
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("{open} requests were still open after {waited} s")));
            }
            self.sleep(notified, others.as_mut(), next, until).await;
        }
    }
}
