//! The two places where a ledger and its budgets live, behind one set of verbs.

use super::attribution::Attribution;
use super::budget::book::{Asked, Book};
use super::budget::{Budget, BudgetStatus, Spending, store as budget_store};
use super::deferred::Deferred;
use super::ledger::aggregate::{Aggregate, Cell};
use super::ledger::bucket::Buckets;
use super::ledger::filter::Filter;
use super::ledger::intern::Interner;
use super::ledger::memory::{Columns, Row, Snapshot, Stored};
use super::ledger::sqlite::{self, HOUR, Names};
use super::money::Money;
use super::record::{CostRecord, RateCard};
use crate::store::sqlite::Database;
use crate::{Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Records of a file that are read at once.
const PAGE: usize = 1 << 14;

/// Where the ledger and its budgets live.
pub(crate) enum Backend {
    Memory(Memory),
    Sqlite(Arc<Database>),
}

#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    book: Book,
    columns: Columns,
    attributions: Interner<Attribution>,
    cards: Vec<Arc<RateCard>>,
}

/// Money that is set aside. Who asked for it takes it over; if he is gone by the time the file has it (a cancelled
/// task, Ctrl-C), it is given back.
#[derive(Debug)]
pub(crate) struct Hold {
    number: u64,
    place: Option<Arc<Database>>,
}

impl Hold {
    fn new(number: u64, place: Arc<Database>) -> Self {
        Self { number, place: Some(place) }
    }

    fn taken(number: u64) -> Self {
        Self { number, place: None }
    }

    /// The number; from here on its owner gives the money back.
    pub(crate) fn take(mut self) -> u64 {
        self.place = None;
        self.number
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let number = self.number;
            drop(place.write(move |connection| budget_store::release(connection, number)));
        }
    }
}

/// A record's id, and what it did to budgets.
pub(crate) type Recorded = (u64, Vec<Spending>);

/// Records a page at a time, the oldest first.
pub(crate) struct Pages {
    filter: Filter,
    place: Place,
}

enum Place {
    Memory { blocks: std::vec::IntoIter<Snapshot>, cards: Vec<Arc<RateCard>>, attributions: Vec<Arc<Attribution>> },
    Sqlite { database: Arc<Database>, after: u64, until: u64 },
}

impl Iterator for Pages {
    type Item = Result<Vec<CostRecord>>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.place {
            Place::Memory { blocks, cards, attributions } => blocks.find_map(|block| {
                let rows = block.rows(&self.filter, cards, attributions);
                let page: Vec<_> = rows.map(|row| read(row, cards, attributions)).collect();
                (!page.is_empty()).then_some(Ok(page))
            }),
            Place::Sqlite { database, after, until } => {
                let span = (*after, *until);
                let page = database.read(|connection| sqlite::page(connection, &self.filter, span, PAGE));
                let page = page.map(|(page, last)| {
                    *after = last;
                    page
                });
                page.map(|page| (!page.is_empty()).then_some(page)).transpose()
            }
        }
    }
}

/// Sums by cell, with the names behind the numbers.
pub(crate) struct Sums {
    pub(crate) cells: Vec<(Cell, Aggregate)>,
    pub(crate) names: Names,
}

impl Backend {
    pub(crate) fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    pub(crate) fn sqlite(path: &Path) -> Result<Self> {
        Ok(Self::Sqlite(Arc::new(Database::open(path, &sqlite::SCHEMA)?)))
    }

    /// Writes a record, in place of the reservation where there is one.
    pub(crate) fn record(&self, record: &CostRecord, hold: Option<u64>, now: i64) -> Deferred<Recorded> {
        match self {
            Self::Memory(memory) => Deferred::ready(Ok(memory.record(record, hold, now))),
            Self::Sqlite(database) => {
                let mut record = record.clone();
                Deferred::waiting(database.write(move |connection| {
                    if let Some(hold) = hold {
                        budget_store::release(connection, hold)?;
                    }
                    record.id = sqlite::insert(connection, &record)?;
                    let asked = asked(&record, record.cost());
                    Ok((record.id, budget_store::spend(connection, asked, now)?))
                }))
            }
        }
    }

