//! What a file holds, whether it is what was written, and setting aside what is not.

use super::header::{self, Identity};
use super::schema::{self, Schema};
use super::{connect, fork, store_error};
use crate::store::Damage;
use crate::{Error, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::Path;

/// Problems of the structure that are listed at most.
const MOST_PROBLEMS: u32 = 100;
/// How often what is left is looked through again.
const MOST_ROUNDS: usize = 3;
const ASIDE: &str = "CREATE TABLE IF NOT EXISTS headrace_damaged (room TEXT NOT NULL, table_name TEXT NOT NULL,
    row_id INTEGER NOT NULL, what TEXT NOT NULL, content TEXT NOT NULL)";

/// What a file holds, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct FileReport {
    /// Its rooms.
    pub rooms: Vec<RoomReport>,
    /// Its tables, each with its number of rows; None where they cannot be counted.
    pub tables: Vec<(String, Option<u64>)>,
    /// What SQLite says is wrong with the structure of the file.
    pub problems: Vec<String>,
    /// Damaged rows that were set aside, now or before.
    pub set_aside: u64,
}

/// A room in a file.
#[derive(Debug, Clone)]
pub struct RoomReport {
    /// Its name.
    pub room: String,
    /// The version of its tables.
    pub version: i32,
    /// The version that this headrace knows; None where it does not know the room.
    pub known: Option<i32>,
    /// Rows that are not what was written. None where they were not looked at: the tables are of another version.
    pub damaged: Option<Vec<Damage>>,
}

impl FileReport {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.rooms.iter().all(|room| room.damaged.as_ref().is_none_or(Vec::is_empty))
    }
}

/// Looks at all that a file holds. With `repair`, damaged rows are moved to the table `headrace_damaged`, sums and
/// indexes are worked out anew, and the report is of the file afterwards; without, the file stays as it is.
///
/// # Errors
/// `Store` where there is no such file, it is not ours, or it cannot be read at all.
pub fn examine(path: &Path, rooms: &[&Schema], repair: bool) -> Result<FileReport> {
    match header::identify(path)? {
        Identity::Nothing => {
            return Err(Error::Store(format!("{} does not exist, or is empty: give another file", path.display())));
        }
        Identity::Made { id, .. } if !rooms.iter().any(|schema| schema.is_ours(id)) => {
            return Err(schema::foreign(path, id));
        }
        Identity::Made { .. } | Identity::Unmade => {}
    }
    if repair {
        let mut connection = connect::again(path)?;
        let _inside = fork::enter();
        // What a row refers to may be what is damaged.
        connection.pragma_update(None, "foreign_keys", false)?;
        mend(&mut connection, path, rooms)?;
    }
    let connection = connect::read_only(path)?;
    let _inside = fork::enter();
    Ok(look(&connection, rooms))
}

fn look(connection: &Connection, rooms: &[&Schema]) -> FileReport {
    let mut report = FileReport::default();
    // What cannot be read is a problem of the file, and no reason to stop.
    match problems(connection) {
        Ok(problems) => report.problems = problems,
        Err(error) => report.problems.push(error.to_string()),
    }
    match tables(connection) {
        Ok(tables) => report.tables = tables,
        Err(error) => report.problems.push(error.to_string()),
    }
    match present(connection, rooms) {
        Ok(found) => report.rooms = found.into_iter().map(|found| check(connection, found, rooms)).collect(),
        Err(error) => report.problems.push(error.to_string()),
    }
    report.set_aside = count(connection, "headrace_damaged").unwrap_or_default();
    report
}

fn check(connection: &Connection, (room, version): (String, i32), rooms: &[&Schema]) -> RoomReport {
    let schema = rooms.iter().find(|schema| schema.room == room);
    let damaged = schema.filter(|schema| schema.version == version).map(|schema| damaged(connection, schema));
    RoomReport { room, version, known: schema.map(|schema| schema.version), damaged }
}

