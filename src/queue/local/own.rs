//! Turns of one's own in memory: where nothing is in the way, put and take are one look at the state.

use super::CoreQueue;
use crate::Result;
use crate::queue::acquire::{Again, Entered, Waits, too_late, within};
use crate::queue::backend::QueueBackend;
use crate::queue::moment::Moment;
use crate::queue::owner::Who;
use crate::queue::{Lease, PutOptions};
use crate::{Error, Payload};
use std::sync::Arc;
use std::time::Duration;

/// How long a file that cannot be read is left alone.
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

impl CoreQueue {
    pub(super) fn owner_here(&self) -> u64 {
        self.file.as_ref().map_or_else(|| u64::from(crate::process::id()), crate::queue::sqlite::QueueFile::owner)
    }

    /// A wait for the turn of a request. Call it with the state locked, so that the turn cannot come before.
    pub(super) fn waits(self: &Arc<Self>, id: u64) -> Waits {
        let backend: Arc<dyn QueueBackend> = Arc::<Self>::clone(self);
        Waits::new(backend, id)
    }

    pub(super) async fn acquire_in_memory(
        self: &Arc<Self>,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Lease> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        loop {
            match self.enter(&payload, &options)? {
                Entered::Turn(lease) => return Ok(lease),
                Entered::Waits(waits) => return within(timeout, waits.turn()).await,
                Entered::Full => match self.wait_for_room(1, payload.len(), &options, until).await {
                    Err(Error::QueueFull(_)) if until.is_some_and(|until| until <= self.now()) => {
                        return Err(too_late(timeout));
                    }
                    other => other?,
                },
            }
        }
    }

    /// Makes a request wait again.
    pub(super) fn start_again(self: &Arc<Self>, lease: &Lease, again: &Again) -> Result<Waits> {
        let (id, now, route) = (lease.handed.id, self.now(), again.route());
        let waits = {
            let mut core = self.core.lock();
            core.wait_again(id, lease.handed.attempt, again.delay, &route, again.used_tokens, now)?;
            self.waits(id)
        };
        lease.set_settled();
        self.give_turns();
        self.ready.wake(1);
        Ok(waits)
    }

    pub(super) fn mine(&self) -> Who {
        Who::Owner { owner: self.owner_here(), workers: self.ready.is_awaited() }
    }

    /// Puts a request, and takes it where its turn is now.
    pub(super) fn enter(self: &Arc<Self>, payload: &Payload, options: &PutOptions) -> Result<Entered> {
        let mut core = self.core.lock();
        self.check_open(&core)?;
        let (now, owner, size) = (self.now(), self.owner_here(), payload.len());
        self.settle_due(&mut core, now);
        if !core.has_room(1, size) {
            return if core.fits_ever(1, size) { Ok(Entered::Full) } else { Err(core.full()) };
        }
        if !core.owners.lives(owner, now) {
            core.leave_all_but(owner, now);
            core.owners.renew(owner, Moment::NEVER);
        }
        let id = core.new_id();
        core.insert(id, Some(payload.clone()), size, options, owner, now);
        let mut first = core.pop(now, self.mine());
        if first.as_ref().is_some_and(|handed| handed.id == id) {
            drop(core);
            return Ok(first.map_or(Entered::Full, |handed| Entered::Turn(self.lease(handed))));
        }
        let waits = self.waits(id);
        let mut turns = Vec::new();
        while let Some(handed) = first {
            turns.push(handed);
            first = core.pop(now, self.mine());
        }
        let next = core.next_event();
        drop(core);
        // One who has left cleans up by himself.
        turns.into_iter().for_each(|handed| drop(self.turns.give(handed)));
        self.turns.look_by(next);
        Ok(Entered::Waits(waits))
    }

    /// Gives turns to those who wait for their own, as far as limits and order let them.
    pub(super) fn give_turns(self: &Arc<Self>) {
        if !self.turns.any() {
            return;
        }
        if let Some(file) = &self.file {
            return self.dispatch_on(file);
        }
        let mut turns = Vec::new();
        let next = {
            let mut core = self.core.lock();
            let now = self.now();
            self.settle_due(&mut core, now);
            while let Some(handed) = core.pop(now, self.mine()) {
                turns.push(handed);
            }
            core.next_event()
        };
        // One who has left cleans up by himself.
        turns.into_iter().for_each(|handed| drop(self.turns.give(handed)));
        self.turns.look_by(next);
    }

    /// Removes a request whose caller left.
    pub(super) fn remove(self: &Arc<Self>, id: u64, used_tokens: Option<u64>) {
        if let Some(file) = &self.file {
            self.turns.forget(id);
            return drop(self.change(file, move |change| change.leave(id, used_tokens), |_, ()| ()));
        }
        let mut core = self.core.lock();
        let was_open = core.leave(id, used_tokens, self.now());
        let idle = core.open_count() == 0;
        drop(core);
        self.turns.forget(id);
        if was_open {
            self.wake_after_finish(id, idle);
            self.give_turns();
        }
    }

    /// Looks at the clock for all who wait for a turn, unless another does already. Never ends.
    pub(super) async fn watch_the_clock(self: &Arc<Self>) {
        let watch = self.turns.watch();
        let _duty = watch.duty.lock().await;
        let mut others = self.notices().unwrap_or_default();
        loop {
            let sooner = watch.sooner.notified();
            tokio::pin!(sooner);
            sooner.as_mut().enable();
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "turns wait for a file that cannot be read");
                tokio::time::sleep(AFTER_AN_ERROR).await;
            }
            let next = self.core.lock().next_event();
            watch.plan(next);
            self.give_turns();
            self.sleep(sooner, others.as_mut(), next, None).await;
        }
    }
}
