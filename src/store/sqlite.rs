//! A SQLite file with one writer thread that commits everything that waits in one transaction.
//!
//! A write's answer is sent when its transaction is on disk (WAL, `synchronous=FULL`), so that many callers
//! share one sync. Checkpoints run on a thread of their own, off the commit path.

use crate::{Error, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a process waits for another one that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most writes in one transaction: bounds the time that the first of them waits.
const MAX_BATCH: usize = 4096;

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

type Work = Box<dyn FnOnce(&Connection) -> Option<Reply> + Send>;
type Reply = Box<dyn FnOnce(Result<()>) + Send>;

/// An open file: one writer, any number of readers.
pub struct Database {
    path: PathBuf,
    writer: mpsc::Sender<Work>,
    readers: Mutex<Vec<Connection>>,
    poisoned: Arc<AtomicBool>,
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
        let connection = connect(path)?;
        prepare(&connection, path, schema)?;
        let poisoned = Arc::new(AtomicBool::new(false));
        let (writer, work) = mpsc::channel();
        let flag = Arc::clone(&poisoned);
        let name = path.to_path_buf();
        std::thread::Builder::new()
            .name("headrace-sqlite".into())
            .spawn(move || write_loop(connection, &work, &flag, &name))
            .map_err(|error| Error::Store(format!("no thread for {}: {error}", path.display())))?;
        Ok(Self { path: path.to_path_buf(), writer, readers: Mutex::default(), poisoned })
    }

    /// Queues a write; the answer comes when it is on disk. A write that fails is undone alone.
    pub fn write<T, F>(&self, work: F) -> oneshot::Receiver<Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let boxed: Work = Box::new(move |connection| match in_savepoint(connection, work) {
            Ok(value) => Some(Box::new(move |committed: Result<()>| {
                let _ = sender.send(committed.map(|()| value));
            }) as Reply),
            Err(error) => {
                let _ = sender.send(Err(error));
                None
            }
        });
        // A writer that is gone drops the box, and with it the sender: the receiver sees a closed channel.
        let _ = self.writer.send(boxed);
        receiver
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
        self.write(work).blocking_recv().unwrap_or_else(|_| Err(self.closed()))
    }

    /// Runs a read on a connection of its own, beside the writer.
    ///
    /// # Errors
    /// What `work` returns, or `Store` where the file cannot be opened.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.readers.lock().pop();
        let connection = pooled.map_or_else(|| connect(&self.path), Ok)?;
        let result = work(&connection);
        self.readers.lock().push(connection);
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

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| store_error(path, &error))
}

fn prepare(connection: &Connection, path: &Path, schema: Schema) -> Result<()> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let run = || -> rusqlite::Result<Option<(i32, i32)>> {
        let found = (pragma("application_id")?, pragma("user_version")?);
        if found == (0, 0) {
            connection.pragma_update(None, "application_id", schema.application_id)?;
            connection.pragma_update(None, "user_version", schema.version)?;
        } else if found != (schema.application_id, schema.version) {
            return Ok(Some(found));
        }
        connection.execute_batch(schema.tables)?;
        Ok(None)
    };
    match run().map_err(|error| store_error(path, &error))? {
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

fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.prepare_cached("SAVEPOINT one")?.execute([])?;
    let result = work(connection);
    if result.is_err() {
        connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    connection.prepare_cached("RELEASE one")?.execute([])?;
    result
}

fn write_loop(mut connection: Connection, work: &mpsc::Receiver<Work>, poisoned: &AtomicBool, path: &Path) {
    while let Ok(first) = work.recv() {
        let mut replies = Vec::new();
        let committed = commit_batch(&mut connection, first, work, &mut replies);
        if committed.is_err() {
            poisoned.store(true, Ordering::Release);
        }
        for reply in replies {
            reply(committed.clone());
        }
        if committed.is_err() {
            tracing::error!(path = %path.display(), "a commit failed: the file promises nothing until it is opened again");
            return;
        }
    }
    let _ = connection.pragma_update(None, "wal_checkpoint", "TRUNCATE");
}

fn commit_batch(
    connection: &mut Connection,
    first: Work,
    work: &mpsc::Receiver<Work>,
    replies: &mut Vec<Reply>,
) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    replies.extend(first(&transaction));
    while replies.len() < MAX_BATCH {
        match work.try_recv() {
            Ok(next) => replies.extend(next(&transaction)),
            Err(_) => break,
        }
    }
    transaction.commit()?;
    Ok(())
}
