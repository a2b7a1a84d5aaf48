//! What a tracker and its reservations share: prices, the store, and the ways in which a call is booked.

use super::attribution::Attribution;
use super::budget::{AlertWatch, BudgetStatus};
use super::deferred::Deferred;
use super::ledger::backlog::{Backlog, OnWritten, within_patience};
use super::ledger::{Held, Hold, LedgerStore, Written};
use super::money::Money;
use super::pricing::Pricing;
use super::record::{Call, CostRecord};
use crate::clock::Clock;
use crate::lock::SharedLock;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

pub(crate) struct Accounts {
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) pricing: Pricing,
    pub(crate) watches: SharedLock<Arc<[AlertWatch]>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: TrackerCounters,
    pub(crate) retention: Retention,
    /// Told when money that was set aside is free again.
    pub(crate) freed: Arc<Notify>,
}

/// How long records are kept, in microseconds; zero is for good.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    pub(crate) length: AtomicI64,
    pub(crate) next_purge: AtomicI64,
}

/// How often records that are too old are looked for.
const PURGE_EVERY: i64 = 3_600_000_000;

#[derive(Debug, Default)]
pub(crate) struct TrackerCounters {
    pub(crate) records: AtomicU64,
    pub(crate) estimated: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unknown_footprint: AtomicU64,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Accounts {
    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.wall().as_micros() as i64
    }

    pub(crate) fn quote(&self, call: Call<'_>, who: &Arc<Attribution>) -> Result<CostRecord> {
        let micros = call.time.unwrap_or_else(|| self.now());
        call.usage.check()?;
        let (card, amount) = self.pricing.price(call.model, call.usage, call.is_usage_estimated, micros)?;
        Ok(CostRecord {
            id: 0,
            time: micros,
            card,
            attribution: Arc::clone(who),
            usage: *call.usage,
            amount,
            told_cost: call.told_cost,
            saved_by_route: call.saved_by_route,
            written_lines: None,
            cache: call.cache,
            latency_s: call.latency_s,
            attempts: call.attempts,
        })
    }

    /// Books a call, in place of what was set aside for it. A record that the ledger does not take soon is kept and written
    /// later: what was paid is never lost to a lock or a full disk.
    pub(crate) fn book(
        self: &Arc<Self>,
        call: Call<'_>,
        who: &Arc<Attribution>,
        hold: Option<u64>,
    ) -> Deferred<CostRecord> {
        let record = match self.quote(call, who) {
            Ok(record) => record,
            Err(error) => return Deferred::ready(Err(error)),
        };
        let counters = &self.counters;
        counters.records.fetch_add(1, Ordering::Relaxed);
        counters.estimated.fetch_add(u64::from(record.is_estimated()), Ordering::Relaxed);
        counters.unknown_footprint.fetch_add(u64::from(record.card.footprint.is_none()), Ordering::Relaxed);
        let now = self.now();
        let nonce = rand::random();
        let written = self.store.settle(&record, hold, nonce, now);
        self.purge_in_time(now);
        if written.is_ready() {
            return Deferred::ready(written.wait().map(|written| {
                self.tell(&written, hold.is_some());
                CostRecord { id: written.id, ..record }
            }));
        }
        self.backlog.write_first();
        let settling =
            Settling { accounts: Arc::clone(self), record: Arc::new(record), hold, nonce, now, answer: Some(written) };
        Deferred::of(settling.finish())
    }

    /// Tells the watches what was spent, and whoever waits that there may be room.
    fn tell(&self, written: &Written, had_hold: bool) {
        if !written.steps.is_empty() {
            let watches = Arc::clone(&self.watches.read());
            for watch in &*watches {
                written.steps.iter().for_each(|step| watch.see(step));
            }
        }
        if had_hold {
            self.freed.notify_waiters();
        }
    }

    fn on_written(self: &Arc<Self>, had_hold: bool) -> OnWritten {
        let accounts = Arc::downgrade(self);
        Arc::new(move |written| {
            if let Some(accounts) = accounts.upgrade() {
                accounts.tell(written, had_hold);
            }
        })
    }

