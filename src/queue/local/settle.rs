//! How leases end in the core, and in its file.

use super::{CoreQueue, answer};
use crate::queue::store::LeaseEnd;
use crate::{Payload, Result};
use std::sync::Arc;
use std::time::Duration;

/// How leases end, by their names.
impl CoreQueue {
    pub(super) async fn end_by_name(self: &Arc<Self>, id: u64, attempt: u32, how: LeaseEnd) -> Result<()> {
        match how {
            LeaseEnd::Ack { result, tokens } => self.ack(id, attempt, result, tokens).await,
            LeaseEnd::Nack { error, delay, retry } => self.nack(id, attempt, error, delay, retry).await,
        }
    }

    /// Gives back what never reached a worker.
    pub(super) fn return_to_line(self: &Arc<Self>, id: u64, attempt: u32, is_orphan: bool) {
        if let Some(file) = &self.file {
            return drop(self.change(file, move |change| change.give_back(id, attempt, is_orphan), |_, ()| ()));
        }
        self.core.lock().give_back(id, attempt, self.now());
        self.give_turns();
        self.ready.wake(1);
    }

    async fn ack(self: &Arc<Self>, id: u64, attempt: u32, result: Option<Payload>, tokens: Option<u64>) -> Result<()> {
        let Some(file) = &self.file else { return self.ack_now(id, attempt, result, tokens) };
        let done = self.change(file, move |change| change.ack(id, attempt, result.as_ref(), tokens), |_, done| done);
        answer(done).await?
    }

    pub(super) fn ack_now(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        result: Option<Payload>,
        tokens: Option<u64>,
    ) -> Result<()> {
        let mut core = self.core.lock();
        let now = self.now();
        core.ack(id, attempt, result, tokens, now)?;
        let idle = core.open_count() == 0;
        drop(core);
        self.wake_after_finish(id, idle);
        self.give_turns();
        Ok(())
    }

    async fn nack(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        error: String,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<()> {
        let Some(file) = &self.file else { return self.nack_now(id, attempt, &error, delay, retry) };
        let done = self.change(file, move |change| change.nack(id, attempt, &error, delay, retry), |_, done| done);
        answer(done).await?
    }

    pub(super) fn nack_now(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<()> {
        let (now, wall_ms) = (self.now(), self.wall_ms());
        let mut core = self.core.lock();
        let transition = core.plan_nack(id, attempt, error, delay, retry, now, wall_ms)?;
        core.apply(transition, now);
        let idle = core.open_count() == 0;
        drop(core);
        self.wake_after_finish(id, idle);
        self.give_turns();
        Ok(())
    }

    pub(super) async fn extend_by_name(self: &Arc<Self>, id: u64, attempt: u32, by: Duration) -> Result<()> {
        let Some(file) = &self.file else { return self.core.lock().extend(id, attempt, by, self.now()) };
        answer(self.change(file, move |change| change.extend(id, attempt, by), |_, done| done)).await?
    }
}
