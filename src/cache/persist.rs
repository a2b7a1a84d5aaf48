//! Entries in a SQLite file: written through as they come and go, and read back when the cache opens.
//!
//! A saved cache and a durable cache have the same tables, so that each opens as the other. Vectors are kept as they
//! are searched, of unit length in little-endian f32; codes are made anew, which takes less time than reading them.

use super::entry::CacheEntry;
use super::key::EntryKey;
use super::policy::Judged;
use crate::store::sqlite::{Database, Schema, store_error};
use crate::{Error, Payload, Result};
use rusqlite::{Connection, OpenFlags, Row, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) const SCHEMA: Schema = Schema::of(
    "cache",
    // "hrca" in ASCII.
    0x6872_6361,
    1,
    "CREATE TABLE IF NOT EXISTS entries (
        key BLOB PRIMARY KEY, tenant TEXT NOT NULL, scope TEXT, prompt TEXT NOT NULL, response BLOB NOT NULL,
        is_json INTEGER NOT NULL, embedding BLOB, tags TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER,
        cost TEXT, rejected INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS evidence (tenant TEXT NOT NULL, score REAL NOT NULL, correct INTEGER NOT NULL)",
);
const LEARN: &str = "INSERT INTO evidence VALUES (?1, ?2, ?3)";
const INSERT: &str = "INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const SELECT: &str = "SELECT tenant, scope, prompt, response, is_json, embedding, tags, created_ms, expires_ms, cost, \
                      rejected FROM entries ORDER BY rowid";
/// Rows that are handed over at once while reading.
const BATCH: usize = 4096;

/// The file behind a durable cache.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    path: PathBuf,
}

/// An entry as the file has it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub tenant: String,
    pub scope: Option<String>,
    pub prompt: String,
    pub response: Payload,
    pub vector: Option<Vec<f32>>,
    pub tags: Vec<String>,
    pub created: Duration,
    pub expires: Option<Duration>,
    pub cost: Option<i128>,
    pub rejected: bool,
}

impl Store {
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { database: Database::open(path, &SCHEMA)?, path: path.to_path_buf() })
    }

    /// Hands over everything in the file.
    pub fn read_all(&self, take: impl FnMut(Vec<Record>) -> Result<()>) -> Result<()> {
        self.database.read(|connection| read_all(connection, take))
    }

    /// Queues entries to be written, each with its vector.
    pub fn put(&self, entries: Vec<(Arc<CacheEntry>, Option<Vec<f32>>)>) -> Result<()> {
        self.enqueue(move |connection| {
            let mut insert = connection.prepare_cached(INSERT)?;
            for (entry, vector) in &entries {
                insert_one(&mut insert, entry, vector.as_deref())?;
            }
            Ok(())
        })
    }

    /// Queues an entry to be deleted, if the file still has this one and not a later one of the same key.
    pub fn delete(&self, entry: &CacheEntry) -> Result<()> {
        let (key, created) = (entry.key, millis(entry.created));
        self.enqueue(move |connection| {
            let mut delete = connection.prepare_cached("DELETE FROM entries WHERE key = ?1 AND created_ms <= ?2")?;
            delete.execute(params![key.as_bytes(), created])?;
            Ok(())
        })
    }

    pub fn reject(&self, key: EntryKey) -> Result<()> {
        self.enqueue(move |connection| {
            connection.prepare_cached("UPDATE entries SET rejected = 1 WHERE key = ?1")?.execute([key.as_bytes()])?;
            Ok(())
        })
    }

    /// What was learned, by tenant, oldest first.
    pub fn read_evidence(&self) -> Result<Vec<(String, Judged)>> {
        self.database.read(read_evidence)
    }

    pub fn put_evidence(&self, tenant: String, judged: Judged) -> Result<()> {
        self.enqueue(move |connection| {
            connection.prepare_cached(LEARN)?.execute(params![tenant, judged.score, judged.correct])?;
            Ok(())
        })
    }

    /// Queues what was learned of a tenant, or of all, to be deleted.
    pub fn delete_evidence(&self, tenant: Option<String>) -> Result<()> {
        self.enqueue(move |connection| {
            connection.execute("DELETE FROM evidence WHERE ?1 IS NULL OR tenant = ?1", params![tenant])?;
            Ok(())
        })
    }

    fn enqueue(&self, work: impl FnOnce(&Connection) -> Result<()> + Send + 'static) -> Result<()> {
        if self.database.is_poisoned() {
            return Err(self.database.closed());
        }
        // Nobody waits for one write: `flush` waits for all before it.
        drop(self.database.write(work));
        Ok(())
    }

    /// Waits until what was queued is on disk.
    pub fn flush(&self) -> Result<()> {
        self.database.write_and_wait(|_| Ok(()))
    }

    /// Writes the file anew, so that nothing of what was deleted is left in it.
    pub fn compact(&self) -> Result<()> {
        self.flush()?;
        let run = || -> rusqlite::Result<()> {
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.execute_batch("PRAGMA secure_delete = ON; VACUUM;")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        run().map_err(|error| store_error(&self.path, &error))
    }
}

