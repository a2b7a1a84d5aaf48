//! The ledger in a SQLite file: tables, and how a record is written and read.
//!
//! Money is two integers, nanodollars and the attodollars below them, so that SQLite sums it exactly. Beside each record an
//! hourly sum by model and attribution is kept in the same transaction: summaries read those.

use super::whole;
use crate::cost::attribution::Attribution;
use crate::cost::carbon::Range;
use crate::cost::ledger::aggregate::{Aggregate, Cell};
use crate::cost::ledger::bucket::HOUR;
use crate::cost::ledger::filter::Filter;
use crate::cost::money::Money;
use crate::cost::record::{CacheUse, CostRecord, Estimated, RateCard};
use crate::store::sqlite::{Change, Schema, Step};
use crate::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The columns that a record is read from.
const RECORD: &str =
    "record.id, time, entry, attribution, usage, lines, record.nano, record.atto, cache, latency, attempts,
    told.nano, told.atto, routed.nano, routed.atto, record.sum IS row_sum('record', record.id, time, entry, attribution,
    usage, lines, record.nano, record.atto, cache, latency, attempts)";
/// The tables that have them.
const RECORDS: &str = "record LEFT JOIN told ON told.record = record.id LEFT JOIN routed ON routed.record = record.id";
/// The columns that an hour is read from, in the order of its table.
pub(super) const HOUR_COLUMNS: &str = "start, entry, attribution, calls, cache_hits, estimated, input_tokens, cached_input_tokens, output_tokens, \
     cost_nano, cost_atto, saved_nano, saved_atto, energy_min, energy_max, co2e_min, co2e_max, avoided_min, avoided_max, \
     unknown_footprint";
const ATTO_PER_NANO: i128 = 1_000_000_000;

/// Its id is "hrld" in ASCII. What version 3 added are tables of their own, made where they are missing: an earlier
/// headrace would pass by their limits. Version 4 added a sum to every row.
pub(crate) const SCHEMA: Schema = Schema {
    steps: &[Step { from: 2, change: Change::Sql("") }, Step { from: 3, change: Change::Code(whole::from_version_3) }],
    check: Some(whole::check),
    mend: Some(whole::mend),
    ..Schema::of("costs", 0x6872_6c64, 4, include_str!("schema.sql"))
};

/// Nanodollars and the attodollars below them; both at least as large as zero where the money is.
pub(crate) fn split(money: Money) -> Result<(i64, i64)> {
    let atto = money.attodollars();
    let nano = i64::try_from(atto.div_euclid(ATTO_PER_NANO))
        .map_err(|_| Error::invalid(format!("${money} is more than a ledger holds: split the call")))?;
    Ok((nano, atto.rem_euclid(ATTO_PER_NANO) as i64))
}

pub(crate) fn join(nano: i64, atto: i64) -> Money {
    Money::from_attodollars(i128::from(nano) * ATTO_PER_NANO + i128::from(atto))
}

/// Models and attributions by the number that records use.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    pub(crate) cards: HashMap<u32, Arc<RateCard>>,
    pub(crate) attributions: HashMap<u32, Arc<Attribution>>,
}

impl Dictionary {
    /// The number of an attribution.
    pub(crate) fn number_of(&self, who: &Arc<Attribution>) -> Result<u32> {
        let found = self.attributions.iter().find(|(_, known)| *known == who);
        let changed = || Error::Store("the ledger changed while it was read: try again".into());
        found.map(|(&number, _)| number).ok_or_else(changed)
    }

    fn covers(&self, filter: &Filter, card: u32, attribution: u32) -> bool {
        match (self.cards.get(&card), self.attributions.get(&attribution)) {
            (Some(card), Some(who)) => filter.covers(&card.provider, &card.model, who),
            _ => false,
        }
    }
}

