//! Budgets in a SQLite file, read and changed inside the writer's transaction, so that processes agree.

use super::tables::{each_record, from_json, join, split, to_json};
use super::whole;
use crate::cost::attribution::Attribution;
use crate::cost::budget::{Budget, BudgetStatus, OnExceed, Period, Room, Scope, Spending, Taken};
use crate::cost::ledger::Asked;
use crate::cost::ledger::filter::Filter;
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

fn sum(connection: &Connection, query: &str, values: impl rusqlite::Params) -> Result<Money> {
    let read = |row: &Row<'_>| Ok(join(row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(query)?.query_row(values, read)?)
}

/// What of a budget is gone; of one for each tenant, of that tenant's part. Holds that have ended do not count.
fn taken(connection: &Connection, id: i64, budget: &Budget, tenant: &str, now: i64) -> Result<Taken> {
    let (first, last) = budget.span(now);
    if budget.scope.is_each_tenant() {
        let spent = "SELECT ifnull(sum(nano), 0), ifnull(sum(atto), 0) FROM tenant_spend
             WHERE budget = ? AND tenant = ? AND start BETWEEN ? AND ?";
        let held = "SELECT ifnull(sum(hold.nano), 0), ifnull(sum(hold.atto), 0)
             FROM hold JOIN reservation ON reservation.id = hold.reservation
             WHERE budget = ? AND tenant = ? AND start BETWEEN ? AND ? AND expires > ?";
        return Ok(Taken {
            spent: sum(connection, spent, params![id, tenant, first, last])?,
            reserved: sum(connection, held, params![id, tenant, first, last, now])?,
        });
    }
    let spent =
        "SELECT ifnull(sum(nano), 0), ifnull(sum(atto), 0) FROM spend WHERE budget = ? AND start BETWEEN ? AND ?";
    let held = "SELECT ifnull(sum(hold.nano), 0), ifnull(sum(hold.atto), 0)
         FROM hold JOIN reservation ON reservation.id = hold.reservation
         WHERE budget = ? AND start BETWEEN ? AND ? AND expires > ?";
    Ok(Taken {
        spent: sum(connection, spent, params![id, first, last])?,
        reserved: sum(connection, held, params![id, first, last, now])?,
    })
}

fn add_spend(connection: &Connection, id: i64, tenant: Option<&str>, start: i64, amount: Money) -> Result<()> {
    let (nano, atto) = split(amount)?;
    let Some(tenant) = tenant else {
        let add = "INSERT INTO spend VALUES (?1, ?2, ?3, ?4, row_sum('spend', ?1, ?2, ?3, ?4))
             ON CONFLICT (budget, start) DO UPDATE SET nano = nano + excluded.nano, atto = atto + excluded.atto,
             sum = row_sum('spend', budget, start, nano + excluded.nano, atto + excluded.atto)";
        connection.prepare_cached(add)?.execute(params![id, start, nano, atto])?;
        return Ok(());
    };
    let add = "INSERT INTO tenant_spend VALUES (?1, ?2, ?3, ?4, ?5, row_sum('tenant_spend', ?1, ?2, ?3, ?4, ?5))
         ON CONFLICT (budget, tenant, start) DO UPDATE SET nano = nano + excluded.nano, atto = atto + excluded.atto,
         sum = row_sum('tenant_spend', budget, tenant, start, nano + excluded.nano, atto + excluded.atto)";
    connection.prepare_cached(add)?.execute(params![id, tenant, start, nano, atto])?;
    Ok(())
}

/// The tenant whose part it is, where the budget has parts.
fn part_of<'a>(budget: &Budget, who: &'a Attribution) -> Option<&'a str> {
    budget.scope.is_each_tenant().then(|| who.tenant())
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
        return whole::seal(connection, "budget", id);
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
    whole::seal(connection, "budget", id)?;
    count_what_is_known(connection, id, budget, now)?;
    lapse(connection, now)?;
    hold_what_runs(connection, id, budget)
}

/// Counts the records that a budget covers.
fn count_what_is_known(connection: &Connection, id: i64, budget: &Budget, now: i64) -> Result<()> {
    let mut spent: BTreeMap<(Option<String>, i64), Money> = BTreeMap::new();
    let filter = Filter { since: Some(budget.kept(now)), until: None, scope: budget.scope.clone() };
    each_record(connection, &filter, |record| {
        let tenant = part_of(budget, &record.attribution).map(str::to_owned);
        *spent.entry((tenant, budget.bucket(record.time))).or_default() += record.cost();
        Ok(())
    })?;
    for ((tenant, start), amount) in spent {
        add_spend(connection, id, tenant.as_deref(), start, amount)?;
    }
    Ok(())
}

