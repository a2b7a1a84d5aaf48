//! A queue on a SQLite file, which several processes may share.
//!
//! The file has the last word: a hand-out or a settlement holds only if its row is still in the state that the
//! process believes. Ids count up and changes are numbered, so that others read just what is new. A put touches
//! nothing but its row: it has no number, and the newest row is never purged, so that no id is given twice.

mod rows;

use super::journal::{Journal, Move, NewRequest, Pending, Row, Stored};
use super::options::QueueConfig;
use crate::store::sqlite::{Database, Schema};
use crate::{Payload, Result};
use parking_lot::Mutex;
use rows::{insert_all, nanos, next_change, read_row, signed, transition};
use rusqlite::{OptionalExtension, params};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const SCHEMA: Schema = Schema::of(
    "queue",
    // "hrQ1" in ASCII.
    0x6872_5131,
    2,
    "
CREATE TABLE IF NOT EXISTS changes (n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    change INTEGER,
    status INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    provider TEXT,
    model TEXT,
    tokens INTEGER NOT NULL,
    key TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL,
    enqueued INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    deadline INTEGER,
    lease_until INTEGER,
    finished INTEGER,
    history TEXT,
    is_json INTEGER NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    payload BLOB,
    result_is_json INTEGER,
    result BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS requests_key ON requests (queue, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_change ON requests (queue, change) WHERE change IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_finished ON requests (queue, finished) WHERE finished IS NOT NULL;
",
);

/// What `read_row` reads, then the number of the change.
const COLUMNS: &str = "id, status, priority, tenant, provider, model, tokens, key, attempt, max_attempts, enqueued,
    ready, deadline, lease_until, history, size, change";

pub(super) struct SqliteJournal {
    database: Database,
    queue: Arc<str>,
    /// The newest request and the newest change that were read.
    seen: Mutex<(i64, i64)>,
}

impl SqliteJournal {
    pub(super) fn open(path: &Path, config: &QueueConfig) -> Result<Self> {
        let database = Database::open(path, &SCHEMA)?;
        database.write_and_wait(|connection| {
            connection.execute("INSERT INTO changes SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM changes)", [])?;
            Ok(())
        })?;
        Ok(Self { database, queue: Arc::from(config.name.as_str()), seen: Mutex::default() })
    }
}

impl Journal for SqliteJournal {
    fn put(&self, requests: Vec<NewRequest>) -> Pending<Vec<Stored>> {
        let queue = Arc::clone(&self.queue);
        self.database.write(move |connection| insert_all(connection, &queue, &requests))
    }

    fn claim(&self, claims: Vec<(u64, u32)>, at: Duration, lease_until: Duration) -> Pending<Vec<Option<Payload>>> {
        self.database.write(move |connection| {
            let change = next_change(connection)?;
            let claim = |&(id, attempt)| rows::claim(connection, change, (id, attempt), at, lease_until);
            claims.iter().map(claim).collect()
        })
    }

    fn transition(&self, change: Move) -> Pending<bool> {
        self.database.write(move |connection| transition(connection, &change))
    }

    fn revive(&self, id: u64, at: Duration) -> Pending<bool> {
        self.database.write(move |connection| {
            let change = next_change(connection)?;
            let sql =
                "UPDATE requests SET change = ?1, status = 0, attempt = 0, ready = ?2, finished = NULL, deadline = NULL
                WHERE id = ?3 AND status = 4";
            Ok(connection.prepare_cached(sql)?.execute(params![change, nanos(at), signed(id)])? == 1)
        })
    }

    fn changes(&self) -> Result<Vec<Row>> {
        self.check()?;
        let mut seen = self.seen.lock();
        let (last_id, last_change) = *seen;
        let (rows, newest) = self.database.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            let (mut rows, mut newest) = (Vec::new(), (last_id, last_change));
            for new in ["queue = ?1 AND change > ?2 AND id <= ?3", "queue = ?1 AND id > ?3 AND ?2 IS NOT NULL"] {
                let sql = format!("SELECT {COLUMNS} FROM requests WHERE {new} ORDER BY id");
                let mut statement = moment.prepare_cached(&sql)?;
                let mut found = statement.query(params![&*self.queue, last_change, last_id])?;
                while let Some(row) = found.next()? {
                    let read = read_row(row)?;
                    newest.0 = newest.0.max(read.id as i64);
                    newest.1 = newest.1.max(row.get::<_, Option<i64>>(16)?.unwrap_or_default());
                    rows.push(read);
                }
            }
            moment.finish()?;
            Ok((rows, newest))
        })?;
        *seen = newest;
        Ok(rows)
    }

    fn rows(&self, ids: &[u64]) -> Result<Vec<Row>> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM requests WHERE id = ?1"))?;
            let rows = ids.iter().filter_map(|id| statement.query_row([signed(*id)], read_row).optional().transpose());
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn payload(&self, id: u64) -> Result<Option<Payload>> {
        self.database.read(|connection| rows::payload(connection, id))
    }

    fn result(&self, id: u64) -> Result<Option<Payload>> {
        self.database.read(|connection| rows::result(connection, id))
    }

    fn purge(&self, without_key_before: Duration, with_key_before: Duration) -> Pending<usize> {
        let queue = Arc::clone(&self.queue);
        self.database.write(move |connection| {
            let sql = "DELETE FROM requests WHERE queue = ?1 AND status IN (3, 5)
                AND id < (SELECT max(id) FROM requests) AND finished < CASE WHEN key IS NULL THEN ?2 ELSE ?3 END";
            Ok(connection.prepare_cached(sql)?.execute(params![
                &*queue,
                nanos(without_key_before),
                nanos(with_key_before)
            ])?)
        })
    }

    fn check(&self) -> Result<()> {
        if self.database.is_poisoned() {
            return Err(self.database.closed());
        }
        Ok(())
    }
}