pub(crate) fn names(connection: &Connection) -> Result<Dictionary> {
    let mut names = Dictionary::default();
    let mut statement =
        connection.prepare_cached("SELECT id, provider, model, estimated, version, zone, footprint FROM entry")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let footprint: String = row.get(6)?;
        let card = RateCard {
            number: row.get(0)?,
            provider: row.get(1)?,
            model: row.get(2)?,
            estimated: Estimated::from_number(row.get(3)?),
            version: row.get(4)?,
            zone: row.get(5)?,
            footprint: from_json(&footprint)?,
            rates: crate::cost::price::Rates::default(),
        };
        names.cards.insert(card.number, Arc::new(card));
    }
    let mut statement = connection.prepare_cached("SELECT id, tenant, tags FROM attribution")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let tags: String = row.get(2)?;
        let who = Attribution::new(row.get::<_, String>(1)?, from_json::<Vec<String>>(&tags)?)?;
        names.attributions.insert(row.get(0)?, Arc::new(who));
    }
    Ok(names)
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Store(format!("the ledger holds {text:?}: {error}")))
}

pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Store(format!("a record cannot be written: {error}")))
}

fn card_id(connection: &Connection, card: &RateCard) -> Result<u32> {
    let (footprint, estimated) = (to_json(&card.footprint)?, card.estimated.number());
    let key = params![card.provider, card.model, estimated, card.version, card.zone, footprint];
    let mut find = connection.prepare_cached(
        "SELECT id FROM entry WHERE provider = ? AND model = ? AND estimated = ? AND version = ? AND zone = ? AND footprint = ?",
    )?;
    if let Some(id) = find.query_row(key, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let insert = "INSERT INTO entry (provider, model, estimated, version, zone, footprint) VALUES (?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(insert)?.execute(key)?;
    let id = connection.last_insert_rowid();
    whole::seal(connection, "entry", id)?;
    Ok(id as u32)
}

fn attribution_id(connection: &Connection, who: &Attribution) -> Result<u32> {
    let tags = to_json(who.tags())?;
    let key = params![who.tenant(), tags];
    let mut find = connection.prepare_cached("SELECT id FROM attribution WHERE tenant = ? AND tags = ?")?;
    if let Some(id) = find.query_row(key, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO attribution (tenant, tags) VALUES (?, ?)")?.execute(key)?;
    let id = connection.last_insert_rowid();
    whole::seal(connection, "attribution", id)?;
    Ok(id as u32)
}

/// Writes a record and adds it to its hour; gives its id.
pub(crate) fn insert(connection: &Connection, record: &CostRecord) -> Result<u64> {
    let card = card_id(connection, &record.card)?;
    let attribution = attribution_id(connection, &record.attribution)?;
    let (nano, atto) = split(record.amount)?;
    connection
        .prepare_cached(
            "INSERT INTO record (time, entry, attribution, usage, lines, nano, atto, cache, latency, attempts)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            record.time,
            card,
            attribution,
            to_json(&record.usage)?,
            to_json(&*record.lines())?,
            nano,
            atto,
            record.cache.number(),
            record.latency_s,
            record.attempts
        ])?;
    let id = connection.last_insert_rowid() as u64;
    whole::seal(connection, "record", id as i64)?;
    if let Some(told) = record.told_cost {
        let (nano, atto) = split(told)?;
        connection
            .prepare_cached("INSERT INTO told (record, nano, atto) VALUES (?, ?, ?)")?
            .execute(params![id as i64, nano, atto])?;
        whole::seal(connection, "told", id as i64)?;
    }
    if let Some(saved) = record.saved_by_route {
        let (nano, atto) = split(saved)?;
        connection
            .prepare_cached("INSERT INTO routed (record, nano, atto) VALUES (?, ?, ?)")?
            .execute(params![id as i64, nano, atto])?;
        whole::seal(connection, "routed", id as i64)?;
    }
    let mut sum = Aggregate::default();
    sum.add_record(record);
    let cell = Cell { start: record.time.div_euclid(HOUR) * HOUR, card, attribution };
    add_to_hour(connection, cell, &sum)?;
    Ok(id)
}

/// Writes the records that another ledger had after the last ones that were taken from it.
pub(crate) fn take_in(connection: &Connection, ledger: &str, records: &[CostRecord]) -> Result<()> {
    let known = connection.query_row("SELECT last FROM drained WHERE ledger = ?", [ledger], |row| row.get::<_, i64>(0));
    let known = known.optional()?.unwrap_or_default() as u64;
    for record in records.iter().filter(|record| record.id > known) {
        insert(connection, record)?;
    }
    if let Some(last) = records.last().map(|record| record.id).filter(|last| *last > known) {
        connection.execute("INSERT OR REPLACE INTO drained VALUES (?, ?)", params![ledger, last as i64])?;
    }
    Ok(())
}

fn add_to_hour(connection: &Connection, cell: Cell, sum: &Aggregate) -> Result<()> {
    let count = |number: u64| number as i64;
    let (cost, saved) = (split(sum.cost)?, split(sum.saved)?);
    connection.prepare_cached(include_str!("add_to_hour.sql"))?.execute(params![
        cell.start,
        cell.card,
        cell.attribution,
        count(sum.calls),
        count(sum.cache_hits),
        count(sum.estimated),
        count(sum.input_tokens),
        count(sum.cached_input_tokens),
        count(sum.output_tokens),
        cost.0,
        cost.1,
        saved.0,
        saved.1,
        sum.energy_wh.min,
        sum.energy_wh.max,
        sum.co2e_g.min,
        sum.co2e_g.max,
        sum.avoided_co2e_g.min,
        sum.avoided_co2e_g.max,
        count(sum.unknown_footprint)
    ])?;
    Ok(())
}

fn read_hour(row: &Row<'_>) -> rusqlite::Result<(Cell, Aggregate)> {
    let range = |at: usize| Ok::<_, rusqlite::Error>(Range { min: row.get(at)?, max: row.get(at + 1)? });
    let count = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
    let sum = Aggregate {
        calls: count(3)?,
        cache_hits: count(4)?,
        estimated: count(5)?,
        input_tokens: count(6)?,
        cached_input_tokens: count(7)?,
        output_tokens: count(8)?,
        cost: join(row.get(9)?, row.get(10)?),
        saved: join(row.get(11)?, row.get(12)?),
        energy_wh: range(13)?,
        co2e_g: range(15)?,
        avoided_co2e_g: range(17)?,
        unknown_footprint: count(19)?,
    };
    Ok((Cell { start: row.get(0)?, card: row.get(1)?, attribution: row.get(2)? }, sum))
}

/// The hourly sums that pass. The filter's ends must be whole hours.
pub(crate) fn hours(connection: &Connection, filter: &Filter, names: &Dictionary) -> Result<Vec<(Cell, Aggregate)>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {HOUR_COLUMNS} FROM hour WHERE start >= ? AND start < ?"))?;
    let ends = params![filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX)];
    let rows = statement.query_map(ends, read_hour)?;
    let covered =
        rows.filter(|row| row.as_ref().map_or(true, |(cell, _)| names.covers(filter, cell.card, cell.attribution)));
    Ok(covered.collect::<rusqlite::Result<_>>()?)
}

