//! Connections, each with the settings that the promises need.

use super::header::{self, Found};
use super::schema::{Schema, prepare};
use super::{fork, locks, patience, row_sum, store_error};
use crate::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Opens or creates the file with the tables of a room.
pub(super) fn open(path: &Path, schema: &Schema) -> Result<Connection> {
    locks::install();
    let _inside = fork::enter();
    let found = header::look(path, schema)?;
    let mut connection = plain(path)?;
    if found == Found::Nothing {
        // Before it has a log: the file itself says whose it is, and a crash leaves all of it or none.
        prepare(&mut connection, path, schema)?;
    }
    with_log(&connection, path)?;
    if found == Found::File {
        prepare(&mut connection, path, schema)?;
    }
    Ok(connection)
}

/// One more connection to a file that is open, or is known to be ours.
pub(super) fn again(path: &Path) -> Result<Connection> {
    locks::install();
    let _inside = fork::enter();
    let connection = plain(path)?;
    with_log(&connection, path)?;
    Ok(connection)
}

/// A connection that reads a file which nobody writes, as one that was saved. It leaves nothing beside it.
///
/// # Errors
/// `Store` where it cannot be opened, or is not of this room.
pub fn open_read_only(path: &Path, schema: &Schema) -> Result<Connection> {
    if header::look(path, schema)? == Found::Nothing {
        return Err(crate::Error::Store(format!("{} does not exist, or is empty: give another file", path.display())));
    }
    read_only(path)
}

/// A connection that reads a file which was looked at before.
pub(super) fn read_only(path: &Path) -> Result<Connection> {
    locks::install();
    let _inside = fork::enter();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Without a log there is nobody who writes: SQLite needs no index of one, and makes none beside the file.
    let is_alone = !header::beside(path, "-wal").exists() && !header::beside(path, "-journal").exists();
    let open = || -> rusqlite::Result<Connection> {
        let connection = match as_uri(path) {
            Some(uri) if is_alone => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?,
            _ => Connection::open_with_flags(path, flags)?,
        };
        patience::have(&connection)?;
        row_sum::install(&connection)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    };
    open().map_err(|error| store_error(path, &error))
}

fn plain(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        patience::have(&connection)?;
        row_sum::install(&connection)?;
        // As FULL while there is a log. While the file is made there is none, and a journal that a crash brings back
        // would undo it: EXTRA syncs its removal.
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        // Whoever closes the file moves its log into it, once. What closes one of its connections must not.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| store_error(path, &error))
}

fn with_log(connection: &Connection, path: &Path) -> Result<()> {
    let set = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // The first read opens the log, and takes the lock by which others see that it is in use.
        connection.pragma_query_value(None, "user_version", |_| Ok(()))
    };
    set().map_err(|error| store_error(path, &error))
}

/// The address under which SQLite takes a file for one that does not change.
fn as_uri(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mut uri = String::from("file:");
    for &byte in path.to_str()?.as_bytes() {
        match byte {
            b'?' | b'#' | b'%' => uri += &format!("%{byte:02x}"),
            _ if byte.is_ascii() => uri.push(byte as char),
            _ => uri += &format!("%{byte:02x}"),
        }
    }
    Some(uri + "?immutable=1")
}
