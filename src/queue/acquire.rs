//! A turn of one's own: a request that is put, and handed to the caller that put it and to nobody else.
//!
//! In order, limits and fairness it is like every other request. It ends with its caller: whoever drops the wait, or the
//! lease, removes the request, on any thread. Where nothing is in the way, put and take are one look at the state.

use super::core::{HandedOut, Route};
use super::entry::Status;
use super::inner::{QueueInner, answer};
use super::moment::Moment;
use super::owner::Who;
use super::{Lease, PutOptions, RequestQueue};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a file that cannot be read is left alone.
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

/// How a request whose turn has come is to wait for another: the pause before a retry, the way to a fallback.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// How long until it may be its turn again.
    pub delay: Duration,
    /// The provider that it will call then; None: as before.
    pub provider: Option<Arc<str>>,
    /// The model that it will call then; None: as before.
    pub model: Option<Arc<str>>,
    /// The tokens that it is expected to take then; None: as before.
    pub estimated_tokens: Option<u64>,
    /// The tokens that it has taken, for limits; None: as estimated.
    pub used_tokens: Option<u64>,
}

impl Again {
    pub(super) fn route(&self) -> Route {
        Route { provider: self.provider.clone(), model: self.model.clone(), tokens: self.estimated_tokens }
    }
}

impl RequestQueue {
    /// Puts a request and waits for its turn, which nobody else is given.
    ///
    /// Where nothing is in the way it is ready at its first poll. Dropping the future, or the lease, removes the request;
    /// the lease lasts as long as its holder keeps it.
    ///
    /// # Errors
    /// `Timeout` where its turn does not come within `timeout`, which leaves nothing behind; `QueueClosed`,
    /// `RequestCancelled`, `Store`; `InvalidArgument` where `options` have a key or a deadline.
    ///
    /// ```
    /// use headrace::Payload;
    /// use headrace::queue::{PutOptions, QueueConfig, RequestQueue};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let queue = RequestQueue::open("memory://", QueueConfig::default())?;
    /// let turn = queue.acquire(Payload::bytes([]), PutOptions::default(), None).await?;
    /// // ... the work ...
    /// turn.ack_async(None, Some(1200)).await?;
    /// # Ok::<(), headrace::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acquire(&self, payload: Payload, options: PutOptions, timeout: Option<Duration>) -> Result<Lease> {
        if options.key.is_some() || options.deadline.is_some() {
            return Err(Error::invalid("acquire takes no key and no deadline: give a timeout"));
        }
        let inner = &self.inner;
        if inner.remote.is_some() {
            return within(timeout, Box::pin(inner.acquire_remote(payload, options))).await;
        }
        if let Some(file) = &inner.file {
            return within(timeout, inner.acquire_on(file, payload, options)).await;
        }
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        loop {
            match inner.enter(&payload, &options)? {
                Entered::Turn(lease) => return Ok(lease),
                Entered::Waits(waits) => return within(timeout, waits.turn()).await,
                Entered::Full => match inner.wait_for_room(1, payload.len(), &options, until).await {
                    Err(Error::QueueFull(_)) if until.is_some_and(|until| until <= inner.now()) => {
                        return Err(too_late(timeout));
                    }
                    other => other?,
                },
            }
        }
    }
}

pub(super) enum Entered {
    Turn(Lease),
    Waits(Waits),
    Full,
}

impl QueueInner {
    /// The one handle that may take what was put for its own turn.
    pub(super) fn owner(&self) -> u64 {
        match (&self.file, &self.remote) {
            (Some(file), _) => file.owner(),
            (None, Some(remote)) => remote.owner(),
            (None, None) => u64::from(crate::process::id()),
        }
    }

    pub(super) fn mine(&self) -> Who {
        Who::Owner { owner: self.owner(), workers: self.ready.is_awaited() }
    }

    /// Puts a request, and takes it where its turn is now.
    fn enter(self: &Arc<Self>, payload: &Payload, options: &PutOptions) -> Result<Entered> {
        let mut core = self.core.lock();
        self.check_open(&core)?;
        let (now, owner, size) = (self.now(), self.owner(), payload.len());
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
            return Ok(first.map_or(Entered::Full, |handed| Entered::Turn(Lease::new(self, handed))));
        }
        let waits = Waits { inner: Arc::clone(self), id, turn: self.turns.expect(id), came: false };
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
    pub(super) fn dispatch(self: &Arc<Self>) {
        if !self.turns.any() {
            return;
        }
        if self.remote.is_some() {
            return self.dispatch_remote();
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
    pub(super) fn leave(self: &Arc<Self>, id: u64, used_tokens: Option<u64>) {
        if self.remote.is_some() {
            return self.leave_remote(id, used_tokens);
        }
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
            self.dispatch();
        }
    }

    /// Looks at the clock for all who wait for a turn, unless another does already. Never ends.
    async fn watch_the_clock(self: &Arc<Self>) {
        if self.remote.is_some() {
            return Box::pin(self.watch_remote()).await;
        }
        let watch = self.turns.watch();
        let _duty = watch.duty.lock().await;
        let mut others = self.watch().unwrap_or_default();
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
            self.dispatch();
            self.sleep(sooner, others.as_mut(), next, None).await;
        }
    }
}