/// Every record that passes, the oldest first, to `see`.
pub(crate) fn each_record(
    connection: &Connection,
    filter: &Filter,
    mut see: impl FnMut(CostRecord) -> Result<()>,
) -> Result<()> {
    let names = names(connection)?;
    let mut statement = connection
        .prepare_cached(&format!("SELECT {RECORD} FROM {RECORDS} WHERE time >= ? AND time < ? ORDER BY record.id"))?;
    let ends = params![filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX)];
    let mut rows = statement.query(ends)?;
    while let Some(row) = rows.next()? {
        if let Some(record) = read_record(row, filter, &names)? {
            see(record)?;
        }
    }
    Ok(())
}

/// The record of a row of [`RECORD`], where the filter lets it pass.
fn read_record(row: &Row<'_>, filter: &Filter, names: &Dictionary) -> Result<Option<CostRecord>> {
    if !row.get::<_, bool>(15)? {
        return Err(whole::damaged_record(row.get(0)?));
    }
    let (card, attribution): (u32, u32) = (row.get(2)?, row.get(3)?);
    if !names.covers(filter, card, attribution) {
        return Ok(None);
    }
    let (Some(card), Some(who)) = (names.cards.get(&card), names.attributions.get(&attribution)) else {
        return Ok(None);
    };
    Ok(Some(CostRecord {
        id: row.get::<_, i64>(0)? as u64,
        time: row.get(1)?,
        card: Arc::clone(card),
        attribution: Arc::clone(who),
        usage: from_json(&row.get::<_, String>(4)?)?,
        written_lines: Some(from_json::<Vec<_>>(&row.get::<_, String>(5)?)?.into()),
        amount: join(row.get(6)?, row.get(7)?),
        cache: CacheUse::from_number(row.get(8)?),
        latency_s: row.get(9)?,
        attempts: row.get(10)?,
        told_cost: read_money(row, 11)?,
        saved_by_route: read_money(row, 13)?,
    }))
}

