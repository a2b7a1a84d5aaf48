//! What a room keeps in a file: its tables, their version, and the steps from one version to the next.
//!
//! A file may hold several rooms; `headrace_room` has a row for each. A file of the first versions holds one, told by
//! its application id, with the version of its tables in `user_version`.

use super::store_error;
use crate::store::Damage;
use crate::{Error, Result};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::Path;

/// The application ids of all rooms: queue, cache and ledger. One of them makes a file ours.
const APPLICATION_IDS: [i32; 3] = [0x6872_5131, 0x6872_6361, 0x6872_6c64];

/// Which rooms a file holds, and the version of their tables.
const ROOMS: &str =
    "CREATE TABLE IF NOT EXISTS headrace_room (room TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID";

/// Looks at all rows of a room, and reports those that are not what was written.
pub type Check = fn(&Connection) -> Result<Vec<Damage>>;

/// What a room keeps in a file.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The room's name in the file.
    pub room: &'static str,
    /// `PRAGMA application_id` of a file that this room creates, so that a file of another program is refused.
    pub application_id: i32,
    /// The version of its tables.
    pub version: i32,
    /// The statements that create the tables where they are missing (`IF NOT EXISTS`).
    pub tables: &'static str,
    /// How tables of an earlier version become those of the next.
    pub steps: &'static [Step],
    /// What looks for damaged rows.
    pub check: Option<Check>,
    /// What makes sums and the like whole again, after damaged rows were set aside.
    pub mend: Option<fn(&Connection) -> Result<()>>,
}

/// A change of tables from one version to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The version that it begins with; it leaves the next one.
    pub from: i32,
    /// What it does.
    pub change: Change,
}

/// What a step does.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Statements.
    Sql(&'static str),
    /// A function, inside the transaction of all steps.
    Code(fn(&Connection) -> Result<()>),
}

impl Schema {
    /// A room without earlier versions and without a check.
    #[must_use]
    pub const fn of(room: &'static str, application_id: i32, version: i32, tables: &'static str) -> Self {
        Self { room, application_id, version, tables, steps: &[], check: None, mend: None }
    }

    /// Whether a file with this id may hold the room.
    pub(super) fn is_ours(&self, application_id: i32) -> bool {
        application_id == self.application_id || APPLICATION_IDS.contains(&application_id)
    }

    pub(super) fn too_new(&self, path: &Path, version: i32) -> Error {
        Error::Store(format!(
            "{}: its {} tables have version {version}, this headrace knows them up to {}: install a newer headrace, or give another file",
            path.display(),
            self.room,
            self.version
        ))
    }

    fn too_old(&self, path: &Path, version: i32) -> Error {
        Error::Store(format!(
            "{}: its {} tables have version {version}, from which no step leads to {}: open it with the headrace that wrote it, or give another file",
            path.display(),
            self.room,
            self.version
        ))
    }
}

/// The error for a file that is not ours.
pub(super) fn foreign(path: &Path, application_id: i32) -> Error {
    Error::Store(format!(
        "{} was written by something else (a SQLite file with application id {application_id}): it is left as it is; give another file",
        path.display()
    ))
}

/// Makes the room's tables, or brings them to the version that is known here, all or nothing.
pub(super) fn prepare(connection: &mut Connection, path: &Path, schema: &Schema) -> Result<()> {
    // One transaction: another process that opens the file at the same time sees all of it or nothing.
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| store_error(path, &error))?;
    settle(&transaction, path, schema).map_err(|error| named(path, error))?;
    transaction.commit().map_err(|error| store_error(path, &error))
}

fn settle(connection: &Connection, path: &Path, schema: &Schema) -> Result<()> {
    let id = pragma(connection, "application_id")?;
    if id == 0 && pragma(connection, "user_version")? == 0 && is_empty(connection)? {
        connection.pragma_update(None, "application_id", schema.application_id)?;
    } else if !schema.is_ours(id) {
        return Err(foreign(path, id));
    }
    let found = version_of(connection, schema)?;
    if let Some(found) = found {
        if found > schema.version {
            return Err(schema.too_new(path, found));
        }
        for version in found..schema.version {
            let step = schema.steps.iter().find(|step| step.from == version);
            match step.ok_or_else(|| schema.too_old(path, version))?.change {
                Change::Sql(sql) => connection.execute_batch(sql)?,
                Change::Code(change) => change(connection)?,
            }
        }
    }
    connection.execute_batch(schema.tables)?;
    connection.execute_batch(ROOMS)?;
    if pragma(connection, "application_id")? == schema.application_id {
        set_pragma_where_it_differs(connection, "user_version", schema.version)?;
    }
    // Only where it says something else: opening a file is no reason to write to it.
    let set =
        "INSERT INTO headrace_room VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET version = ?2 WHERE version <> ?2";
    connection.execute(set, (schema.room, schema.version))?;
    Ok(())
}

/// The version of the room's tables; None where the file has none of them.
fn version_of(connection: &Connection, schema: &Schema) -> Result<Option<i32>> {
    let told = rooms(connection)?.into_iter().find(|(room, _)| room == schema.room).map(|(_, version)| version);
    let version = pragma(connection, "user_version")?;
    if pragma(connection, "application_id")? == schema.application_id && version != 0 {
        // A newer headrace that no longer writes the table must be believed as well.
        return Ok(Some(told.map_or(version, |told| told.max(version))));
    }
    Ok(told)
}

/// The rooms that a file says it holds, with the version of their tables.
pub(crate) fn rooms(connection: &Connection) -> Result<Vec<(String, i32)>> {
    let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'headrace_room'";
    if connection.query_row(known, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT room, version FROM headrace_room ORDER BY room")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn pragma(connection: &Connection, name: &str) -> Result<i32> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn set_pragma_where_it_differs(connection: &Connection, name: &str, value: i32) -> Result<()> {
    if pragma(connection, name)? != value {
        connection.pragma_update(None, name, value)?;
    }
    Ok(())
}

fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?)
}

/// The error with the file's name, where it has none yet.
fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::Store(message) if !message.starts_with(&*path.to_string_lossy()) => {
            Error::Store(format!("{}: {message}", path.display()))
        }
        other => other,
    }
}