    pub(crate) fn reserve(&self, record: &Arc<CostRecord>, expires: i64) -> Deferred<Hold> {
        match self {
            Self::Memory(memory) => {
                let held = memory.state.lock().book.reserve(asked(record, record.amount), expires);
                Deferred::ready(held.map(Hold::taken))
            }
            Self::Sqlite(database) => {
                let record = Arc::clone(record);
                let reserve =
                    move |connection: &_| budget_store::reserve(connection, asked(&record, record.amount), expires);
                let place = Arc::clone(database);
                Deferred::waiting(database.write_then(reserve, move |number| Hold::new(number, place)))
            }
        }
    }

    pub(crate) fn release(&self, hold: u64) -> Deferred<bool> {
        match self {
            Self::Memory(memory) => Deferred::ready(Ok(memory.state.lock().book.release(hold))),
            Self::Sqlite(database) => {
                Deferred::waiting(database.write(move |connection| budget_store::release(connection, hold)))
            }
        }
    }

    pub(crate) fn extend(&self, hold: u64, expires: i64, now: i64) -> Deferred<bool> {
        match self {
            Self::Memory(memory) => Deferred::ready(Ok(memory.state.lock().book.extend(hold, expires, now))),
            Self::Sqlite(database) => Deferred::waiting(
                database.write(move |connection| budget_store::extend(connection, hold, expires, now)),
            ),
        }
    }

    pub(crate) fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        match self {
            Self::Memory(memory) => Deferred::ready(Ok(memory.state.lock().book.remove(&budget))),
            Self::Sqlite(database) => {
                Deferred::waiting(database.write(move |connection| budget_store::remove(connection, &budget)))
            }
        }
    }

    pub(crate) fn set_budget(&self, budget: Budget, now: i64) -> Deferred<()> {
        match self {
            Self::Memory(memory) => {
                memory.state.lock().set_budget(budget, now);
                Deferred::ready(Ok(()))
            }
            Self::Sqlite(database) => {
                Deferred::waiting(database.write(move |connection| budget_store::set(connection, &budget, now)))
            }
        }
    }

    pub(crate) fn budgets(&self, now: i64) -> Result<Vec<BudgetStatus>> {
        match self {
            Self::Memory(memory) => Ok(memory.state.lock().book.status(now)),
            Self::Sqlite(database) => database.write_and_wait(move |connection| budget_store::status(connection, now)),
        }
    }

    /// The sums of the records that pass, by model, attribution and span.
    pub(crate) fn sums(&self, filter: &Filter, mut buckets: Buckets) -> Result<Sums> {
        match self {
            Self::Memory(memory) => {
                let (snapshot, cards, attributions) = memory.snapshot();
                let cells = snapshot.cells(filter, &cards, &attributions, &mut buckets);
                Ok(Sums { cells, names: numbered(&cards, &attributions) })
            }
            Self::Sqlite(database) => database.read(|connection| {
                let names = sqlite::names(connection)?;
                if filter.is_aligned(HOUR) {
                    let mut cells = sqlite::hours(connection, filter, &names)?;
                    if cells.iter().all(|(cell, _)| buckets.start(cell.start) == buckets.start(cell.start + HOUR - 1)) {
                        cells.iter_mut().for_each(|(cell, _)| cell.start = buckets.start(cell.start));
                        return Ok(Sums { cells, names });
                    }
                }
                let mut cells = super::ledger::aggregate::Cells::default();
                sqlite::each_record(connection, filter, false, |record| {
                    let start = buckets.start(record.time);
                    let attribution = number_of(&names, &record.attribution)?;
                    cells.at(Cell { start, card: record.card.number, attribution }).add_record(&record);
                    Ok(true)
                })?;
                Ok(Sums { cells: cells.into_vec(), names })
            }),
        }
    }

    /// Every record that passes, the oldest first, to `see` until it says no.
    pub(crate) fn each_record(
        &self,
        filter: &Filter,
        newest_first: bool,
        mut see: impl FnMut(CostRecord) -> Result<bool>,
    ) -> Result<()> {
        match self {
            Self::Memory(memory) => {
                let (snapshot, cards, attributions) = memory.snapshot();
                let mut rows = snapshot.rows(filter, &cards, &attributions);
                let mut next = || if newest_first { rows.next_back() } else { rows.next() };
                while let Some(row) = next() {
                    if !see(read(row, &cards, &attributions))? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Sqlite(database) => {
                database.read(|connection| sqlite::each_record(connection, filter, newest_first, see))
            }
        }
    }

    /// The records that pass now, some at a time: pages are read when they are asked for.
    pub(crate) fn pages(&self, filter: Filter) -> Result<Pages> {
        let place = match self {
            Self::Memory(memory) => {
                let (snapshot, cards, attributions) = memory.snapshot();
                Place::Memory { blocks: snapshot.into_blocks(), cards, attributions }
            }
            Self::Sqlite(database) => {
                let until = database.read(sqlite::last_id)?;
                Place::Sqlite { database: Arc::clone(database), after: 0, until }
            }
        };
        Ok(Pages { filter, place })
    }

    /// The same without waiting for a file's writer.
    pub(crate) fn purge_soon(&self, time: i64) {
        match self {
            Self::Memory(memory) => drop(memory.state.lock().columns.purge(time)),
            Self::Sqlite(database) => {
                drop(database.write(move |connection| {
                    sqlite::purge(connection, time).inspect_err(|error| {
                        tracing::warn!(%error, "old records were not purged");
                    })
                }));
            }
        }
    }

    pub(crate) fn purge(&self, time: i64) -> Result<usize> {
        match self {
            Self::Memory(memory) => Ok(memory.state.lock().columns.purge(time)),
            Self::Sqlite(database) => database.write_and_wait(move |connection| sqlite::purge(connection, time)),
        }
    }
}

fn asked(record: &CostRecord, amount: Money) -> Asked<'_> {
    Asked { card: &record.card, who: &record.attribution, amount, time: record.time }
}

