//! A queue on a SQLite file, which several processes may share.
//!
//! The file has the last word: a hand-out or a settlement holds only if its row is still in the state that the
//! process believes. Every change takes the next number of the file, so that others read just what is new; the number
//! of its first change is a request's id.

use super::entry::{Failure, Status};
use super::journal::{Journal, Move, NewRequest, Pending, Row, Stored};
use super::options::{Priority, QueueConfig};
use crate::store::sqlite::{Database, Schema};
use crate::{Error, Payload, Result};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const SCHEMA: Schema = Schema {
    // "hrQ1" in ASCII.
    application_id: 0x6872_5131,
    version: 2,
    tables: "
CREATE TABLE IF NOT EXISTS changes (n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    change INTEGER NOT NULL,
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
    payload BLOB,
    result_is_json INTEGER,
    result BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS requests_key ON requests (queue, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_change ON requests (queue, change);
CREATE INDEX IF NOT EXISTS requests_finished ON requests (queue, finished) WHERE finished IS NOT NULL;
",
};

/// What `read_row` reads, then the number of the change.
const COLUMNS: &str = "id, status, priority, tenant, provider, model, tokens, key, attempt, max_attempts, enqueued,
    ready, deadline, lease_until, history, size, change";

pub(super) struct SqliteJournal {
    database: Database,
    queue: Arc<str>,
    seen: AtomicI64,
}

impl SqliteJournal {
    pub(super) fn open(path: &Path, config: &QueueConfig) -> Result<Self> {
        let database = Database::open(path, SCHEMA)?;
        database.write_and_wait(|connection| {
            connection.execute("INSERT INTO changes SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM changes)", [])?;
            Ok(())
        })?;
        Ok(Self { database, queue: Arc::from(config.name.as_str()), seen: AtomicI64::new(0) })
    }

    fn blob(&self, sql: &str, id: u64) -> Result<Option<Payload>> {
        self.database.read(|connection| {
            let row = connection
                .prepare_cached(sql)?
                .query_row(params![signed(id)], |row| {
                    Ok((row.get::<_, Option<bool>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
                })
                .optional()?;
            Ok(row.and_then(|(is_json, bytes)| Some(payload(is_json?, bytes?))))
        })
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Nanoseconds since 1970 reach to the year 2262.
fn nanos(at: Duration) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

fn moment(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

fn payload(is_json: bool, bytes: Vec<u8>) -> Payload {
    if is_json { Payload::Json(bytes.into()) } else { Payload::Bytes(bytes.into()) }
}

/// Takes the next `count` numbers; the first of them.
fn next_changes(connection: &Connection, count: usize) -> Result<i64> {
    let sql = "UPDATE changes SET n = n + ?1 RETURNING n - ?1 + 1";
    Ok(connection.prepare_cached(sql)?.query_row([count as i64], |row| row.get(0))?)
}

fn insert(connection: &Connection, queue: &str, id: i64, request: &NewRequest) -> Result<Stored> {
    let sql = "INSERT INTO requests (id, queue, change, status, priority, tenant, provider, model, tokens, key,
        max_attempts, enqueued, ready, deadline, is_json, size, payload)
        VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
        ON CONFLICT (queue, key) WHERE key IS NOT NULL DO NOTHING";
    let status = if request.ready_at > request.enqueued { Status::Scheduled } else { Status::Waiting };
    let bytes = request.payload.as_bytes();
    let added = connection.prepare_cached(sql)?.execute(params![
        id,
        queue,
        status as i64,
        request.priority.index() as i64,
        &*request.tenant,
        request.provider.as_deref(),
        request.model.as_deref(),
        signed(request.tokens),
        request.key.as_deref(),
        request.max_attempts,
        nanos(request.enqueued),
        nanos(request.ready_at),
        request.deadline.map(nanos),
        matches!(request.payload, Payload::Json(_)),
        bytes.len() as i64,
        bytes,
    ])?;
    if added == 1 {
        return Ok(Stored { id: id as u64, fresh: true });
    }
    let known: i64 = connection
        .prepare_cached("SELECT id FROM requests WHERE queue = ?1 AND key = ?2")?
        .query_row(params![queue, request.key.as_deref()], |row| row.get(0))?;
    Ok(Stored { id: known as u64, fresh: false })
}

fn transition(connection: &Connection, change: &Move) -> Result<bool> {
    let number = next_changes(connection, 1)?;
    let finished = (!change.status.is_open()).then(|| nanos(change.at));
    let history = match &change.history {
        Some(history) if !history.is_empty() => {
            Some(serde_json::to_string(history).map_err(|error| Error::Store(error.to_string()))?)
        }
        _ => None,
    };
    let leased_only = matches!(change.status, Status::Done | Status::Leased) || change.attempt_after != change.attempt;
    let sql = "UPDATE requests SET change = ?1, status = ?2, attempt = ?3, ready = ?4, finished = ?5,
        lease_until = ?6, history = coalesce(?7, history), result_is_json = ?8, result = ?9,
        payload = CASE WHEN ?2 IN (3, 5) THEN NULL ELSE payload END
        WHERE id = ?10 AND attempt = ?11 AND (status = 2 OR (NOT ?12 AND status < 3))
        AND (?13 IS NULL OR lease_until <= ?13)";
    let result = change.result.as_ref();
    let changed = connection.prepare_cached(sql)?.execute(params![
        number,
        change.status as i64,
        change.attempt_after,
        nanos(change.ready_at),
        finished,
        change.lease_until.map(nanos),
        history,
        result.map(|payload| matches!(payload, Payload::Json(_))),
        result.map(|payload| payload.as_bytes().to_vec()),
        signed(change.id),
        change.attempt,
        leased_only,
        change.expired_by.map(nanos),
    ])?;
    Ok(changed == 1)
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text =
        |index| -> rusqlite::Result<Option<Arc<str>>> { Ok(row.get::<_, Option<String>>(index)?.map(Arc::from)) };
    let history: Option<String> = row.get(14)?;
    Ok(Row {
        id: row.get::<_, i64>(0)? as u64,
        status: Status::ALL.get(row.get::<_, u32>(1)? as usize).copied().unwrap_or(Status::Dead),
        priority: Priority::ALL.get(row.get::<_, u32>(2)? as usize).copied().unwrap_or_default(),
        tenant: Arc::from(row.get::<_, String>(3)?),
        provider: text(4)?,
        model: text(5)?,
        tokens: row.get::<_, i64>(6)? as u64,
        key: text(7)?,
        attempt: row.get(8)?,
        max_attempts: row.get(9)?,
        enqueued: moment(row.get(10)?),
        ready_at: moment(row.get(11)?),
        deadline: row.get::<_, Option<i64>>(12)?.map(moment),
        lease_until: row.get::<_, Option<i64>>(13)?.map(moment),
        history: history.and_then(|text| serde_json::from_str::<Vec<Failure>>(&text).ok()).unwrap_or_default(),
        size: row.get::<_, i64>(15)? as usize,
    })
}

impl Journal for SqliteJournal {
    fn put(&self, requests: Vec<NewRequest>) -> Pending<Vec<Stored>> {
        let queue = Arc::clone(&self.queue);
        self.database.write(move |connection| {
            let first = next_changes(connection, requests.len())?;
            (first..).zip(&requests).map(|(id, request)| insert(connection, &queue, id, request)).collect()
        })
    }

    fn claim(&self, claims: Vec<(u64, u32)>, lease_until: Duration) -> Pending<Vec<Option<Payload>>> {
        self.database.write(move |connection| {
            let change = next_changes(connection, 1)?;
            let sql = "UPDATE requests SET change = ?1, status = 2, attempt = ?2, lease_until = ?3
                WHERE id = ?4 AND attempt = ?2 - 1 AND status < 2 RETURNING is_json, payload";
            let mut statement = connection.prepare_cached(sql)?;
            claims
                .iter()
                .map(|&(id, attempt)| {
                    let found = statement
                        .query_row(params![change, attempt, nanos(lease_until), signed(id)], |row| {
                            Ok((row.get::<_, bool>(0)?, row.get::<_, Vec<u8>>(1)?))
                        })
                        .optional()?;
                    Ok(found.map(|(is_json, bytes)| payload(is_json, bytes)))
                })
                .collect()
        })
    }

    fn transition(&self, change: Move) -> Pending<bool> {
        self.database.write(move |connection| transition(connection, &change))
    }

    fn revive(&self, id: u64, at: Duration) -> Pending<bool> {
        self.database.write(move |connection| {
            let change = next_changes(connection, 1)?;
            let sql =
                "UPDATE requests SET change = ?1, status = 0, attempt = 0, ready = ?2, finished = NULL, deadline = NULL
                WHERE id = ?3 AND status = 4";
            Ok(connection.prepare_cached(sql)?.execute(params![change, nanos(at), signed(id)])? == 1)
        })
    }

    fn changes(&self) -> Result<Vec<Row>> {
        self.check()?;
        let seen = self.seen.load(Ordering::Acquire);
        self.database.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM requests WHERE queue = ?1 AND change > ?2 ORDER BY id");
            let mut newest = seen;
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![&*self.queue, seen], |row| {
                newest = newest.max(row.get(16)?);
                read_row(row)
            })?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            self.seen.fetch_max(newest, Ordering::AcqRel);
            Ok(rows)
        })
    }

    fn rows(&self, ids: &[u64]) -> Result<Vec<Row>> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM requests WHERE id = ?1"))?;
            let rows = ids.iter().filter_map(|id| statement.query_row([signed(*id)], read_row).optional().transpose());
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn payload(&self, id: u64) -> Result<Option<Payload>> {
        self.blob("SELECT is_json, payload FROM requests WHERE id = ?1", id)
    }

    fn result(&self, id: u64) -> Result<Option<Payload>> {
        self.blob("SELECT result_is_json, result FROM requests WHERE id = ?1", id)
    }

    fn purge(&self, without_key_before: Duration, with_key_before: Duration) -> Pending<usize> {
        let queue = Arc::clone(&self.queue);
        self.database.write(move |connection| {
            let sql = "DELETE FROM requests WHERE queue = ?1 AND status IN (3, 5)
                AND finished < CASE WHEN key IS NULL THEN ?2 ELSE ?3 END";
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
