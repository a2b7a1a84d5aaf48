//! One row and one entry, with a sum over everything that is decided upon.

use crate::cache::EntryKey;
use crate::cache::policy::Judged;
use crate::cache::store::{EntryName, Learned, StoredEntry};
use crate::store::Checksum;
use crate::{Error, Payload, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use std::time::Duration;

/// What a change to an entry was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Removed = 0,
    Rejected = 1,
    Many = 2,
    Forgotten = 3,
}

/// As they are read: everything that the sum covers, and the sum.
pub(super) const ENTRY: &str = "number, key, id, by, tenant, scope, tags, created_ms, expires_ms, cost, rejected, is_json, \
                                prompt, response, vector, sum";
const INSERT: &str = "INSERT OR REPLACE INTO cache_entries \
                      (key, id, by, tenant, scope, tags, created_ms, expires_ms, cost, rejected, is_json, prompt, response, vector, sum) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
/// The most changes that the feed keeps: who reads more rarely looks through the roll.
const MOST_CHANGES: i64 = 65_536;

/// What is wrong with a row.
type Wrong = String;

/// The tables, and what reads a row of each.
pub(super) const CHECKED: [(&str, &str, fn(&Row<'_>) -> std::result::Result<(), Wrong>); 3] = [
    (
        "cache_entries",
        "SELECT number, key, id, by, tenant, scope, tags, created_ms, expires_ms, cost, rejected, is_json, prompt, \
         response, vector, sum FROM cache_entries ORDER BY number",
        |row| entry(row).map(|_| ()),
    ),
    ("cache_changes", "SELECT number, by, what, entry, sum FROM cache_changes ORDER BY number", |row| {
        change(row).map(|_| ())
    }),
    ("cache_evidence", "SELECT number, by, tenant, score, correct, sum FROM cache_evidence ORDER BY number", |row| {
        evidence(row).map(|_| ())
    }),
];

/// An entry as the columns have it.
struct EntryColumns<'a> {
    entry: &'a StoredEntry,
    by: i64,
    key: EntryKey,
    tags: String,
    created: i64,
    expires: Option<i64>,
    cost: Option<String>,
    is_json: bool,
    vector: Option<Vec<u8>>,
}

impl<'a> EntryColumns<'a> {
    fn of(by: u64, entry: &'a StoredEntry) -> Self {
        Self {
            entry,
            by: by as i64,
            key: entry.name().key,
            tags: serde_json::Value::from(entry.tags.to_vec()).to_string(),
            created: millis(entry.created),
            expires: entry.expires.map(millis),
            cost: entry.cost.map(|cost| cost.to_string()),
            is_json: matches!(entry.response, Payload::Json(_)),
            vector: entry.vector.as_ref().map(|vector| vector.iter().flat_map(|x| x.to_le_bytes()).collect()),
        }
    }

    fn sum(&self) -> u32 {
        Checksum::of("cache_entries")
            .bytes(self.key.as_bytes())
            .int(self.entry.id as i64)
            .int(self.by)
            .text(&self.entry.tenant)
            .maybe_text(self.entry.scope.as_deref())
            .text(&self.tags)
            .int(self.created)
            .maybe_int(self.expires)
            .maybe_text(self.cost.as_deref())
            .int(self.entry.is_rejected.into())
            .int(self.is_json.into())
            .text(&self.entry.prompt)
            .bytes(self.entry.response.as_bytes())
            .maybe_bytes(self.vector.as_deref())
            .finish()
    }
}

/// Writes an entry in place of one of the same key.
pub(super) fn put(connection: &Connection, by: u64, entry: &StoredEntry) -> Result<()> {
    let columns = EntryColumns::of(by, entry);
    let before = connection
        .prepare_cached("SELECT id FROM cache_entries WHERE key = ?1")?
        .query_row([columns.key.as_bytes()], |row| row.get::<_, i64>(0))
        .optional();
    match before {
        // The new one may be gone before others have heard of it.
        Ok(Some(id)) => tell(connection, by, What::Removed, id as u64)?,
        // Of a damaged row nobody has heard.
        Ok(None) | Err(rusqlite::Error::InvalidColumnType(..)) => {}
        Err(error) => return Err(error.into()),
    }
    connection.prepare_cached(INSERT)?.execute(params![
        columns.key.as_bytes(),
        entry.id as i64,
        columns.by,
        &*entry.tenant,
        entry.scope.as_deref(),
        columns.tags,
        columns.created,
        columns.expires,
        columns.cost,
        entry.is_rejected,
        columns.is_json,
        &*entry.prompt,
        entry.response.as_bytes(),
        columns.vector,
        columns.sum(),
    ])?;
    Ok(())
}

/// An entry, its place and who put it; what is wrong where it is not what was written.
pub(super) fn entry(row: &Row<'_>) -> std::result::Result<(i64, StoredEntry), Wrong> {
    whole(row, "cache_entries", 15)?;
    let read = || -> rusqlite::Result<std::result::Result<(i64, StoredEntry), Wrong>> {
        let tags: String = row.get(6)?;
        let Ok(tags) = serde_json::from_str::<Vec<String>>(&tags) else {
            return Ok(Err("its tags are no list".into()));
        };
        let Ok(cost) = row.get::<_, Option<String>>(9)?.map(|text| text.parse()).transpose() else {
            return Ok(Err("its cost is no number".into()));
        };
        let response: Vec<u8> = row.get(13)?;
        let since_1970 = |ms: i64| Duration::from_millis(ms.max(0) as u64);
        let entry = StoredEntry {
            id: row.get::<_, i64>(2)? as u64,
            tenant: row.get::<_, String>(4)?.into(),
            scope: row.get::<_, Option<String>>(5)?.map(Into::into),
            prompt: row.get::<_, String>(12)?.into(),
            response: if row.get(11)? { Payload::Json(response.into()) } else { Payload::Bytes(response.into()) },
            vector: row.get::<_, Option<Vec<u8>>>(14)?.map(|bytes| vector(&bytes)),
            tags: tags.into(),
            created: since_1970(row.get(7)?),
            expires: row.get::<_, Option<i64>>(8)?.map(since_1970),
            cost,
            is_rejected: row.get(10)?,
        };
        if *entry.name().key.as_bytes() != *row.get::<_, Vec<u8>>(1)? {
            return Ok(Err("its key is not that of its tenant, scope and prompt".into()));
        }
        Ok(Ok((row.get(0)?, entry)))
    };
    read().unwrap_or_else(|error| Err(error.to_string()))
}

/// A change, and whose it is.
pub(super) fn change(row: &Row<'_>) -> std::result::Result<(What, u64), Wrong> {
    whole(row, "cache_changes", 4)?;
    let read = || -> rusqlite::Result<(i64, i64)> { Ok((row.get(2)?, row.get(3)?)) };
    let (what, id) = read().map_err(|error| error.to_string())?;
    let known = [What::Removed, What::Rejected, What::Many, What::Forgotten];
    let what =
        known.into_iter().find(|known| *known as i64 == what).ok_or_else(|| format!("change {what} is unknown"))?;
    Ok((what, id as u64))
}

pub(super) fn evidence(row: &Row<'_>) -> std::result::Result<Learned, Wrong> {
    whole(row, "cache_evidence", 5)?;
    let read = || -> rusqlite::Result<Learned> {
        Ok(Learned { tenant: row.get(2)?, judged: Judged { score: row.get(3)?, correct: row.get(4)? } })
    };
    read().map_err(|error| error.to_string())
}

/// Whether the columns between the number and the sum are those that were written.
fn whole(row: &Row<'_>, table: &str, sum: usize) -> std::result::Result<(), Wrong> {
    let read = || -> rusqlite::Result<bool> {
        let found = Checksum::of(table).columns(row, 1..sum)?.finish();
        Ok(row.get::<_, i64>(sum)? == i64::from(found))
    };
    match read() {
        Ok(true) => Ok(()),
        Ok(false) => Err("it is not what was written: its checksum differs".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Tells the feed of a change.
pub(super) fn tell(connection: &Connection, by: u64, what: What, entry: u64) -> Result<()> {
    let (by, what, entry) = (by as i64, what as i64, entry as i64);
    let sum = Checksum::of("cache_changes").int(by).int(what).int(entry).finish();
    connection
        .prepare_cached("INSERT INTO cache_changes (by, what, entry, sum) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![by, what, entry, sum])?;
    let number = connection.last_insert_rowid();
    if number % 1024 == 0 {
        connection.prepare_cached("DELETE FROM cache_changes WHERE number <= ?1")?.execute([number - MOST_CHANGES])?;
    }
    Ok(())
}

/// Drops an entry where it is still the one of that name.
pub(super) fn remove(connection: &Connection, by: u64, name: EntryName, is_told: bool) -> Result<bool> {
    let gone = connection
        .prepare_cached("DELETE FROM cache_entries WHERE key = ?1 AND id = ?2")?
        .execute(params![name.key.as_bytes(), name.id as i64])?;
    if gone > 0 && is_told {
        tell(connection, by, What::Removed, name.id)?;
    }
    Ok(gone > 0)
}

/// Drops a row that is not what was written.
pub(super) fn remove_damaged(connection: &Connection, number: i64) -> Result<()> {
    let select = format!("SELECT {ENTRY} FROM cache_entries WHERE number = ?1");
    let found = connection.prepare_cached(&select)?.query_row([number], |row| Ok(entry(row).is_err())).optional()?;
    if found == Some(true) {
        connection.prepare_cached("DELETE FROM cache_entries WHERE number = ?1")?.execute([number])?;
    }
    Ok(())
}

/// Marks an entry as one that answers wrongly.
pub(super) fn reject(connection: &Connection, by: u64, name: EntryName) -> Result<()> {
    let select = format!("SELECT {ENTRY} FROM cache_entries WHERE key = ?1 AND id = ?2");
    let mut select = connection.prepare_cached(&select)?;
    let found = select
        .query_row(params![name.key.as_bytes(), name.id as i64], |row| Ok((entry(row), row.get::<_, i64>(3)?)))
        .optional()?;
    // A row that is damaged answers nothing anyway.
    let Some((Ok((number, entry)), put_by)) = found else { return Ok(()) };
    let sum = EntryColumns::of(put_by as u64, &StoredEntry { is_rejected: true, ..entry }).sum();
    connection
        .prepare_cached("UPDATE cache_entries SET rejected = 1, sum = ?1 WHERE number = ?2")?
        .execute(params![sum, number])?;
    tell(connection, by, What::Rejected, name.id)
}

pub(super) fn learn(connection: &Connection, by: u64, evidence: &Learned) -> Result<()> {
    let Learned { tenant, judged } = evidence;
    if !judged.score.is_finite() {
        return Err(Error::invalid("a score that is not finite teaches nothing"));
    }
    let sum = Checksum::of("cache_evidence")
        .int(by as i64)
        .text(tenant)
        .real(judged.score)
        .int(judged.correct.into())
        .finish();
    connection
        .prepare_cached("INSERT INTO cache_evidence (by, tenant, score, correct, sum) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![by as i64, tenant, judged.score, judged.correct, sum])?;
    Ok(())
}

/// Forgets what was learned of a tenant, or of all.
pub(super) fn forget(connection: &Connection, by: u64, tenant: Option<&str>) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM cache_evidence WHERE ?1 IS NULL OR tenant = ?1")?
        .execute(params![tenant])?;
    tell(connection, by, What::Forgotten, 0)
}

/// A vector of its bytes.
pub(super) fn vector(bytes: &[u8]) -> Arc<[f32]> {
    bytes.as_chunks::<4>().0.iter().map(|&x| f32::from_le_bytes(x)).collect()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
