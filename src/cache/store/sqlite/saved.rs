//! A cache in a file of its own, that nobody writes to.

use super::feed::for_each;
use super::rows;
use super::schema::{SCHEMA, first_entries, first_evidence};
use crate::cache::store::{Learned, StoredEntry};
use crate::store::sqlite::{Database, open_read_only, store_error};
use crate::{Error, Result};
use rusqlite::Connection;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Entries handed over at once while reading.
const BATCH: usize = 4096;

/// Writes entries and what was learned to a file, and says how many entries those were. A saved or durable cache that is
/// there is emptied and filled in one transaction, also where a process has it open; a file that is anything else is
/// left as it is.
///
/// # Errors
/// `Store` where the file is no cache, or cannot be written.
pub(crate) fn save(
    path: &Path,
    entries: impl Iterator<Item = StoredEntry> + Send + 'static,
    evidence: Vec<Learned>,
) -> Result<usize> {
    let unreachable = |error: &std::io::Error| {
        Error::Store(format!("{}: {error}: give a file in a folder that can be written", path.display()))
    };
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => fill(path, entries, evidence),
        Ok(_) => {
            let connection = open_read_only(path, &SCHEMA)?;
            version(&connection, path)?;
            drop(connection);
            fill(path, entries, evidence)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Beside it, and then there at once and whole: a crash leaves nothing that looks like a saved cache.
            let unfinished = reserve(path).map_err(|error| unreachable(&error))?;
            let written = fill(&unfinished, entries, evidence).and_then(|count| {
                refuse_log(&unfinished)?;
                // A link, and not a rename: what came to this name meanwhile is not replaced.
                std::fs::hard_link(&unfinished, path)
                    .or_else(|error| match error.kind() {
                        std::io::ErrorKind::AlreadyExists => Err(error),
                        _ => std::fs::rename(&unfinished, path),
                    })
                    .and_then(|()| keep_names(path))
                    .map_err(|error| unreachable(&error))?;
                Ok(count)
            });
            for suffix in ["", "-wal", "-shm"] {
                let mut name = unfinished.clone().into_os_string();
                name.push(suffix);
                let _ = std::fs::remove_file(name);
            }
            written
        }
        Err(error) => Err(unreachable(&error)),
    }
}

/// A new file in the same folder, with a name that nobody has.
fn reserve(path: &Path) -> std::io::Result<PathBuf> {
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{:08x}.unfinished", rand::random::<u32>()));
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(_) => return Ok(name.into()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Refuses a file that is closed and has a log beside it all the same, as where its last lock was not to be had: it does
/// not hold everything alone.
fn refuse_log(path: &Path) -> Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match std::fs::metadata(log) {
        Ok(log) if log.len() > 0 => {
            Err(Error::Store(format!("{}: its log could not be moved into it: save again", path.display())))
        }
        _ => Ok(()),
    }
}

/// Waits until the names in a file's folder are on disk: without it the power could fail and take the file with it.
#[cfg(unix)]
fn keep_names(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened, and its names are kept by the system's own journal.
#[cfg(not(unix))]
fn keep_names(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes to a file through SQLite, which keeps other processes' copies of it whole.
fn fill(
    path: &Path,
    entries: impl Iterator<Item = StoredEntry> + Send + 'static,
    evidence: Vec<Learned>,
) -> Result<usize> {
    let database = Database::open(path, &SCHEMA)?;
    let count = database.write_and_wait(move |connection| {
        super::overwriting(connection)?;
        connection.execute_batch("DELETE FROM cache_entries; DELETE FROM cache_evidence")?;
        rows::tell(connection, 0, rows::What::Many, 0)?;
        rows::tell(connection, 0, rows::What::Forgotten, 0)?;
        let mut count = 0;
        for entry in entries {
            rows::put(connection, 0, &entry)?;
            count += 1;
        }
        for evidence in &evidence {
            rows::learn(connection, 0, evidence)?;
        }
        Ok(count)
    })?;
    database.close_and_wait()?;
    Ok(count)
}

/// Hands over the entries of a file, which stays as it is, and returns what was learned and how much is damaged.
///
/// # Errors
/// `Store` where the file is no cache of a version that is known.
pub(crate) fn load(path: &Path, mut take: impl FnMut(Vec<StoredEntry>) -> Result<()>) -> Result<(Vec<Learned>, u64)> {
    let connection = open_read_only(path, &SCHEMA)?;
    let version = version(&connection, path)?;
    let mut batch = Vec::new();
    let mut add = |entry: StoredEntry| {
        batch.push(entry);
        if batch.len() == BATCH { take(std::mem::take(&mut batch)) } else { Ok(()) }
    };
    let read = if version == 1 {
        first_entries(&connection, &mut add).and_then(|damaged| Ok((first_evidence(&connection)?, damaged)))
    } else {
        read_all(&connection, &mut add)
    };
    let read = read.map_err(|error| match error {
        Error::Store(message) => Error::Store(format!("{}: {message}", path.display())),
        other => other,
    })?;
    take(batch)?;
    Ok(read)
}

/// The version of the entries in a file of ours, which need not have any.
fn version(connection: &Connection, path: &Path) -> Result<i32> {
    let look = || -> rusqlite::Result<Option<i32>> {
        let has = |table: &str| -> rusqlite::Result<bool> {
            let known = "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            connection.query_row(known, [table], |row| row.get(0))
        };
        if has("cache_entries")? {
            return Ok(Some(SCHEMA.version));
        }
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok((id == SCHEMA.application_id && has("entries")?).then_some(1))
    };
    look().map_err(|error| store_error(path, &error))?.ok_or_else(|| {
        Error::Store(format!("{} holds no cache: it is left as it is; give a file that save wrote", path.display()))
    })
}

fn read_all(connection: &Connection, add: &mut impl FnMut(StoredEntry) -> Result<()>) -> Result<(Vec<Learned>, u64)> {
    let (mut damaged, mut evidence, mut outcome) = (0, Vec::new(), Ok(()));
    let select = format!("SELECT {} FROM cache_entries ORDER BY number", rows::ENTRY);
    for_each(connection, &select, [], |row| {
        match rows::entry(row) {
            Ok((_, entry)) => outcome = add(entry),
            Err(_) => damaged += 1,
        }
        outcome.is_ok()
    })?;
    outcome?;
    let select = "SELECT number, by, tenant, score, correct, sum FROM cache_evidence ORDER BY number";
    for_each(connection, select, [], |row| {
        match rows::evidence(row) {
            Ok(found) => evidence.push(found),
            Err(_) => damaged += 1,
        }
        true
    })?;
    Ok((evidence, damaged))
}