fn number_of(names: &Names, who: &Arc<Attribution>) -> Result<u32> {
    let found = names.attributions.iter().find(|(_, known)| *known == who);
    found
        .map(|(&number, _)| number)
        .ok_or_else(|| Error::Store("the ledger changed while it was read: try again".into()))
}

fn numbered(cards: &[Arc<RateCard>], attributions: &[Arc<Attribution>]) -> Names {
    Names {
        cards: (0..).zip(cards.iter().cloned()).collect(),
        attributions: (0..).zip(attributions.iter().cloned()).collect(),
    }
}

impl Memory {
    fn record(&self, record: &CostRecord, hold: Option<u64>, now: i64) -> Recorded {
        let mut state = self.state.lock();
        if let Some(hold) = hold {
            state.book.release(hold);
        }
        let id = state.push(record);
        let steps =
            if state.book.is_empty() { Vec::new() } else { state.book.spend(asked(record, record.cost()), now) };
        (id, steps)
    }

    fn snapshot(&self) -> (Snapshot, Vec<Arc<RateCard>>, Vec<Arc<Attribution>>) {
        let state = self.state.lock();
        (state.columns.snapshot(), state.cards.clone(), state.attributions.values().to_vec())
    }
}

fn read(row: Stored, cards: &[Arc<RateCard>], attributions: &[Arc<Attribution>]) -> CostRecord {
    CostRecord {
        id: row.id,
        time: row.time,
        card: Arc::clone(&cards[row.card as usize]),
        attribution: Arc::clone(&attributions[row.attribution as usize]),
        written_lines: None,
        usage: row.usage,
        amount: row.amount,
        cache: row.cache,
        latency_s: row.latency_s,
        attempts: row.attempts,
        told_cost: row.told_cost,
    }
}

impl State {
    fn push(&mut self, record: &CostRecord) -> u64 {
        let card = self.number(&record.card);
        let attribution = self.attributions.number(&record.attribution);
        self.columns.push(Row {
            time: record.time,
            card,
            attribution,
            usage: &record.usage,
            amount: record.amount,
            cache: record.cache,
            latency_s: record.latency_s,
            attempts: record.attempts,
            told_cost: record.told_cost,
        })
    }

    /// Entries are numbered where they are made; those that no record used yet are placeholders of themselves.
    fn number(&mut self, card: &Arc<RateCard>) -> u32 {
        let place = card.number as usize;
        if self.cards.len() <= place {
            self.cards.resize_with(place + 1, || Arc::clone(card));
        }
        if !Arc::ptr_eq(&self.cards[place], card) {
            self.cards[place] = Arc::clone(card);
        }
        card.number
    }

    fn set_budget(&mut self, budget: Budget, now: i64) {
        let mut spent: BTreeMap<i64, Money> = BTreeMap::new();
        let filter = Filter { since: Some(budget.kept(now)), until: None, scope: budget.scope.clone() };
        let snapshot = self.columns.snapshot();
        for row in snapshot.rows(&filter, &self.cards, self.attributions.values()) {
            if !row.cache.is_hit() {
                let sum = spent.entry(budget.bucket(row.time)).or_default();
                *sum += row.amount;
            }
        }
        self.book.set(budget, spent);
    }
}
