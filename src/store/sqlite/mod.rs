//! A SQLite file with one connection that writes, and commits everything that waits in one transaction.
//!
//! A write's answer is sent when its transaction is on disk (WAL, `synchronous=FULL`), so that many callers
//! share one sync. Checkpoints run on a thread of their own, off the commit path.
//!
//! A forked child has none of its parent's threads: its first write starts a writer of its own.

mod checkpoint;
mod patience;
mod room;
mod session;
mod writer;

use crate::{Error, Result, blocking};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;
use writer::{Reply, Work, Writer};

/// What a file must hold: its application id, the version of its tables, and how to create them.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// `PRAGMA application_id`, so that a file of another program is refused.
    pub application_id: i32,
    /// `PRAGMA user_version`, so that a file of another version is refused.
    pub version: i32,
    /// The statements that create the tables where they are missing (`IF NOT EXISTS`).
    pub tables: &'static str,
}

/// An open file: one writer, any number of readers.
pub struct Database {
    path: PathBuf,
    writer: Mutex<OfProcess<Arc<Writer>>>,
    readers: Mutex<OfProcess<Vec<Connection>>>,
    poisoned: Arc<AtomicBool>,
}

/// What only the process that made it may use.
struct OfProcess<T> {
    process: u32,
    value: T,
}

impl<T> OfProcess<T> {
    fn new(value: T) -> Self {
        Self { process: crate::process::id(), value }
    }

    fn is_inherited(&self) -> bool {
        self.process != crate::process::id()
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// `Store` where the file cannot be opened, is no database, or was written by something else.
    pub fn open(path: &Path, schema: Schema) -> Result<Self> {
        // A relative path must go on meaning the same file when the process changes its directory.
        let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut connection = connect(path)?;
        prepare(&mut connection, path, schema)?;
        let poisoned = Arc::new(AtomicBool::new(false));
        let writer = Writer::start(connection, path, &poisoned)?;
        Ok(Self {
            path: path.clone(),
            writer: Mutex::new(OfProcess::new(writer)),
            readers: Mutex::new(OfProcess::new(Vec::new())),
            poisoned,
        })
    }

    /// Queues a write; the answer comes when it is on disk. A write that fails is undone alone.
    pub fn write<T, F>(&self, work: F) -> oneshot::Receiver<Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.write_then(work, |value| value)
    }

    /// The same, with an answer that is made only when the write is on disk. Where nobody waits for it any more, it is
    /// dropped: an answer can undo by that what its caller has given up.
    pub fn write_then<T, U, F>(
        &self,
        work: F,
        answer: impl FnOnce(T) -> U + Send + 'static,
    ) -> oneshot::Receiver<Result<U>>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let boxed: Work = Box::new(move |connection| match connection.and_then(|found| whole(|| work(found))) {
            Ok(value) => Ok(Box::new(move |committed: Result<()>| {
                let _ = sender.send(committed.and_then(|()| whole(|| Ok(answer(value)))));
            }) as Reply),
            Err(error) => {
                let _ = sender.send(Err(error));
                Err(writer::Undo)
            }
        });
        match self.writer() {
            Ok(writer) => writer.submit(boxed),
            Err(error) => drop(boxed(Err(error))),
        }
        receiver
    }

    fn writer(&self) -> Result<Arc<Writer>> {
        let mut slot = self.writer.lock();
        if slot.is_inherited() {
            let started = Writer::start(connect(&self.path)?, &self.path, &self.poisoned)?;
            *slot = OfProcess::new(started);
        }
        Ok(slot.value.clone())
    }

    /// Queues a write and blocks this thread until it is on disk.
    ///
    /// # Errors
    /// What `work` returns, or `Store` where the commit fails.
    pub fn write_and_wait<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        blocking::block_on(async { self.write(work).await }).unwrap_or_else(|_| Err(self.closed()))
    }

    /// Runs a read on a connection of its own, beside the writer.
    ///
    /// # Errors
    /// What `work` returns, or `Store` where the file cannot be opened.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = {
            let mut readers = self.readers.lock();
            if readers.is_inherited() {
                // SQLite forbids a child to use its parent's connections, and even to close them.
                std::mem::forget(std::mem::replace(&mut *readers, OfProcess::new(Vec::new())));
            }
            readers.value.pop()
        };
        let connection = pooled.map_or_else(|| connect(&self.path), Ok)?;
        let result = work(&connection);
        self.readers.lock().value.push(connection);
        result
    }

    /// Whether a sync failed: nothing more can be promised until the file is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// The error of a write whose writer is gone.
    #[must_use]
    pub fn closed(&self) -> Error {
        Error::Store(format!("{} is closed: open it again", self.path.display()))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let writer = self.writer.get_mut();
        if !writer.is_inherited() {
            writer.value.close();
        }
        let readers = self.readers.get_mut();
        if readers.is_inherited() {
            std::mem::forget(std::mem::take(&mut readers.value));
        }
    }
}

/// An error where it panics: whoever commits does so for others too, who must not go down with it.
fn whole<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Store("a write broke inside headrace: this is a bug of headrace, please report it".into()))
    })
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        patience::have(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // The writer checkpoints when it ends. What closes a connection must not: a forked child that closes does not
        // hold the locks that SQLite believes it holds.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| store_error(path, &error))
}

fn prepare(connection: &mut Connection, path: &Path, schema: Schema) -> Result<()> {
    let run = |connection: &mut Connection| -> rusqlite::Result<Option<(i32, i32)>> {
        // One transaction: another process that opens the file at the same time sees all of it or nothing.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let found = (number("application_id")?, number("user_version")?);
        let is_empty: bool = transaction.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
        if found == (0, 0) && is_empty {
            transaction.pragma_update(None, "application_id", schema.application_id)?;
            transaction.pragma_update(None, "user_version", schema.version)?;
        } else if found != (schema.application_id, schema.version) {
            return Ok(Some(found));
        }
        transaction.execute_batch(schema.tables)?;
        transaction.commit()?;
        Ok(None)
    };
    match run(connection).map_err(|error| store_error(path, &error))? {
        None => Ok(()),
        Some((id, version)) => Err(Error::Store(format!(
            "{} was written by something else (application id {id}, version {version}; expected {}, {}): give another file",
            path.display(),
            schema.application_id,
            schema.version
        ))),
    }
}

/// An error of SQLite as ours, with the file's name.
#[must_use]
pub fn store_error(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Store(format!("{}: {error}", path.display()))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(format!("the database answered: {error}"))
    }
}

#[cfg(test)]
mod tests;
