//! A request as a row: how it is written, summed and read.

use super::schema::finished_at;
use crate::queue::entry::{Failure, Status};
use crate::queue::moment::Moment;
use crate::queue::options::Priority;
use crate::queue::store::Acked;
use crate::queue::stored_request::StoredRequest;
use crate::store::Checksum;
use crate::{Error, Payload, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::ops::Range;
use std::sync::Arc;

/// All that is decided upon, in the order of the sum, and the sum behind it.
pub(super) const COLUMNS: &str = "id, queue, change, status, priority, tenant, provider, model, tokens, key, attempt,
    max_attempts, enqueued, ready, place, deadline, lease_until, finished, owner, history, size, sum";
const SUMMED: Range<usize> = 0..21;
const SUM: usize = 21;

/// A row that is whole, or that is not what was written.
pub(super) enum StoredRow {
    Whole(StoredRequest, Option<i64>),
    Damaged(i64),
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Nanoseconds since 1970 reach to the year 2262; what is later is never.
pub(super) fn nanos(at: Moment) -> i64 {
    signed(at.nanos())
}

pub(super) fn moment(nanos: i64) -> Moment {
    if nanos == i64::MAX { Moment::NEVER } else { Moment::from_nanos(u64::try_from(nanos).unwrap_or_default()) }
}

fn content(is_json: bool, bytes: Vec<u8>) -> Payload {
    if is_json { Payload::Json(bytes.into()) } else { Payload::Bytes(bytes.into()) }
}

/// The sum of a payload or a result, with the request that it belongs to.
pub(super) fn payload_sum(id: i64, is_json: bool, content: &[u8]) -> u32 {
    Checksum::of("payload").int(id).int(i64::from(is_json)).bytes(content).finish()
}

fn history_text(history: &[Failure]) -> Result<Option<String>> {
    if history.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(history).map(Some).map_err(|error| Error::Store(error.to_string()))
}

fn sum_of(
    queue: &str,
    change: Option<i64>,
    record: &StoredRequest,
    finished: Option<i64>,
    history: Option<&str>,
) -> u32 {
    Checksum::of("requests")
        .int(signed(record.id))
        .text(queue)
        .maybe_int(change)
        .int(record.status as i64)
        .int(record.priority.index() as i64)
        .text(&record.tenant)
        .maybe_text(record.provider.as_deref())
        .maybe_text(record.model.as_deref())
        .int(signed(record.tokens))
        .maybe_text(record.key.as_deref())
        .int(i64::from(record.attempt))
        .int(i64::from(record.max_attempts))
        .int(nanos(record.enqueued))
        .int(nanos(record.ready_at))
        .int(signed(record.place))
        .maybe_int(record.deadline.map(nanos))
        .maybe_int(record.lease_until.map(nanos))
        .maybe_int(finished)
        .int(record.owner as i64)
        .maybe_text(history)
        .int(record.size as i64)
        .finish()
}

/// Writes a new request.
pub(super) fn insert(connection: &Connection, queue: &str, record: &StoredRequest, payload: &Payload) -> Result<()> {
    let (is_json, bytes) = (matches!(payload, Payload::Json(_)), payload.as_bytes());
    let sum = payload_sum(signed(record.id), is_json, bytes);
    insert_row(connection, queue, record, None, is_json, Some(bytes), sum)
}

pub(super) fn insert_row(
    connection: &Connection,
    queue: &str,
    record: &StoredRequest,
    finished: Option<i64>,
    is_json: bool,
    payload: Option<&[u8]>,
    payload_sum: u32,
) -> Result<()> {
    let sql =
        "INSERT INTO requests (id, queue, change, status, priority, tenant, provider, model, tokens, key, attempt,
        max_attempts, enqueued, ready, place, deadline, lease_until, finished, owner, history, size, sum, is_json,
        payload_sum, payload) VALUES (?1, ?2, NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
        ?18, ?19, ?20, ?21, ?22, ?23, ?24)";
    let history = history_text(&record.history)?;
    connection.prepare_cached(sql)?.execute(params![
        signed(record.id),
        queue,
        record.status as i64,
        record.priority.index() as i64,
        &*record.tenant,
        record.provider.as_deref(),
        record.model.as_deref(),
        signed(record.tokens),
        record.key.as_deref(),
        record.attempt,
        record.max_attempts,
        nanos(record.enqueued),
        nanos(record.ready_at),
        signed(record.place),
        record.deadline.map(nanos),
        record.lease_until.map(nanos),
        finished,
        record.owner as i64,
        history,
        record.size as i64,
        sum_of(queue, None, record, finished, history.as_deref()),
        is_json,
        payload_sum,
        payload,
    ])?;
    Ok(())
}

/// Writes what has become of a request at `at`, under the number of the change. Gives its payload, if that is whole.
pub(super) fn save(
    connection: &Connection,
    queue: &str,
    change: i64,
    record: &StoredRequest,
    at: Moment,
    result: Option<&Payload>,
) -> Result<Option<Payload>> {
    let sql = "UPDATE requests SET change = ?1, status = ?2, provider = ?3, model = ?4, tokens = ?5, attempt = ?6,
        max_attempts = ?7, ready = ?8, place = ?9, deadline = ?10, lease_until = ?11, finished = ?12, owner = ?13,
        history = ?14, sum = ?15, payload = CASE WHEN ?2 IN (3, 5) THEN NULL ELSE payload END, result_is_json = ?16,
        result = ?17, result_sum = ?18 WHERE id = ?19 RETURNING is_json, payload, payload_sum";
    let (id, finished, history) = (signed(record.id), finished_at(record.status, at), history_text(&record.history)?);
    let is_json = result.map(|result| matches!(result, Payload::Json(_)));
    let mut update = connection.prepare_cached(sql)?;
    let saved = update
        .query_row(
            params![
                change,
                record.status as i64,
                record.provider.as_deref(),
                record.model.as_deref(),
                signed(record.tokens),
                record.attempt,
                record.max_attempts,
                nanos(record.ready_at),
                signed(record.place),
                record.deadline.map(nanos),
                record.lease_until.map(nanos),
                finished,
                record.owner as i64,
                history,
                sum_of(queue, Some(change), record, finished, history.as_deref()),
                is_json,
                result.map(Payload::as_bytes),
                result.map(|result| payload_sum(id, is_json.unwrap_or_default(), result.as_bytes())),
                id,
            ],
            |row| Ok(whole(row, id)),
        )
        .optional()?;
    saved.ok_or_else(|| {
        Error::Store(format!("the row of request {id} is gone: is another program at work in the file?"))
    })
}

/// What `is_json, payload, payload_sum` hold, if it is what was written. Another type than was written is damage as well.
fn whole(row: &Row<'_>, id: i64) -> Option<Payload> {
    let read = || -> rusqlite::Result<(bool, Vec<u8>, u32)> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) };
    let (is_json, bytes, sum) = read().ok()?;
    (payload_sum(id, is_json, &bytes) == sum).then(|| content(is_json, bytes))
}

