//! Erasure: no byte of what was deleted is left in the file or in its log.
//!
//! SQLite's `secure_delete` overwrites a deleted cell, but not the copies that stay behind where a page's cells were
//! moved before. So the file is written anew, and the log is cut off.

use super::{connect, fork, store_error};
use crate::{Error, Result};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another checkpoint may be in the way: SQLite's own patience does not hold for that.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) fn erase(path: &Path) -> Result<()> {
    let connection = connect::again(path)?;
    let busy = write_anew(&connection).and_then(|()| cut_off_log(&connection));
    {
        let _inside = fork::enter();
        drop(connection);
    }
    let busy = busy.map_err(|error| store_error(path, &error));
    if busy? {
        return Err(Error::Store(format!(
            "{}: what was deleted is out of the file but may be in its log, which another process reads: end its long reads, and erase again",
            path.display()
        )));
    }
    Ok(())
}

fn write_anew(connection: &Connection) -> rusqlite::Result<()> {
    let _inside = fork::enter();
    connection.execute_batch("VACUUM")
}

/// Whether somebody was in the way to the last.
fn cut_off_log(connection: &Connection) -> rusqlite::Result<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        let busy: bool = {
            let _inside = fork::enter();
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?
        };
        if !busy || Instant::now() > until {
            return Ok(busy);
        }
        std::thread::sleep(PAUSE);
    }
}