    /// Asks the store to set the worst case of a call aside.
    pub(crate) fn ask_to_hold(&self, worst: &Arc<CostRecord>, lease: Duration) -> Deferred<Held> {
        if let Err(error) = self.backlog.check() {
            return Deferred::ready(Err(error));
        }
        self.backlog.write_first();
        let expires = worst.time.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX));
        self.store.hold(worst, expires)
    }

    /// The answer; where the ledger cannot be written, a call that no budget covers goes on.
    pub(crate) async fn held(&self, mut held: Deferred<Held>, worst: &Arc<CostRecord>) -> Result<Held> {
        let error = match within_patience(&mut held).await {
            Some(Err(error @ Error::Store(_))) => error,
            Some(held) => return held,
            None if self.is_covered(worst).await => return held.await,
            None => Error::Store("the ledger is locked".into()),
        };
        if self.backlog.check().is_err() || self.is_covered(worst).await {
            return Err(error);
        }
        tracing::warn!(%error, "the ledger cannot be written: a call that no budget covers goes on");
        Ok(Held::Taken(Hold::of_nothing()))
    }

    /// Whether a budget that refuses covers the call; yes, where the ledger does not say.
    async fn is_covered(&self, worst: &Arc<CostRecord>) -> bool {
        self.store.admit(worst).await.unwrap_or(true)
    }

    pub(crate) fn release(&self, hold: u64) -> Deferred<bool> {
        let (released, freed) = (self.store.release(hold), Arc::clone(&self.freed));
        released.then(move |released| {
            freed.notify_waiters();
            released
        })
    }

    /// What of the budgets is gone. Where the file can only be read, what is kept for it counts too.
    pub(crate) fn budgets(self: &Arc<Self>) -> Deferred<Vec<BudgetStatus>> {
        let now = self.now();
        self.backlog.write_first();
        let mut found = self.store.budgets(now);
        if found.is_ready() {
            return found;
        }
        let accounts = Arc::clone(self);
        Deferred::of(async move {
            match within_patience(&mut found).await {
                None | Some(Err(Error::Store(_))) => {}
                Some(found) => return found,
            }
            let mut found = accounts.store.peek_budgets(now).await?;
            for (record, has_hold) in accounts.backlog.records() {
                found.iter_mut().for_each(|status| count_in(status, &record, has_hold, now));
            }
            Ok(found)
        })
    }

    fn purge_in_time(&self, now: i64) {
        let retention = &self.retention;
        let (length, due) = (retention.length.load(Ordering::Relaxed), retention.next_purge.load(Ordering::Relaxed));
        if length == 0 || now < due {
            return;
        }
        // One caller does it; the others go on.
        let next = now.saturating_add(PURGE_EVERY);
        if retention.next_purge.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            drop(self.store.purge(now.saturating_sub(length)));
        }
    }
}

/// Counts a record into a budget that does not know of it yet.
fn count_in(status: &mut BudgetStatus, record: &CostRecord, has_hold: bool, now: i64) {
    let (budget, who) = (&status.budget, &record.attribution);
    let (first, last) = budget.span(now);
    let is_in = (first..=last).contains(&budget.bucket(record.time));
    let is_part = !budget.scope.is_each_tenant() || status.tenant.as_deref() == Some(who.tenant());
    if is_in && is_part && budget.scope.covers(&record.card.provider, &record.card.model, who) {
        status.taken.spent += record.cost();
        if has_hold {
            status.taken.reserved = (status.taken.reserved - record.cost()).max(Money::ZERO);
        }
    }
}

/// A record on its way to the ledger. Whoever stops waiting leaves it to the backlog.
struct Settling {
    accounts: Arc<Accounts>,
    record: Arc<CostRecord>,
    hold: Option<u64>,
    nonce: u64,
    now: i64,
    answer: Option<Deferred<Written>>,
}

impl Settling {
    async fn finish(mut self) -> Result<CostRecord> {
        let Some(answer) = &mut self.answer else { return Err(Error::invalid("this answer was given already")) };
        match within_patience(answer).await {
            Some(Ok(written)) => {
                self.answer = None;
                self.accounts.tell(&written, self.hold.is_some());
                Ok(CostRecord { id: written.id, ..CostRecord::clone(&self.record) })
            }
            Some(Err(error @ Error::Store(_))) => {
                tracing::warn!(%error, "the ledger cannot be written: the record is kept and written later");
                self.answer = None;
                self.keep(None);
                Ok(CostRecord::clone(&self.record))
            }
            Some(Err(error)) => {
                self.answer = None;
                Err(error)
            }
            None => {
                tracing::warn!("the ledger is locked: the record is kept and written later");
                Ok(CostRecord::clone(&self.record))
            }
        }
    }

    fn keep(&self, answer: Option<Deferred<Written>>) {
        let (record, on_written) = (Arc::clone(&self.record), self.accounts.on_written(self.hold.is_some()));
        self.accounts.backlog.keep(record, self.hold, self.nonce, self.now, answer, on_written);
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.keep(Some(answer));
        }
    }
}