/// A row of `COLUMNS`.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    let id: i64 = row.get(0)?;
    let sum = Checksum::of("requests").columns(row, SUMMED)?.finish();
    if row.get::<_, u32>(SUM).ok() != Some(sum) {
        return Ok(StoredRow::Damaged(id));
    }
    let text =
        |index| -> rusqlite::Result<Option<Arc<str>>> { Ok(row.get::<_, Option<String>>(index)?.map(Arc::from)) };
    let history: Option<String> = row.get(19)?;
    let record = StoredRequest {
        id: id as u64,
        status: Status::ALL.get(row.get::<_, u32>(3)? as usize).copied().unwrap_or(Status::Dead),
        priority: Priority::ALL.get(row.get::<_, u32>(4)? as usize).copied().unwrap_or_default(),
        tenant: Arc::from(row.get::<_, String>(5)?),
        provider: text(6)?,
        model: text(7)?,
        tokens: row.get::<_, i64>(8)? as u64,
        key: text(9)?,
        attempt: row.get(10)?,
        max_attempts: row.get(11)?,
        enqueued: moment(row.get(12)?),
        ready_at: moment(row.get(13)?),
        place: row.get::<_, i64>(14)? as u64,
        deadline: row.get::<_, Option<i64>>(15)?.map(moment),
        lease_until: row.get::<_, Option<i64>>(16)?.map(moment),
        owner: row.get::<_, i64>(18)? as u64,
        history: history.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        size: row.get::<_, i64>(20)? as usize,
    };
    Ok(StoredRow::Whole(record, row.get(2)?))
}

/// Whether the first columns of a row, so many, are what was written, by the sum behind them.
pub(super) fn is_whole(row: &Row<'_>, table: &str, columns: usize) -> rusqlite::Result<bool> {
    Ok(row.get::<_, u32>(columns).ok() == Some(Checksum::of(table).columns(row, 0..columns)?.finish()))
}

/// The payload of a request, where it has one and that is whole.
pub(super) fn payload(connection: &Connection, id: u64) -> Result<Option<Payload>> {
    let sql = "SELECT is_json, payload, payload_sum FROM requests WHERE id = ?1";
    let id = signed(id);
    Ok(connection.prepare_cached(sql)?.query_row([id], |row| Ok(whole(row, id))).optional()?.flatten())
}

/// The result of a request that is done on disk; None where it is not done yet.
pub(super) fn result(connection: &Connection, id: u64) -> Result<Option<Acked>> {
    let sql = "SELECT result_is_json, result, result_sum, result_sum IS NULL, status FROM requests WHERE id = ?1";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([signed(id)])?;
    let Some(row) = rows.next()? else { return Err(crate::queue::core::unknown(id)) };
    if row.get::<_, i64>(4)? != Status::Done as i64 {
        return Ok(None);
    }
    if row.get(3)? {
        return Ok(Some(Acked { result: None }));
    }
    match whole(row, signed(id)) {
        Some(result) => Ok(Some(Acked { result: Some(result) })),
        None => Err(Error::RequestFailed(format!("the result of request {id:016x} is {}", super::DAMAGED))),
    }
}

/// The id that a key was given, where it is remembered.
pub(super) fn id_of_key(connection: &Connection, queue: &str, key: &str) -> Result<Option<u64>> {
    let sql = "SELECT id FROM requests WHERE queue = ?1 AND key = ?2";
    let found = connection.prepare_cached(sql)?.query_row((queue, key), |row| row.get::<_, i64>(0)).optional()?;
    Ok(found.map(|id| id as u64))
}
