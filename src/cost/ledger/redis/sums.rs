//! Sums of the records, kept in this process by the hour and brought up to date with each question.

use super::LedgerPlace;
use crate::Result;
use crate::cost::attribution::Attribution;
use crate::cost::budget::Period;
use crate::cost::ledger::Sums;
use crate::cost::ledger::aggregate::{Aggregate, Cell};
use crate::cost::ledger::bucket::{Buckets, HOUR};
use crate::cost::ledger::filter::Filter;
use crate::cost::ledger::intern::Interner;
use crate::cost::record::{CostRecord, RateCard};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Sums by model, attribution and span of time, of the records up to a number.
#[derive(Debug, Default)]
pub(super) struct LedgerTally {
    /// The last record that is in it.
    last: u64,
    /// How often records had been forgotten then.
    forgotten: u64,
    cards: Vec<Arc<RateCard>>,
    numbers: HashMap<String, u32>,
    attributions: Interner<Attribution>,
    cells: BTreeMap<(i64, u32, u32), Aggregate>,
}

impl LedgerTally {
    fn add(&mut self, record: &CostRecord, start: i64) {
        let card = self.number(&record.card);
        let attribution = self.attributions.number(&record.attribution);
        self.cells.entry((start, card, attribution)).or_default().add_record(record);
        self.last = record.id;
    }

    /// The number of a card: those that say the same are one.
    fn number(&mut self, card: &Arc<RateCard>) -> u32 {
        let footprint = serde_json::to_string(&card.footprint).unwrap_or_default();
        let estimated = card.estimated.number();
        let name = [&card.provider, &card.model, &card.version, &card.zone, &footprint];
        let name = format!("{estimated} {name:?}");
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let number = self.cards.len() as u32;
        self.numbers.insert(name, number);
        self.cards.push(Arc::clone(card));
        number
    }

    fn covers(&self, filter: &Filter, card: u32, attribution: u32) -> bool {
        let card = &self.cards[card as usize];
        filter.covers(&card.provider, &card.model, &self.attributions.values()[attribution as usize])
    }

    /// The sums of the hours that pass; nothing where a span of time cuts one.
    fn hours(&self, filter: &Filter, mut buckets: Buckets) -> Option<Sums> {
        let mut cells = Vec::new();
        for (&(hour, card, attribution), sum) in &self.cells {
            if filter.holds(hour) && self.covers(filter, card, attribution) {
                let start = buckets.start(hour);
                if start != buckets.start(hour + HOUR - 1) {
                    return None;
                }
                cells.push((Cell { start, card, attribution }, *sum));
            }
        }
        Some(self.with_names(cells))
    }

    fn with_names(&self, cells: Vec<(Cell, Aggregate)>) -> Sums {
        let attributions = self.attributions.values().iter().cloned();
        Sums {
            cells,
            cards: (0..).zip(self.cards.iter().cloned()).collect(),
            attributions: (0..).zip(attributions).collect(),
        }
    }
}

impl LedgerPlace {
    fn tally(&self) -> Arc<tokio::sync::Mutex<LedgerTally>> {
        let mut tally = self.tally.lock();
        if tally.0 != crate::process::id() {
            // The parent's may have been locked by a thread that is not here.
            *tally = (crate::process::id(), Arc::default());
        }
        Arc::clone(&tally.1)
    }

    pub(super) async fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Result<Sums> {
        if filter.is_aligned(HOUR) {
            let tally = self.tally();
            let mut tally = tally.lock().await;
            self.bring_up_to_date(&mut tally).await?;
            if let Some(sums) = tally.hours(filter, Buckets::new(span.clone())) {
                return Ok(sums);
            }
        }
        let (mut tally, mut buckets) = (LedgerTally::default(), Buckets::new(span));
        loop {
            let batch = self.batch((tally.last + 1, None), false).await?;
            let Some(last) = batch.records.last().map(|record| record.id) else { break };
            for record in &batch.records {
                let card = &record.card;
                if filter.holds(record.time) && filter.covers(&card.provider, &card.model, &record.attribution) {
                    tally.add(record, buckets.start(record.time));
                }
            }
            tally.last = last;
            if !batch.is_full {
                break;
            }
        }
        let cells = tally.cells.iter();
        let cells = cells.map(|(&(start, card, attribution), sum)| (Cell { start, card, attribution }, *sum)).collect();
        Ok(tally.with_names(cells))
    }

    /// Takes in what was booked since; all anew, where something was forgotten.
    async fn bring_up_to_date(&self, tally: &mut LedgerTally) -> Result<()> {
        loop {
            let batch = self.batch((tally.last + 1, None), false).await?;
            if batch.forgotten != tally.forgotten || batch.newest < tally.last {
                *tally = LedgerTally { forgotten: batch.forgotten, ..LedgerTally::default() };
                if batch.newest > 0 {
                    continue;
                }
            }
            for record in &batch.records {
                tally.add(record, record.time.div_euclid(HOUR) * HOUR);
            }
            if !batch.is_full {
                return Ok(());
            }
        }
    }
}
