//! Whether the ledger's file is what was written to it: every row has a sum over all its columns.

use super::budgets;
use super::tables::{HOUR_COLUMNS, SCHEMA, rebuild_hours};
use crate::store::Damage;
use crate::store::sqlite::Database;
use crate::{Error, Result};
use rusqlite::{Connection, OptionalExtension};

/// A table, and what is in the sum of its rows.
struct Summed {
    name: &'static str,
    columns: &'static str,
    has_rowid: bool,
}

const fn with_rowid(name: &'static str, columns: &'static str) -> Summed {
    Summed { name, columns, has_rowid: true }
}

/// Whose key is more than one column.
const fn by_key(name: &'static str, columns: &'static str) -> Summed {
    Summed { name, columns, has_rowid: false }
}

const RECORD: &str = "id, time, entry, attribution, usage, lines, nano, atto, cache, latency, attempts";

const TABLES: [Summed; 11] = [
    with_rowid("entry", "id, provider, model, estimated, version, zone, footprint"),
    with_rowid("attribution", "id, tenant, tags"),
    with_rowid("record", RECORD),
    with_rowid("told", "record, nano, atto"),
    with_rowid("routed", "record, nano, atto"),
    by_key("hour", HOUR_COLUMNS),
    with_rowid("budget", "id, tenant, provider, model, tag, period, zone, nano, atto, on_exceed"),
    by_key("spend", "budget, start, nano, atto"),
    by_key("tenant_spend", "budget, tenant, start, nano, atto"),
    with_rowid("reservation", "id, time, expires, provider, model, tenant, tags, nano, atto"),
    by_key("hold", "budget, start, reservation, nano, atto"),
];

/// A file of up to 64 MiB is looked at as a whole when it is opened. In a larger one records are looked at when they are
/// read, and all the rest when it is opened.
const MOST_PAGES_LOOKED_AT: i64 = 16_384;

const DIFFERS: &str = "it is not what was written: its checksum differs";

impl Summed {
    fn sum(&self) -> String {
        format!("row_sum('{}', {})", self.name, self.columns)
    }
}

/// Gives a row that was just written its sum.
pub(super) fn seal(connection: &Connection, table: &str, rowid: i64) -> Result<()> {
    if let Some(summed) = TABLES.iter().find(|summed| summed.name == table) {
        let update = format!("UPDATE {table} SET sum = {} WHERE rowid = ?1", summed.sum());
        connection.prepare_cached(&update)?.execute([rowid])?;
    }
    Ok(())
}

/// The error for a record whose sum differs.
pub(super) fn damaged_record(id: i64) -> Error {
    Error::Store(format!("record {id} of the ledger is damaged: {DIFFERS}; `headrace doctor --repair` sets it aside"))
}

/// Refuses a ledger that is not what was written: what it said of money would be wrong.
pub(super) fn look(file: &Database) -> Result<()> {
    let found = file.read(|connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages > MOST_PAGES_LOOKED_AT {
            return rows(connection, |summed| !matches!(summed.name, "record" | "told" | "routed"));
        }
        let mut found = Vec::new();
        connection.pragma_query(None, "integrity_check", |row| {
            found.push(Damage::of_table("", row.get::<_, String>(0)?));
            Ok(())
        })?;
        found.retain(|damage| damage.what != "ok");
        if found.is_empty() { check(connection) } else { Ok(found) }
    })?;
    let Some(Damage { table, rowid, what }) = found.first() else { return Ok(()) };
    let place = rowid.map_or_else(|| (*table).to_owned(), |rowid| format!("{table} {rowid}"));
    Err(Error::Store(format!(
        "{}: the ledger is damaged ({place}: {what}), and what it says of money cannot be believed: \
         `headrace doctor --repair` sets damaged rows aside and works out the sums anew",
        file.path().display()
    )))
}

/// Every row that is not what was written, and records of which a part is missing.
pub(super) fn check(connection: &Connection) -> Result<Vec<Damage>> {
    let mut found = rows(connection, |_| true)?;
    let orphans = "SELECT id FROM record WHERE entry NOT IN (SELECT id FROM entry) \
                   OR attribution NOT IN (SELECT id FROM attribution)";
    let mut select = connection.prepare(orphans)?;
    for id in select.query_map([], |row| row.get(0))? {
        found.push(Damage::new("record", id?, "what it says of its model and tenant is not there"));
    }
    Ok(found)
}

fn rows(connection: &Connection, is_looked_at: impl Fn(&Summed) -> bool) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    for summed in TABLES.iter().filter(|summed| is_looked_at(summed)) {
        let rowid = if summed.has_rowid { "rowid" } else { "NULL" };
        let select = format!("SELECT {rowid} FROM {} WHERE sum IS NOT {}", summed.name, summed.sum());
        let mut select = connection.prepare(&select)?;
        for rowid in select.query_map([], |row| row.get::<_, Option<i64>>(0))? {
            found.push(Damage { table: summed.name, rowid: rowid?, what: DIFFERS.into() });
        }
    }
    Ok(found)
}

/// Works out all sums from what is whole, after damaged rows were set aside.
pub(super) fn mend(connection: &Connection) -> Result<()> {
    rebuild_hours(connection)?;
    budgets::rebuild(connection)
}

/// Up to version 3 rows had no sums.
pub(super) fn from_version_3(connection: &Connection) -> Result<()> {
    for summed in &TABLES {
        let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        if connection.query_row(known, [summed.name], |_| Ok(())).optional()?.is_some() {
            connection.execute_batch(&format!(
                "ALTER TABLE {0} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0; UPDATE {0} SET sum = {1};",
                summed.name,
                summed.sum()
            ))?;
        }
    }
    Ok(connection.execute_batch(SCHEMA.tables)?)
}
