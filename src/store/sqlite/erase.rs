//! Erasure: no byte of what was deleted is left in the file or in its log.
//!
//! SQLite's `secure_delete` overwrites a deleted cell, but not the copies that stay behind where a page's cells were
//! moved before. So the file is written anew, and the log is cut off.

use super::{connect, fork, store_error};
use crate::{Error, Result};
use rusqlite::Connection;
use std::path::Path;

pub(super) fn erase(path: &Path) -> Result<()> {
    let connection = connect::again(path)?;
    let run = |connection: &Connection| -> rusqlite::Result<bool> {
        let _inside = fork::enter();
        connection.execute_batch("VACUUM")?;
        // The first column says whether somebody was in the way.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
    };
    let busy = run(&connection).map_err(|error| store_error(path, &error));
    {
        let _inside = fork::enter();
        drop(connection);
    }
    if busy? {
        return Err(Error::Store(format!(
            "{}: what was deleted is out of the file but may be in its log, which another process reads: end its long reads, and erase again",
            path.display()
        )));
    }
    Ok(())
}
