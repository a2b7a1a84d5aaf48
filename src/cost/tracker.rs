//! The cost tracker: prices calls, keeps budgets, writes the ledger.

use super::attribution::Attribution;
use super::backend::{Backend, Recorded};
use super::budget::{AlertListener, AlertWatch, Budget, BudgetStatus, Fraction};
use super::carbon::{EmissionFactors, Override};
use super::deferred::Deferred;
use super::ledger::filter::Filter;
use super::money::Money;
use super::price::PriceTable;
use super::pricing::Pricing;
use super::record::{Call, CostRecord};
use super::reservation::Reservation;
use crate::clock::{Clock, SystemClock};
use crate::store::Location;
use crate::usage::Usage;
use crate::{Error, Result};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How long a reservation lasts that is neither settled nor released.
pub const DEFAULT_LEASE: Duration = Duration::from_mins(10);

/// Prices calls, keeps budgets, writes the ledger. A clone is the same tracker.
#[derive(Clone)]
pub struct CostTracker {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) backend: Backend,
    pricing: Pricing,
    watches: RwLock<Arc<[AlertWatch]>>,
    clock: Arc<dyn Clock>,
    counts: Counters,
    retention: Retention,
}

/// How long records are kept, in microseconds; zero is for good.
#[derive(Debug, Default)]
struct Retention {
    length: AtomicI64,
    next_purge: AtomicI64,
}

/// How often records that are too old are looked for.
const PURGE_EVERY: i64 = 3_600_000_000;

#[derive(Debug, Default)]
struct Counters {
    records: AtomicU64,
    estimated: AtomicU64,
    refused: AtomicU64,
    unknown_footprint: AtomicU64,
}

/// What a tracker did since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records written.
    pub records: u64,
    /// Records of which the price or the usage is an estimate.
    pub estimated: u64,
    /// Reservations refused.
    pub refused: u64,
    /// Records whose model's size, and with it the footprint, is unknown.
    pub unknown_footprint: u64,
}

impl std::fmt::Debug for CostTracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostTracker").field("counts", &self.inner.counts).finish_non_exhaustive()
    }
}

impl CostTracker {
    /// Opens a ledger: `memory://` or `sqlite:///FILE`.
    ///
    /// # Errors
    /// `Config` where the address is not understood, `Store` where the file cannot be opened.
    pub fn open(url: &str, prices: PriceTable) -> Result<Self> {
        Self::with_clock(url, prices, Arc::new(SystemClock::default()))
    }

    /// The same, with the time taken from `clock`.
    ///
    /// # Errors
    /// As [`CostTracker::open`].
    pub fn with_clock(url: &str, prices: PriceTable, clock: Arc<dyn Clock>) -> Result<Self> {
        let backend = match Location::parse(url)? {
            Location::Memory => Backend::memory(),
            Location::Sqlite(path) => Backend::sqlite(&path)?,
            other @ Location::Redis(_) => return Err(other.not_served_by("CostTracker")),
        };
        let (pricing, watches, counts) = (Pricing::new(prices), RwLock::new(Arc::from([])), Counters::default());
        let retention = Retention::default();
        Ok(Self { inner: Arc::new(Inner { backend, pricing, watches, clock, counts, retention }) })
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.inner.clock.wall().as_micros() as i64
    }

    /// What a call would cost, recording nothing.
    ///
    /// # Errors
    /// `InvalidArgument` where the usage contradicts itself.
    pub fn quote(&self, call: Call<'_>, who: &Arc<Attribution>) -> Result<CostRecord> {
        let micros = call.time.unwrap_or_else(|| self.now());
        call.usage.check()?;
        let (card, amount) = self.inner.pricing.price(call.model, call.usage, call.is_usage_estimated, micros)?;
        Ok(CostRecord {
            id: 0,
            time: micros,
            card,
            attribution: Arc::clone(who),
            usage: *call.usage,
            amount,
            written_lines: None,
            cache: call.cache,
            latency_s: call.latency_s,
            attempts: call.attempts,
            told_cost: call.told_cost,
        })
    }

    /// Writes a call into the ledger. In a file, the answer comes when it is on disk.
    pub fn record(&self, call: Call<'_>, who: &Arc<Attribution>) -> Deferred<CostRecord> {
        self.book(call, who, None)
    }

    pub(crate) fn book(&self, call: Call<'_>, who: &Arc<Attribution>, hold: Option<u64>) -> Deferred<CostRecord> {
        let record = match self.quote(call, who) {
            Ok(record) => record,
            Err(error) => return Deferred::ready(Err(error)),
        };
        let counts = &self.inner.counts;
        counts.records.fetch_add(1, Ordering::Relaxed);
        counts.estimated.fetch_add(u64::from(record.is_estimated()), Ordering::Relaxed);
        counts.unknown_footprint.fetch_add(u64::from(record.card.footprint.is_none()), Ordering::Relaxed);
        let now = self.now();
        let written = self.inner.backend.record(&record, hold, now);
        self.purge_in_time(now);
        let watches = Arc::clone(&self.inner.watches.read());
        written.then(move |written: Result<Recorded>| {
            let (id, steps) = written?;
            for watch in &*watches {
                steps.iter().for_each(|step| watch.see(step));
            }
            Ok(CostRecord { id, ..record })
        })
    }