/// Writes entries and what was learned to a new file, in place of one that may be there.
pub(super) fn save(
    path: &Path,
    entries: impl Iterator<Item = (Arc<CacheEntry>, Option<Vec<f32>>)>,
    evidence: &[(String, Judged)],
) -> Result<usize> {
    let unfinished = path.with_extension("unfinished");
    let write = || -> Result<usize> {
        let _ = std::fs::remove_file(&unfinished);
        let mut connection = Connection::open(&unfinished)?;
        connection.pragma_update(None, "application_id", SCHEMA.application_id)?;
        connection.pragma_update(None, "user_version", SCHEMA.version)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA.tables)?;
        let mut count = 0;
        {
            let mut insert = transaction.prepare(INSERT)?;
            for (entry, vector) in entries {
                insert_one(&mut insert, &entry, vector.as_deref())?;
                count += 1;
            }
            let mut learn = transaction.prepare(LEARN)?;
            for (tenant, judged) in evidence {
                learn.execute(params![tenant, judged.score, judged.correct])?;
            }
        }
        transaction.commit()?;
        connection.close().map_err(|(_, error)| store_error(&unfinished, &error))?;
        Ok(count)
    };
    let count = write()?;
    std::fs::rename(&unfinished, path).map_err(|error| {
        Error::Store(format!("{}: {error}: give a file in a folder that can be written", path.display()))
    })?;
    Ok(count)
}

/// Hands over everything in a saved file, which stays as it is, and returns what was learned.
pub(super) fn load(path: &Path, take: impl FnMut(Vec<Record>) -> Result<()>) -> Result<Vec<(String, Judged)>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| store_error(path, &error))?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let found = pragma("application_id")
        .and_then(|id| Ok((id, pragma("user_version")?)))
        .map_err(|error| store_error(path, &error))?;
    if found != (SCHEMA.application_id, SCHEMA.version) {
        return Err(Error::Store(format!(
            "{} is no saved cache of this version (application id {}, version {}): give a file that save wrote",
            path.display(),
            found.0,
            found.1
        )));
    }
    read_all(&connection, take)?;
    read_evidence(&connection)
}

fn read_evidence(connection: &Connection) -> Result<Vec<(String, Judged)>> {
    // A file that an earlier version saved has no such table.
    let known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'evidence'";
    if connection.query_row(known, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT tenant, score, correct FROM evidence ORDER BY tenant, rowid")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, Judged { score: row.get(1)?, correct: row.get(2)? })))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn insert_one(insert: &mut rusqlite::Statement<'_>, entry: &CacheEntry, vector: Option<&[f32]>) -> Result<()> {
    let bytes = vector.map(|vector| vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
    let tags = serde_json::Value::from(entry.tags.to_vec()).to_string();
    insert.execute(params![
        entry.key.as_bytes(),
        &*entry.tenant,
        entry.scope.as_deref(),
        &*entry.prompt,
        entry.response.as_bytes(),
        matches!(entry.response, Payload::Json(_)),
        bytes,
        tags,
        millis(entry.created),
        entry.expires.map(millis),
        entry.cost.map(|cost| cost.to_string()),
        entry.rejected.load(Ordering::Relaxed),
    ])?;
    Ok(())
}

fn read_all(connection: &Connection, mut take: impl FnMut(Vec<Record>) -> Result<()>) -> Result<()> {
    let mut select = connection.prepare(SELECT)?;
    let mut rows = select.query([])?;
    let mut batch = Vec::new();
    while let Some(row) = rows.next()? {
        batch.push(record(row)?);
        if batch.len() == BATCH {
            take(std::mem::take(&mut batch))?;
        }
    }
    take(batch)
}

fn record(row: &Row<'_>) -> Result<Record> {
    let response: Vec<u8> = row.get(3)?;
    let response = if row.get(4)? { Payload::Json(response.into()) } else { Payload::Bytes(response.into()) };
    let vector = row.get::<_, Option<Vec<u8>>>(5)?;
    let tags: String = row.get(6)?;
    let cost: Option<String> = row.get(9)?;
    let since_1970 = |ms: i64| Duration::from_millis(ms.max(0) as u64);
    Ok(Record {
        tenant: row.get(0)?,
        scope: row.get(1)?,
        prompt: row.get(2)?,
        response,
        vector: vector.map(|bytes| bytes.as_chunks::<4>().0.iter().map(|&x| f32::from_le_bytes(x)).collect()),
        tags: serde_json::from_str(&tags).map_err(|error| Error::Store(format!("tags {tags:?}: {error}")))?,
        created: since_1970(row.get(7)?),
        expires: row.get::<_, Option<i64>>(8)?.map(since_1970),
        cost: cost.and_then(|text| text.parse().ok()),
        rejected: row.get(10)?,
    })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
