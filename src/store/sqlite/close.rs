//! The end of a file: whoever closes it last moves the log into it, so that the file alone holds everything.

use super::locks::{self, Byte};
use super::readers::Readers;
use super::{fork, patience, store_error};
use crate::Result;
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a close waits for reads that run, and for another process that closes the same file.
const MOST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// One at a time in this process.
static TURN: Mutex<()> = Mutex::new(());

/// Closes the connection that wrote. Where others have the file open, or it is not `sound`, its log stays.
pub(super) fn close(connection: Connection, path: &Path, readers: &Readers, sound: bool) -> Result<()> {
    readers.close();
    let alone = readers.wait(MOST);
    let _turn = TURN.lock();
    let until = Instant::now() + MOST;
    loop {
        // A fork must not come between: the child would keep the turn.
        let _inside = fork::enter();
        // Two that close at once would each take the other for one that stays, and leave the log.
        let turn = Byte::of(path, locks::CLOSING);
        if turn.as_ref().is_none_or(Byte::take) || Instant::now() >= until {
            let closed = move_log(connection, path, sound && alone);
            if let Some(turn) = turn {
                turn.leave();
            }
            return closed;
        }
        fork::outside(|| std::thread::sleep(PAUSE));
    }
}

fn move_log(connection: Connection, path: &Path, last: bool) -> Result<()> {
    let mut moved = Ok(());
    if last {
        let _ = patience::have_none(&connection);
        // A log that others use stays, and is theirs to move.
        moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if moved.is_ok() {
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }
    let closed = connection.close().map_err(|(_, error)| error);
    moved.and(closed).map_err(|error| store_error(path, &error))
}
