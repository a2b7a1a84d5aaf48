//! Files and servers that hold what headrace wrote, and were changed since: byte by byte, or by somebody who knows sums.

use crate::cache::store::read_summed;
use crate::cache::{CacheConfig, InsertRequest, LookupRequest, SemanticCache};
use crate::clock::ManualClock;
use crate::cost::budget::{Budget, Period, Scope};
use crate::cost::money::Money;
use crate::cost::price::PriceTable;
use crate::cost::{Attribution, Call, CostTracker, Dimension, Filter};
use crate::queue::{Priority, PutOptions, QueueConfig, RequestId, RequestQueue};
use crate::store::sqlite::{close_all, install_row_sum};
use crate::usage::Usage;
use crate::{Error, Payload, Result, doctor};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// 2026-11-23T10:00:00Z.
const START: Duration = Duration::from_hours(498_730);
const REQUESTS: u64 = 6;
const MODEL: &str = "openai/gpt-4o";

/// A table, and the columns under the sum of its rows, its key first.
type Summed = (&'static str, &'static str);

const QUEUE_TABLES: &[Summed] = &[
    (
        "requests",
        "id, queue, change, status, priority, tenant, provider, model, tokens, key, attempt, max_attempts, enqueued, \
         ready, place, deadline, lease_until, finished, owner, history, size",
    ),
    ("takes", "n, queue, at, owner, tenant, provider, model, class, requests"),
    ("owners", "owner, queue, until"),
];
const LEDGER_TABLES: &[Summed] = &[
    ("entry", "id, provider, model, estimated, version, zone, footprint"),
    ("attribution", "id, tenant, tags"),
    ("record", "id, time, entry, attribution, usage, lines, nano, atto, cache, latency, attempts"),
    ("told", "record, nano, atto"),
    (
        "hour",
        "start, entry, attribution, calls, cache_hits, estimated, input_tokens, cached_input_tokens, output_tokens, \
         cost_nano, cost_atto, saved_nano, saved_atto, energy_min, energy_max, co2e_min, co2e_max, avoided_min, \
         avoided_max, unknown_footprint",
    ),
    ("budget", "id, tenant, provider, model, tag, period, zone, nano, atto, on_exceed"),
    ("spend", "budget, start, nano, atto"),
    ("tenant_spend", "budget, tenant, start, nano, atto"),
    ("reservation", "id, time, expires, provider, model, tenant, tags, nano, atto"),
    ("hold", "budget, start, reservation, nano, atto"),
];
/// The number is not under the sum.
const CACHE_TABLES: &[Summed] = &[
    (
        "cache_entries",
        "number, key, id, by, tenant, scope, tags, created_ms, expires_ms, cost, rejected, is_json, prompt, response, \
         vector",
    ),
    ("cache_changes", "number, by, what, entry"),
    ("cache_evidence", "number, by, tenant, score, correct"),
];

/// A room's file: how it is made, how all of it is read, and which columns of which tables are under a sum.
pub(super) struct RoomFile {
    name: &'static str,
    make: fn(&Path) -> Result<()>,
    look: fn(&Path) -> Result<()>,
    tables: &'static [Summed],
    whole: OnceLock<Vec<u8>>,
}

const fn room(
    name: &'static str,
    make: fn(&Path) -> Result<()>,
    look: fn(&Path) -> Result<()>,
    tables: &'static [Summed],
) -> RoomFile {
    RoomFile { name, make, look, tables, whole: OnceLock::new() }
}

pub(super) static QUEUE: RoomFile = room("queue", make_queue, look_at_queue, QUEUE_TABLES);
pub(super) static LEDGER: RoomFile = room("ledger", make_ledger, look_at_ledger, LEDGER_TABLES);
pub(super) static CACHE: RoomFile = room("cache", make_cache, look_at_cache, CACHE_TABLES);

impl RoomFile {
    fn whole(&self) -> &[u8] {
        self.whole.get_or_init(|| {
            let file = path(self.name, "whole");
            (self.make)(&file).unwrap();
            close();
            std::fs::read(&file).unwrap()
        })
    }
}

/// In memory, where there is such a folder.
fn path(room: &str, what: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = folder.join(format!("headrace-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{room}-{what}.db"));
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
    file
}

fn close() {
    assert!(close_all(Duration::from_secs(30)), "a file does not close");
}

/// What may be wrong with a file is told as a `Store` error; what it says of itself may be out of a bound.
fn see(room: &RoomFile, file: &Path) {
    let report = doctor::diagnose(file, false);
    for _ in 0..2 {
        match (room.look)(file) {
            Ok(()) | Err(Error::Store(_) | Error::InvalidArgument(_) | Error::Embedding(_)) => {}
            Err(error) => panic!("{error:?}, where the doctor says {report:?}"),
        }
        close();
        let _ = doctor::diagnose(file, true);
    }
}

