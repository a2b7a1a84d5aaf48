//! The connections that read, each used by one thread at a time.

use super::{connect, fork};
use crate::{Error, Result};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections that are kept for the next read.
const MOST_IDLE: usize = 16;

pub(super) struct Readers {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    busy: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_path_buf(), state: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs a read. A connection whose read failed is not used again: what failed may be the connection.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let lent = self.lend()?;
        let result = {
            let _inside = fork::enter();
            work(&lent.connection)
        };
        if result.is_ok() {
            lent.keep();
        } else {
            let _inside = fork::enter();
            drop(lent);
        }
        result
    }

    fn lend(&self) -> Result<Lent<'_>> {
        let pooled = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(closed(&self.path));
            }
            state.busy += 1;
            state.idle.pop()
        };
        let busy = Busy(self);
        let connection = pooled.map_or_else(|| connect::again(&self.path), Ok)?;
        Ok(Lent { connection, busy })
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        let _inside = fork::enter();
        drop(idle);
    }

    /// Waits for the reads that run, so that their connections are closed; whether they ended.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut state = self.state.lock();
        while state.busy > 0 {
            if self.returned.wait_until(&mut state, until).timed_out() {
                return false;
            }
        }
        true
    }
}

/// The error of whoever comes after the file was closed.
pub(super) fn closed(path: &Path) -> Error {
    Error::Store(format!("{} is closed: open it again", path.display()))
}

struct Lent<'a> {
    connection: Connection,
    busy: Busy<'a>,
}

impl Lent<'_> {
    fn keep(self) {
        let Self { connection, busy } = self;
        let spare = {
            let mut state = busy.0.state.lock();
            if state.closed || state.idle.len() >= MOST_IDLE {
                Some(connection)
            } else {
                state.idle.push(connection);
                None
            }
        };
        let _inside = fork::enter();
        drop(spare);
    }
}

/// Counts a read as running, until after its connection is closed or kept.
struct Busy<'a>(&'a Readers);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state.lock().busy -= 1;
        self.0.returned.notify_all();
    }
}
