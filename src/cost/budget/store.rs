//! Budgets in a SQLite file, read and changed inside the writer's transaction, so that processes agree.

use super::book::Asked;
use super::{Budget, BudgetStatus, OnExceed, Period, Scope, Spending, Taken};
use crate::cost::attribution::Attribution;
use crate::cost::ledger::filter::Filter;
use crate::cost::ledger::sqlite::{each_record, from_json, join, split, to_json};
use crate::cost::money::Money;
use crate::{Error, Result};
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

fn none_if_empty(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(Some(row.get::<_, String>(at)?).filter(|text| !text.is_empty()))
}

fn budgets(connection: &Connection) -> Result<Vec<(i64, Budget)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, tenant, provider, model, tag, period, zone, nano, atto, on_exceed FROM budget ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let scope = Scope {
            tenant: none_if_empty(row, 1)?,
            provider: none_if_empty(row, 2)?,
            model: none_if_empty(row, 3)?,
            tag: none_if_empty(row, 4)?,
        };
        let zone: String = row.get(6)?;
        let budget = Budget {
            limit: join(row.get(7)?, row.get(8)?),
            scope,
            period: Period::parse(&row.get::<_, String>(5)?)?,
            zone: TimeZone::get(&zone).map_err(|error| Error::Store(format!("time zone {zone}: {error}")))?,
            on_exceed: OnExceed::parse(&row.get::<_, String>(9)?)?,
        };
        found.push((row.get(0)?, budget));
    }
    Ok(found)
}

fn sum(connection: &Connection, query: &str, budget: i64, (first, last): (i64, i64)) -> Result<Money> {
    let read = |row: &Row<'_>| Ok(join(row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(query)?.query_row(params![budget, first, last], read)?)
}

fn taken(connection: &Connection, id: i64, budget: &Budget, now: i64) -> Result<Taken> {
    let span = budget.span(now);
    let spent =
        "SELECT ifnull(sum(nano), 0), ifnull(sum(atto), 0) FROM spend WHERE budget = ? AND start BETWEEN ? AND ?";
    let held = "SELECT ifnull(sum(nano), 0), ifnull(sum(atto), 0) FROM hold WHERE budget = ? AND start BETWEEN ? AND ?";
    Ok(Taken { spent: sum(connection, spent, id, span)?, reserved: sum(connection, held, id, span)? })
}

fn add_spend(connection: &Connection, id: i64, start: i64, amount: Money) -> Result<()> {
    let (nano, atto) = split(amount)?;
    connection
        .prepare_cached(
            "INSERT INTO spend VALUES (?, ?, ?, ?)
             ON CONFLICT (budget, start) DO UPDATE SET nano = nano + excluded.nano, atto = atto + excluded.atto",
        )?
        .execute(params![id, start, nano, atto])?;
    Ok(())
}

/// Sets a budget; a new one starts with what the ledger already holds for it.
pub(crate) fn set(connection: &Connection, budget: &Budget, now: i64) -> Result<()> {
    let scope = &budget.scope;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let key = params![
        part(&scope.tenant),
        part(&scope.provider),
        part(&scope.model),
        part(&scope.tag),
        budget.period.to_string(),
        budget.zone_name()
    ];
    let known: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM budget
             WHERE tenant = ? AND provider = ? AND model = ? AND tag = ? AND period = ? AND zone = ?",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let (nano, atto) = split(budget.limit)?;
    if let Some(id) = known {
        connection.execute(
            "UPDATE budget SET nano = ?, atto = ?, on_exceed = ? WHERE id = ?",
            params![nano, atto, budget.on_exceed.as_str(), id],
        )?;
        return Ok(());
    }
    connection.execute(
        "INSERT INTO budget (tenant, provider, model, tag, period, zone, nano, atto, on_exceed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 'reject')",
        key,
    )?;
    let id = connection.last_insert_rowid();
    connection.execute(
        "UPDATE budget SET nano = ?, atto = ?, on_exceed = ? WHERE id = ?",
        params![nano, atto, budget.on_exceed.as_str(), id],
    )?;
    let mut spent: BTreeMap<i64, Money> = BTreeMap::new();
    let filter = Filter { since: Some(budget.kept(now)), until: None, scope: scope.clone() };
    each_record(connection, &filter, false, |record| {
        let sum = spent.entry(budget.bucket(record.time)).or_default();
        *sum += record.cost();
        Ok(true)
    })?;
    for (start, amount) in spent {
        add_spend(connection, id, start, amount)?;
    }
    lapse(connection, now)?;
    hold_what_runs(connection, id, budget)
}

