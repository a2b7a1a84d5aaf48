//! How a copy of the queue in memory follows its file.

use super::rows::{COLUMNS, StoredRow, read};
use super::{DAMAGED, beside, takes};
use crate::Result;
use crate::queue::core::Core;
use crate::queue::entry::{Failure, Status};
use crate::queue::moment::Moment;
use crate::queue::options::Priority;
use crate::queue::stored_request::StoredRequest;
use rusqlite::{Connection, Row, params};
use std::collections::HashSet;
use std::sync::Arc;

/// How far a copy has read its file.
pub(super) struct Position {
    /// The newest change, of this queue.
    pub(super) change: i64,
    /// The newest request, of any queue in the file.
    pub(super) id: i64,
    /// The newest row of `takes`.
    pub(super) take: i64,
    /// What `PRAGMA data_version` said to the connection that writes.
    version: Option<i64>,
    process: u32,
    stale: bool,
    /// Rows that are not what was written.
    pub(super) damaged: HashSet<i64>,
    /// Whether it was told already that something beside the requests is damaged.
    pub(super) is_told: bool,
}

impl Position {
    pub(super) fn new() -> Self {
        Self {
            change: 0,
            id: 0,
            take: 0,
            version: None,
            process: 0,
            stale: true,
            damaged: HashSet::new(),
            is_told: false,
        }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale || self.process != crate::process::id()
    }

    /// It cannot be known whether the last writes are in the file.
    pub(super) fn set_stale(&mut self) {
        self.stale = true;
    }
}

/// Brings a copy up to date, inside a transaction that writes. Gives the requests that ended by it.
pub(super) fn catch_up(
    connection: &Connection,
    queue: &str,
    core: &mut Core,
    position: &mut Position,
    now: Moment,
    ended: &mut Vec<u64>,
) -> Result<()> {
    let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
    if position.is_stale() {
        let damaged = std::mem::take(&mut position.damaged);
        *position = Position { process: crate::process::id(), stale: false, damaged, ..Position::new() };
        core.start_anew();
        if let Err(error) = read_all(connection, queue, core, position, now) {
            position.set_stale();
            return Err(error);
        }
    } else if position.version != Some(version) {
        read_on(connection, queue, core, position, now, ended)?;
    }
    position.version = Some(version);
    Ok(())
}

/// Reads every row, by id: a damaged index hides none.
fn read_all(connection: &Connection, queue: &str, core: &mut Core, position: &mut Position, now: Moment) -> Result<()> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM requests ORDER BY id"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        take_in(row, queue, core, position, now, &mut Vec::new())?;
    }
    drop(rows);
    read_beside(connection, queue, core, position)
}

/// Reads what is new since.
pub(super) fn read_on(
    connection: &Connection,
    queue: &str,
    core: &mut Core,
    position: &mut Position,
    now: Moment,
    ended: &mut Vec<u64>,
) -> Result<()> {
    let (id, change) = (position.id, position.change);
    for new in ["queue = ?1 AND change > ?2 AND id <= ?3", "id > ?3 AND ?1 IS NOT NULL AND ?2 IS NOT NULL"] {
        let mut select =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM requests WHERE {new} ORDER BY id"))?;
        let mut rows = select.query(params![queue, change, id])?;
        while let Some(row) = rows.next()? {
            take_in(row, queue, core, position, now, ended)?;
        }
    }
    read_beside(connection, queue, core, position)
}

fn take_in(
    row: &Row<'_>,
    queue: &str,
    core: &mut Core,
    position: &mut Position,
    now: Moment,
    ended: &mut Vec<u64>,
) -> Result<()> {
    match read(row)? {
        StoredRow::Whole(record, change) => {
            let id = record.id;
            position.id = position.id.max(id as i64);
            if row.get_ref(1)?.as_bytes().is_ok_and(|name| name == queue.as_bytes()) {
                position.change = position.change.max(change.unwrap_or_default());
                if core.merge(record, now) {
                    ended.push(id);
                }
            }
        }
        StoredRow::Damaged(id) => {
            position.id = position.id.max(id);
            if position.damaged.insert(id) {
                tracing::error!(id, "a stored request is damaged: it is a dead letter in every queue of the file");
            }
            core.merge(lost(id, now), now);
            ended.push(id as u64);
        }
    }
    Ok(())
}

/// What stands in for a row that cannot be believed.
fn lost(id: i64, now: Moment) -> StoredRequest {
    let at_ms = now.nanos() / 1_000_000;
    StoredRequest {
        id: id as u64,
        status: Status::Dead,
        priority: Priority::default(),
        tenant: Arc::from("default"),
        provider: None,
        model: None,
        tokens: 0,
        key: None,
        attempt: 0,
        max_attempts: 1,
        enqueued: now,
        ready_at: now,
        place: 0,
        deadline: None,
        lease_until: None,
        owner: 0,
        history: vec![Failure { attempt: 0, error: DAMAGED.into(), at_ms }],
        size: 0,
    }
}

/// Reads what is no request: what left, who lives, whether it is paused.
fn read_beside(connection: &Connection, queue: &str, core: &mut Core, position: &mut Position) -> Result<()> {
    takes::read(connection, queue, core, position)?;
    beside::read(connection, queue, core, position)
}
