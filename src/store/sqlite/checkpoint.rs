//! The thread that moves what was committed from the log into the file, beside the commits.

use super::{connect, fork};
use crate::{Error, Result};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::ffi::SQLITE_IOERR_FSYNC;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// After how many changed rows a checkpoint is due.
const EVERY_CHANGES: u64 = 2000;
/// Above this many pages left in the log, a checkpoint makes other processes wait too: else a busy log grows for ever.
const MOST_PAGES: i64 = 16_384;

/// Held while this process writes to the log, or moves the last of it.
pub(super) type Turn = Arc<Mutex<()>>;

/// The thread, from the side of the writer.
pub(super) struct Checkpoints {
    ask: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
    /// How many rows had changed when one was last asked for.
    at: u64,
}

impl Checkpoints {
    pub(super) fn start(path: &Path, turn: &Turn, poisoned: &Arc<AtomicBool>) -> Result<Self> {
        let (ask, asked) = mpsc::sync_channel(1);
        let (path, turn, poisoned) = (path.to_path_buf(), Arc::clone(turn), Arc::clone(poisoned));
        let place = path.display().to_string();
        let run = move || {
            let Ok(connection) = connect::again(&path) else { return };
            while asked.recv().is_ok() {
                let done = move_all(&connection, &turn);
                if let Err(rusqlite::Error::SqliteFailure(failure, _)) = done
                    && failure.extended_code == SQLITE_IOERR_FSYNC
                {
                    poisoned.store(true, Ordering::Release);
                    tracing::error!(path = %path.display(), "a sync failed: the file promises nothing until it is opened again");
                    break;
                }
            }
            let _inside = fork::enter();
            drop(connection);
        };
        let thread = std::thread::Builder::new()
            .name("headrace-checkpoint".into())
            .spawn(run)
            .map_err(|error| Error::Store(format!("no thread for {place}: {error}")))?;
        Ok(Self { ask, thread, at: 0 })
    }

    /// Asks for a checkpoint where enough rows have changed.
    pub(super) fn after(&mut self, changes: u64) {
        if changes.saturating_sub(self.at) >= EVERY_CHANGES {
            self.at = changes;
            // One that is still running will do.
            let _ = self.ask.try_send(());
        }
    }

    /// Ends the thread, and closes its connection.
    pub(super) fn end(self) {
        drop(self.ask);
        let _ = self.thread.join();
    }
}

/// The most of it beside the writers. What they added by then is little, and moved between two writes: only a log that
/// is moved as a whole is written over from its start, and a longer one costs a sync of what it grew by.
fn move_all(connection: &Connection, turn: &Mutex<()>) -> rusqlite::Result<()> {
    let passive = || {
        let _inside = fork::enter();
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1))
    };
    passive()?;
    let mine = turn.lock();
    let pages = passive()?;
    drop(mine);
    if pages > MOST_PAGES {
        let _inside = fork::enter();
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}
