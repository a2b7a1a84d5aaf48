//! Entries in a SQLite file, which any number of processes share.

mod feed;
mod rows;
mod saved;
mod schema;

pub(crate) use saved::{load, save};
pub(crate) use schema::SCHEMA;

use super::{EntryName, EntryStore, Erasure, FeedPage, FeedPosition, Learned, StoredEntry, Told, Unseen};
use crate::blocking::thread_waits;
use crate::lock::Lock;
use crate::store::sqlite::Database;
use crate::{Error, Result};
use futures_util::FutureExt;
use rows::What;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// From so many on, an erasure is told as one change: who hears of it looks through the roll.
const MANY: usize = 1_000;

/// Entries in a SQLite file. A saved cache and a durable cache have the same tables, so that each opens as the other.
///
/// Vectors are kept as they are searched, of unit length in little-endian f32. Every row has a checksum, and one that is
/// not what was written is no entry.
#[derive(Debug)]
pub struct SqliteEntries {
    database: Arc<Database>,
    /// The places of damaged rows that were met. What they held cannot be known, so that an erasure takes them too.
    damaged: Arc<Lock<BTreeSet<i64>>>,
}

impl SqliteEntries {
    /// Opens or creates the file at `path`; one of an earlier version is brought to this one.
    ///
    /// # Errors
    /// `Store` where it cannot be opened, or was written by something else. It is then left as it was.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { database: Arc::new(Database::open(path, &SCHEMA)?), damaged: Arc::default() })
    }

    fn write<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Told<T> {
        if self.database.is_poisoned() {
            return std::future::ready(Err(self.database.closed())).boxed();
        }
        let (told, database) = (self.database.write(work), Arc::clone(&self.database));
        async move { told.await.unwrap_or_else(|_| Err(database.closed())) }.boxed()
    }

    fn read_with<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Told<T> {
        let database = Arc::clone(&self.database);
        where_it_may_block(move || database.read(work))
    }
}

/// Runs what blocks: on a thread that waits for it, else on one of its own.
fn where_it_may_block<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Told<T> {
    async move {
        if thread_waits() {
            return work();
        }
        let (sender, receiver) = oneshot::channel();
        let run = move || drop(sender.send(work()));
        let started = std::thread::Builder::new().name("headrace-cache".into()).spawn(run);
        started.map_err(|error| Error::Store(format!("no thread to read the cache's file: {error}")))?;
        receiver.await.unwrap_or_else(|_| Err(Error::Store("reading the cache's file broke: try again".into())))
    }
    .boxed()
}

/// What is deleted is overwritten at once, so that little is left for whoever reads the file without us.
fn overwriting(connection: &Connection) -> Result<()> {
    let mut set = connection.prepare_cached("PRAGMA secure_delete = ON")?;
    set.query([])?.next()?;
    Ok(())
}

impl EntryStore for SqliteEntries {
    fn put(&self, by: u64, entries: Vec<StoredEntry>) -> Told<()> {
        self.write(move |connection| {
            overwriting(connection)?;
            entries.iter().try_for_each(|entry| rows::put(connection, by, entry))
        })
    }

    fn remove(&self, by: u64, entries: Vec<EntryName>) -> Told<()> {
        self.write(move |connection| {
            overwriting(connection)?;
            entries.iter().try_for_each(|name| rows::remove(connection, by, *name, true).map(|_| ()))
        })
    }

    fn erase(&self, by: u64, erasure: Erasure) -> Told<Vec<u64>> {
        let damaged = Arc::clone(&self.damaged);
        let erased = self.write(move |connection| {
            overwriting(connection)?;
            for number in std::mem::take(&mut *damaged.lock()) {
                rows::remove_damaged(connection, number)?;
            }
            erase(connection, by, &erasure)
        });
        let database = Arc::clone(&self.database);
        async move {
            let unseen = erased.await?;
            where_it_may_block(move || database.erase_and_wait()).await?;
            Ok(unseen)
        }
        .boxed()
    }

    fn reject(&self, by: u64, entry: EntryName) -> Told<()> {
        self.write(move |connection| rows::reject(connection, by, entry))
    }

    fn learn(&self, by: u64, evidence: Learned) -> Told<()> {
        self.write(move |connection| rows::learn(connection, by, &evidence))
    }

    fn forget(&self, by: u64, tenant: Option<String>) -> Told<()> {
        self.write(move |connection| {
            overwriting(connection)?;
            rows::forget(connection, by, tenant.as_deref())
        })
    }

    fn has_news(&self, since: FeedPosition) -> Told<bool> {
        self.read_with(move |connection| feed::has_news(connection, since))
    }

    fn read(&self, by: u64, since: FeedPosition) -> Told<FeedPage> {
        let damaged = Arc::clone(&self.damaged);
        self.read_with(move |connection| {
            let (page, met) = feed::page(connection, by, since)?;
            damaged.lock().extend(met);
            Ok(page)
        })
    }

    fn roll(&self) -> Told<Vec<(u64, bool)>> {
        self.read_with(feed::roll)
    }

    fn compact(&self) -> Told<()> {
        let database = Arc::clone(&self.database);
        where_it_may_block(move || database.erase_and_wait())
    }

    fn flush(&self) -> Told<()> {
        self.write(|_| Ok(()))
    }
}

fn erase(connection: &Connection, by: u64, erasure: &Erasure) -> Result<Vec<u64>> {
    let unseen = unseen(connection, erasure)?;
    if matches!(erasure.unseen, Unseen::Everything) {
        connection.execute("DELETE FROM cache_entries", [])?;
        rows::tell(connection, by, What::Many, 0)?;
    } else {
        let is_told = erasure.known.len() + unseen.len() <= MANY;
        for name in &erasure.known {
            rows::remove(connection, by, *name, is_told)?;
        }
        for (number, id) in &unseen {
            connection.prepare_cached("DELETE FROM cache_entries WHERE number = ?1")?.execute([number])?;
            if is_told {
                rows::tell(connection, by, What::Removed, *id)?;
            }
        }
        if !is_told {
            rows::tell(connection, by, What::Many, 0)?;
        }
    }
    let known = |id: u64| erasure.known.iter().any(|name| name.id == id);
    Ok(unseen.into_iter().map(|(_, id)| id).filter(|id| !known(*id)).collect())
}

/// The places and ids of matching entries that the caller has not heard of. One that is damaged could be any.
fn unseen(connection: &Connection, erasure: &Erasure) -> Result<Vec<(i64, u64)>> {
    if matches!(erasure.unseen, Unseen::Nothing) {
        return Ok(Vec::new());
    }
    let select = format!("SELECT {} FROM cache_entries WHERE number > ?1 ORDER BY number", rows::ENTRY);
    let mut select = connection.prepare_cached(&select)?;
    let mut found = select.query([erasure.since.entry])?;
    let mut unseen = Vec::new();
    while let Some(row) = found.next()? {
        let matches = match (&erasure.unseen, rows::entry(row)) {
            (Unseen::Matching(criteria), Ok((_, entry))) => criteria.matches(&entry),
            _ => true,
        };
        if matches {
            unseen.push((row.get(0)?, row.get::<_, i64>(2).unwrap_or_default() as u64));
        }
    }
    Ok(unseen)
}