fn read_money(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Money>> {
    Ok(match (row.get(at)?, row.get(at + 1)?) {
        (Some(nano), Some(atto)) => Some(join(nano, atto)),
        _ => None,
    })
}

/// The id of the newest record; zero where there is none.
pub(crate) fn last_id(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT ifnull(max(id), 0) FROM record", [], |row| row.get::<_, i64>(0))? as u64)
}

/// At most `most` records that pass, with ids in a span.
pub(crate) fn page(
    connection: &Connection,
    filter: &Filter,
    (first, last): (u64, u64),
    most: usize,
    newest_first: bool,
) -> Result<Vec<CostRecord>> {
    let names = names(connection)?;
    let order = if newest_first { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {RECORD} FROM {RECORDS}
         WHERE record.id BETWEEN ? AND ? AND time >= ? AND time < ? ORDER BY record.id {order}"
    ))?;
    let id = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (since, until) = (filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX));
    let mut rows = statement.query(params![id(first), id(last), since, until])?;
    let mut found = Vec::new();
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        found.extend(read_record(row, filter, &names)?);
    }
    Ok(found)
}

/// Works out every hour from the records.
pub(super) fn rebuild_hours(connection: &Connection) -> Result<()> {
    connection.execute("DELETE FROM hour", [])?;
    let mut cells: BTreeMap<(i64, u32, u32), Aggregate> = BTreeMap::new();
    each_record(connection, &Filter::default(), |record| {
        let key = (card_id(connection, &record.card)?, attribution_id(connection, &record.attribution)?);
        cells.entry((record.time.div_euclid(HOUR) * HOUR, key.0, key.1)).or_default().add_record(&record);
        Ok(())
    })?;
    for ((start, card, attribution), sum) in cells {
        add_to_hour(connection, Cell { start, card, attribution }, &sum)?;
    }
    Ok(())
}

/// Forgets the records before `time`, and works out the hour that it cuts anew; how many there were.
pub(crate) fn purge(connection: &Connection, time: i64) -> Result<usize> {
    connection.execute("DELETE FROM told WHERE record IN (SELECT id FROM record WHERE time < ?)", [time])?;
    connection.execute("DELETE FROM routed WHERE record IN (SELECT id FROM record WHERE time < ?)", [time])?;
    let gone = connection.execute("DELETE FROM record WHERE time < ?", [time])?;
    let cut = time.div_euclid(HOUR) * HOUR;
    connection.execute("DELETE FROM hour WHERE start <= ?", [cut])?;
    let rest = Filter { since: Some(time), until: Some(cut + HOUR), ..Filter::default() };
    let mut sums: Vec<CostRecord> = Vec::new();
    each_record(connection, &rest, |record| {
        sums.push(record);
        Ok(())
    })?;
    for record in sums {
        let mut sum = Aggregate::default();
        sum.add_record(&record);
        let (card, attribution) =
            (card_id(connection, &record.card)?, attribution_id(connection, &record.attribution)?);
        add_to_hour(connection, Cell { start: cut, card, attribution }, &sum)?;
    }
    Ok(gone)
}