/// Reserves in all budgets that cover the call, or in none.
pub(crate) fn reserve(connection: &Connection, asked: Asked<'_>, expires: i64) -> Result<u64> {
    lapse(connection, asked.time)?;
    let covering: Vec<(i64, Budget)> =
        budgets(connection)?.into_iter().filter(|(_, budget)| asked.is_for(budget)).collect();
    for (id, budget) in &covering {
        let taken = taken(connection, *id, budget, asked.time)?;
        if !taken.has_room(asked.amount, budget.limit) {
            let error = budget.exceeded(taken, asked.amount);
            match budget.on_exceed {
                OnExceed::Reject => return Err(error),
                OnExceed::Warn => tracing::warn!("{error}"),
            }
        }
    }
    let (nano, atto) = split(asked.amount)?;
    connection
        .prepare_cached(
            "INSERT INTO reservation (time, expires, provider, model, tenant, tags, nano, atto)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            asked.time,
            expires,
            asked.card.provider,
            asked.card.model,
            asked.who.tenant(),
            to_json(asked.who.tags())?,
            nano,
            atto
        ])?;
    let hold = connection.last_insert_rowid();
    for (id, budget) in &covering {
        add_hold(connection, *id, budget.bucket(asked.time), hold, (nano, atto))?;
    }
    Ok(hold as u64)
}

fn add_hold(connection: &Connection, budget: i64, start: i64, hold: i64, (nano, atto): (i64, i64)) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO hold VALUES (?, ?, ?, ?, ?)")?;
    insert.execute(params![budget, start, hold, nano, atto])?;
    Ok(())
}

/// What runs when a budget is set counts in it.
fn hold_what_runs(connection: &Connection, id: i64, budget: &Budget) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT id, time, provider, model, tenant, tags, nano, atto FROM reservation")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let who = Attribution::new(row.get::<_, String>(4)?, from_json::<Vec<String>>(&row.get::<_, String>(5)?)?)?;
        let (provider, model): (String, String) = (row.get(2)?, row.get(3)?);
        if budget.scope.covers(&provider, &model, &who) {
            add_hold(connection, id, budget.bucket(row.get(1)?), row.get(0)?, (row.get(6)?, row.get(7)?))?;
        }
    }
    Ok(())
}

/// Removes the budget of that identity; whether there was one.
pub(crate) fn remove(connection: &Connection, budget: &Budget) -> Result<bool> {
    let Some((id, _)) = budgets(connection)?.into_iter().find(|(_, known)| known.identity() == budget.identity())
    else {
        return Ok(false);
    };
    for table in ["hold", "spend"] {
        connection.execute(&format!("DELETE FROM {table} WHERE budget = ?"), [id])?;
    }
    connection.execute("DELETE FROM budget WHERE id = ?", [id])?;
    Ok(true)
}

/// Gives back what a reservation holds; whether there was one.
pub(crate) fn release(connection: &Connection, hold: u64) -> Result<bool> {
    connection.prepare_cached("DELETE FROM hold WHERE reservation = ?")?.execute([hold as i64])?;
    Ok(connection.prepare_cached("DELETE FROM reservation WHERE id = ?")?.execute([hold as i64])? > 0)
}

/// Extends the lease of a reservation; whether it still had one.
pub(crate) fn extend(connection: &Connection, hold: u64, expires: i64, now: i64) -> Result<bool> {
    let mut update = connection.prepare_cached("UPDATE reservation SET expires = ? WHERE id = ? AND expires > ?")?;
    Ok(update.execute(params![expires, hold as i64, now])? > 0)
}

/// Releases the reservations whose lease is over: their process died, or forgot them.
fn lapse(connection: &Connection, now: i64) -> Result<()> {
    let over = "DELETE FROM hold WHERE reservation IN (SELECT id FROM reservation WHERE expires <= ?)";
    connection.prepare_cached(over)?.execute([now])?;
    connection.prepare_cached("DELETE FROM reservation WHERE expires <= ?")?.execute([now])?;
    Ok(())
}

/// Books what a call did cost.
pub(crate) fn spend(connection: &Connection, asked: Asked<'_>, now: i64) -> Result<Vec<Spending>> {
    let mut steps = Vec::new();
    for (id, budget) in budgets(connection)? {
        if !asked.is_for(&budget) {
            continue;
        }
        let before = taken(connection, id, &budget, now)?.spent;
        add_spend(connection, id, budget.bucket(asked.time), asked.amount)?;
        let after = taken(connection, id, &budget, now)?.spent;
        // A rolling budget would leave a row for each of its steps.
        connection
            .prepare_cached("DELETE FROM spend WHERE budget = ? AND start < ?")?
            .execute(params![id, budget.kept(now)])?;
        steps.push(Spending { budget, before, after });
    }
    Ok(steps)
}

/// Every budget and how much of it is gone.
pub(crate) fn status(connection: &Connection, now: i64) -> Result<Vec<BudgetStatus>> {
    lapse(connection, now)?;
    let status = |(id, budget): (i64, Budget)| Ok(BudgetStatus { taken: taken(connection, id, &budget, now)?, budget });
    budgets(connection)?.into_iter().map(status).collect()
}
