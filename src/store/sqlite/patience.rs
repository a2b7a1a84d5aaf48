//! How a write waits for another process that writes to the same file.
//!
//! `SQLite`'s own way looks every 100 ms after a while. A process that writes all the time frees the file for some ten
//! microseconds between two syncs, so that such a look hardly ever meets one, and gives up. Looks in quick succession do.

use super::fork;
use rusqlite::Connection;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long it waits at most.
const MOST: Duration = Duration::from_secs(10);
/// Between two looks. An odd number, so as not to keep step with anybody's timer.
const PAUSE: Duration = Duration::from_micros(370);

thread_local! {
    /// When this thread began to wait.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes a connection wait.
pub(super) fn have(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(look_again))
}

/// Makes a connection give up at once.
pub(super) fn have_none(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(None)
}

fn look_again(looks: i32) -> bool {
    let now = Instant::now();
    let since = SINCE.get().filter(|_| looks > 0).unwrap_or(now);
    SINCE.set(Some(since));
    // A fork need not wait for it.
    fork::outside(|| std::thread::sleep(PAUSE));
    now.duration_since(since) < MOST
}
