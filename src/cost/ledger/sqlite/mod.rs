//! The ledger in a SQLite file, which processes may share.

mod budgets;
mod tables;
mod whole;

use super::bucket::{Buckets, HOUR};
use super::hold::{Held, Hold, Returns};
use super::{Asked, LedgerStore, Page, PageRequest, Sums, Written};
use crate::Result;
use crate::cost::budget::{Budget, BudgetStatus, Period};
use crate::cost::deferred::Deferred;
use crate::cost::ledger::aggregate::{Cell, Cells};
use crate::cost::ledger::filter::Filter;
use crate::cost::record::CostRecord;
use crate::store::sqlite::Database;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
pub(crate) use tables::SCHEMA as LEDGER_SCHEMA;

/// The most records of a page.
const PAGE: usize = 1 << 14;

/// A ledger in a file.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    file: Arc<Database>,
}

impl SqliteLedger {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// `Store` where the file cannot be opened, is no ledger, or is not what was written to it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Database::open(path, &LEDGER_SCHEMA)?;
        whole::look(&file)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// Writes records that were drained from the ledger of that name, in the order of their numbers there: those that are here
    /// already are not written again.
    pub(crate) fn take_in(&self, ledger: String, records: Vec<CostRecord>) -> Deferred<()> {
        self.write(move |connection| tables::take_in(connection, &ledger, &records))
    }

    fn write<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Deferred<T> {
        Deferred::received(self.file.write(work))
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Deferred<T> {
        let file = Arc::clone(&self.file);
        Deferred::blocking(move || file.read(work))
    }
}

impl Returns for SqliteLedger {
    fn give_back(&self, hold: u64) {
        drop(self.file.write(move |connection| budgets::release(connection, hold)));
    }
}

impl LedgerStore for SqliteLedger {
    fn admit(&self, worst: &Arc<CostRecord>) -> Deferred<bool> {
        let worst = Arc::clone(worst);
        self.read(move |connection| budgets::admit(connection, Asked::new(&worst, worst.amount)))
    }

    fn hold(&self, worst: &Arc<CostRecord>, expires: i64) -> Deferred<Held> {
        let (worst, place) = (Arc::clone(worst), self.clone());
        let reserve =
            move |connection: &Connection| budgets::reserve(connection, Asked::new(&worst, worst.amount), expires);
        // Where nobody waits any more when the file has it (a cancelled task, Ctrl-C), dropping it gives it back.
        Deferred::received(self.file.write_then(reserve, move |reserved| match reserved {
            Ok(number) => Held::Taken(Hold::new(number, Arc::new(place))),
            Err(error) => Held::InTheWay(error),
        }))
    }

    fn extend(&self, hold: u64, expires: i64, now: i64) -> Deferred<bool> {
        self.write(move |connection| budgets::extend(connection, hold, expires, now))
    }

    fn release(&self, hold: u64) -> Deferred<bool> {
        self.write(move |connection| budgets::release(connection, hold))
    }

    fn settle(&self, record: &CostRecord, hold: Option<u64>, _nonce: u64, now: i64) -> Deferred<Written> {
        let record = record.clone();
        self.write(move |connection| {
            if let Some(hold) = hold {
                budgets::release(connection, hold)?;
            }
            let id = tables::insert(connection, &record)?;
            let steps = budgets::spend(connection, Asked::new(&record, record.cost()), now)?;
            Ok(Written { id, steps })
        })
    }

    fn set_budget(&self, budget: Budget, now: i64) -> Deferred<()> {
        self.write(move |connection| budgets::set(connection, &budget, now))
    }

    fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        self.write(move |connection| budgets::remove(connection, &budget))
    }

    fn budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>> {
        self.write(move |connection| {
            budgets::lapse(connection, now)?;
            budgets::status(connection, now)
        })
    }

    fn peek_budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>> {
        self.read(move |connection| budgets::status(connection, now))
    }

    fn page(&self, asked: PageRequest) -> Deferred<Page> {
        self.read(move |connection| {
            let ids = match asked.ids {
                Some(ids) => ids,
                None => (0, tables::last_id(connection)?),
            };
            let most = asked.limit.unwrap_or(PAGE).min(PAGE);
            let records = tables::page(connection, &asked.filter, ids, most, asked.newest_first)?;
            let last = records.last().map(|record| record.id);
            let rest = last.filter(|_| records.len() == most).map(|last| asked.after(last, ids));
            Ok(Page { records, rest })
        })
    }

    fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Deferred<Sums> {
        let filter = filter.clone();
        self.read(move |connection| sums(connection, &filter, Buckets::new(span)))
    }

    fn purge(&self, before: i64) -> Deferred<usize> {
        self.write(move |connection| tables::purge(connection, before))
    }
}

fn sums(connection: &Connection, filter: &Filter, mut buckets: Buckets) -> Result<Sums> {
    let names = tables::names(connection)?;
    if filter.is_aligned(HOUR) {
        let mut cells = tables::hours(connection, filter, &names)?;
        if cells.iter().all(|(cell, _)| buckets.start(cell.start) == buckets.start(cell.start + HOUR - 1)) {
            cells.iter_mut().for_each(|(cell, _)| cell.start = buckets.start(cell.start));
            return Ok(Sums { cells, cards: names.cards, attributions: names.attributions });
        }
    }
    let mut cells = Cells::default();
    tables::each_record(connection, filter, |record| {
        let start = buckets.start(record.time);
        let attribution = names.number_of(&record.attribution)?;
        cells.at(Cell { start, card: record.card.number, attribution }).add_record(&record);
        Ok(())
    })?;
    Ok(Sums { cells: cells.into_vec(), cards: names.cards, attributions: names.attributions })
}