/// Works out what is spent and held of every budget from the records and reservations. What was purged is not counted any
/// more.
pub(super) fn rebuild(connection: &Connection) -> Result<()> {
    connection.execute_batch("DELETE FROM spend; DELETE FROM tenant_spend; DELETE FROM hold")?;
    let newest: Option<i64> = connection.query_row("SELECT max(time) FROM record", [], |row| row.get(0))?;
    for (id, budget) in budgets(connection)? {
        count_what_is_known(connection, id, &budget, newest.unwrap_or_default())?;
        hold_what_runs(connection, id, &budget)?;
    }
    Ok(())
}

/// Whether the call would fit if no other ran: whether a budget that refuses covers it.
pub(crate) fn admit(connection: &Connection, asked: Asked<'_>) -> Result<bool> {
    let mut is_covered = false;
    for (id, budget) in budgets(connection)?.into_iter().filter(|(_, budget)| asked.is_for(budget)) {
        is_covered |= budget.refuses();
        let taken = taken(connection, id, &budget, asked.who.tenant(), asked.time)?;
        if let Room::None(error) = budget.room(asked.who.tenant(), taken, asked.amount) {
            return Err(error);
        }
    }
    Ok(is_covered)
}

/// Reserves in all budgets that cover the call, or in none: then, whether running calls are in the way.
pub(crate) fn reserve(
    connection: &Connection,
    asked: Asked<'_>,
    expires: i64,
) -> Result<std::result::Result<u64, Error>> {
    lapse(connection, asked.time)?;
    let covering: Vec<(i64, Budget)> =
        budgets(connection)?.into_iter().filter(|(_, budget)| asked.is_for(budget)).collect();
    let mut in_the_way = None;
    for (id, budget) in &covering {
        let taken = taken(connection, *id, budget, asked.who.tenant(), asked.time)?;
        match budget.room(asked.who.tenant(), taken, asked.amount) {
            Room::Now => {}
            Room::Later(error) => in_the_way = Some(error),
            Room::None(error) => return Err(error),
        }
    }
    if let Some(error) = in_the_way {
        return Ok(Err(error));
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
    whole::seal(connection, "reservation", hold)?;
    for (id, budget) in &covering {
        add_hold(connection, *id, budget.bucket(asked.time), hold, (nano, atto))?;
    }
    Ok(Ok(hold as u64))
}

fn add_hold(connection: &Connection, budget: i64, start: i64, hold: i64, (nano, atto): (i64, i64)) -> Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT INTO hold VALUES (?1, ?2, ?3, ?4, ?5, row_sum('hold', ?1, ?2, ?3, ?4, ?5))")?;
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
    for table in ["hold", "spend", "tenant_spend"] {
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
    let is_held = update.execute(params![expires, hold as i64, now])? > 0;
    if is_held {
        whole::seal(connection, "reservation", hold as i64)?;
    }
    Ok(is_held)
}

/// Releases the reservations whose lease is over: their process died, or forgot them.
pub(crate) fn lapse(connection: &Connection, now: i64) -> Result<()> {
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
        let tenant = asked.who.tenant();
        let before = taken(connection, id, &budget, tenant, now)?.spent;
        add_spend(connection, id, part_of(&budget, asked.who), budget.bucket(asked.time), asked.amount)?;
        let after = taken(connection, id, &budget, tenant, now)?.spent;
        // A rolling budget would leave a row for each of its steps.
        for old in [
            "DELETE FROM spend WHERE budget = ? AND start < ?",
            "DELETE FROM tenant_spend WHERE budget = ? AND start < ?",
        ] {
            connection.prepare_cached(old)?.execute(params![id, budget.kept(now)])?;
        }
        steps.push(Spending::new(budget, tenant, before, after));
    }
    Ok(steps)
}

/// Every budget and how much of it is gone.
pub(crate) fn status(connection: &Connection, now: i64) -> Result<Vec<BudgetStatus>> {
    let mut all = Vec::new();
    for (id, budget) in budgets(connection)? {
        let taken = |tenant: &str| taken(connection, id, &budget, tenant, now);
        if !budget.scope.is_each_tenant() {
            all.push(BudgetStatus { taken: taken("")?, tenant: None, budget });
            continue;
        }
        let mut parts = vec![BudgetStatus { taken: Taken::default(), tenant: None, budget: budget.clone() }];
        let mut statement = connection.prepare_cached(
            "SELECT tenant FROM tenant_spend WHERE budget = ?1 UNION
             SELECT tenant FROM hold JOIN reservation ON reservation.id = hold.reservation WHERE budget = ?1
             ORDER BY tenant",
        )?;
        let tenants = statement.query_map([id], |row| row.get::<_, String>(0))?;
        for tenant in tenants {
            let tenant = tenant?;
            let taken = taken(&tenant)?;
            if taken != Taken::default() {
                parts.push(BudgetStatus { taken, tenant: Some(tenant), budget: budget.clone() });
            }
        }
        all.append(&mut parts);
    }
    Ok(all)
}
