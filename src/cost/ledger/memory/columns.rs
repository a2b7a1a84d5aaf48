//! The ledger in memory: records by columns, in blocks that are never changed once full.
//!
//! A record takes 66 bytes, and a full usage on the side where it has more than plain, cached and generated
//! tokens, the provider told its cost, or a route saved some.

use crate::cost::attribution::Attribution;
use crate::cost::ledger::aggregate::{Aggregate, Cell, Cells};
use crate::cost::ledger::bucket::Buckets;
use crate::cost::ledger::filter::Filter;
use crate::cost::money::Money;
use crate::cost::record::{CacheUse, RateCard};
use crate::usage::Usage;
use std::sync::Arc;

const BLOCK: usize = 1 << 16;
/// No usage on the side.
const PLAIN: u32 = u32::MAX;

/// What is appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordRow<'a> {
    pub(crate) time: i64,
    pub(crate) card: u32,
    pub(crate) attribution: u32,
    pub(crate) usage: &'a Usage,
    pub(crate) amount: Money,
    pub(crate) cache: CacheUse,
    pub(crate) latency_s: Option<f64>,
    pub(crate) attempts: u32,
    pub(crate) told_cost: Option<Money>,
    pub(crate) saved_by_route: Option<Money>,
}

/// A record as it is read back.
#[derive(Debug, Clone)]
pub(crate) struct StoredRecord {
    pub(crate) id: u64,
    pub(crate) time: i64,
    pub(crate) card: u32,
    pub(crate) attribution: u32,
    pub(crate) usage: Usage,
    pub(crate) amount: Money,
    pub(crate) cache: CacheUse,
    pub(crate) latency_s: Option<f64>,
    pub(crate) attempts: u32,
    pub(crate) told_cost: Option<Money>,
    pub(crate) saved_by_route: Option<Money>,
}

/// What does not fit into the columns.
#[derive(Debug, Clone, Copy)]
struct Detail {
    usage: Usage,
    told_cost: Option<Money>,
    saved_by_route: Option<Money>,
}

#[derive(Debug, Clone, Default)]
struct RecordBlock {
    id: Vec<u64>,
    time: Vec<i64>,
    card: Vec<u32>,
    attribution: Vec<u32>,
    input: Vec<u32>,
    cached: Vec<u32>,
    output: Vec<u32>,
    detail: Vec<u32>,
    amount: Vec<Money>,
    latency_s: Vec<f64>,
    cache: Vec<u8>,
    attempts: Vec<u8>,
    details: Vec<Detail>,
    first: i64,
    last: i64,
}

/// The blocks; the last one grows.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    full: Vec<Arc<RecordBlock>>,
    tail: RecordBlock,
    next: u64,
}

/// The records at one moment; reading it needs no lock.
#[derive(Debug, Clone)]
pub(crate) struct ColumnSnapshot {
    blocks: Vec<Arc<RecordBlock>>,
}

fn plain(usage: &Usage) -> Option<(u32, u32, u32)> {
    let small = |count: u64| u32::try_from(count).ok();
    let (input, cached, output) =
        (small(usage.input_tokens)?, small(usage.cached_input_tokens)?, small(usage.output_tokens)?);
    (*usage == rebuilt(input, cached, output)).then_some((input, cached, output))
}

fn rebuilt(input: u32, cached: u32, output: u32) -> Usage {
    Usage {
        input_tokens: u64::from(input),
        cached_input_tokens: u64::from(cached),
        output_tokens: u64::from(output),
        ..Usage::default()
    }
}

impl RecordBlock {
    fn push(&mut self, id: u64, row: RecordRow<'_>) {
        let plain = plain(row.usage).filter(|_| row.told_cost.is_none() && row.saved_by_route.is_none());
        let ((input, cached, output), detail) = plain.map_or_else(
            || {
                self.details.push(Detail {
                    usage: *row.usage,
                    told_cost: row.told_cost,
                    saved_by_route: row.saved_by_route,
                });
                ((0, 0, 0), self.details.len() as u32 - 1)
            },
            |tokens| (tokens, PLAIN),
        );
        self.detail.push(detail);
        if self.id.is_empty() {
            (self.first, self.last) = (row.time, row.time);
        }
        self.first = self.first.min(row.time);
        self.last = self.last.max(row.time);
        self.id.push(id);
        self.time.push(row.time);
        self.card.push(row.card);
        self.attribution.push(row.attribution);
        self.input.push(input);
        self.cached.push(cached);
        self.output.push(output);
        self.amount.push(row.amount);
        self.latency_s.push(row.latency_s.unwrap_or(f64::NAN));
        self.cache.push(row.cache.number());
        self.attempts.push(row.attempts.min(255) as u8);
    }

