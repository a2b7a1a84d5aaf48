//! The thread that moves what was committed from the log into the file, beside the commits.

use super::connect;
use crate::{Error, Result};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::ffi::SQLITE_IOERR_FSYNC;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// After how many changed rows a checkpoint is due.
pub(super) const EVERY_CHANGES: u64 = 2000;
/// Above this many pages left in the log, a checkpoint makes other processes wait too: else a busy log grows for ever.
const MOST_PAGES: i64 = 16_384;

/// Held while this process writes to the log, or moves the last of it.
pub(super) type Turn = Arc<Mutex<()>>;

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(path: &Path, turn: &Turn, poisoned: &Arc<AtomicBool>) -> Result<mpsc::SyncSender<()>> {
    let (sender, asked) = mpsc::sync_channel(1);
    let (path, turn, poisoned) = (path.to_path_buf(), Arc::clone(turn), Arc::clone(poisoned));
    let place = path.display().to_string();
    let run = move || {
        let Ok(connection) = connect(&path) else { return };
        while asked.recv().is_ok() {
            let done = move_all(&connection, &turn);
            if let Err(rusqlite::Error::SqliteFailure(failure, _)) = done
                && failure.extended_code == SQLITE_IOERR_FSYNC
            {
                poisoned.store(true, Ordering::Release);
                tracing::error!(path = %path.display(), "a sync failed: the file promises nothing until it is opened again");
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("headrace-checkpoint".into())
        .spawn(run)
        .map_err(|error| Error::Store(format!("no thread for {place}: {error}")))?;
    Ok(sender)
}

/// The most of it beside the writers. What they added by then is little, and moved between two writes: only a log that
/// is moved as a whole is written over from its start, and a longer one costs a sync of what it grew by.
fn move_all(connection: &Connection, turn: &Mutex<()>) -> rusqlite::Result<()> {
    let passive = || connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
    passive()?;
    let mine = turn.lock();
    let pages = passive()?;
    drop(mine);
    if pages > MOST_PAGES {
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}
