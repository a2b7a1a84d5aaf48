//! The cost tracker: prices calls, keeps budgets, writes the ledger.

use super::accounts::{Accounts, Retention, TrackerCounters};
use super::attribution::Attribution;
use super::budget::{AlertListener, AlertWatch, Budget, BudgetStatus, Fraction};
use super::carbon::{EmissionFactors, Override};
use super::deferred::Deferred;
use super::ledger::backlog::Backlog;
use super::ledger::filter::Filter;
use super::ledger::{self, Held, LOOK, LedgerStore, PageRequest};
use super::money::Money;
use super::price::PriceTable;
use super::pricing::Pricing;
use super::record::{Call, CostRecord};
use super::reservation::Reservation;
use crate::clock::{Clock, SystemClock};
use crate::lock::SharedLock;
use crate::store::{Location, StoreReach};
use crate::usage::Usage;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a reservation lasts that is neither settled nor released.
pub const DEFAULT_LEASE: Duration = Duration::from_mins(10);

/// Prices calls, keeps budgets, writes the ledger. A clone is the same tracker.
#[derive(Clone)]
pub struct CostTracker {
    pub(crate) accounts: Arc<Accounts>,
}

/// The most that a call may use, before it is made.
#[derive(Debug, Clone, Copy)]
pub struct WorstCase<'a> {
    /// The model, as `provider/model`.
    pub model: &'a str,
    /// The most that it may use.
    pub usage: &'a Usage,
    /// Whether the call says how much output it takes; else the model's longest is counted, and a refusal says so.
    pub is_output_bounded: bool,
    /// How long the money stays aside where nobody settles or releases it.
    pub lease: Duration,
}

impl<'a> WorstCase<'a> {
    /// A call whose output is bounded, for [`DEFAULT_LEASE`].
    pub fn new(model: &'a str, usage: &'a Usage) -> Self {
        Self { model, usage, is_output_bounded: true, lease: DEFAULT_LEASE }
    }

    /// The refusal, with what the caller can do about it.
    fn explain(is_output_bounded: bool, output_tokens: u64, error: Error) -> Error {
        match error {
            Error::BudgetExceeded(text) if !is_output_bounded => Error::BudgetExceeded(format!(
                "{text}; the call gives no max_tokens, so that the model's longest answer was counted, \
                 {output_tokens} tokens: give max_tokens"
            )),
            error => error,
        }
    }
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
    /// Records that wait in memory until the ledger can be written.
    pub waiting: u64,
}

