//! Turns of one's own on a file: put, take and the word that one lives are one write.

use super::{CoreQueue, answer};
use crate::queue::acquire::{Again, Entered, Waits};
use crate::queue::core::HandedOut;
use crate::queue::owner::RENEWED_EVERY;
use crate::queue::sqlite::{QueueFile, QueueWrite};
use crate::queue::{Lease, PutOptions};
use crate::{Payload, Result};
use std::sync::Arc;
use tokio::sync::oneshot::Receiver;

/// What a write found for the one who asked, and for others who wait for turns of their own.
struct Entrance {
    mine: Option<HandedOut>,
    waits: Option<Waits>,
    others: Vec<HandedOut>,
}

impl Entrance {
    /// Takes what turns there are, that of one request among them.
    fn take(change: &mut QueueWrite<'_>, inner: &Arc<CoreQueue>, id: u64) -> Result<Self> {
        let mut others = change.take(usize::MAX, inner.mine())?;
        let mine = others.iter().position(|handed| handed.id == id).map(|place| others.swap_remove(place));
        let waits = mine.is_none().then(|| inner.waits(id));
        Ok(Self { mine, waits, others })
    }

    fn enter(self, inner: &Arc<CoreQueue>) -> Entered {
        inner.give_all(self.others);
        match (self.mine, self.waits) {
            (Some(handed), _) => Entered::Turn(inner.lease(handed)),
            (None, Some(waits)) => Entered::Waits(waits),
            (None, None) => Entered::Full,
        }
    }
}

impl CoreQueue {
    pub(super) async fn acquire_on(
        self: &Arc<Self>,
        file: &QueueFile,
        payload: Payload,
        options: PutOptions,
    ) -> Result<Lease> {
        let room = self.room.listen();
        let mut others = None;
        loop {
            self.check_open(&self.core.lock())?;
            let notified = room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            match answer(self.enter_on(file, payload.clone(), options.clone())).await? {
                Ok(Entered::Turn(lease)) => return Ok(lease),
                Ok(Entered::Waits(waits)) => return waits.turn().await,
                Ok(Entered::Full) => return Err(self.closed()),
                Err(full) => {
                    if !self.core.lock().fits_ever(1, payload.len()) {
                        return Err(full);
                    }
                }
            }
            if others.is_none() {
                others = self.notices()?;
                continue;
            }
            let next = self.core.lock().next_event();
            self.sleep(notified, others.as_mut(), next, None).await;
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
        }
    }

    fn enter_on(
        self: &Arc<Self>,
        file: &QueueFile,
        payload: Payload,
        options: PutOptions,
    ) -> Receiver<Result<Result<Entered>>> {
        let (inner, owner) = (Arc::clone(self), self.owner_here());
        let entered = self.change(
            file,
            move |change| {
                let ids = match change.put(&[payload], &options, owner)? {
                    Ok(ids) => ids,
                    Err(full) => return Ok(Err(full)),
                };
                change.say_it_lives(owner)?;
                Entrance::take(change, &inner, ids.first().copied().unwrap_or_default()).map(Ok)
            },
            |inner, found: Result<Entrance>| found.map(|found| found.enter(inner)),
        );
        self.keep_alive();
        entered
    }

    /// Gives turns out that a file has for those who wait here. What nobody waits for any more ends.
    pub(super) fn give_all(self: &Arc<Self>, turns: Vec<HandedOut>) {
        for handed in turns {
            if let Err(handed) = self.turns.give(handed) {
                drop(self.lease(handed));
            }
        }
    }

    pub(super) fn dispatch_on(self: &Arc<Self>, file: &QueueFile) {
        let (has_turn, next) = {
            let mut core = self.core.lock();
            (core.has_turn(self.now(), self.mine()), core.next_event())
        };
        self.turns.look_by(next);
        if has_turn {
            let who = self.mine();
            drop(self.change(file, move |change| change.take(usize::MAX, who), Self::give_all));
        }
    }

    /// Says now and then that this handle lives, as long as it has requests of its own.
    pub(super) fn keep_alive(self: &Arc<Self>) {
        let process = crate::process::id();
        let mut keeper = self.keeper.lock();
        if *keeper == process {
            return;
        }
        let weak = Arc::downgrade(self);
        let keep = move || {
            loop {
                std::thread::sleep(RENEWED_EVERY);
                let Some(inner) = weak.upgrade() else { return };
                let owner = inner.owner_here();
                let mut keeper = inner.keeper.lock();
                if !inner.core.lock().has_owned(owner) {
                    *keeper = 0;
                    return;
                }
                drop(keeper);
                if let Some(file) = &inner.file {
                    drop(inner.change(file, move |change| change.renew(owner), |_, ()| ()));
                }
            }
        };
        if std::thread::Builder::new().name("headrace-queue".into()).spawn(keep).is_ok() {
            *keeper = process;
        }
    }

    /// Makes the request of a lease wait again; the answer is its turn, or the wait for it.
    pub(super) fn again_on(
        self: &Arc<Self>,
        file: &QueueFile,
        lease: &Lease,
        again: Again,
    ) -> Receiver<Result<Result<Entered>>> {
        let (inner, id, attempt) = (Arc::clone(self), lease.handed.id, lease.handed.attempt);
        lease.set_settled();
        self.change(
            file,
            move |change| {
                let now = change.now;
                let waits = change.core.wait_again(id, attempt, again.delay, &again.route(), again.used_tokens, now);
                if let Err(lost) = waits {
                    return Ok(Err(lost));
                }
                change.saved_again(id)?;
                Entrance::take(change, &inner, id).map(Ok)
            },
            |inner, found: Result<Entrance>| found.map(|found| found.enter(inner)),
        )
    }
}
