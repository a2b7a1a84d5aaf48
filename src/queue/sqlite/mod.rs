//! A queue on a SQLite file, which several processes may share.
//!
//! # Who decides
//!
//! The file is the state. Each process has a copy of it in memory, the pure core, which says what is next, whether there
//! is room and what the limits let through. Whatever is decided is decided inside the transaction that writes it: it
//! begins by taking in what others have written since (SQLite lets one write at a time), so that every process decides
//! on the same state and there is one order, one room, one set of limits. The copy takes in nothing else: what time
//! brings about is written first as well.
//!
//! - A request's place in line is a number in its row, counted up by whoever makes it ready.
//! - `takes` keeps what left in the last minute: rates count it, and tenants' turns are made up from it.
//! - What counts against a limit is common; the limits are those of the handle that takes. So are room and weights.
//! - Time is the wall clock's, the only one that processes share.
//! - A request put for one's own turn has an owner, a handle. `owners` says until when that lives; it says so again as
//!   long as it has requests. When it is silent its leases end, and its requests are for those who `adopt`.
//!
//! # How a copy keeps up
//!
//! Rows are numbered twice: new ones by their id, changed ones by the number of the change. A copy knows how far it has
//! read, and reads on: inside its writes, and outside of them when a notice of another process comes. Its own writes it
//! knows already. Where a commit fails, or after a fork, the copy is made anew from the file.
//!
//! # Damage
//!
//! Every row has a sum over all that is decided upon, the payload one of its own. All rows are read, by their ids and by
//! no index, when a file is opened. One that is not what was written is a dead letter here, and stays in the file as it is.
//! What stands beside the requests has sums too: see `beside`.

mod beside;
mod change;
mod replica;
mod rows;
mod schema;
mod takes;

pub(super) use change::{News, QueueWrite};
pub(crate) use schema::SCHEMA;

use super::entry::RequestId;
use super::local::CoreQueue;
use super::options::QueueConfig;
use super::store::Acked;
use crate::lock::Lock;
use crate::store::sqlite::Database;
use crate::{Error, Payload, Result};
use replica::Position;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a dead letter says whose row is not what was written.
pub(super) const DAMAGED: &str = "damaged on disk: its checksum differs from what was written";

/// A file of up to 64 MiB is looked at as a whole when it is opened.
const MOST_PAGES_LOOKED_AT: i64 = 16_384;

/// How long a handle lives that does not say so again.
pub(super) const OWNER_LIVES: Duration = Duration::from_secs(30);

/// The file of a queue, and how far this handle has read it.
pub(super) struct QueueFile {
    database: Database,
    queue: Arc<str>,
    position: Lock<Position>,
    /// This handle among all that share the file; a forked child is another.
    owner: Lock<(u32, u64)>,
}

impl QueueFile {
    pub(super) fn open(path: &Path, config: &QueueConfig) -> Result<Self> {
        let database = Database::open(path, &SCHEMA)?;
        look_at_the_tree(&database)?;
        let queue = Arc::from(config.name.as_str());
        Ok(Self { database, queue, position: Lock::new(Position::new()), owner: Lock::new((0, 0)) })
    }

    pub(super) fn owner(&self) -> u64 {
        let process = crate::process::id();
        let mut owner = self.owner.lock();
        if owner.0 != process {
            *owner = (process, rand::random::<u64>().max(2));
        }
        owner.1
    }

    /// What tells of changes that others made.
    pub(super) fn watch(&self) -> Result<crate::store::notice::Watch> {
        Ok(self.database.notices()?.watch())
    }

    pub(super) fn payload(&self, id: u64) -> Result<Option<Payload>> {
        self.database.read(|connection| rows::payload(connection, id))
    }

    /// The result of a request that is done on disk.
    pub(super) fn result(&self, id: u64) -> Result<Option<Acked>> {
        self.database.read(|connection| rows::result(connection, id))
    }

    /// Whether the copy has to be made anew, which only a write may do.
    pub(super) fn is_stale(&self) -> bool {
        self.position.lock().is_stale()
    }

    /// Takes in what others wrote, without a write. Gives the requests that ended by it.
    pub(super) fn read_on(&self, inner: &CoreQueue) -> Result<Vec<u64>> {
        if self.database.is_poisoned() {
            return Err(self.database.closed());
        }
        self.database.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            let mut ended = Vec::new();
            {
                let mut core = inner.core.lock();
                let mut position = self.position.lock();
                if !position.is_stale() {
                    replica::read_on(&moment, &self.queue, &mut core, &mut position, inner.now(), &mut ended)?;
                }
            }
            moment.finish()?;
            Ok(ended)
        })
    }
}

/// Refuses a file whose pages do not fit together: rows may be missing from it without a trace. What is in a row is
/// looked at row by row, which costs no other row; an index that does not fit its table is made anew.
fn look_at_the_tree(database: &Database) -> Result<()> {
    let mut found = database.read(problems)?;
    if !found.is_empty() && found.iter().all(|line| line.contains(" index requests_")) {
        tracing::warn!(path = %database.path().display(), problem = found[0], "an index of the queue is damaged: it is made anew");
        database.write_and_wait(|connection| Ok(connection.execute_batch("REINDEX requests")?))?;
        found = database.read(problems)?;
    }
    match found.first() {
        None => Ok(()),
        Some(what) => Err(Error::Store(format!(
            "{} is damaged: {what}; `headrace doctor` says what of it is whole",
            database.path().display()
        ))),
    }
}

/// What SQLite says does not fit together.
fn problems(connection: &Connection) -> Result<Vec<String>> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages > MOST_PAGES_LOOKED_AT {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    connection.pragma_query(None, "integrity_check", |row| {
        found.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    found.retain(|line| line != "ok" && !line.starts_with("NULL value in"));
    Ok(found)
}

/// The error of a request that another program removed.
fn gone(id: u64) -> Error {
    Error::Store(format!("request {} is gone from the file: is another program at work in it?", RequestId(id)))
}