fn damaged(connection: &Connection, schema: &Schema) -> Vec<Damage> {
    let Some(check) = schema.check else { return Vec::new() };
    check(connection).unwrap_or_else(|error| vec![Damage::of_table("", error.to_string())])
}

fn problems(connection: &Connection) -> Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MOST_PROBLEMS})"))?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().filter(|problem| problem != "ok").collect())
}

fn tables(connection: &Connection) -> Result<Vec<(String, Option<u64>)>> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut select = connection.prepare(names)?;
    let names = select.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(names.into_iter().map(|name| (count(connection, &name).ok(), name)).map(|(rows, name)| (name, rows)).collect())
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let quoted = table.replace('"', "\"\"");
    connection
        .query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get::<_, i64>(0).map(|n| n as u64))
}

/// The rooms of a file with their versions; those of the first versions say it by the file's own numbers.
fn present(connection: &Connection, rooms: &[&Schema]) -> Result<Vec<(String, i32)>> {
    let mut found = schema::rooms(connection)?;
    if found.is_empty() {
        let id = schema::pragma(connection, "application_id")?;
        let version = schema::pragma(connection, "user_version")?;
        found.extend(rooms.iter().filter(|room| room.application_id == id).map(|room| (room.room.to_owned(), version)));
    }
    Ok(found)
}

fn mend(connection: &mut Connection, path: &Path, rooms: &[&Schema]) -> Result<()> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| store_error(path, &error))?;
    if problems(&transaction).is_ok_and(|problems| !problems.is_empty()) {
        // Of what SQLite finds, it can mend the indexes: they are made of the tables.
        transaction.execute_batch("REINDEX")?;
    }
    for (room, version) in present(&transaction, rooms)? {
        let Some(schema) = rooms.iter().find(|schema| schema.room == room && schema.version == version) else {
            continue;
        };
        // Without a row that was set aside others may be of no use, and are found next.
        for _ in 0..MOST_ROUNDS {
            let damaged = damaged(&transaction, schema);
            if damaged.is_empty() {
                break;
            }
            for damage in &damaged {
                set_aside(&transaction, schema, damage)?;
            }
            if let Some(mend) = schema.mend {
                mend(&transaction)?;
            }
        }
    }
    transaction.commit().map_err(|error| store_error(path, &error))
}

fn set_aside(connection: &Connection, schema: &Schema, damage: &Damage) -> Result<()> {
    let Some(rowid) = damage.rowid else { return Ok(()) };
    connection.execute_batch(ASIDE)?;
    let (table, content) = (damage.table, content(connection, damage.table, rowid)?);
    let insert = "INSERT INTO headrace_damaged VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.execute(insert, (schema.room, table, rowid, &damage.what, content))?;
    connection.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [rowid])?;
    Ok(())
}

/// A row as JSON, whatever its columns hold; bytes that are no text in hexadecimal.
fn content(connection: &Connection, table: &str, rowid: i64) -> Result<String> {
    let names = columns(connection, table)?;
    let mut select = connection.prepare(&format!("SELECT * FROM {table} WHERE rowid = ?1"))?;
    let row = select.query_row([rowid], |row| {
        let mut fields = serde_json::Map::new();
        // By place, since two damaged names may read the same.
        for (column, name) in names.iter().enumerate() {
            let name = if fields.contains_key(name) { format!("{name} ({column})") } else { name.clone() };
            fields.insert(name, value(row.get_ref(column)?));
        }
        Ok(fields)
    });
    let fields = row.optional()?.unwrap_or_default();
    Ok(serde_json::Value::Object(fields).to_string())
}

/// The names of a table's columns. A damaged one need not be text, and rusqlite panics where it tells such a name itself.
fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut select = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let names = select.query_map([table], |row| {
        Ok(row.get_ref(0)?.as_bytes().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default())
    })?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

fn value(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => serde_json::json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
        },
    }
}