    /// Sets the worst case of a call aside in every budget that covers it, or fails and changes nothing.
    ///
    /// The answer fails with `BudgetExceeded` where there is no room.
    pub fn reserve(
        &self,
        model: &str,
        usage: &Usage,
        who: &Arc<Attribution>,
        lease: Duration,
    ) -> Deferred<Reservation> {
        let worst = match self.quote(Call::new(model, usage), who) {
            Ok(worst) => Arc::new(worst),
            Err(error) => return Deferred::ready(Err(error)),
        };
        let expires = worst.time.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX));
        let held = self.inner.backend.reserve(&worst, expires);
        let tracker = self.clone();
        held.then(move |held| match held {
            Ok(hold) => Ok(Reservation::new(tracker, hold.take(), worst)),
            Err(error) => {
                tracker.inner.counts.refused.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        })
    }

    /// Sets a budget, or changes the limit of the one with the same scope, period and zone. What the ledger holds counts.
    pub fn set_budget(
        &self,
        budget: Budget,
        fractions: Vec<Fraction>,
        listener: Option<AlertListener>,
    ) -> Deferred<()> {
        let budget = Budget { scope: self.inner.pricing.scope(&budget.scope), ..budget };
        if let Err(error) = budget.check() {
            return Deferred::ready(Err(error));
        }
        let identity = budget.identity();
        let mut watches = self.inner.watches.write();
        let kept = watches.iter().filter(|watch| watch.identity != identity).cloned();
        let added = listener.map(|listener| AlertWatch { identity: identity.clone(), fractions, listener });
        *watches = kept.chain(added).collect();
        drop(watches);
        self.inner.backend.set_budget(budget, self.now())
    }

    /// Removes the budget with this scope, period and zone; whether there was one.
    pub fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        let budget = Budget { scope: self.inner.pricing.scope(&budget.scope), ..budget };
        let identity = budget.identity();
        let mut watches = self.inner.watches.write();
        *watches = watches.iter().filter(|watch| watch.identity != identity).cloned().collect();
        drop(watches);
        self.inner.backend.remove_budget(budget)
    }

    /// Every budget and how much of it is gone.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn budgets(&self) -> Result<Vec<BudgetStatus>> {
        self.inner.backend.budgets(self.now())
    }

    /// The filter in the names that records have.
    pub(crate) fn meant(&self, filter: &Filter) -> Filter {
        Filter { scope: self.inner.pricing.scope(&filter.scope), ..*filter }
    }

    /// All that was paid.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn total(&self, filter: &Filter) -> Result<Money> {
        let sums = self.inner.backend.sums(&self.meant(filter), super::ledger::bucket::Buckets::new(None))?;
        Ok(sums.cells.iter().fold(Money::ZERO, |sum, (_, part)| sum + part.cost))
    }

    /// The records that pass, at most `limit`; the newest first where asked.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn records(&self, filter: &Filter, limit: Option<usize>, newest_first: bool) -> Result<Vec<CostRecord>> {
        let mut found = Vec::new();
        let most = limit.unwrap_or(usize::MAX);
        if most > 0 {
            self.each_record(filter, newest_first, |record| {
                found.push(record);
                Ok(found.len() < most)
            })?;
        }
        Ok(found)
    }

    /// Shows every record that passes to `see`, until it says no.
    ///
    /// # Errors
    /// What `see` fails with, or `Store` where the file cannot be read.
    pub fn each_record(
        &self,
        filter: &Filter,
        newest_first: bool,
        see: impl FnMut(CostRecord) -> Result<bool>,
    ) -> Result<()> {
        self.inner.backend.each_record(&self.meant(filter), newest_first, see)
    }

    /// Forgets the records before `time` (microseconds since 1970); how many there were. Budgets keep what they know.
    ///
    /// # Errors
    /// `Store` where the file cannot be written.
    pub fn purge(&self, time: i64) -> Result<usize> {
        self.inner.backend.purge(time)
    }

    /// Forgets records by itself when they are older than `length`, as [`CostTracker::purge`] does: at the next record, then
    /// every hour in which there is one. `None` keeps them for good.
    ///
    /// # Errors
    /// `InvalidArgument` where the length is zero.
    pub fn set_retention(&self, length: Option<Duration>) -> Result<()> {
        let micros = length.map_or(0, |length| i64::try_from(length.as_micros()).unwrap_or(i64::MAX));
        if length.is_some() && micros == 0 {
            return Err(Error::invalid(
                "retention is 0: give how long records are kept, or None to keep them for good",
            ));
        }
        self.inner.retention.next_purge.store(i64::MIN, Ordering::Relaxed);
        self.inner.retention.length.store(micros, Ordering::Relaxed);
        Ok(())
    }

    fn purge_in_time(&self, now: i64) {
        let retention = &self.inner.retention;
        let (length, due) = (retention.length.load(Ordering::Relaxed), retention.next_purge.load(Ordering::Relaxed));
        if length == 0 || now < due {
            return;
        }
        // One caller does it; the others go on.
        let next = now.saturating_add(PURGE_EVERY);
        if retention.next_purge.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.inner.backend.purge_soon(now.saturating_sub(length));
        }
    }

    /// Changes emission factors for the calls that follow; what is recorded keeps its own.
    ///
    /// # Errors
    /// `InvalidArgument` where a zone is unknown or a figure impossible.
    pub fn set_emission_factors(&self, change: Override) -> Result<()> {
        self.inner.pricing.set_factors(change)
    }

    /// The emission factors that hold now.
    pub fn emission_factors(&self) -> EmissionFactors {
        self.inner.pricing.factors()
    }

    /// The prices that hold now.
    pub fn prices(&self) -> Arc<PriceTable> {
        self.inner.pricing.prices()
    }

    /// What was done since the tracker was opened.
    pub fn stats(&self) -> Stats {
        let counts = &self.inner.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            records: read(&counts.records),
            estimated: read(&counts.estimated),
            refused: read(&counts.refused),
            unknown_footprint: read(&counts.unknown_footprint),
        }
    }
}
