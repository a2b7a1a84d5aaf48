//! Turns of one's own on a server: put and take are two commands, and the owner says now and then that it lives.

use super::RedisQueue;
use super::settle::nonce;
use super::{LEAST_PATIENCE, OWN, PATIENCE, PATIENCE_OF_A_WORKER};
use crate::queue::Lease;
use crate::queue::acquire::{Again, Entered, Waits};
use crate::queue::backend::QueueBackend;
use crate::queue::core::{HandedOut, lost};
use crate::queue::entry::RequestId;
use crate::queue::options::PutOptions;
use crate::queue::owner::{RENEWED_EVERY, Who};
use crate::store::redis::{Arguments, escaped, micros};
use crate::store::redis::{start_on_redis, text_of};
use crate::{Payload, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What `looking` says: nobody looks for turns, somebody does, somebody does and is to look once more.
const NOBODY_LOOKS: u8 = 0;
const LOOKS: u8 = 1;
const ONCE_MORE: u8 = 2;

/// The pause after a look for turns that failed.
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

fn named(verb: &str, id: &str, attempt: u32) -> Arguments {
    Arguments::default().text(verb).text(id).int(attempt).text(nonce())
}

impl RedisQueue {
    pub(super) async fn acquire_turn(self: &Arc<Self>, payload: Payload, options: PutOptions) -> Result<Lease> {
        let (id, owner) = (RequestId(rand::random::<u64>().max(1)), self.owner_here());
        // From here on, dropping it removes the request, whether it has arrived or not.
        let waits = self.waits(id.0);
        let payloads = [payload];
        let room = self.room.listen();
        loop {
            let notified = room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            match self.put_once(&[id], &payloads, &options, owner, PATIENCE).await? {
                Ok(_) => break,
                Err(full) if !self.core.lock().fits_ever(1, payloads[0].len()) => return Err(full),
                Err(_) => {}
            }
            if self.hear(LEAST_PATIENCE).await? {
                continue;
            }
            self.sleep(notified, None, None).await;
        }
        self.core.lock().meters.put += 1;
        self.keep_alive();
        self.give_turns();
        waits.turn().await
    }

    /// Looks for turns of those who wait here, without waiting for it.
    pub(super) fn give_turns(self: &Arc<Self>) {
        if self.looking.swap(ONCE_MORE, Ordering::AcqRel) != NOBODY_LOOKS {
            return;
        }
        let inner = Arc::clone(self);
        let started = start_on_redis(async move {
            loop {
                inner.looking.store(LOOKS, Ordering::Release);
                match inner.look_for_turns().await {
                    Ok(next) => inner.turns.look_by(next.map(|next| inner.now().plus(next))),
                    Err(error) => {
                        tracing::warn!(%error, "turns wait for a server that does not answer");
                        tokio::time::sleep(AFTER_AN_ERROR).await;
                    }
                }
                let ended = inner.looking.compare_exchange(LOOKS, NOBODY_LOOKS, Ordering::AcqRel, Ordering::Acquire);
                if ended.is_ok() {
                    return;
                }
            }
        });
        drop(started);
    }

    /// Takes what turns there are for those who wait here; how long until time may bring more.
    async fn look_for_turns(self: &Arc<Self>) -> Result<Option<Duration>> {
        loop {
            let (handed, next) = self.handed_out(usize::MAX, self.mine(), PATIENCE_OF_A_WORKER).await?;
            if handed.is_empty() {
                return Ok(next);
            }
            self.give_all(handed);
        }
    }

    /// Looks at what other processes do, and at the clock, for all who wait here. Never ends.
    pub(super) async fn watch_the_clock(self: &Arc<Self>) {
        let watch = self.turns.watch();
        let _duty = watch.duty.lock().await;
        loop {
            let sooner = watch.sooner.notified();
            tokio::pin!(sooner);
            sooner.as_mut().enable();
            let inner = Arc::clone(self);
            let looked = async {
                self.hear(LEAST_PATIENCE).await?;
                crate::store::redis::on_redis(async move { inner.look_for_turns().await }).await
            };
            match looked.await {
                Ok(next) => {
                    watch.plan(next.map(|next| self.now().plus(next)));
                    self.sleep(sooner, next, None).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "turns wait for a server that does not answer");
                    tokio::time::sleep(AFTER_AN_ERROR).await;
                }
            }
        }
    }

    /// Removes a request whose caller left, without waiting for it.
    pub(super) fn remove(self: &Arc<Self>, id: u64, used_tokens: Option<u64>) {
        self.turns.forget(id);
        let inner = Arc::clone(self);
        let arguments = named("leave", &RequestId(id).to_string(), 0).maybe(used_tokens);
        let started = start_on_redis(async move {
            if let Err(error) = inner.ask(&OWN, arguments, PATIENCE_OF_A_WORKER).await {
                tracing::warn!(%error, "a request whose caller left stays until its handle is silent");
            }
        });
        drop(started);
    }

    fn mine(&self) -> Who {
        Who::Owner { owner: self.owner_here(), workers: self.ready.is_awaited() }
    }

    /// A wait for the turn of a request.
    fn waits(self: &Arc<Self>, id: u64) -> Waits {
        let backend: Arc<dyn QueueBackend> = Arc::<Self>::clone(self);
        Waits::new(backend, id)
    }

    /// Gives turns out to those who wait here. What nobody waits for any more ends.
    fn give_all(self: &Arc<Self>, turns: Vec<HandedOut>) {
        for handed in turns {
            if let Err(handed) = self.turns.give(handed) {
                drop(self.lease(handed));
            }
        }
    }

    /// Says now and then that this handle lives.
    fn keep_alive(self: &Arc<Self>) {
        let process = crate::process::id();
        let mut keeper = self.keeper.lock();
        if *keeper == process {
            return;
        }
        let weak = Arc::downgrade(self);
        let keep = move || {
            loop {
                std::thread::sleep(RENEWED_EVERY);
                let Some(queue) = weak.upgrade() else { return };
                if let Err(error) = crate::blocking::block_on(queue.renew()) {
                    tracing::warn!(%error, "this handle could not say that it lives");
                }
            }
        };
        if std::thread::Builder::new().name("headrace-queue".into()).spawn(keep).is_ok() {
            *keeper = process;
        }
    }

    /// Says that this handle lives.
    pub(super) async fn renew(self: &Arc<Self>) -> Result<()> {
        self.ask(&OWN, named("renew", &self.owner_here().to_string(), 0), PATIENCE).await.map(drop)
    }

    /// Makes a request wait for another turn.
    pub(super) async fn start_again(self: &Arc<Self>, id: u64, attempt: u32, again: Again) -> Result<Entered> {
        let waits = self.waits(id);
        let arguments = named("again", &RequestId(id).to_string(), attempt)
            .int(micros(again.delay))
            .text(escaped(again.provider.as_deref().unwrap_or_default()))
            .text(escaped(again.model.as_deref().unwrap_or_default()))
            .maybe(again.estimated_tokens)
            .maybe(again.used_tokens);
        let reply = self.ask(&OWN, arguments, PATIENCE).await?;
        if text_of(&reply)? != "ok" {
            return Err(lost(id, attempt));
        }
        self.give_turns();
        Ok(Entered::Waits(waits))
    }
}