impl std::fmt::Debug for CostTracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostTracker").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl CostTracker {
    /// Opens a ledger: `memory://`, `sqlite:///FILE`, or one in Redis (`redis://HOST` and the like).
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
        let store = ledger::open(Location::parse(url)?, clock.is_machine())?;
        Ok(Self::with_store(store, prices, clock))
    }

    /// The same over a store of one's own.
    pub fn with_store(store: Arc<dyn LedgerStore>, prices: PriceTable, clock: Arc<dyn Clock>) -> Self {
        let accounts = Accounts {
            backlog: Arc::new(Backlog::new(Arc::clone(&store))),
            store,
            pricing: Pricing::new(prices),
            watches: SharedLock::new(Arc::from([])),
            clock,
            counters: TrackerCounters::default(),
            retention: Retention::default(),
            freed: Arc::default(),
        };
        Self { accounts: Arc::new(accounts) }
    }

    /// What a call would cost, recording nothing.
    ///
    /// # Errors
    /// `InvalidArgument` where the usage contradicts itself.
    pub fn quote(&self, call: Call<'_>, who: &Arc<Attribution>) -> Result<CostRecord> {
        self.accounts.quote(call, who)
    }

    /// Writes a call into the ledger. In a file, the answer comes when it is on disk; where that takes long or fails, the
    /// record (with the id 0) is kept in memory and written later, and counts in this process's budgets until then.
    pub fn record(&self, call: Call<'_>, who: &Arc<Attribution>) -> Deferred<CostRecord> {
        self.accounts.book(call, who, None)
    }

    /// Refuses a call at once that cannot fit: where what is spent and its worst case are more than a limit. Money that
    /// running calls have set aside is not counted: see [`CostTracker::hold`].
    ///
    /// The answer fails with `BudgetExceeded`.
    pub fn admit(&self, worst: WorstCase<'_>, who: &Arc<Attribution>) -> Deferred<()> {
        let record = match self.quote(Call::new(worst.model, worst.usage), who) {
            Ok(record) => Arc::new(record),
            Err(error) => return Deferred::ready(Err(error)),
        };
        if let Err(error) = self.accounts.backlog.check() {
            return Deferred::ready(Err(error));
        }
        let (accounts, is_bounded, output) =
            (Arc::clone(&self.accounts), worst.is_output_bounded, worst.usage.output_tokens);
        self.accounts.store.admit(&record).then(move |admitted| {
            admitted.map(drop).map_err(|error| {
                accounts.counters.refused.fetch_add(1, Ordering::Relaxed);
                WorstCase::explain(is_bounded, output, error)
            })
        })
    }

    /// Sets the worst case of a call aside in every budget that covers it, or fails and changes nothing. Where only running
    /// calls are in the way it waits for them to settle, `wait` at most. Waiting needs a runtime of tokio's.
    ///
    /// The answer fails with `BudgetExceeded` where there is no room, at once where there will be none.
    pub fn hold(&self, worst: WorstCase<'_>, who: &Arc<Attribution>, wait: Duration) -> Deferred<Reservation> {
        let record = match self.quote(Call::new(worst.model, worst.usage), who) {
            Ok(record) => Arc::new(record),
            Err(error) => return Deferred::ready(Err(error)),
        };
        let (is_bounded, output, lease) = (worst.is_output_bounded, worst.usage.output_tokens, worst.lease);
        let accounts = Arc::clone(&self.accounts);
        let refuse = move |accounts: &Accounts, error| {
            accounts.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(WorstCase::explain(is_bounded, output, error))
        };
        let mut held = accounts.ask_to_hold(&record, lease);
        if held.is_ready() {
            match held.wait() {
                Ok(Held::Taken(hold)) => {
                    return Deferred::ready(Ok(Reservation::new(accounts, hold.take(), record)));
                }
                Ok(Held::InTheWay(error)) if wait.is_zero() => return Deferred::ready(refuse(&accounts, error)),
                Ok(in_the_way) => held = Deferred::ready(Ok(in_the_way)),
                Err(error) => return Deferred::ready(refuse(&accounts, error)),
            }
        }
        Deferred::of(async move {
            // `None` is no limit.
            let (until, mut record) = (Instant::now().checked_add(wait), record);
            loop {
                let freed = accounts.freed.notified();
                let error = match accounts.held(held, &record).await {
                    Ok(Held::Taken(hold)) => {
                        return Ok(Reservation::new(Arc::clone(&accounts), hold.take(), record));
                    }
                    Ok(Held::InTheWay(error)) => error,
                    Err(error) => return refuse(&accounts, error),
                };
                let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
                if left.is_zero() || tokio::runtime::Handle::try_current().is_err() {
                    return refuse(&accounts, error);
                }
                let pause = accounts.store.hear(&accounts.freed).await.unwrap_or(LOOK);
                if !pause.is_zero() {
                    let _ = tokio::time::timeout(left.min(pause), freed).await;
                }
                // A new period may have begun.
                record = Arc::new(CostRecord { time: accounts.now(), ..CostRecord::clone(&record) });
                held = accounts.ask_to_hold(&record, lease);
            }
        })
    }

    /// Sets the worst case of a call aside without waiting for room: [`CostTracker::hold`] for calls whose output is bounded.
    pub fn reserve(
        &self,
        model: &str,
        usage: &Usage,
        who: &Arc<Attribution>,
        lease: Duration,
    ) -> Deferred<Reservation> {
        self.hold(WorstCase { lease, ..WorstCase::new(model, usage) }, who, Duration::ZERO)
    }

    /// Sets a budget, or changes the limit of the one with the same scope, period and zone. What the ledger holds counts.
    pub fn set_budget(
        &self,
        budget: Budget,
        fractions: Vec<Fraction>,
        listener: Option<AlertListener>,
    ) -> Deferred<()> {
        let budget = Budget { scope: self.accounts.pricing.scope(&budget.scope), ..budget };
        if let Err(error) = budget.check() {
            return Deferred::ready(Err(error));
        }
        let identity = budget.identity();
        let mut watches = self.accounts.watches.write();
        let kept = watches.iter().filter(|watch| watch.identity != identity).cloned();
        let added = listener.map(|listener| AlertWatch { identity: identity.clone(), fractions, listener });
        *watches = kept.chain(added).collect();
        drop(watches);
        self.accounts.store.set_budget(budget, self.accounts.now())
    }

    /// Removes the budget with this scope, period and zone; whether there was one.
    pub fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        let budget = Budget { scope: self.accounts.pricing.scope(&budget.scope), ..budget };
        let identity = budget.identity();
        let mut watches = self.accounts.watches.write();
        *watches = watches.iter().filter(|watch| watch.identity != identity).cloned().collect();
        drop(watches);
        self.accounts.store.remove_budget(budget)
    }

    /// Whether the server answers that the ledger is kept on; None where it is on none.
    pub async fn reach(&self) -> Option<StoreReach> {
        self.accounts.store.reach().await.ok().flatten()
    }

    /// Every budget and how much of it is gone.
    ///
    /// The answer fails with `Store` where the file cannot be read.
    pub fn budgets(&self) -> Deferred<Vec<BudgetStatus>> {
        self.accounts.budgets()
    }

    /// Writes the records that could not be written yet; how many still wait when `patience` is over.
    pub fn flush(&self, patience: Option<Duration>) -> Deferred<usize> {
        let backlog = Arc::clone(&self.accounts.backlog);
        if backlog.len() == 0 {
            return Deferred::ready(Ok(0));
        }
        Deferred::blocking(move || Ok(backlog.flush(patience)))
    }

    /// The filter in the names that records have.
    pub(crate) fn meant(&self, filter: &Filter) -> Filter {
        Filter { scope: self.accounts.pricing.scope(&filter.scope), ..*filter }
    }

    /// All that was paid.
    ///
    /// The answer fails with `Store` where the file cannot be read.
    pub fn total(&self, filter: &Filter) -> Deferred<Money> {
        let sums = self.accounts.store.sums(&self.meant(filter), None);
        sums.then(|sums| Ok(sums?.cells.iter().fold(Money::ZERO, |sum, (_, part)| sum + part.cost)))
    }

    /// The records that pass, at most `limit`; the newest first where asked.
    ///
    /// The answer fails with `Store` where the file cannot be read.
    pub fn records(&self, filter: &Filter, limit: Option<usize>, newest_first: bool) -> Deferred<Vec<CostRecord>> {
        let (tracker, filter) = (self.clone(), filter.clone());
        Deferred::blocking(move || {
            let mut found = Vec::new();
            let most = limit.unwrap_or(usize::MAX);
            let mut next = (most > 0).then(|| tracker.first_page(&filter, newest_first));
            while let Some(asked) = next {
                let limit = Some(most - found.len());
                let page = tracker.accounts.store.page(PageRequest { limit, ..asked }).wait()?;
                found.extend(page.records);
                next = page.rest.filter(|_| found.len() < most);
            }
            Ok(found)
        })
    }

    /// Which records to read first.
    pub(crate) fn first_page(&self, filter: &Filter, newest_first: bool) -> PageRequest {
        PageRequest { filter: self.meant(filter), newest_first, ..PageRequest::default() }
    }

    /// Shows every record that passes to `see`, the oldest first, until it says no. Blocks this thread.
    ///
    /// # Errors
    /// What `see` fails with, or `Store` where the file cannot be read.
    pub fn each_record(&self, filter: &Filter, mut see: impl FnMut(CostRecord) -> Result<bool>) -> Result<()> {
        let mut next = Some(self.first_page(filter, false));
        while let Some(asked) = next {
            let page = self.accounts.store.page(asked).wait()?;
            for record in page.records {
                if !see(record)? {
                    return Ok(());
                }
            }
            next = page.rest;
        }
        Ok(())
    }

    /// Forgets the records before `time` (microseconds since 1970); how many there were. Budgets keep what they know.
    ///
    /// The answer fails with `Store` where the file cannot be written.
    pub fn purge(&self, time: i64) -> Deferred<usize> {
        self.accounts.store.purge(time)
    }

    /// Moves all records of a ledger in Redis to one in a file, each once; how many there were. Budgets keep what they know.
    /// One that was cut off is run again, into the same file.
    ///
    /// The answer fails with `Config` where the ledger is not in Redis, `Store` where either cannot be written or another
    /// process drains it.
    pub fn drain(&self, file: &std::path::Path) -> Deferred<usize> {
        match ledger::SqliteLedger::open(file) {
            Ok(archive) => self.accounts.store.drain(archive),
            Err(error) => Deferred::ready(Err(error)),
        }
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
        self.accounts.retention.next_purge.store(i64::MIN, Ordering::Relaxed);
        self.accounts.retention.length.store(micros, Ordering::Relaxed);
        Ok(())
    }

    /// Changes emission factors for the calls that follow; what is recorded keeps its own.
    ///
    /// # Errors
    /// `InvalidArgument` where a zone is unknown or a figure impossible.
    pub fn set_emission_factors(&self, change: Override) -> Result<()> {
        self.accounts.pricing.set_factors(change)
    }

    /// The emission factors that hold now.
    pub fn emission_factors(&self) -> EmissionFactors {
        self.accounts.pricing.factors()
    }

    /// The prices that hold now.
    pub fn prices(&self) -> Arc<PriceTable> {
        self.accounts.pricing.prices()
    }

    /// What was done since the tracker was opened.
    pub fn stats(&self) -> Stats {
        let counts = &self.accounts.counters;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            records: read(&counts.records),
            estimated: read(&counts.estimated),
            refused: read(&counts.refused),
            unknown_footprint: read(&counts.unknown_footprint),
            waiting: self.accounts.backlog.len() as u64,
        }
    }
}
