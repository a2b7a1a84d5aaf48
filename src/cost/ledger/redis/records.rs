//! Records are read, and forgotten.

use super::ask::damaged;
use super::{LedgerPlace, PATIENCE, RECORDS, strange};
use crate::Result;
use crate::cost::ledger::{Page, PageRequest};
use crate::cost::record::CostRecord;
use crate::store::redis::{Arguments, int_of, list_of, text_of};
use redis::Value;

/// The most records that are read at once.
pub(super) const BATCH: usize = 1000;

/// Some records, in the order asked for.
pub(super) struct Batch {
    /// The number of the newest record.
    pub(super) newest: u64,
    /// How often records were forgotten.
    pub(super) forgotten: u64,
    pub(super) records: Vec<CostRecord>,
    /// Whether there may be more.
    pub(super) is_full: bool,
}

fn number(value: &Value) -> Result<u64> {
    text_of(value)?.parse().map_err(|_| strange())
}

impl LedgerPlace {
    /// The first of the records with numbers in a span, up to the newest where it has no end.
    pub(super) async fn batch(&self, (first, last): (u64, Option<u64>), newest_first: bool) -> Result<Batch> {
        let arguments = Arguments::default().text("").text("page").int(first).maybe(last).int(BATCH).flag(newest_first);
        let reply = self.run(&RECORDS, &arguments, PATIENCE).await?;
        let [newest, forgotten, page] = list_of(&reply)? else { return Err(strange()) };
        let mut records = Vec::new();
        for [id, json] in list_of(page)?.as_chunks::<2>().0 {
            let id = number(id)?;
            let record = CostRecord::from_json(text_of(json)?).map_err(|_| damaged(id))?;
            records.push(CostRecord { id, ..record });
        }
        let is_full = records.len() == BATCH;
        Ok(Batch { newest: number(newest)?, forgotten: number(forgotten)?, records, is_full })
    }

    pub(super) async fn page(&self, asked: PageRequest) -> Result<Page> {
        let most = asked.limit.unwrap_or(BATCH).min(BATCH);
        let (first, last) = asked.ids.map_or((0, None), |(first, last)| (first, Some(last)));
        if asked.ids.is_some_and(|(first, last)| first > last) {
            return Ok(Page::default());
        }
        let batch = self.batch((first, last), asked.newest_first).await?;
        let ids = (first, last.unwrap_or(batch.newest));
        let (mut records, mut seen) = (Vec::new(), None);
        let count = batch.records.len();
        for (at, record) in batch.records.into_iter().enumerate() {
            if records.len() == most {
                break;
            }
            seen = Some((record.id, at + 1));
            let filter = &asked.filter;
            if filter.holds(record.time)
                && filter.covers(&record.card.provider, &record.card.model, &record.attribution)
            {
                records.push(record);
            }
        }
        // What was not looked at, or lies behind what was read.
        let rest = seen.filter(|(_, looked_at)| batch.is_full || *looked_at < count);
        let rest = rest.map(|(last, _)| asked.after(last, ids));
        Ok(Page { records, rest })
    }

    /// Forgets records until there are none to forget; how many there were.
    pub(super) async fn forget(&self, arguments: Arguments) -> Result<usize> {
        let arguments = Arguments::default().text("").all(&arguments);
        let mut gone = 0;
        loop {
            let reply = self.run(&RECORDS, &arguments, PATIENCE).await?;
            let [_, _, count] = list_of(&reply)? else { return Err(strange()) };
            let count = usize::try_from(int_of(count)?).map_err(|_| strange())?;
            gone += count;
            if count < BATCH {
                return Ok(gone);
            }
        }
    }
}