/// A request that waits for its turn; dropped, it is removed.
pub(super) struct Waits {
    pub(super) inner: Arc<QueueInner>,
    pub(super) id: u64,
    pub(super) turn: oneshot::Receiver<HandedOut>,
    pub(super) came: bool,
}

impl Waits {
    pub(super) async fn turn(mut self) -> Result<Lease> {
        let inner = Arc::clone(&self.inner);
        let turn = tokio::select! {
            biased;
            turn = &mut self.turn => turn,
            () = inner.watch_the_clock() => return Err(inner.closed()),
        };
        // Either way there is nothing left to remove: a lease is the caller's, and without one the request has ended.
        self.came = true;
        turn.map(|handed| Lease::new(&inner, handed)).map_err(|_| inner.why_no_turn(self.id))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.came {
            self.inner.leave(self.id, None);
        }
    }
}

impl QueueInner {
    fn why_no_turn(&self, id: u64) -> Error {
        let core = self.core.lock();
        match core.status(id) {
            _ if core.closed => self.closed(),
            Some(Status::Cancelled) => Error::RequestCancelled(format!(
                "request {} was cancelled while it waited for its turn",
                super::RequestId(id)
            )),
            _ => super::core::lost(id, 0),
        }
    }
}

impl Lease {
    /// Gives back a turn that `acquire` gave, and waits for another of the same request.
    ///
    /// Its room under the limits is free at once. It keeps its place in line, counts as one more request when its turn
    /// comes again, and is no failed attempt. Dropping the future removes the request.
    ///
    /// # Errors
    /// `LeaseLost`, `QueueClosed`, `RequestCancelled`, `Store`; `InvalidArgument` for a lease of a worker: nack that.
    pub async fn again(self, again: Again) -> Result<Self> {
        if self.handed.owner != self.inner.owner() {
            return Err(Error::invalid("again is for a lease that acquire gave: nack this one"));
        }
        let entered = match &self.inner.file {
            _ if self.inner.remote.is_some() => {
                self.set_settled();
                Box::pin(self.inner.again_remote(self.handed.id, self.handed.attempt, again)).await?
            }
            Some(file) => answer(self.again_on(file, again)).await??,
            None => Entered::Waits(self.start_again(&again)?),
        };
        match entered {
            Entered::Turn(lease) => Ok(lease),
            Entered::Waits(waits) => waits.turn().await,
            Entered::Full => Err(self.inner.closed()),
        }
    }

    fn start_again(&self, again: &Again) -> Result<Waits> {
        let inner = &self.inner;
        let (id, now, route) = (self.handed.id, inner.now(), again.route());
        let waits = {
            let mut core = inner.core.lock();
            core.wait_again(id, self.handed.attempt, again.delay, &route, again.used_tokens, now)?;
            Waits { inner: Arc::clone(inner), id, turn: inner.turns.expect(id), came: false }
        };
        self.set_settled();
        inner.dispatch();
        inner.ready.wake(1);
        Ok(waits)
    }

    /// Ends a lease that `acquire` gave: there will be no result, and the request is cancelled. Dropping the lease does
    /// the same, where nothing is known of the tokens that were used. Never waits.
    pub fn cancel(self, used_tokens: Option<u64>) {
        self.set_settled();
        self.inner.leave(self.handed.id, used_tokens);
    }
}

async fn within(timeout: Option<Duration>, turn: impl Future<Output = Result<Lease>>) -> Result<Lease> {
    match timeout {
        None => turn.await,
        Some(timeout) => tokio::time::timeout(timeout, turn).await.unwrap_or_else(|_| Err(too_late(Some(timeout)))),
    }
}

fn too_late(timeout: Option<Duration>) -> Error {
    let waited = timeout.unwrap_or_default().as_secs_f64();
    Error::Timeout(format!("no turn came within {waited} s: raise timeout=, or look at the queue's stats()"))
}
