//! The tables of a cache's file, and how a file of the first version becomes one of this.

use super::rows;
use crate::cache::scope::canonical;
use crate::cache::store::{Learned, StoredEntry};
use crate::cache::{EntryKey, policy::Judged};
use crate::store::Damage;
use crate::store::sqlite::{Change, Schema, Step};
use crate::{Payload, Result};
use rusqlite::{Connection, Row};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const SCHEMA: Schema = Schema {
    room: "cache",
    // "hrca" in ASCII.
    application_id: 0x6872_6361,
    version: 2,
    // What is looked through comes first in a row, the vector last: a long row's end is on pages of its own.
    tables: "CREATE TABLE IF NOT EXISTS cache_entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, id INTEGER NOT NULL, by INTEGER NOT NULL,
        tenant TEXT NOT NULL, scope TEXT, tags TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER, cost TEXT,
        rejected INTEGER NOT NULL, is_json INTEGER NOT NULL, prompt TEXT NOT NULL, response BLOB NOT NULL, vector BLOB,
        sum INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS cache_changes (
        number INTEGER PRIMARY KEY AUTOINCREMENT, by INTEGER NOT NULL, what INTEGER NOT NULL, entry INTEGER NOT NULL,
        sum INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS cache_evidence (
        number INTEGER PRIMARY KEY AUTOINCREMENT, by INTEGER NOT NULL, tenant TEXT NOT NULL, score REAL NOT NULL,
        correct INTEGER NOT NULL, sum INTEGER NOT NULL)",
    steps: &[Step { from: 1, change: Change::Code(from_first) }],
    check: Some(check),
    mend: None,
};

/// What the first version read.
const FIRST_ENTRIES: &str = "SELECT rowid, key, tenant, scope, prompt, response, is_json, embedding, tags, created_ms, \
                             expires_ms, cost, rejected FROM entries ORDER BY rowid";

/// Brings the tables of the first version, which had no sums, to this one. A row that is not whole is left behind.
fn from_first(connection: &Connection) -> Result<()> {
    // Of a version between, which knew no evidence.
    let evidence =
        "CREATE TABLE IF NOT EXISTS evidence (tenant TEXT NOT NULL, score REAL NOT NULL, correct INTEGER NOT NULL)";
    connection.execute_batch(evidence)?;
    connection.execute_batch(SCHEMA.tables)?;
    first_entries(connection, |entry| rows::put(connection, 0, &entry))?;
    for evidence in first_evidence(connection)? {
        rows::learn(connection, 0, &evidence)?;
    }
    connection.execute_batch("DROP TABLE entries; DROP TABLE evidence")?;
    Ok(())
}

/// The whole entries of a file of the first version, in their order; returns how many were not.
pub(super) fn first_entries(connection: &Connection, mut take: impl FnMut(StoredEntry) -> Result<()>) -> Result<u64> {
    let mut select = connection.prepare(FIRST_ENTRIES)?;
    let mut rows = select.query([])?;
    let mut damaged = 0;
    while let Some(row) = rows.next()? {
        match first_entry(row) {
            Some(entry) => take(entry)?,
            None => damaged += 1,
        }
    }
    Ok(damaged)
}

fn first_entry(row: &Row<'_>) -> Option<StoredEntry> {
    let read = || -> rusqlite::Result<Option<StoredEntry>> {
        let key: Vec<u8> = row.get(1)?;
        let (tenant, scope, prompt): (String, Option<String>, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let bytes: Vec<u8> = row.get(5)?;
        let is_json: bool = row.get(6)?;
        let is_whole = *EntryKey::of(&tenant, scope.as_deref(), &prompt).as_bytes() == *key
            && (!is_json || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        let tags = serde_json::from_str::<Vec<String>>(&row.get::<_, String>(8)?);
        let (true, Ok(tags)) = (is_whole, tags) else { return Ok(None) };
        let vector = row.get::<_, Option<Vec<u8>>>(7)?.map(|bytes| rows::vector(&bytes));
        if vector.as_ref().is_some_and(|vector| !is_unit(vector)) {
            return Ok(None);
        }
        let since_1970 = |ms: i64| Duration::from_millis(ms.max(0) as u64);
        // The first version sorted and wrote some numbers of a scope otherwise.
        let scope = scope.map(|text| serde_json::from_str(&text).map_or(text, |value| canonical(&value)));
        Ok(Some(StoredEntry {
            id: row.get::<_, i64>(0)? as u64,
            tenant: tenant.into(),
            scope: scope.map(Into::into),
            prompt: prompt.into(),
            response: if is_json { Payload::Json(bytes.into()) } else { Payload::Bytes(bytes.into()) },
            vector,
            tags: tags.into(),
            created: since_1970(row.get(9)?),
            expires: row.get::<_, Option<i64>>(10)?.map(since_1970),
            cost: row.get::<_, Option<String>>(11)?.and_then(|text| text.parse().ok()),
            is_rejected: row.get(12)?,
        }))
    };
    read().ok().flatten()
}

/// What the first version learned; nothing where its file has no such table.
pub(super) fn first_evidence(connection: &Connection) -> Result<Vec<Learned>> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'evidence'";
    if connection.query_row(known, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT tenant, score, correct FROM evidence ORDER BY rowid")?;
    let evidence = |row: &Row<'_>| -> rusqlite::Result<Learned> {
        Ok(Learned { tenant: row.get(0)?, judged: Judged { score: row.get(1)?, correct: row.get(2)? } })
    };
    let read = select.query_map([], |row| Ok(evidence(row).ok()))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(read.into_iter().flatten().filter(|evidence| evidence.judged.score.is_finite()).collect())
}

/// Whether a vector is one that was written: of unit length, but for rounding.
fn is_unit(vector: &Arc<[f32]>) -> bool {
    let length: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    !vector.is_empty() && (length - 1.0).abs() < 1e-3
}

/// Looks at every row.
fn check(connection: &Connection) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    for (table, select, read) in rows::CHECKED {
        let mut select = connection.prepare(select)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(what) = read(row) {
                damage.push(Damage::new(table, row.get(0)?, what));
            }
        }
    }
    Ok(damage)
}