/// Changes bytes of a file: three bytes say where, the next what stands there now.
pub(super) fn file(room: &RoomFile, bytes: &[u8]) {
    let mut content = room.whole().to_vec();
    for change in bytes.chunks_exact(4).take(64) {
        let at = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let length = content.len();
        content[at % length] = change[3];
    }
    let file = path(room.name, "bytes");
    std::fs::write(&file, content).unwrap();
    see(room, &file);
}

/// Changes values of a file and makes their sums fit: table, row, column and kind are a byte each, then comes the value.
pub(super) fn rows(room: &RoomFile, bytes: &[u8]) {
    let file = path(room.name, "rows");
    std::fs::write(&file, room.whole()).unwrap();
    if change(room, &file, bytes).is_none() {
        return;
    }
    see(room, &file);
}

fn change(room: &RoomFile, file: &Path, mut bytes: &[u8]) -> Option<()> {
    let connection = Connection::open(file).ok()?;
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN").ok()?;
    install_row_sum(&connection).ok()?;
    let mut changes = 0;
    while let Some((&[table, row, column, kind], rest)) = bytes.split_first_chunk() {
        let (name, columns) = room.tables[usize::from(table) % room.tables.len()];
        let (value, rest) = value(kind, rest);
        bytes = rest;
        let all: Vec<&str> = columns.split(',').map(str::trim).collect();
        let column = all[usize::from(column) % all.len()];
        let key = all[0];
        let mut keys = connection.prepare(&format!("SELECT DISTINCT {key} FROM {name} ORDER BY {key}")).ok()?;
        let keys: Vec<i64> = keys.query_map([], |row| row.get(0)).ok()?.collect::<rusqlite::Result<_>>().ok()?;
        let Some(&at) = keys.get(usize::from(row) % keys.len().max(1)) else { continue };
        let moved = if let (true, Value::Integer(number)) = (column == key, &value) { *number } else { at };
        // What a constraint refuses cannot stand in a file either.
        if connection.execute(&format!("UPDATE {name} SET {column} = ?1 WHERE {key} = ?2"), (&value, at)).is_ok() {
            // The cache leaves the number out of a row's sum.
            let summed = if room.name == "cache" { columns.split_once(',')?.1 } else { columns };
            let sum = format!("UPDATE {name} SET sum = row_sum('{name}', {summed}) WHERE {key} = ?1");
            let _ = connection.execute(&sum, [moved]);
            changes += 1;
        }
        if changes == 16 {
            break;
        }
    }
    connection.execute_batch("COMMIT").ok()?;
    (changes > 0).then_some(())
}

