//! The tables, and the step to them from those of the version before.

use super::rows::{COLUMNS, StoredRow, insert_row, nanos, payload, payload_sum, read, result};
use super::{beside, takes};
use crate::Result;
use crate::queue::entry::{Failure, Status};
use crate::queue::moment::Moment;
use crate::queue::options::Priority;
use crate::queue::stored_request::StoredRequest;
use crate::store::Damage;
use crate::store::sqlite::{Change, Schema, Step};
use rusqlite::{Connection, Row};
use std::sync::Arc;

/// A row of `requests` is a request for as long as it is remembered. `sum` is over all that is decided upon, the payload
/// and the result have sums of their own. `takes` is what left in the last minute, for rates and turns.
pub(crate) const SCHEMA: Schema = Schema {
    check: Some(check),
    steps: &[
        Step { from: 2, change: Change::Code(from_version_2) },
        Step { from: 3, change: Change::Code(beside::from_version_3) },
    ],
    mend: Some(beside::mend),
    ..Schema::of(
        "queue",
        // "hrQ1" in ASCII.
        0x6872_5131,
        4,
        "
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
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    enqueued INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    place INTEGER NOT NULL,
    deadline INTEGER,
    lease_until INTEGER,
    finished INTEGER,
    owner INTEGER NOT NULL,
    history TEXT,
    size INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    is_json INTEGER NOT NULL,
    payload_sum INTEGER NOT NULL,
    payload BLOB,
    result_is_json INTEGER,
    result_sum INTEGER,
    result BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS requests_key ON requests (queue, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_change ON requests (queue, change) WHERE change IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_finished ON requests (queue, finished) WHERE finished IS NOT NULL;
CREATE TABLE IF NOT EXISTS takes (
    n INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    at INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    provider TEXT,
    model TEXT,
    class INTEGER NOT NULL,
    requests BLOB NOT NULL,
    sum INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS queues (
    queue TEXT PRIMARY KEY NOT NULL,
    paused INTEGER NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (
    owner INTEGER NOT NULL,
    queue TEXT NOT NULL,
    until INTEGER NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (queue, owner)
) WITHOUT ROWID;
",
    )
};

/// Every row that is not what was written.
fn check(connection: &Connection) -> Result<Vec<Damage>> {
    let mut select = connection.prepare(&format!("SELECT {COLUMNS}, payload IS NULL FROM requests ORDER BY id"))?;
    let has_payload = select.column_count() - 1;
    let mut rows = select.query([])?;
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let what = match read(row)? {
            StoredRow::Damaged(_) => "what is decided upon is not what was written",
            StoredRow::Whole(record, _) => {
                let needs_payload = record.status.is_open() || !row.get(has_payload)?;
                if needs_payload && payload(connection, record.id)?.is_none() {
                    "its payload is not what was written"
                } else if result(connection, record.id).is_err() {
                    "its result is not what was written"
                } else {
                    continue;
                }
            }
        };
        damaged.push(Damage::new("requests", id, what));
    }
    damaged.extend(takes::check(connection)?);
    damaged.extend(beside::check(connection)?);
    Ok(damaged)
}

/// Version 2 had one sum over tenant, key and payload, and no places: there, ids were the order.
fn from_version_2(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "DROP INDEX IF EXISTS requests_key; DROP INDEX IF EXISTS requests_change; DROP INDEX IF EXISTS requests_finished;
        ALTER TABLE requests RENAME TO requests_2; DROP TABLE IF EXISTS changes;",
    )?;
    connection.execute_batch(SCHEMA.tables)?;
    let mut select = connection.prepare(
        "SELECT id, queue, status, priority, tenant, provider, model, tokens, key, attempt, max_attempts, enqueued, ready,
        deadline, lease_until, finished, history, size, is_json, payload, result_is_json, result, checksum FROM requests_2
        ORDER BY id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        copy(connection, row)?;
    }
    drop(rows);
    drop(select);
    Ok(connection.execute_batch("DROP TABLE requests_2")?)
}

fn copy(connection: &Connection, row: &Row<'_>) -> Result<()> {
    let text = |at| -> rusqlite::Result<Option<Arc<str>>> { Ok(row.get::<_, Option<String>>(at)?.map(Arc::from)) };
    let moment = |at: i64| Moment::from_nanos(u64::try_from(at).unwrap_or_default());
    let (id, queue): (i64, String) = (row.get(0)?, row.get(1)?);
    let payload: Option<Vec<u8>> = row.get(19)?;
    let (tenant, key): (String, Option<String>) = (row.get(4)?, row.get(8)?);
    let mut status = Status::ALL.get(row.get::<_, u32>(2)? as usize).copied().unwrap_or(Status::Dead);
    let history: Option<String> = row.get(16)?;
    let mut history: Vec<Failure> = history.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let attempt = row.get(9)?;
    let whole = payload.as_ref().is_none_or(|payload| {
        row.get::<_, u32>(22).is_ok_and(|sum| sum == sum_of_version_2(&tenant, key.as_deref(), payload))
    });
    if !whole {
        status = Status::Dead;
        history.push(Failure { attempt, error: super::DAMAGED.into(), at_ms: 0 });
    }
    let record = StoredRequest {
        id: id as u64,
        status,
        priority: Priority::ALL.get(row.get::<_, u32>(3)? as usize).copied().unwrap_or_default(),
        tenant: Arc::from(tenant),
        provider: text(5)?,
        model: text(6)?,
        tokens: row.get::<_, i64>(7)? as u64,
        key: key.map(Arc::from),
        attempt,
        max_attempts: row.get(10)?,
        enqueued: moment(row.get(11)?),
        ready_at: moment(row.get(12)?),
        place: if status == Status::Scheduled { 0 } else { id as u64 },
        deadline: row.get::<_, Option<i64>>(13)?.map(moment),
        lease_until: row.get::<_, Option<i64>>(14)?.map(moment),
        owner: 0,
        history,
        size: row.get::<_, i64>(17)? as usize,
    };
    let finished: Option<i64> = row.get(15)?;
    let is_json: bool = row.get(18)?;
    let payload = payload.filter(|_| whole);
    let sum = payload_sum(id, is_json, payload.as_deref().unwrap_or_default());
    insert_row(connection, &queue, &record, finished, is_json, payload.as_deref(), sum)?;
    if let (Some(is_json), Some(result)) = (row.get::<_, Option<bool>>(20)?, row.get::<_, Option<Vec<u8>>>(21)?) {
        let set = "UPDATE requests SET result_is_json = ?1, result = ?2, result_sum = ?3 WHERE id = ?4";
        connection.prepare_cached(set)?.execute((is_json, &result, payload_sum(id, is_json, &result), id))?;
    }
    Ok(())
}

fn sum_of_version_2(tenant: &str, key: Option<&str>, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [tenant.as_bytes(), key.unwrap_or_default().as_bytes(), payload] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

/// The end of what was finished at that moment, as the file has it.
pub(super) fn finished_at(status: Status, at: Moment) -> Option<i64> {
    (!status.is_open()).then(|| nanos(at))
}
