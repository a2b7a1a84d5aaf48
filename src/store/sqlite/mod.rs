//! A SQLite file with one connection that writes, and commits everything that waits in one transaction.
//!
//! A write's answer is sent when its transaction is on disk (WAL, `synchronous=FULL`), so that many callers
//! share one sync. Checkpoints run on a thread of their own, off the commit path.
//!
//! A forked child has none of its parent's threads: its first write starts a writer of its own.

mod checkpoint;
mod close;
mod connect;
mod doctor;
mod erase;
mod exit;
pub(crate) mod fork;
mod header;
pub(super) mod locks;
mod patience;
mod place;
mod readers;
mod room;
mod row_sum;
mod schema;
mod session;
mod work;
mod writer;

pub use connect::open_read_only;
pub use doctor::{FileReport, RoomReport, examine};
pub use exit::close_all;
#[cfg(any(test, fuzzing))]
pub(crate) use row_sum::install as install_row_sum;
pub use schema::{Change, Check, Schema, Step};

use super::notice::Notices;
use crate::{Error, Result, blocking};
use parking_lot::Mutex;
use readers::Readers;
use rusqlite::Connection;
use session::Shared;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;
use writer::Writer;

/// An open file: one writer, any number of readers.
pub struct Database {
    path: PathBuf,
    open: Mutex<Open>,
    poisoned: Arc<AtomicBool>,
}

/// What only the process that made it may use.
struct Open {
    process: u32,
    closed: bool,
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    notices: Arc<Notices>,
}

impl Open {
    fn start(connection: Connection, path: &Path, poisoned: &Arc<AtomicBool>) -> Result<Self> {
        let (readers, notices) = (Arc::new(Readers::of(path)), Notices::of(path));
        let shared = Shared {
            path: path.to_path_buf(),
            poisoned: Arc::clone(poisoned),
            readers: Arc::clone(&readers),
            notices: Arc::clone(&notices),
        };
        let writer = Writer::start(connection, shared)?;
        exit::register(&writer);
        Ok(Self { process: crate::process::id(), closed: false, writer, readers, notices })
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or creates the file at `path`, with the tables of a room in their newest version.
    ///
    /// # Errors
    /// `Store` where the file cannot be opened, is no database, or was written by something else. It is then left as
    /// it was.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self> {
        // A relative path must go on meaning the same file when the process changes its directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let connection = connect::open(&path, schema)?;
        let poisoned = Arc::new(AtomicBool::new(false));
        let open = Mutex::new(Open::start(connection, &path, &poisoned)?);
        Ok(Self { path, open, poisoned })
    }

    /// The file, from the root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
        let (work, receiver) = work::of(work, answer);
        match self.using(|open| Arc::clone(&open.writer)) {
            Ok(writer) => writer.submit(work),
            Err(error) => drop(work(Err(error))),
        }
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
        blocking::block_on(async { self.write(work).await }).unwrap_or_else(|_| Err(self.closed()))
    }

    /// Runs a read on a connection of its own, beside the writer.
    ///
    /// # Errors
    /// What `work` returns, or `Store` where the file cannot be opened.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.using(|open| Arc::clone(&open.readers))?.read(work)
    }

    /// What tells of changes that others made to the file.
    ///
    /// # Errors
    /// `Store` where the file was closed, or cannot be opened again after a fork.
    pub fn notices(&self) -> Result<Arc<Notices>> {
        self.using(|open| Arc::clone(&open.notices))
    }

    /// Makes sure that nothing of what was deleted can be read in the file or its log any more. Writes the whole file
    /// anew, and blocks until that is done.
    ///
    /// # Errors
    /// `Store` where it failed, or where another process reads the log for longer than 10 s.
    pub fn erase_and_wait(&self) -> Result<()> {
        // What was deleted before must be committed.
        self.write_and_wait(|_| Ok(()))?;
        erase::erase(&self.path)
    }

    /// The same on a thread of its own.
    pub fn erase(&self) -> oneshot::Receiver<Result<()>> {
        let (sender, receiver) = oneshot::channel();
        let (path, before) = (self.path.clone(), self.write(|_| Ok(())));
        let run = move || {
            let committed = before.blocking_recv().unwrap_or_else(|_| Err(readers::closed(&path)));
            let _ = sender.send(committed.and_then(|()| erase::erase(&path)));
        };
        // Without a thread the answer is dropped, which is an error as well.
        let _ = std::thread::Builder::new().name("headrace-erase".into()).spawn(run);
        receiver
    }

    /// Closes the file when what was queued is written; the answer comes when that is done. Where no other process has
    /// it open, the file alone holds everything then. What comes later is refused.
    pub fn close(&self) -> oneshot::Receiver<Result<()>> {
        let _inside = fork::enter();
        let mut open = self.open.lock();
        open.closed = true;
        if open.process != crate::process::id() {
            // Nothing was opened in this process.
            let (sender, receiver) = oneshot::channel();
            let _ = sender.send(Ok(()));
            return receiver;
        }
        open.writer.close();
        open.writer.when_closed()
    }

    /// The same, and blocks this thread until then.
    ///
    /// # Errors
    /// `Store` where the log could not be moved into the file. It stays beside it then, and nothing is lost.
    pub fn close_and_wait(&self) -> Result<()> {
        let closing = self.close();
        blocking::block_on(closing).unwrap_or_else(|_| Err(self.closed()))
    }

    /// Whether a sync failed or the file was removed: nothing more can be promised until it is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// The error of a write whose writer is gone.
    #[must_use]
    pub fn closed(&self) -> Error {
        readers::closed(&self.path)
    }

    /// What this process has open; a forked child opens the file for itself.
    fn using<T>(&self, take: impl FnOnce(&Open) -> T) -> Result<T> {
        let _inside = fork::enter();
        let mut open = self.open.lock();
        if open.closed {
            return Err(self.closed());
        }
        if open.process != crate::process::id() {
            let connection = connect::again(&self.path)?;
            let own = Open::start(connection, &self.path, &self.poisoned)?;
            // SQLite forbids a child to use its parent's connections, and even to close them.
            std::mem::forget(std::mem::replace(&mut *open, own));
        }
        Ok(take(&open))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let open = self.open.get_mut();
        if open.process == crate::process::id() {
            open.writer.close();
        } else {
            std::mem::forget((Arc::clone(&open.writer), Arc::clone(&open.readers)));
        }
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