/// A value of any kind, and what follows it.
fn value(kind: u8, bytes: &[u8]) -> (Value, &[u8]) {
    let eight = bytes.split_first_chunk::<8>();
    match kind % 6 {
        0 => (Value::Null, bytes),
        1 => bytes.split_first().map_or((Value::Null, bytes), |(byte, rest)| (Value::Integer((*byte).into()), rest)),
        2 => eight.map_or((Value::Null, bytes), |(eight, rest)| (Value::Integer(i64::from_le_bytes(*eight)), rest)),
        3 => eight.map_or((Value::Null, bytes), |(eight, rest)| (Value::Real(f64::from_le_bytes(*eight)), rest)),
        kind => {
            let (length, rest) = bytes.split_first().unwrap_or((&0, bytes));
            let (content, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            let text = String::from_utf8_lossy(content);
            (if kind == 4 { Value::Text(text.into_owned()) } else { Value::Blob(content.to_vec()) }, rest)
        }
    }
}

fn url(file: &Path) -> String {
    format!("sqlite:///{}", file.display())
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn queue(file: &Path, at: Duration) -> Result<RequestQueue> {
    let config = QueueConfig { keep_results: Duration::from_hours(24), ..QueueConfig::default() };
    RequestQueue::open_with_clock(&url(file), config, Arc::new(ManualClock::new(at)))
}

fn make_queue(file: &Path) -> Result<()> {
    let queue = queue(file, START)?;
    for number in 0..REQUESTS {
        let options = PutOptions {
            priority: Priority::ALL[number as usize % 4],
            tenant: Some(Arc::from(format!("tenant {}", number % 2))),
            key: number.is_multiple_of(2).then(|| Arc::from(format!("key {number}"))),
            delay: if number == 5 { Duration::from_mins(5) } else { Duration::ZERO },
            deadline: (number == 4).then_some(Duration::from_hours(9)),
            ..PutOptions::default()
        };
        wait(queue.put_async(Payload::bytes(format!("request {number}")), options, None))?;
    }
    let taken = || wait(queue.get_async(Some(Duration::ZERO)));
    wait(taken()?.ack_async(Some(Payload::bytes("result")), None))?;
    wait(taken()?.nack_async("it cannot be done", None, false))?;
    // A worker that vanished.
    taken()?.accept();
    queue.close();
    Ok(())
}

fn look_at_queue(file: &Path) -> Result<()> {
    let queue = queue(file, START + Duration::from_mins(10))?;
    let _ = (queue.stats()?, queue.len()?, queue.dead()?);
    for id in 1..=REQUESTS {
        let _ = queue.status(RequestId(id));
        let _ = wait(queue.result_async(RequestId(id), Some(Duration::ZERO)));
    }
    for turn in 0..REQUESTS {
        match wait(queue.get_async(Some(Duration::ZERO))) {
            Ok(lease) if turn % 2 == 0 => wait(lease.ack_async(None, None))?,
            Ok(lease) => wait(lease.nack_async("again", Some(Duration::ZERO), true))?,
            Err(Error::Timeout(_)) => break,
            Err(error) => return Err(error),
        }
    }
    let options = PutOptions { key: Some(Arc::from("key 0")), ..PutOptions::default() };
    wait(queue.put_async(Payload::bytes("again"), options, None))?;
    Ok(())
}

fn ledger(file: &Path, at: Duration) -> Result<CostTracker> {
    CostTracker::with_clock(&url(file), PriceTable::builtin(), Arc::new(ManualClock::new(at)))
}

fn make_ledger(file: &Path) -> Result<()> {
    let costs = ledger(file, START)?;
    for (tenant, period) in [(None, "ever"), (Some("*"), "rolling 6h")] {
        let scope = Scope { tenant: tenant.map(str::to_owned), ..Scope::default() };
        let budget = Budget { scope, period: Period::parse(period)?, ..Budget::new("1000".parse()?)? };
        costs.set_budget(budget, vec![], None).wait()?;
    }
    let who = Arc::new(Attribution::new("acme", ["tag"])?);
    for number in 0..3 {
        let told_cost = (number == 1).then(|| Money::from_attodollars(1 << 50));
        let usage = Usage::new(1000 + number, 10);
        costs.record(Call { told_cost, ..Call::new(MODEL, &usage) }, &who).wait()?;
    }
    // As a process that dies.
    std::mem::forget(costs.reserve(MODEL, &Usage::new(10, 10), &who, Duration::from_hours(1)).wait()?);
    Ok(())
}

fn look_at_ledger(file: &Path) -> Result<()> {
    let costs = ledger(file, START + Duration::from_mins(10))?;
    let all = Filter::default();
    let who = Arc::new(Attribution::new("acme", ["tag"])?);
    costs.total(&all).wait()?;
    costs.budgets().wait()?;
    for record in costs.records(&all, None, false).wait()? {
        let _ = (record.lines(), record.saved(), record.impact(), record.avoided(), record.to_json()?);
    }
    costs.summary(&[Dimension::Model, Dimension::Tenant], &all, None).wait()?;
    costs.record(Call::new(MODEL, &Usage::new(1000, 0)), &who).wait()?;
    match costs.reserve(MODEL, &Usage::new(10, 10), &who, Duration::from_hours(1)).wait() {
        Ok(_) | Err(Error::BudgetExceeded(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn cache(file: &Path, at: Duration) -> Result<SemanticCache> {
    SemanticCache::open(CacheConfig { url: url(file), clock: Arc::new(ManualClock::new(at)), ..CacheConfig::default() })
}

fn prompt(number: u64) -> String {
    format!("What does disclosure {number} ask for?")
}

fn vector(number: u64) -> [f32; 8] {
    std::array::from_fn(|at| if at as u64 == number { 1.0 } else { 0.1 })
}

fn make_cache(file: &Path) -> Result<()> {
    let cache = cache(file, START)?;
    for number in 0..4 {
        let (asked, vector) = (prompt(number), vector(number));
        let request = InsertRequest {
            embedding: Some(&vector),
            ttl: (number == 3).then_some(Duration::from_hours(5)),
            cost: Some(1 << 70),
            ..InsertRequest::new(&asked, Payload::bytes(format!("answer {number}")))
        };
        cache.insert_and_keep(vec![request])?;
    }
    let first = prompt(0);
    if let Some(hit) = cache.lookup_exact(&LookupRequest::new(&first)) {
        cache.feedback(&hit, false)?;
    }
    cache.flush()
}

fn look_at_cache(file: &Path) -> Result<()> {
    let cache = cache(file, START + Duration::from_mins(10))?;
    for number in 0..4 {
        let (asked, vector) = (prompt(number), vector(number));
        let _ = cache.lookup_exact(&LookupRequest::new(&asked));
        let near = format!("Please: {asked}");
        let near = LookupRequest { embedding: Some(&vector), threshold: Some(0.9), ..LookupRequest::new(&near) };
        if let Some(hit) = cache.lookup(&near)? {
            let _ = (hit.age(), hit.saved_cost(), hit.similarity());
        }
    }
    let _ = cache.stats();
    Ok(())
}

/// An entry as Redis keeps it, under a sum that fits.
pub(super) fn redis_entry(bytes: &[u8]) {
    let _ = read_summed(bytes);
}

/// An answer of Upstash's REST interface.
pub(super) fn upstash_answer(bytes: &[u8]) {
    if let Ok(json) = serde_json::from_slice(bytes) {
        let _ = crate::store::redis::upstash_value(json);
    }
}
