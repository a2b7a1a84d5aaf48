//! The statements on one request, and how a row is written and read.

use super::super::entry::{Failure, Status};
use super::super::journal::{Move, NewRequest, Row, Stored};
use super::super::options::Priority;
use crate::{Error, Payload, Result};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;

/// What a dead letter says whose row is not what was written.
const DAMAGED: &str = "damaged on disk: its checksum differs from what was put";

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Nanoseconds since 1970 reach to the year 2262.
pub(super) fn nanos(at: Duration) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn moment(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

fn content(is_json: bool, bytes: Vec<u8>) -> Payload {
    if is_json { Payload::Json(bytes.into()) } else { Payload::Bytes(bytes.into()) }
}

pub(super) fn next_change(connection: &Connection) -> Result<i64> {
    let sql = "UPDATE changes SET n = n + 1 RETURNING n";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Stores requests; one whose key is known is not stored again.
pub(super) fn insert_all(connection: &Connection, queue: &str, requests: &[NewRequest]) -> Result<Vec<Stored>> {
    let sql = "INSERT INTO requests (queue, status, priority, tenant, provider, model, tokens, key, max_attempts,
        enqueued, ready, deadline, is_json, size, payload, checksum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
        ON CONFLICT (queue, key) WHERE key IS NOT NULL DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    requests.iter().map(|request| insert(connection, &mut statement, queue, request)).collect()
}

fn insert(
    connection: &Connection,
    statement: &mut CachedStatement<'_>,
    queue: &str,
    request: &NewRequest,
) -> Result<Stored> {
    let status = if request.ready_at > request.enqueued { Status::Scheduled } else { Status::Waiting };
    let bytes = request.payload.as_bytes();
    let added = statement.execute(params![
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
        checksum(&request.tenant, request.key.as_deref(), bytes),
    ])?;
    if added == 1 {
        return Ok(Stored { id: connection.last_insert_rowid() as u64, fresh: true });
    }
    let known: i64 = connection
        .prepare_cached("SELECT id FROM requests WHERE queue = ?1 AND key = ?2")?
        .query_row(params![queue, request.key.as_deref()], |row| row.get(0))?;
    Ok(Stored { id: known as u64, fresh: false })
}

pub(super) fn transition(connection: &Connection, change: &Move) -> Result<bool> {
    let number = next_change(connection)?;
    let finished = (!change.status.is_open()).then(|| nanos(change.at));
    let history = match &change.history {
        Some(history) if !history.is_empty() => {
            Some(serde_json::to_string(history).map_err(|error| Error::Store(error.to_string()))?)
        }
        _ => None,
    };
    let leased_only = matches!(change.status, Status::Done | Status::Leased) || change.attempt_after != change.attempt;
    let sql = "UPDATE requests SET change = ?1, status = ?2, attempt = ?3, ready = coalesce(?4, ready), finished = ?5,
        lease_until = ?6, history = coalesce(?7, history), result_is_json = ?8, result = ?9,
        payload = CASE WHEN ?2 IN (3, 5) THEN NULL ELSE payload END
        WHERE id = ?10 AND attempt = ?11 AND (status = 2 OR (NOT ?12 AND status < 3))
        AND (?13 IS NULL OR lease_until <= ?13)";
    let result = change.result.as_ref();
    let changed = connection.prepare_cached(sql)?.execute(params![
        number,
        change.status as i64,
        change.attempt_after,
        change.ready_at.map(nanos),
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

pub(super) fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
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
        history: read_history(history),
        size: row.get::<_, i64>(15)? as usize,
    })
}

/// A flipped bit on the medium is nothing that SQLite looks for inside a row.
fn checksum(tenant: &str, key: Option<&str>, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [tenant.as_bytes(), key.unwrap_or_default().as_bytes(), payload] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

/// Leases a request; None where it is not free any more, or damaged: then it is a dead letter.
pub(super) fn claim(
    connection: &Connection,
    change: i64,
    (id, attempt): (u64, u32),
    at: Duration,
    lease_until: Duration,
) -> Result<Option<Payload>> {
    let sql = "UPDATE requests SET change = ?1, status = 2, attempt = ?2, lease_until = ?3
        WHERE id = ?4 AND attempt = ?2 - 1 AND status < 2 RETURNING is_json, payload, tenant, key, checksum, history";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![change, attempt, nanos(lease_until), signed(id)], |row| {
            Ok((whole(row), row.get::<_, Option<String>>(5)?))
        })
        .optional()?;
    match found {
        None => Ok(None),
        Some((Some(payload), _)) => Ok(Some(payload)),
        Some((None, history)) => {
            let mut failures = read_history(history);
            let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
            failures.push(Failure { attempt, error: DAMAGED.into(), at_ms });
            let history = serde_json::to_string(&failures).map_err(|error| Error::Store(error.to_string()))?;
            let sql = "UPDATE requests SET status = 4, finished = ?1, history = ?2, lease_until = NULL WHERE id = ?3";
            connection.prepare_cached(sql)?.execute(params![nanos(at), history, signed(id)])?;
            tracing::error!(id, "a stored request is damaged: it is a dead letter now");
            Ok(None)
        }
    }
}

/// The payload of `is_json, payload, tenant, key, checksum`, if it is what was written.
fn whole(row: &rusqlite::Row<'_>) -> Option<Payload> {
    // Another type than was written, or text that is no UTF-8, is damage as well.
    let read = || -> rusqlite::Result<(bool, Vec<u8>, String, Option<String>, u32)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    };
    let (is_json, bytes, tenant, key, sum) = read().ok()?;
    (checksum(&tenant, key.as_deref(), &bytes) == sum).then(|| content(is_json, bytes))
}

/// The payload of a request that is not done.
pub(super) fn payload(connection: &Connection, id: u64) -> Result<Option<Payload>> {
    let sql = "SELECT is_json, payload, tenant, key, checksum FROM requests WHERE id = ?1 AND payload IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.query_row([signed(id)], |row| Ok(whole(row))).optional()?.flatten())
}

/// What the ack of a request was given.
pub(super) fn result(connection: &Connection, id: u64) -> Result<Option<Payload>> {
    let sql = "SELECT result_is_json, result FROM requests WHERE id = ?1 AND result IS NOT NULL";
    let read = |row: &rusqlite::Row<'_>| Ok(content(row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(sql)?.query_row([signed(id)], read).optional()?)
}

fn read_history(text: Option<String>) -> Vec<Failure> {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
