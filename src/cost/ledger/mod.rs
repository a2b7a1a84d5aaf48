//! The ledger and its budgets: one trait, kept in memory by columns, in a SQLite file, or in Redis.

pub(crate) mod aggregate;
pub(crate) mod backlog;
pub(crate) mod bucket;
pub(crate) mod filter;
mod hold;
pub(crate) mod intern;
mod memory;
mod redis;
mod sqlite;

pub use aggregate::Cell;
pub use filter::Filter;
pub use hold::{Held, Hold};
pub use memory::MemoryLedger;
pub use redis::RedisLedger;
pub(crate) use sqlite::LEDGER_SCHEMA;
pub use sqlite::SqliteLedger;

use super::attribution::Attribution;
use super::budget::{Budget, BudgetStatus, Period, Spending};
use super::deferred::Deferred;
use super::money::Money;
use super::record::{CostRecord, RateCard};
use crate::store::{Location, StoreReach};
use crate::{Error, Result};
use aggregate::Aggregate;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often a call that waits for money looks where another process tells nobody.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

/// Where records and budgets are kept. Times are microseconds since 1970.
///
/// A call is asked about twice: [`admit`](LedgerStore::admit) before it waits in line, [`hold`](LedgerStore::hold) before it is
/// made. What it did cost is booked once, by [`settle`](LedgerStore::settle).
pub trait LedgerStore: Send + Sync + Debug {
    /// Whether a call would fit if no other ran: whether a budget that refuses covers it at all. Sets nothing aside.
    ///
    /// The answer fails with `BudgetExceeded` where what is spent and this call are more than a limit.
    fn admit(&self, worst: &Arc<CostRecord>) -> Deferred<bool>;

    /// Sets the worst case of a call aside in all budgets that cover it, or in none, until `expires`.
    ///
    /// The answer fails with `BudgetExceeded` as [`admit`](LedgerStore::admit) does.
    fn hold(&self, worst: &Arc<CostRecord>, expires: i64) -> Deferred<Held>;

    /// Has `freed` told of what others free from now on. Gives how long a call that waits for that may go without a look;
    /// zero where it has begun just now, so that a look is due at once.
    fn hear(&self, _freed: &Arc<Notify>) -> Deferred<Duration> {
        Deferred::ready(Ok(LOOK))
    }

    /// Whether the server answers that it is kept on; None where it is on none.
    fn reach(&self) -> Deferred<Option<StoreReach>> {
        Deferred::ready(Ok(None))
    }

    /// Makes a hold last until `expires`; whether it had not ended yet.
    fn extend(&self, hold: u64, expires: i64, now: i64) -> Deferred<bool>;

    /// Gives a hold back; whether there was one.
    fn release(&self, hold: u64) -> Deferred<bool>;

    /// Writes a record in place of its hold, where it has one. `nonce` is drawn at random for each record: a store whose
    /// answer can be lost on the way is asked again with the same one, and writes once.
    fn settle(&self, record: &CostRecord, hold: Option<u64>, nonce: u64, now: i64) -> Deferred<Written>;

    /// Writes a record that nothing was set aside for.
    fn append(&self, record: &CostRecord, now: i64) -> Deferred<Written> {
        self.settle(record, None, rand::random(), now)
    }

    /// Sets a budget, or changes the limit of the one with the same scope, period and zone. What the ledger holds counts.
    fn set_budget(&self, budget: Budget, now: i64) -> Deferred<()>;

    /// Removes the budget with the same scope, period and zone; whether there was one.
    fn remove_budget(&self, budget: Budget) -> Deferred<bool>;

    /// Every budget and how much of it is gone; of a budget for each tenant, the part of each.
    fn budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>>;

    /// The same without ending leases that are over: also where nothing can be written.
    fn peek_budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>> {
        self.budgets(now)
    }

    /// Some of the records that pass, and how to go on.
    fn page(&self, asked: PageRequest) -> Deferred<Page>;

    /// Sums of the records that pass, by model, attribution and span of time.
    fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Deferred<Sums>;

    /// Forgets the records before a time; how many there were. Budgets keep what they know.
    fn purge(&self, before: i64) -> Deferred<usize>;

    /// Moves all records to a file; how many there were. Budgets keep what they know.
    ///
    /// The answer fails with `Config` where the ledger is on no server.
    fn drain(&self, _archive: SqliteLedger) -> Deferred<usize> {
        Deferred::ready(Err(Error::Config(
            "only a ledger in Redis is drained: other ledgers keep their records".into(),
        )))
    }
}

/// Opens the store of an address.
pub(crate) fn open(location: Location, is_machines_clock: bool) -> Result<Arc<dyn LedgerStore>> {
    Ok(match location {
        Location::Memory => Arc::new(MemoryLedger::default()),
        Location::Sqlite(path) => Arc::new(SqliteLedger::open(&path)?),
        Location::Redis(address) => Arc::new(RedisLedger::open(address, "default", is_machines_clock)?),
    })
}

/// A record's id, and what it did to budgets.
#[derive(Debug, Clone)]
pub struct Written {
    /// The number of the record.
    pub id: u64,
    /// What was spent of each budget before and after.
    pub steps: Vec<Spending>,
}

/// Which records to read.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Those that pass.
    pub filter: Filter,
    /// The newest first.
    pub newest_first: bool,
    /// The most of them at once; the store may give fewer.
    pub limit: Option<usize>,
    /// Only ids in this span, both ends in it; `None` is all that there is now.
    pub ids: Option<(u64, u64)>,
}

impl PageRequest {
    /// What is left after the record `last`, of ids up to `newest`.
    fn after(self, last: u64, (first, newest): (u64, u64)) -> Self {
        let ids = if self.newest_first { (first, last.saturating_sub(1)) } else { (last + 1, newest) };
        Self { ids: Some(ids), ..self }
    }
}

/// Some records.
#[derive(Debug, Default)]
pub struct Page {
    /// The records, in the order asked for.
    pub records: Vec<CostRecord>,
    /// How to go on; `None` where there is no more.
    pub rest: Option<PageRequest>,
}

/// Sums by cell, with the names behind the numbers.
#[derive(Debug, Default)]
pub struct Sums {
    /// The sums.
    pub cells: Vec<(Cell, Aggregate)>,
    /// Models by number.
    pub cards: HashMap<u32, Arc<RateCard>>,
    /// Attributions by number.
    pub attributions: HashMap<u32, Arc<Attribution>>,
}

/// The call that a budget is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) card: &'a Arc<RateCard>,
    pub(crate) who: &'a Arc<Attribution>,
    pub(crate) amount: Money,
    pub(crate) time: i64,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(record: &'a CostRecord, amount: Money) -> Self {
        Self { card: &record.card, who: &record.attribution, amount, time: record.time }
    }

    /// Whether a budget covers the call.
    pub(crate) fn is_for(&self, budget: &Budget) -> bool {
        budget.scope.covers(&self.card.provider, &self.card.model, self.who)
    }
}