    /// Input, cached and generated tokens.
    fn tokens(&self, at: usize) -> (u64, u64, u64) {
        match self.detail[at] {
            PLAIN => (u64::from(self.input[at]), u64::from(self.cached[at]), u64::from(self.output[at])),
            place => {
                let usage = &self.details[place as usize].usage;
                (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
            }
        }
    }

    fn latency(&self, at: usize) -> Option<f64> {
        Some(self.latency_s[at]).filter(|seconds| !seconds.is_nan())
    }

    fn read(&self, at: usize) -> StoredRecord {
        let detail = match self.detail[at] {
            PLAIN => Detail {
                usage: rebuilt(self.input[at], self.cached[at], self.output[at]),
                told_cost: None,
                saved_by_route: None,
            },
            place => self.details[place as usize],
        };
        StoredRecord {
            id: self.id[at],
            time: self.time[at],
            card: self.card[at],
            attribution: self.attribution[at],
            usage: detail.usage,
            amount: self.amount[at],
            cache: CacheUse::from_number(self.cache[at]),
            latency_s: self.latency(at),
            attempts: u32::from(self.attempts[at]),
            told_cost: detail.told_cost,
            saved_by_route: detail.saved_by_route,
        }
    }

    /// Ids rise from record to record.
    fn overlaps(&self, (first, last): (u64, u64)) -> bool {
        self.id.first().is_some_and(|&id| id <= last) && self.id.last().is_some_and(|&id| id >= first)
    }

    fn may_hold(&self, filter: &Filter) -> bool {
        filter.since.is_none_or(|since| self.last >= since) && filter.until.is_none_or(|until| self.first < until)
    }
}

impl Columns {
    /// Appends a record and gives its id.
    pub(crate) fn push(&mut self, row: RecordRow<'_>) -> u64 {
        self.next += 1;
        self.tail.push(self.next, row);
        if self.tail.id.len() == BLOCK {
            self.full.push(Arc::new(std::mem::take(&mut self.tail)));
        }
        self.next
    }

    pub(crate) fn len(&self) -> usize {
        self.full.iter().map(|block| block.id.len()).sum::<usize>() + self.tail.id.len()
    }

    /// What is recorded now: full blocks are shared, the growing one is copied.
    pub(crate) fn snapshot(&self) -> ColumnSnapshot {
        let mut blocks = self.full.clone();
        blocks.push(Arc::new(self.tail.clone()));
        ColumnSnapshot { blocks }
    }

    /// Forgets the records before `time`; how many there were.
    pub(crate) fn purge(&mut self, time: i64) -> usize {
        let before = self.len();
        let mut blocks = std::mem::take(&mut self.full);
        blocks.push(Arc::new(std::mem::take(&mut self.tail)));
        for block in blocks {
            if block.id.len() == BLOCK && block.first >= time {
                self.full.push(block);
                continue;
            }
            for at in (0..block.id.len()).filter(|&at| block.time[at] >= time) {
                let stored = block.read(at);
                self.tail.push(stored.id, stored.as_row());
                if self.tail.id.len() == BLOCK {
                    self.full.push(Arc::new(std::mem::take(&mut self.tail)));
                }
            }
        }
        before - self.len()
    }
}

impl StoredRecord {
    fn as_row(&self) -> RecordRow<'_> {
        RecordRow {
            time: self.time,
            card: self.card,
            attribution: self.attribution,
            usage: &self.usage,
            amount: self.amount,
            cache: self.cache,
            latency_s: self.latency_s,
            attempts: self.attempts,
            told_cost: self.told_cost,
            saved_by_route: self.saved_by_route,
        }
    }
}

impl ColumnSnapshot {
    /// The id of the newest record; zero where there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.blocks.iter().rev().find_map(|block| block.id.last().copied()).unwrap_or(0)
    }

    /// Every record that passes, the newest last.
    pub(crate) fn rows<'a>(
        &'a self,
        filter: &'a Filter,
        ids: (u64, u64),
        cards: &'a [Arc<RateCard>],
        attributions: &'a [Arc<Attribution>],
    ) -> impl DoubleEndedIterator<Item = StoredRecord> + 'a {
        let open = filter.scope == crate::cost::budget::Scope::default();
        let blocks = self.blocks.iter().filter(move |block| block.may_hold(filter) && block.overlaps(ids));
        blocks.flat_map(move |block| {
            (0..block.id.len())
                .filter(move |&at| {
                    let card = &cards[block.card[at] as usize];
                    let who = &attributions[block.attribution[at] as usize];
                    (ids.0..=ids.1).contains(&block.id[at])
                        && filter.holds(block.time[at])
                        && (open || filter.covers(&card.provider, &card.model, who))
                })
                .map(|at| block.read(at))
        })
    }

    /// The sums of the records that pass, by model, attribution and span of time.
    pub(crate) fn cells(
        &self,
        filter: &Filter,
        cards: &[Arc<RateCard>],
        attributions: &[Arc<Attribution>],
        buckets: &mut Buckets,
    ) -> Vec<(Cell, Aggregate)> {
        let mut cells = Cells::default();
        let bounded = filter.since.is_some() || filter.until.is_some();
        for block in self.blocks.iter().filter(|block| block.may_hold(filter)) {
            for at in 0..block.id.len() {
                if bounded && !filter.holds(block.time[at]) {
                    continue;
                }
                let start = buckets.start(block.time[at]);
                let cell = Cell { start, card: block.card[at], attribution: block.attribution[at] };
                block.add_to(at, &cards[cell.card as usize], cells.at(cell));
            }
        }
        let mut sums = cells.into_vec();
        sums.retain(|(cell, _)| {
            let card = &cards[cell.card as usize];
            filter.covers(&card.provider, &card.model, &attributions[cell.attribution as usize])
        });
        sums
    }
}

impl RecordBlock {
    fn add_to(&self, at: usize, card: &RateCard, sum: &mut Aggregate) {
        let (input, cached, output) = self.tokens(at);
        let hit = self.cache[at] != CacheUse::Miss.number();
        sum.add(card, hit, (input, cached, output), self.amount[at], self.latency(at));
        if self.detail[at] != PLAIN && !hit {
            sum.saved += self.details[self.detail[at] as usize].saved_by_route.unwrap_or(Money::ZERO);
        }
    }
}
