//! The ledger in memory: columns of records, and a book of budgets, under one lock.

mod book;
mod columns;

use super::bucket::Buckets;
use super::hold::{Held, Hold, Returns};
use super::intern::Interner;
use super::{Asked, LedgerStore, Page, PageRequest, Sums, Written};
use crate::cost::attribution::Attribution;
use crate::cost::budget::{Budget, BudgetStatus, Period};
use crate::cost::deferred::Deferred;
use crate::cost::ledger::filter::Filter;
use crate::cost::record::{CostRecord, RateCard};
use crate::lock::Lock;
use book::Book;
use columns::{ColumnSnapshot, Columns, RecordRow, StoredRecord};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// The most records of a page: a block of the columns.
const PAGE: usize = 1 << 16;

/// A ledger that ends with its process.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    contents: Lock<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    book: Book,
    columns: Columns,
    attributions: Interner<Attribution>,
    cards: Vec<Arc<RateCard>>,
}

impl Returns for Shared {
    fn give_back(&self, hold: u64) {
        self.contents.lock().book.release(hold);
    }
}

impl LedgerStore for MemoryLedger {
    fn admit(&self, worst: &Arc<CostRecord>) -> Deferred<bool> {
        Deferred::ready(self.shared.contents.lock().book.admit(Asked::new(worst, worst.amount)))
    }

    fn hold(&self, worst: &Arc<CostRecord>, expires: i64) -> Deferred<Held> {
        let reserved = self.shared.contents.lock().book.reserve(Asked::new(worst, worst.amount), expires);
        let place = Arc::clone(&self.shared);
        Deferred::ready(reserved.map(|reserved| match reserved {
            Ok(number) => Held::Taken(Hold::new(number, place)),
            Err(error) => Held::InTheWay(error),
        }))
    }

    fn extend(&self, hold: u64, expires: i64, now: i64) -> Deferred<bool> {
        Deferred::ready(Ok(self.shared.contents.lock().book.extend(hold, expires, now)))
    }

    fn release(&self, hold: u64) -> Deferred<bool> {
        Deferred::ready(Ok(self.shared.contents.lock().book.release(hold)))
    }

    fn settle(&self, record: &CostRecord, hold: Option<u64>, _nonce: u64, now: i64) -> Deferred<Written> {
        let mut contents = self.shared.contents.lock();
        if let Some(hold) = hold {
            contents.book.release(hold);
        }
        let id = contents.push(record);
        let book = &mut contents.book;
        let steps = if book.is_empty() { Vec::new() } else { book.spend(Asked::new(record, record.cost()), now) };
        Deferred::ready(Ok(Written { id, steps }))
    }

    fn set_budget(&self, budget: Budget, now: i64) -> Deferred<()> {
        self.shared.contents.lock().set_budget(budget, now);
        Deferred::ready(Ok(()))
    }

    fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        Deferred::ready(Ok(self.shared.contents.lock().book.remove(&budget)))
    }

    fn budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>> {
        Deferred::ready(Ok(self.shared.contents.lock().book.status(now)))
    }

    fn page(&self, asked: PageRequest) -> Deferred<Page> {
        let shared = Arc::clone(&self.shared);
        Deferred::blocking(move || Ok(shared.page(asked)))
    }

    fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Deferred<Sums> {
        let (shared, filter) = (Arc::clone(&self.shared), filter.clone());
        Deferred::blocking(move || Ok(shared.sums(&filter, span)))
    }

    fn purge(&self, before: i64) -> Deferred<usize> {
        Deferred::ready(Ok(self.shared.contents.lock().columns.purge(before)))
    }
}

impl Shared {
    fn snapshot(&self) -> (ColumnSnapshot, Vec<Arc<RateCard>>, Vec<Arc<Attribution>>) {
        let contents = self.contents.lock();
        (contents.columns.snapshot(), contents.cards.clone(), contents.attributions.values().to_vec())
    }

    fn page(&self, asked: PageRequest) -> Page {
        let (snapshot, cards, attributions) = self.snapshot();
        let ids = asked.ids.unwrap_or((0, snapshot.newest()));
        let most = asked.limit.unwrap_or(PAGE).min(PAGE);
        let mut rows = snapshot.rows(&asked.filter, ids, &cards, &attributions);
        let mut next = || if asked.newest_first { rows.next_back() } else { rows.next() };
        let mut records = Vec::new();
        while records.len() < most
            && let Some(row) = next()
        {
            records.push(read(row, &cards, &attributions));
        }
        drop(rows);
        let last = records.last().map(|record: &CostRecord| record.id);
        let rest = last.filter(|_| records.len() == most).map(|last| asked.after(last, ids));
        Page { records, rest }
    }

    fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Sums {
        let (snapshot, cards, attributions) = self.snapshot();
        let cells = snapshot.cells(filter, &cards, &attributions, &mut Buckets::new(span));
        Sums { cells, cards: (0..).zip(cards).collect(), attributions: (0..).zip(attributions).collect() }
    }
}

fn read(row: StoredRecord, cards: &[Arc<RateCard>], attributions: &[Arc<Attribution>]) -> CostRecord {
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
        saved_by_route: row.saved_by_route,
    }
}

impl Contents {
    fn push(&mut self, record: &CostRecord) -> u64 {
        let card = self.number(&record.card);
        let attribution = self.attributions.number(&record.attribution);
        self.columns.push(RecordRow {
            time: record.time,
            card,
            attribution,
            usage: &record.usage,
            amount: record.amount,
            cache: record.cache,
            latency_s: record.latency_s,
            attempts: record.attempts,
            told_cost: record.told_cost,
            saved_by_route: record.saved_by_route,
        })
    }

    /// Cards are numbered where they are made; those that no record used yet are placeholders of themselves.
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
        let filter = Filter { since: Some(budget.kept(now)), until: None, scope: budget.scope.clone() };
        let snapshot = self.columns.snapshot();
        let rows = snapshot.rows(&filter, (0, u64::MAX), &self.cards, self.attributions.values());
        let paid = rows.filter(|row| !row.cache.is_hit());
        let spent = paid.map(|row| {
            let who = Arc::clone(&self.attributions.values()[row.attribution as usize]);
            (who, budget.bucket(row.time), row.amount)
        });
        let spent: Vec<_> = spent.collect();
        self.book.set(budget, spent);
    }
}
